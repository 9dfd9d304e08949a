"""`_ssl._SSLContext`: the settings of TLS connections.

The host decides about certificates, versions and ciphers. Settings are kept, so that libraries find what they have
set, and those that would make a connection less safe are refused when one is made.
"""

import os
from typing import Any

from toolplane.tls import constants
from toolplane.tls.bio import MemoryBIO
from toolplane.tls.connection import BufferChannel, Connection, SocketChannel
from toolplane.tls.errors import SSL_ERROR_SSL, SSLError


class _SSLContext:
    """What `ssl.SSLContext` extends, and whose properties it looks up on the class."""

    alpn: list[str]
    _protocol: int
    sni_callback: Any = None
    keylog_filename: str | None = None
    post_handshake_auth = False
    num_tickets = 2
    security_level = 2
    _host_flags = constants.HOSTFLAG_NO_PARTIAL_WILDCARDS

    def __new__(cls, protocol: int = constants.PROTOCOL_TLS, /) -> "_SSLContext":
        self = super().__new__(cls)
        self._protocol = protocol
        self._options = constants.OP_ALL | constants.OP_NO_SSLv3 | constants.OP_NO_COMPRESSION
        self._verify_flags = constants.VERIFY_X509_TRUSTED_FIRST
        client = protocol == constants.PROTOCOL_TLS_CLIENT
        self._check_hostname = client
        self._verify_mode = constants.CERT_REQUIRED if client else constants.CERT_NONE
        self._minimum = constants.PROTO_TLSv1_2
        self._maximum = constants.PROTO_MAXIMUM_SUPPORTED
        self._message_callback = None
        self.alpn = []
        return self

    @property
    def protocol(self) -> int:
        return self._protocol

    @property
    def options(self) -> int:
        return self._options

    @options.setter
    def options(self, value: int) -> None:
        self._options = int(value)

    @property
    def verify_flags(self) -> int:
        return self._verify_flags

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        self._verify_flags = int(value)

    @property
    def verify_mode(self) -> int:
        return self._verify_mode

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        if value not in (constants.CERT_NONE, constants.CERT_OPTIONAL, constants.CERT_REQUIRED):
            raise ValueError("invalid value for verify_mode")
        if value == constants.CERT_NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        self._verify_mode = int(value)

    @property
    def check_hostname(self) -> bool:
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, value: Any) -> None:
        self._check_hostname = bool(value)
        if value and self._verify_mode == constants.CERT_NONE:
            self._verify_mode = constants.CERT_REQUIRED

    @property
    def minimum_version(self) -> int:
        return self._minimum

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        self._minimum = int(value)

    @property
    def maximum_version(self) -> int:
        return self._maximum

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        self._maximum = int(value)

    @property
    def _msg_callback(self) -> Any:
        return self._message_callback

    @_msg_callback.setter
    def _msg_callback(self, value: Any) -> None:
        self._message_callback = value

    def refuse_unverified(self) -> None:
        """Raises when the tool asks for a connection to anybody who says that it is the server."""
        if self._verify_mode == constants.CERT_NONE:
            raise SSLError(
                SSL_ERROR_SSL,
                "certificates cannot go unchecked in the sandbox (verify=False, CERT_NONE): leave verification on; "
                "an operator can add a private certificate authority to the service's configuration",
            )

    def _set_alpn_protocols(self, protocols: bytes) -> None:
        names, rest = [], bytes(protocols)
        while rest:
            names.append(rest[1 : 1 + rest[0]].decode("ascii"))
            rest = rest[1 + rest[0] :]
        self.alpn = names

    def _wrap_socket(
        self, sock: Any, server_side: bool, server_hostname: str | None = None, *, owner: Any = None, session: Any = None
    ) -> Connection:
        self._refuse_server(server_side)
        return Connection(self, SocketChannel(sock), server_hostname, owner)

    def _wrap_bio(
        self,
        incoming: MemoryBIO,
        outgoing: MemoryBIO,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: Any = None,
        session: Any = None,
    ) -> Connection:
        self._refuse_server(server_side)
        return Connection(self, BufferChannel(incoming, outgoing), server_hostname, owner)

    def _refuse_server(self, server_side: bool) -> None:
        if server_side or self._protocol == constants.PROTOCOL_TLS_SERVER:
            raise SSLError(SSL_ERROR_SSL, "a tool cannot be a TLS server: the sandbox only connects to others")

    def load_cert_chain(self, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
        """Client certificates would need the key in the host."""
        raise SSLError(SSL_ERROR_SSL, "client certificates (load_cert_chain) are not supported in the sandbox")

    def load_verify_locations(self, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        """Checks that they are there. The host trusts the authorities of its configuration and no others."""
        if cafile is None and capath is None and cadata is None:
            raise TypeError("cafile, capath and cadata cannot be all omitted")
        for path in (cafile, capath):
            if path is not None:
                os.stat(path)

    def set_default_verify_paths(self) -> None:
        """They are the host's."""

    def set_ciphers(self, ciphers: str, /) -> None:
        """The host chooses among those that are safe."""

    def set_ecdh_curve(self, name: str, /) -> None:
        """The host chooses."""

    def load_dh_params(self, path: Any, /) -> None:
        """For servers."""

    def get_ciphers(self) -> list[dict[str, Any]]:
        """What the host offers."""
        return [{"name": name, "protocol": "TLSv1.3"} for name in constants.CIPHERS]

    def get_ca_certs(self, binary_form: bool = False) -> list[Any]:
        """None that the guest knows."""
        return []

    def cert_store_stats(self) -> dict[str, int]:
        """None that the guest knows."""
        return {"x509": 0, "crl": 0, "x509_ca": 0}

    def session_stats(self) -> dict[str, int]:
        """Sessions are the host's."""
        names = "number connect connect_good connect_renegotiate accept accept_good accept_renegotiate hits misses"
        return dict.fromkeys([*names.split(), "timeouts", "cache_full"], 0)
