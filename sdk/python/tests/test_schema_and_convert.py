"""What each type means: its schema, and the value that the function gets. One table for both."""

import collections.abc
import inspect
import typing
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Annotated, Any, Literal, NewType, Optional, Union
from uuid import UUID

import annotated_types
import pytest
from kinds import Checked, Colour, Level, Loose, Mixed, Options, Ping, Place, Point, Pong, Tree

from toolplane import convert, schema
from toolplane.annotation import AnnotationReader, UnsupportedType
from toolplane.errors import InputError
from toolplane.shape import Field

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number"}
NULL = {"type": "null"}
UserId = NewType("UserId", int)


def field(annotation: Any) -> Field:
    return Field("x", AnnotationReader().read(annotation), True)


def schema_of(annotation: Any) -> Any:
    return schema.of_parameters((field(annotation),))["properties"]["x"]


def converted(annotation: Any, value: Any) -> Any:
    return convert.of_parameters((field(annotation),))({"x": value})["x"]


def record(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def array(items: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "array", **({"items": items} if items else {}), **more}


PLACE = record(
    {
        "name": {**STRING, "description": "What people call it."},
        "population": {**INTEGER, "description": "How many live there", "default": 0},
    },
    "name",
    description="A place.",
)

TABLE: list[tuple[Any, Any, Any, Any]] = [
    (str, STRING, "a", "a"),
    (int, INTEGER, 3, 3),
    (int, INTEGER, 3.0, 3),
    (float, NUMBER, 3, 3.0),
    (bool, {"type": "boolean"}, True, True),
    (None, NULL, None, None),
    (Any, {}, {"a": [1]}, {"a": [1]}),
    (UserId, INTEGER, 3, 3),
    (date, {**STRING, "format": "date"}, "2026-01-31", date(2026, 1, 31)),
    (
        datetime,
        {**STRING, "format": "date-time"},
        "2026-01-31T12:00:00Z",
        datetime(2026, 1, 31, 12, tzinfo=timezone.utc),
    ),
    (time, {**STRING, "format": "time"}, "12:30:00", time(12, 30)),
    (timedelta, {**STRING, "format": "duration"}, "P1DT2H0.5S", timedelta(days=1, hours=2, milliseconds=500)),
    (
        UUID,
        {**STRING, "format": "uuid"},
        "12345678-1234-5678-1234-567812345678",
        UUID("12345678-1234-5678-1234-567812345678"),
    ),
    (bytes, {**STRING, "contentEncoding": "base64"}, "aGk=", b"hi"),
    (list, array(), [1, "a"], [1, "a"]),
    (list[int], array(INTEGER), [1, 2], [1, 2]),
    (collections.abc.Sequence[float], array(NUMBER), [1], [1.0]),
    (set[str], array(STRING, uniqueItems=True), ["a"], {"a"}),
    (frozenset[int], array(INTEGER, uniqueItems=True), [1], frozenset({1})),
    (set[tuple[int, ...]], array(array(INTEGER), uniqueItems=True), [[1]], {(1,)}),
    (tuple, array(), [1], (1,)),
    (tuple[int, ...], array(INTEGER), [1, 2], (1, 2)),
    (
        tuple[int, str],
        {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [INTEGER, STRING], "items": False},
        [1, "a"],
        (1, "a"),
    ),
    (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0, "items": False}, [], ()),
    (dict, {"type": "object"}, {"a": 1}, {"a": 1}),
    (dict[str, list[int]], {"type": "object", "additionalProperties": array(INTEGER)}, {"a": [1]}, {"a": [1]}),
    (
        dict[int, str],
        {"type": "object", "propertyNames": {"pattern": "^-?[0-9]+$"}, "additionalProperties": STRING},
        {"1": "a"},
        {1: "a"},
    ),
    (
        dict[Colour, int],
        {"type": "object", "propertyNames": {**STRING, "enum": ["red", "blue"]}, "additionalProperties": INTEGER},
        {"red": 1},
        {Colour.RED: 1},
    ),
    (Literal["a", "b"], {**STRING, "enum": ["a", "b"]}, "b", "b"),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}, 1, 1),
    (Literal[Colour.RED], {**STRING, "enum": ["red"]}, "red", Colour.RED),
    (Colour, {**STRING, "enum": ["red", "blue"]}, "blue", Colour.BLUE),
    (Level, {**INTEGER, "enum": [1, 2]}, 2, Level.HIGH),
    (Mixed, {"enum": [None, 1]}, None, Mixed.NONE),
    (Optional[int], {"anyOf": [INTEGER, NULL]}, None, None),
    (int | None, {"anyOf": [INTEGER, NULL]}, 4, 4),
    (Union[int, str], {"anyOf": [INTEGER, STRING]}, "4", "4"),
    (float | int, {"anyOf": [NUMBER, INTEGER]}, 4, 4),
    (int | float, {"anyOf": [INTEGER, NUMBER]}, 4.0, 4.0),
    (float | str, {"anyOf": [NUMBER, STRING]}, 4, 4.0),
    (list[float] | list[int], {"anyOf": [array(NUMBER), array(INTEGER)]}, [1, 2], [1, 2]),
    (
        datetime | date,
        {"anyOf": [{**STRING, "format": "date-time"}, {**STRING, "format": "date"}]},
        "2026-01-31",
        date(2026, 1, 31),
    ),
    (Place, PLACE, {"name": "Oslo"}, Place("Oslo")),
    (
        Place | Point,
        {"anyOf": [PLACE, record({"x": INTEGER, "y": {**NUMBER, "default": 0.5}}, "x")]},
        {"x": 1},
        Point(1),
    ),
    (dict[str, Place], {"type": "object", "additionalProperties": PLACE}, {"a": {"name": "b"}}, {"a": Place("b")}),
    (Options, record({"depth": INTEGER, "label": STRING}, "depth"), {"depth": 1}, {"depth": 1}),
    (
        Loose,
        record({"depth": INTEGER, "label": {**STRING, "description": "A label"}}, "depth"),
        {"depth": 1, "label": "a"},
        {"depth": 1, "label": "a"},
    ),
    (Annotated[str, "A name"], {**STRING, "description": "A name"}, "a", "a"),
    (
        Annotated[int, annotated_types.Ge(1), annotated_types.Lt(9)],
        {**INTEGER, "minimum": 1, "exclusiveMaximum": 9},
        1,
        1,
    ),
    (Annotated[float, annotated_types.Interval(gt=0, le=1)], {**NUMBER, "exclusiveMinimum": 0, "maximum": 1}, 1, 1.0),
    (Annotated[int, annotated_types.MultipleOf(5)], {**INTEGER, "multipleOf": 5}, 10, 10),
    (Annotated[str, annotated_types.Len(1, 3)], {**STRING, "minLength": 1, "maxLength": 3}, "abc", "abc"),
    (Annotated[list[int], annotated_types.MaxLen(2)], array(INTEGER, maxItems=2), [1], [1]),
    (
        Annotated[int | None, annotated_types.Ge(0)],
        {"anyOf": [{**INTEGER, "minimum": 0}, NULL]},
        None,
        None,
    ),
    (
        Annotated[date, annotated_types.Ge(date(2026, 1, 1))],
        {**STRING, "format": "date"},
        "2026-02-01",
        date(2026, 2, 1),
    ),
]


