"""`_bz2`: decompression in Python, some hundred kilobytes a second. Compression is refused.

The format has no specification; it is what bzip2 1.0 reads: blocks of up to 900,000 bytes that begin at any bit, each
a Burrows-Wheeler transform as move-to-front indexes, run lengths and Huffman codes.
"""

from collections.abc import Iterator
from typing import Any

from toolplane.absent import unavailable

_BLOCK, _END = 0x314159265359, 0x177245385090
_MARK_BITS = 48
_CODES_PER_TABLE = 50
_BAD = "Invalid data stream"


class BZ2Compressor:
    """There is none."""

    def __init__(self, compresslevel: int = 9, /) -> None:
        raise unavailable("compression with bz2", "use `gzip` or `zlib`")


class BZ2Decompressor:
    """As `bz2.BZ2Decompressor`. A block is read once all of it is there."""

    def __init__(self) -> None:
        self._data = b""
        self._bit = 0
        self._searched = 0
        self._ready = b""
        self._size = 0
        self._checksum = 0
        self._finished = False
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._finished and not self._ready

    @property
    def needs_input(self) -> bool:
        return not self._finished and not self._ready

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        if self.eof:
            raise EOFError("End of stream already reached")
        self._data += bytes(data)
        while not self._finished and (max_length < 0 or len(self._ready) < max_length) and self._advance():
            pass
        end = len(self._ready) if max_length < 0 else max_length
        out, self._ready = self._ready[:end], self._ready[end:]
        return out

    def _advance(self) -> bool:
        """Reads the next part of the stream, if all of it is there."""
        if not self._size:
            return self._start()
        if len(self._data) * 8 < self._bit + _MARK_BITS + 32:
            return False
        bits = _Bits(self._data, self._bit)
        mark = bits.read(_MARK_BITS)
        if mark == _END:
            if bits.read(32) != self._checksum:
                raise OSError(_BAD)
            end = (bits.position + 7) // 8
            self.unused_data, self._data = self._data[end:], b""
            self._finished = True
            return False
        if mark != _BLOCK:
            raise OSError(_BAD)
        following = _next_mark(self._data, max(self._bit + _MARK_BITS, self._searched))
        if following is None:
            self._searched = max(0, len(self._data) * 8 - 2 * _MARK_BITS)
            return False
        block, checksum = _read_block(bits, self._size)
        if bits.position != following:
            raise OSError(_BAD)
        self._ready += block
        self._checksum = ((self._checksum << 1 | self._checksum >> 31) & 0xFFFFFFFF) ^ checksum
        self._data, self._bit, self._searched = self._data[following // 8 :], following % 8, 0
        return True

    def _start(self) -> bool:
        if len(self._data) < 4:
            if not b"BZh".startswith(self._data[:3]):
                raise OSError(_BAD)
            return False
        if self._data[:3] != b"BZh" or self._data[3] not in b"123456789":
            raise OSError(_BAD)
        self._size, self._bit = (self._data[3] - ord("0")) * 100_000, 32
        return True


class _Bits:
    """Reads from the most significant bit of each byte on."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    def read(self, count: int) -> int:
        first, last = self.position >> 3, (self.position + count + 7) >> 3
        if last > len(self.data):
            raise OSError(_BAD)
        self.position += count
        return int.from_bytes(self.data[first:last], "big") >> (last * 8 - self.position) & ((1 << count) - 1)


def _next_mark(data: bytes, start: int) -> int | None:
    """The bit at which the next block or the end begins. A block cannot hold such a mark but by chance of one in 2^48."""
    found = []
    for mark in (_BLOCK, _END):
        for shift in range(8):
            # All of its bytes but the first and the last, which it may share with something else.
            whole = mark >> shift & ((1 << 40) - 1) if shift else mark
            needle = whole.to_bytes(5 if shift else 6, "big")
            at = data.find(needle, start // 8)
            while at != -1:
                bit = at * 8 - (8 - shift) % 8
                if bit >= start and bit + _MARK_BITS <= len(data) * 8 and _Bits(data, bit).read(_MARK_BITS) == mark:
                    found.append(bit)
                    break
                at = data.find(needle, at + 1)
    return min(found, default=None)


def _read_block(bits: _Bits, size: int) -> tuple[bytes, int]:
    checksum = bits.read(32)
    if bits.read(1):
        raise OSError("randomized blocks of bzip2 before 0.9.5 are not supported")
    origin = bits.read(24)
    used = bits.read(16)
    symbols = bytearray()
    for row in range(16):
        if used >> (15 - row) & 1:
            inside = bits.read(16)
            symbols.extend(row * 16 + column for column in range(16) if inside >> (15 - column) & 1)
    tables = bits.read(3)
    chosen = list(_selectors(bits, tables, bits.read(15)))
    alphabet = len(symbols) + 2
    codes = [_table(_lengths(bits, alphabet)) for _ in range(tables)]
    last = _move_to_front(bits, codes, chosen, symbols, size)
    block = _expand(_untransform(last, origin))
    if _crc(block) != checksum:
        raise OSError(_BAD)
    return block, checksum


def _selectors(bits: _Bits, tables: int, count: int) -> Iterator[int]:
    order = list(range(tables))
    for _ in range(count):
        index = 0
        while bits.read(1):
            index += 1
            if index >= tables:
                raise OSError(_BAD)
        order.insert(0, order.pop(index))
        yield order[0]


def _lengths(bits: _Bits, alphabet: int) -> list[int]:
    length = bits.read(5)
    lengths = []
    for _ in range(alphabet):
        while bits.read(1):
            length += -1 if bits.read(1) else 1
        if not 1 <= length <= 20:
            raise OSError(_BAD)
        lengths.append(length)
    return lengths


def _table(lengths: list[int]) -> tuple[int, list[tuple[int, int]]]:
    """The longest length, and for each bits of that length the symbol that they begin with, and its own length."""
    longest = max(lengths)
    table: list[tuple[int, int]] = []
    for length in range(min(lengths), longest + 1):
        for symbol, own in enumerate(lengths):
            if own == length:
                table.extend([(symbol, length)] * (1 << (longest - length)))
    if len(table) > 1 << longest:
        raise OSError(_BAD)
    table.extend([(-1, longest)] * ((1 << longest) - len(table)))
    return longest, table


def _move_to_front(
    bits: _Bits, codes: list[tuple[int, list[tuple[int, int]]]], chosen: list[int], symbols: bytearray, size: int
) -> bytearray:
    """Reads the codes up to the end of the block, and undoes run lengths and move-to-front."""
    data, position = bits.data, bits.position
    end = len(symbols) + 1
    out = bytearray()
    run, weight = 0, 1
    held, count = 0, 0  # Bits that have been taken from the data, and how many.
    at = position >> 3
    if position & 7:
        count = 8 - (position & 7)
        held = data[at] & ((1 << count) - 1)
        at += 1
    for table in chosen:
        longest, symbol_of = codes[table]
        for _ in range(_CODES_PER_TABLE):
            if count < longest:
                more = data[at : at + 8]
                at += 8
                held = held << 64 | int.from_bytes(more.ljust(8, b"\0"), "big")
                count += 64
            symbol, length = symbol_of[held >> (count - longest)]
            count -= length
            held &= (1 << count) - 1
            if symbol <= 1:
                if symbol < 0:
                    raise OSError(_BAD)
                run += weight << symbol
                weight <<= 1
                if run > size:
                    raise OSError(_BAD)
                continue
            if run:
                out.extend(symbols[:1] * run)
                run, weight = 0, 1
            if symbol == end:
                bits.position = at * 8 - count
                if len(out) > size:
                    raise OSError(_BAD)
                return out
            byte = symbols.pop(symbol - 1)
            symbols.insert(0, byte)
            out.append(byte)
    raise OSError(_BAD)


def _untransform(last: bytearray, origin: int) -> bytearray:
    if not 0 <= origin < len(last):
        raise OSError(_BAD)
    # Where each byte of the last column is in the first one, which is sorted.
    following = sorted(range(len(last)), key=last.__getitem__)
    out = bytearray(len(last))
    at = following[origin]
    for index in range(len(last)):
        out[index] = last[at]
        at = following[at]
    return out


def _expand(data: bytearray) -> bytes:
    """Four equal bytes are followed by how many more there are."""
    out = bytearray()
    repeated, previous = 0, -1
    for byte in data:
        if repeated == 4:
            out.extend(bytes([previous]) * byte)
            repeated, previous = 0, -1
            continue
        repeated = repeated + 1 if byte == previous else 1
        previous = byte
        out.append(byte)
    return bytes(out)


def _crc(data: bytes) -> int:
    """Of the polynomial of Ethernet, from the most significant bit on."""
    crc = 0xFFFFFFFF
    table = _CRC
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
    return crc ^ 0xFFFFFFFF


def _crc_table() -> Iterator[int]:
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
        yield crc


_CRC = tuple(_crc_table())
