"""Makes `asyncio` usable in the sandbox, from the moment that anybody imports it.

An import hook, and not an import: most tools never use asyncio, and its modules would be frozen into all of them.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from toolplane import eventloop


class _AsyncioFinder:
    """Finds `asyncio` where it is, and lets its import end with the repair."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "asyncio":
            return None
        uninstall()
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_repair(module: ModuleType) -> None:
                execute(module)
                _repair()

            # On this one loader, which is made for this one import.
            setattr(spec.loader, "exec_module", execute_and_repair)
        return spec


def install() -> None:
    """Repairs asyncio now when it is there, or else when it comes."""
    if "asyncio" in sys.modules:
        _repair()
    elif not any(isinstance(finder, _AsyncioFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AsyncioFinder())


def uninstall() -> None:
    """Takes the hook away; a repair that has been made stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _AsyncioFinder)]


def _repair() -> None:
    eventloop.make_default()
