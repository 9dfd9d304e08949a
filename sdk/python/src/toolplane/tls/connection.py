"""`_ssl._SSLSocket`: a TLS connection over a socket or over two buffers."""

import _socket
from typing import Any, Protocol

from toolplane.tls import errors, handshake
from toolplane.tls.bio import MemoryBIO


class Channel(Protocol):
    """What a TLS connection runs on."""

    def receive(self, size: int) -> bytes:
        """Up to this many bytes; none at the end. Raises SSLWantReadError when there are none yet."""

    def send(self, data: Any) -> int:
        """Sends some of it and answers how much."""


class SocketChannel:
    """A connected socket. `ssl.SSLSocket` overrides `recv` and `send`, so the class that it extends is asked."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def receive(self, size: int) -> bytes:
        try:
            return _socket.socket.recv(self._socket, size)
        except BlockingIOError:
            raise errors.want_read() from None
        except TimeoutError:
            raise TimeoutError("The read operation timed out") from None

    def send(self, data: Any) -> int:
        try:
            return _socket.socket.send(self._socket, data)
        except BlockingIOError:
            raise errors.SSLWantWriteError(errors.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)") from None
        except TimeoutError:
            raise TimeoutError("The write operation timed out") from None


class BufferChannel:
    """Two buffers, whose bytes an async library moves."""

    def __init__(self, incoming: MemoryBIO, outgoing: MemoryBIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing

    def receive(self, size: int) -> bytes:
        data = self._incoming.read(size)
        if not data and not self._incoming.eof:
            raise errors.want_read()
        return data

    def send(self, data: Any) -> int:
        return self._outgoing.write(data)


class Connection:
    """What `ssl.SSLSocket` and `ssl.SSLObject` call their `_sslobj`."""

    def __init__(self, context: Any, channel: Channel, server_hostname: str | None, owner: Any) -> None:
        self.context = context
        self.server_side = False
        self.server_hostname = server_hostname
        self.owner = owner
        self.session = None
        self.session_reused = False
        self._channel = channel
        self._unsent = b""
        self._received = bytearray()
        self._asked = False
        self._session: handshake.Session | None = None

    def do_handshake(self) -> None:
        """Lets the host shake hands with the server. After a "want" it is called again and goes on."""
        if self._session is not None:
            return
        if not self._asked:
            self.context.refuse_unverified()
            self._unsent = handshake.question(self.server_hostname, self.context.alpn)
            self._asked = True
        while self._unsent:
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        while missing := handshake.missing(self._received):
            data = self._channel.receive(missing)
            if not data:
                raise errors.ended()
            self._received += data
        self._session = handshake.answer(self._received)
        self._received.clear()

    def read(self, size: int = 1024, buffer: Any = None, /) -> Any:
        """Receives up to `size` bytes, into the buffer when there is one."""
        self.do_handshake()
        if buffer is None:
            return self._channel.receive(size) if size else b""
        view = memoryview(buffer).cast("B")
        size = min(size, len(view)) if size > 0 else len(view)
        data = self._channel.receive(size) if size else b""
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int:
        """Sends some of the bytes and answers how many."""
        self.do_handshake()
        return self._channel.send(data) if len(memoryview(data)) else 0

    def pending(self) -> int:
        """What is decrypted lies in the socket, where `select` sees it, and never here."""
        return 0

    def shutdown(self) -> Any:
        """Ends TLS. What comes after it on the connection would be plain text, which the host does not offer."""
        return self.owner

    def version(self) -> str | None:
        """Such as `TLSv1.3`; None before the handshake."""
        return self._session.version if self._session else None

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, version and bits; None before the handshake."""
        session = self._session
        return (session.cipher, session.version, session.bits) if session else None

    def shared_ciphers(self) -> None:
        """Known to servers only."""

    def compression(self) -> None:
        """Never."""

    def selected_alpn_protocol(self) -> str | None:
        """What the host and this end speak. It is HTTP/1.1 wherever that was offered."""
        return self._session.alpn if self._session else None

    def getpeercert(self, binary_form: bool = False, /) -> Any:
        """The server's certificate. The host has checked it, and takes it apart for nobody."""
        if self._session is None:
            raise ValueError("handshake not done yet")
        if binary_form:
            return self._session.certificates[0] if self._session.certificates else None
        name = self.server_hostname
        # What libraries look for in it is whether it is for this host, and it is.
        return {"subjectAltName": (("DNS", name),)} if name else {}

    def get_verified_chain(self) -> "list[Certificate]":
        """The certificates that the server sent."""
        return [Certificate(der) for der in self._session.certificates] if self._session else []

    get_unverified_chain = get_verified_chain

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """None: the keys are the host's."""
        if cb_type != "tls-unique":
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        return None

    def verify_client_post_handshake(self) -> None:
        """For servers."""
        raise NotImplementedError("the sandbox has no TLS servers")


class Certificate:
    """`_ssl.Certificate`, as far as `ssl` uses it."""

    def __init__(self, der: bytes) -> None:
        self._der = der

    def public_bytes(self, format: int = 2, /) -> bytes:
        """The certificate as DER, whatever is asked for: `ssl` asks for nothing else."""
        return self._der
