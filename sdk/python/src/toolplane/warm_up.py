"""Runs the path of an invocation before the base is snapshotted, so that no invocation is the first one to take it.

CPython adapts its bytecode to what it sees, and writes down what it has looked up. So the first passes through any code
are slow, and write to memory that would otherwise stay as it is in the snapshot; and an invocation is always a first
pass, through the author's code. Through ours it need not be.
"""

import json
from dataclasses import dataclass
from typing import Any

from toolplane import convert, egress, invoking, randomness, signature
from toolplane.context import Context
from toolplane.invoking import Callee, LoadedTool
from toolplane.project import Project

# CPython adapts an instruction within its first few passes; an instruction that it cannot adapt it tries anew, each time
# after a longer while.
_PASSES = 8


@dataclass
class _Record:
    name: str
    count: int = 1


def _tool(context: Context, text: str, number: float, names: list[str], record: _Record, flag: bool = False) -> Any:
    """What most tools have among their parameters and results."""
    return {"text": text, "number": number, "flag": flag, "names": names, "count": record.count, "nothing": None}


_REQUEST = {
    "parameters": {"text": "a", "number": 1.5, "names": ["a", "b"], "record": {"name": "a"}, "flag": True},
    "mode": "regular",
    "env": {},
    "user_variables": {},
    "sensitive_user_variables": {},
    "invocation_id": "",
    "deadline": 0.0,
    "egress": {"allow": [], "tcp": []},
}


def run() -> None:
    """Invokes a tool of its own, and leaves everything as it was."""
    parameters, _ = signature.read(_tool)
    converter = convert.of_parameters(parameters.fields)
    request = json.dumps(_REQUEST)
    # What runs at the end of a process runs once, and is then forgotten.
    at_exit, invoking.at_exit[:] = list(invoking.at_exit), []
    invoking.install(LoadedTool(Project("", "/tool", (), ""), converter, Callee(_tool, parameters.context), None))
    for _ in range(_PASSES):
        invoking.invoke(request)
    invoking.install(None)
    invoking.at_exit[:] = at_exit
    egress.install(None)
    randomness.build_on()
