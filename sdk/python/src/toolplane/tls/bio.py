"""`ssl.MemoryBIO`: the buffer between a TLS object and whoever moves its bytes."""

from typing import Any

from toolplane.tls.errors import SSL_ERROR_SSL, SSLError


class MemoryBIO:
    """A queue of bytes with an end."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ended = False

    @property
    def pending(self) -> int:
        """How many bytes can be read."""
        return len(self._bytes)

    @property
    def eof(self) -> bool:
        """Whether everything was read and no more will come."""
        return self._ended and not self._bytes

    def read(self, size: int = -1, /) -> bytes:
        """Takes up to this many bytes out; all for a negative number."""
        taken = bytes(self._bytes if size < 0 else self._bytes[:size])
        del self._bytes[: len(taken)]
        return taken

    def write(self, data: Any, /) -> int:
        """Puts bytes in and answers how many."""
        if self._ended:
            raise SSLError(SSL_ERROR_SSL, "cannot write() after write_eof()")
        view = memoryview(data).cast("B")
        self._bytes += view
        return len(view)

    def write_eof(self) -> None:
        """No more will come."""
        self._ended = True
