"""`fcntl`: a lock on a file is always had, since nobody else has the file."""

import errno
from typing import Any

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW = range(8)
F_RDLCK, F_WRLCK, F_UNLCK = range(3)
F_DUPFD_CLOEXEC = 1030
FD_CLOEXEC = 1
LOCK_SH, LOCK_EX, LOCK_NB, LOCK_UN = 1, 2, 4, 8


def flock(fd: Any, operation: int, /) -> None:
    """The lock is had."""


def lockf(fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> None:
    """The lock is had."""


def fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    """There is no program to pass a file on to, so its flags do nothing."""
    if cmd in (F_GETLK, F_SETLK, F_SETLKW):
        return arg
    if cmd in (F_GETFD, F_SETFD, F_GETFL, F_SETFL):
        return 0
    raise OSError(errno.EINVAL, "the sandbox has no such operation on files")


def ioctl(fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
    """There is no terminal and no device."""
    raise OSError(errno.ENOTTY, "Inappropriate ioctl for device: the sandbox has no terminal")
