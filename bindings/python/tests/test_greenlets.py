"""gevent and eventlet: while one greenlet waits for a token, the others run."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import dl_auth
from support import PATIENCE, GateTest, gate, hanging, way_to_the_gate

BEGIN = {
    "gevent": """
import dl_auth  # before the patch: what is patched is seen when a call waits
import gevent.monkey; gevent.monkey.patch_all()
import gevent
spawn, join, sleep = gevent.spawn, lambda greenlet: greenlet.get(), gevent.sleep
""",
    "eventlet": """
import warnings; warnings.simplefilter("ignore")  # eventlet says that it is old
import dl_auth
import eventlet; eventlet.monkey_patch()
spawn, join, sleep = eventlet.spawn, lambda greenlet: greenlet.wait(), eventlet.sleep
""",
}

GREENLETS = """
import sys, urllib.request
way, control = eval(sys.argv[1]), sys.argv[2]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
def post(path, body=None):
    return direct.open(control + path, body or b"").read()
def release():
    direct.open(control + "/wait?hanging=1").read()  # until the request has come that is to be released
    post("/release")
class Request:  # as requests prepares it
    url, headers = "http://platform.invalid/", {}
    def register_hook(self, *_): pass
def by_requests(auth):
    import dl_auth.requests
    return dl_auth.requests.BearerAuth(auth)(Request()).headers["Authorization"]
def by_httpx(auth):
    import dl_auth.httpx, httpx
    flow = dl_auth.httpx.BearerAuth(auth).sync_auth_flow(httpx.Request("GET", Request.url))
    return next(flow).headers["Authorization"]
calls = [dl_auth.Auth.token, dl_auth.Auth.token_within, dl_auth.Auth.bearer, dl_auth.Auth.claims, by_requests, by_httpx]
for number, call in enumerate(calls):
    post("/reset")
    post("/plan", b'{"do": "hang"}')
    turns = 0
    def others():  # must run, because the gate answers only then
        global turns
        while turns < 100:
            turns += 1
            sleep(0.001)
        release()
    with dl_auth.Auth(**{**way, "wait": "%ds" % PATIENCE}) as auth:
        waits, beside = [spawn(call, auth) for _ in range(20)], spawn(others)
        assert all(join(waiting) for waiting in waits) and turns == 100, (call, turns)
        join(beside)
        assert not auth._looking and auth.info().logins == 1
# Without an answer: the same errors as of a call that waits in the library.
post("/reset")
post("/plan", b'{"do": "hang"}')
auth = dl_auth.Auth(**way)
for call, status in [(lambda: auth.token(0.05), "TIMEOUT"), (lambda: auth.token(0), "PENDING")]:
    try:
        call()
    except dl_auth.Error as error:
        assert error.status.name == status and isinstance(error, TimeoutError) == (status == "TIMEOUT"), repr(error)
    else:
        raise AssertionError(status)
def closed():
    try:
        auth.token()
    except dl_auth.Error as error:
        return error.status.name
waits = spawn(closed)
direct.open(control + "/wait?hanging=1").read()
auth.close()
assert join(waits) == "CLOSED"
post("/release")  # without a wait for the request: the closed handle gives it up
print("done")
"""

GEVENT_ALONE = """
post("/reset")
post("/plan", b'{"do": "hang"}')
auth = dl_auth.Auth(**way)
try:
    with gevent.Timeout(0.05):
        auth.token()
    raise AssertionError("it has a token")
except gevent.Timeout:
    pass
waits = spawn(auth.token)
sleep(0.01)
waits.kill()
assert not auth._looking
thread = gevent.get_hub().threadpool.spawn(auth.token)  # a thread of the system's
release()
assert thread.get() == auth.token() and auth.info().logins == 1
"""

APPLICATION = """
import os, dl_auth
auth = dl_auth.Auth(**eval(os.environ["WAY"]))
def application(environ, start):
    path = environ["PATH_INFO"]
    start("200 OK", [])
    return [f"{os.getpid()} {auth.token() if path == '/token' else 'pong'}".encode()]
