"""Keeps secrets out of tracebacks.

Crash reporters send the local variables of each frame of a traceback. A function of this package that takes or reads a
secret is `sealed`: when an exception leaves it, no frame of the package in that traceback has a local variable left.
Frames of other packages keep theirs, and every frame keeps its place in the traceback.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Optional, TypeVar, cast

Call = TypeVar("Call", bound=Callable[..., Any])


def sealed(function: Call) -> Call:
    """A function whose exceptions carry none of its arguments and local variables."""

    @functools.wraps(function)
    def entry(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except BaseException as error:
            del arguments, options
            forget(error)
            raise

    return cast(Call, entry)


def sealed_async(function: Call) -> Call:
    """As `sealed`, but it takes a coroutine function."""

    @functools.wraps(function)
    async def entry(*arguments: Any, **options: Any) -> Any:
        try:
            return await function(*arguments, **options)
        except BaseException as error:
            del arguments, options
            forget(error)
            raise

    return cast(Call, entry)


def forget(error: BaseException) -> None:
    """Clears the local variables of the package's frames that an exception has left, and of the exceptions before it.

    This also frees an exception that is a local variable of a frame in its own traceback.
    """
    waiting: list[Optional[BaseException]] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        waiting += [one.__cause__, one.__context__]
        trace = one.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__package__") == __package__:
                try:
                    trace.tb_frame.clear()
                except RuntimeError:
                    pass  # it still runs: the caller of this function, which deletes its variables itself
            trace = trace.tb_next
