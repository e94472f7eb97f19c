"""Waiting: many callers at the same time, those that give up, Ctrl-C, and what else runs meanwhile."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional
from unittest import mock

import dl_auth
from dl_auth import Status, _library
from support import PATIENCE, GateTest, gate, hanging, way_to_the_gate

class WaitingTest(GateTest):
    def test_many_at_once_make_one_login(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()
        together = threading.Barrier(64)

        def ask(_: int) -> str:
            together.wait(PATIENCE)
            return auth.token()

        with ThreadPoolExecutor(64) as threads:
            tokens = threads.map(ask, range(64))
            self.until(lambda: auth.info().waiting > 50)
            hanging()
            gate("/release", post=True)
            self.assertEqual(set(tokens), {gate("/last_token")})
        self.assert_counts(requests=1, logins=1)

    def test_many_tasks_at_once_make_one_login(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()

        async def ask() -> set[str]:
            tasks = [asyncio.ensure_future(auth.token_async()) for _ in range(500)]
            await asyncio.get_running_loop().run_in_executor(None, hanging)
            self.assertFalse(any(task.done() for task in tasks))
            gate("/release", post=True)
            return set(await asyncio.gather(*tasks))

        self.assertEqual(asyncio.run(ask()), {gate("/last_token")})
        self.assert_counts(requests=1, logins=1)

    def test_the_more_tasks_wait_the_more_seldom_each_looks(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()

        class Enough(Exception):
            pass

        async def sleep(pause: float) -> None:
            raise Enough(pause)

        async def pause_beside(others: int) -> Any:
            tasks = [asyncio.ensure_future(auth.token_async(PATIENCE)) for _ in range(others)]
            await asyncio.sleep(0.01)
            with self.assertRaises(Enough) as raised:
                await auth.token_async(PATIENCE, sleep=sleep)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return raised.exception.args[0]

        self.assertEqual(asyncio.run(pause_beside(2000)), 1)
        self.assertLess(asyncio.run(pause_beside(1)), 0.05, "those that gave up do not count")

    def test_cancellation(self) -> None:
        """By a time-out, by asyncio, and by Ctrl-C; the refresh continues each time."""
        gate("/plan", {"do": "hang"})
        auth = self.open(wait="300ms")
        for late in (lambda: auth.token(timeout=0.05), auth.token, lambda: asyncio.run(auth.token_async(0.05))):
            self.assertIsInstance(self.fails(Status.TIMEOUT, late), TimeoutError)
        self.fails(Status.PENDING, lambda: auth.token(timeout=0))
        self.fails(Status.PENDING, lambda: asyncio.run(auth.token_async(0)))

        async def give_up() -> None:
            await asyncio.wait_for(auth.token_async(PATIENCE), 0.05)

        self.assertRaises(asyncio.TimeoutError, asyncio.run, give_up())
        hanging()
        gate("/release", post=True)
        self.assertEqual(auth.token(timeout=PATIENCE), gate("/last_token"))
        self.assert_counts(requests=1, logins=1)

        gate("/reset", post=True)
        gate("/plan", {"do": "hang"})
        with Interruptible("auth.token()") as child:
            hanging()
            child.interrupt()
            gate("/release", post=True)
            self.assertEqual(child.next_line(), gate("/last_token"))
        self.assert_counts(requests=1, logins=1)

    def test_ctrl_c_is_heard_wherever_the_main_thread_waits(self) -> None:
        for call in ("auth.token_within(5)", "auth.bearer()", "auth.claims()", "asyncio.run(auth.token_async())"):
            with self.subTest(call=call):
                gate("/plan", {"do": "hang"})
                with Interruptible(call) as child:
                    hanging()
                    child.interrupt()
                    gate("/release", post=True)
                    self.assertEqual(child.next_line(), gate("/last_token"))

    def test_no_interrupt_is_lost(self) -> None:
        """Signals at all moments, in calls of the library and between them: each becomes its exception."""
        gate("/plan", {"do": "hang"})
        auth = self.open()

        sent = heard = 0

        class Interrupted(Exception):
            pass

        def interrupt(*_: object) -> None:
            nonlocal sent
            sent += 1
            raise Interrupted

        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            while heard < 300:
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.0001 + heard * 3e-6)
                    while True:
                        auth.info()
                        try:
                            auth.token(timeout=0.0002)
                        except dl_auth.Timeout:
                            pass
                except Interrupted:
                    heard += 1
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.assertEqual(heard, sent)

    def test_other_threads_run_while_one_waits(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()
        turns = most = 0
        attempt = _library.attempt

        def counted(*call: Any) -> Any:
            nonlocal most
            before = turns
            try:
                return attempt(*call)
            finally:
                most = max(most, turns - before)

        # A call that kept the GIL would let others run once at most until it ends.
        with mock.patch.object(_library, "attempt", counted), ThreadPoolExecutor(1) as threads:
            waits = threads.submit(auth.token, PATIENCE)
            while most < 5 and not waits.done():
                turns += 1
                time.sleep(0.001)
            self.assertFalse(waits.done(), "no other thread has run in one call")
            gate("/release", post=True)
            self.assertEqual(waits.result(PATIENCE), gate("/last_token"))

    def test_other_tasks_run_while_one_waits(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()

        waited: list[Any] = []
        attempt = _library.attempt

        def noted(function: Any, *arguments: Any) -> Any:
            if function is _library.token_within:
                waited.append(arguments[2])
            return attempt(function, *arguments)

        async def run() -> str:
            waits = asyncio.ensure_future(auth.token_async(PATIENCE))
            while len(waited) < 5:
                await asyncio.sleep(0.001)
            self.assertFalse(waits.done())
            await asyncio.get_running_loop().run_in_executor(None, lambda: gate("/release", post=True))
            return await waits

        with mock.patch.object(_library, "attempt", noted):
            self.assertEqual(asyncio.run(run()), gate("/last_token"))
        self.assertEqual(set(waited), {0}, "each look is a call that does not wait")

    def test_close_wakes_the_waiters(self) -> None:
        gate("/plan", {"do": "hang"})
        auth = self.open()
        with ThreadPoolExecutor(2) as threads:
            waits = [threads.submit(auth.token), threads.submit(lambda: asyncio.run(auth.token_async()))]
            hanging()
            auth.close()
            for waiting in waits:
                self.fails(Status.CLOSED, lambda: waiting.result(PATIENCE))


class Interruptible:
    """A process whose main thread waits in a call, and is interrupted."""

    PROGRAM = """
import asyncio, signal, sys, dl_auth
signal.signal(signal.SIGINT, signal.default_int_handler)  # the process that runs the tests may ignore it
auth = dl_auth.Auth(**eval(sys.argv[1]))
try:
    eval(sys.argv[2])
except KeyboardInterrupt:
    print("interrupted", flush=True)
    print(auth.token(), flush=True)
"""

    def __init__(self, call: str) -> None:
        command = [sys.executable, "-c", self.PROGRAM, repr(way_to_the_gate()), call]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def interrupt(self) -> None:
        """Sends a Ctrl-C, which must be heard while the call waits: the gate holds the answer on, and no limit is over."""
        self._process.send_signal(signal.SIGINT)
        assert self.next_line() == "interrupted"
        assert gate("/counts")["hanging"] == 1

    def next_line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Interruptible:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], *_: Any) -> None:
        if kind:
            self._process.kill()
        assert self._process.stdout
        self._process.stdout.close()
        self._process.wait(PATIENCE)
