"""Threads without threads: the sandbox has one, so what an author starts as a thread runs when somebody waits.

A started thread is a turn that is taken in one go: when another thread joins it, waits for a lock, an event, a queue
or a future, sleeps, or when the invocation ends. So a consumer may be started before its producer, and a worker that
waits for more work does not keep its starter from giving it some. While a turn waits, the turns that have not begun
run above it on the stack. What cannot work is a turn that would have to stop in the middle: it is told so.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NamedTuple

# Each level takes a few hundred bytes of the sandbox's 8 MiB of stack for every frame of the author's code in it.
_MAX_DEPTH = 50
# How often a turn may wait in vain for something that only those could do who wait for the turn to end.
_MAX_VAIN_WAITS = 3
# How long a daemon thread may keep those waiting who could go on, while it itself only waits.
_MAX_HOLD_SECONDS = 1.0
# How often somebody may sleep with a lock in hand before others run, who may want it.
_PATIENCE_WITH_LOCK = 20

SERVING = 1
"""The number of the thread in which a loop goes on that was left."""
pass_time = time.sleep
"""What `time.sleep` is where it is not mended: nobody runs meanwhile."""
_MACHINERY = ("threading", "queue", "concurrent.futures", "toolplane.", "multiprocessing", "contextlib", "importlib")


class Deadlock(RuntimeError):
    """Everything waits, and nothing is left that could end the waiting."""


class SetAside(BaseException):
    """Ends a turn that waits for what comes after it: a daemon's silently, as the end of a program does."""


@dataclass(eq=False)
class Turn:
    """What a started thread or a submitted task has to do."""

    run: Callable[[], None]
    ident: int = 0
    """Of the thread that it runs as."""
    daemon: bool = False
    interval: float = 0.0
    """Seconds from the start before which it does not begin: a timer's."""
    due: float = 0.0
    locks: int = 0
    """How many it holds: while it sleeps with one in hand, nobody else runs."""
    sleeps: int = 0
    """How often somebody has slept since it was started."""
    vain: int = 0
    holding: float = 0.0
    stuck: Deadlock | None = None


class _Waiting(NamedTuple):
    ready: Callable[[], bool]
    until: float | None
    go_on: Callable[[float | None], bool] | None = None
    """An event loop's: it may go on from above, until that moment. Answers whether there was anything to do."""


_pending: deque[Turn] = deque()
_running: list[Turn] = []
# Those who let others run, from the outermost in.
_waiting: list[_Waiting] = []
_ending = False
_main = Turn(lambda: None)


def add(turn: Turn) -> None:
    """Lets the turn be taken when somebody waits."""
    turn.due = time.monotonic() + turn.interval
    _pending.append(turn)


def begin() -> None:
    """An invocation begins. The clock is another one than that of the build, where timers may have been started."""
    for turn in _pending:
        turn.due = time.monotonic() + turn.interval


def end() -> None:
    """An invocation ends, as a program does: with its threads, and without its daemons, once these wait."""
    global _ending
    _ending = True
    try:
        while _pending:
            if not _take(lambda: False, None) and _pending:
                _pending.extend(turn for turn in list(_drained()) if not turn.daemon)
                if _pending:
                    pass_time(max(0.0, min(turn.due for turn in _pending) - time.monotonic()))
    finally:
        _ending = False


def is_pending(turn: Turn) -> bool:
    """Whether it has not begun."""
    return turn in _pending


def current() -> Turn:
    """The turn that runs now; one that stands for the main thread when none does."""
    return _running[-1] if _running else _main


def current_ident() -> int | None:
    """The thread that runs now; None for the main thread."""
    return _running[-1].ident if _running else None


def wait(ready: Callable[[], bool], timeout: float | None = None, first: Turn | None = None) -> bool:
    """Lets others run until it is ready, or the time is over. Raises Deadlock when it never can be."""
    until = None if timeout is None else time.monotonic() + timeout
    while not ready():
        if not _take(ready, until, first) and not _go_on_below(until):
            now = time.monotonic()
            if until is not None and now >= until:
                return False
            next_timer = min((turn.due for turn in _pending), default=None) if len(_waiting) < _MAX_DEPTH else None
            ends = [moment for moment in (until, next_timer) if moment is not None]
            if not ends:
                _give_up()
            _hold(min(ends), counted=True)
            pass_time(max(0.0, min(ends) - now))
        elif until is not None and time.monotonic() >= until:
            return ready()
    return True


def run_until(ready: Callable[[], bool]) -> bool:
    """Lets others run until it is ready or none is left, and says which."""
    while not ready():
        if not _take(ready, None):
            return False
    return True


def sleep(seconds: float, /) -> None:
    """`time.sleep`: meanwhile others run."""
    if not _pending and not _running:
        pass_time(seconds)
        return
    until = time.monotonic() + seconds
    # Who starts a thread often sleeps once to let it work, and then tells it to stop. That works out when it begins
    # afterwards; whoever sleeps again waits for what it does.
    patience = _PATIENCE_WITH_LOCK if current().locks > 0 else 1
    passed_over = [turn for turn in _pending if turn.sleeps < patience and not turn.interval]
    for turn in passed_over:
        turn.sleeps += 1
    taken = _take(lambda: False, until, passed_over=passed_over)
    while (now := time.monotonic()) < until:
        if not taken:
            moment = min([until, *(turn.due for turn in _pending if turn.due > now)])
            _hold(moment, counted=False)
            pass_time(max(0.0, moment - now))
        taken = _take(lambda: False, until, passed_over=passed_over)
    if seconds < 0:
        pass_time(seconds)  # It has the words for that.


