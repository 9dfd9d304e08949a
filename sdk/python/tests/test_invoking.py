"""An invocation on plain CPython: parameters, context, simulation, randomness, failures."""

import os
import random
import sys

import pytest
from conftest import ToolProject

from toolplane import invoking, randomness

TOOL = '''
import os, sys
from dataclasses import dataclass
from toolplane import Context, tool

@dataclass
class Place:
    name: str

@tool
def forecast(city: list[Place], days: int = 3, *, context: Context) -> dict:
    return {"city": city[0], "days": days, "mode": context.mode, "id": context.invocation_id,
            "env": context.env["UNITS"], "environ": os.environ["UNITS"], "user": context.user_variables}

@forecast.simulation
def _(days: int = 7):
    return {"simulated": days}
'''


def test_the_function_gets_real_types_and_its_context(project: ToolProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNITS", "before")
    project.write(weather=TOOL)
    project.load()
    assert project.invoke({"city": [{"name": "Oslo"}]}, env={"UNITS": "metric"}, user_variables={"a": 1}) == (
        '{"city":{"name":"Oslo"},"days":3,"mode":"regular","id":"inv_1","env":"metric","environ":"metric",'
        '"user":{"a":1}}'
    )


def test_a_simulation_runs_instead_and_gets_what_it_names(project: ToolProject) -> None:
    project.write(weather=TOOL)
    assert project.load()["has_simulation"] is True
    city = {"city": [{"name": "Oslo"}]}
    assert project.invoke(city, mode="conversation-simulation") == '{"simulated":7}'
    assert project.invoke({**city, "days": 1}, mode="conversation-simulation") == '{"simulated":1}'


def test_without_a_simulation_the_tool_runs(project: ToolProject) -> None:
    project.write(weather="from toolplane import Context\ndef forecast(c: Context): return c.mode")
    project.load()
    assert project.invoke(mode="conversation-simulation") == "conversation-simulation"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"city": [{"name": 3}]}, "/city/0/name: expected a string, got 3"),
        ({}, "/city: is required and missing"),
        ({"city": [], "wrong": 1}, "/wrong: is not known here (known: city, days)"),
    ],
)
def test_wrong_input(project: ToolProject, parameters: dict[str, object], message: str) -> None:
    project.write(weather=TOOL)
    project.load()
    assert project.failure(parameters) == ("InputError", message, [])


def test_every_invocation_draws_its_own_numbers(project: ToolProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoking, "at_begin", [randomness.begin])
    project.write(weather="import random\ndef forecast(): return str(random.random())")
    project.load()
    drawn = set()
    for _ in range(3):
        random.seed(1)
        drawn.add(project.invoke())
    assert len(drawn) == 3


def test_a_closed_stdout_changes_nothing(project: ToolProject, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = open(os.devnull, "w")
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    project.write(weather="def forecast(): return 'fine'")
    project.load()
    assert project.invoke() == "fine"


FAILURES = [
    ("raise ValueError('bad')", "ValueError", "bad"),
    ("raise NotFound('x')", "weather.NotFound", "x"),
    ("raise SystemExit(3)", "SystemExit", "3"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
    ("raise MemoryError", "MemoryError", ""),
    ("raise Silent", "weather.Silent", "<the exception's __str__ raised ZeroDivisionError>"),
    ("raise ValueError('lone \\ud800')", "ValueError", "lone \ufffd"),
    ("return forecast()", "RecursionError", "maximum recursion depth exceeded"),
    ("return object()", "TypeError", "the returned value is of type object"),
    ("import json; json.loads('{')", "json.decoder.JSONDecodeError", "Expecting property name"),
]


@pytest.mark.parametrize(("line", "kind", "message"), FAILURES, ids=lambda value: str(value)[:30])
def test_whatever_is_raised_is_a_failure(project: ToolProject, line: str, kind: str, message: str) -> None:
    project.write(
        weather=f"""
class NotFound(Exception): ...
class Silent(Exception):
    def __str__(self): return 1 / 0
def forecast():
    {line}
"""
    )
    project.load()
    failure = project.failure()
    assert failure.exception_type == kind
    assert failure.message.startswith(message)
    assert len(failure.stack_trace) <= 50
    if "object()" not in line:
        assert failure.stack_trace[0] == f'File "src/weather.py", line 6, in forecast\n    {line}'


def test_variables_for_proxies_reach_the_function_and_no_library(
    project: ToolProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "http_proxy", "NO_PROXY", "MY_PROXY"):
        monkeypatch.setenv(name, "before")
    project.write(
        weather="""
import os
from toolplane import Context
def forecast(*, context: Context) -> dict:
    return {name: [os.environ[name], value] for name, value in context.env.items()}
"""
    )
    project.load()
    env = dict.fromkeys(("HTTPS_PROXY", "http_proxy", "NO_PROXY", "MY_PROXY"), "given")
    assert project.invoke(env=env) == (
        '{"HTTPS_PROXY":["before","given"],"http_proxy":["before","given"],"NO_PROXY":["before","given"],'
        '"MY_PROXY":["given","given"]}'
    )
