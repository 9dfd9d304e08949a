"""No network while a tool is imported.

The C library asks its host for the network at the first lookup, bind or connection and keeps what it got, which in the
snapshot means nothing: the first invocation to connect would end the interpreter. And `urllib3`, which most clients are
built on, binds a socket when it is imported, to see whether there is IPv6. So nothing of that reaches the C library then.
What goes past these functions is refused by the host (`sdk/src/snapshot.rs`).
"""

import errno
import functools
from collections.abc import Callable
from typing import Any

from toolplane import after_import, watching
from toolplane.errors import EgressDenied

_FUNCTIONS = ("getaddrinfo", "getnameinfo", "gethostbyaddr", "gethostbyname", "gethostbyname_ex")
_METHODS = ("bind", "connect", "listen", "sendmsg", "sendto")


def install() -> None:
    """Mends `socket` when it is imported."""
    after_import.repair("socket", _repair_socket)


def _repair_socket() -> None:
    import socket

    for owner, names in ((socket, _FUNCTIONS), (socket.socket, _METHODS)):
        for name in names:
            if hasattr(owner, name):
                setattr(owner, name, _later(getattr(owner, name)))
    connect_ex = socket.socket.connect_ex

    def connect_or_number(self: Any, address: Any, /) -> int:
        return errno.EACCES if watching.is_on() else connect_ex(self, address)

    socket.socket.connect_ex = connect_or_number  # type: ignore[method-assign]


def _later(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def unless_imported(*args: Any, **kwargs: Any) -> Any:
        if watching.is_on():
            raise EgressDenied("there is no network while a tool is imported: use it inside the function")
        return function(*args, **kwargs)

    return unless_imported
