"""Defaults that are not of their parameter's type: a model would be told of a value that it may not pass."""

from collections.abc import Iterator
from typing import Any

from toolplane import convert, output
from toolplane.errors import InputError
from toolplane.shape import MISSING, Field, Noted, Record, Scalar, Shape
from toolplane.signature import Wrong


def wrong(fields: tuple[Field, ...], function: Any) -> Iterator[Wrong]:
    """What is certain to be wrong. `None` means "not given" in much Python, and a bound says nothing about a default."""
    name = getattr(function, "__name__", "the entry point")
    for field in fields:
        shape = _unbound(field.shape)
        if field.default is MISSING or field.default is None or _is_of(field.default, shape):
            continue
        try:
            given = output.plain(field.default)
        except (TypeError, ValueError, RecursionError):
            continue  # A sentinel of the author's: it has no JSON form.
        try:
            convert.of_parameters((Field(field.name, shape, required=True),))({field.name: given})
        except InputError as error:
            message = f"the default of the parameter `{field.name}` of `{name}` is not of its type: {error.message}"
            yield Wrong(message, "correct the default or the type", field.name)


def _unbound(shape: Shape) -> Shape:
    while isinstance(shape, Noted):
        shape = shape.shape
    return shape


def _is_of(default: Any, shape: Shape) -> bool:
    kind: Any = shape.type if isinstance(shape, Scalar) else shape.build if isinstance(shape, Record) else None
    try:
        return isinstance(default, kind) and not isinstance(default, bool)
    except TypeError:  # Neither of both, or a TypedDict.
        return False
