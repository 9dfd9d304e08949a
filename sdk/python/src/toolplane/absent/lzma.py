"""`_lzma`: no LZMA. A decoder in Python would take minutes for what takes a second elsewhere."""

from typing import Any

from toolplane.absent import unavailable

FORMAT_AUTO, FORMAT_XZ, FORMAT_ALONE, FORMAT_RAW = range(4)
CHECK_NONE, CHECK_CRC32, CHECK_CRC64, CHECK_SHA256 = 0, 1, 4, 10
CHECK_ID_MAX, CHECK_UNKNOWN = 15, 16
FILTER_LZMA1, FILTER_LZMA2, FILTER_DELTA = 0x4000000000000001, 0x21, 3
FILTER_X86, FILTER_POWERPC, FILTER_IA64, FILTER_ARM, FILTER_ARMTHUMB, FILTER_SPARC = range(4, 10)
MF_HC3, MF_HC4, MF_BT2, MF_BT3, MF_BT4 = 3, 4, 0x12, 0x13, 0x14
MODE_FAST, MODE_NORMAL = 1, 2
PRESET_DEFAULT, PRESET_EXTREME = 6, 1 << 31


class LZMAError(Exception):
    """What `lzma` raises."""


def _refuse(*args: Any, **kwargs: Any) -> Any:
    # The one that `tarfile` expects while it tries what an archive is.
    raise LZMAError(str(unavailable("lzma", "use `gzip` or `zlib`, or keep the data in another form")))


class LZMACompressor:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse()


class LZMADecompressor:
    """It refuses what it is given, and not to be made: that is where `tarfile` expects an error."""

    eof, needs_input, unused_data = False, True, b""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def decompress(self, data: Any, max_length: int = -1) -> bytes:
        _refuse()
        return b""


def is_check_supported(check_id: int, /) -> bool:
    return False


_encode_filter_properties = _decode_filter_properties = _refuse
