"""No exception leaves a secret in a frame of the package: whichever call it is, and however it fails."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import functools
import gc
import inspect
import os
import time
import traceback
import types
import unittest
from collections.abc import Callable, Iterator
from ctypes import Array, c_char, create_string_buffer
from typing import Any, Optional
from unittest import mock

import dl_auth
import dl_auth.httpx
import dl_auth.requests
import httpx
import requests
from dl_auth import Status, _frames, _library
from support import GateTest, gate, hanging, platform

PACKAGE = os.path.dirname(dl_auth.__file__) + os.sep
SECRET = "hunter2-" + "of-the-frames"
"""What the tests pass. No constant of this module is the whole of it."""


def holds(value: object, secrets: set[str]) -> bool:
    """Whether a value is or holds a secret, however deep: in containers, attributes, closures and buffers of ctypes."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (types.ModuleType, type, types.CodeType)):
            continue
        seen.add(id(one))
        if isinstance(one, Array) and one._type_ is c_char:
            one = one.raw
        if isinstance(one, (bytes, bytearray)):
            one = bytes(one).decode("latin-1")
        if isinstance(one, str):
            if any(secret in one for secret in secrets):
                return True
        elif isinstance(one, types.FunctionType):
            waiting += [cell.cell_contents for cell in one.__closure__ or ()] + [one.__defaults__, one.__kwdefaults__]
        elif isinstance(one, BaseException):
            waiting += [one.args, vars(one)]  # its traceback is looked at frame by frame
        else:
            waiting += gc.get_referents(one)
    return False


