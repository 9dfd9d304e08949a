"""A variable that is read while a tool is imported is read from the build, which has none of the tool's variables.

`KEY = os.getenv("API_KEY")` at a module's top would be `None` in every invocation, and nobody would be told. So each
name that the project declares is watched until the import ends, and reading one is a problem with its line.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from toolplane import places
from toolplane.errors import Problem
from toolplane.places import Place
from toolplane.project import Project


class _Read(NamedTuple):
    name: str | None
    """None where all variables were read, as by `dict(os.environ)`."""
    frames: tuple[Place, ...]


# The class behind `os.environ`: `os.getenv`, `get`, `in` and `[]` all end in its `__getitem__`.
_Environ: Any = type(os.environ)
_originals = (_Environ.__getitem__, _Environ.__iter__)


def begin(project: Project) -> list[_Read]:
    """Watches from now on. Answers where it is noted what has been read."""
    reads: list[_Read] = []
    names = project.variables
    if not names:
        return reads
    get_item, iterate = _originals

    def __getitem__(self: Any, key: Any) -> Any:
        if isinstance(key, (str, bytes)) and (name := os.fsdecode(key)) in names:
            reads.append(_Read(name, places.here()))
        return get_item(self, key)

    def __iter__(self: Any) -> Iterator[Any]:
        reads.append(_Read(None, places.here()))
        return iter(iterate(self))

    _Environ.__getitem__, _Environ.__iter__ = __getitem__, __iter__
    return reads


def end(reads: Iterable[_Read], project: Project) -> list[Problem]:
    """What has been read and cannot be known yet."""
    _Environ.__getitem__, _Environ.__iter__ = _originals
    problems = (_problem(read, project) for read in reads)
    return list(dict.fromkeys(problem for problem in problems if problem is not None))


def before(reads: list[Problem], problems: Iterable[Problem]) -> list[Problem]:
    """What was read, and then what came of it, unless that is the same line: `os.environ["KEY"]` raises there."""
    taken = {(problem.file, problem.line) for problem in reads}
    return reads + [problem for problem in problems if (problem.file, problem.line) not in taken]


def _problem(read: _Read, project: Project) -> Problem | None:
    own, package = places.own(read.frames, project), places.package(read.frames, project)
    if read.name is None and package is not None:
        return None  # It looks for what it knows, or makes a copy for another process.
    what = "all variables are" if read.name is None else f"the variable `{read.name}` is"
    key = read.name or "NAME"
    remedy = f'read it inside the function, as `context.env["{key}"]` or `os.environ["{key}"]`'
    if package is None:
        message = f"{what} read while the tool is imported, when none is set: each invocation sets them anew"
    elif package.is_importing:
        message = f"{what} read by `{package.name}` while it is imported ({package.where}), when none is set"
        remedy = "import it inside the function, where the variables are set"
    else:
        message = f"{what} read by `{package.name}` ({package.where}) while the tool is imported, when none is set"
        remedy = "do this inside the function, where the variables are set"
    return Problem(message, project.relative(own.file) if own else None, own.line if own else None, remedy)
