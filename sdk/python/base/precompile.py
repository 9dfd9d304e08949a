"""Compiles the standard library to bytecode. Its import does the work, within the sandbox's `load`."""

import importlib.util
import os
from importlib._bootstrap_external import _code_to_hash_pyc

ROOT = "/python"


def _compile_all() -> None:
    for folder, _, names in os.walk(ROOT):
        for name in names:
            if name.endswith(".py"):
                _compile(os.path.join(folder, name))


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
