"""Compiles the standard library, or a package, to bytecode. Its import does the work, within the sandbox's `load`."""

import importlib.util
import os
from importlib._bootstrap_external import _code_to_hash_pyc

STANDARD_LIBRARY = "/python"
#: Mounted when it is a package that is to be compiled.
PACKAGES = "/packages"


def _compile_all() -> None:
    if not os.path.isdir(PACKAGES):
        for path in _sources(STANDARD_LIBRARY):
            _compile(path)
        return
    for path in _sources(PACKAGES):
        try:
            _compile(path)
        except Exception:  # A template, a file for Python 2, a test of bad syntax: it is compiled when it is imported.
            pass


def _sources(root: str) -> list[str]:
    return [
        os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names if name.endswith(".py")
    ]


def _compile(path: str) -> None:
    """Does what `py_compile.compile` does; that one gives up where a file takes more than one write, as here."""
    with open(path, "rb") as reading:
        source = reading.read()
    # The folder is read-only from then on, so checking a time stamp or a hash at each import would be in vain.
    bytecode = _code_to_hash_pyc(
        compile(source, path, "exec", dont_inherit=True), importlib.util.source_hash(source), checked=False
    )
    target = importlib.util.cache_from_source(path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as writing:
        writing.write(bytecode)


_compile_all()


def run() -> None:
    """The entry point that `load` asks for. Nobody calls it."""
