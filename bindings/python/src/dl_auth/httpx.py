"""The token in `httpx`: `httpx.Client(auth=BearerAuth(auth))`, or an AsyncClient, under asyncio or trio.

The token goes to the origin (scheme, host, port) that a request was made for, and to no other. There is one
exception: if a host redirects from http at port 80 to its own https, `httpx` forwards the header. This cannot be prevented.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import Optional

try:
    import httpx
    import anyio  # which httpx needs too; after it, so that it is httpx that is called missing where both are
except ImportError as missing:
    package = missing.name or "httpx"
    raise ImportError(f"dl_auth.httpx needs the package `{package}`: pip install {package}", name=package) from missing

from ._auth import Auth
from ._cookies import merged
from ._error import Error
from ._frames import forget


class BearerAuth(httpx.Auth):
    """Adds a valid token to each request. For any number of threads and tasks; under an AsyncClient, the event loop is
    not blocked.

    A 401 from where the token was sent invalidates it, and the request is sent once more, if there is another token and
    the body can be sent again: text, bytes, JSON or a form, but no stream and no files. The retry has the cookies that
    the 401 sets. Otherwise the 401 is the answer. A request for which there is no token raises `dl_auth.Error`, and is not
    sent.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        token, response, newer = "", None, ""
        try:
            token = self._auth.token()
            response = yield _with(token, request)
            if _refuses(response, token, request.url):
                try:
                    self._auth.invalidate(token)
                    newer = self._auth.token()
                except Error:
                    return  # the platform's answer says more
                if newer != token and _can_be_sent_again(response.request):
                    yield _with(newer, _with_cookies(response))
        except BaseException as error:
            del self, request, token, response, newer  # see `_frames`
            forget(error)
            raise

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token, response, newer = "", None, ""
        try:
            token = await self._auth.token_async(sleep=anyio.sleep)
            response = yield _with(token, request)
            if _refuses(response, token, request.url):
                try:
                    self._auth.invalidate(token)
                    newer = await self._auth.token_async(sleep=anyio.sleep)
                except Error:
                    return  # the platform's answer says more
                if newer != token and _can_be_sent_again(response.request):
                    yield _with(newer, _with_cookies(response))
        except BaseException as error:
            del self, request, token, response, newer  # see `_frames`
            forget(error)
            raise


def _with(token: str, request: httpx.Request) -> httpx.Request:
    request.headers["Authorization"] = "Bearer " + token
    return request


def _with_cookies(response: httpx.Response) -> httpx.Request:
    """The request of a response, with the cookies that the response has set."""
    request, bare = response.request, httpx.Request("GET", response.request.url)
    response.cookies.set_cookie_header(bare)
    header = merged(request.headers.get("Cookie"), bare.headers.get("Cookie"))
    if header:
        request.headers["Cookie"] = header
    return request


def _refuses(response: httpx.Response, token: str, url: httpx.URL) -> bool:
    """Whether this token was refused, and by the origin that it was meant for."""
    request = response.request
    carried = request.headers.get("Authorization") == "Bearer " + token
    return response.status_code == 401 and carried and _origin(request.url) == _origin(url)


def _origin(url: httpx.URL) -> object:
    """RFC 6454. A default port is None."""
    return url.scheme, url.host, url.port


def _can_be_sent_again(request: httpx.Request) -> bool:
    return isinstance(request.stream, httpx.ByteStream)
