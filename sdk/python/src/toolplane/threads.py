"""`threading.Thread` and `_thread.start_new_thread`: CPython raises "can't start new thread" in the sandbox.

A thread becomes a turn (see `turns.py`). It has its own number, locals, context and excepthook, and is the current
thread while it runs.
"""

import itertools
import time
from collections.abc import Callable
from typing import Any

from toolplane import after_import, locks, thread_local, turns
from toolplane.turns import Deadlock, SetAside, Turn

_numbers = itertools.count(1)


def install() -> None:
    """Mends `threading`, `queue` and `time.sleep`."""
    setattr(time, "sleep", _Clock().sleep)
    after_import.repair("threading", _repair_threading)
    after_import.repair("queue", locks.repair_queue)


class _Clock:
    """A method, and no function: as an attribute of a class of somebody's, `time.sleep` must not bind."""

    def sleep(self, seconds: float, /) -> None:
        turns.sleep(seconds)


def enlist(thread: Any, daemon: bool) -> None:
    """Makes it a thread that has started, with a number of its own."""
    import _thread
    import threading

    # No number is given twice, and none is that of the main thread.
    ident = _thread.get_ident() + next(_numbers)
    thread._ident = ident
    thread._native_id = ident
    thread._daemonic = daemon
    # A handle as that of the main thread: one that somebody else marks as done.
    thread._os_thread_handle = _thread._make_thread_handle(ident)  # type: ignore[attr-defined]
    thread._started.set()
    threading._active[ident] = thread  # type: ignore[attr-defined]


def dismiss(thread: Any) -> None:
    """It has ended."""
    import threading

    threading._active.pop(thread._ident, None)  # type: ignore[attr-defined]
    thread._os_thread_handle._set_done()
    thread_local.forget(thread._ident)


def run(turn: Turn, thread: Any, function: Callable[[], object]) -> None:
    """Runs what the thread is for. What it raises is the excepthook's, but for having waited in vain."""
    try:
        function()
        turn.stuck = None
    except SetAside:
        pass  # Whoever let the turn run is told, if anybody is to be told.
    except Deadlock as error:
        turn.stuck = error  # Its own, or that of a thread that it let run: whoever let this one run is told, too.
    except BaseException:
        turn.stuck = None
        thread._invoke_excepthook(thread)


def _repair_threading() -> None:
    import _thread
    import contextvars
    import sys
    import threading
    from typing import cast

    module: Any = threading
    main_ident = _thread.get_ident

    def get_ident() -> int:
        return turns.current_ident() or main_ident()

    def start(self: Any) -> None:
        if not self._initialized:
            raise RuntimeError("thread.__init__() not called")
        if self._started.is_set():
            raise RuntimeError("threads can only be started once")
        if self._context is None:
            inherits = getattr(sys.flags, "thread_inherit_context", 0)
            self._context = contextvars.copy_context() if inherits else contextvars.Context()
        enlist(self, self._daemonic)
        turn = Turn(lambda: None, self._ident, self._daemonic)
        if type(self).run is threading.Timer.run:
            turn.interval = max(0.0, float(self.interval))

        def run_thread() -> None:
            try:
                run(turn, self, lambda: self._context.run(self.run))
            finally:
                dismiss(self)

        turn.run = run_thread
        self._turn = turn
        turns.add(turn)

    def join(self: Any, timeout: float | None = None) -> None:
        if not self._initialized:
            raise RuntimeError("Thread.__init__() not called")
        if not self._started.is_set():
            raise RuntimeError("cannot join thread before it is started")
        if self is threading.current_thread():
            raise RuntimeError("cannot join current thread")
        turns.wait(self._os_thread_handle.is_done, None if timeout is None else max(timeout, 0), self._turn)

    def is_alive(self: Any) -> bool:
        if not self._initialized:
            raise AssertionError("Thread.__init__() not called")
        turn = getattr(self, "_turn", None)
        if turn is not None and turns.is_pending(turn) and not turn.interval:
            # Whoever asks again waits for it to end.
            if turn.sleeps:
                turns.wait(self._os_thread_handle.is_done, 0, turn)
            turn.sleeps += 1
        return self._started.is_set() and not self._os_thread_handle.is_done()

    def run_timer(self: Any) -> None:
        # Its turn began when its time had come.
        if not self.finished.is_set():
            self.function(*self.args, **self.kwargs)
        self.finished.set()

    def cancel_timer(self: Any) -> None:
        self.finished.set()
        turn = getattr(self, "_turn", None)
        if turn is not None and turns.is_pending(turn):
            turns.discard(turn)
            dismiss(self)

    def start_new_thread(function: Any, args: Any, kwargs: Any = {}, /) -> int:
        if not callable(function):
            raise TypeError("first arg must be callable")
        thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return cast(int, thread.ident)

    locks.install_into(module)
    module.local = thread_local.local
    module.get_ident = get_ident
    module.Thread.start, module.Thread.join, module.Thread.is_alive = start, join, is_alive
    module.Thread._turn = None
    module.Timer.run, module.Timer.cancel = run_timer, cancel_timer
    if not hasattr(module, "get_native_id"):
        module.get_native_id = get_ident
        module.Thread.native_id = property(lambda self: self._native_id)
        module.main_thread()._native_id = main_ident()
        module.Thread._native_id = None
    low_level: Any = _thread
    low_level.start_new_thread = low_level.start_new = start_new_thread
    low_level.allocate_lock = low_level.allocate = locks.Lock
