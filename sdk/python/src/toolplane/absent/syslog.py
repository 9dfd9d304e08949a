"""`syslog`: what is logged goes to standard error, and so into the invocation's logs."""

import sys
from typing import Any

LOG_EMERG, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG = range(8)
LOG_PID, LOG_CONS, LOG_ODELAY, LOG_NDELAY, LOG_NOWAIT, LOG_PERROR = 1, 2, 4, 8, 16, 32
LOG_KERN, LOG_USER, LOG_MAIL, LOG_DAEMON, LOG_AUTH, LOG_SYSLOG, LOG_LPR, LOG_NEWS, LOG_UUCP, LOG_CRON = range(0, 80, 8)
LOG_AUTHPRIV = 80
LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7 = range(128, 192, 8)

_ident = ""


def openlog(ident: str = "", logoption: int = 0, facility: int = LOG_USER) -> None:
    global _ident
    _ident = ident


def syslog(*arguments: Any) -> None:
    """The message is the last of one or two."""
    print(f"{_ident}: {arguments[-1]}" if _ident else arguments[-1], file=sys.stderr)


def closelog() -> None:
    openlog()


def setlogmask(maskpri: int, /) -> int:
    return 0xFF


def LOG_MASK(pri: int, /) -> int:
    return 1 << pri


def LOG_UPTO(pri: int, /) -> int:
    return (1 << (pri + 1)) - 1
