"""What stands in `Annotated` after the type: a description, and constraints as `annotated-types` has them.

The objects are recognised by their attributes, so neither that package nor pydantic has to be imported.
"""

from collections.abc import Callable, Iterable, Sized
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from toolplane.shape import Alias, Array, Dictionary, Noted, OneOf, Record, Row, Scalar, Shape

_ORDER = ("gt", "ge", "lt", "le")
_LENGTH = ("min_length", "max_length")
_NAMES = (*_ORDER, "multiple_of", *_LENGTH)
_NUMBERS = (int, float, Decimal)
_ORDERED = (*_NUMBERS, date, datetime, time, timedelta)


def read(metadata: Iterable[Any]) -> tuple[str | None, tuple[tuple[str, Any], ...]]:
    """The description and the constraints, in the order in which they were written."""
    description = None
    constraints: list[tuple[str, Any]] = []
    for item in metadata:
        if isinstance(item, str):
            description = item
        elif isinstance(documentation := getattr(item, "documentation", None), str):  # typing_extensions.Doc
            description = documentation
        else:
            constraints.extend(_constraints(item))
    return description, tuple(constraints)


def unknown(metadata: Iterable[Any]) -> str | None:
    """The name of the first constraint that cannot be in a schema. What is none, such as a mark of another library's, is
    for that library."""
    for item in metadata:
        kind = item if isinstance(item, type) else type(item)
        if isinstance(item, str) or isinstance(getattr(item, "documentation", None), str):
            continue
        # Of annotated-types that is `Predicate`, `Timezone` and `Unit`, and whoever extends its classes.
        if any(base.__module__.split(".")[0] == "annotated_types" for base in kind.__mro__) and not _constraints(item):
            if not _says_nothing(item):
                return kind.__name__
        # pydantic's `Field(pattern=…)`, and `StringConstraints`.
        if isinstance(getattr(item, "pattern", None), str):
            return "pattern"
    return None


def misfit(shape: Shape, constraints: Iterable[tuple[str, Any]]) -> str | None:
    """The name of the first constraint that says nothing about such a value."""
    return next((name for name, _ in constraints if not applies(name, shape)), None)


def applies(name: str, shape: Shape) -> bool:
    """Whether a constraint can be judged. For a union, whether it can be for one of the members."""
    match shape:
        case Noted(shape=inner) | Alias(target=inner):
            return applies(name, inner)
        case OneOf(members=members):
            return any(applies(name, member) for member in members)
        case Scalar(type=kind):
            if name in _LENGTH:
                return kind in (str, bytes)
            return kind in (_NUMBERS if name == "multiple_of" else _ORDERED)
        case Array() | Row() | Dictionary():
            return name in _LENGTH
        case Record():
            return False
    return True


def check(name: str, bound: Any) -> tuple[Callable[[Any], bool], str]:
    """A test for the converted value, and what the test asks for, in words."""
    match name:
        case "gt":
            return (lambda value: value > bound), f"greater than {bound}"
        case "ge":
            return (lambda value: value >= bound), f"at least {bound}"
        case "lt":
            return (lambda value: value < bound), f"less than {bound}"
        case "le":
            return (lambda value: value <= bound), f"at most {bound}"
        case "multiple_of":
            return (lambda value: value % bound == 0), f"a multiple of {bound}"
        case "min_length":
            return (lambda value: _length(value) >= bound), f"at least {bound} long"
    return (lambda value: _length(value) <= bound), f"at most {bound} long"


def _constraints(item: Any) -> list[tuple[str, Any]]:
    found = [(name, bound) for name in _NAMES if (bound := getattr(item, name, None)) is not None]
    if found or isinstance(item, type) or not isinstance(item, Iterable):
        return [(name, bound) for name, bound in found if (name, bound) != ("min_length", 0)]
    return [pair for part in item for pair in _constraints(part)]


def _says_nothing(item: Any) -> bool:
    """Whether it holds bounds that are all left out, as `Len(0)` and `Interval()` do."""
    return any(hasattr(item, name) for name in _NAMES)


def _length(value: Sized) -> int:
    return len(value)
