"""What a tool may return, and the text that it becomes."""

import collections
import json
import types
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from kinds import Colour, Level, Place, Point

from toolplane import duration, output


class Title(str):
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (Title("as it is"), "as it is"),
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ({"a": [1, "é", None]}, '{"a":[1,"é",null]}'),
        (Place("Oslo", 3), '{"name":"Oslo","population":3}'),
        ([Point(1)], '[{"x":1,"y":0.5}]'),
        (Colour.RED, "red"),
        ([Colour.RED, Level.HIGH], '["red",2]'),
        ([datetime(2026, 1, 2, 3, tzinfo=timezone.utc)], '["2026-01-02T03:00:00+00:00"]'),
        ([date(2026, 1, 2), time(3, 4)], '["2026-01-02","03:04:00"]'),
        ([timedelta(hours=1)], '["PT1H"]'),
        ([Decimal("0.10"), UUID(int=1)], '["0.10","00000000-0000-0000-0000-000000000001"]'),
        ({3, 1, 2}, "[1,2,3]"),
        ([b"hi", bytearray(b"hi")], '["aGk=","aGk="]'),
        (types.MappingProxyType({"a": (1, 2)}), '{"a":[1,2]}'),
        (collections.deque([1]), "[1]"),
        (range(3), "[0,1,2]"),
        ({"a": 1}.keys(), '["a"]'),
        ({"a": 1}.values(), "[1]"),
        ({1: "a", None: "b", True: "c", date(2026, 1, 2): "d", Colour.RED: "e"}, None),
        ([Title("x")], '["x"]'),
        ("lone \ud800", "lone \ufffd"),
        (["pair \ud83d\ude00"], '["pair 😀"]'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_a_value_becomes(value: Any, text: str | None) -> None:
    text = text or '{"1":"c","null":"b","2026-01-02":"d","red":"e"}'
    assert output.to_text(value) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "the returned value is of type object, which has no JSON form"),
        ({"a": [1, {2j}]}, "the returned value at /a/1/0 is of type complex, which has no JSON form"),
        ([{"name": len}], "the returned value at /0/name is of type builtin_function_or_method, which has no"),
        ({"a": float("nan")}, "the returned value at /a is nan, which JSON does not have; use None instead"),
        ({(1, 2): 3}, "the returned value at /(1, 2) is under a key of type tuple"),
        ((n for n in ()), "the returned value is of type generator, which has no JSON form; return a list"),
        (Place, "the returned value is of type type, which has no JSON form"),
        ([type("Own", (), {"__module__": "weather"})()], "the returned value at /0 is of type weather.Own"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_has_no_json_form_is_named_by_type_and_path(value: Any, message: str) -> None:
    with pytest.raises(TypeError) as raised:
        output.to_text(value)
    assert str(raised.value).startswith(message)


def test_a_value_that_contains_itself() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueError, match="contains itself"):
        output.to_text(value)


@pytest.mark.parametrize("text", ["PT0S", "P1D", "PT1H30M", "P1DT0.000001S", "-PT5S", "PT59.5S"])
def test_durations_survive(text: str) -> None:
    assert duration.write(duration.parse(text)) == text


def test_output_is_json_for_every_plain_value() -> None:
    value = {"a": [1, 2.5, "x", None, True, {"b": []}]}
    assert json.loads(output.to_text(value)) == value
