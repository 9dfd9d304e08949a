"""Loading a project: what is described, and every kind of problem with its file, line and remedy."""

import os
import sys
from pathlib import Path

import pytest
from conftest import ToolProject

FORECAST = '''
from toolplane import tool

@tool
def forecast(city: str, days: int = 3) -> dict:
    """Forecast the weather."""
    return {"city": city, "days": days}
'''


def test_what_is_described(project: ToolProject) -> None:
    project.write(weather=f"import helper\n{FORECAST}", helper="VALUE = 1")
    described = project.load()
    assert described["name"] == "weather"
    assert described["description"] == "Forecast the weather."
    assert described["input_schema"]["required"] == ["city"]
    assert described["is_async"] is False
    assert described["has_simulation"] is False
    assert described["modules"] == ["helper", "weather"]


def test_a_plain_function_is_enough(project: ToolProject) -> None:
    project.write(weather="async def forecast(city: str): return city")
    described = project.load()
    assert described["is_async"] is True
    assert project.invoke({"city": "Oslo"}) == "Oslo"


def test_future_annotations(project: ToolProject) -> None:
    project.write(
        weather="""
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, NotRequired, TypedDict
if TYPE_CHECKING:
    from toolplane import Context
    from nowhere import Thing

@dataclass
class Node:
    children: list[Node]

class Options(TypedDict):
    depth: NotRequired[int]

def forecast(node: Node, options: Options, context: Context) -> Thing:
    return [len(node.children), options, context.invocation_id]
"""
    )
    described = project.load()
    assert described["input_schema"]["required"] == ["node", "options"]
    assert described["input_schema"]["properties"]["options"]["required"] == []
    assert project.invoke({"node": {"children": [{"children": []}]}, "options": {}}) == '[1,{},"inv_1"]'


def test_a_malformed_entry_point(project: ToolProject) -> None:
    for entry_point in ("weather", "weather:", ":forecast", "wea ther:forecast"):
        (problem,) = project.problems(entry_point)
        assert problem.file == "pyproject.toml"
        assert "not of the form `module:function`" in problem.message


def test_the_entry_module_is_not_there(project: ToolProject) -> None:
    project.write(wether=FORECAST, **{"package/__init__": ""})
    (problem,) = project.problems()
    assert problem.message == (
        "the module `weather` of the entry point was not found in `src` and `.`; "
        "there is `src/package`, `src/wether.py`"
    )
    assert problem.file == "pyproject.toml"
    assert problem.remedy == "create `weather.py`, or name another module in `entry-point`"


def test_the_entry_module_has_the_name_of_another(project: ToolProject) -> None:
    project.write(random=FORECAST)
    (problem,) = project.problems("random:forecast")
    assert problem.message == "the module name `random` is taken by Python's own `random`"


def test_a_missing_dependency(project: ToolProject) -> None:
    project.write(weather="\nimport yaml_that_is_missing.parts\n")
    problem, *_ = project.problems()
    assert problem == (
        "the module `yaml_that_is_missing` was not found",
        "src/weather.py",
        2,
        'add "yaml_that_is_missing" to `dependencies` under `[project]` in pyproject.toml',
    )


def test_a_missing_dependency_of_a_helper_and_of_a_package(project: ToolProject, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "some_package.py").write_text("import deeper_and_missing")
    project.write(weather="import helper", helper="\n\nimport some_package")
    problem, *_ = project.problems(packages=str(packages))
    assert problem.message == "the module `deeper_and_missing`, which `some_package` imports, was not found"
    assert (problem.file, problem.line) == ("src/helper.py", 3)


