"""Makes refusals of the network readable, and the standard library's mail and FTP clients check certificates.

The sandbox's C library knows one number for "refused", so the reason is looked up (`refusals.py`). What is refused and
what is not is the host's decision alone.
"""

from typing import Any

from toolplane import after_import, refusals, standins


def install() -> None:
    """Mends `socket` and `ssl` when they are imported."""
    standins.install()
    after_import.repair("socket", _repair_socket)
    after_import.repair("ssl", _repair_ssl)


def _repair_socket() -> None:
    import _socket
    import socket

    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        try:
            found = look_up(host, port, family, type, proto, flags)
            refusals.names.update((entry[4][0], host) for entry in found)
            return found
        except socket.gaierror:
            denied = refusals.explained(host, port)
            if denied is None:  # It may be asked for, and there is no such name.
                raise
        raise denied

    def connect(self: Any, address: Any, /) -> None:
        try:
            _socket.socket.connect(self, address)
            return
        except BlockingIOError:  # An event loop asks later (`eventloop.py`).
            raise
        except OSError as error:
            refused = refusals.not_connected(address, error)
            if refused is error:
                raise
        raise refused

    socket.getaddrinfo = getaddrinfo
    # The class is Python's own, over the C one.
    socket.socket.connect = connect  # type: ignore[method-assign]


def _repair_ssl() -> None:
    import ssl
    from typing import cast

    # What smtplib, imaplib, poplib and ftplib use when they are given no context trusts anybody, for old times' sake.
    cast(Any, ssl)._create_stdlib_context = ssl.create_default_context
