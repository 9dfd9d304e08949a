"""`hashlib.pbkdf2_hmac`: CPython has it from OpenSSL alone, and the sandbox has no OpenSSL. RFC 8018, section 5.2."""

from typing import Any

from toolplane import after_import


def install() -> None:
    """Adds it when `hashlib` is imported."""
    after_import.repair("hashlib", _repair)


def pbkdf2_hmac(hash_name: str, password: Any, salt: Any, iterations: int, dklen: int | None = None) -> bytes:
    """As `hashlib.pbkdf2_hmac`; about a second for 200,000 iterations of SHA-256."""
    import hashlib

    if not isinstance(hash_name, str):
        raise TypeError(hash_name)
    if iterations < 1:
        raise ValueError("iteration value must be greater than 0.")
    inner, outer = hashlib.new(hash_name), hashlib.new(hash_name)
    if dklen is None:
        dklen = outer.digest_size
    if dklen < 1:
        raise ValueError("key length must be greater than 0.")
    password, salt = bytes(password), bytes(salt)
    if len(password) > inner.block_size:
        password = hashlib.new(hash_name, password).digest()
    password = password.ljust(inner.block_size, b"\0")
    inner.update(bytes(byte ^ 0x36 for byte in password))
    outer.update(bytes(byte ^ 0x5C for byte in password))

    def keyed(message: bytes) -> bytes:
        one, two = inner.copy(), outer.copy()
        one.update(message)
        two.update(one.digest())
        return two.digest()

    key = b""
    block = 1
    while len(key) < dklen:
        last = keyed(salt + block.to_bytes(4, "big"))
        total = int.from_bytes(last, "big")
        for _ in range(iterations - 1):
            last = keyed(last)
            total ^= int.from_bytes(last, "big")
        key += total.to_bytes(inner.digest_size, "big")
        block += 1
    return key[:dklen]


def _repair() -> None:
    import hashlib

    if not hasattr(hashlib, "pbkdf2_hmac"):
        setattr(hashlib, "pbkdf2_hmac", pbkdf2_hmac)
