"""What stands in for the extension modules that CPython has on Linux and not in the sandbox, one file for each.

All of them can be imported, since packages do that wherever they run. What one process without native code can have
works; the rest raises when it is used, and says why. Two are the compiled parts of packages that many others need.
"""

import errno

ONE_PROCESS = "the sandbox has one process and no native code"


def unavailable(what: str, instead: str) -> OSError:
    """The error for what cannot be had here."""
    return OSError(errno.ENOSYS, f"{what} cannot be used: {ONE_PROCESS}; {instead}")