"""

TIMEOUT = 4 * int(os.environ.get("DL_AUTH_TEST_PATIENCE") or 1)
"""Seconds after which gunicorn ends a worker that gives no sign of life."""


class GreenletTest(GateTest):
    def run_greenlets(self, kind: str, more: str = "") -> None:
        program = BEGIN[kind] + f"PATIENCE = {PATIENCE}\n" + GREENLETS + more
        command = [sys.executable, "-c", program, repr(way_to_the_gate()), os.environ["GATE_CONTROL_URL"]]
        out, both = subprocess.PIPE, subprocess.STDOUT
        ran = subprocess.run(command, stdout=out, stderr=both, text=True, timeout=PATIENCE)
        self.assertEqual((ran.returncode, ran.stdout), (0, "done\n"))

    def test_other_greenlets_of_gevent_run_while_one_waits(self) -> None:
        self.run_greenlets("gevent", GEVENT_ALONE)

    def test_other_greenlets_of_eventlet_run_while_one_waits(self) -> None:
        self.run_greenlets("eventlet")

    def test_gunicorn_with_gevent(self) -> None:
        self.serves_others_while_one_waits("gevent")

    def test_gunicorn_with_eventlet(self) -> None:
        self.serves_others_while_one_waits("eventlet")

    def serves_others_while_one_waits(self, kind: str) -> None:
        """One worker: while its one request waits for the gate, it answers others, and gunicorn does not end it."""
        gate("/plan", {"do": "hang"})
        with tempfile.TemporaryDirectory() as directory, open(f"{directory}/log", "w+") as log:
            Path(directory, "app.py").write_text(APPLICATION)
            command = [sys.executable, "-m", "gunicorn", "-k", kind, "-w", "1", "--timeout", str(TIMEOUT)]
            command += ["--graceful-timeout", "1", "--bind", f"unix:{directory}/socket", "app:application"]
            environment = {**os.environ, "WAY": repr(way_to_the_gate())}
            server = subprocess.Popen(command, cwd=directory, env=environment, stdout=log, stderr=log)
            told: list[str] = []

            def ask(path: str) -> str:
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(PATIENCE)
                    client.connect(f"{directory}/socket")
                    client.sendall(f"GET {path} HTTP/1.0\r\nHost: gunicorn\r\n\r\n".encode())
                    with client.makefile("rb") as answer:
                        return answer.read().decode().rpartition("\r\n")[2]

            try:
                booted = Path(directory, "log")
                self.until(lambda: "Booting worker" in booted.read_text() or server.poll() is not None)
                worker = ask("/ping").split()[0]
                waits = threading.Thread(target=lambda: told.append(ask("/token")))
                waits.start()
                hanging()
                end, pongs = time.monotonic() + 1.5 * TIMEOUT, 0
                while time.monotonic() < end or pongs < 20:
                    self.assertEqual((ask("/ping"), told), (f"{worker} pong", []))
                    pongs += 1
                    time.sleep(0.05)
                gate("/release", post=True)
                waits.join(PATIENCE)
                self.assertEqual(told, [f"{worker} {gate('/last_token')}"])
            except BaseException:
                gate("/release", post=True)
                log.seek(0)
                print(log.read(), file=sys.stderr)
                raise
            finally:
                server.terminate()
                server.wait(PATIENCE)
            log.seek(0)
            self.assertNotRegex(log.read(), r"WORKER TIMEOUT|SIGKILL|SIGABRT")
        self.assert_counts(requests=1, logins=1)


class PatchTest(GateTest):
    def test_a_call_waits_in_the_sleep_that_is_there_when_it_waits(self) -> None:
        gate("/plan", {"do": "hang"})
        auth, asleep = self.open(), time.sleep
        naps: list[float] = []
        waited: list[int] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            asleep(seconds)
            if len(naps) == 20:
                hanging()
                gate("/release", post=True)

        attempt = dl_auth._library.attempt

        def noted(function: Any, *arguments: Any) -> Any:
            if function is dl_auth._library.token_within:
                waited.append(arguments[2])
            return attempt(function, *arguments)

        with mock.patch.object(time, "sleep", nap), mock.patch.object(dl_auth._library, "attempt", noted):
            self.assertEqual(auth.token(PATIENCE), gate("/last_token"))
        self.assertGreaterEqual(len(naps), 20)
        self.assertEqual(naps[:20], sorted(naps[:20]), "the pauses grow")
        self.assertLessEqual(max(naps), 0.05)
        self.assertEqual(set(waited), {0}, "each look is a call that does not wait")

    def test_a_mock_in_the_place_of_sleep_is_not_called_again_and_again(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()
        with mock.patch.object(time, "sleep") as nap:
            error = self.fails(dl_auth.Status.TIMEOUT, lambda: auth.token(0.5))
        self.assertIsInstance(error, TimeoutError)
        self.assertLess(nap.call_count, 1000, "a busy machine may make a mock seem to wait")
        hanging()
        gate("/release", post=True)
        self.assertEqual(auth.token(), gate("/last_token"))
