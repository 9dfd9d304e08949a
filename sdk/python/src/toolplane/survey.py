"""What else is wrong with a tool that could not be imported, as far as its source says: nothing of it runs here.

An import ends at its first fault. So that an author reads all of them at once, the files that the import would have
reached are read for what can be told without running them: broken syntax, modules that are not there, and parameters
that no schema can describe.
"""

import ast
import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterator

from toolplane import import_problems, signature
from toolplane.errors import Problem
from toolplane.project import Project

_MAX_FILES = 500
_MAX_BYTES = 1 << 20


def problems(project: Project, known: Problem) -> list[Problem]:
    """The problem that ended the import, and what else there is. Nobody is told the same place twice."""
    module, _, function = project.entry_point.partition(":")
    found = {(known.file, known.line): known}
    trees = dict[str, ast.Module]()
    for problem in _of_files(module, project, trees):
        found.setdefault((problem.file, problem.line), problem)
    entry = _file_of(module, project)
    if entry in trees:
        for problem in _of_function(function, trees[entry], project.relative(entry)):
            found.setdefault((problem.file, problem.line, problem.message), problem)  # type: ignore[arg-type]
    return list(found.values())


def _of_files(entry: str, project: Project, trees: dict[str, ast.Module]) -> Iterator[Problem]:
    """Of the files that importing the entry module reads, in that order. Their trees are kept."""
    pending, seen = [entry], set[str]()
    while pending and len(seen) < _MAX_FILES:
        module = pending.pop(0)
        file = _file_of(module, project)
        if file is None or file in seen:
            continue
        seen.add(file)
        tree = _tree(file, project)
        if isinstance(tree, Problem):
            yield tree
        elif tree is not None:
            trees[file] = tree
            for name, line in _imports(tree, module, file):
                top = name.partition(".")[0]
                if _file_of(top, project) or any(os.path.isdir(f"{folder}/{top}") for folder in project.path):
                    pending += [top, name]
                elif problem := _missing(top, project):
                    yield problem._replace(file=project.relative(file), line=line)


def _file_of(module: str, project: Project) -> str | None:
    """The project's own file of a module."""
    inner = module.replace(".", "/")
    files = (f"{folder.rstrip('/')}/{inner}{end}" for folder in project.path for end in ("/__init__.py", ".py"))
    return next((file for file in files if os.path.isfile(file)), None)


def _tree(file: str, project: Project) -> ast.Module | Problem | None:
    try:
        with open(file, "rb") as opened:
            source = opened.read(_MAX_BYTES)
        with warnings.catch_warnings(action="ignore"):
            compile(source, file, "exec", dont_inherit=True)
            return ast.parse(source, file)
    except SyntaxError as error:
        return import_problems.of_syntax(error, project.relative(file) or file)
    except Exception:
        return None  # Not text, or nested too deeply: the import has said so.


def _imports(tree: ast.Module, module: str, file: str) -> Iterator[tuple[str, int]]:
    """The modules that a file is certain to import: not those of `if`, `try` and functions, which may do without."""
    package = module if file.endswith("/__init__.py") else module.rpartition(".")[0]
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield alias.name, statement.lineno
        elif isinstance(statement, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - statement.level + 1] if statement.level else []
            name = ".".join(part for part in (*above, statement.module) if part)
            yield name, statement.lineno
            for alias in statement.names:
                yield f"{name}.{alias.name}", statement.lineno


def _missing(top: str, project: Project) -> Problem | None:
    if not top.isidentifier() or top in sys.modules:
        return None
    if project.is_incomplete and top not in sys.stdlib_module_names:
        return None
    try:
        is_there = importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        is_there = True
    return None if is_there else import_problems.not_found(top)


def _of_function(name: str, tree: ast.Module, file: str | None) -> Iterator[Problem]:
    """Of the entry point: whether it is there, and what kind its parameters are. Types are known only after an import."""
    functions = [each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    definition = next((function for function in reversed(functions) if function.name == name), None)
    if definition is None:
        if not any(_binds(node, name) for node in ast.walk(tree)):
            names = [function.name for function in functions]
            yield import_problems.has_no(os.path.basename(file or "").removesuffix(".py"), file, name, names)
        return
    for argument, parameter in _parameters(definition.args):
        if wrong := signature.wrong_kind(parameter, name):
            yield Problem(wrong.message, file, argument.lineno, wrong.remedy)


def _binds(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Name(id=bound) | ast.FunctionDef(name=bound) | ast.AsyncFunctionDef(name=bound):
            return bound == name
        case ast.ClassDef(name=bound):
            return bound == name
        case ast.alias(name=imported, asname=alias):
            return imported == "*" or (alias or imported.partition(".")[0]) == name
    return False


def _parameters(arguments: ast.arguments) -> Iterator[tuple[ast.arg, inspect.Parameter]]:
    kinds = inspect._ParameterKind
    listed = [(argument, kinds.POSITIONAL_ONLY) for argument in arguments.posonlyargs]
    listed += [(argument, kinds.POSITIONAL_OR_KEYWORD) for argument in arguments.args]
    listed += [(argument, kinds.VAR_POSITIONAL) for argument in [arguments.vararg] if argument]
    listed += [(argument, kinds.KEYWORD_ONLY) for argument in arguments.kwonlyargs]
    listed += [(argument, kinds.VAR_KEYWORD) for argument in [arguments.kwarg] if argument]
    for argument, kind in listed:
        annotation = inspect.Parameter.empty if argument.annotation is None else ast.unparse(argument.annotation)
        yield argument, inspect.Parameter(argument.arg, kind, annotation=annotation)
