"""A parent's handles in forked children, while the parent's threads use them all the time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import warnings
from typing import Optional

import dl_auth
from dl_auth import Status
from support import PATIENCE, GateTest, gate, hanging

CHILDREN, AT_ONCE, WORKERS = 200, 10, 4
HUNG = PATIENCE
"""Seconds after which a child is ended that does not end by itself."""

inherited: Optional[dl_auth.Auth] = None


def work(_: int) -> tuple[int, str]:
    """In a worker of a pool."""
    assert inherited
    time.sleep(0.05)  # so that each worker has its share
    return os.getpid(), inherited.token()


class ForkTest(GateTest):
    def setUp(self) -> None:
        super().setUp()
        # Python says that a child of many threads may hang: it does not by this package.
        caught = warnings.catch_warnings()
        caught.__enter__()
        self.addCleanup(caught.__exit__, None, None, None)
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork")

    def test_children_of_a_crowd(self) -> None:
        gate("/set", {"lifetime": 20})
        hot, cold = self.open(refresh_at=0.1), self.open(url=os.environ["GATE_REFUSED_URL"], max_attempts=1)
        hot.token()
        over = threading.Event()
        failures: list[BaseException] = []

        def contend(number: int) -> None:
            try:
                while not over.is_set():
                    hot.token()
                    hot.token(timeout=PATIENCE)
                    hot.info()
                    hot.invalidate("another")
                    if number == 0:
                        dl_auth.Auth(username="comes", password="and goes", proxy="none").close()
                    time.sleep(0.0001)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        try:
            children: list[int] = []
            for _ in range(CHILDREN):
                children.append(self.child(hot, cold))
                if len(children) == AT_ONCE:
                    self.reap(children.pop(0))
            for child in children:
                self.reap(child)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        hot.token()

    def child(self, hot: dl_auth.Auth, cold: dl_auth.Auth) -> int:
        pid = os.fork()
        if pid:
            return pid
        signal.alarm(HUNG)
        try:
            assert hot.token() and hot.token(timeout=PATIENCE) and hot.info().generation
            try:
                cold.token()
            except dl_auth.Error as error:
                assert error.status == Status.UNREACHABLE, error
            hot.close()
            os._exit(0)
        finally:
            os._exit(1)

    def reap(self, child: int) -> None:
        _, how = os.waitpid(child, 0)
        self.assertFalse(os.WIFSIGNALED(how) and os.WTERMSIG(how) == signal.SIGALRM, "a child hangs")
        self.assertEqual(how, 0)

    def test_a_pool_that_forks(self) -> None:
        global inherited
        inherited = self.open()
        token = inherited.token()
        with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
            results = pool.map_async(work, range(4 * WORKERS), chunksize=1).get(HUNG)
        self.assertEqual({got for _, got in results}, {token})
        self.assertGreater(len({pid for pid, _ in results}), 1)
        self.assert_counts(requests=1)

    def test_a_child_of_one_that_waits_logs_in_by_itself(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()
        thread = threading.Thread(target=auth.token)
        thread.start()
        hanging()
        self.reap(self.child(auth, self.open(url=os.environ["GATE_REFUSED_URL"], max_attempts=1)))
        self.assert_counts(hanging=1, issued=1)
        gate("/release", post=True)
        thread.join()
        self.assert_counts(logins=2, issued=2)
