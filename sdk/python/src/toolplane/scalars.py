"""JSON becomes one of the types that stand in JSON as a single value.

Most of these are never called with a wrong value, since the host has checked the input against the schema.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from toolplane import duration
from toolplane.errors import InputError

_KINDS: dict[type, str] = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null", float: "a number"}
_DATE_ALONE = re.compile(r"\d{4}-\d{2}-\d{2}")


def kind_of(value: Any) -> str:
    """What a JSON value is, in words, with the value when it is short."""
    if value.__class__ in (str, int, float):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}…"
    return _KINDS.get(type(value), type(value).__name__)


def converter_of(kind: type, exact: bool, from_text: bool = False) -> Callable[[Any], Any]:
    """The converter to `kind`. `exact` refuses the other kind of number; `from_text` reads the key of an object."""
    if kind is int:
        return _integer_from_text if from_text else _plain(int, "an integer") if exact else _integer
    if kind is float:
        return _plain(float, "a number") if exact else _number
    if kind in _PLAIN:
        return _plain(kind, _PLAIN[kind])
    parse, wanted = _PARSED[kind]
    return _parsed(parse, wanted)


def _plain(kind: type, wanted: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if value.__class__ is kind:
            return value
        raise InputError(f"expected {wanted}, got {kind_of(value)}")

    return convert


def _parsed(parse: Callable[[Any], Any], wanted: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return parse(value)
        except (ValueError, TypeError, ArithmeticError, AttributeError):
            raise InputError(f"expected {wanted}, got {kind_of(value)}") from None

    return convert


def _integer(value: Any) -> int:
    if value.__class__ is int:
        return value
    if value.__class__ is float and value.is_integer():  # JSON Schema calls 3.0 an integer.
        return int(value)
    raise InputError(f"expected an integer, got {kind_of(value)}")


def _number(value: Any) -> float:
    if value.__class__ is float:
        return value
    if value.__class__ is int:
        try:
            return float(value)
        except OverflowError:
            raise InputError("the number is too large for a float") from None
    raise InputError(f"expected a number, got {kind_of(value)}")


def _integer_from_text(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise InputError(f"expected an integer as the key, got {kind_of(value)}") from None


def _date(value: Any) -> date:
    if not _DATE_ALONE.fullmatch(value):  # `fromisoformat` also takes week dates and dates without dashes.
        raise ValueError
    return date.fromisoformat(value)


def _datetime(value: Any) -> datetime:
    if len(value) <= 10:
        raise ValueError  # A date alone: in `datetime | date` it is the date that was meant.
    return datetime.fromisoformat(value)


def _decimal(value: Any) -> Decimal:
    if value.__class__ not in (str, int, float):
        raise TypeError
    number = Decimal(str(value))  # Of a float, the digits that were written and not those of its binary form.
    if not number.is_finite():
        raise ValueError
    return number


def _bytes(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError from None


_PLAIN: dict[type, str] = {str: "a string", bool: "a boolean", type(None): "null"}

_PARSED: dict[type, tuple[Callable[[Any], Any], str]] = {
    date: (_date, "a date such as '2026-01-31'"),
    datetime: (_datetime, "a date and time such as '2026-01-31T12:00:00Z'"),
    time: (time.fromisoformat, "a time such as '12:30:00'"),
    timedelta: (duration.parse, "a duration such as 'PT1H30M'"),
    UUID: (UUID, "a UUID"),
    Decimal: (_decimal, "a decimal number"),
    bytes: (_bytes, "base64"),
}
