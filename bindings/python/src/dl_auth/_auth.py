"""The handle: reads its token, and waits for one in short slices, so that Ctrl-C takes effect between them.

It has no Python lock, because a forked child would inherit the lock in its current state. Its only state is one pair, the
last token and its generation. The pair is replaced as a whole. `dl_auth_generation` says whether it is still current.
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
from collections.abc import Awaitable, Callable
from types import BuiltinFunctionType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Optional, TypeVar, Union

from . import _library
from ._error import Error, Timeout
from ._frames import sealed, sealed_async
from ._info import Info, info_from
from ._jwt import jwt_claims
from ._values import Duration, encoded, environment, seconds, text_of
from .names import Options, Status

if sys.version_info >= (3, 11):
    from typing import Unpack
elif TYPE_CHECKING:
    from typing_extensions import Unpack
else:

    class Unpack:
        """What `typing.get_type_hints` finds where Python has none."""

        def __class_getitem__(cls, options: object) -> object:
            return options


Self = TypeVar("Self", bound="Auth")

SLICE = 0.1
"""Seconds for which a call waits inside the library. No signal handler of Python runs meanwhile."""

FIRST_POLL, LAST_POLL = 0.005, 0.05
"""Seconds between two polls of a waiting task or greenlet: they grow from the first value to the second."""

NO_SLEEP = 20
"""A patched `time.sleep` that returns too soon so many times in a row does not wait: a test has put a mock there. gevent
may return too soon now and then.
"""

LOOKS, LONGEST_POLL = 500, 1.0
"""The maximum number of polls a second of all waiters of a handle together, and the longest time between two polls of one."""


class Auth:
    """One user's token, for any number of threads, tasks and forked children. An option that is not
    given, or is None, comes from `os.environ` (DL_AUTH_ and the name in capitals). Otherwise it has its default.

    Raises `Error`: UNKNOWN_KEY, INVALID_VALUE, NO_CREDENTIALS, UNSUPPORTED. It reads files but does
    not use the network: the first `token` logs in. It is closed at the end of a `with` block, or with the last reference.
    """

    _handle = ctypes.c_void_p()  # `_library.free` does nothing with it
    _held = (-1, "")
    _closed = False
    _looking: set[object] = set()

    @sealed
    def __init__(self, **options: Unpack[Options]) -> None:
        _library.free(self._handle)  # if this is called a second time
        self._handle, self._held, self._closed = ctypes.c_void_p(), (-1, ""), False
        self._looking = set()  # the tasks and greenlets that wait; no number, which two threads could count wrongly
        config = _library.config_new()
        try:
            if not _library.PRIVILEGED:  # otherwise the library reads no environment, and its message says so
                variables = environment()
                array = (ctypes.c_char_p * (len(variables) + 1))(*variables)  # the last one is NULL
                _library.call(_library.config_set_environ, config, array)
            for key, value in options.items():
                if value is not None:
                    what = f"the option {key!r}"
                    utf8 = encoded(text_of(value, what), what)
                    _library.call(_library.config_set, config, encoded(key, what), utf8)
            _library.call(_library.new, config, ctypes.byref(self._handle))
        finally:
            _library.config_free(config)

    def token(self, timeout: Optional[Duration] = None) -> str:
        """Returns the cached token immediately if it is valid. Otherwise starts a refresh, or joins the one in flight, and
        blocks for up to `timeout`, in seconds or a timedelta. None: the option `wait`. 0: it does not wait.

        Raises `Timeout` when the time is over; the refresh then continues. Raises `Error` with PENDING if it may not
        wait, with CLOSED, or with the error of the refresh: DENIED, UNREACHABLE, RATE_LIMITED, GATE, BAD_RESPONSE, TLS,
        NO_CREDENTIALS, TOO_SHORT.
        """
        held = None
        try:  # and not `sealed`, for each read makes this call
            held = self._held
            if timeout is None and _library.generation(self._handle) == held[0]:
                return held[1]
            return self.token_within(wait=timeout)
        except BaseException:
            del self, timeout, held
            raise

    @sealed
    def token_within(self, min_valid: Duration = 0, wait: Optional[Duration] = None) -> str:
        """As `token`, but one that is valid for another `min_valid`, in seconds or a timedelta.

        Raises as `token`, and `Error` with TOO_SHORT: the gate's tokens are not valid for so long, or another token may
        be fetched only after `retry_after`.
        """
        with _Patience(self, min_valid, wait) as patience:
            answer, early = self._ask(patience.need, 0), 0
            while isinstance(answer, Error):
                inside = 0.0  # seconds to wait in the library
                if _sleep_is_patched() and early < NO_SLEEP:
                    pause, before = patience.until_the_next_look(answer), time.monotonic()
                    time.sleep(pause)
                    early = early + 1 if time.monotonic() - before < pause / 2 else 0
                elif answer.status == Status.PENDING:
                    inside = patience.after(answer)
                else:
                    time.sleep(patience.after(answer))
                answer = self._ask(patience.need, inside)
                if inside and isinstance(answer, Timeout):  # of this slice, or of the refresh? The next call tells.
                    answer = self._ask(patience.need, 0)
            return answer

    @sealed_async
    async def token_async(
        self, timeout: Optional[Duration] = None, *, sleep: Optional[Callable[[float], Awaitable[Any]]] = None
    ) -> str:
        """As `token`, but it never blocks the event loop: it polls, sleeps, and polls again. A task that is
        cancelled meanwhile ends immediately, and the refresh continues. The more tasks wait, the less often each polls:
        with hundreds, once a second. `sleep` is the loop's; None: asyncio's.
        """
        generation, token = self._held
        if timeout is None and _library.generation(self._handle) == generation:
            return token
        if sleep is None:
            import asyncio  # already imported by the caller's event loop

            sleep = asyncio.sleep
        with _Patience(self, 0, timeout) as patience:
            answer = self._ask(0, 0)
            while isinstance(answer, Error):
                await sleep(patience.until_the_next_look(answer))
                answer = self._ask(0, 0)
            return answer

    @sealed
    def bearer(self, timeout: Optional[Duration] = None) -> str:
        """The value of the header Authorization (RFC 6750): "Bearer " and the token. As `token`."""
        return "Bearer " + self.token(timeout)

    @sealed
    def claims(self, timeout: Optional[Duration] = None) -> dict[str, Any]:
        """The token's payload, as the gate wrote it: what the token says of itself. As `token`."""
        return jwt_claims(self.token(timeout))

    @property
    def generation(self) -> int:
        """The number of the current token, counted from 1. 0 if a refresh is due. Never waits or raises."""
        number: int = _library.generation(self._handle)
        return number

    @sealed
    def info(self) -> Info:
        """The state of the handle. Starts no refresh and does not wait. Raises `Error` with CLOSED."""
        seen = _library.InfoStruct(size=ctypes.sizeof(_library.InfoStruct))
        _library.call(_library.info, self._handle, ctypes.byref(seen))
        return info_from(seen)

    @sealed
    def invalidate(self, token: str) -> None:
        """Reports that the platform refused this token with 401. If it is still the current token, the next call gets
        another one; if it is very new, a later call does. Otherwise nothing happens. Raises `Error` with CLOSED.
        """
        _library.call(_library.invalidate, self._handle, encoded(token, "the token"))

    @sealed
    def set_credentials(self, username: Optional[str] = None, *, password: str) -> None:
        """Replaces the credentials. None keeps the username. The current token is kept only if the username is unchanged.

        Raises `Error`: INVALID_VALUE, NOT_UTF8, NO_CREDENTIALS (no username to keep), CLOSED.
        """
        name = None if username is None else encoded(username, "the username")
        _library.call(_library.set_credentials, self._handle, name, encoded(password, "the password"))

    def close(self) -> None:
        """Frees the handle. Waiters and later calls raise `Error` with CLOSED. A second call does nothing."""
        self._closed, self._held = True, (-1, "")
        _library.free(self._handle)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def __del__(self, free: Callable[[ctypes.c_void_p], None] = _library.free) -> None:
        free(self._handle)

    def __repr__(self) -> str:
        return f"<dl_auth.Auth {'closed' if self._closed else f'generation={self.generation}'}>"

    @sealed
    def __reduce__(self) -> NoReturn:
        raise TypeError("an Auth is not copied or pickled: a forked child may use its parent's, others make their own")

    def _ask(self, need_ms: int, wait: float) -> Union[str, Error]:
        """One call of the library, which waits for at most so many seconds."""
        before = _library.generation(self._handle)
        buffer = ctypes.create_string_buffer(_library.TOKEN_MAX)
        wait_ms = math.ceil(wait * 1000)
        error = _library.attempt(_library.token_within, self._handle, need_ms, wait_ms, buffer, len(buffer), None)
        if error is not None:
            return error
        token = buffer.value.decode()
        if before and _library.generation(self._handle) == before:
            self._held = (before, token)
        return token


