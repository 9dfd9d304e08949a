"""Notes what is opened while a tool is imported, whichever way it is opened, and by which lines.

Functions are exchanged wherever a module has them, since some modules of the standard library have their own `open`.
Classes are exchanged for subclasses that pass for them.
"""

import abc
import builtins
import gc
import io
import os
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from toolplane import places
from toolplane.places import Place


class Opened(NamedTuple):
    """Something that was opened, and whether it still is."""

    what: str
    is_open: Callable[[], bool]
    frames: tuple[Place, ...]
    descriptor: int | None = None


# None while nothing is built: then nobody pays for it.
_opened: list[Opened] | None = None


def begin() -> None:
    """Watches from now on."""
    global _opened
    _opened = []
    _exchange(_pairs)


def end() -> list[Opened]:
    """Stops, and answers what was opened."""
    global _opened
    opened, _opened = _opened or [], None
    # Modules that came meanwhile may have taken the watching ones by name.
    _exchange([(watching, original) for original, watching in _pairs])
    return opened


def is_on() -> bool:
    """Whether a tool is being imported."""
    return _opened is not None


class _Wrapped:
    """Calls a function and notes what it has opened. No function itself: as a class's attribute it must not bind."""

    def __init__(self, function: Callable[..., Any], note: Callable[[Any, Any], None]) -> None:
        self._function = function
        self._note = note
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        opened = self._function(*args, **kwargs)
        if _opened is not None:
            self._note(args[0] if args else next(iter(kwargs.values()), None), opened)
        return opened


class _Passing(abc.ABCMeta):
    """The class of a class that stands for the one that it extends. Abstract, since files are mixed with such."""

    def __instancecheck__(cls, instance: Any) -> bool:
        original = cls.__dict__.get("_original")
        return isinstance(instance, original) if original else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        original = cls.__dict__.get("_original")
        return issubclass(subclass, original) if original else super().__subclasscheck__(subclass)


def _watching(original: Any, note: Callable[[Any, Any], None]) -> Any:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original.__init__(self, *args, **kwargs)
        if _opened is not None:
            note(args[0] if args else next(iter(kwargs.values()), None), self)

    names = {"__init__": __init__, "__doc__": original.__doc__, "__module__": original.__module__}
    return _Passing(original.__name__, (original,), {**names, "_original": original})


def _exchange(pairs: list[tuple[Any, Any]]) -> None:
    """Puts the second of each pair where any module has the first."""
    exchanged = {id(old): (old, new) for old, new in pairs}
    for module in list(sys.modules.values()):
        if not isinstance(module, ModuleType):
            continue
        # A module that loads itself when it is first asked for something must not do so now.
        names = ModuleType.__getattribute__(module, "__dict__")
        if names is globals():
            continue
        for name, value in list(names.items()):
            if id(value) in exchanged:
                names[name] = exchanged[id(value)][1]


def _note_file(file: Any, opened: Any) -> None:
    _note_object(f"the file {file!r}", opened, lambda one: not one.closed)


def _note_descriptor(file: Any, descriptor: int) -> None:
    _note(f"the file {file!r}", lambda: _is_open(descriptor), descriptor)


def _note_socket(_family: Any, opened: Any) -> None:
    _note_object("a socket", opened, lambda one: one.fileno() != -1)


def _note_database(database: Any, connection: Any) -> None:
    if database != ":memory:":
        number = id(connection)
        _note(f"the database {database!r}", lambda: _is_connected(number))


def _note_object(what: str, opened: Any, is_open: Callable[[Any], bool]) -> None:
    reference = weakref.ref(opened)

    def still_open() -> bool:
        one = reference()
        return one is not None and is_open(one)

    _note(what, still_open, opened.fileno())


def _note(what: str, is_open: Callable[[], bool], descriptor: int | None = None) -> None:
    if _opened is None:
        return
    if descriptor is not None:
        # The number was given anew, so whoever had it has closed it, or it has changed hands, as with `os.fdopen`.
        _opened[:] = [one for one in _opened if one.descriptor != descriptor]
    _opened.append(Opened(what, is_open, places.here(), descriptor))


# What opens, and what stands in its place while a tool is imported.
_pairs: list[tuple[Any, Any]] = [
    (builtins.open, _Wrapped(builtins.open, _note_file)),
    (os.open, _Wrapped(os.open, _note_descriptor)),
    (io.FileIO, _watching(io.FileIO, _note_file)),
]


def sockets() -> None:
    """Watches sockets, from the moment that their module is imported."""
    import _socket
    import socket

    initialize = socket.socket.__init__

    # This class is extended and asked for by many, so it stays itself. The one below it is not extended but by it.
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        initialize(self, *args, **kwargs)
        if _opened is not None:
            _note_socket(None, self)

    socket.socket.__init__ = __init__  # type: ignore[method-assign]
    _add(_socket.socket, _watching(_socket.socket, _note_socket))


def databases() -> None:
    """Watches databases, from the moment that their module is imported."""
    import sqlite3

    _add(sqlite3.connect, _Wrapped(sqlite3.connect, _note_database))
    _add(sqlite3.Connection, _watching(sqlite3.Connection, _note_database))


def _add(original: Any, watching: Any) -> None:
    _pairs.append((original, watching))
    if _opened is not None:
        _exchange(_pairs[-1:])


def _is_connected(number: int) -> bool:
    """Connections cannot be referred to weakly, so they are looked for."""
    import sqlite3

    for one in gc.get_objects():
        if id(one) == number and isinstance(one, sqlite3.Connection):
            try:
                # One in memory or in a temporary file has a name that is empty.
                return any(name for _, _, name in one.execute("PRAGMA database_list"))
            except sqlite3.ProgrammingError:
                return False
    return False


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
        return True
    except OSError:
        return False
