"""Writes one line, `ADDRESS PORT`, for each TCP connection attempt that leaves this network namespace.

An attempt is the first SYN from a source port to a destination; its retransmissions are not written. The program writes
`ready` when it listens. It ends when its standard input ends, after it has written the packets that were sent before.
"""

import select
import socket
import sys

ETH_P_ALL, OUTGOING, TCP, SYN, ACK = 3, 4, 6, 0x02, 0x10


def tcp_of(packet):
    """The destination and the TCP segment of an IP packet, or None."""
    version = packet[0] >> 4
    if version == 4 and packet[9] == TCP:
        return socket.inet_ntop(socket.AF_INET, packet[16:20]), packet[(packet[0] & 15) * 4 :]
    if version == 6 and packet[6] == TCP:
        return socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[40:]
    return None


def main():
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    packets.setblocking(False)
    print("ready", flush=True)
    seen, ended = set(), False
    while not ended:
        ready, _, _ = select.select([packets, sys.stdin], [], [])
        ended = sys.stdin in ready
        while True:
            try:
                packet, (interface, _, kind, *_) = packets.recvfrom(128)
            except BlockingIOError:
                break
            segment = kind == OUTGOING and interface != "lo" and tcp_of(packet)
            if not segment or segment[1][13] & (SYN | ACK) != SYN:
                continue
            address, segment = segment
            ports = int.from_bytes(segment[:2], "big"), int.from_bytes(segment[2:4], "big")
            if (address, ports) not in seen:
                seen.add((address, ports))
                print(address, ports[1], flush=True)


main()