def test_a_missing_part_of_the_standard_library(project: ToolProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bz2", None)
    project.write(weather="import bz2")
    problem, *_ = project.problems()
    assert problem.message == "the standard library's `bz2` does not exist in the sandbox"
    assert (problem.file, problem.line) == ("src/weather.py", 1)


def test_a_missing_submodule(project: ToolProject) -> None:
    project.write(weather="import package.nope", **{"package/__init__": ""})
    problem, *_ = project.problems()
    assert problem.message == "`package` has no module `package.nope`"


def test_a_syntax_error(project: ToolProject) -> None:
    project.write(weather="import helper", helper="def f():\n    return 1 +\n")
    problem, *_ = project.problems()
    assert (problem.file, problem.line) == ("src/helper.py", 2)
    first, text, caret = problem.message.splitlines()
    assert first == "SyntaxError: invalid syntax"
    assert text == "    return 1 +"
    assert caret.strip() == "^"
    assert caret.index("^") == len(text)


IMPORT_ERRORS = [
    ("x = 1\nraise ValueError('no')", 2, "ValueError while importing: no", "belongs inside the function"),
    ("1 / 0", 1, "ZeroDivisionError while importing: division by zero", "belongs inside the function"),
    ("import sys\nsys.exit(2)", 2, "the module ends the program while it is imported (SystemExit: 2)", "__main__"),
    ("import os\nKEY = os.environ['NOT_THERE_1']", 2, "KeyError while importing: 'NOT_THERE_1'", "context.env"),
    ("from os import nothing", 1, "ImportError while importing: cannot import name 'nothing'", "correct the import"),
    ("raise KeyboardInterrupt", 1, "KeyboardInterrupt while importing: ", "belongs inside"),
    ("class E(Exception):\n    def __str__(self): 1/0\nraise E", 3, "weather.E while importing: <the exc", "inside"),
]


@pytest.mark.parametrize(("source", "line", "message", "remedy"), IMPORT_ERRORS, ids=lambda value: str(value)[:25])
def test_an_exception_while_importing(
    project: ToolProject, source: str, line: int, message: str, remedy: str
) -> None:
    project.write(weather=source)
    problem, *_ = project.problems()
    assert (problem.file, problem.line) == ("src/weather.py", line)
    assert problem.message.startswith(message)
    assert remedy in (problem.remedy or "")


@pytest.mark.parametrize(
    ("source", "message", "remedy"),
    [
        ("def forcast(): ...", "the module `weather` has no `forecast`", "did you mean `forcast`?"),
        ("def a(): ...\ndef b(): ...", "the module `weather` has no `forecast`", "it has `a`, `b`; name one"),
        ("", "the module `weather` has no `forecast`", "it has no functions"),
        ("forecast = 3", "`forecast` is of type `int`, and not a function", "let the entry point name a function"),
        ("class forecast: ...", "`forecast` is a class, and not a function", "let the entry point name a function"),
    ],
)
def test_the_attribute_is_wrong(project: ToolProject, source: str, message: str, remedy: str) -> None:
    project.write(weather=source)
    (problem,) = project.problems()
    assert problem.message == message
    assert problem.file == "src/weather.py"
    assert (problem.remedy or "").startswith(remedy)


def test_every_problem_of_the_signature_has_the_line_of_the_def(project: ToolProject) -> None:
    project.write(
        weather="from toolplane import tool\n\n@tool\ndef forecast(a, b: complex): ...\n\n"
        "@forecast.simulation\ndef _(a, c): ...\n"
    )
    problems = project.problems()
    assert [(problem.file, problem.line) for problem in problems] == [
        ("src/weather.py", 4),
        ("src/weather.py", 4),
        ("src/weather.py", 7),
    ]


def test_a_parameter_has_its_own_line(project: ToolProject) -> None:
    project.write(weather="from toolplane import tool\n\n@tool\ndef forecast(\n    a: int,\n    *,\n    b,\n): ...\n")
    (problem,) = project.problems()
    assert (problem.line, problem.message) == (7, "the parameter `b` of `forecast` has no type")


def test_all_that_can_be_known_without_the_import_is_told_at_once(project: ToolProject) -> None:
    project.write(
        weather="""
import yaml_that_is_missing
import helper, package.part
from package import other
import also_missing
try:
    import optional_and_missing
except ImportError:
    pass
def forecast(city, *rest, days: Thing = 3): ...
""",
        helper="def f(:\n",
        unused="def f(:\n",
        **{"package/__init__": "", "package/part": "from . import other", "package/other": "x = = 1"},
    )
    told = [(problem.file, problem.line, problem.message.split("\n")[0]) for problem in project.problems()]
    assert told == [
        ("src/weather.py", 2, "the module `yaml_that_is_missing` was not found"),
        ("src/weather.py", 5, "the module `also_missing` was not found"),
        ("src/helper.py", 1, "SyntaxError: invalid syntax"),
        ("src/package/other.py", 1, "SyntaxError: invalid syntax"),
        ("src/weather.py", 10, "the parameter `city` of `forecast` has no type"),
        ("src/weather.py", 10, "the parameter `rest` of `forecast` is `*rest`"),
    ]
    incomplete = [problem.message for problem in project.problems(is_incomplete=True)]
    assert not any("missing" in message for message in incomplete) and len(incomplete) == 4


def test_an_import_that_fails_does_not_hide_that_the_function_is_not_there(project: ToolProject) -> None:
    project.write(weather="import missing_one\ndef forecasts(): ...\n")
    _, problem = project.problems()
    assert (problem.message, problem.remedy) == ("the module `weather` has no `forecast`", "did you mean `forecasts`?")


DEFAULTS = [
    ("days: int = 'x'", "the default of the parameter `days` of `forecast` is not of its type: expected an integer, got "),
    ("days: list[int] = 5", "the default of the parameter `days` of `forecast` is not of its type: expected an array"),
    ("days: Literal['a'] = 'b'", "the default of the parameter `days` of `forecast` is not of its type: expected one of"),
    ("days: Annotated[int, Ge(1)] = 'x'", "the default of the parameter `days` of `forecast` is not of its type"),
]
RIGHT = "a: int = None, b: Annotated[int, Ge(1)] = 0, c: float = 1, d: object_or_any = object(), e: date = date.min"
IMPORTS = "from typing import *\nfrom datetime import date\nfrom annotated_types import Ge\nobject_or_any = Any\n"


@pytest.mark.parametrize(("parameter", "message"), DEFAULTS)
def test_a_default_of_another_type_is_refused(project: ToolProject, parameter: str, message: str) -> None:
    project.write(weather=f"{IMPORTS}def forecast({parameter}): ...")
    (problem,) = project.problems()
    assert problem.line == 5 and problem.message.startswith(message), problem


def test_a_default_that_may_be_meant_is_taken(project: ToolProject) -> None:
    project.write(weather=f"{IMPORTS}def forecast({RIGHT}): return a is None and b == 0")
    project.load()
    assert project.invoke() == "true"


def test_a_simulation_must_fit(project: ToolProject) -> None:
    project.write(weather=FORECAST + "\n@forecast.simulation\ndef _(city, days, other=1): ...\n")
    messages = [problem.message for problem in project.problems()]
    assert messages == [
        "the simulation requires `days`, which is optional in the tool",
        "the simulation has a parameter `other` that the tool does not have",
    ]


BROKEN_PACKAGES = {
    "raising": "\n\nraise ValueError('too old')",
    "checking": "def check(text):\n    raise ValueError(text)",
    "native": "import native._speedups",
    "lacking": "import lacking.parts",
}


@pytest.mark.parametrize(
    ("source", "message", "remedy"),
    [
        (
            "import raising",
            "ValueError while importing `Raising-Package` (raising/__init__.py, line 3): too old",
            "use another version of `Raising-Package`; or import it inside the function",
        ),
        (
            "import checking; checking.check('no')",
            "ValueError while importing, raised by `Checking-Package` (checking/__init__.py, line 2): no",
            "make the module importable",
        ),
        (
            "import native",
            "`Native-Package` needs its module `native._speedups`, which is compiled code and does not run in the "
            "sandbox (native/__init__.py, line 1)",
            "use a version of `Native-Package` that is Python alone",
        ),
        (
            "import lacking",
            "`Lacking-Package` needs its module `lacking.parts`, which is not there (lacking/__init__.py, line 1); "
            "compiled code never is, in the sandbox",
            "use a version of `Lacking-Package` that is Python alone",
        ),
        ("import native.misspelt", "`native` has no module `native.misspelt`", "correct the name, or add the file"),
    ],
    ids=["raises", "is-called", "compiled", "lacks-a-part", "the-author-misspelt-it"],
)
def test_what_a_package_does_is_told_with_its_name(
    project: ToolProject, tmp_path: Path, source: str, message: str, remedy: str
) -> None:
    packages = tmp_path / "site-packages"
    for name, code in BROKEN_PACKAGES.items():
        if source.endswith("misspelt"):
            code = ""
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").write_text(code)
        information = packages / f"{name}_package-1.dist-info"
        information.mkdir()
        information.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.title()}-Package\nVersion: 1\n")
        record = f"{name}/__init__.py,,\nnative/_speedups.cpython-314-x86_64-linux-gnu.so,,\n"
        information.joinpath("RECORD").write_text(record)
    project.write(weather=f"\n{source}")
    problem, *_ = project.problems(packages=str(packages))
    assert (problem.file, problem.line) == ("src/weather.py", 2)
    assert problem.message == message
    assert (problem.remedy or "").startswith(remedy)


