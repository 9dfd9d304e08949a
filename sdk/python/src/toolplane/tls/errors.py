"""The exceptions of `ssl`, with the attributes that libraries look at."""

SSL_ERROR_SSL = 1
SSL_ERROR_WANT_READ = 2
SSL_ERROR_WANT_WRITE = 3
SSL_ERROR_SYSCALL = 5
SSL_ERROR_ZERO_RETURN = 6
SSL_ERROR_EOF = 8


class SSLError(OSError):
    """An error of TLS."""

    library: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        return self.strerror if isinstance(self.strerror, str) else super().__str__()


class SSLZeroReturnError(SSLError):
    """The other side has ended the TLS connection."""


class SSLWantReadError(SSLError):
    """More has to be received first."""


class SSLWantWriteError(SSLError):
    """More has to be sent first."""


class SSLSyscallError(SSLError):
    """The operating system reported an error."""


class SSLEOFError(SSLError):
    """The connection ended in the middle of something."""


class SSLCertVerificationError(SSLError, ValueError):
    """The certificate is not to be trusted."""

    verify_code: int = 1
    verify_message: str = ""


def failed(reason: str, message: str) -> SSLError:
    """An error in the words of OpenSSL, for the libraries that search its text for them."""
    error = SSLError(SSL_ERROR_SSL, f"[SSL: {reason}] {message}")
    error.library, error.reason = "SSL", reason
    return error


def untrusted(message: str, code: int) -> SSLCertVerificationError:
    """A certificate that the host did not accept."""
    reason = "CERTIFICATE_VERIFY_FAILED"
    text = f"[SSL: {reason}] certificate verify failed: {message}"
    error = SSLCertVerificationError(SSL_ERROR_SSL, text)
    error.library, error.reason = "SSL", reason
    error.verify_message, error.verify_code = message, code
    return error


def want_read() -> SSLWantReadError:
    """Nothing is there yet."""
    return SSLWantReadError(SSL_ERROR_WANT_READ, "The operation did not complete (read)")


def ended() -> SSLEOFError:
    """The connection is over before it should be."""
    return SSLEOFError(SSL_ERROR_EOF, "EOF occurred in violation of protocol")
