"""One thread writes the environment for 30 s while three make handles. Writes `ok NAME`.

run.sh runs it beside the other tests, because it needs no gate.
"""

from __future__ import annotations

import os
import threading
import time

import dl_auth

SECONDS = 30

os.environ.update(DL_AUTH_USERNAME="bot", DL_AUTH_PASSWORD="it", NO_PROXY="*")
end, made = time.monotonic() + SECONDS, [0] * 3
failed: list[BaseException] = []


def write() -> None:
    turn = 0
    while time.monotonic() < end:
        turn += 1
        os.environ[f"GROWS_{turn % 400}"] = "x" * (turn % 90)
        if turn % 400 == 399:
            for number in range(400):
                os.environ.pop(f"GROWS_{number}", None)


def make(maker: int) -> None:
    try:
        while time.monotonic() < end or not made[maker]:
            dl_auth.Auth().close()
            made[maker] += 1
    except BaseException as error:
        failed.append(error)


threads = [threading.Thread(target=write)] + [threading.Thread(target=make, args=(maker,)) for maker in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert not failed, failed
print("ok one_thread_writes_the_environment_while_three_make_handles")
