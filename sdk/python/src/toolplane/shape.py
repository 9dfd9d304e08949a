"""The forms that a parameter can have, read once from its annotation.

`schema.py` turns a shape into JSON Schema and `convert.py` into a function from JSON to Python,
so that the two can never disagree about what a type means.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union


class _Missing:
    """A default that is not there; None is one."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Anything:
    """`Any`: every JSON value, as it is."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One of the types that have a JSON type or a string form: `str`, `int`, `datetime`, `UUID`, …"""

    type: type


@dataclass(frozen=True, slots=True)
class Choice:
    """`Literal` and `Enum`: pairs of what stands in the JSON and what the function gets."""

    options: tuple[tuple[Any, Any], ...]


@dataclass(frozen=True, slots=True)
class Array:
    """`list`, `set`, `frozenset`, and `tuple` of any length."""

    item: "Shape"
    build: type


@dataclass(frozen=True, slots=True)
class Row:
    """A tuple of a fixed length."""

    items: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Dictionary:
    """`dict`; the key is a shape whose JSON form is a string, or `int`."""

    key: "Shape"
    value: "Shape"


@dataclass(frozen=True, slots=True)
class OneOf:
    """`Union` and `Optional`."""

    members: tuple["Shape", ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """`Annotated`: a description and constraints, named as `annotated-types` names them (`ge`, `max_length`, …)."""

    shape: "Shape"
    description: str | None = None
    constraints: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Adapted:
    """A type that pydantic reads. It is always a whole parameter, and stands within nothing else."""

    adapter: Any
    """A `TypeAdapter`."""
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter of the function, or a field of a record."""

    name: str
    shape: "Shape"
    required: bool
    default: Any = MISSING
    description: str | None = None


@dataclass(eq=False, slots=True)
class Record:
    """A dataclass, NamedTuple or TypedDict. Filled after it is made, since it may contain itself."""

    name: str
    build: Callable[..., Any]
    fields: tuple[Field, ...] = ()
    description: str | None = None


@dataclass(eq=False, slots=True)
class Alias:
    """A `type` statement (Python 3.12). Filled after it is made, since it may contain itself."""

    name: str
    target: "Shape" = field(default_factory=Anything)


Shape = Union[Anything, Scalar, Choice, Array, Row, Dictionary, OneOf, Noted, Record, Alias, Adapted]
