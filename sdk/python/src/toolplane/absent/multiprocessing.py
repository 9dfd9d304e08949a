"""`_multiprocessing`: semaphores between processes, of which there is one."""

from typing import Any

from toolplane.absent import unavailable

flags: dict[str, int] = {}


class SemLock:
    SEM_VALUE_MAX = 2**31 - 1

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise unavailable("a semaphore between processes", "use those of `threading`")


def sem_unlink(name: str, /) -> None:
    raise FileNotFoundError(name)
