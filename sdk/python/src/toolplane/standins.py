"""Stands in for the extension modules that CPython has on Linux and not in the sandbox.

Half of the packages on an index import `ssl` somewhere, and most of them never need it in the sandbox. So what is
missing can be imported, does what the host can do for it, and says what it cannot when it is used.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType

from toolplane.absent import bz2, ctypes, fcntl, grp, jiter, lzma, mmap, multiprocessing, pwd, resource, rpds, syslog, termios
from toolplane.tls import module as tls

MODULES = {
    "_bz2": bz2,
    "_ctypes": ctypes,
    "_lzma": lzma,
    "_multiprocessing": multiprocessing,
    "_ssl": tls,
    "fcntl": fcntl,
    "grp": grp,
    "mmap": mmap,
    "pwd": pwd,
    "resource": resource,
    # Of packages: their wheels are installed without their shared objects (`sdk/src/dependencies/natives.rs`).
    "jiter.jiter": jiter,
    "rpds.rpds": rpds,
    "syslog": syslog,
    "termios": termios,
}
"""The missing module, and the one of ours that has its names. They are imported here: once the base is snapshotted, the
folder that this package came from is gone."""


class _StandIns(Loader):
    """The last finder that is asked, so a real module always comes first."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, origin=MODULES[name].__name__) if name in MODULES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        ours = MODULES[module.__name__]
        names = {name: value for name, value in vars(ours).items() if name == "__version__" or not name.startswith("__")}
        module.__dict__.update(names)


def install() -> None:
    """Lets every import that finds nothing ask here."""
    if not any(isinstance(finder, _StandIns) for finder in sys.meta_path):
        sys.meta_path.append(_StandIns())


def uninstall() -> None:
    """Takes the finder away; what was imported stays."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _StandIns)]
