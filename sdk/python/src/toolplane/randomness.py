"""Nothing random repeats from one invocation to the next, although all of them begin as copies of one process.

Generators that were made at import without a seed are seeded anew; one that was given a seed keeps its numbers, as
its author meant. The module's own generator belongs to all packages, so a seed that one of them gave it at import is
not kept. `secrets`, `os.urandom` and `uuid4` ask the host each time and need nothing.
"""

import os
import random
import sys
import weakref
from typing import Any

# Generators without a seed that were made while the tool was built.
_unseeded: "weakref.WeakSet[random.Random]" = weakref.WeakSet()
_building = False
_seed = random.Random.seed
_set_state = random.Random.setstate


def install() -> None:
    """Notes each generator that is made from now on, until the first invocation."""
    global _building
    _building = True

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        _seed(self, a, version)
        if _building:
            (_unseeded.add if a is None else _unseeded.discard)(self)

    def setstate(self: random.Random, state: Any) -> None:
        _set_state(self, state)
        _unseeded.discard(self)

    cls: Any = random.Random
    cls.seed, cls.setstate = seed, setstate


def build_on() -> None:
    """What began was no invocation: generators are noted again."""
    global _building
    _building = True


def begin() -> None:
    """An invocation begins."""
    global _building
    _building = False
    # The module's functions are methods of the generator that it has made.
    for generator in [getattr(random, "_inst"), *_unseeded]:
        _seed(generator, int.from_bytes(os.urandom(32), "little"))
    uuid = sys.modules.get("uuid")
    if uuid is not None:
        # A node is drawn once per process, and a counter begins with a random number.
        vars(uuid).update(_node=None, _last_timestamp=None, _last_timestamp_v6=None, _last_timestamp_v7=None)
