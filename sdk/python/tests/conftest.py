"""A project in a temporary folder, loaded as the guest loads it, and forgotten afterwards."""

import gc
import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from toolplane import invoking, loading
from toolplane.errors import DefinitionError, Problem
from toolplane.failure import Failure


class ToolProject:
    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, **files: str) -> None:
        """`write(weather="…")` is `src/weather.py`."""
        for name, text in files.items():
            path = self.root / "src" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def load(self, entry_point: str = "weather:forecast", **fields: Any) -> dict[str, Any]:
        importlib.invalidate_caches()
        path = [str(self.root / "src"), str(self.root)]
        project = {"root": str(self.root), "path": path, "entry_point": entry_point, "name": "weather", **fields}
        described: dict[str, Any] = json.loads(loading.load(json.dumps(project)))
        return described

    def problems(self, entry_point: str = "weather:forecast", **fields: Any) -> tuple[Problem, ...]:
        with pytest.raises(DefinitionError) as raised:
            self.load(entry_point, **fields)
        return raised.value.problems

    def invoke(self, parameters: dict[str, Any] | None = None, **call: Any) -> str:
        return invoking.invoke(
            json.dumps(
                {
                    "parameters": parameters or {},
                    "mode": "regular",
                    "env": {},
                    "user_variables": {},
                    "sensitive_user_variables": {},
                    "invocation_id": "inv_1",
                    "deadline": time.time() + 30,
                    "egress": {"allow": [], "tcp": []},
                    "reference": None,
                    **call,
                }
            )
        )

    def failure(self, parameters: dict[str, Any] | None = None, **call: Any) -> Failure:
        try:
            output = self.invoke(parameters, **call)
        except BaseException as error:
            return invoking.describe(error)
        raise AssertionError(f"the tool returned {output}")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ToolProject]:
    modules, path = set(sys.modules), list(sys.path)
    yield ToolProject(tmp_path)
    gc.unfreeze()
    for name in set(sys.modules) - modules:
        module = sys.modules[name]
        if str(tmp_path) in str(getattr(module, "__file__", "")):
            del sys.modules[name]
    sys.path[:] = path
