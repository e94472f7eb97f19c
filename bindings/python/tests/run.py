"""Runs the tests, and writes `ok NAME` for each that passed. None may be skipped."""

from __future__ import annotations

import faulthandler
import os
import sys
import unittest
from pathlib import Path


class Result(unittest.TextTestResult):
    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        print("ok", test.id().split(".test_")[-1], flush=True)


if __name__ == "__main__":
    faulthandler.dump_traceback_later(1500 * int(os.environ.get("DL_AUTH_TEST_PATIENCE") or 1), exit=True)
    tests = unittest.defaultTestLoader.discover(str(Path(__file__).parent))
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=0, warnings="error")  # type: ignore[arg-type]
    result = runner.run(tests)
    sys.exit(not result.wasSuccessful() or bool(result.skipped) or result.testsRun == 0)
