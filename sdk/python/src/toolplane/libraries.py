"""Lets packages import their native libraries, which are linked into the base and lie in no folder.

CPython opens a library by its path, and the base knows it under the one that it was linked as. So a module of a library
is given the path that it would have among the packages, and opened by the other.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

import _imp

PACKAGES = "/packages"
"""Where the host mounts packages (`sdk/src/dependencies/site.rs`)."""


class _Linked(importlib.machinery.ExtensionFileLoader):
    """Opens a library under the name that it was linked as."""

    def __init__(self, name: str, path: str, linked_as: str) -> None:
        super().__init__(name, path)
        self._linked_as = linked_as

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = _imp.create_dynamic(ModuleSpec(spec.name, self, origin=self._linked_as))
        # One that is initialized in a single phase has its place from there.
        if getattr(module, "__file__", None) == self._linked_as:
            module.__file__ = self.path
        return module


class _Finder:
    """Finds the modules of libraries within the packages that they belong to."""

    def __init__(self, modules: Mapping[str, Sequence[str]]) -> None:
        self.modules = modules

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        found = self.modules.get(name)
        if found is None or PACKAGES not in sys.path:
            return None
        file, linked_as = found
        folder = f"{PACKAGES}/{file}".rpartition("/")[0]
        # A package of the same name that the project itself has is another one, and has no such module.
        if path is not None and folder not in path:
            return None
        loader = _Linked(name, f"{PACKAGES}/{file}", linked_as)
        return importlib.util.spec_from_file_location(name, loader.path, loader=loader)


def install(modules: Mapping[str, Sequence[str]]) -> None:
    """Makes these modules importable: each with its path among the packages and the name that it was linked as."""
    if not modules:
        return
    within = {name: where for name, where in modules.items() if "." in name}
    # As everywhere, a library comes before a Python file of its name in the same folder. One that lies in no package
    # comes after everything else: it takes the place of no module of the project or of Python itself.
    sys.meta_path.insert(0, _Finder(within))
    sys.meta_path.append(_Finder({name: where for name, where in modules.items() if "." not in name}))
