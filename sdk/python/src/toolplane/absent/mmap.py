"""`mmap`: files cannot be mapped. Most packages that would map one can read it too."""

from typing import Any

from toolplane.absent import unavailable

error = OSError
ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE, ACCESS_COPY = range(4)
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_ANON, MAP_ANONYMOUS = 1, 2, 32, 32
PAGESIZE = ALLOCATIONGRANULARITY = 65536


class mmap:
    """There is none."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "mmap":
        raise unavailable("mmap.mmap", "read the file instead, or use a bytearray")
