"""Imports a tool once, at publish, and prepares everything that its invocations share.

What this leaves behind is the snapshot: each invocation starts from a copy of this process.
"""

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from toolplane import convert, defaults, eventloop, hygiene, import_problems, invoking, preload, schema, signature, survey, testing, variables
from toolplane.errors import DefinitionError, Problem
from toolplane.invoking import Callee, LoadedTool
from toolplane.project import Project
from toolplane.shape import Adapted
from toolplane.tool import Tool

# What is done to the heap before it is snapshotted. The guest sets it; on an author's machine there is no snapshot.
settle: Callable[[], str] = str


def load(text: str) -> str:
    """Loads the project that the JSON names, and describes its tool as JSON. Raises DefinitionError.

    Where its tests are to run they do, and what is answered is pytest's exit code.
    """
    project = Project.parse(text)
    if project.tests is not None:
        _find_modules(project)
        return str(testing.run(project, project.tests))
    description, problems = dict[str, Any](), list[Problem]()
    hygiene.begin()
    reads = variables.begin(project)
    try:
        description = _load(project)
    except DefinitionError as error:
        problems += error.problems
    finally:
        read = variables.end(reads, project)
        left_open = hygiene.end(project)
    # What an import that failed leaves open says nothing. What it read may be why it failed.
    if problems := variables.before(read, problems or left_open):
        raise DefinitionError(problems)
    return json.dumps(description | {"immortal": settle()}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def unexpected(error: BaseException) -> Problem:
    """A failure of this package itself, told as a problem so that it is not a trap without words."""
    return Problem(f"loading failed inside the SDK: {type(error).__name__}: {error}", remedy="report this as a bug")


def _load(project: Project) -> dict[str, Any]:
    module_name, _, attribute = project.entry_point.partition(":")
    if not all(part.isidentifier() for part in f"{module_name}.{attribute}".split(".")):
        raise _pyproject(
            f"the entry point `{project.entry_point}` is not of the form `module:function`",
            'write it like `entry-point = "weather:forecast"`',
        )
    module = _import(project, module_name)
    preload.load(project)
    preload.run()
    found = import_problems.attribute(module, attribute, project)
    simulated = found.simulated if isinstance(found, Tool) else None
    function = found.function if isinstance(found, Tool) else found
    if not callable(function) or isinstance(function, type):
        kind = "a class" if isinstance(function, type) else f"of type `{type(function).__name__}`"
        file = project.relative(module.__file__)
        raise DefinitionError(
            [Problem(f"`{attribute}` is {kind}, and not a function", file, None, "let the entry point name a function")]
        )

    parameters, wrong = signature.read(function)
    problems = [_located(project, function, one) for one in (*wrong, *defaults.wrong(parameters.fields, function))]
    simulation = None
    if simulated is not None:
        simulation, wrong = _simulation(simulated, function)
        problems += [_located(project, simulated, one) for one in wrong]
    if problems:
        raise DefinitionError(problems)

    is_async = inspect.iscoroutinefunction(function)
    if is_async or (simulated is not None and inspect.iscoroutinefunction(simulated)):
        eventloop.loop_class()  # Imports asyncio into the snapshot, where it costs an invocation nothing.
    input_schema = schema.of_parameters(parameters.fields)
    invoking.install(
        LoadedTool(
            project=project,
            convert=convert.of_parameters(parameters.fields),
            entry_point=Callee(function, parameters.context),
            simulation=simulation,
        )
    )
    return {
        "name": project.name,
        "description": parameters.description,
        "input_schema": input_schema,
        "checked_inside": [field.name for field in parameters.fields if isinstance(field.shape, Adapted)],
        "is_async": is_async,
        "has_simulation": simulation is not None,
        "modules": project.modules(),
    }


def _find_modules(project: Project) -> None:
    # The base was snapshotted before these folders were there, and the import system remembers that.
    importlib.invalidate_caches()
    sys.path[:0] = [folder for folder in project.path if os.path.isdir(folder) and folder not in sys.path]
    # Behind the standard library, as everywhere: a package must not take the place of one of its modules.
    if project.packages is not None and project.packages not in sys.path:
        sys.path.append(project.packages)


def _import(project: Project, name: str) -> ModuleType:
    _find_modules(project)
    taken = sys.modules.get(name)
    if taken is not None and project.relative(getattr(taken, "__file__", None)) is None:
        raise _pyproject(
            f"the module name `{name}` is taken by Python's own `{name}`",
            f"rename `{name}.py`, and its name in `entry-point`",
        )
    try:
        return importlib.import_module(name)
    except BaseException as error:  # An author's module may raise anything, SystemExit too.
        problem = import_problems.describe(error, name, project)
        needed = error.name or "" if isinstance(error, ModuleNotFoundError) else name
    problems = survey.problems(project, problem)
    own = {*sys.stdlib_module_names, name.partition(".")[0]}
    is_package = needed.partition(".")[0] not in own
    raise DefinitionError(problems[1:] if is_package and project.is_incomplete else problems)


def _simulation(function: Any, tool: Any) -> tuple[Callee, list[signature.Wrong]]:
    """A simulation gets what the entry point would have got, as far as it names it."""
    required, context, has_kwargs = signature.accepts(function)
    known, _, _ = signature.accepts(tool)
    wrong = []
    for name in required:
        if name not in known:
            wrong.append(
                signature.Wrong(
                    f"the simulation has a parameter `{name}` that the tool does not have",
                    f"remove it, or name it as the tool does ({', '.join(known) or 'the tool has none'})",
                    name,
                )
            )
        elif required[name] and not known[name]:
            wrong.append(
                signature.Wrong(
                    f"the simulation requires `{name}`, which is optional in the tool", "give it the tool's default", name
                )
            )
    return Callee(function, context, None if has_kwargs else frozenset(required)), wrong


def _located(project: Project, function: Any, wrong: signature.Wrong) -> Problem:
    file, line = signature.line_of(function, wrong.parameter)
    own = project.relative(file)
    return Problem(wrong.message, own, line if own else None, wrong.remedy)


def _pyproject(message: str, remedy: str) -> DefinitionError:
    return DefinitionError([Problem(message, "pyproject.toml", None, remedy)])
