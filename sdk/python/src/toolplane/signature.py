"""The entry point's signature becomes parameters, or everything that is wrong with it."""

import functools
import inspect
import linecache
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from toolplane import docstring
from toolplane.annotation import AnnotationReader, UnsupportedType
from toolplane.context import Context
from toolplane.shape import MISSING, Field

_CONTEXT_NAMES = ("Context", "toolplane.Context")
_MISSING_TYPE = inspect.Parameter.empty


class Wrong(typing.NamedTuple):
    """A problem with the signature, before `loading.py` adds the file and the line."""

    message: str
    remedy: str
    parameter: str | None = None
    """The one that it is about, where it is about one."""


@dataclass(frozen=True)
class Parameters:
    """What an entry point takes. The schema and the converter are both made from `fields`."""

    fields: tuple[Field, ...]
    context: str | None
    """The name of the parameter that gets the `Context`."""
    description: str


def read(function: Callable[..., Any]) -> tuple[Parameters, list[Wrong]]:
    """The parameters that can be read, and all that is wrong with the rest."""
    documentation = docstring.parse(inspect.getdoc(_definition(function)))
    fields: list[Field] = []
    context: str | None = None
    wrong = list(_wrong_kind(function))
    reader = AnnotationReader()
    name = getattr(function, "__name__", "the entry point")
    for parameter in _signature(function).parameters.values():
        try:
            _refuse_kind(parameter)
            annotation = _annotation(function, parameter)
            if _is_context(annotation):
                context = _only_context(context, parameter)
                continue
            shape = reader.parameter(annotation)
        except UnsupportedType as error:
            wrong.append(Wrong(f"the parameter `{parameter.name}` of `{name}` {error}", error.remedy, parameter.name))
            continue
        has_default = parameter.default is not _MISSING_TYPE
        default = parameter.default if has_default else MISSING
        description = documentation.parameters.get(parameter.name)
        fields.append(Field(parameter.name, shape, not has_default, default, description))
    return Parameters(tuple(fields), context, documentation.description), wrong


def accepts(function: Callable[..., Any]) -> tuple[dict[str, bool], str | None, bool]:
    """For a simulation: its parameters and whether each is required, its context, whether it has `**kwargs`."""
    required: dict[str, bool] = {}
    context = None
    has_kwargs = False
    for parameter in _signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            has_kwargs = True
        elif _is_context(_annotation_or_none(function, parameter)):
            context = parameter.name
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            required[parameter.name] = parameter.default is _MISSING_TYPE
    return required, context, has_kwargs


def wrong_kind(parameter: inspect.Parameter, function: str) -> Wrong | None:
    """What is wrong with a parameter whatever its type is."""
    try:
        _refuse_kind(parameter)
    except UnsupportedType as error:
        return Wrong(f"the parameter `{parameter.name}` of `{function}` {error}", error.remedy, parameter.name)
    return None


def line_of(function: Any, parameter: str | None = None) -> tuple[str | None, int | None]:
    """The file, and the line of the `def` itself, at which no code object starts that has decorators, or the line of one
    of its parameters.
    """
    file, line = _line_of_definition(function)
    if file is None or parameter is None:
        return file, line
    import ast  # Only where something is wrong.

    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except Exception:
        return file, line
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno == line:
            named = [argument for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]
            return file, next((argument.lineno for argument in named if argument.arg == parameter), line)
    return file, line


def _line_of_definition(function: Any) -> tuple[str | None, int | None]:
    code = getattr(_definition(function), "__code__", None)
    if code is None:
        return None, None
    for number in range(code.co_firstlineno, code.co_firstlineno + 50):
        if linecache.getline(code.co_filename, number).lstrip().startswith(("def ", "async def ")):
            return code.co_filename, number
    return code.co_filename, code.co_firstlineno


def _refuse_kind(parameter: inspect.Parameter) -> None:
    """Parameters arrive by name, and the schema has to name each of them."""
    name = parameter.name
    match parameter.kind:
        case parameter.POSITIONAL_ONLY:
            raise UnsupportedType("is positional-only", "remove the `/`: parameters are passed by name")
        case parameter.VAR_POSITIONAL:
            raise UnsupportedType(f"is `*{name}`", f"name what it takes, for example `{name}: list[str]`")
        case parameter.VAR_KEYWORD:
            raise UnsupportedType(f"is `**{name}`", f"name what it takes, for example `{name}: dict[str, str]`")
    if parameter.annotation is _MISSING_TYPE:
        example = "context: Context" if name == "context" else f"{name}: {_likely_type(parameter.default)}"
        raise UnsupportedType("has no type", f"annotate it, for example `{example}`")


def _likely_type(default: Any) -> str:
    return type(default).__name__ if isinstance(default, str | int | float | list | dict) else "str"


def _wrong_kind(function: Callable[..., Any]) -> Iterator[Wrong]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        name = getattr(function, "__name__", "the entry point")
        yield Wrong(f"`{name}` is a generator, and a tool returns once", "collect the values and return a list")


def _only_context(already: str | None, parameter: inspect.Parameter) -> str:
    if already is not None:
        raise UnsupportedType(f"is a second context, beside `{already}`", "remove one of them")
    return parameter.name


def _is_context(annotation: Any) -> bool:
    if annotation is Context:
        return True
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType, typing.Annotated):
        return False
    return any(argument is Context for argument in typing.get_args(annotation))


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The evaluated annotation. One at a time, so that one which cannot be evaluated spoils no other."""
    raw = getattr(parameter.annotation, "__forward_arg__", parameter.annotation)

    def holder() -> None: ...

    holder.__annotations__ = {parameter.name: raw}
    scope = getattr(_definition(function), "__globals__", {})
    try:
        return typing.get_type_hints(holder, globalns=scope, include_extras=True)[parameter.name]
    except Exception as error:
        if raw in _CONTEXT_NAMES:  # Imported only under `TYPE_CHECKING`, as linters propose.
            return Context
        remedy = "correct the annotation"
        if isinstance(error, NameError):
            remedy = "import the names that it uses at run time, and not only under `TYPE_CHECKING`"
        raise UnsupportedType(f"has a type that cannot be evaluated ({error})", remedy) from None


def _annotation_or_none(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """For a simulation, whose types are not read: it gets what the entry point would have got."""
    try:
        return _annotation(function, parameter)
    except UnsupportedType:
        return None


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        # Annotations are evaluated when they are asked for (PEP 649): leave a reference where that fails.
        import annotationlib

        return inspect.signature(function, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(function)


def _definition(function: Any) -> Any:
    """What was written with `def`, under decorators, `functools.partial`, and objects that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    return function if hasattr(function, "__code__") else getattr(type(function), "__call__", function)
