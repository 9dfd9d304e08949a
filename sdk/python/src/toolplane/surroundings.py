"""What a process finds around it on Linux and not in the sandbox: a user, a home, a program's name, a host's name.

Without it `Path.home()`, `getpass.getuser()` and `argparse.ArgumentParser()` raise, and `socket.getfqdn()`, which the
`email` package calls, asks the network.
"""

import errno
import os
import sys
import time
from typing import Any

from toolplane import after_import

USER = "tool"
USER_ID = 1000
HOME = "/tmp"
HOST = "localhost"

_VARIABLES = {
    "HOME": HOME,
    "USER": USER,
    "LOGNAME": USER,
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    # Where the base has the time zones (`sdk/src/time_zones.rs`). A package `tzdata` comes second, as on Linux.
    "PYTHONTZPATH": "/python/share/zoneinfo",
    # A proxy could only be reached where the project allows it, and what goes through one has no host to be held against.
    "NO_PROXY": "*",
    # The package `coverage` would trace by `sys.monitoring`, with a lock in hand. Our locks are Python, which it traces too.
    "COVERAGE_CORE": "pytrace",
}


def provide() -> None:
    """Sets the variables and arguments that are missing. A variable of the tool's own comes later and wins."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    sys.argv = sys.argv or [USER]


def install() -> None:
    """Sets what is missing."""
    provide()
    for name, function in _FUNCTIONS.items():
        if not hasattr(os, name):
            setattr(os, name, function)
    for name in ("thread_time", "thread_time_ns"):
        if not hasattr(time, name):
            setattr(time, name, getattr(time, name.replace("thread", "process")))
    after_import.repair("socket", _repair_socket)


def is_of_proxies(variable: str) -> bool:
    """Whether libraries read this variable for a proxy: it leads nowhere, whoever has set it."""
    scheme, _, rest = variable.lower().partition("_")
    return rest == "proxy" and scheme in _PROXY_SCHEMES


def _user_id() -> int:
    return USER_ID


def _terminal_size(fd: int = 1, /) -> Any:
    raise OSError(errno.ENOTTY, "Inappropriate ioctl for device: the sandbox has no terminal")


def _random(size: int, flags: int = 0) -> bytes:
    return os.urandom(size)


_PROXY_SCHEMES = frozenset(("http", "https", "all", "no", "ftp", "ws", "wss", "socks", "socks4", "socks5"))

_FUNCTIONS: dict[str, Any] = {
    **dict.fromkeys(("getuid", "geteuid", "getgid", "getegid"), _user_id),
    "getgroups": lambda: [USER_ID],
    "getlogin": lambda: USER,
    "getppid": lambda: 1,
    "getpgrp": lambda: os.getpid(),
    "getpgid": lambda pid, /: os.getpid(),
    "getsid": lambda pid, /: os.getpid(),
    "umask": lambda mask, /: 0o022,
    "getloadavg": lambda: (0.0, 0.0, 0.0),
    "sched_getaffinity": lambda pid, /: {0},
    "get_terminal_size": _terminal_size,
    "getrandom": _random,
    "sync": lambda: None,
}


def _repair_socket() -> None:
    import socket

    by_name, full_name = socket.gethostbyname, socket.getfqdn

    def gethostbyname(hostname: str, /) -> str:
        return "127.0.0.1" if hostname == HOST else by_name(hostname)

    def getfqdn(name: str = "") -> str:
        return HOST if name in ("", HOST, "0.0.0.0", "::") else full_name(name)

    socket.gethostname = lambda: HOST
    socket.gethostbyname = gethostbyname
    socket.getfqdn = getfqdn
