"""What can go wrong when a tool is imported, and what its author should do about it."""

import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from toolplane import failure, places
from toolplane.errors import DefinitionError, Problem
from toolplane.project import Project

# Where the name to import differs from the name to install, for the packages that are asked about most.
_PACKAGES = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "jwt": "PyJWT",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


def describe(error: BaseException, entry_module: str, project: Project) -> Problem:
    """The problem behind an exception that importing the entry module raised."""
    frames = failure.own_frames(error, project)
    file, line = (project.relative(frames[-1][0].co_filename), frames[-1][1]) if frames else (None, None)
    if isinstance(error, SyntaxError) and (own := project.relative(error.filename)) is not None:
        return of_syntax(error, own)
    if isinstance(error, ModuleNotFoundError):
        if file is None and f"{entry_module}.".startswith(f"{error.name}."):
            return _no_entry_module(entry_module, project)
        return _missing_module(error, project)._replace(file=file, line=line)
    if isinstance(error, SystemExit):
        return Problem(
            f"the module ends the program while it is imported (SystemExit: {error})",
            file,
            line,
            'move what runs on import under `if __name__ == "__main__":`',
        )
    kind, told = failure.type_name(error), failure.message_of(error)
    package = places.package(places.of_error(error), project)
    if package is None:
        return Problem(f"{kind} while importing: {told}", file, line, _remedy(error))
    if not package.is_importing:
        message = f"{kind} while importing, raised by `{package.name}` ({package.where}): {told}"
        return Problem(message, file, line, _remedy(error))
    missing = _missing_part(error)
    if missing is not None and places.is_compiled(missing, project):
        return _compiled(missing, package, project)._replace(file=file, line=line)
    message = f"{kind} while importing `{package.name}` ({package.where}): {told}"
    return Problem(message, file, line, _remedy_of_package(error, package))


def of_syntax(error: SyntaxError, file: str) -> Problem:
    """The problem behind a file that cannot be read as Python."""
    return Problem(_syntax(error), file, error.lineno, "correct the syntax")


def not_found(name: str, by: str = "") -> Problem:
    """The problem that a module is not there, neither as a package nor as a part of Python."""
    package = name.partition(".")[0]
    if package in sys.stdlib_module_names:
        return Problem(
            f"the standard library's `{name}`{by} does not exist in the sandbox",
            remedy="import it only where it is used, or use a package that works without it",
        )
    return Problem(
        f"the module `{name}`{by} was not found",
        remedy=f'add "{_PACKAGES.get(package, package)}" to `dependencies` under `[project]` in pyproject.toml',
    )


def has_no(module: str, file: str | None, name: str, functions: list[str]) -> Problem:
    """The problem that a module has not what the entry point names, but these functions."""
    import difflib

    remedy = f"it has no functions; define `{name}` there"
    if close := difflib.get_close_matches(name, functions, n=3):
        remedy = f"did you mean {' or '.join(f'`{function}`' for function in close)}?"
    elif functions:
        remedy = f"it has {', '.join(f'`{function}`' for function in sorted(functions))}; name one in `entry-point`"
    return Problem(f"the module `{module}` has no `{name}`", file, None, remedy)


def attribute(module: ModuleType, name: str, project: Project) -> Any:
    """The attribute that the entry point names, or a problem that names what is there."""
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            raise DefinitionError([_no_attribute(module, name, project)])
        value = getattr(value, part)
    return value


def _no_attribute(module: ModuleType, name: str, project: Project) -> Problem:
    functions = [
        key
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__ and not key.startswith("__")
    ]
    return has_no(module.__name__, project.relative(getattr(module, "__file__", None)), name, functions)


def _no_entry_module(name: str, project: Project) -> Problem:
    looked_in = [folder for folder in project.path if _shown(folder, project) is not None]
    files = list(_python_files(looked_in, project))
    where = " and ".join(f"`{_shown(folder, project)}`" for folder in looked_in) or "the project's folder"
    there = f"there is {', '.join(f'`{file}`' for file in files)}" if files else "there are no Python files"
    return Problem(
        f"the module `{name}` of the entry point was not found in {where}; {there}",
        "pyproject.toml",
        None,
        f"create `{name.replace('.', '/')}.py`, or name another module in `entry-point`",
    )


