"""The descriptions of a tool and of its parameters, from a docstring in one of the three usual forms.

Google (`Args:`), NumPy (`Parameters` over dashes) and reST (`:param name:`) can be told apart by these marks,
so nobody has to say which one they use.
"""

import re
from typing import NamedTuple

_GOOGLE = re.compile(
    r"(Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Attributes|Returns?|Yields?|Raises|"
    r"Examples?|Notes?|Warnings?|See Also|References|Todo)\s*:\s*$"
)
_UNDERLINE = re.compile(r"-{3,}\s*$")
_REST = re.compile(r":(\w+)(?:\s+([^:]*?))?:(?:\s+(.*))?$")
_GOOGLE_PARAMETER = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_PARAMETER = re.compile(r"((?:\*{0,2}\w+)(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_PARAMETER_SECTIONS = {
    *("Args", "Arguments", "Parameters", "Params", "Keyword Args", "Keyword Arguments"),
    *("Attributes", "Other Parameters"),
}
_REST_PARAMETER_FIELDS = {"param", "parameter", "arg", "argument", "key", "keyword", "ivar", "var", "cvar"}
_REST_FIELDS = {
    *_REST_PARAMETER_FIELDS,
    *("type", "return", "returns", "rtype", "raise", "raises", "except", "exception", "yield", "yields", "meta"),
}


class Documentation(NamedTuple):
    description: str
    parameters: dict[str, str]


def parse(text: str | None) -> Documentation:
    """Takes the docstring with its indentation removed, as `inspect.getdoc` gives it."""
    lines = (text or "").splitlines()
    end = len(lines)
    parameters: dict[str, str] = {}
    index = 0
    while index < len(lines):
        line = lines[index]
        if section := _GOOGLE.match(line):
            body = _block(lines, index + 1)
            if section[1] in _PARAMETER_SECTIONS:
                parameters.update(_google(lines[index + 1 : body]))
        elif index + 1 < len(lines) and line.strip() and _UNDERLINE.match(lines[index + 1]):
            body = _numpy_end(lines, index + 2)
            if line.strip() in _PARAMETER_SECTIONS:
                parameters.update(_numpy(lines[index + 2 : body]))
        elif (field := _REST.match(line)) and field[1] in _REST_FIELDS:
            body = _block(lines, index + 1)
            if field[1] in _REST_PARAMETER_FIELDS and field[2]:
                # `:param int days:` names the type first.
                parameters[field[2].split()[-1].lstrip("*")] = _join([field[3] or "", *lines[index + 1 : body]])
        else:
            index += 1
            continue
        end = min(end, index)
        index = body
    return Documentation("\n".join(lines[:end]).strip(), {name: text for name, text in parameters.items() if text})


def _google(lines: list[str]) -> dict[str, str]:
    """Each parameter starts at the indentation of the first; what is indented further continues it."""
    indentation = next((_indentation(line) for line in lines if line.strip()), 0)
    parameters: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if _indentation(line) == indentation and (match := _GOOGLE_PARAMETER.match(line.strip())):
            current = parameters[match[1]] = [match[2]]
        else:
            current.append(line)
    return {name: _join(text) for name, text in parameters.items()}


def _numpy(lines: list[str]) -> dict[str, str]:
    parameters: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.strip() and not line[0].isspace() and (match := _NUMPY_PARAMETER.match(line)):
            current = []
            for name in match[1].split(","):
                parameters[name.strip().lstrip("*")] = current
        else:
            current.append(line)
    return {name: _join(text) for name, text in parameters.items()}


def _block(lines: list[str], start: int) -> int:
    """Where the indented lines after a heading end; blank lines in between belong to them."""
    for index in range(start, len(lines)):
        if lines[index].strip() and not lines[index][0].isspace():
            return index
    return len(lines)


def _numpy_end(lines: list[str], start: int) -> int:
    """A NumPy section is not indented, so it ends where the next one begins."""
    for index in range(start, len(lines) - 1):
        if lines[index].strip() and _UNDERLINE.match(lines[index + 1]):
            return index
    return len(lines)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _join(lines: list[str]) -> str:
    return " ".join(stripped for line in lines if (stripped := line.strip()))
