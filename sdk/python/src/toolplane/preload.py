"""Loads, before the snapshot, what packages load only when it is first asked for.

An import at call time costs each invocation what it costs, 0.4 s with pydantic; before the snapshot it costs the build.
"""

import sys
from collections.abc import Callable
from types import ModuleType


def _all(module: ModuleType) -> None:
    """Asks for every public name: each imports the module that it comes from."""
    for name in module.__all__:
        getattr(module, name, None)


HOOKS: dict[str, Callable[[ModuleType], None]] = {
    "pydantic": _all,
}
"""What is done with a package that the tool has imported."""


def run() -> None:
    """To be called once the tool is imported."""
    for name, hook in HOOKS.items():
        module = sys.modules.get(name)
        if module is None:
            continue
        try:
            hook(module)
        except Exception:
            pass  # What cannot be loaded, as where an optional dependency is missing, fails when it is used.
