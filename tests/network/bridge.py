"""Forwards TCP ports of this network namespace to Unix sockets, on which processes of any namespace can listen.

Usage: bridge.py PORT=SOCKET... Writes `ready` when it accepts connections.
"""

import asyncio
import sys


async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def main():
    servers = []
    for pair in sys.argv[1:]:
        port, path = pair.split("=", 1)

        async def lead(reader, writer, path=path):
            far_reader, far_writer = await asyncio.open_unix_connection(path)
            await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
            far_writer.close()
            writer.close()

        servers.append(await asyncio.start_server(lead, ["0.0.0.0", "::"], int(port)))
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
