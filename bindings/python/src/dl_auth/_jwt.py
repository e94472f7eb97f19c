"""Reads a JWT, without a handle. The signature is not checked."""

from __future__ import annotations

import ctypes
import json
from datetime import datetime
from typing import Any

from . import _library
from ._error import Error
from ._frames import sealed
from ._info import date
from ._values import encoded
from .names import Status


@sealed
def jwt_claims(jwt: str) -> dict[str, Any]:
    """The payload of a JWT (RFC 7519). From any thread.

    Raises `Error` with BAD_JWT, NOT_UTF8, or INVALID_VALUE if it contains a NUL character.
    """
    utf8 = encoded(jwt, "the JWT")
    buffer = ctypes.create_string_buffer(len(utf8) + 1)  # the payload is a part of it, and shorter once decoded
    _library.call(_library.jwt_claims, utf8, buffer, len(buffer), None)
    try:
        claims: dict[str, Any] = json.loads(buffer.value)
        return claims
    except (ValueError, RecursionError):
        pass  # json's own frames hold the payload, so this exception must not get out
    why = "Python's json cannot read this JWT: a number is too long, or too many lists are nested"
    raise Error(why, Status.BAD_JWT)


@sealed
def jwt_expiry(jwt: str) -> datetime:
    """When a JWT expires: its claim `exp`, in UTC. From any thread. The only check is that it is a date.

    Raises as `jwt_claims`.
    """
    utf8 = encoded(jwt, "the JWT")
    unix_seconds = ctypes.c_int64()
    _library.call(_library.jwt_expiry, utf8, ctypes.byref(unix_seconds))
    return date(unix_seconds.value)
