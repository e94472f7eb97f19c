"""`os.environ` is the environment of a handle: as Python sees it, and while other threads change it."""

from __future__ import annotations

import os
import sys
import unittest
from typing import Any
from unittest import mock

import dl_auth
from dl_auth import Status
from dl_auth._values import environment
from support import GateTest, python, run, way_to_the_gate

class EnvironmentTest(GateTest):
    def test_what_python_sees_is_what_counts(self) -> None:
        way = {f"DL_AUTH_{option.upper()}": value for option, value in way_to_the_gate().items()}
        with mock.patch.dict(os.environ, {**way, "DL_AUTH_WAIT": "7s"}):
            with dl_auth.Auth() as auth:
                self.assertEqual(auth.info().wait.total_seconds(), 7)
                self.assertTrue(auth.token())
            del os.environ["DL_AUTH_USERNAME"]
            self.fails(Status.NO_CREDENTIALS, dl_auth.Auth)
        another: dict[Any, Any] = {**way, "DL_AUTH_WAIT": "8s", 1: "not a name", "ANOTHER": None}
        with mock.patch.object(os, "environ", another):
            with dl_auth.Auth() as auth:
                self.assertEqual(auth.info().wait.total_seconds(), 8)

    def test_the_process_s_own_environment_is_not_read(self) -> None:
        program = """
import ctypes, dl_auth
setenv = ctypes.CDLL(None).setenv
for name, value in [(b"USERNAME", b"bot"), (b"PASSWORD", b"it"), (b"WAIT", b"soon")]:
    setenv(b"DL_AUTH_" + name, value, 1)  # which os.environ does not see
try:
    dl_auth.Auth(proxy="none")
except dl_auth.Error as error:
    print(error.status.name)
"""
        self.assertEqual(python(program).stdout, "NO_CREDENTIALS\n")

    def test_a_set_user_id_program_ignores_the_environment(self) -> None:
        program = """
import dl_auth
try:
    dl_auth.Auth(proxy="none")
except dl_auth.Error as error:
    print(error.status.name, error.message)
dl_auth.Auth(username="bot", password="it", proxy="none").close()
print(dl_auth._library._place_found[1])
"""
        way = {"USERNAME": "bot", "PASSWORD": "it", "URL": "canary", "LIBRARY": "/nowhere"}
        command = ["setpriv", "--ruid=65534", sys.executable, "-E", "-c", program]  # which only root may
        ran = run(command, env={**os.environ, **{f"DL_AUTH_{key}": value for key, value in way.items()}})
        self.assertRegex(ran.stdout, "^NO_CREDENTIALS .*set-user-ID.*\nwhich came with this package\n$")

    def test_bytes_that_are_no_text(self) -> None:
        wrong = os.fsdecode(b"caf\xe9")
        with mock.patch.dict(os.environ, {"UNUSED": wrong, "DL_AUTH_USERNAME": "bot", "DL_AUTH_PASSWORD": "it"}):
            dl_auth.Auth(proxy="none").close()
            os.environ["DL_AUTH_PASSWORD"] = wrong
            error = self.fails(Status.INVALID_VALUE, lambda: dl_auth.Auth(proxy="none"))
        self.assertIn("DL_AUTH_PASSWORD", error.message)
        self.assertNotIn("caf", error.message)


class VariablesTest(unittest.TestCase):
    def test_what_no_variable_can_be_is_left_out(self) -> None:
        strange: dict[Any, Any] = {"": "no name", "=C:": "C:\\", "B=B": "2", "C": "has\0NUL", "D": "\ud800", 7: "8"}
        with mock.patch.object(os, "environ", {**strange, "A": "1", "E": None, "F": "", "G": "a=b"}):
            self.assertEqual(environment(), [b"A=1", b"F=", b"G=a=b"])

    def test_a_variable_that_is_gone_meanwhile(self) -> None:
        class Forgetful(dict):  # type: ignore[type-arg]
            def get(self, name: str, default: object = None) -> object:
                self.clear()
                return default

        with mock.patch.object(os, "environ", Forgetful(A="1", B="2")):
            self.assertEqual(environment(), [])

    def test_it_is_the_whole_environment(self) -> None:
        self.assertEqual(set(environment()), {name + b"=" + value for name, value in os.environb.items()})