READS = [
    ("KEY = os.getenv('API_KEY')", "the variable `API_KEY` is read while the tool is imported"),
    ("KEY = os.environ.get('API_KEY', '')", "the variable `API_KEY` is read while the tool is imported"),
    ("KEY = os.environ['API_KEY']", "the variable `API_KEY` is read while the tool is imported"),
    ("HAS = b'API_KEY' in os.environb", "the variable `API_KEY` is read while the tool is imported"),
    ("ALL = dict(os.environ)", "all variables are read while the tool is imported"),
    ("ALL = os.environ.copy()", "all variables are read while the tool is imported"),
    ("import raising", "the variable `API_KEY` is read by `raising` while it is imported (raising.py, line 2)"),
    ("import client; client.Client()", "the variable `API_KEY` is read by `client` (client.py, line 4)"),
]


@pytest.mark.parametrize(("source", "message"), READS)
def test_a_variable_that_is_read_while_importing(
    project: ToolProject, tmp_path: Path, source: str, message: str
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "raising.py").write_text("import os\nKEY = os.getenv('API_KEY')\n")
    (packages / "client.py").write_text(
        "import os\nclass Client:\n    def __init__(self):\n        self.key = os.environ.get('API_KEY')\n"
    )
    project.write(weather=f"import os\nHOME = os.getenv('HOME')\n{source}\ndef forecast(): return os.getenv('API_KEY')")
    (problem,) = project.problems(packages=str(packages), variables=["API_KEY"])
    assert (problem.file, problem.line) == ("src/weather.py", 3)
    assert problem.message.startswith(message)
    assert "inside the function" in (problem.remedy or "")