def _shown(folder: str, project: Project) -> str | None:
    return "." if folder.rstrip("/") == project.root else project.relative(f"{folder.rstrip('/')}")


def _python_files(folders: list[str], project: Project) -> Iterator[str]:
    """Up to ten, which is enough to see what was meant."""
    found: list[str] = []
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            file = f"{folder.rstrip('/')}/{name}"
            if name.endswith(".py") or os.path.isfile(f"{file}/__init__.py"):
                found.append(project.relative(file) or name)
    yield from dict.fromkeys(found[:10])


def _missing_module(error: ModuleNotFoundError, project: Project) -> Problem:
    name = error.name or ""
    package = name.partition(".")[0]
    importer = _foreign_importer(error, project)
    by = f", which `{importer}` imports," if importer else ""
    if package in sys.stdlib_module_names:
        return not_found(name, by)
    running = places.package(places.of_error(error), project)
    if running is not None and running.is_importing and (places.is_compiled(name, project) or _is_part_of(name, error, project)):
        return _compiled(name, running, project)
    if package != name and package in sys.modules:
        return Problem(f"`{package}` has no module `{name}`", remedy="correct the name, or add the file")
    return not_found(name, by)


def _compiled(name: str, package: places.Package, project: Project) -> Problem:
    """A package that lacks a module of its own: nearly always one that was compiled for another machine."""
    if places.is_compiled(name, project):
        what = f"which is compiled code and does not run in the sandbox ({package.where})"
    else:
        what = f"which is not there ({package.where}); compiled code never is, in the sandbox"
    remedy = f"use a version of `{package.name}` that is Python alone, or another package"
    return Problem(f"`{package.name}` needs its module `{name}`, {what}", remedy=remedy)


def _is_part_of(name: str, error: BaseException, project: Project) -> bool:
    """Whether the module that imports the missing one is of the same package."""
    importer = _foreign_importer(error, project)
    return "." in name and importer is not None and importer.partition(".")[0] == name.partition(".")[0]


def _missing_part(error: BaseException) -> str | None:
    """The module behind `from . import _speedups`, which Python tells as a name that cannot be imported."""
    name = getattr(error, "name_from", None)
    return f"{error.name}.{name}" if isinstance(error, ImportError) and error.name and name else None


def _foreign_importer(error: BaseException, project: Project) -> str | None:
    """The package that wanted the module, when it was not the author's own code."""
    importer = None
    traceback = error.__traceback__
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__", ""))
        if project.relative(traceback.tb_frame.f_code.co_filename) is not None:
            importer = None
        elif not module.startswith(("importlib", "_frozen_importlib", "toolplane")):
            importer = module
        traceback = traceback.tb_next
    return importer


def _syntax(error: SyntaxError) -> str:
    """Python's message, with the line and a caret under the place."""
    message = f"{type(error).__name__}: {error.msg}"
    if not error.text:
        return message
    text = error.text.rstrip()
    indentation = len(text) - len(text.lstrip())
    caret = " " * max(0, (error.offset or 1) - 1 - indentation)
    return f"{message}\n    {text.lstrip()}\n    {caret}^"


def _remedy(error: BaseException) -> str | None:
    if isinstance(error, KeyError) and _raised_by_environ(error):
        return "variables and secrets are known only to an invocation: read `context.env` inside the function"
    if isinstance(error, ImportError):
        return "correct the import"
    return "make the module importable; what needs an invocation belongs inside the function"


def _remedy_of_package(error: BaseException, package: places.Package) -> str:
    if isinstance(error, KeyError) and _raised_by_environ(error):
        return f"`{package.name}` wants a variable: import it inside the function, where the variables are set"
    return (
        f"use another version of `{package.name}`; or import it inside the function, "
        "where the variables are set and the network can be reached, if it is that which it lacks"
    )


def _raised_by_environ(error: BaseException) -> bool:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_globals.get("__name__") == "os"
