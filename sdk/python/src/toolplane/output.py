"""What a tool returns becomes text: a string as it is, anything else as compact JSON.

`json` alone would write a NamedTuple as an array and a NaN as something that is not JSON, and its errors do not
say where in the value they are; so the value is made plain first, in one pass that leaves scalars alone.
"""

import base64
import dataclasses
import json
import math
from collections import abc
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from toolplane import duration, pydantic_types
from toolplane.errors import pointer
from toolplane.unicode import well_formed

# Subclasses are left out, since an Enum may be one.
_PLAIN = frozenset({str, int, bool, type(None)})

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False).encode


class NotSerialisable(TypeError):
    """A value without a JSON form."""

    # What the author sees is a TypeError; the class exists to collect the path.
    __qualname__ = "TypeError"
    __module__ = "builtins"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: tuple[Any, ...] = ()
        super().__init__(reason)

    def under(self, step: Any) -> "NotSerialisable":
        self.path = (step, *self.path)
        return self

    def __str__(self) -> str:
        where = f" at {pointer(self.path)}" if self.path else ""
        return f"the returned value{where} {self.reason}"


def to_text(value: Any) -> str:
    """The text of a result. Raises TypeError with the type and the path of what has no JSON form."""
    if value.__class__ is str:
        return well_formed(value)
    try:
        value = plain(value)
    except RecursionError:
        raise ValueError("the returned value contains itself, or is nested too deeply for JSON") from None
    return well_formed(value if isinstance(value, str) else _encode(value))


def plain(value: Any) -> Any:
    """The same value in the types that JSON has."""
    kind = value.__class__
    if kind in _PLAIN:
        return value
    if kind is dict:
        return _object(value)
    if kind is list or kind is tuple:
        return _array(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise NotSerialisable(f"is {value}, which JSON does not have; use None instead")
    return _special(value)


def _special(value: Any) -> Any:
    if hasattr(type(value), "__pydantic_serializer__"):
        return plain(pydantic_types.plain(value))
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, timedelta):
        return duration.write(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return _object(dict(zip(value._fields, value, strict=True)))
    if isinstance(value, abc.Mapping):
        return _object(value)
    if isinstance(value, abc.Set):
        return _set(value)
    if isinstance(value, str | int):
        return value  # A subclass, which `json` writes as its base.
    if isinstance(value, abc.Sequence | abc.ValuesView):
        return _array(value)
    raise NotSerialisable(f"is of type {_name(value)}, which has no JSON form{_remedy(value)}")


def _object(value: abc.Mapping[Any, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    key: Any = None
    try:
        for key, item in value.items():
            name = key if key.__class__ is str else _key(key)
            result[name] = item if item.__class__ in _PLAIN else plain(item)
    except NotSerialisable as error:
        raise error.under(key)
    return result


def _array(value: abc.Collection[Any]) -> list[Any]:
    result: list[Any] = []
    try:
        for item in value:
            result.append(item if item.__class__ in _PLAIN else plain(item))
    except NotSerialisable as error:
        raise error.under(len(result))
    return result


def _set(value: abc.Set[Any]) -> list[Any]:
    """Sorted where that is possible, since the order of a set differs from build to build."""
    try:
        return sorted(_array(value))
    except TypeError as error:
        if isinstance(error, NotSerialisable):
            raise
        return _array(value)


def _key(key: Any) -> str:
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    name = plain(key)
    if isinstance(name, str):
        return str.__str__(name)
    if isinstance(name, int | float):
        return repr(name)
    raise NotSerialisable(f"is under a key of type {_name(key)}, which has no JSON form; use a string")


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _remedy(value: Any) -> str:
    if isinstance(value, abc.Iterator | abc.AsyncIterator):
        return "; return a list of what it yields"
    return "; return a str, dict, list or dataclass"
