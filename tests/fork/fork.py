"""Handles of a parent in the workers of a `multiprocessing.Pool` that forks, through ctypes.

One handle has a token, and threads of the parent read it all the time. On the other handle a thread waits for a login
that the gate holds until the workers are done. The program prints nothing if everything is right. The argument is the
library's directory; the environment has the gate's addresses.
"""

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import threading
import urllib.request

WORKERS = 8
PATIENCE = int(os.environ.get("DL_AUTH_TEST_PATIENCE") or 1)
HANG_GUARD_SECONDS = 900 * PATIENCE  # the workers end before their parent would
TOKEN_MAX = 8192

lib = ctypes.CDLL(os.path.join(sys.argv[1], "libdl_auth.so.0"))
P, S, N = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
lib.dl_auth_config_new.argtypes, lib.dl_auth_config_new.restype = [], P
lib.dl_auth_config_set.argtypes = [P, S, S, P]
lib.dl_auth_config_free.argtypes, lib.dl_auth_config_free.restype = [P], None
lib.dl_auth_new.argtypes = [P, P, P]
lib.dl_auth_token.argtypes = [P, S, N, P, P]
lib.dl_auth_free.argtypes, lib.dl_auth_free.restype = [P], None


def new_handle():
    """A handle for the gate. Its login may hang as long as this program runs."""
    config = lib.dl_auth_config_new()
    options = {"url": "GATE_URL", "ca_file": "GATE_CA_FILE", "username": "GATE_USERNAME", "password": "GATE_PASSWORD"}
    options = {key: os.environ[name] for key, name in options.items()}
    options |= {"tls_roots": "ca_file_only", "proxy": "none", "max_attempts": "1", "wait": "10m", "timeout": "10m"}
    options |= {"connect_timeout": "5m"}
    for key, value in options.items():
        assert lib.dl_auth_config_set(config, key.encode(), value.encode(), None) == 0, key
    handle = P()
    assert lib.dl_auth_new(config, ctypes.byref(handle), None) == 0
    lib.dl_auth_config_free(config)
    return handle


def token(handle):
    buffer = ctypes.create_string_buffer(TOKEN_MAX)
    status = lib.dl_auth_token(handle, buffer, TOKEN_MAX, None, None)
    assert status == 0, f"dl_auth_token: {status}"
    return buffer.value


def gate(path, body=None):
    """A call to the gate's control endpoint: POST with a body, GET without one."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(os.environ["GATE_CONTROL_URL"] + path, body, HANG_GUARD_SECONDS) as answer:
        return json.load(answer)


def work(_):
    """In a worker: the parent's token, and a token of a separate login."""
    everyone.wait()  # so that each worker gets one task
    inherited, own = token(read), token(waited)
    assert token(waited) == own
    return os.getpid(), inherited, own


def keep_reading():
    while not over.is_set():
        token(read)


def wait():
    came.append(token(waited))


if __name__ == "__main__":
    signal.alarm(HANG_GUARD_SECONDS)
    context = multiprocessing.get_context("fork")
    over, everyone, came = threading.Event(), context.Barrier(WORKERS), []
    read, waited = new_handle(), new_handle()
    first = token(read)
    gate("/plan", b'{"do": "hang"}')
    threads = [threading.Thread(target=wait)] + [threading.Thread(target=keep_reading) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate("/wait?hanging=1")
    with context.Pool(WORKERS, signal.alarm, (HANG_GUARD_SECONDS - 10,)) as pool:
        results = pool.map_async(work, range(WORKERS), chunksize=1).get(timeout=HANG_GUARD_SECONDS - 20)
    pids, inherited, own = (set(column) for column in zip(*results))
    assert len(pids) == WORKERS and os.getpid() not in pids, pids
    assert inherited == {first}, "every worker must have the parent's token"
    assert len(own) == WORKERS and first not in own, "each worker must log in once by itself"
    assert came == [] and gate("/counts")["hanging"] == 1, "the parent must still wait"
    over.set()
    gate("/release", b"")
    for thread in threads:
        thread.join()
    assert len(came) == 1 and came[0] not in own | {first}, "the parent must get a separate token"
    counts = gate("/counts")
    wanted = {"logins": 2 + WORKERS, "issued": 2 + WORKERS, "requests": 2 + WORKERS, "refreshes": 0, "bad_requests": 0}
    assert counts | wanted == counts, counts
    lib.dl_auth_free(read)
    lib.dl_auth_free(waited)
