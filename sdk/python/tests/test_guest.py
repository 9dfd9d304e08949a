"""The guest against stand-ins for what componentize-py generates (0.25: `src/summary.rs`, `componentize_py_types`)."""

import importlib
import json
import sys
import types
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pytest

E = TypeVar("E")


@dataclass(frozen=True)
class Err(Generic[E], Exception):
    value: E


@dataclass
class Problem:
    message: str
    file: str | None
    line: int | None
    remedy: str | None


@dataclass
class Failure:
    exception_type: str
    message: str
    stack_trace: list[str]


class WitWorld(Protocol):
    @abstractmethod
    def load(self, project: str) -> str:
        raise NotImplementedError

    @abstractmethod
    def invoke(self, call: str) -> str:
        raise NotImplementedError


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    world: Any = types.ModuleType("wit_world")
    world.WitWorld, world.Problem, world.Failure = WitWorld, Problem, Failure
    kinds: Any = types.ModuleType("componentize_py_types")
    kinds.Err = Err
    monkeypatch.setitem(sys.modules, "wit_world", world)
    monkeypatch.setitem(sys.modules, "componentize_py_types", kinds)
    from toolplane import repairs

    monkeypatch.setattr(repairs, "install", lambda: None)  # The other tests keep their platform as it is.
    yield importlib.import_module("toolplane.guest")
    del sys.modules["toolplane.guest"]


def test_every_module_is_imported_with_the_guest(guest: Any) -> None:
    """The SDK is in the base's snapshot, and need not be anywhere else when a tool is loaded."""
    folder = Path(guest.__file__).parent
    for file in folder.glob("*.py"):
        name = "toolplane" if file.stem == "__init__" else f"toolplane.{file.stem}"
        assert name in sys.modules, name


def test_problems_and_failures_are_raised_as_err(guest: Any, tmp_path: Path) -> None:
    project = {"root": str(tmp_path), "path": [str(tmp_path)], "entry_point": "guest_tool:f", "name": "t"}
    with pytest.raises(Err) as raised:
        guest.WitWorld().load(json.dumps(project))
    (problem,) = raised.value.value
    assert isinstance(problem, Problem)
    assert problem.file == "pyproject.toml"
    assert raised.value.__context__ is None

    with pytest.raises(Err) as raised:
        guest.WitWorld().load("not json")
    assert "inside the SDK" in raised.value.value[0].message

    with pytest.raises(Err) as raised:
        guest.WitWorld().invoke("not json")
    assert isinstance(raised.value.value, Failure)
    assert type(raised.value) is Err
