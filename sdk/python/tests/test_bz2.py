"""bz2 in Python against the real one."""

import bz2
import random

import pytest

from toolplane.absent.bz2 import BZ2Compressor, BZ2Decompressor

_numbers = random.Random(5)
TEXTS = {
    "empty": b"",
    "one byte": b"a",
    "text": b"to be, or not to be: that is the question. " * 300,
    "runs": b"".join(bytes([number % 7]) * length for number, length in enumerate([1, 3, 4, 5, 255, 256, 259, 1000])),
    "every byte": bytes(range(256)) * 4,
    "noise": _numbers.randbytes(20_000),
    "several blocks": b"".join(_numbers.choice([b"alpha ", b"beta ", b"gamma "]) for _ in range(40_000)),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("chunk", [1 << 30, 977])
def test_what_the_real_one_compressed_is_read_whole_and_in_pieces(text: bytes, chunk: int) -> None:
    packed = bz2.compress(text, 1)
    decompressor = BZ2Decompressor()
    out = b""
    for start in range(0, len(packed), chunk):
        assert decompressor.needs_input and not decompressor.eof
        out += decompressor.decompress(packed[start : start + chunk])
    assert out == text
    assert decompressor.eof and decompressor.unused_data == b""
    with pytest.raises(EOFError):
        decompressor.decompress(b"")


def test_what_is_handed_out_is_bounded_and_what_follows_is_kept() -> None:
    text = TEXTS["text"]
    decompressor = BZ2Decompressor()
    out = decompressor.decompress(bz2.compress(text) + b"rest", 1000)
    assert len(out) == 1000 and not decompressor.needs_input
    while not decompressor.eof:
        piece = decompressor.decompress(b"", 1000)
        assert len(piece) <= 1000
        out += piece
    assert (out, decompressor.unused_data) == (text, b"rest")


@pytest.mark.parametrize("position", [0, 3, 5, 12, 30, -5])
def test_what_is_damaged_is_refused(position: int) -> None:
    packed = bytearray(bz2.compress(TEXTS["text"]))
    packed[position] ^= 0x10
    decompressor = BZ2Decompressor()
    try:
        decompressor.decompress(bytes(packed))
    except OSError:
        return
    assert not decompressor.eof


def test_compression_says_why_not() -> None:
    with pytest.raises(OSError, match="use `gzip`"):
        BZ2Compressor()
