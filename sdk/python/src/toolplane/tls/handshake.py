"""The two messages with which a connection becomes a TLS connection.

Each is `MAGIC`, the length of what follows (four bytes, big-endian), and a JSON object.
The guest asks with `{"server_name": text or null, "alpn": [text]}`.
The host answers with `{"version", "cipher", "bits", "alpn", "certificates": [base64 of DER]}` when it has shaken hands
with the server and trusts its certificate, or else with `{"error": kind, "message", "code"}`.
`control-plane` never sees any of it; the host's side is the crate `runtime`, in `network/handshake.rs`.
"""

import base64
import errno
import json
from dataclasses import dataclass, field
from typing import Any

from toolplane.errors import EgressDenied
from toolplane.tls import errors

MAGIC = b"\x00toolplane-tls\x00\x01"
"""No protocol starts a message like this, and one that did would only harm the tool that speaks it."""

HEADER_BYTES = len(MAGIC) + 4

LONGEST_ANSWER_BYTES = 1 << 20
"""A chain of certificates has a few kilobytes."""


@dataclass(frozen=True)
class Session:
    """What the host and the server have agreed upon."""

    version: str
    cipher: str
    bits: int
    alpn: str | None
    certificates: list[bytes] = field(default_factory=list)


def question(server_name: str | None, alpn: list[str]) -> bytes:
    """The guest's message."""
    body = json.dumps({"server_name": server_name, "alpn": alpn}).encode()
    return MAGIC + len(body).to_bytes(4, "big") + body


def missing(received: bytes | bytearray) -> int:
    """How many bytes of the answer, or at least of its header, are still to come."""
    if len(received) < HEADER_BYTES:
        return HEADER_BYTES - len(received)
    if not received.startswith(MAGIC):
        raise errors.failed("WRONG_VERSION_NUMBER", "wrong version number")
    length = int.from_bytes(received[len(MAGIC) : HEADER_BYTES], "big")
    if length > LONGEST_ANSWER_BYTES:
        raise errors.failed("RECORD_TOO_LARGE", "the answer of the host is too long")
    return HEADER_BYTES + length - len(received)


def answer(received: bytes | bytearray) -> Session:
    """What a whole answer says. Raises what it reports."""
    body: dict[str, Any] = json.loads(received[HEADER_BYTES:])
    if "error" in body:
        raise _error(body["error"], body["message"], body.get("code", 1))
    certificates = [base64.b64decode(certificate) for certificate in body["certificates"]]
    return Session(body["version"], body["cipher"], body["bits"], body["alpn"], certificates)


def _error(kind: str, message: str, code: int) -> Exception:
    match kind:
        case "certificate":
            return errors.untrusted(message, code)
        case "denied":
            return EgressDenied(message)
        case "refused":
            return ConnectionRefusedError(errno.ECONNREFUSED, message)
        case "unreachable":
            return OSError(errno.EHOSTUNREACH, message)
        case "timeout":
            return TimeoutError(errno.ETIMEDOUT, message)
        case "ended":
            return errors.ended()
        case _:
            return errors.failed("SSLV3_ALERT_HANDSHAKE_FAILURE", message)