def with_those_before(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An exception, its causes and its contexts."""
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
            yield one


def frames_of_the_package(error: BaseException) -> list[types.FrameType]:
    frames = [frame for one in with_those_before(error) for frame, _ in traceback.walk_tb(one.__traceback__)]
    return [frame for frame in frames if frame.f_code.co_filename.startswith(PACKAGE)]


def leaks(error: BaseException, secrets: set[str]) -> Iterator[str]:
    """Where an exception, and those before it, hold a secret: in frames of the package, or in what the package says."""
    for frame in frames_of_the_package(error):
        for name, value in frame.f_locals.items():
            if holds(value, secrets):
                yield f"{frame.f_code.co_name}, begun at line {frame.f_code.co_firstlineno}: {name}"
    for one in with_those_before(error):
        if isinstance(one, (dl_auth.Error, TypeError, ValueError)) and holds(one, secrets):
            yield f"the exception itself: {type(one)}"


class Ended(BaseException):
    """What comes in the middle of a call, as KeyboardInterrupt, or gevent's GreenletExit and Timeout do."""


@contextlib.contextmanager
def interrupted_in_the_library(after: int = 0) -> Iterator[None]:
    """The call of the library that comes after so many is interrupted."""
    calls, attempt = iter(range(10**6)), _library.attempt

    def interrupted(*arguments: Any) -> Any:
        if next(calls) >= after:
            raise Ended
        return attempt(*arguments)

    with mock.patch.object(_library, "attempt", interrupted):
        yield


class Path:
    def __fspath__(self) -> str:
        raise Ended


def jwt(payload: str) -> str:
    return f"e30.{base64.urlsafe_b64encode(payload.encode()).rstrip(b'=').decode()}.{SECRET}"


Way = Callable[[], object]


class FramesTest(GateTest):
    def keeps_nothing(self, call: Way, *more: str) -> None:
        """The call must fail, and then no frame of the package may hold a secret."""
        try:
            call()
        except BaseException as error:
            if isinstance(error, AssertionError):
                raise
            self.assertTrue(frames_of_the_package(error), f"{error!r} has not come through the package")
            self.assertEqual(list(leaks(error, {SECRET, *more})), [])
        else:
            self.fail("it has not failed")

    def ready(self, **options: Any) -> tuple[dl_auth.Auth, str]:
        """A handle whose token was refused, so that the next call needs another; the gate gives none."""
        gate("/reset", post=True)
        gate("/set", {"lifetime": 10})
        auth = self.open(max_attempts=1, refresh_at=0.9, **options)
        token = auth.token()
        self.assertEqual(auth.token(), token)  # of which the handle has its own copy
        self.until_it_may_refresh(auth)
        gate("/plan", {"do": "status", "status": 503, "times": 99})
        return auth, token

    def expired(self) -> tuple[dl_auth.Auth, str]:
        auth, token = self.ready()
        auth.invalidate(token)
        return auth, token

    def test_the_walk_finds_what_is_hidden(self) -> None:
        class Slots:
            __slots__ = ("it",)

        slots, cell = Slots(), SECRET
        slots.it = SECRET  # type: ignore[attr-defined]

        def generator() -> Iterator[None]:
            kept = SECRET
            yield None
            print(kept)

        begun = generator()
        next(begun)
        for value in [
            SECRET, SECRET.encode(), create_string_buffer(SECRET.encode()), {"a": [(SECRET,)]}, {SECRET}, slots,
            functools.partial(len, SECRET), lambda: cell, requests.Request(headers={"it": SECRET}), begun,
            [Ended(SECRET)],
        ]:  # fmt: skip
            self.assertTrue(holds(value, {SECRET}), value)
        for value in (SECRET[1:], 1, None, [], Slots, unittest, b"", lambda: Slots):
            self.assertFalse(holds(value, {SECRET}), value)

    def test_making_a_handle(self) -> None:
        with interrupted_in_the_library(3):
            self.keeps_nothing(lambda: dl_auth.Auth(username="bot", password=SECRET))
        ways: list[dict[str, Any]] = [
            {"usernam": "bot"}, {"wait": "soon"}, {"wait": object()}, {"ca_file": "/nowhere"}, {"ca_file": Path()},
            {"refresh_at": float("nan")}, {"password": SECRET + "\0"}, {"password": SECRET + "\ud800"},
            {"password": SECRET.encode()}, {"password": [SECRET]}, {"username": SECRET + "\0"}, {"token": SECRET},
            {"url": f"https://bot:{SECRET}@/"}, {"proxy": f"http://bot:{SECRET}@["}, {"password_file": "/" + SECRET},
        ]  # fmt: skip
        for way in ways:
            with self.subTest(way=list(way)):
                self.keeps_nothing(lambda: dl_auth.Auth(**{"username": "bot", "password": SECRET, **way}))
        self.keeps_nothing(lambda: dl_auth.Auth(SECRET))  # type: ignore[misc]
        auth = self.open()
        self.keeps_nothing(lambda: auth.__init__(password=SECRET, wait="soon"))  # type: ignore[misc]

    def test_the_environment_of_a_handle(self) -> None:
        environment = {"DL_AUTH_PASSWORD": SECRET, "DL_AUTH_USERNAME": "bot", "ANOTHER": SECRET}
        for more in ({"DL_AUTH_WAIT": "soon"}, {"DL_AUTH_CA_FILE": "/nowhere"}, {"DL_AUTH_USERNAME": ""}):
            with mock.patch.dict(os.environ, {**environment, **more}):
                self.keeps_nothing(dl_auth.Auth)
        with mock.patch.dict(os.environ, environment), interrupted_in_the_library():
            self.keeps_nothing(dl_auth.Auth)

    def test_asking_for_a_token(self) -> None:
        for name in ("token", "token_within", "bearer", "claims", "token_async"):

            def ask(auth: Any, *arguments: Any, **options: Any) -> Any:
                asked = getattr(auth, name)(*arguments, **options)
                return asyncio.run(asked) if inspect.iscoroutine(asked) else asked

            with self.subTest(call=name):
                auth, token = self.expired()
                with interrupted_in_the_library():
                    self.keeps_nothing(lambda: ask(auth), token)
                self.keeps_nothing(lambda: ask(auth), token)
                for wrong in ("soon", -1, SECRET):
                    self.keeps_nothing(lambda: ask(auth, wrong), token)
                if name != "token":  # which Python itself refuses, in no frame of the package
                    self.keeps_nothing(lambda: ask(auth, nonsense=SECRET), token)
                gate("/reset", post=True)
                gate("/plan", {"do": "hang"})
                fresh = self.open()
                self.keeps_nothing(lambda: ask(fresh, **{"wait" if name == "token_within" else "timeout": 0.05}))
                with mock.patch.object(time, "sleep", side_effect=Ended):
                    if name != "token_async":
                        self.keeps_nothing(lambda: ask(fresh))
                hanging()
                fresh.close()
                self.keeps_nothing(lambda: ask(fresh))
                refused = self.open(username="bot", password=f"{SECRET} {name}")
                self.keeps_nothing(lambda: ask(refused))
                gate("/release", post=True)

    def test_a_task_that_ends_while_it_waits(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open(password=SECRET)

        async def sleep(pause: float) -> None:
            raise Ended

        async def cancelled() -> None:
            task = asyncio.ensure_future(auth.token_async())
            await asyncio.sleep(0.02)
            task.cancel()
            await task

        self.keeps_nothing(lambda: asyncio.run(auth.token_async(sleep=sleep)))
        self.keeps_nothing(lambda: asyncio.run(cancelled()))
        hanging()

    def test_what_is_told_to_a_handle(self) -> None:
        auth, token = self.ready()
        ways: list[Way] = [
            lambda: auth.invalidate(SECRET + "\0"),
            lambda: auth.invalidate(SECRET + "\ud800"),
            lambda: auth.invalidate(SECRET.encode()),  # type: ignore[arg-type]
            lambda: auth.invalidate(SECRET, SECRET),  # type: ignore[call-arg]
            lambda: auth.set_credentials("bot", password=SECRET + "\0"),
            lambda: auth.set_credentials(SECRET + "\ud800", password=SECRET),
            lambda: auth.set_credentials("bot", password=SECRET.encode()),  # type: ignore[arg-type]
            lambda: auth.set_credentials("bot", passwort=SECRET),  # type: ignore[call-arg]
            lambda: auth.set_credentials("bot", SECRET),  # type: ignore[misc]
            lambda: auth.set_credentials("", password=SECRET),
            lambda: auth.set_credentials(SECRET, password=""),
            lambda: copy.copy(auth),
        ]
        interrupted: list[Way] = [
            lambda: auth.invalidate(token),
            lambda: auth.set_credentials("bot", password=SECRET),
            auth.info,
        ]
        for way in ways:
            self.keeps_nothing(way, token)
        for way in interrupted:
            with interrupted_in_the_library():
                self.keeps_nothing(way, token)
        auth.close()
        for way in (*ways, *interrupted):
            self.keeps_nothing(way, token)

    def test_a_jwt_without_a_handle(self) -> None:
        for read in (dl_auth.jwt_claims, dl_auth.jwt_expiry):
            for wrong in (SECRET, f"e30.e30{SECRET}.c2ln", SECRET + "\0", SECRET + "\ud800", SECRET.encode(), [SECRET]):
                self.keeps_nothing(lambda: read(wrong))  # type: ignore[arg-type]
            with interrupted_in_the_library():
                self.keeps_nothing(lambda: read(jwt('{"exp": 4102444800}')))

    def test_claims_that_python_cannot_read(self) -> None:
        for payload in ('{"n": %s}' % (5000 * "1"), '{"n": %s}' % (100_000 * "[" + 100_000 * "]")):
            token = jwt(payload)
            error = self.fails(Status.BAD_JWT, lambda: dl_auth.jwt_claims(token))
            self.assertIsNone(error.__context__)
            self.keeps_nothing(lambda: dl_auth.jwt_claims(token), payload)

    def test_an_error_while_another_is_handled(self) -> None:
        def one_after_the_other() -> None:
            try:
                dl_auth.Auth(username="bot", password=SECRET, wait="soon")
            finally:
                dl_auth.jwt_claims(SECRET)

        self.keeps_nothing(one_after_the_other)

    def test_the_caller_s_own_frames_keep_their_variables(self) -> None:
        """And so does a function of the caller that the package calls. No frame is left out of the traceback."""
        gate("/plan", {"do": "hang"})

        async def sleep(pause: float) -> None:
            mine = "kept"
            raise Ended(mine[:0])

        try:
            asyncio.run(self.open().token_async(sleep=sleep))
        except Ended as error:
            frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        hanging()
        self.assertEqual(frames[-1].f_locals["mine"], "kept")
        self.assertIn("token_async", [frame.f_code.co_name for frame in frames])

    def test_requests(self) -> None:
        auth, token = self.expired()
        bearer = dl_auth.requests.BearerAuth(auth)
        with requests.Session() as session:
            self.keeps_nothing(lambda: session.get("http://127.0.0.1:1/", auth=bearer), token)

        class Breaks(requests.adapters.HTTPAdapter):
            """Answers with 401, and fails at the second request."""

            sent = 0

            def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
                self.sent += 1
                if self.sent == 2:
                    raise requests.ConnectionError
                answer = requests.Response()
                answer.request, answer.url, answer.status_code = request, request.url or "", 401
                answer.raw, answer.connection = contextlib.closing(answer), self
                answer._content = b""
                return answer

        def ask(auth: dl_auth.Auth) -> None:
            with requests.Session() as session:
                session.mount("http://", Breaks())
                session.get("http://platform.invalid/", auth=dl_auth.requests.BearerAuth(auth))

        auth, token = self.ready()
        gate("/reset", post=True)
        self.keeps_nothing(lambda: ask(auth), token)
        self.assertNotEqual(auth.token(), token)  # so that it was sent once more
        for after in (0, 1):
            auth, token = self.ready()
            with interrupted_in_the_library(after):
                self.keeps_nothing(lambda: ask(auth), token)

    def test_httpx(self) -> None:
        def ask(auth: dl_auth.Auth, url: str) -> None:
            with httpx.Client(auth=dl_auth.httpx.BearerAuth(auth), trust_env=False) as client:
                client.get(url)

        async def ask_async(auth: dl_auth.Auth, url: str) -> None:
            async with httpx.AsyncClient(auth=dl_auth.httpx.BearerAuth(auth), trust_env=False) as client:
                await client.get(url)

        ways: list[Callable[[dl_auth.Auth, str], object]] = [ask, lambda auth, url: asyncio.run(ask_async(auth, url))]
        with platform() as server:
            server.refuses_all = True
            for way in ways:
                auth, token = self.expired()
                self.keeps_nothing(lambda: way(auth, server.url), token)
                for after in (0, 1):
                    auth, token = self.ready()
                    with interrupted_in_the_library(after):
                        self.keeps_nothing(lambda: way(auth, server.url), token)


class SealedTest(unittest.TestCase):
    NO_SECRET = {"generation", "closed", "close", "__enter__", "__exit__", "__del__", "__repr__", "token"}
    """What cannot fail, or closes; and `token`, which deletes its variables itself."""

    def test_each_call_of_the_package_is_sealed(self) -> None:
        """So that a new one is not forgotten."""
        for name, function in vars(dl_auth.Auth).items():
            public = not name.startswith("_") or name.startswith("__")
            if inspect.isroutine(function) and public and name not in self.NO_SECRET:
                self.assertTrue(hasattr(function, "__wrapped__"), name)
        for function in (dl_auth.jwt_claims, dl_auth.jwt_expiry, dl_auth.requests.BearerAuth.__call__):
            self.assertTrue(hasattr(function, "__wrapped__"), function)

    def test_what_python_knows_of_a_function_stays(self) -> None:
        self.assertEqual(list(inspect.signature(dl_auth.Auth.token_within).parameters), ["self", "min_valid", "wait"])
        self.assertTrue(inspect.iscoroutinefunction(dl_auth.Auth.token_async))
        self.assertTrue((dl_auth.Auth.bearer.__doc__ or "").startswith("The value of the header"))
