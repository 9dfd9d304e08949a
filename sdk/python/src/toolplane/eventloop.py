"""An asyncio event loop for a sandbox with one thread.

The loop that asyncio makes by default wakes itself up through a socket pair, which WASI refuses. With one thread
nobody else can wake it, so this one has no need to: between callbacks it waits for its sockets and the next timer.
What would run in another thread runs at once, inline.

The class is made when it is first needed. Most tools never use asyncio, and its modules would be frozen into all
of them; this module, on the other hand, is imported before the base is snapshotted, as all of the SDK is.
"""

import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Everything waits, and nothing is left that could end the waiting."""


def run(awaitable: Awaitable[T]) -> T:
    """Runs what an async tool returned when it was called, to its end."""
    import asyncio

    async def awaited() -> T:  # A runner takes coroutines and nothing else that can be awaited.
        return await awaitable

    with asyncio.Runner(loop_factory=loop_class()) as runner:
        return runner.run(awaited())


def make_default() -> None:
    """`asyncio.run` and `asyncio.new_event_loop` in the author's code and in packages get this loop too."""
    import asyncio

    # Not exported by `asyncio`: the policy was renamed in 3.14. The attribute that makes loops has the same name.
    from asyncio import unix_events

    policy: Any = getattr(unix_events, "_DefaultEventLoopPolicy", None) or unix_events.DefaultEventLoopPolicy
    policy._loop_factory = loop_class()
    # What code names that asks for a kind of loop: `asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)`.
    for name in ("SelectorEventLoop", "EventLoop"):
        if hasattr(asyncio, name):
            setattr(asyncio, name, loop_class())


@functools.cache
def loop_class() -> "type[asyncio.AbstractEventLoop]":
    """Tasks, timers, timeouts, sockets, and executors that run inline."""
    import asyncio
    import selectors
    from asyncio import selector_events

    class Selector(selectors.DefaultSelector):
        """Waits for sockets and timers; with no socket to wait for, only time passes."""

        def select(self, timeout: float | None = None) -> Any:
            if self.get_map():
                return super().select(timeout)
            if timeout is None:
                raise Deadlock("the coroutine waits for something that can never happen: no task and no timer is left")
            if timeout > 0:
                time.sleep(timeout)
            return []

    class SandboxEventLoop(selector_events.BaseSelectorEventLoop):
        def __init__(self, selector: Any = None) -> None:
            super().__init__(selector or Selector())

        def run_in_executor(  # type: ignore[override]  # The base is typed with TypeVarTuples.
            self, executor: Any, func: Callable[..., T], *args: Any
        ) -> "asyncio.Future[T]":
            future: asyncio.Future[T] = self.create_future()
            try:
                future.set_result(func(*args))
            except StopIteration as error:  # A future refuses it.
                future.set_exception(RuntimeError(f"the function raised StopIteration({error.value!r})"))
            except Exception as error:
                future.set_exception(error)
            return future

        def _make_self_pipe(self) -> None:
            """The base class makes a socket pair here, which WASI refuses, to be woken by another thread."""

        def _close_self_pipe(self) -> None:
            """There is none."""

        def _write_to_self(self) -> None:
            """The base class calls this to wake the loop from another thread, and there is none."""

    return SandboxEventLoop
