"""The state of a handle, in Python's types.

It is a named tuple, not a dataclass. `dataclasses` imports `inspect`, which doubles the time of the import. It also imports
`token` of the standard library, and a user's own token.py would run instead of that module.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import NamedTuple, Optional

from ._error import member
from ._library import InfoStruct
from .names import Status


class State(IntEnum):
    """The state of the token."""

    EMPTY = 0
    """There is no token."""
    FRESH = 1
    """Valid; no refresh is due."""
    DUE = 2
    """Valid; a refresh is due, and the next call starts it."""
    EXPIRED = 3
    """No longer returned: it has expired, or the platform refused it."""


class Activity(IntEnum):
    """The current activity of the handle."""

    IDLE = 0
    """Nothing."""
    REFRESHING = 1
    """A refresh is in flight."""
    COOLING = 2
    """Cooldown: the last refresh failed, and the next one starts after `retry_in`."""
    DENIED = 3
    """The gate refused the credentials; they are not sent again for `retry_in`, unless they change."""


class Info(NamedTuple):
    """The result of `Auth.info`. A later version may add fields at the end."""

    state: State
    activity: Activity
    generation: int
    """The number of tokens that the handle has had; 0: no token yet."""
    issued_at: Optional[datetime]
    """The token's `iat`, in UTC; None: it has none, or there is no token."""
    expires_at: Optional[datetime]
    """The token's `exp`, in UTC; None: there is no token."""
    expires_in: Optional[timedelta]
    """Until the token's exp, by a clock that counts suspend and cannot be set. `state` says whether it has expired."""
    refresh_in: Optional[timedelta]
    """Until the planned time of its refresh. `state` says whether a refresh is due."""
    clock_skew: timedelta
    """The gate's clock minus this machine's, exact to about a second, as measured at the last token."""
    logins: int
    """Tokens from a login."""
    refreshes: int
    """Tokens from a refresh token."""
    failures: int
    """Refreshes that failed, each after all its attempts."""
    shared_hits: int
    """Tokens from the shared store: another process had fetched them."""
    store_failures: int
    """Refreshes that could not use the shared store."""
    waiting: int
    """Callers that wait inside the library at this moment."""
    last_status: Optional[Status]
    """How the last refresh that has ended failed; None: it succeeded, or there was no refresh."""
    last_http_status: Optional[int]
    """The HTTP status of its answer, if it failed; None: it succeeded, or there was no answer."""
    retry_in: timedelta
    """Until the next refresh may start, after one that failed or has just succeeded; 0: immediately."""
    wait: timedelta
    """How long `Auth.token` may block: the option `wait`."""
    store_message: str
    """Why the shared store could not be used the last time; empty: it has not failed."""


def info_from(seen: InfoStruct) -> Info:
    """Converts the C struct."""
    has_token = seen.state != State.EMPTY
    return Info(
        state=member(State, seen.state),
        activity=member(Activity, seen.activity),
        generation=seen.generation,
        issued_at=date(seen.issued_at) if seen.issued_at else None,
        expires_at=date(seen.expires_at) if seen.expires_at else None,
        expires_in=_span(seen.expires_in_ms) if has_token else None,
        refresh_in=_span(seen.refresh_in_ms) if has_token else None,
        clock_skew=_span(seen.clock_skew_ms),
        logins=seen.logins,
        refreshes=seen.refreshes,
        failures=seen.failures,
        shared_hits=seen.shared_hits,
        store_failures=seen.store_failures,
        waiting=seen.waiting,
        last_status=member(Status, seen.last_status) if seen.last_status else None,
        last_http_status=seen.last_http_status or None,
        retry_in=_span(seen.retry_in_ms),
        wait=_span(seen.wait_ms),
        store_message=seen.store_message.decode("utf-8", "replace"),
    )


def date(unix_seconds: int) -> datetime:
    """A date in UTC."""
    return datetime.fromtimestamp(unix_seconds, timezone.utc)


def _span(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)
