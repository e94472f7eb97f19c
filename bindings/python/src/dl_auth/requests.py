"""The token in `requests`: `requests.get(url, auth=BearerAuth(auth))`, or as the `auth` of a session.

The token goes to the origin (scheme, host, port) that a request was made for, and to no other. `requests` itself takes
a header Authorization along from http to https, so it is taken away here, before a redirect is followed.
"""

from __future__ import annotations

from typing import Any, Optional
from urllib.parse import urljoin, urlsplit

try:
    import requests
    import requests.auth
    from requests.cookies import extract_cookies_to_jar, get_cookie_header
except ImportError as missing:
    why = "dl_auth.requests needs the package `requests`: pip install requests"
    raise ImportError(why, name="requests") from missing

from ._auth import Auth
from ._cookies import merged
from ._error import Error
from ._frames import sealed


class BearerAuth(requests.auth.AuthBase):
    """Adds a valid token to each request. For any number of threads.

    A 401 from where the token was sent invalidates it, and the request is sent once more, if there is another token and
    the body can be sent again: text, bytes or a file, but no generator. The retry has the cookies that the 401 sets.
    Otherwise the 401 is the answer. A request for which there is no token raises `dl_auth.Error`, and is not sent. A
    PreparedRequest keeps the token that it was prepared with: to send one again later, prepare it again.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    @sealed
    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        sent = _Sent(self._auth, self._auth.token(), _origin(request.url))
        request.headers["Authorization"] = sent.bearer
        request.register_hook("response", sent)  # type: ignore[no-untyped-call]
        return request


class _Nothing:
    """A hook that does nothing."""

    def __call__(self, response: requests.Response, **options: Any) -> requests.Response:
        return response


class _Sent:
    """The token and the origin of a request: the hook for its responses."""

    def __init__(self, auth: Auth, token: str, origin: object) -> None:
        self._auth = auth
        self.token, self.origin, self.again = token, origin, False

    def __reduce__(self) -> tuple[type[_Nothing], tuple[()]]:
        return _Nothing, ()  # a response holds its request, and can be pickled; an Auth cannot

    @property
    def bearer(self) -> str:
        return "Bearer " + self.token

    @sealed
    def __call__(self, response: requests.Response, **options: Any) -> requests.Response:
        """A response has come: to the request itself, or to one that a redirect made of it."""
        request = response.request
        if request.headers.get("Authorization") != self.bearer:
            return response
        if response.status_code == 401 and not self.again and _origin(request.url) == self.origin:
            response = self._once_more(response, options)
        if response.is_redirect and _origin(response.url, response.headers["Location"]) != self.origin:
            del request.headers["Authorization"]  # the next request is made of this one
        return response

    def _once_more(self, refusal: requests.Response, options: dict[str, Any]) -> requests.Response:
        try:
            self._auth.invalidate(self.token)
            token = self._auth.token()
        except Error:
            return refusal  # the platform's answer says more
        request = refusal.request
        if token == self.token or not _rewound(request):
            return refusal
        self.token, self.again = token, True
        request.headers["Authorization"] = self.bearer
        refusal.content  # read to its end, so that the connection can be used again
        refusal.close()
        again = request.copy()
        _take_cookies(again, refusal)
        answer: requests.Response = refusal.connection.send(again, **options)
        answer.history.append(refusal)
        answer.request = again
        return answer


def _origin(url: Optional[str], reference: str = "") -> object:
    """RFC 6454, of a reference from there; an invalid URL has a unique origin."""
    try:
        parts = urlsplit(urljoin(url or "", reference))
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return object()


def _take_cookies(request: requests.PreparedRequest, response: requests.Response) -> None:
    """Puts the cookies that a response has set into a copy of its request. (`prepare_cookies` leaves a header Cookie as
    it is, so that alone would lose them where the session has cookies already.)
    """
    cookies = request._cookies  # type: ignore[attr-defined]
    extract_cookies_to_jar(cookies, response.request, response.raw)  # type: ignore[no-untyped-call]
    sent = request.headers.pop("Cookie", None)
    header = merged(sent, get_cookie_header(response.cookies, request))  # type: ignore[no-untyped-call]
    if header:
        request.headers["Cookie"] = header


def _rewound(request: requests.PreparedRequest) -> bool:
    if request.body is None or isinstance(request.body, (str, bytes)):
        return True
    try:
        requests.utils.rewind_body(request)
        return True
    except requests.exceptions.UnrewindableBodyError:
        return False
