"""Ordinary Python. Each module beside this one is a group of checks: functions that raise when something is wrong."""

import random
import threading
import uuid
from pathlib import Path

from ordinary import objects as objects

# What is made at import is in the snapshot.
GENERATOR = random.Random()
SEEDED = random.Random(42)
MADE_AT_IMPORT = (uuid.uuid1(), uuid.uuid6(), uuid.uuid7())
HERE = Path(__file__).read_text(encoding="utf-8")
LATER: list[str] = []
threading.Thread(target=LATER.append, args=("ran",)).start()
print("printed while the tool was imported")


def run(group: str) -> dict[str, str]:
    """Run the checks of a group, and say for each what went wrong, if anything."""
    import importlib

    if group == "draws":
        return draw()

    module = importlib.import_module(f"ordinary.{group}")
    results = {}
    for name, check in list(vars(module).items()):
        if not name.startswith("check_"):
            continue
        try:
            check()
            results[name] = "ok"
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
    return results


def draw() -> dict[str, str]:
    """Everything random that Python has; `seeded` is what its author wanted to repeat."""
    import secrets
    import tempfile

    return {
        "seeded": str(SEEDED.random()),
        "random": str(random.random()),
        "generator": str(GENERATOR.random()),
        "system": str(random.SystemRandom().random()),
        "secrets": secrets.token_hex(),
        "uuid1": str(uuid.uuid1()),
        "uuid4": str(uuid.uuid4()),
        "uuid6": str(uuid.uuid6()),
        "uuid7": str(uuid.uuid7()),
        "node": hex(uuid.getnode()),
        "file": next(tempfile._get_candidate_names()),
    }


def message_of(call) -> str:
    """What the call raises."""
    try:
        call()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    raise AssertionError("it raised nothing")


def says(call, *parts: str) -> None:
    """The call raises, and its message has the parts."""
    message = message_of(call)
    for part in parts:
        assert part in message, message

