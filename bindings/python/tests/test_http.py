"""The token in requests and in httpx: the same promises, kept for each client in the same tests."""

from __future__ import annotations

import asyncio
import copy
import io
import pickle
from typing import Any, Optional

import dl_auth.httpx
import dl_auth.requests
import httpx
import requests
import trio
from support import PATIENCE, GateTest, gate, platform


class Requests:
    """`requests`, by its session."""

    def send(self, auth: dl_auth.Auth, url: str, body: Any = None) -> tuple[int, Any]:
        """The status of the answer, and the statuses of those before it."""
        with requests.Session() as session:
            session.auth = dl_auth.requests.BearerAuth(auth)
            method = "GET" if body is None else "POST"
            answer = session.request(method, url, data=body, timeout=PATIENCE, proxies={"http": ""})
            return answer.status_code, [before.status_code for before in answer.history]

    def send_with_cookies(self, auth: dl_auth.Auth, url: str, jar: dict[str, str], header: Optional[str]) -> set[str]:
        """Sends a request with these cookies of the client, or this header: the cookies that the client has then."""
        with requests.Session() as session:
            session.auth, session.trust_env = dl_auth.requests.BearerAuth(auth), False
            for name, value in jar.items():
                session.cookies.set(name, value)
            answer = session.get(url, headers={"Cookie": header} if header else {}, timeout=PATIENCE, stream=True)
            assert answer.status_code == 200 and answer.content == b"", answer
            return {f"{cookie.name}={cookie.value}" for cookie in session.cookies}


class Httpx:
    """`httpx`, by its client."""

    def send(self, auth: dl_auth.Auth, url: str, body: Any = None) -> tuple[int, Any]:
        with httpx.Client(auth=dl_auth.httpx.BearerAuth(auth), follow_redirects=True, trust_env=False) as client:
            answer = client.request("GET" if body is None else "POST", url, content=body)
            return answer.status_code, [before.status_code for before in answer.history]


    def send_with_cookies(self, auth: dl_auth.Auth, url: str, jar: dict[str, str], header: Optional[str]) -> set[str]:
        headers, bearer = {"Cookie": header} if header else {}, dl_auth.httpx.BearerAuth(auth)
        with httpx.Client(auth=bearer, cookies=jar, follow_redirects=True, trust_env=False) as client:
            with client.stream("GET", url, headers=headers) as answer:
                assert answer.status_code == 200 and answer.read() == b"", answer
            return {f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar}


class HttpxAsync:
    """`httpx`, by its client for an event loop."""

    def send(self, auth: dl_auth.Auth, url: str, body: Any = None) -> tuple[int, Any]:
        return asyncio.run(self.ask(auth, url, body))

    def send_with_cookies(self, auth: dl_auth.Auth, url: str, jar: dict[str, str], header: Optional[str]) -> set[str]:
        async def ask() -> set[str]:
            headers, bearer = {"Cookie": header} if header else {}, dl_auth.httpx.BearerAuth(auth)
            async with httpx.AsyncClient(auth=bearer, cookies=jar, follow_redirects=True, trust_env=False) as client:
                async with client.stream("GET", url, headers=headers) as answer:
                    assert answer.status_code == 200 and await answer.aread() == b"", answer
                return {f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar}

        return asyncio.run(ask())

    async def ask(self, auth: dl_auth.Auth, url: str, body: Any) -> tuple[int, Any]:
        if body is not None and not isinstance(body, bytes):
            body = one_by_one(body)
        bearer = dl_auth.httpx.BearerAuth(auth)
        async with httpx.AsyncClient(auth=bearer, follow_redirects=True, trust_env=False) as client:
            answer = await client.request("GET" if body is None else "POST", url, content=body)
            return answer.status_code, [before.status_code for before in answer.history]


async def one_by_one(parts: Any) -> Any:
    for part in parts:
        yield part