def idle(timeout: float | None, go_on: Callable[[float | None], bool]) -> float | None:
    """An event loop has nothing to do for so many seconds: runs a turn, or says how long the loop may wait.

    The turn may wait for what the loop would do next, so it is given the means to let it.
    """
    if _take(lambda: False, None, go_on=go_on):
        return 0.0
    due = min((turn.due for turn in _pending), default=None)
    if due is not None:
        remaining = max(0.0, due - time.monotonic())
        timeout = remaining if timeout is None else min(timeout, remaining)
    return timeout


def is_waited_for() -> bool:
    """Whether whoever let this turn run could go on."""
    return bool(_running) and any(one.ready() for one in _waiting)


def discard(turn: Turn) -> None:
    """It will not begin."""
    if turn in _pending:
        _pending.remove(turn)


def _go_on_below(until: float | None) -> bool:
    """Lets an event loop go on whose idleness the running turn fills."""
    return any(one.go_on(until) for one in reversed(_waiting) if one.go_on is not None)


def _take(
    ready: Callable[[], bool],
    until: float | None,
    first: Turn | None = None,
    passed_over: list[Turn] | None = None,
    go_on: Callable[[float | None], bool] | None = None,
) -> bool:
    if not _pending or len(_waiting) >= _MAX_DEPTH:
        return False
    now = time.monotonic()
    turn = first if first in _pending and first is not None and first.due <= now else None
    if turn is None:
        turn = next((one for one in _pending if one.due <= now and one not in (passed_over or ())), None)
    if turn is None:
        return False
    _pending.remove(turn)
    _waiting.append(_Waiting(ready, until, go_on))
    _running.append(turn)
    try:
        with apart():
            turn.run()
    except SetAside:
        pass
    finally:
        _running.pop()
        _waiting.pop()
    if turn.stuck is not None:
        raise turn.stuck
    return True


@contextmanager
def apart() -> Iterator[None]:
    """A thread of its own has no running event loop: `asyncio.run` works in it."""
    asyncio = sys.modules.get("asyncio")
    loop = asyncio._get_running_loop() if asyncio is not None else None
    if asyncio is None or loop is None:
        yield
        return
    task = asyncio.current_task(loop)
    if task is not None:
        asyncio.tasks._leave_task(loop, task)
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)
        if task is not None:
            asyncio.tasks._enter_task(loop, task)


def _drained() -> Iterator[Turn]:
    while _pending:
        yield _pending.popleft()


def _hold(until: float, *, counted: bool) -> None:
    """A turn is about to pass time. Those who wait for it to end may have something better to do."""
    turn = _running[-1] if _running else None
    if turn is None:
        return
    if turn.daemon and _ending and len(_waiting) == 1:
        raise SetAside
    if not any(one.ready() or (one.until is not None and one.until <= until) for one in _waiting):
        return
    if turn.daemon:
        turn.holding += max(0.0, until - time.monotonic())
        if turn.holding > _MAX_HOLD_SECONDS:
            raise SetAside
    elif counted:
        turn.vain += 1
        if turn.vain > _MAX_VAIN_WAITS:
            _give_up()


def _give_up() -> None:
    turn = _running[-1] if _running else None
    if turn is not None and turn.daemon:
        raise SetAside
    if turn is not None and turn.stuck is not None:
        raise SetAside  # Told once already, and whoever was told went on.
    deadlock = Deadlock(_message())
    if turn is not None:
        turn.stuck = deadlock
    raise deadlock


def _message() -> str:
    threading = sys.modules.get("threading")
    thread = threading.current_thread().name if threading is not None else "MainThread"
    return (
        f"the thread `{thread}` waits for {_awaited(sys._getframe(1))}, and nothing is left that could end the waiting: "
        "the sandbox has no threads, so a started thread runs in one go, when another one waits. "
        "Let each thread end by itself once it is given all it needs, or use asyncio"
    )


def _awaited(frame: FrameType | None) -> str:
    """`Queue.get()`, as the outermost frame of the standard library has it, and where the author's code calls it."""
    what = "a lock"
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if frame.f_code is _take.__code__:
            return what  # Below it is somebody else.
        if not module.startswith(_MACHINERY):
            return f"{what} in {frame.f_code.co_filename.rpartition('/')[2]}, line {frame.f_lineno}"
        owner = frame.f_locals.get("self")
        starts = module == "threading" and frame.f_code.co_name == "run"  # The thread's own beginning, not its waiting.
        if owner is not None and not starts and (module == "toolplane.locks" or not module.startswith("toolplane.")):
            what = f"{type(owner).__name__}.{frame.f_code.co_name}()"
        frame = frame.f_back
    return what
