"""Asks a package's build back end, as PEP 517 has it: for what it needs besides, or for the wheel.

Arguments: `requires` or `wheel`, where that goes, the back end, and the folders of the package that it is looked for in.
"""

import importlib
import sys
from pathlib import Path


def main(what: str, target: str, name: str, *folders: str) -> None:
    sys.path[:0] = folders
    module, _, inner = name.partition(":")
    back_end = importlib.import_module(module)
    for part in filter(None, inner.split(".")):
        back_end = getattr(back_end, part)
    if what == "requires":
        ask = getattr(back_end, "get_requires_for_build_wheel", list)
        Path(target).write_text("".join(f"{requirement}\n" for requirement in ask()))
    else:
        Path(target).mkdir(exist_ok=True)
        back_end.build_wheel(target)


main(*sys.argv[1:])
