"""Every name that the standard library's `ssl` and its users take from `_ssl`."""

import os

from toolplane.tls.bio import MemoryBIO as MemoryBIO
from toolplane.tls.connection import Certificate as Certificate
from toolplane.tls.connection import Connection as _SSLSocket
from toolplane.tls.constants import *  # noqa: F403
from toolplane.tls.constants import _DEFAULT_CIPHERS, _OPENSSL_API_VERSION
from toolplane.tls.context import _SSLContext
from toolplane.tls.errors import *  # noqa: F403

__all__ = ["_DEFAULT_CIPHERS", "_OPENSSL_API_VERSION", "_SSLContext", "_SSLSocket"]


class SSLSession:
    """A session to resume, which is the host's business."""


_OBJECTS = {
    129: ("serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    130: ("clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
}


def txt2obj(txt: str, name: bool = False) -> tuple[int, str, str, str]:
    """Looks up one of the two purposes that `ssl.Purpose` has."""
    for number, names in _OBJECTS.items():
        if txt == names[2] or (name and txt in names):
            return (number, *names)
    raise ValueError(f"unknown object '{txt:.100}'")


def nid2obj(nid: int, /) -> tuple[int, str, str, str]:
    """Looks up one of the two purposes that `ssl.Purpose` has."""
    if nid not in _OBJECTS:
        raise ValueError(f"unknown NID {nid}")
    return (nid, *_OBJECTS[nid])


def RAND_status() -> bool:
    """Whether there is enough randomness: it is the operating system's."""
    return True


def RAND_add(string: object, entropy: float, /) -> None:
    """Needs no more."""


def RAND_bytes(n: int, /) -> bytes:
    """Random bytes."""
    return os.urandom(n)


def get_default_verify_paths() -> tuple[str, str, str, str]:
    """Variables and paths of the authorities, of which the guest has none."""
    return "SSL_CERT_FILE", "/etc/ssl/cert.pem", "SSL_CERT_DIR", "/etc/ssl/certs"
