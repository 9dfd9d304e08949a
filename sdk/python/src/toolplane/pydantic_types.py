"""Parameters that pydantic reads: its models, and all types that have one of them within, or what only it understands.

Such a parameter is pydantic's as a whole: it writes the schema, holds the input against it and makes the value, so that a
model means here what it means everywhere, and an error says what pydantic says. The host, which knows no keywords but
our own, lets such a parameter pass.
"""

import importlib
import json
import typing
from collections.abc import Callable
from typing import Any

from toolplane.errors import InputError

# What pydantic, and whoever makes types for it, puts on a class that has a schema of its own.
_MARKS = ("__pydantic_core_schema__", "__get_pydantic_core_schema__")


class ReadByPydantic(Exception):
    """Raised while an annotation is read: it is pydantic's."""


def is_own(annotation: Any) -> bool:
    """Whether a type has a meaning to pydantic alone."""
    return any(hasattr(annotation, mark) for mark in _MARKS)


def is_note(note: Any) -> bool:
    """Whether what stands behind a type in `Annotated` is for pydantic."""
    return is_own(note) or type(note).__module__.partition(".")[0] == "pydantic"


def adapter(annotation: Any) -> Any:
    """What reads values of this type: a `TypeAdapter`, made once, when the tool is loaded."""
    # Where there is a type of it, it is there; the SDK itself does without.
    return importlib.import_module("pydantic").TypeAdapter(annotation)


def description(annotation: Any) -> str | None:
    """What the annotation itself says in words: pydantic takes no notice of a text in `Annotated`."""
    notes = annotation.__metadata__ if typing.get_origin(annotation) is typing.Annotated else ()
    return next((note for note in notes if isinstance(note, str)), None)


def schema(adapter: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a type. What it refers to goes to the definitions; two models may be of one name."""
    suffix, number = "", 1
    while True:
        schema: dict[str, Any] = adapter.json_schema(ref_template=f"#/$defs/{{model}}{suffix}")
        named = {f"{name}{suffix}": definition for name, definition in schema.pop("$defs", {}).items()}
        if all(definitions.get(name, definition) == definition for name, definition in named.items()):
            definitions.update(named)
            return schema
        number += 1
        suffix = str(number)


def converter(adapter: Any) -> Callable[[Any], Any]:
    """A function from JSON to the value that the function gets. It raises InputError in pydantic's own words."""
    wrong: type[ValueError] = importlib.import_module("pydantic_core").ValidationError
    # As JSON and not as Python's objects: pydantic is strict about other things there.
    read, write = adapter.validator.validate_json, json.JSONEncoder(separators=(",", ":")).encode

    def convert(value: Any) -> Any:
        try:
            return read(write(value))
        except wrong as error:
            raise InputError(str(error)) from None

    return convert


def plain(value: Any) -> Any:
    """A model in the types that JSON has, as `model_dump(mode="json")` writes it."""
    return type(value).__pydantic_serializer__.to_python(value, mode="json")