def test_variables_can_be_read_when_the_tool_runs_and_packages_may_look_at_all(
    project: ToolProject, tmp_path: Path
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    (packages / "copying.py").write_text("import os\nENVIRONMENT = dict(os.environ)\n")
    project.write(weather="import copying, os\nif os.getenv('OTHER'): raise ValueError\ndef forecast(): return os.environ['API_KEY']")
    project.load(packages=str(packages), variables=["API_KEY"])
    assert project.invoke(env={"API_KEY": "k"}) == "k"
    del os.environ["API_KEY"]


def test_what_was_read_comes_before_what_came_of_it(project: ToolProject) -> None:
    project.write(weather="import os\nKEY = os.getenv('API_KEY')\nBEGIN = KEY[:3]\ndef forecast(): ...")
    read, came_of_it = project.problems(variables=["API_KEY"])
    assert (read.line, came_of_it.line) == (2, 3)


def test_what_is_named_under_preload_is_imported_with_what_is_lazy_in_it(project: ToolProject) -> None:
    lazy = """
import importlib
__all__ = ["late", "never"]
def __getattr__(name):
    if name == "never":
        raise ImportError("an optional dependency is missing")
    if name == "late":
        return importlib.import_module("late_part")
    raise AttributeError(name)
"""
    project.write(weather=FORECAST, lazy_package=lazy, late_part="", broken="import lazy_package\n1 / 0\n")
    described = project.load(preload=[["lazy_package", 9]])
    assert described["modules"] == ["late_part", "lazy_package", "weather"]

    unknown, broken = project.problems(preload=[["nowhere.at_all", 9], ["json", 10], ["broken", 11]])
    assert unknown.message == "`preload` names `nowhere.at_all`: the module `nowhere` was not found"
    assert (unknown.file, unknown.line) == ("pyproject.toml", 9)
    assert unknown.remedy is not None and 'add "nowhere"' in unknown.remedy
    assert (broken.file, broken.line) == ("src/broken.py", 2)
    assert broken.message.startswith("`preload` names `broken`: ZeroDivisionError while importing")
    assert len(project.problems(preload=[["nowhere", 9], ["broken", 11]], is_incomplete=True)) == 1
