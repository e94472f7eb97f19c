"""A look at a handle, in Python's own types.

A named tuple and no dataclass, for `dataclasses` takes `inspect` along, which doubles the time of the import, and
`token` of the standard library, in whose place a user's own token.py would be run.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import IntEnum
from typing import NamedTuple, Optional

from ._error import member
from ._library import InfoStruct
from .names import Status


class State(IntEnum):
    """What the token is good for."""

    EMPTY = 0
    """There is no token."""
    FRESH = 1
    """Valid, and needs no refresh."""
    DUE = 2
    """Valid, and the next call that finds it begins a refresh."""
    EXPIRED = 3
    """Not handed out any more: it has ended, or the platform refused it."""


class Activity(IntEnum):
    """What the handle is doing."""

    IDLE = 0
    """Nothing."""
    REFRESHING = 1
    """A refresh is in flight."""
    COOLING = 2
    """The last refresh failed, and no other begins for `retry_in`."""
    DENIED = 3
    """The gate refused the credentials; they are not sent again for `retry_in`, unless they change."""


class Info(NamedTuple):
    """What `Auth.info` saw. A later version may add fields at the end."""

    state: State
    activity: Activity
    generation: int
    """How many tokens the handle has held; 0: none yet."""
    issued_at: Optional[datetime]
    """The token's `iat`, in UTC; None: it has none, or there is no token."""
    expires_at: Optional[datetime]
    """The token's `exp`, in UTC; None: there is no token."""
    expires_in: Optional[timedelta]
    """Until the token ends, by a clock that counts suspend and that nobody can set; negative: it has ended."""
    refresh_in: Optional[timedelta]
    """Until its refresh is due; negative: it is due."""
    clock_skew: timedelta
    """The gate's clock minus this machine's, good to about a second, as measured at the last token."""
    logins: int
    """Tokens that were got for the password."""
    refreshes: int
    """Tokens that were got for a refresh token."""
    failures: int
    """Refreshes that failed, each with all its tries."""
    shared_hits: int
    """Tokens that were found in the shared store. 0: there is no shared store yet."""
    store_failures: int
    """Failures of the shared store. 0: there is no shared store yet."""
    waiting: int
    """Callers that wait inside the library at this moment."""
    last_status: Optional[Status]
    """How the last refresh that has ended failed; None: it worked, or there was none."""
    last_http_status: Optional[int]
    """The HTTP status of its answer, where it failed; None: it worked, or there was no answer."""
    retry_in: timedelta
    """Until the next refresh may begin, after one that failed, or one that has just worked; 0: at once."""
    wait: timedelta
    """How long `Auth.token` may hold its caller: the option `wait`."""


def info_from(seen: InfoStruct) -> Info:
    """What C's struct says."""
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
    )


def date(unix_seconds: int) -> datetime:
    """A date in UTC."""
    return datetime.fromtimestamp(unix_seconds, timezone.utc)


def _span(milliseconds: int) -> timedelta:
    return timedelta(milliseconds=milliseconds)
