"""The gate, a platform, and what else the tests share. A test has the gate to itself, as after its start."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import unittest
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Optional

import dl_auth

PATIENCE = 300 * int(os.environ.get("DL_AUTH_TEST_PATIENCE") or 1)
"""Seconds until something that should happen is said not to: a guard against a hang, never what a test measures."""


def gate(path: str, body: Optional[object] = None, post: bool = False) -> Any:
    """A call to the gate's control: POST if there is a body, or if `post` is true."""
    data = json.dumps(body).encode() if body is not None else b"" if post else None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(os.environ["GATE_CONTROL_URL"] + path, data, 3 * PATIENCE) as answer:
        return json.load(answer)


def way_to_the_gate() -> dict[str, str]:
    """The options of a handle for the gate."""
    names = {"url": "GATE_URL", "ca_file": "GATE_CA_FILE", "username": "GATE_USERNAME", "password": "GATE_PASSWORD"}
    limits = {"wait": "10m", "connect_timeout": "5m", "timeout": "10m"}  # which a busy machine does not reach
    return {"proxy": "none", **limits, **{option: os.environ[name] for option, name in names.items()}}


class GateTest(unittest.TestCase):
    """A test against the gate."""

    def setUp(self) -> None:
        gate("/release", post=True)
        self.until(lambda: gate("/counts")["hanging"] == 0)
        gate("/reset", post=True)

    def open(self, **options: Any) -> dl_auth.Auth:
        auth = dl_auth.Auth(**{**way_to_the_gate(), **options})
        self.addCleanup(auth.close)
        return auth

    def assert_counts(self, **wanted: int) -> None:
        counts = gate("/counts")
        self.assertEqual({name: counts[name] for name in wanted}, wanted)

    def until(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), limit, "the condition was not reached")
            time.sleep(0.01)

    def until_it_may_refresh(self, auth: dl_auth.Auth) -> None:
        self.until(lambda: auth.info().retry_in == timedelta(0))

    def fails(self, status: dl_auth.Status, call: Callable[[], object]) -> dl_auth.Error:
        """The error of a call that must fail with this status."""
        with self.assertRaises(dl_auth.Error) as raised:
            call()
        self.assertEqual(raised.exception.status, status, raised.exception.message)
        self.assertNotEqual(raised.exception.message, "")
        return raised.exception


def hanging() -> None:
    """Waits until a request hangs at the gate."""
    gate("/wait?hanging=1")


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program in a separate Python process."""
    return run([sys.executable, "-c", program], env={**os.environ, **environment})


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command, and has all that it writes in `stdout`."""
    out, both = subprocess.PIPE, subprocess.STDOUT
    return subprocess.run(command, stdout=out, stderr=both, text=True, timeout=PATIENCE, **options)


class Platform(ThreadingHTTPServer):
    """A server at a separate port: 401 for a token in `refused`, a redirect from /to/STATUS/URL, otherwise 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.refused: set[str] = set()
        self.refuses_all = False
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens before each answer."""
        self.seen: list[tuple[str, Optional[str], bytes]] = []
        """Of each request the path, the header Authorization, and the body."""
        self.sets: list[str] = []
        """The values of the headers Set-Cookie of each 401."""
        self.cookies: list[Optional[str]] = []
        """Of each request the header Cookie."""
        self.connections: set[object] = set()
        """Where the requests came from."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def tokens(self) -> list[Optional[str]]:
        return [bearer and bearer[len("Bearer ") :] for _, bearer, _ in self.seen]


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Platform

    def do_GET(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bearer = self.headers.get("Authorization")
        self.server.seen.append((self.path, bearer, body))
        self.server.cookies.append(self.headers.get("Cookie"))
        self.server.connections.add(self.client_address)
        self.server.meanwhile()
        refused = self.server.refuses_all or bearer in {f"Bearer {token}" for token in self.server.refused}
        if refused:
            self.send_response(401)
            for cookie in self.server.sets:
                self.send_header("Set-Cookie", cookie)
        elif self.path.startswith("/to/"):
            _, _, status, target = self.path.split("/", 3)
            self.send_response(int(status))
            self.send_header("Location", target)
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def platform() -> Iterator[Platform]:
    """A platform, until the end of the block."""
    with Platform() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
