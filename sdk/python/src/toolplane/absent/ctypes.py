"""`_ctypes`: numbers of C and their arithmetic work; libraries, pointers, structures and calls do not.

Packages import `ctypes` for what they do on other systems, and declare types and functions while they are imported.
"""

import struct
from typing import Any

from toolplane.absent import unavailable

__version__ = "1.1.0"
RTLD_LOCAL, RTLD_GLOBAL = 0, 0x100
SIZEOF_TIME_T = 8
FUNCFLAG_CDECL, FUNCFLAG_PYTHONAPI, FUNCFLAG_USE_ERRNO, FUNCFLAG_USE_LASTERROR = 1, 4, 8, 16
_memmove_addr, _memset_addr, _string_at_addr, _cast_addr, _memoryview_at_addr, _wstring_at_addr = range(1, 7)
_POINTER_SIZE = struct.calcsize("P")
_SIZES = {"O": _POINTER_SIZE, "z": _POINTER_SIZE, "Z": _POINTER_SIZE, "u": 4, "g": struct.calcsize("d"), "v": 2}


class ArgumentError(Exception):
    """What `ctypes` raises."""


class CField:
    """A field of a structure."""


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise unavailable("ctypes", "use a package that is pure Python, or the standard library")


class _Type(type):
    """What makes the types: they can be declared, multiplied and asked for their size."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(name, bases, namespace)
        code = namespace.get("_type_")
        if isinstance(code, str):
            if code in ("D", "F", "G"):
                raise AttributeError("no complex numbers")  # For which `ctypes` looks out.
            cls.__ctype_le__ = cls.__ctype_be__ = cls

    def __mul__(cls, length: int) -> Any:
        return _Type(f"{cls.__name__}_Array_{length}", (Array,), {"_type_": cls, "_length_": length})

    __rmul__ = __mul__

    def from_param(cls, value: Any) -> Any:
        return value

    from_address = from_buffer = from_buffer_copy = in_dll = _refuse


class _Data(metaclass=_Type):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse()


class Structure(_Data):
    pass


class Union(_Data):
    pass


class Array(_Data):
    pass


class _Pointer(_Data):
    pass


class _SimpleCData(metaclass=_Type):
    """A number as C has it: `c_int32(2**31).value` is negative."""

    def __init__(self, value: Any = None) -> None:
        code = getattr(type(self), "_type_", None)
        if not isinstance(code, str):
            raise TypeError("abstract class")
        self._value: Any = {"c": b"\0", "u": "\0", "?": False, "f": 0.0, "d": 0.0, "g": 0.0}.get(code, 0)
        if code in "zZOP":
            self._value = None
        if value is not None:
            self.value = value

    @property
    def value(self) -> Any:
        return self._value

    @value.setter
    def value(self, value: Any) -> None:
        code: str = getattr(type(self), "_type_")
        if code in "bBhHiIlLqQ":
            bits = 8 * struct.calcsize(code)
            value = int(value) & ((1 << bits) - 1)
            if code.islower() and value >> (bits - 1):
                value -= 1 << bits
        elif code == "f":
            value = struct.unpack("f", struct.pack("f", value))[0]
        elif code in "dg":
            value = float(value)
        elif code in "?v":
            value = bool(value)
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._value!r})"


class CFuncPtr(metaclass=_Type):
    """A function of C. It can be declared."""

    argtypes: Any = None
    restype: Any = None
    errcheck: Any = None

    def __init__(self, *args: Any) -> None:
        pass

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _refuse()


def dlopen(name: Any, flags: int = 0, /) -> int:
    """Python itself is there, and none of its functions can be called."""
    if name is not None:
        raise unavailable(f"the shared library {name}", "use a package that is pure Python")
    return 0


def sizeof(kind: Any, /) -> int:
    code = getattr(kind, "_type_", None)
    if isinstance(code, str):
        return _SIZES.get(code) or struct.calcsize(code)
    if isinstance(kind, type) and issubclass(kind, Array) or isinstance(kind, Array):
        return sizeof(code) * int(kind._length_)  # type: ignore[union-attr]
    if isinstance(kind, type) and issubclass(kind, (CFuncPtr, _Pointer)):
        return _POINTER_SIZE
    _refuse()
    return 0


def get_errno() -> int:
    return 0


def set_errno(value: int, /) -> int:
    return 0


byref = addressof = alignment = resize = _refuse
