"""What was made at import goes as anywhere when nobody refers to it any more, and changes as anywhere.

Most of it is not counted in the sandbox. That shows in nothing but `sys._is_immortal`.
"""

import gc
import sys
import weakref

GONE: list[str] = []


class Resource:
    def __init__(self, name: str) -> None:
        self.name = name

    def __del__(self) -> None:
        GONE.append(self.name)


HELD = {"first": Resource("first")}
KEPT = [Resource("kept")]
CACHE = weakref.WeakValueDictionary(kept=KEPT[0])
COUNTS = {"a": 1}
TEXT = "a text " + str(len(GONE))


def check_most_is_not_counted():
    assert all(map(sys._is_immortal, (COUNTS, TEXT, GONE, Resource, Resource.__init__, check_most_is_not_counted)))
    assert not sys._is_immortal(KEPT[0]) and not sys._is_immortal({"made": "now"})


def check_an_instance_goes_with_its_last_reference():
    HELD.clear()
    assert GONE == ["first"], GONE


def check_weak_references_end():
    assert CACHE["kept"] is KEPT[0]
    KEPT.clear()
    assert "kept" not in CACHE and GONE[-1] == "kept"


def check_what_is_not_counted_changes():
    text = TEXT
    text += "!"
    COUNTS["b"] = 2
    del COUNTS["a"]
    assert COUNTS == {"b": 2} and TEXT == "a text 0" and text == "a text 0!"
    names = list(COUNTS)
    names *= 3
    assert sorted(names) == ["b", "b", "b"]


def check_the_collector_works():
    resource = Resource("cycle")
    resource.itself = resource
    del resource
    gc.collect()
    assert GONE[-1] == "cycle"
    gc.unfreeze()
    gc.collect()
    assert COUNTS and TEXT and Resource("again").name == "again"
