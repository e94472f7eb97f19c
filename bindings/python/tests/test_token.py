"""The token: got, read again, refreshed, and what is known of it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import dl_auth
from dl_auth import Activity, State, Status
from support import PATIENCE, GateTest, gate, way_to_the_gate


class TokenTest(GateTest):
    def test_first_token(self) -> None:
        auth = self.open()
        token = auth.token()
        self.assertEqual(token, gate("/last_token"))
        self.assertEqual(auth.bearer(), f"Bearer {token}")
        self.assert_counts(requests=1, logins=1)

    def test_cached_read(self) -> None:
        auth = self.open()
        auth.token()
        token = auth.token()
        self.assertTrue(all(auth.token() is token for _ in range(1000)), "it is the same string, and no copy")
        self.assertEqual(auth.token(timeout=0), token)
        self.assert_counts(requests=1)

    def test_claims(self) -> None:
        auth = self.open()
        claims = auth.claims()
        self.assertEqual(claims["email"], way_to_the_gate()["username"])
        self.assertGreater(claims["exp"], claims["iat"])
        self.assertEqual(dl_auth.jwt_claims(auth.token()), claims)
        self.assertEqual(dl_auth.jwt_expiry(auth.token()), datetime.fromtimestamp(claims["exp"], timezone.utc))

    def test_expiry_and_refresh(self) -> None:
        gate("/set", {"lifetime": 3})
        auth = self.open()
        first = token = auth.token()
        self.until_it_may_refresh(auth)
        limit = time.monotonic() + PATIENCE
        while token == first:
            self.assertLess(time.monotonic(), limit, "there is no other token")
            asked = datetime.now(timezone.utc)
            token = auth.token()
            self.assertGreater(dl_auth.jwt_expiry(token), asked, "an expired token is returned")
            time.sleep(0.02)
        self.assert_counts(logins=1, refreshes=1)

    def test_token_within(self) -> None:
        gate("/set", {"lifetime": 10})
        auth = self.open()
        first = auth.token_within(min_valid=5)
        self.until_it_may_refresh(auth)
        self.until(lambda: (auth.info().expires_in or timedelta(0)) < timedelta(seconds=8))
        second = auth.token_within(timedelta(seconds=8))
        self.assertNotEqual(second, first)
        early = self.fails(Status.TOO_SHORT, lambda: auth.token_within(min_valid=9.999))
        self.assertIsNotNone(early.retry_after)
        never = self.fails(Status.TOO_SHORT, lambda: auth.token_within(min_valid=timedelta.max))
        self.assertIsNone(never.retry_after)

    def test_a_token_that_has_ended_is_waited_for_while_none_may_be_fetched(self) -> None:
        gate("/set", {"lifetime": 2})  # of which 1 s is sure, from the request on; and from the answer on,
        gate("/plan", {"do": "slow", "bytes": 128, "delay_ms": 50})  # half a second later, no other for 1 s
        auth = self.open()
        first = auth.token()
        self.until(lambda: auth.info().state == State.EXPIRED)
        gate("/reset", post=True)
        self.assertNotEqual(auth.token(), first)
        self.assert_counts(requests=1)

    def test_info(self) -> None:
        auth = self.open(wait="7s")
        info = auth.info()
        self.assertEqual((info.state, info.activity, info.generation), (State.EMPTY, Activity.IDLE, 0))
        self.assertEqual((info.issued_at, info.expires_at, info.expires_in, info.refresh_in), (None,) * 4)
        self.assertEqual((info.wait, info.retry_in), (timedelta(seconds=7), timedelta(0)))
        self.assertEqual(auth.generation, 0)
        auth.token()
        info = auth.info()
        self.assertEqual((info.state, info.generation, info.logins, info.failures), (State.FRESH, 1, 1, 0))
        assert info.issued_at and info.expires_at and info.expires_in
        self.assertEqual(info.expires_at - info.issued_at, timedelta(days=1))
        self.assertAlmostEqual(info.expires_in.total_seconds(), 24 * 3600, delta=60)
        self.assertEqual(auth.generation, 1)
        self.assertEqual((info.last_status, info.last_http_status), (None, None))

    def test_set_credentials(self) -> None:
        auth = self.open(password="wrong, and the only test's")
        self.fails(Status.DENIED, auth.token)
        auth.set_credentials(password=way_to_the_gate()["password"])
        self.assertEqual(auth.token(), gate("/last_token"))

    def test_options_in_python_s_own_types(self) -> None:
        options = {
            "ca_file": Path(way_to_the_gate()["ca_file"]),
            "refresh_grant": False,
            "refresh_at": 0.5,
            "max_attempts": 1,
            "wait": timedelta(seconds=1, microseconds=1),
            "user_agent": None,
        }
        auth = self.open(**options)
        self.assertEqual(auth.info().wait, timedelta(milliseconds=1001), "a part of a millisecond is rounded up")
        auth.token()
