"""Says why there are no processes, pipes and alarms, and what to do instead.

CPython's own words here are "module 'os' has no attribute 'fork'" and "wasi does not support processes". The names
stay missing, since packages ask with `hasattr` whether they may use them.
"""

import os
import sys
from typing import Any, cast

from toolplane import after_import
from toolplane.absent import ONE_PROCESS, unavailable

_PROGRAMS = "call a package's functions instead of a program"
_THREADS = "use `concurrent.futures.ThreadPoolExecutor`, `threading` or `asyncio`"
_TIME = "use `asyncio.timeout`, or `timeout` in [tool.toolplane] of pyproject.toml"

_OS = {
    **dict.fromkeys(("system", "execv", "execve", "execvp", "spawnv", "spawnve", "spawnl", "posix_spawn"), _PROGRAMS),
    **dict.fromkeys(("fork", "forkpty", "pipe", "pipe2", "wait", "register_at_fork"), _THREADS),
    **dict.fromkeys(("kill", "killpg", "abort"), "raise an exception instead"),
    "openpty": "there is no terminal",
}
_SIGNAL = {
    **dict.fromkeys(("alarm", "setitimer", "getitimer", "pause", "ITIMER_REAL"), _TIME),
    **dict.fromkeys(("pthread_kill", "pthread_sigmask", "set_wakeup_fd", "sigwait"), "no signal ever comes"),
}


def install() -> None:
    """Mends the words of `os`, `signal`, `subprocess` and `multiprocessing`."""
    _explain(os, _OS)
    if not hasattr(os, "waitpid"):
        # `pty` imports it by its name, and nobody asks for it to learn whether there are processes.
        cast(Any, os).waitpid = _refused("os.waitpid")
    after_import.repair("signal", lambda: _explain(__import__("signal"), _SIGNAL))
    after_import.repair("subprocess", _repair_subprocess)
    after_import.repair("multiprocessing.context", _repair_context)
    after_import.repair("multiprocessing.process", _repair_process)
    after_import.repair("ctypes.util", _repair_ctypes)


def no_program(program: Any) -> OSError:
    """The error for a program that somebody wants to run."""
    return unavailable(f"the program {os.fsdecode(program)!r}", _PROGRAMS)


def _explain(module: Any, reasons: dict[str, str]) -> None:
    def missing(name: str) -> Any:
        reason = f": {ONE_PROCESS}; {reasons[name]}" if name in reasons else ""
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}{reason}", name=name, obj=module)

    module.__getattr__ = missing


def _repair_subprocess() -> None:
    import subprocess

    def refuse(self: Any, args: Any, *rest: Any, **kwargs: Any) -> None:
        self.args, self.returncode, self._child_created = args, None, False
        raise no_program(args if isinstance(args, (str, bytes, os.PathLike)) else next(iter(args), ""))

    cast(Any, subprocess.Popen).__init__ = refuse


def _repair_process() -> None:
    # Its package has not got it as an attribute yet.
    cast(Any, sys.modules["multiprocessing.process"]).BaseProcess.start = _refused("multiprocessing.Process")


def _repair_context() -> None:
    """What is shared between processes is shared with nobody, and works; what starts one cannot."""
    import queue
    import threading
    from multiprocessing import context

    class Queue(queue.Queue[Any]):
        """As `multiprocessing.Queue`."""

        def close(self) -> None:
            """Nobody else has it."""

        join_thread = cancel_join_thread = close

    base: Any = context.BaseContext
    for name in ("Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "Event", "Barrier"):
        setattr(base, name, _of_context(getattr(threading, name)))
    for name in ("Queue", "JoinableQueue", "SimpleQueue"):
        setattr(base, name, _of_context(Queue))
    for name in ("Pool", "Manager", "Pipe", "Value", "Array", "RawValue", "RawArray"):
        setattr(base, name, _refused(f"multiprocessing.{name}"))


def _of_context(make: Any) -> Any:
    return lambda self, *args, **kwargs: make(*args, **kwargs)


def _refused(what: str) -> Any:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise unavailable(what, _THREADS + ", or `multiprocessing.pool.ThreadPool`")

    return refuse


def _repair_ctypes() -> None:
    cast(Any, sys.modules["ctypes.util"]).find_library = lambda name: None
