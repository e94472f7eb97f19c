"""Finds the library, checks the number of its ABI, and declares its functions.

All of this happens at import, so that a missing or too old library is an ImportError, not a failure of the first call.
Calls release the GIL, except `generation`: it never waits, and each read calls it. A read takes twice as long if the GIL
is released and other threads compete for it.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_ulong, c_void_p
from typing import Any, Optional

from ._error import Error, failure

ABI_NEEDED = 1
TOKEN_MAX = 8192
"""A buffer of this many bytes fits each token that the library takes from a gate, and its NUL."""

FILE, NAME = {
    "win32": ("dl_auth.dll", "dl_auth.dll"),
    "darwin": ("libdl_auth.dylib", "libdl_auth.dylib"),
}.get(sys.platform, ("libdl_auth.so", "libdl_auth.so.0"))
"""The library's name in a wheel, and the one that programs look for at run time."""


class ErrorStruct(ctypes.Structure):
    """dl_auth_error_t."""

    _fields_ = [
        ("size", c_uint32),
        ("status", c_int32),
        ("http_status", c_uint32),
        ("reserved", c_uint32),
        ("retry_after_ms", c_uint64),
        ("message", c_char * 512),
    ]


class InfoStruct(ctypes.Structure):
    """dl_auth_info_t."""

    _fields_ = [
        ("size", c_uint32),
        ("state", c_int32),
        ("activity", c_int32),
        ("reserved", c_uint32),
        ("generation", c_uint64),
        ("issued_at", c_int64),
        ("expires_at", c_int64),
        ("expires_in_ms", c_int64),
        ("refresh_in_ms", c_int64),
        ("clock_skew_ms", c_int64),
        ("logins", c_uint64),
        ("refreshes", c_uint64),
        ("failures", c_uint64),
        ("shared_hits", c_uint64),
        ("store_failures", c_uint64),
        ("waiting", c_uint64),
        ("last_status", c_int32),
        ("last_http_status", c_uint32),
        ("retry_in_ms", c_int64),
        ("wait_ms", c_uint64),
        ("store_message", c_char * 256),
    ]


def attempt(function: Any, *arguments: object) -> Optional[Error]:
    """Calls a function of the library whose last parameter is the error: None, or how it failed."""
    told = ErrorStruct(size=ctypes.sizeof(ErrorStruct))
    status = function(*arguments, ctypes.byref(told))
    if status == 0:
        return None
    return failure(status, told.message, told.http_status, told.retry_after_ms)


def call(function: Any, *arguments: object) -> None:
    """As `attempt`, but raises."""
    error = attempt(function, *arguments)
    if error is not None:
        raise error


def _is_privileged() -> bool:
    """Whether the program has more rights than its user: set-user-ID, set-group-ID, or capabilities of its file."""
    if sys.platform == "win32":
        return False
    libc = ctypes.CDLL(None)
    if hasattr(libc, "getauxval"):
        libc.getauxval.restype, libc.getauxval.argtypes = c_ulong, [c_ulong]
        return bool(libc.getauxval(23))  # AT_SECURE
    return hasattr(libc, "issetugid") and bool(libc.issetugid())


PRIVILEGED = _is_privileged()
"""Such a program ignores its environment, which an unprivileged user has written."""


def _place() -> tuple[str, str]:
    """What to load, and what named it."""
    told = None if PRIVILEGED else os.environ.get("DL_AUTH_LIBRARY")
    if told:
        return told, "named by DL_AUTH_LIBRARY"
    directory = os.path.dirname(os.path.abspath(__file__))
    own = os.path.join(directory, FILE)
    if os.path.exists(own):
        return own, "which came with this package"
    return NAME, f"searched by the system's loader, because {directory} has no {FILE} and DL_AUTH_LIBRARY is not set"


def _load(place: str, source: str) -> Any:
    try:
        return ctypes.CDLL(place)
    except OSError as error:
        why = str(error)
    raise ImportError(f"dl_auth: the library {place} ({source}) cannot be loaded: {why}", name="dl_auth", path=place)


def _path(place: str) -> str:
    """Where the library was loaded from, if the system says so."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            file = f"/{place.partition('.so')[0]}.so"  # which the name that was asked for may be a link to
            return next((line.split(maxsplit=5)[-1].strip() for line in maps if file in line), place)
    except OSError:
        return place


def _check(library: Any, place: str, source: str) -> None:
    try:
        library.dl_auth_version.restype = c_char_p
        library.dl_auth_abi_version.restype = c_uint32
        number, abi = library.dl_auth_version().decode(), library.dl_auth_abi_version()
    except AttributeError:
        number, abi = "unknown", 0
    if abi < ABI_NEEDED:
        path = _path(place) if os.path.basename(place) == place else place
        raise ImportError(
            f"dl_auth: the library {NAME} at {path} ({source}) is too old: its version is {number} and its ABI {abi}, "
            f"but this package needs an ABI of {ABI_NEEDED} or later",
            name="dl_auth",
            path=path,
        )


def _function(name: str, result: Any, *parameters: Any, of: Any = None) -> Any:
    function = getattr(of or _library, "dl_auth_" + name)
    function.restype, function.argtypes = result, parameters
    return function


_place_found = _place()
_library = _load(*_place_found)
_check(_library, *_place_found)

_status, _error = c_int32, POINTER(ErrorStruct)
_text = (c_char_p, c_size_t, POINTER(c_size_t), _error)

config_new = _function("config_new", c_void_p)
config_set = _function("config_set", _status, c_void_p, c_char_p, c_char_p, _error)
config_set_environ = _function("config_set_environ", _status, c_void_p, POINTER(c_char_p), _error)
config_free = _function("config_free", None, c_void_p)
new = _function("new", _status, c_void_p, POINTER(c_void_p), _error)
free = _function("free", None, c_void_p)
token_within = _function("token_within", _status, c_void_p, c_uint64, c_uint64, *_text)
generation = _function("generation", c_uint64, c_void_p, of=ctypes.PyDLL(_library._name))
info = _function("info", _status, c_void_p, POINTER(InfoStruct), _error)
invalidate = _function("invalidate", _status, c_void_p, c_char_p, _error)
set_credentials = _function("set_credentials", _status, c_void_p, c_char_p, c_char_p, _error)
jwt_claims = _function("jwt_claims", _status, c_char_p, *_text)
jwt_expiry = _function("jwt_expiry", _status, c_char_p, POINTER(c_int64), _error)


def version() -> str:
    """The library's version, such as "1.2.3"."""
    number: bytes = _library.dl_auth_version()
    return number.decode()