class Promises:
    """What holds for every client. (It is here so that unittest does not run it as a separate test.)"""

    class Test(GateTest):
        client: Any

        def ready(self) -> tuple[dl_auth.Auth, str]:
            """A handle that may refresh, and the token that it has."""
            gate("/set", {"lifetime": 10})
            auth = self.open(max_attempts=1, refresh_at=0.9)
            token = auth.token()
            self.until_it_may_refresh(auth)
            return auth, token

        def sends(self, auth: dl_auth.Auth, url: str, status: int, *before: int, body: Any = None) -> None:
            self.assertEqual(self.client.send(auth, url, body), (status, list(before)))

        def test_platform_401(self) -> None:
            with platform() as server:
                auth, refused = self.ready()
                server.refused = {refused}
                self.sends(auth, server.url, 200, 401, body=b"the body")
                self.assertEqual(server.tokens, [refused, gate("/last_token")])
                self.assertEqual([body for _, _, body in server.seen], [b"the body"] * 2)
                self.assert_counts(logins=1, refreshes=1)
                self.sends(auth, server.url, 200)
                self.assert_counts(requests=2)

        def test_a_request_is_sent_twice_at_most(self) -> None:
            with platform() as server:
                auth, _ = self.ready()
                server.refuses_all = True
                self.sends(auth, server.url, 401, 401)
                self.assertEqual(len(set(server.tokens)), 2)
                self.assert_counts(requests=2)

        def test_a_401_is_handed_through_where_there_is_no_other_token(self) -> None:
            with platform() as server:
                auth = self.open()  # whose token has just been fetched, so that there will be no other for a while
                server.refuses_all = True
                self.sends(auth, server.url, 401)
                self.assert_counts(requests=1)
                auth, _ = self.ready()
                gate("/plan", {"do": "status", "status": 503, "times": 9})
                self.sends(auth, server.url, 401)

        def test_a_401_is_handed_through_where_the_handle_was_closed_meanwhile(self) -> None:
            with platform() as server:
                auth, _ = self.ready()
                server.refuses_all, server.meanwhile = True, auth.close
                self.sends(auth, server.url, 401)

        def test_a_body_that_is_gone_is_not_sent_again(self) -> None:
            with platform() as server:
                auth = self.open()
                auth.token()
                server.refuses_all = True
                self.sends(auth, server.url, 401, body=(part for part in [b"gone ", b"once"]))
                self.assertEqual([body for _, _, body in server.seen], [b"gone once"])
                self.assertEqual(auth.info().state, dl_auth.State.DUE, "it is invalidated all the same")

        def test_cookies_of_a_401_are_sent_with_the_retry(self) -> None:
            none: dict[str, str] = {}
            for jar, header, first, second in [
                (none, None, None, {"new=1", "old=2"}),
                ({"old": "1", "kept": "3"}, None, {"old=1", "kept=3"}, {"kept=3", "new=1", "old=2"}),
                (none, "old=1; mine=4", {"old=1", "mine=4"}, {"mine=4", "new=1", "old=2"}),
            ]:
                with self.subTest(jar=jar, header=header), platform() as server:
                    auth, token = self.ready()
                    server.refused = {token}
                    server.sets = ["new=1; Path=/", "old=2", "elsewhere=5; Path=/elsewhere", "another=6; Secure"]
                    has = self.client.send_with_cookies(auth, f"{server.url}/to/302//there", jar, header)
                    sent = [cookies and set(cookies.split("; ")) for cookies in server.cookies]
                    self.assertEqual(sent[:2], [first, second])
                    self.assertEqual(server.tokens, [token, auth.token(), auth.token()])
                    self.assertLessEqual({"new=1", "old=2"}, has, "the client keeps them")
                    self.assertIn("new=1", sent[2] or (), "and forwards them when it is redirected")
                    self.assertEqual(len(server.connections), 1, "the connection of the 401 is used again")

        def test_another_origin_gets_no_token(self) -> None:
            with platform() as server, platform() as other:
                auth = self.open()
                token = auth.token()
                other.refuses_all = True
                self.sends(auth, f"{server.url}/to/307/{other.url}/", 401, 307)
                self.assertEqual((server.tokens, other.tokens), ([token], [None]))
                self.assertEqual(auth.info().state, dl_auth.State.FRESH, "a 401 from elsewhere invalidates nothing")
                other.refuses_all = False
                self.sends(auth, f"{server.url}/to/302/{other.url}/to/302/{server.url}/back", 200, 302, 302)
                self.assertEqual(set(other.tokens), {None})
                self.assertEqual(server.tokens[-1], None, "it does not come back from there")

        def test_another_origin_gets_no_token_after_a_401(self) -> None:
            with platform() as server, platform() as other:
                auth, token = self.ready()
                server.refused = {token}
                status, _ = self.client.send(auth, f"{server.url}/to/302/{other.url}/")
                self.assertEqual((status, other.tokens), (200, [None]))
                self.assertEqual(server.tokens, [token, gate("/last_token")])

        def test_a_redirect_within_the_origin_keeps_the_token(self) -> None:
            with platform() as server:
                auth = self.open()
                token = auth.token()
                self.sends(auth, f"{server.url}/to/307//there", 200, 307, body=b"the body")
                self.assertEqual(server.tokens, [token, token])
                self.assertEqual(server.seen[1][2], b"the body")

        def test_no_request_without_a_token(self) -> None:
            with platform() as server:
                auth = self.open(password=f"wrong, of {type(self).__name__}")
                self.fails(dl_auth.Status.DENIED, lambda: self.client.send(auth, server.url))
                self.assertEqual(server.seen, [])


