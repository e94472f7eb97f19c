"""What fails, and how: the gate, the credentials, the options, and whatever a caller may come up with."""

from __future__ import annotations

import copy
import gc
import math
import os
import pickle
import time
import typing
import unittest
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

import dl_auth
from dl_auth import State, Status
from support import GateTest, gate, way_to_the_gate

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
        gate("/set", {"lifetime": 30})
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

    def test_a_call_that_failed_keeps_nothing(self) -> None:
        """Its error, once handled, is gone with all that its frames hold, with no help of the collector."""
        gate("/plan", {"do": "hang", "times": 9})

        async def nap(seconds: float) -> None:
            time.sleep(seconds)  # no loop of asyncio's, which makes such cycles itself

        gc.collect()
        gc.disable()
        self.addCleanup(gc.enable)
        calls: list[tuple[Status, Callable[[dl_auth.Auth], object]]] = [
            (Status.PENDING, lambda auth: auth.token(0)),
            (Status.TIMEOUT, lambda auth: auth.token(0.05)),
            (Status.PENDING, lambda auth: auth.token_async(0).send(None)),
            (Status.TIMEOUT, lambda auth: auth.token_async(0.05, sleep=nap).send(None)),
            (Status.INVALID_VALUE, lambda auth: auth.set_credentials(password="")),
            (Status.NOT_UTF8, lambda auth: auth.invalidate("\ud800")),
            (Status.UNREACHABLE, lambda auth: auth.token()),
            (Status.UNREACHABLE, lambda auth: auth.token_within(1, 5)),
        ]
        for status, call in calls:
            options: dict[str, Any] = {**way_to_the_gate(), "max_attempts": 1}
            if status == Status.UNREACHABLE:
                options["url"] = os.environ["GATE_REFUSED_URL"]
            auth = dl_auth.Auth(**options)
            gone, handle = weakref.ref(auth), auth._handle
            try:
                call(auth)
                self.fail("it has not failed")
            except dl_auth.Error as error:
                self.assertEqual(error.status, status)
            del auth
            self.assertIsNone(gone(), status.name)
            self.fails(Status.CLOSED, lambda: dl_auth._library.call(dl_auth._library.invalidate, handle, b"it"))

        class Password(str):
            pass

        password = Password(SECRET)
        kept = weakref.ref(password)
        try:
            dl_auth.Auth(password=password, usernam="bot")  # type: ignore[call-arg]
        except dl_auth.Error:
            pass
        del password
        self.assertIsNone(kept())

    def test_a_second_init_is_another_handle(self) -> None:
        auth = self.open()
        first = auth.token()
        self.assertEqual(auth.token(), first)  # of which it has its own copy now
        handle = auth._handle
        auth.__init__(token="e30.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln", proxy="none")  # type: ignore[misc]
        self.assertEqual(dl_auth._library.generation(handle), 0)
        self.assertNotEqual(auth.token(), first)

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
        for status in (of_a_later_library.status, Status.GATE):
            for again in (pickle.loads(pickle.dumps(status)), copy.copy(status), copy.deepcopy(status)):
                self.assertEqual((type(again), again, again.name), (Status, status, status.name))
        self.assertEqual((of_a_later_library.status, of_a_later_library.status.name), (-77, "UNKNOWN"))

    def test_repr_tells_all(self) -> None:
        for error, told in [
            (dl_auth.Error("why", Status.GATE, 503, 1.5), "<dl_auth.Error GATE, HTTP 503, retry after 1.5 s: why>"),
            (dl_auth.Timeout("late", -31), "<dl_auth.Timeout TIMEOUT: late>"),
            (dl_auth.Error("?", -77), "<dl_auth.Error UNKNOWN -77: ?>"),
        ]:
            self.assertEqual((repr(error), str(error)), (told, error.message))

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


class TypesTest(unittest.TestCase):
    def test_type_hints_can_be_read(self) -> None:
        for kind in (dl_auth.Auth, dl_auth.Error):
            for function in vars(kind).values():
                if callable(function):
                    typing.get_type_hints(function)
        self.assertIn("options", typing.get_type_hints(dl_auth.Auth.__init__))
        self.assertEqual(typing.get_type_hints(dl_auth.Auth.token)["timeout"], typing.Optional[dl_auth.Duration])
