"""Loads, before the snapshot, what packages load only when it is first asked for.

An import at call time costs each invocation what it costs, 0.4 s with pydantic; before the snapshot it costs the build.
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

from toolplane import import_problems
from toolplane.errors import DefinitionError, Problem
from toolplane.project import Project


def _all(module: ModuleType) -> None:
    """Asks for every public name: each imports the module that it comes from."""
    for name in getattr(module, "__all__", None) or (dir(module) if hasattr(module, "__getattr__") else ()):
        try:
            getattr(module, name, None)
        except Exception:
            pass  # What cannot be loaded, as where an optional dependency is missing, fails when it is used.


HOOKS: dict[str, Callable[[ModuleType], None]] = {
    "pydantic": _all,
}
"""What is done with a package that the tool has imported."""


def run() -> None:
    """To be called once the tool is imported."""
    for name, hook in HOOKS.items():
        module = sys.modules.get(name)
        if module is not None:
            hook(module)


def load(project: Project) -> None:
    """Imports the modules that the project's `preload` names, and what they load only when it is asked for."""
    problems = list[Problem]()
    for name, line in project.preload:
        try:
            _all(importlib.import_module(name))
        except BaseException as error:  # A module may raise anything, SystemExit too.
            if project.is_incomplete and isinstance(error, ModuleNotFoundError):
                continue
            problem = import_problems.describe(error, "", project)
            if problem.file is None:
                problem = problem._replace(file="pyproject.toml", line=line)
            problems.append(problem._replace(message=f"`preload` names `{name}`: {problem.message}"))
    if problems:
        raise DefinitionError(problems)
