"""Which files are the author's own: those in the project's folder that no package manager put there."""

import json
import sys
from dataclasses import dataclass

_FOREIGN = ("/site-packages/", "/.venv/")


@dataclass(frozen=True)
class Project:
    """A tool's folder as the sandbox sees it, and where to import from."""

    name: str
    root: str
    path: tuple[str, ...]
    entry_point: str
    packages: str | None = None
    """The folder of its packages."""
    tests: tuple[str, ...] | None = None
    """pytest's arguments, where its tests are to run and nothing is built."""
    is_incomplete: bool = False
    """Whether its packages could not be installed: then it says nothing that one is not there."""
    variables: frozenset[str] = frozenset()
    """The variables and secrets that it declares."""
    preload: tuple[tuple[str, int], ...] = ()
    """The modules that it wants imported, each with its line in the manifest."""

    @classmethod
    def parse(cls, text: str) -> "Project":
        """Reads what the host passes to `load`."""
        fields = json.loads(text)
        return cls(
            name=fields["name"],
            root=fields["root"].rstrip("/"),
            path=tuple(fields["path"]),
            entry_point=fields["entry_point"],
            packages=fields.get("packages"),
            tests=None if fields.get("tests") is None else tuple(fields["tests"]),
            is_incomplete=fields.get("is_incomplete", False),
            variables=frozenset(fields.get("variables", ())),
            preload=tuple((name, line) for name, line in fields.get("preload", ())),
        )

    def relative(self, file: str | None) -> str | None:
        """The file as its author knows it, such as `src/weather.py`; None when it is not the author's."""
        if file is None or not file.startswith(f"{self.root}/"):
            return None
        inside = file[len(self.root) :]
        return None if any(mark in inside for mark in _FOREIGN) else inside[1:]

    def modules(self) -> list[str]:
        """The imported modules that are the author's own."""
        return sorted(
            name
            for name, module in list(sys.modules.items())
            if self.relative(getattr(module, "__file__", None)) is not None
        )
