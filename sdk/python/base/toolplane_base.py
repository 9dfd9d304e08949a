"""The application module of the base: imported once, by componentize-py, before the first snapshot.

It hands the standard library to the host, which mounts it for every guest, and imports what every tool needs.
componentize-py mounts the folder of this module at /0 and the folder for the library at /1, both writable.
"""

import os
import sys

STANDARD_LIBRARY = "/python"
HANDED_OUT = "/1"
#: The file beside it that names the objects which the host makes immortal.
IMMORTAL = "immortal"
#: What no tool can use in a sandbox without processes and screens, and what only CPython's own makers need.
LEFT_OUT = {"test", "idlelib", "tkinter", "turtledemo", "ensurepip", "__pycache__", "pydoc_data", "lib2to3"}


def _hand_out(source: str, target: str) -> None:
    for entry in os.scandir(source):
        if entry.name in LEFT_OUT:
            continue
        if entry.is_dir():
            os.mkdir(f"{target}/{entry.name}")
            _hand_out(entry.path, f"{target}/{entry.name}")
        else:
            with open(entry.path, "rb") as reading, open(f"{target}/{entry.name}", "wb") as writing:
                writing.write(reading.read())


_hand_out(STANDARD_LIBRARY, HANDED_OUT)

from toolplane import guest  # noqa: E402
from toolplane.guest import WitWorld  # noqa: E402, F401  the world's exports are looked up here

# What is imported here costs no tool anything later; it is what the `toolplane` package and most tools use.
import dataclasses  # noqa: E402, F401
import datetime  # noqa: E402, F401
import decimal  # noqa: E402, F401
import enum  # noqa: E402, F401
import inspect  # noqa: E402, F401
import json  # noqa: E402, F401
import logging  # noqa: E402, F401
import random  # noqa: E402, F401
import re  # noqa: E402, F401
import traceback  # noqa: E402, F401
import typing  # noqa: E402, F401
import uuid  # noqa: E402, F401

# The host writes it beside this module.
from toolplane_libraries import MODULES  # noqa: E402

guest.link(MODULES)

# From here on the library is found where the host mounts it. The package `toolplane` lies beside it there.
sys.path[:] = [STANDARD_LIBRARY]
sys.path_importer_cache.clear()

# A build would otherwise look at all of this again, and write to it: 60 ms of what an author waits for.
with open(f"{HANDED_OUT}/{IMMORTAL}", "w") as file:
    file.write(guest.settle())
