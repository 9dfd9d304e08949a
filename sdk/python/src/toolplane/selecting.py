"""`select` and `poll` with nothing to wait for: on Linux time passes, while WASI ends a program that waits for nothing.

Others may run meanwhile. Without a time limit nothing could ever end the waiting, so that is a `Deadlock` which says so.
"""

from typing import Any

from toolplane import turns


def install() -> None:
    """Mends both functions."""
    import select as module

    select, poll = module.select, module.poll

    def select_or_pass_time(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None, /) -> Any:
        rlist, wlist, xlist = list(rlist), list(wlist), list(xlist)
        if rlist or wlist or xlist or (timeout is not None and timeout <= 0):
            return select(rlist, wlist, xlist, timeout)
        _pass(timeout)
        return [], [], []

    class Poll:
        """A polling object that knows whether it has something to wait for."""

        def __init__(self) -> None:
            self._poll = poll()
            self._files: set[int] = set()

        def register(self, fd: Any, eventmask: int = module.POLLIN | module.POLLPRI | module.POLLOUT, /) -> None:
            self._poll.register(fd, eventmask)
            self._files.add(_number(fd))

        def modify(self, fd: Any, eventmask: int, /) -> None:
            self._poll.modify(fd, eventmask)

        def unregister(self, fd: Any, /) -> None:
            self._poll.unregister(fd)
            self._files.discard(_number(fd))

        def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
            if self._files or timeout == 0:
                return self._poll.poll(timeout)
            # Any negative number means no limit.
            _pass(None if timeout is None or timeout < 0 else timeout / 1000)
            return []

    module.select = select_or_pass_time
    module.poll = Poll  # type: ignore[assignment, misc]


def _pass(seconds: float | None) -> None:
    if seconds is not None:
        turns.sleep(seconds)
        return
    try:
        turns.wait(lambda: False)
    except turns.Deadlock:  # Nobody else has anything left to do, and it takes the waiting for that for a lock.
        raise turns.Deadlock(
            "select waits for no file and has no time limit, so nothing can ever end it: give it a socket or a timeout"
        ) from None


def _number(file: Any) -> int:
    return file if isinstance(file, int) else int(file.fileno())