def _sleep_is_patched() -> bool:
    """Whether `time.sleep` is not Python's own: gevent and eventlet put one there that lets other greenlets run. A call
    that waits inside the library would stop all of them.
    """
    return not isinstance(time.sleep, BuiltinFunctionType)


class _Patience:
    """How long a caller continues to wait, by the library's rules for a call that blocks."""

    def __init__(self, auth: Auth, min_valid: Duration, wait: Optional[Duration]) -> None:
        self.need = math.ceil((seconds(min_valid, "min_valid") or 0) * 1000)
        self._auth, self._poll = auth, FIRST_POLL
        self._wait = seconds(wait, "the time to wait")
        self._began = time.monotonic()

    def __enter__(self) -> _Patience:
        return self

    def __exit__(self, *_: object) -> None:
        self._auth._looking.discard(self)

    def until_the_next_look(self, answer: Error) -> float:
        """As `after`, if the caller polls and sleeps in between: the more such callers, the longer each sleeps."""
        self._auth._looking.add(self)
        pause = max(self._poll, min(len(self._auth._looking) / LOOKS, LONGEST_POLL))
        self._poll = min(self._poll * 1.5, LAST_POLL)
        return self.after(answer, pause)

    def after(self, answer: Error, longest: float = SLICE) -> float:
        """The seconds to wait before the next call. Raises if the time is over, or if waiting cannot help."""
        pause = 0.0  # until another token may be fetched, if the last one has expired
        if answer.status == Status.TOO_SHORT and self.need == 0:
            pause = answer.retry_after or 0.0
        if pause == 0 and answer.status != Status.PENDING:
            raise answer
        if self._wait is None:
            self._wait = self._auth.info().wait.total_seconds()
        left = self._began + self._wait - time.monotonic()
        if self._wait == 0 or (pause > 0 and pause > left):
            raise answer
        if left <= 0:
            raise Timeout(f"no token within {self._wait:g} s; the refresh continues", Status.TIMEOUT)
        return min(left, pause or longest, longest)