class RequestsTest(Promises.Test):
    client = Requests()

    def test_a_file_is_rewound(self) -> None:
        with platform() as server:
            auth, token = self.ready()
            server.refused = {token}
            file = io.BytesIO(b"skipped the body")
            file.seek(len(b"skipped "))
            self.sends(auth, server.url, 200, 401, body=file)
            self.assertEqual([body for _, _, body in server.seen], [b"the body"] * 2)

    def test_what_comes_back_can_be_pickled_and_copied(self) -> None:
        with platform() as server, requests.Session() as session:
            session.trust_env = False
            session.auth = dl_auth.requests.BearerAuth(self.open())
            response = session.get(f"{server.url}/to/302/{server.url}/there", timeout=PATIENCE)
            with self.assertRaises(requests.ConnectionError) as raised:
                session.get("http://127.0.0.1:1/", timeout=PATIENCE)
            for again in (pickle.loads(pickle.dumps(response)), copy.deepcopy(response)):
                self.assertEqual((again.status_code, again.url), (200, response.url))
                self.assertEqual(session.send(again.request, timeout=PATIENCE).status_code, 200)
            self.assertIn("refused", str(pickle.loads(pickle.dumps(raised.exception))))

    def test_https_is_another_origin_than_http(self) -> None:
        auth = self.open()
        seen: list[tuple[Optional[str], bool]] = []

        class Redirects(requests.adapters.HTTPAdapter):
            def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
                seen.append((request.url, "Authorization" in request.headers))
                answer = requests.Response()
                answer.request, answer.url, answer.raw = request, request.url or "", io.BytesIO()
                answer.status_code = 302 if len(seen) == 1 else 200
                answer.headers["Location"] = "https://platform.invalid/"
                return answer

        with requests.Session() as session:
            session.mount("http://", Redirects())
            session.mount("https://", Redirects())
            session.get("http://platform.invalid/", auth=dl_auth.requests.BearerAuth(auth))
        self.assertEqual(seen, [("http://platform.invalid/", True), ("https://platform.invalid/", False)])


class HttpxTest(Promises.Test):
    client = Httpx()


class HttpxAsyncTest(Promises.Test):
    client = HttpxAsync()

    def test_under_trio(self) -> None:
        with platform() as server:
            auth, token = self.ready()
            server.refused = {token}
            self.assertEqual(trio.run(self.client.ask, auth, server.url, None), (200, [401]))
