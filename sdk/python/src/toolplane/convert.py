"""JSON becomes what the function declares: a dataclass, an Enum, a datetime.

A tool runs this at every invocation, so a converter is built once, when the tool is loaded: a closure for each
shape, which knows nothing but its own part. Paths are put together only when something is wrong.
"""

from collections.abc import Callable
from typing import Any

from toolplane import constraint, pydantic_types
from toolplane.errors import InputError
from toolplane.recursion import recursive
from toolplane.scalars import converter_of, kind_of
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

Converter = Callable[[Any], Any]


def of_parameters(fields: tuple[Field, ...]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function from the JSON object of an invocation to the keyword arguments of the call."""
    return _Compiler([field.shape for field in fields]).object(fields, exact=False)


class _Compiler:
    def __init__(self, shapes: list[Shape]) -> None:
        self._recursive = recursive(shapes)
        self._named: dict[tuple[int, bool], Converter | None] = {}

    def compile(self, shape: Shape, exact: bool) -> Converter:
        """`exact` is how a union tries its members first: without taking an integer for a float, or the reverse."""
        match shape:
            case Anything():
                return lambda value: value
            case Scalar(type=kind):
                return converter_of(kind, exact)
            case Choice(options=options):
                return _choice(options)
            case Array(item=item, build=build):
                return _array(self.compile(item, exact), build)
            case Row(items=items):
                return _row([self.compile(item, exact) for item in items])
            case Dictionary(key=key, value=value):
                return _dictionary(_key(key, self.compile(key, exact)), self.compile(value, exact))
            case OneOf(members=members):
                strict = [self.compile(member, True) for member in members]
                return _one_of(strict if exact else [*strict, *(self.compile(member, False) for member in members)])
            case Noted(shape=inner, constraints=constraints):
                return self._noted(inner, constraints, exact)
            case Record() | Alias():
                return self._late(shape, exact)
            case Adapted(adapter=adapter):
                return pydantic_types.converter(adapter)

    def object(self, fields: tuple[Field, ...], exact: bool) -> Callable[[Any], dict[str, Any]]:
        converters = {field.name: self.compile(field.shape, exact) for field in fields}
        return _object(converters, frozenset(field.name for field in fields if field.required))

    def _noted(self, inner: Shape, constraints: tuple[tuple[str, Any], ...], exact: bool) -> Converter:
        if isinstance(inner, OneOf):
            # Each member is held to what can be said of it: `Annotated[int | None, Ge(0)]` lets None pass.
            return self.compile(
                OneOf(
                    tuple(
                        Noted(member, None, tuple(pair for pair in constraints if constraint.applies(pair[0], member)))
                        for member in inner.members
                    )
                ),
                exact,
            )
        convert = self.compile(inner, exact)
        for name, bound in constraints:
            convert = _checked(convert, *constraint.check(name, bound))
        return convert

    def _late(self, shape: Record | Alias, exact: bool) -> Converter:
        if id(shape) not in self._recursive:
            return self._body(shape, exact)
        key = (id(shape), exact)
        if key not in self._named:
            self._named[key] = None
            self._named[key] = self._body(shape, exact)
        named = self._named
        return named[key] or (lambda value: named[key](value))  # type: ignore[misc]  # Set before anything is called.

    def _body(self, shape: Record | Alias, exact: bool) -> Converter:
        if isinstance(shape, Alias):
            return self.compile(shape.target, exact)
        return _record(self.object(shape.fields, exact), shape.build)


def _object(converters: dict[str, Converter], required: frozenset[str]) -> Callable[[Any], dict[str, Any]]:
    def convert(value: Any) -> dict[str, Any]:
        if value.__class__ is not dict:
            raise InputError(f"expected an object, got {kind_of(value)}")
        result = {}
        name = ""
        try:
            for name, item in value.items():
                result[name] = converters[name](item)
        except InputError as error:
            raise error.under(name)
        except KeyError:
            if name in converters:
                raise
            known = ", ".join(converters) or "none"
            raise InputError(f"is not known here (known: {known})", (name,)) from None
        if not required <= result.keys():
            missing = next(name for name in converters if name in required and name not in result)
            raise InputError("is required and missing", (missing,))
        return result

    return convert


def _record(fields: Callable[[Any], dict[str, Any]], build: Callable[..., Any]) -> Converter:
    def convert(value: Any) -> Any:
        arguments = fields(value)
        try:
            return build(**arguments)
        except ValueError as error:  # What `__post_init__` raises about the values it was given.
            raise InputError(str(error)) from error

    return convert


def _array(item: Converter, build: type) -> Converter:
    def convert(value: Any) -> Any:
        if value.__class__ is not list:
            raise InputError(f"expected an array, got {kind_of(value)}")
        result: list[Any] = []
        append = result.append
        try:
            for element in value:
                append(item(element))
        except InputError as error:
            raise error.under(len(result))
        return result if build is list else build(result)

    return convert


def _row(items: list[Converter]) -> Converter:
    def convert(value: Any) -> tuple[Any, ...]:
        if value.__class__ is not list:
            raise InputError(f"expected an array, got {kind_of(value)}")
        if len(value) != len(items):
            raise InputError(f"expected {len(items)} items, got {len(value)}")
        result: list[Any] = []
        try:
            for item, element in zip(items, value, strict=True):
                result.append(item(element))
        except InputError as error:
            raise error.under(len(result))
        return tuple(result)

    return convert


def _dictionary(key: Converter, value: Converter) -> Converter:
    def convert(mapping: Any) -> dict[Any, Any]:
        if mapping.__class__ is not dict:
            raise InputError(f"expected an object, got {kind_of(mapping)}")
        result = {}
        name = ""
        try:
            for name, item in mapping.items():
                result[key(name)] = value(item)
        except InputError as error:
            raise error.under(name)
        return result

    return convert


def _key(shape: Shape, convert: Converter) -> Converter:
    return converter_of(int, exact=False, from_text=True) if shape == Scalar(int) else convert


def _choice(options: tuple[tuple[Any, Any], ...]) -> Converter:
    # The type is part of the key, since True == 1 == 1.0 in Python and not in JSON.
    members = {(value.__class__, value): member for value, member in options}
    allowed = ", ".join(repr(value) for value, _ in options)

    def convert(value: Any) -> Any:
        try:
            return members[value.__class__, value]
        except (KeyError, TypeError):
            raise InputError(f"expected one of {allowed}, got {kind_of(value)}") from None

    return convert


def _one_of(members: list[Converter]) -> Converter:
    def convert(value: Any) -> Any:
        errors = []
        for member in members:
            try:
                return member(value)
            except InputError as error:
                errors.append(error)
        # The member that got furthest into the value is most likely the one that was meant.
        deepest = max(errors, key=lambda error: len(error.path))
        if deepest.path:
            raise deepest
        raise InputError(" or ".join(dict.fromkeys(error.message for error in errors)))

    return convert


def _checked(convert: Converter, check: Callable[[Any], bool], wanted: str) -> Converter:
    def checked(value: Any) -> Any:
        converted = convert(value)
        try:
            holds = check(converted)
        except TypeError as error:  # A date with a time zone against a bound without one, for example.
            raise InputError(f"cannot be compared: {error}") from None
        if not holds:
            raise InputError(f"must be {wanted}")
        return converted

    return checked
