"""Makes refusals of the network readable, and the standard library's mail and FTP clients check certificates.

The sandbox's C library knows one number for "refused", so the reason is looked up here. What is refused and what is
not is the host's decision alone.
"""

from typing import Any

from toolplane import after_import, egress, standins
from toolplane.errors import EgressDenied


def install() -> None:
    """Mends `socket` and `ssl` when they are imported."""
    standins.install()
    after_import.repair("socket", _repair_socket)
    after_import.repair("ssl", _repair_ssl)


def _repair_socket() -> None:
    import _socket
    import socket

    look_up = socket.getaddrinfo
    # What is connected to is an address that stands for a name, and a message has to say the name.
    names: dict[Any, Any] = {}

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        try:
            found = look_up(host, port, family, type, proto, flags)
            names.update((entry[4][0], host) for entry in found)
            return found
        except socket.gaierror:
            denied = _explained(host, port)
            if denied is None:  # It may be asked for, and there is no such name.
                raise
        raise denied

    def connect(self: Any, address: Any, /) -> None:
        try:
            _socket.socket.connect(self, address)
            return
        except PermissionError as error:
            host = names.get(address[0], address[0])
            denied = _explained(host, address[1]) or EgressDenied(
                f"the tool may not connect to {host}:{address[1]}: "
                f"its address is one that the service keeps tools from ({error.strerror})"
            )
        raise denied

    socket.getaddrinfo = getaddrinfo
    # The class is Python's own, over the C one.
    socket.socket.connect = connect  # type: ignore[method-assign]


def _explained(host: Any, port: Any) -> EgressDenied | None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    number = int(port) if isinstance(port, int) or (isinstance(port, str) and port.isdecimal()) else None
    message = egress.explain(name, number)
    return None if message is None else EgressDenied(message)


def _repair_ssl() -> None:
    import ssl
    from typing import cast

    # What smtplib, imaplib, poplib and ftplib use when they are given no context trusts anybody, for old times' sake.
    cast(Any, ssl)._create_stdlib_context = ssl.create_default_context
