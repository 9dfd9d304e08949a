"""`threading.local`: CPython keeps one set of attributes per thread of the system, and the sandbox has one of those."""

import weakref
from typing import Any

from toolplane import turns


class _Sets:
    """The attributes of one `local`, by thread."""

    __slots__ = ("by_thread", "arguments", "current", "__weakref__")

    def __init__(self, arguments: Any) -> None:
        self.by_thread: dict[int | None, dict[str, Any]] = {None: {}}
        self.arguments = arguments
        self.current: int | None = None


_all: "weakref.WeakSet[_Sets]" = weakref.WeakSet()


class local:
    """As `threading.local`: a subclass's `__init__` runs once in each thread that uses it."""

    __slots__ = ("_local__sets", "__dict__", "__weakref__")

    def __new__(cls, /, *args: Any, **kwargs: Any) -> "local":
        if (args or kwargs) and cls.__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self = object.__new__(cls)
        sets = _Sets((args, kwargs))
        sets.current = turns.current_ident()
        sets.by_thread = {sets.current: object.__getattribute__(self, "__dict__")}
        object.__setattr__(self, "_local__sets", sets)
        _all.add(sets)
        return self

    def __getattribute__(self, name: str) -> Any:
        _switch(self)
        return object.__getattribute__(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        _switch(self)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name == "__dict__":
            raise AttributeError(f"{type(self).__name__!r} object attribute '__dict__' is read-only")
        _switch(self)
        object.__delattr__(self, name)


def forget(ident: int) -> None:
    """A thread has ended, and so have its attributes."""
    for sets in list(_all):
        if (attributes := sets.by_thread.pop(ident, None)) is not None:
            attributes.clear()
            if sets.current == ident:
                sets.by_thread[ident] = attributes  # Numbers are given once, so nobody will see this.


def _switch(one: local) -> None:
    sets: _Sets = object.__getattribute__(one, "_local__sets")
    ident = turns.current_ident()
    if ident == sets.current:
        return
    sets.current = ident
    known = sets.by_thread.get(ident)
    object.__setattr__(one, "__dict__", {} if known is None else known)
    if known is None:
        sets.by_thread[ident] = object.__getattribute__(one, "__dict__")
        args, kwargs = sets.arguments
        type(one).__init__(one, *args, **kwargs)
