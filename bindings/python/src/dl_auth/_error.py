"""How a call fails: one exception for all statuses, because a status says more than a tree of classes.

The one subclass is `Timeout`, which is also Python's TimeoutError.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from enum import IntEnum
from typing import Optional, TypeVar

from .names import Status

Known = TypeVar("Known", bound=IntEnum)


class Error(Exception):
    """A call failed. It can be pickled, and holds no username, password or token."""

    __module__ = "dl_auth"

    def __init__(
        self, message: str, status: int, http_status: Optional[int] = None, retry_after: Optional[float] = None
    ) -> None:
        super().__init__(message)
        self.message: str = message
        """What happened, to what, and what to do; never empty."""
        self.status: Status = member(Status, status)
        """The status of the call. The library's README says what to do about each."""
        self.http_status: Optional[int] = http_status
        """The HTTP status of the answer that caused the failure; None: there was no answer."""
        self.retry_after: Optional[float] = retry_after
        """Seconds until the next refresh can start; None: the next call can start it, or no refresh can help."""

    def __repr__(self) -> str:
        status = self.status.name if self.status.name != "UNKNOWN" else f"UNKNOWN {int(self.status)}"
        answer = f", HTTP {self.http_status}" if self.http_status else ""
        again = f", retry after {self.retry_after:g} s" if self.retry_after else ""
        return f"<dl_auth.{type(self).__name__} {status}{answer}{again}: {self.message}>"

    def __reduce__(self) -> tuple[type[Error], tuple[object, ...]]:
        return type(self), (self.message, int(self.status), self.http_status, self.retry_after)


class Timeout(Error, TimeoutError):
    """Status TIMEOUT: the time that the call may wait ran out, or the refresh's own limit."""

    __module__ = "dl_auth"


def failure(status: int, message: bytes, http_status: int, retry_after_ms: int) -> Error:
    """An error as the library describes it."""
    said = message.decode("utf-8", "replace")
    kind = Timeout if status == Status.TIMEOUT else Error
    name = member(Status, status).name
    retry_after = retry_after_ms / 1000 if retry_after_ms else None
    return kind(said or f"the library failed with {name}, without a message", status, http_status or None, retry_after)


def member(kind: type[Known], number: int) -> Known:
    """The member of that number. A number of a later library that this package does not have is UNKNOWN."""
    try:
        return kind(number)
    except ValueError:
        copyreg.pickle(kind, _made_again)  # Enum's own pickling cannot restore this member
        later = int.__new__(kind, number)
        later._name_, later._value_ = "UNKNOWN", number
        return later


def _made_again(known: Known) -> tuple[Callable[..., Known], tuple[type[Known], int]]:
    return member, (type(known), int(known))
