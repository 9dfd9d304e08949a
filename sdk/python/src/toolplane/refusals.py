"""Why a connection was not made, in words, with the name that was asked for.

`socket` raises it at once (`network_repair.py`), and an event loop learns of it later, by a number (`eventloop.py`).
"""

import errno
from typing import Any

from toolplane import egress
from toolplane.errors import EgressDenied

# What is connected to is an address that stands for a name, and a message has to say the name.
names: dict[Any, Any] = {}


def not_connected(address: Any, error: OSError) -> OSError:
    """What to raise for a connection that was not made: the same error where there is nothing to add."""
    if isinstance(error, EgressDenied) or not isinstance(address, tuple) or len(address) < 2:
        return error
    host, port = names.get(address[0], address[0]), address[1]
    if isinstance(error, PermissionError):
        return explained(host, port) or EgressDenied(
            f"the tool may not connect to {host}:{port}: "
            f"its address is one that the service keeps tools from ({error.strerror})"
        )
    if error.errno == errno.EMFILE:
        text = "the invocation has as many connections as it may have (`max_connections` of the service's configuration)"
        return OSError(errno.EMFILE, text)
    text = error.strerror or ""
    if host is not address[0] and str(address) in text:  # As asyncio writes it.
        return OSError(error.errno, text.replace(str(address), str((host, port))))
    return error


def explained(host: Any, port: Any) -> EgressDenied | None:
    """Why a host may not be connected to; None where the project allows it."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    number = int(port) if isinstance(port, int) or (isinstance(port, str) and port.isdecimal()) else None
    message = egress.explain(name, number)
    return None if message is None else EgressDenied(message)
