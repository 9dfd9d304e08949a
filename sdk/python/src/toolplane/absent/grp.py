"""`grp`: there is one group, that of the one user."""

from collections import namedtuple
from typing import Any

from toolplane import surroundings

struct_group = namedtuple("struct_group", "gr_name gr_passwd gr_gid gr_mem")

_TOOL = struct_group(surroundings.USER, "x", surroundings.USER_ID, [surroundings.USER])


def getgrgid(id: int) -> Any:
    if id != _TOOL.gr_gid:
        raise KeyError(f"getgrgid(): gid not found: {id}")
    return _TOOL


def getgrnam(name: str) -> Any:
    if name != _TOOL.gr_name:
        raise KeyError(f"getgrnam(): name not found: {name!r}")
    return _TOOL


def getgrall() -> list[Any]:
    return [_TOOL]
