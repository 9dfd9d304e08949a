"""Gives invocations one place to allocate from, instead of the many holes that an import leaves.

The C library serves an allocation from whatever was freed before, wherever that lies. After an import these are
thousands of small holes all over the heap, and each page that an invocation writes to has to be copied for it. So
before the snapshot the holes are filled, and one room is left free: what is allocated then lies side by side.
"""

from collections.abc import Callable, Iterable
from functools import partial

# Bytes. Most invocations allocate a tenth of it at a time; where it is used up, the heap grows.
_ROOM = 256 << 10
# Holes are filled in pieces of these sizes: the C library hands memory out in multiples of 16 bytes, and what is larger
# than a page may as well be filled in several.
_SIZES = (64 << 10, 32 << 10, 16 << 10, 8 << 10, *range(4096, 48, -16))
# Bytes that `bytes` and the C library take beside the content: a piece of a size is one of theirs.
_HEAD = 17 + 4
# A bound for what a tool can make a build do. The rest stays as it is.
_MOST = 30_000

# What fills the holes is there for ever.
_filling: list[list[object]] = []
# The highest address that was in use.
_highest = 0


def prepare(used: Iterable[int]) -> None:
    """Fills the holes and leaves the room. `used` are addresses of objects, the highest among them."""
    global _highest
    _highest = max(_highest, *used)
    # It is as long as it will be: where a list grows, it leaves holes.
    filling: list[object] = [None] * _MOST
    room = bytes(_ROOM)
    count = 0
    for size in _SIZES:
        count = _fill(filling, count, partial(bytes, size - _HEAD))
    count = _fill(filling, count, object)
    del filling[count:]
    _filling.append(filling)
    del room


def _fill(filling: list[object], count: int, make: Callable[[], object]) -> int:
    """Makes pieces until there is no hole left for one."""
    while count < _MOST:
        piece = make()
        if id(piece) > _highest:
            break
        filling[count] = piece
        count += 1
    return count
