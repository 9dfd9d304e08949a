"""A type annotation becomes a shape, or an error that says what to write instead."""

import collections.abc
import types
import typing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Literal, Union
from uuid import UUID

from toolplane import constraint, pydantic_types
from toolplane.records import Unresolvable, is_record, record_fields
from toolplane.shape import (
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

_SCALARS = (str, int, float, bool, type(None), date, datetime, time, timedelta, UUID, Decimal, bytes)

_ARRAYS: dict[Any, type] = {
    list: list,
    set: set,
    frozenset: frozenset,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Iterable: list,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}

_DICTIONARIES = (dict, collections.abc.Mapping, collections.abc.MutableMapping)

# Looked up by name, so that nothing is imported for the sake of an error message.
_INSTEAD = {
    "complex": "use `tuple[float, float]`",
    "bytearray": "use `bytes`",
    "memoryview": "use `bytes`",
    "Path": "use `str`",
    "PurePath": "use `str`",
    "Fraction": "use `Decimal`",
    "Callable": "functions cannot be passed as JSON; use a `Literal` that names what to do",
    "TypeVar": "use a concrete type",
    "object": "use `Any`",
    "tzinfo": "use `str`, and `zoneinfo.ZoneInfo` inside the function",
    "Pattern": "use `str`, and `re.compile` inside the function",
}


class UnsupportedType(Exception):
    """The annotation has no JSON form. The message completes "the type of …"."""

    def __init__(self, message: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(message)


class AnnotationReader:
    """Reads the annotations of one tool; it remembers the records, so that one which contains itself is read once."""

    def __init__(self) -> None:
        self._named: dict[Any, Record | Alias] = {}

    def parameter(self, annotation: Any) -> Shape:
        """The shape of a whole parameter."""
        known = dict(self._named)
        try:
            return self.read(annotation)
        except pydantic_types.ReadByPydantic:
            self._named = known  # A record that was half read.
        try:
            return Adapted(pydantic_types.adapter(annotation), pydantic_types.description(annotation))
        except Exception as error:
            raise UnsupportedType(
                f"has a type that pydantic cannot read ({type(error).__name__}: {error})", "correct the type"
            ) from None

    def read(self, annotation: Any) -> Shape:
        if annotation is None:
            return Scalar(type(None))
        if annotation is Any:
            return Anything()
        if annotation in _SCALARS:
            return Scalar(annotation)
        if isinstance(annotation, typing.NewType):
            return self.read(annotation.__supertype__)
        if type(annotation).__name__ == "TypeAliasType":  # `type X = …`, which 3.11 does not have.
            return self._alias(annotation)
        if pydantic_types.is_own(annotation):
            raise pydantic_types.ReadByPydantic
        if isinstance(annotation, type) and issubclass(annotation, Enum):
            return _enum(annotation)
        if isinstance(annotation, type) and is_record(annotation):
            return self._record(annotation)
        return self._generic(annotation, typing.get_origin(annotation) or annotation, typing.get_args(annotation))

    def _generic(self, annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        if not isinstance(origin, collections.abc.Hashable):  # `days: [int]`, for example.
            raise _unsupported(annotation, origin)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in (typing.Required, typing.NotRequired) or getattr(origin, "_name", "") == "ReadOnly":
            return self.read(arguments[0])
        if origin is Literal:
            return Choice(tuple(_literal(value) for value in arguments))
        if origin is Union or origin is types.UnionType:
            return OneOf(tuple(self.read(member) for member in arguments))
        if origin is tuple:
            return self._tuple(annotation, arguments)
        if origin in _ARRAYS:
            return self._array(_ARRAYS[origin], self.read(arguments[0]) if arguments else Anything())
        if origin in _DICTIONARIES:
            key, value = arguments or (str, Any)
            return self._dictionary(key, value)
        raise _unsupported(annotation, origin)

    def _annotated(self, annotated: Any, metadata: tuple[Any, ...]) -> Shape:
        if any(map(pydantic_types.is_note, metadata)):
            raise pydantic_types.ReadByPydantic
        if unknown := constraint.unknown(metadata):
            raise UnsupportedType(
                f"has `{unknown}`, which a JSON Schema cannot say", "check it in the function, and raise `ValueError`"
            )
        description, constraints = constraint.read(metadata)
        shape = self.read(annotated)
        if misfit := constraint.misfit(shape, constraints):
            raise UnsupportedType(f"has `{misfit}`, which does not apply to it", f"remove `{misfit}`")
        return Noted(shape, description, constraints)

    def _tuple(self, annotation: Any, arguments: tuple[Any, ...]) -> Shape:
        if not arguments and annotation in (tuple, typing.Tuple):
            return Array(Anything(), tuple)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return Array(self.read(arguments[0]), tuple)
        return Row(tuple(self.read(argument) for argument in arguments))

    def _array(self, build: type, item: Shape) -> Shape:
        if build in (set, frozenset) and not _hashable(item):
            raise UnsupportedType("is a set of values that cannot be in a set", "use a `list`")
        return Array(item, build)

    def _dictionary(self, key: Any, value: Any) -> Shape:
        key_shape = Scalar(str) if key is Any else self.read(key)
        if not _is_key(key_shape):
            raise UnsupportedType(f"has keys of type `{name_of(key)}`", "JSON keys are strings: use `dict[str, …]`")
        return Dictionary(key_shape, self.read(value))

    def _alias(self, annotation: Any) -> Shape:
        if annotation not in self._named:
            alias = self._named[annotation] = Alias(annotation.__name__)
            alias.target = self.read(annotation.__value__)
        return self._named[annotation]

    def _record(self, cls: type) -> Shape:
        if cls in self._named:
            return self._named[cls]
        record = self._named[cls] = Record(cls.__name__, cls)
        try:
            declared, record.description = record_fields(cls)
        except Unresolvable as error:
            raise UnsupportedType(f"`{cls.__name__}`: {error}", error.remedy) from None
        fields = []
        for field in declared:
            try:
                shape = self.read(field.annotation)
            except UnsupportedType as error:
                raise UnsupportedType(f"has a field `{cls.__name__}.{field.name}` that {error}", error.remedy) from None
            fields.append(Field(field.name, shape, field.required, field.default, field.description))
        record.fields = tuple(fields)
        return record


def name_of(annotation: Any) -> str:
    """The annotation as its author wrote it, more or less."""
    if isinstance(annotation, typing.TypeVar):
        return annotation.__name__
    if callable(annotation) and typing.get_origin(annotation) is None and not isinstance(annotation, type):
        return str(getattr(annotation, "__name__", type(annotation).__name__))  # A function; its `repr` is an address.
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__qualname__
    return str(annotation).removeprefix("typing.")


def _enum(cls: type[Enum]) -> Shape:
    if issubclass(cls, Flag):
        raise UnsupportedType(f"is the Flag `{cls.__name__}`", "use a `set` of an Enum")
    for member in cls:
        if not isinstance(member.value, str | int | float | bool | None):
            raise UnsupportedType(
                f"is the Enum `{cls.__name__}`, whose member `{member.name}` has a value of type "
                f"`{type(member.value).__name__}`",
                "give the members strings or numbers as values",
            )
    return Choice(tuple((member.value, member) for member in cls))


def _literal(value: Any) -> tuple[Any, Any]:
    if isinstance(value, Enum):
        return value.value, value
    if isinstance(value, bytes):
        raise UnsupportedType("is a Literal of bytes", "use strings")
    return value, value


def _hashable(shape: Shape) -> bool:
    match shape:
        case Noted(shape=inner):
            return _hashable(inner)
        case Array(build=build, item=item):
            return build in (tuple, frozenset) and _hashable(item)
        case Row(items=items) | OneOf(members=items):
            return all(map(_hashable, items))
        case Record(build=build):
            # A dataclass that compares by value and is not frozen has `__hash__ = None`; so has a TypedDict's dict.
            return getattr(build, "__hash__", None) is not None and not typing.is_typeddict(build)
        case Dictionary():
            return False
    return True


def _is_key(shape: Shape) -> bool:
    match shape:
        case Scalar(type=kind):
            return kind in (str, int, UUID, date, datetime)
        case Choice(options=options):
            return all(isinstance(value, str) for value, _ in options)
        case Noted(shape=inner):
            return inner != Scalar(int) and _is_key(inner)  # Bounds on numbers say nothing about their digits.
        case Alias(target=inner):
            return _is_key(inner)
    return False


def _unsupported(annotation: Any, origin: Any) -> UnsupportedType:
    name: str = "TypeVar" if isinstance(annotation, typing.TypeVar) else getattr(origin, "__name__", "")
    remedy = _INSTEAD.get(name, "use a dataclass, a TypedDict, or one of the types that the documentation lists")
    return UnsupportedType(f"is `{name_of(annotation)}`, which has no JSON form", remedy)
