"""`pwd`: there is one user, of the same name and folder as the variables USER and HOME have at first."""

from collections import namedtuple
from typing import Any

from toolplane import surroundings

struct_passwd = namedtuple("struct_passwd", "pw_name pw_passwd pw_uid pw_gid pw_gecos pw_dir pw_shell")

_TOOL = struct_passwd(surroundings.USER, "x", surroundings.USER_ID, surroundings.USER_ID, "", surroundings.HOME, "")


def getpwuid(uid: int, /) -> Any:
    if uid != _TOOL.pw_uid:
        raise KeyError(f"getpwuid(): uid not found: {uid}")
    return _TOOL


def getpwnam(name: str, /) -> Any:
    if name != _TOOL.pw_name:
        raise KeyError(f"getpwnam(): name not found: {name!r}")
    return _TOOL


def getpwall() -> list[Any]:
    return [_TOOL]
