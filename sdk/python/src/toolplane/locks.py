"""`threading.Lock` for a sandbox with one thread: whoever has to wait lets others run.

The lock of CPython's own ends the whole interpreter when it is waited for here, since nobody could ever release it.
Conditions, events, semaphores, barriers and queues are made of locks, so they need nothing more.
"""

from typing import Any

from toolplane import turns


class Signal:
    """As `_thread.lock`, with its words for what is wrong. One to wait for: who releases it did not acquire it."""

    __slots__ = ("_locked", "__weakref__")

    def __init__(self) -> None:
        self._locked = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not blocking:
            if timeout != -1:
                raise ValueError("can't specify a timeout for a non-blocking call")
        elif timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if self._locked:
            if not blocking or not turns.wait(lambda: not self._locked, None if timeout == -1 else timeout):
                return False
        self._locked = True
        return True

    def release(self) -> None:
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        self._locked = False

    def locked(self) -> bool:
        return self._locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._locked = False

    def __repr__(self) -> str:
        state = "locked" if self._locked else "unlocked"
        return f"<{state} {type(self).__module__}.{type(self).__qualname__} object at {id(self):#x}>"

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


class Lock(Signal):
    """One that is held for a while by who acquired it."""

    __slots__ = ("_holder",)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not super().acquire(blocking, timeout):
            return False
        self._holder = turns.current()
        self._holder.locks += 1
        return True

    def release(self) -> None:
        super().release()
        self._holder.locks -= 1

    __enter__ = acquire
    acquire_lock = acquire
    release_lock = release


Lock.__module__, Lock.__qualname__, Lock.__name__ = "_thread", "lock", "lock"


def install_into(threading: Any) -> None:
    """Lets the module make these."""
    threading.Lock = threading._LockType = Lock
    # What conditions wait for.
    threading._allocate_lock = Signal
    acquire, release = threading.Semaphore.acquire, threading.Semaphore.release

    def acquire_semaphore(self: Any, blocking: bool = True, timeout: float | None = None) -> bool:
        if acquire(self, blocking, timeout):
            turns.current().locks += 1
            return True
        return False

    def release_semaphore(self: Any, n: int = 1) -> None:
        release(self, n)
        turns.current().locks -= n

    threading.Semaphore.acquire = threading.Semaphore.__enter__ = acquire_semaphore
    threading.Semaphore.release = release_semaphore


def repair_queue() -> None:
    """The C queue waits in C. A full queue takes more where nobody could ever take from it."""
    import queue
    from typing import cast

    module = cast(Any, queue)
    module.SimpleQueue = module._PySimpleQueue
    put = module.Queue.put

    def put_or_exceed(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if block and timeout is None and turns.current_ident() is not None and self.maxsize > 0:
            if not turns.run_until(lambda: self._qsize() < self.maxsize):
                # The turn cannot stop in the middle for those who wait for its end, and they are who would take.
                bound, self.maxsize = self.maxsize, 0
                try:
                    put(self, item)
                finally:
                    self.maxsize = bound
                return
        put(self, item, block, timeout)

    module.Queue.put = put_or_exceed