@pytest.mark.parametrize(("annotation", "expected", "value", "result"), TABLE, ids=lambda value: str(value)[:40])
def test_a_type_has_a_schema_and_a_value(annotation: Any, expected: Any, value: Any, result: Any) -> None:
    assert schema_of(annotation) == expected
    got = converted(annotation, value)
    assert got == result
    assert type(got) is type(result)


def test_a_decimal_keeps_its_digits_and_takes_numbers() -> None:
    assert converted(Decimal, "0.10") == Decimal("0.10")
    assert str(converted(Decimal, 0.1)) == "0.1"
    assert schema_of(Decimal)["type"] == ["number", "string"]
    assert schema_of(Annotated[Decimal, annotated_types.Ge(Decimal(1))])["minimum"] == 1


WRONG: list[tuple[Any, Any, str]] = [
    (str, 1, "/x: expected a string, got 1"),
    (int, True, "/x: expected an integer, got a boolean"),
    (int, 1.5, "/x: expected an integer, got 1.5"),
    (float, "1", "/x: expected a number, got '1'"),
    (float, 10**400, "/x: the number is too large for a float"),
    (bool, 1, "/x: expected a boolean, got 1"),
    (date, "2026-13-01", "/x: expected a date such as '2026-01-31', got '2026-13-01'"),
    (date, 3, "/x: expected a date such as '2026-01-31', got 3"),
    (datetime, "2026-01-01", "/x: expected a date and time such as '2026-01-31T12:00:00Z', got '2026-01-01'"),
    (timedelta, "P", "/x: expected a duration such as 'PT1H30M', got 'P'"),
    (UUID, "no", "/x: expected a UUID, got 'no'"),
    (Decimal, "NaN", "/x: expected a decimal number, got 'NaN'"),
    (Decimal, True, "/x: expected a decimal number, got a boolean"),
    (bytes, "%%%", "/x: expected base64, got '%%%'"),
    (list[int], [1, "a"], "/x/1: expected an integer, got 'a'"),
    (list[int], {}, "/x: expected an array, got an object"),
    (tuple[int, str], [1], "/x: expected 2 items, got 1"),
    (tuple[int, str], [1, 2], "/x/1: expected a string, got 2"),
    (dict[str, int], {"a/b": "c"}, "/x/a~1b: expected an integer, got 'c'"),
    (dict[int, int], {"a": 1}, "/x/a: expected an integer as the key, got 'a'"),
    (Literal[1], True, "/x: expected one of 1, got a boolean"),
    (Colour, "green", "/x: expected one of 'red', 'blue', got 'green'"),
    (Colour, [], "/x: expected one of 'red', 'blue', got an array"),
    (int | None, "a", "/x: expected an integer, got 'a' or expected null, got 'a'"),
    (list[Place] | None, [{"name": 1}], "/x/0/name: expected a string, got 1"),
    (Place, {"name": "a", "size": 1}, "/x/size: is not known here (known: name, population)"),
    (Place, {}, "/x/name: is required and missing"),
    (Place, "a", "/x: expected an object, got 'a'"),
    (Options, {"label": "a"}, "/x/depth: is required and missing"),
    (Checked, {"low": 2, "high": 1}, "/x: low is above high"),
    (Annotated[int, annotated_types.Ge(1)], 0, "/x: must be at least 1"),
    (Annotated[str, annotated_types.MaxLen(1)], "ab", "/x: must be at most 1 long"),
    (Annotated[int | None, annotated_types.Ge(0)], -1, "/x: must be at least 0 or expected null, got -1"),
    (Tree, {"value": 1, "children": [{"value": 1, "children": [{}]}]}, "/x/children/0/children/0/value: is required"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_value_is_named_by_its_path(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(InputError) as raised:
        converted(annotation, value)
    assert str(raised.value).startswith(message)


UNSUPPORTED: list[tuple[Any, str, str]] = [
    (complex, "`complex`", "tuple[float, float]"),
    (object, "`object`", "`Any`"),
    (collections.abc.Callable[[], int], "Callable", "Literal"),
    (typing.TypeVar("T"), "T", "concrete"),
    ([int], "[<class 'int'>]", "dataclass"),
    (list[complex], "`complex`", "tuple[float, float]"),
    (set[list[int]], "cannot be in a set", "`list`"),
    (dict[float, int], "keys of type `float`", "dict[str"),
    (Annotated[str, annotated_types.Ge(1)], "`ge`", "remove `ge`"),
    (Annotated[int, annotated_types.Predicate(bool)], "`Predicate`", "check it in the function"),
    (Annotated[datetime, annotated_types.Timezone(None)], "`Timezone`", "check it in the function"),
    (Annotated[str, SimpleNamespace(pattern="a+")], "`pattern`", "check it in the function"),
    (Annotated[None, annotated_types.Ge(1)], "`ge`", "remove `ge`"),
]


@pytest.mark.parametrize(("annotation", "message", "remedy"), UNSUPPORTED, ids=lambda value: str(value)[:30])
def test_an_unsupported_type_says_what_to_use(annotation: Any, message: str, remedy: str) -> None:
    with pytest.raises(UnsupportedType) as raised:
        AnnotationReader().read(annotation)
    assert message in str(raised.value)
    assert remedy in raised.value.remedy


def test_an_unsupported_field_is_named_with_its_class() -> None:
    with pytest.raises(UnsupportedType, match="has a field `Bad.when` that is `complex`"):
        AnnotationReader().read(Bad)


@dataclass
class Bad:
    when: complex


def test_a_record_that_contains_itself_is_a_definition() -> None:
    written = schema.of_parameters((field(Tree),))
    assert written["properties"]["x"] == {"$ref": "#/$defs/Tree"}
    assert written["$defs"]["Tree"] == record({"value": INTEGER, "children": array({"$ref": "#/$defs/Tree"})}, "value")
    assert converted(Tree, {"value": 1, "children": [{"value": 2}]}) == Tree(1, [Tree(2)])


def test_two_records_that_contain_each_other() -> None:
    written = schema.of_parameters((field(Pong), Field("y", AnnotationReader().read(Ping), False)))
    assert "Pong" in str(written["properties"])
    assert converted(Pong, {"ping": {"pong": {"ping": {}}}}) == Pong(Ping(Pong(Ping())))


def test_the_whole_schema() -> None:
    fields = (
        Field("city", AnnotationReader().read(str), True, description="The city"),
        Field("when", AnnotationReader().read(date), False, date(2026, 1, 2)),
        Field("odd", AnnotationReader().read(Any), False, object()),
    )
    assert schema.of_parameters(fields) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city"},
            "when": {"type": "string", "format": "date", "default": "2026-01-02"},
            "odd": {},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_all_converters_are_closures_made_once() -> None:
    convert_all = convert.of_parameters((field(list[Place]),))
    assert inspect.isfunction(convert_all)
    assert convert_all({"x": [{"name": "a"}]}) == convert_all({"x": [{"name": "a"}]})
