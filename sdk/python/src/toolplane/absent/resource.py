"""`resource`: limits are the host's and cannot be asked for; what a tool uses is known as far as Python knows it."""

import time
from collections import namedtuple
from typing import Any

error = OSError
RLIM_INFINITY = -1
(
    RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE,
    RLIMIT_MEMLOCK, RLIMIT_AS,
) = range(10)  # fmt: skip
RUSAGE_SELF, RUSAGE_CHILDREN, RUSAGE_THREAD = 0, -1, 1

struct_rusage = namedtuple(
    "struct_rusage",
    "ru_utime ru_stime ru_maxrss ru_ixrss ru_idrss ru_isrss ru_minflt ru_majflt ru_nswap ru_inblock ru_oublock "
    "ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw",
)


def getrusage(who: int, /) -> Any:
    return struct_rusage(time.process_time() if who != RUSAGE_CHILDREN else 0.0, 0.0, *[0] * 14)


def getrlimit(resource: int, /) -> tuple[int, int]:
    return RLIM_INFINITY, RLIM_INFINITY


def setrlimit(resource: int, limits: Any, /) -> None:
    raise ValueError("the sandbox sets the limits: `timeout` and `memory` in [tool.toolplane] of pyproject.toml")


def getpagesize() -> int:
    return 65536
