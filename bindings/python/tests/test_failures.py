"""What fails, and how: the gate, the credentials, the options, and whatever a caller may come up with."""

from __future__ import annotations

import copy
import gc
import math
import os
import pickle
import unittest
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

import dl_auth
from dl_auth import State, Status
from support import GateTest, gate

SECRET = "a secret of the tests"


class FailureTest(GateTest):
    def test_wrong_password(self) -> None:
        auth = self.open(password=SECRET)
        for _ in range(2):
            error = self.fails(Status.DENIED, auth.token)
            self.assertEqual(error.http_status, 401)
            self.assertTrue(error.retry_after and 0 < error.retry_after <= 30, error.retry_after)
            self.assertNotIn(SECRET, f"{error} {error!r} {auth!r}")
        self.assert_counts(requests=1, refused=1)

    def test_gate_down_with_a_valid_token(self) -> None:
        gate("/set", {"lifetime": 10})
        auth = self.open(refresh_at=0.1, max_attempts=1)
        token = auth.token()
        gate("/plan", {"do": "status", "status": 503, "times": 100})
        self.until(lambda: auth.info().state == State.DUE and auth.info().retry_in == timedelta(0))
        self.assertEqual(auth.token(), token)
        self.until(lambda: auth.info().failures > 0)
        self.assertEqual(auth.token(), token)
        info = auth.info()
        self.assertEqual((info.last_status, info.last_http_status), (Status.GATE, 503))

    def test_gate_down_without(self) -> None:
        gate("/plan", {"do": "status", "status": 503, "times": 100})
        error = self.fails(Status.GATE, self.open(max_attempts=1).token)
        self.assertEqual(error.http_status, 503)
        self.assertTrue(error.retry_after)
        error = self.fails(Status.UNREACHABLE, self.open(url=os.environ["GATE_REFUSED_URL"], max_attempts=1).token)
        self.assertEqual(error.http_status, None)
        self.assertTrue(error.retry_after)

    def test_use_after_close(self) -> None:
        with self.open() as auth:
            token = auth.token()
            auth.token()
            self.assertFalse(auth.closed)
        self.assertTrue(auth.closed)
        calls: list[Callable[[], object]] = [auth.token, auth.token_within, auth.bearer, auth.claims, auth.info]
        calls += [lambda: auth.token(0), lambda: auth.invalidate(token), lambda: auth.set_credentials(password="it")]
        for call in calls:
            self.fails(Status.CLOSED, call)
        self.assertEqual((auth.generation, repr(auth)), (0, "<dl_auth.Auth closed>"))
        auth.close()

    def test_the_last_reference_closes(self) -> None:
        auth = dl_auth.Auth(token="e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln", proxy="none")
        handle = auth._handle
        self.assertEqual(dl_auth._library.generation(handle), 1)
        del auth
        gc.collect()
        self.assertEqual(dl_auth._library.generation(handle), 0)

    def test_wrong_option(self) -> None:
        error = self.fails(Status.UNKNOWN_KEY, lambda: dl_auth.Auth(usernam="bot"))  # type: ignore[call-arg]
        self.assertIn("`username`", error.message)
        wrong = [("wait", "soon"), ("wait", -timedelta(1)), ("wait", timedelta.max), ("refresh_at", math.nan)]
        for key, value in [*wrong, ("max_attempts", 10**9)]:
            error = self.fails(Status.INVALID_VALUE, lambda: self.open(**{key: value}))
            self.assertIn(f"`{key}`", error.message)

    def test_text_that_c_cannot_take(self) -> None:
        auth = self.open()
        call: Callable[[], object]
        for wrong, status in [(f"{SECRET}\0", Status.INVALID_VALUE), (f"{SECRET}\ud800", Status.NOT_UTF8)]:
            for call in (
                lambda: self.open(password=wrong),
                lambda: self.open(**{wrong: "value"}),
                lambda: auth.invalidate(wrong),
                lambda: auth.set_credentials(password=wrong),
                lambda: auth.set_credentials(wrong, password="it"),
                lambda: dl_auth.jwt_claims(wrong),
                lambda: dl_auth.jwt_expiry(wrong),
            ):
                error = self.fails(status, call)
                self.assertIsNone(error.__context__, "a UnicodeEncodeError would hold the whole text")
        for call in (lambda: self.open(password=wrong), lambda: auth.set_credentials(password=wrong)):
            self.assertNotIn(SECRET, repr(self.fails(Status.NOT_UTF8, call)))

    def test_arguments_of_the_wrong_kind(self) -> None:
        auth: Any = self.open()
        for call in (
            lambda: auth.token("soon"),
            lambda: auth.token_within("long"),
            lambda: auth.invalidate(None),
            lambda: auth.set_credentials(password=b"bytes"),
            lambda: self.open(password=SECRET.encode()),
            lambda: self.open(password=object()),
            lambda: dl_auth.Auth(SECRET),  # type: ignore[misc]
            lambda: dl_auth.jwt_claims(1),  # type: ignore[arg-type]
        ):
            with self.assertRaises(TypeError) as raised:
                call()
            self.assertNotIn(SECRET, str(raised.exception))
        for wrong in (-1, -0.001, math.nan, -math.inf, -timedelta(1)):
            self.assertRaises(ValueError, auth.token, wrong)
            self.assertRaises(ValueError, auth.token_within, wrong)
        for endless in (math.inf, 10**400, timedelta.max):
            self.fails(Status.TOO_SHORT, lambda: auth.token_within(endless))
            self.assertEqual(auth.token(endless), gate("/last_token"))

    def test_what_is_no_jwt(self) -> None:
        for wrong in ("", "a.b.c", "e30.e30.c2ln", "e30." + 100_000 * "A" + ".c2ln"):
            self.fails(Status.BAD_JWT, lambda: dl_auth.jwt_expiry(wrong))
        self.fails(Status.BAD_JWT, lambda: dl_auth.jwt_claims("e30.e30"))
        self.assertEqual(dl_auth.jwt_claims("e30.e30.c2ln"), {})


class ErrorTest(unittest.TestCase):
    def test_errors_can_be_pickled(self) -> None:
        of_a_later_library = dl_auth.Error("?", -77)
        for error in (dl_auth.Error("why", Status.GATE, 503, 1.5), dl_auth.Timeout("late", -31), of_a_later_library):
            same = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(same), str(same)), (type(error), str(error)))
            self.assertEqual((same.status, same.http_status), (error.status, error.http_status))
            self.assertEqual(same.retry_after, error.retry_after)
        self.assertEqual((of_a_later_library.status, of_a_later_library.status.name), (-77, "UNKNOWN"))

    def test_errors_come_out_of_another_process(self) -> None:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            with self.assertRaises(dl_auth.Error) as raised:
                pool.submit(dl_auth.jwt_expiry, "no JWT").result()
        self.assertEqual(raised.exception.status, Status.BAD_JWT)

    def test_a_handle_is_not_copied(self) -> None:
        with dl_auth.Auth(token="e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln", proxy="none") as auth:
            self.assertRaises(TypeError, copy.copy, auth)
            self.assertRaises(TypeError, copy.deepcopy, auth)
            self.assertRaises(TypeError, pickle.dumps, auth)
