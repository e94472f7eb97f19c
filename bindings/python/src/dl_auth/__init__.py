"""Dataloop credentials for a JWT that is always valid: `dl_auth.Auth().token()`.

A thin layer on the library dl_auth, by ctypes. The library refreshes the token, and has the rules for waiting and for the
gate. For HTTP clients, import `dl_auth.requests.BearerAuth` or `dl_auth.httpx.BearerAuth` by name: they need those
packages.
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
