"""Dataloop credentials for a JWT that is always valid: `dl_auth.Auth().token()`.

A thin cover of the library dl_auth, by ctypes: refreshing, waiting rules and all that is known of the gate are the
library's. For HTTP clients there are `dl_auth.requests.BearerAuth` and `dl_auth.httpx.BearerAuth`, imported by name
only, for they need those packages.
"""

from ._auth import Auth
from ._error import Error, Timeout
from ._info import Activity, Info, State
from ._jwt import jwt_claims, jwt_expiry
from ._library import version
from ._values import Duration
from .names import Options, Status

__all__ = [
    "Activity",
    "Auth",
    "Duration",
    "Error",
    "Info",
    "Options",
    "State",
    "Status",
    "Timeout",
    "jwt_claims",
    "jwt_expiry",
    "version",
]
