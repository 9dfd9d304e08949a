"""The fields of a dataclass, a NamedTuple or a TypedDict, as their author declared them."""

import dataclasses
import inspect
import typing
from typing import Any, NamedTuple

from toolplane import docstring
from toolplane.shape import MISSING


class Declared(NamedTuple):
    """A field whose annotation has not been read yet."""

    name: str
    annotation: Any
    required: bool
    default: Any = MISSING
    description: str | None = None


class Unresolvable(Exception):
    """The annotations of a class cannot be evaluated."""

    remedy = "import the names that the annotations use at run time, and not only under `TYPE_CHECKING`"


def is_record(cls: type) -> bool:
    return dataclasses.is_dataclass(cls) or typing.is_typeddict(cls) or _is_named_tuple(cls)


def record_fields(cls: type) -> tuple[list[Declared], str | None]:
    """The fields in the order of their declaration, and the description of the whole."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except Exception as error:
        raise Unresolvable(f"its annotations cannot be evaluated ({error})") from error
    documented = docstring.parse(_written_docstring(cls))
    if typing.is_typeddict(cls):
        fields = _typed_dict(cls, hints)
    elif dataclasses.is_dataclass(cls):
        fields = _dataclass(cls, hints)
    else:
        fields = _named_tuple(cls, hints)
    described = [field._replace(description=documented.parameters.get(field.name)) for field in fields]
    return described, documented.description or None


def _dataclass(cls: Any, hints: dict[str, Any]) -> list[Declared]:
    fields = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        has_default = field.default is not dataclasses.MISSING
        # A factory may be the clock or a counter: it runs at the invocation, and is no default to publish.
        required = not has_default and field.default_factory is dataclasses.MISSING
        fields.append(Declared(field.name, hints[field.name], required, field.default if has_default else MISSING))
    return fields


def _named_tuple(cls: Any, hints: dict[str, Any]) -> list[Declared]:
    defaults = cls._field_defaults
    return [
        Declared(name, hints.get(name, Any), name not in defaults, defaults.get(name, MISSING)) for name in cls._fields
    ]


def _typed_dict(cls: Any, hints: dict[str, Any]) -> list[Declared]:
    return [Declared(name, hint, _is_required(cls, name, hint)) for name, hint in hints.items()]


def _is_required(cls: Any, name: str, hint: Any) -> bool:
    """The evaluated annotation decides: `__required_keys__` is wrong under `from __future__ import annotations`."""
    while (origin := typing.get_origin(hint)) is not None:
        if origin in (typing.Required, typing.NotRequired):
            return bool(origin is typing.Required)
        if origin is not typing.Annotated and getattr(origin, "_name", "") != "ReadOnly":
            break
        hint = typing.get_args(hint)[0]
    return name in cls.__required_keys__


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and hasattr(cls, "_fields") and hasattr(cls, "_field_defaults")


def _written_docstring(cls: type) -> str | None:
    """Not the one that `dataclass` and `NamedTuple` make up, nor an inherited one."""
    text = cls.__dict__.get("__doc__")
    if not text or text.startswith(f"{cls.__name__}("):
        return None
    return inspect.cleandoc(text)
