"""`jiter.jiter`: JSON as the clients of language models read it while it still arrives.

Elsewhere it is Rust's, and faster; here the standard library reads what is whole, and this file what is not.
"""

import decimal
import json
import re
from typing import Any

__version__ = "0"
_LITERALS = {"true": True, "false": False, "null": None}
_CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
# At a string's end: an escape that is not whole, after the first half of a pair or not.
_UNFINISHED = re.compile(r"(?<!\\)((?:\\\\)*)(?:\\u[dD][89abAB][0-9a-fA-F]{2})?(?:\\(?:u[0-9a-fA-F]{0,3})?)?$")
_SPACE = " \t\n\r"


class LosslessFloat:
    """A number as it was written."""

    def __init__(self, json_float: bytes) -> None:
        self._text = json_float.decode()

    def as_decimal(self) -> decimal.Decimal:
        return decimal.Decimal(self._text)

    def __float__(self) -> float:
        return float(self._text)

    def __bytes__(self) -> bytes:
        return self._text.encode()

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"LosslessFloat({self._text})"


_FLOATS: dict[str, Any] = {
    "float": float,
    "decimal": decimal.Decimal,
    "lossless-float": lambda text: LosslessFloat(text.encode()),
}


class _Ended(Exception):
    """The text ends in the middle of a value that cannot be told from its beginning."""


def from_json(
    json_data: bytes,
    /,
    *,
    allow_inf_nan: bool = True,
    cache_mode: Any = "all",
    partial_mode: Any = False,
    catch_duplicate_keys: bool = False,
    float_mode: str = "float",
) -> Any:
    """Reads JSON. With `partial_mode` it may end anywhere, and what is whole so far is answered."""
    if not isinstance(json_data, bytes):
        raise TypeError(f"'{type(json_data).__name__}' object is not an instance of 'bytes'")

    def constant(text: str) -> float:
        if not allow_inf_nan:
            raise ValueError("expected value: numbers have to be finite")
        return _CONSTANTS[text]

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = dict(found)
        if catch_duplicate_keys and len(keys) < len(found):
            names = [name for name, _ in found]
            twice = next(name for place, name in enumerate(names) if name in names[:place])
            raise ValueError(f'Detected duplicate key "{twice}"')
        return keys

    read = json.JSONDecoder(parse_float=_FLOATS[float_mode], parse_constant=constant, object_pairs_hook=pairs)
    if partial_mode in (False, "off"):
        return read.decode(json_data.decode())
    # A character may have arrived in part.
    text = json_data.decode(errors="ignore").lstrip(_SPACE)
    try:
        return _Reader(text, read, pairs, partial_mode == "trailing-strings").value(0)[0]
    except _Ended:
        raise ValueError("EOF while parsing a value") from None


def cache_clear() -> None:
    """Nothing is kept."""


def cache_usage() -> int:
    return 0


class _Reader:
    """Reads a text that may end anywhere. Each method answers where it stopped, None where the text ended before."""

    def __init__(self, text: str, read: json.JSONDecoder, pairs: Any, keeps_strings: bool) -> None:
        self.text, self.read, self.pairs, self.keeps_strings = text, read, pairs, keeps_strings

    def value(self, place: int) -> tuple[Any, int | None]:
        start = self.text[place : place + 1]
        if start == "[":
            return self.array(place + 1)
        if start == "{":
            return self.object(place + 1)
        if start == '"':
            return self.string(place)
        rest = self.text[place : place + 9]
        if any(name.startswith(rest) and len(rest) < len(name) for name in (*_LITERALS, *_CONSTANTS)):
            raise _Ended  # Nothing at all begins everything, too.
        number = _NUMBER.match(self.text, place)
        end = number.end() if number is not None else place
        if number is not None and re.fullmatch(r"\.|\.?[eE][+-]?", self.text[end:]):
            raise _Ended
        return self.read.raw_decode(self.text, place)

    def string(self, place: int) -> tuple[str, int | None]:
        try:
            return self.read.raw_decode(self.text, place)
        except json.JSONDecodeError as error:
            if not re.match("Unterminated string|Invalid .*escape", error.msg) or self.is_closed(place):
                raise
        if not self.keeps_strings:
            raise _Ended
        whole = _UNFINISHED.sub(r"\1", self.text[place:], count=1)
        return json.loads(f'{whole}"'), None

    def is_closed(self, place: int) -> bool:
        """Whether the string ends, so that what is wrong with it will not come right."""
        return re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(self.text, place) is not None

    def array(self, place: int) -> tuple[list[Any], int | None]:
        values: list[Any] = []
        try:
            place = self.skip(place)
            if self.text[place] == "]":
                return values, place + 1
            while True:
                value, end = self.value(place)
                values.append(value)
                if end is None:
                    return values, None
                place = self.skip(end)
                if self.text[place] == "]":
                    return values, place + 1
                place = self.comma(place, "]")
        except _Ended:
            return values, None

    def object(self, place: int) -> tuple[dict[str, Any], int | None]:
        found: list[tuple[str, Any]] = []
        try:
            place = self.skip(place)
            if self.text[place] == "}":
                return {}, place + 1
            while True:
                if self.text[place] != '"':
                    raise json.JSONDecodeError("key must be a string", self.text, place)
                key, end = self.string(place)
                if end is None:
                    break
                place = self.skip(end)
                if self.text[place] != ":":
                    raise json.JSONDecodeError("expected `:`", self.text, place)
                value, end = self.value(self.skip(place + 1))
                found.append((key, value))
                if end is None:
                    break
                place = self.skip(end)
                if self.text[place] == "}":
                    return self.pairs(found), place + 1
                place = self.comma(place, "}")
        except _Ended:
            pass
        return self.pairs(found), None

    def comma(self, place: int, closing: str) -> int:
        if self.text[place] != ",":
            raise _Ended  # What comes next belongs to nothing, and is taken for the end.
        place = self.skip(place + 1)
        if self.text[place] == closing:
            raise json.JSONDecodeError("trailing comma", self.text, place)
        return place

    def skip(self, place: int) -> int:
        while self.text[place : place + 1] and self.text[place] in _SPACE:
            place += 1
        if place == len(self.text):
            raise _Ended
        return place
