"""Shapes become JSON Schema 2020-12.

A record is written where it is used, since models read a flat schema better; only one that contains itself
goes to `$defs`.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from toolplane import output, pydantic_types
from toolplane.recursion import recursive
from toolplane.shape import (
    MISSING,
    Adapted,
    Alias,
    Anything,
    Array,
    Choice,
    Dictionary,
    Field,
    Noted,
    OneOf,
    Record,
    Row,
    Scalar,
    Shape,
)

Schema = dict[str, Any]

_SCALARS: dict[type, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    time: {"type": "string", "format": "time"},
    timedelta: {"type": "string", "format": "duration"},
    UUID: {"type": "string", "format": "uuid"},
    # A string keeps every digit; a number is what people write.
    Decimal: {"type": ["number", "string"], "pattern": r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}

_NUMBER_KEYWORDS = {
    "gt": "exclusiveMinimum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "le": "maximum",
    "multiple_of": "multipleOf",
}
_LENGTH_KEYWORDS = {
    "string": {"min_length": "minLength", "max_length": "maxLength"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
}


def of_parameters(fields: tuple[Field, ...]) -> Schema:
    """The schema of a whole tool: an object with its parameters."""
    writer = _Writer(fields)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **writer.object(fields)}
    if writer.definitions:
        schema["$defs"] = writer.definitions
    return schema


class _Writer:
    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.definitions: dict[str, Schema] = {}
        self._references: dict[int, str] = {}
        self._recursive = recursive([field.shape for field in fields])

    def object(self, fields: tuple[Field, ...]) -> Schema:
        return {
            "type": "object",
            "properties": {field.name: self._field(field) for field in fields},
            "required": [field.name for field in fields if field.required],
            "additionalProperties": False,
        }

    def _field(self, field: Field) -> Schema:
        schema = dict(self.write(field.shape))
        if field.description and "description" not in _own(field.shape):
            schema["description"] = field.description
        if field.default is not MISSING:
            try:
                schema["default"] = output.plain(field.default)
            except TypeError:
                pass  # A sentinel of the author's: the parameter is optional, and there is nothing to show.
        return schema

    def write(self, shape: Shape) -> Schema:
        match shape:
            case Anything():
                return {}
            case Scalar(type=kind):
                return _SCALARS[kind]
            case Choice(options=options):
                return _choice([value for value, _ in options])
            case Array(item=item, build=build):
                schema: Schema = {"type": "array"}
                if not isinstance(item, Anything):
                    schema["items"] = self.write(item)
                return {**schema, "uniqueItems": True} if build in (set, frozenset) else schema
            case Row(items=items):
                schema = {"type": "array", "minItems": len(items), "maxItems": len(items), "items": False}
                # An empty `prefixItems` is not allowed.
                return {**schema, "prefixItems": [self.write(item) for item in items]} if items else schema
            case Dictionary(key=key, value=value):
                return self._dictionary(key, value)
            case OneOf(members=members):
                return {"anyOf": [self.write(member) for member in members]}
            case Noted(shape=inner, description=description, constraints=constraints):
                schema = _constrained(dict(self.write(inner)), constraints)
                return {**schema, "description": description} if description else schema
            case Record() | Alias():
                return self._named(shape)
            case Adapted(adapter=adapter, description=description):
                schema = pydantic_types.schema(adapter, self.definitions)
                return {**schema, "description": description} if description else schema

    def _dictionary(self, key: Shape, value: Shape) -> Schema:
        schema: Schema = {"type": "object"}
        if key == Scalar(int):
            schema["propertyNames"] = {"pattern": "^-?[0-9]+$"}
        elif key != Scalar(str):
            schema["propertyNames"] = self.write(key)
        if not isinstance(value, Anything):
            schema["additionalProperties"] = self.write(value)
        return schema

    def _named(self, shape: Record | Alias) -> Schema:
        if id(shape) not in self._recursive:
            return self._body(shape)
        if id(shape) not in self._references:
            name, number = shape.name, 1
            while name in self.definitions:  # Two modules may each have a class of this name.
                number += 1
                name = f"{shape.name}{number}"
            self._references[id(shape)] = name
            self.definitions[name] = {}
            self.definitions[name] = self._body(shape)
        return {"$ref": f"#/$defs/{self._references[id(shape)]}"}

    def _body(self, shape: Record | Alias) -> Schema:
        if isinstance(shape, Alias):
            return self.write(shape.target)
        schema = self.object(shape.fields)
        return {**schema, "description": shape.description} if shape.description else schema


def _own(shape: Shape) -> Schema:
    """What the annotation of the field itself says: it wins over the docstring."""
    return {"description": shape.description} if isinstance(shape, Noted | Adapted) and shape.description else {}


def _choice(values: list[Any]) -> Schema:
    kinds = {type(value) for value in values}
    if len(kinds) == 1 and (kind := kinds.pop()) in (str, int, float, bool):
        return {**_SCALARS[kind], "enum": values}
    return {"enum": values}


def _constrained(schema: Schema, constraints: tuple[tuple[str, Any], ...]) -> Schema:
    """Adds the keywords that JSON Schema has for the constraints; `convert.py` checks those that it has none for."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [_constrained(dict(member), constraints) for member in schema["anyOf"]]}
    kinds = schema.get("type", ())
    for name, bound in constraints:
        if name in _NUMBER_KEYWORDS:
            if kinds in ("integer", "number") or "number" in kinds:
                schema[_NUMBER_KEYWORDS[name]] = float(bound) if isinstance(bound, Decimal) else bound
        elif isinstance(kinds, str) and kinds in _LENGTH_KEYWORDS and "contentEncoding" not in schema:
            schema[_LENGTH_KEYWORDS[kinds][name]] = bound
    return schema
