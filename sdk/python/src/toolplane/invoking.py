"""One invocation: JSON in, the author's function, text out.

This is the path that every invocation takes, so what can be prepared at load is: nothing here reads a signature,
imports a module or builds a converter.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import Any

from toolplane import egress, eventloop, failure, surroundings
from toolplane.context import Context
from toolplane.output import to_text
from toolplane.project import Project


@dataclass(frozen=True)
class Callee:
    """A function, and the name of the parameter that gets the context."""

    function: Callable[..., Any]
    context: str | None
    names: frozenset[str] | None = None
    """The parameters that it takes; None when it takes all. A simulation may leave some out."""


@dataclass(frozen=True)
class LoadedTool:
    """What `load` leaves in the snapshot for `invoke`."""

    project: Project
    convert: Callable[[Any], dict[str, Any]]
    entry_point: Callee
    simulation: Callee | None


# A module global, since componentize-py calls `load` and `invoke` on two instances of the guest's class.
_tool: LoadedTool | None = None


# What makes a copy of the built process one of its own, what the end of the tool's function waits for, and what the
# end of a process does. The guest fills them; on an author's machine there is nothing to mend.
at_begin: list[Callable[[], None]] = []
at_return: list[Callable[[], None]] = []
at_exit: list[Callable[[], None]] = []


def install(tool: LoadedTool | None) -> None:
    """Makes this the tool that `invoke` runs."""
    global _tool
    _tool = tool


def invoke(call: str) -> str:
    """Runs the loaded tool once. Raises whatever the author's function raises, and InputError for wrong input."""
    if _tool is None:
        raise RuntimeError("no tool is loaded")
    request = json.loads(call)
    for begin in at_begin:
        begin()
    if env := request["env"]:
        os.environ.update((name, value) for name, value in env.items() if not surroundings.is_of_proxies(name))
    allowed = request["egress"]
    egress.install(egress.Egress(tuple(allowed["allow"]), tuple(allowed["tcp"])))
    callee = _tool.entry_point
    if _tool.simulation is not None and request["mode"] == "conversation-simulation":
        callee = _tool.simulation
    try:
        arguments = _tool.convert(request["parameters"])
        if callee.names is not None:
            arguments = {name: value for name, value in arguments.items() if name in callee.names}
        if callee.context is not None:
            arguments[callee.context] = _context(request)
        result = callee.function(**arguments)
        if result.__class__ is CoroutineType or hasattr(result, "__await__"):
            result = eventloop.run(result)
        for wait in at_return:
            wait()
        return to_text(result)
    finally:
        for leave in at_exit:
            leave()
        _flush()


def describe(error: BaseException) -> failure.Failure:
    """The failure of the invocation that raised this."""
    project = _tool.project if _tool is not None else Project("", "/tool", (), "")
    return failure.describe(error, project)


def _context(request: dict[str, Any]) -> Context:
    return Context(
        env=request["env"],
        mode=request["mode"],
        user_variables=request["user_variables"],
        sensitive_user_variables=request["sensitive_user_variables"],
        invocation_id=request["invocation_id"],
        deadline=request["deadline"],
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass  # The author closed or replaced it; the result counts.
