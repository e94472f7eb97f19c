# Made by `make names`; do not edit.
"""The names of options and statuses."""

from __future__ import annotations

import os
from datetime import timedelta
from enum import IntEnum
from typing import Optional, TypedDict, Union


class Status(IntEnum):
    """What a call came to."""

    NULL_ARGUMENT = -1
    """A pointer that must not be NULL is, or a struct was not initialised."""
    NOT_UTF8 = -2
    """A string is not UTF-8."""
    BUFFER_TOO_SMALL = -3
    """Grow the buffer to `*len + 1` bytes and call again."""
    CLOSED = -4
    """The handle was freed, before the call or during it; or dl_auth_new never made it."""
    UNKNOWN_KEY = -10
    """There is no such option."""
    INVALID_VALUE = -11
    """A value has not the form that its key needs."""
    NO_CREDENTIALS = -12
    """There is no username or no password, neither from a call nor from the environment."""
    UNSUPPORTED = -13
    """The option is known, but not built into this library."""
    DENIED = -20
    """The gate refused the credentials: HTTP 401, or 400 or 403 in the gate's own form."""
    PENDING = -30
    """The call may not wait (`wait_ms`, or `wait`, is 0) and there is no token that serves; a refresh is under way, or no thread could be made for it."""
    TIMEOUT = -31
    """The time that the call may wait, or the limit of the refresh or of its connection (`connect_timeout`), ran out: the message says what took it, such as a firewall that drops packets."""
    UNREACHABLE = -32
    """No connection: a name that does not resolve, a refused or broken connection, a proxy that says no."""
    RATE_LIMITED = -33
    """HTTP 429: the gate has had too many requests."""
    GATE = -34
    """HTTP 5xx, 408, 425, or a 400 or 403 that is not in the gate's own form: the gate, or what is before it, is not well."""
    BAD_RESPONSE = -35
    """An answer that no gate gives: not JSON, too large, a redirect, 404, no `id_token`, no JWT, no usable `exp`, or a token that has ended already."""
    TOO_SHORT = -36
    """The token has less life than was asked for, and a new one would live no longer: ask for less."""
    TLS = -40
    """TLS failed: a certificate that is not trusted, for another host, or expired; or no TLS at that port."""
    STORE = -41
    """The shared store cannot be used, and `store_required` is set."""
    BAD_JWT = -50
    """What was given to dl_auth_jwt_claims or dl_auth_jwt_expiry is no JWT, or has no usable `exp`."""
    INTERNAL = -99
    """A bug in the library: a panic was caught."""


class Options(TypedDict, total=False):
    """The options of `Auth`, by name. One that is None is not set."""

    username: Optional[str]
    """the user, or bot, to log in as. Must be text, not empty. Default: none."""
    password: Optional[str]
    """its password; held zeroised, never logged. Must be text, not empty. Default: none."""
    password_file: Optional[Union[str, os.PathLike[str]]]
    """read when a handle is made, before its password is sent, and while that is refused at most once a second; a line end at its end does not count. Must be the path of a regular file that holds the password. Default: none."""
    token: Optional[str]
    """a ready token, such as an API key: handed out until its `exp`, never refreshed; excludes the credentials. Must be a JWT with an `exp` that is not past. Default: none."""
    environment: Optional[str]
    """which gate of the service; `url` wins over it. Must be `prod`, `rc`, `dev`, `new-dev`, `aws` or `local`. Default: prod."""
    url: Optional[str]
    """the gate to log in at; `http` only to a loopback address and with `allow_http=true`. Must be an https URL without credentials: a gate, its API base, or its /token endpoint. Default: by `environment`."""
    ca_file: Optional[Union[str, os.PathLike[str]]]
    """certificates trusted besides the roots, or a self-signed server certificate itself; read when a handle is made. Must be the path of a file with at least one certificate: PEM, or one certificate as DER. Default: none."""
    tls_roots: Optional[str]
    """whom to trust; `auto`: the system's roots, else the bundled ones. Must be `auto`, `system`, `bundled` or `ca_file_only`. Default: auto."""
    proxy: Optional[str]
    """the proxy to the gate; percent-encode its user and password; `none`: no proxy, whatever the environment says; `NO_PROXY`, read as curl reads it, lists hosts that `HTTPS_PROXY` is not used for. Must be an http or https URL, or `none`. Default: `HTTPS_PROXY`, `NO_PROXY`."""
    connect_timeout: Optional[Union[str, timedelta]]
    """the most that a connection may take, TLS included. Must be a duration from 1ms to 5m, such as 500ms, 30s or 2m. Default: 10s."""
    timeout: Optional[Union[str, timedelta]]
    """the most that one whole refresh may take, DNS and retries included. Must be a duration from 1ms to 10m, such as 500ms, 30s or 2m. Default: 30s."""
    wait: Optional[Union[str, timedelta]]
    """the most that `dl_auth_token` holds its caller while there is no valid token. Must be a duration from 0s to 10m, such as 500ms, 30s or 2m. Default: 30s."""
    refresh: Optional[str]
    """what starts a refresh: a caller that finds it due, or with `background` a timer as well, with no call needed. Must be `on_demand` or `background`. Default: on_demand."""
    refresh_at: Optional[Union[str, float]]
    """the part of a token's life after which a refresh is due. Must be a number from 0.1 to 0.9. Default: 0.8."""
    refresh_grant: Optional[Union[str, bool]]
    """use the refresh token before the password. Must be `true` or `false`. Default: true."""
    max_attempts: Optional[Union[str, int]]
    """tries within one refresh, of what may pass by itself. Must be a whole number from 1 to 10. Default: 3."""
    store: Optional[str]
    """where processes share a token; any but `none` is not built yet: `DL_AUTH_E_UNSUPPORTED`. Must be `none`, `file:DIR` or `redis://HOST`. Default: none."""
    store_required: Optional[Union[str, bool]]
    """fail rather than log in unshared; without a `store` it changes nothing. Must be `true` or `false`. Default: false."""
    user_agent: Optional[str]
    """appended to `dl_auth/VERSION` in each request. Must be visible ASCII characters and spaces, at most 200. Default: none."""
    allow_http: Optional[Union[str, bool]]
    """take an `http` URL to a loopback address, for tests. Must be `true` or `false`. Default: false."""
