"""An asyncio event loop for a sandbox with one thread.

The loop that asyncio makes by default wakes itself up through a socket pair, which WASI refuses. With one thread
nobody else can wake it, so this one has no need to: between callbacks it waits for its sockets and the next timer.
What would run in another thread runs when the loop has nothing else to do (see `turns.py`).

The class is made when it is first needed. Most tools never use asyncio, and its modules would be frozen into all
of them; this module, on the other hand, is imported before the base is snapshotted, as all of the SDK is.
"""

import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from toolplane import processes, refusals, turns
from toolplane.turns import Deadlock as Deadlock
from toolplane.turns import SetAside, Turn

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


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
    # A loop that has only been left keeps its tasks.
    close: Any = asyncio.Runner.close

    def close_unless_left(self: Any) -> None:
        if not getattr(self._loop, "_is_left", False):
            close(self)

    asyncio.Runner.close = close_unless_left  # type: ignore[method-assign]


@functools.cache
def loop_class() -> "type[asyncio.AbstractEventLoop]":
    """Tasks, timers, timeouts, sockets, and executors that run inline."""
    import asyncio
    import selectors
    from asyncio import selector_events

    class Selector(selectors.DefaultSelector):
        """Waits for sockets and timers; with no socket to wait for, only time passes."""

        loop: Any = None
        bound: tuple[float | None] | None = None
        """While a turn lets the loop go on: the moment until which, if there is one."""
        runs_forever = False
        """In a thread of its own, serving others: it is left when it has nothing to do."""

        def select(self, timeout: float | None = None) -> Any:
            if self.bound is not None:
                return self.select_within(timeout, *self.bound)
            if timeout is None or timeout > 0:
                timeout = turns.idle(timeout, self.loop.go_on)
                if self.runs_forever and (turns.is_waited_for() or (timeout is None and not self.get_map())):
                    raise SetAside
                if timeout is None and self.loop.is_completing_for_others() and turns.is_waited_for():
                    self.loop.leave()
                    raise SetAside
            if self.get_map():
                return super().select(timeout)
            if timeout is None:
                raise Deadlock("the coroutine waits for something that can never happen: no task and no timer is left")
            if timeout > 0:
                turns.pass_time(timeout)
            return []

        def select_within(self, timeout: float | None, until: float | None) -> Any:
            if until is not None:
                remaining = max(0.0, until - time.monotonic())
                timeout = remaining if timeout is None else min(timeout, remaining)
            if self.get_map():
                return super().select(timeout)
            self.loop.had_nothing = timeout is None
            if timeout:
                turns.pass_time(timeout)
            return []

    def settle(turn: Turn, future: Any, func: Callable[..., T], args: Any) -> None:
        if future.done():  # Cancelled before it began.
            return
        result: Any = None
        raised: BaseException | None = None
        try:
            result = func(*args)
        except StopIteration as error:  # A future refuses it.
            raised = RuntimeError(f"the function raised StopIteration({error.value!r})")
        except SetAside:
            raised = turn.stuck or Deadlock("the function waits for something that can never happen")
        except BaseException as error:
            raised = error
        turn.stuck = None  # The future tells it.
        if future.done() or future.get_loop().is_closed():
            return
        if raised is None:
            future.set_result(result)
        else:
            future.set_exception(raised)

    class SandboxEventLoop(selector_events.BaseSelectorEventLoop):
        _selector: Any
        _run_once: Any

        def __init__(self, selector: Any = None) -> None:
            super().__init__(selector or Selector())
            self._selector.loop = self
            self._is_left = False
            self.had_nothing = False

        def go_on(self, until: float | None) -> bool:
            """One round of callbacks, for a turn that was taken while the loop was between two rounds."""
            if self._selector.bound is not None or self.is_closed():
                return False  # It is not between two rounds any more.
            self._selector.bound, self.had_nothing = (until,), False
            try:
                with turns.apart():
                    asyncio._set_running_loop(self)
                    try:
                        self._run_once()
                    finally:
                        asyncio._set_running_loop(None)
            finally:
                self._selector.bound = None
            return not self.had_nothing and (until is None or time.monotonic() < until)

        def run_forever(self) -> None:
            """What serves other threads is left when these could go on, and returned to when they ask it something."""
            if getattr(self, "_completing", False) or turns.current_ident() is None:
                super().run_forever()
                return
            self._selector.runs_forever, self._is_left = True, False
            try:
                super().run_forever()
            except SetAside:
                self._is_left = True
                raise
            finally:
                self._selector.runs_forever = False

        def is_completing_for_others(self) -> bool:
            """Whether it runs a coroutine that serves other threads, as anyio's portals do: in a daemon."""
            return getattr(self, "_completing", False) and turns.current().daemon

        def leave(self) -> None:
            """What it runs goes on when others ask it something (`_write_to_self`)."""
            self._is_left = True

        def run_until_complete(self, future: Any) -> Any:
            self._completing = True
            try:
                return super().run_until_complete(future)
            finally:
                self._completing = False

        def close(self) -> None:
            if not self._is_left:  # By the `finally` of a thread that has only been left.
                super().close()

        def run_in_executor(  # type: ignore[override]  # The base is typed with TypeVarTuples.
            self, executor: Any, func: Callable[..., T], *args: Any
        ) -> "asyncio.Future[T]":
            if executor is not None:
                return asyncio.wrap_future(executor.submit(func, *args), loop=self)
            future: asyncio.Future[T] = self.create_future()
            turn = Turn(lambda: settle(turn, future, func, args))
            turns.add(turn)
            return future

        async def sock_connect(self, sock: Any, address: Any) -> None:
            """The base class learns by a number that a connection was not made."""
            try:
                await super().sock_connect(sock, address)
                return
            except OSError as error:
                failed = refusals.not_connected(address, error)
                if failed is error:
                    raise
            raise failed

        async def subprocess_exec(self, protocol_factory: Any, program: Any, *args: Any, **kwargs: Any) -> Any:
            raise processes.no_program(program)

        async def subprocess_shell(self, protocol_factory: Any, cmd: Any, **kwargs: Any) -> Any:
            raise processes.no_program(cmd)

        def _make_self_pipe(self) -> None:
            """The base class makes a socket pair here, which WASI refuses, to be woken by another thread."""

        def _close_self_pipe(self) -> None:
            """There is none."""

        def _write_to_self(self) -> None:
            """The base class calls this to wake the loop from another thread."""
            if self._is_left and not self.is_running():
                turns.add(Turn(self.run_forever, ident=turns.SERVING, daemon=True))
                self._is_left = False

    return SandboxEventLoop
