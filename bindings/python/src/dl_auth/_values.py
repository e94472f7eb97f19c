"""From Python's values to what the library takes: text in UTF-8 without a NUL, and durations.

No error made here contains a value, because it may be a password. So a UnicodeEncodeError, which contains the whole text,
is never raised to the caller, also not as the cause of another error.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Optional, Union

from ._error import Error
from .names import Status

Duration = Union[float, timedelta]
"""Seconds, or a timedelta."""

LONGEST = 1e9
"""Seconds, about thirty years. No wait and no token is longer."""


def text_of(value: object, what: str) -> str:
    """An option's value as the library's table of options has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, timedelta):
        return f"{-(value // timedelta(milliseconds=-1))}ms"  # rounded up, so that a short time is not none
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError(f"{what} must be text, a number, a bool, a timedelta or a path, not {type(value).__name__}")


def environment() -> list[bytes]:
    """The variables of `os.environ` as NAME=VALUE, for C. Another thread may change `os.environ` at the same time: the
    list of the names is made in one step, and a variable that is removed after that is skipped. A name or a value that
    no environment can contain is skipped as well.
    """
    variables = []
    for name in list(os.environ):
        try:
            key, value = os.fsencode(name), os.fsencode(os.environ.get(name))  # type: ignore[arg-type]
        except (TypeError, UnicodeError):
            continue  # it is removed, or the program has replaced `os.environ` by another mapping
        variable = key + b"=" + value
        if key and b"=" not in key and b"\0" not in variable:
            variables.append(variable)
    return variables


def encoded(text: object, what: str) -> bytes:
    """Text for C."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    try:
        utf8 = text.encode()
    except UnicodeEncodeError:
        utf8 = None
    if utf8 is None:
        raise Error(f"{what} is not UTF-8: it has half of a surrogate pair", Status.NOT_UTF8)
    if b"\0" in utf8:
        raise Error(f"{what} contains a NUL character", Status.INVALID_VALUE)
    return utf8


def seconds(duration: Optional[Duration], what: str) -> Optional[float]:
    """A duration in seconds; None stays None."""
    if duration is None:
        return None
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    if not isinstance(duration, (int, float)):
        raise TypeError(f"{what} must be a number of seconds or a timedelta, not {type(duration).__name__}")
    if not duration >= 0:  # nor is NaN
        raise ValueError(f"{what} must not be negative")
    return min(duration, LONGEST)
