"""Repairs of modules, made at the moment that somebody imports them.

An import hook, and not an import: most tools never use what is mended here, and it would be frozen into all of them.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Finder:
    """Finds the modules where they are, and lets their import end with the repair."""

    def __init__(self) -> None:
        self.repairs: dict[str, list[Callable[[], None]]] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        repairs = self.repairs.pop(name, None)
        if repairs is None:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_repair(module: ModuleType) -> None:
                execute(module)
                for repair in repairs:
                    repair()

            # On this one loader, which is made for this one import.
            setattr(spec.loader, "exec_module", execute_and_repair)
        return spec


_finder = _Finder()


def repair(name: str, function: Callable[[], None]) -> None:
    """Calls the function now when the module is there, or else when it comes."""
    if name in sys.modules:
        function()
        return
    _finder.repairs.setdefault(name, []).append(function)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Takes the hook away; a repair that has been made stays."""
    _finder.repairs.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _finder]
