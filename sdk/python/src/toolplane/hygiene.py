"""What an import leaves behind is in the snapshot that every invocation begins as a copy of. Some things cannot be.

An open file, socket or database is a number that means something to the host that gave it, and nothing to the next
one: used there, it ends the interpreter. So a build that leaves one open is refused, with the line that opened it.
What can be repaired is: buffered output is written, and threads that were started and have not begun stay so.
"""

import builtins
import gc
import io
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NamedTuple

from toolplane import after_import
from toolplane.errors import Problem
from toolplane.project import Project


class _Opened(NamedTuple):
    what: str
    is_open: Callable[[], bool]
    frames: tuple[tuple[str, int], ...]


class _Wrapped:
    """Calls a function and notes what it has opened. No function itself: as a class's attribute it must not bind."""

    def __init__(self, function: Callable[..., Any], note: Callable[[Any, Any], None]) -> None:
        self._function = function
        self._note = note
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        opened = self._function(*args, **kwargs)
        if _opened is not None:
            self._note(args[0] if args else kwargs.get("file"), opened)
        return opened


# None while nothing is built: then nobody pays for it.
_opened: list[_Opened] | None = None
_installed = False
_descriptors: set[int] = set()
_originals = (builtins.open, os.open)
_MOST_DESCRIPTORS = 256
_MAX_FRAMES = 40


def install() -> None:
    """Lets builds look for what is left open."""
    global _installed
    _installed = True
    after_import.repair("socket", _wrap_socket)
    after_import.repair("sqlite3", _wrap_sqlite)


def begin() -> None:
    """A tool is about to be imported."""
    global _opened, _descriptors
    if not _installed:
        return
    _opened = []
    _descriptors = _open_descriptors()
    opening, os_opening = _originals
    module: Any = builtins
    module.open = io.open = _Wrapped(opening, _note_file)
    os.open = _Wrapped(os_opening, _note_descriptor)


def end(project: Project) -> list[Problem]:
    """What the import has left open, after what can be repaired is."""
    global _opened
    if _opened is None:
        return []
    builtins.open, os.open = _originals
    io.open = builtins.open
    opened, _opened = _opened, None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()  # What was printed is the build's, and not every invocation's.
        except Exception:
            pass  # The author closed or replaced it.
    gc.collect()  # What nobody has any more is closed by this.
    problems = [_problem(one, project) for one in opened if one.is_open()]
    if not problems and (left := _open_descriptors() - _descriptors):
        message = f"importing the tool leaves {len(left)} open file{'s' if len(left) > 1 else ''} or socket"
        return [Problem(message, remedy="open it inside the function, or close it before the import ends")]
    return list(dict.fromkeys(problems))


def _note_file(file: Any, opened: Any) -> None:
    _note(f"the file {file!r}", opened, lambda one: not one.closed)


def _note_descriptor(file: Any, descriptor: int) -> None:
    if _opened is not None:
        _opened.append(_Opened(f"the file {file!r}", lambda: _is_open(descriptor), _frames()))


def _note(what: str, opened: Any, is_open: Callable[[Any], bool]) -> None:
    reference = weakref.ref(opened)

    def still_open() -> bool:
        one = reference()
        return one is not None and is_open(one)

    if _opened is not None:
        _opened.append(_Opened(what, still_open, _frames()))


def _wrap_socket() -> None:
    import socket

    initialize = socket.socket.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        initialize(self, *args, **kwargs)
        if _opened is not None:
            _note("a socket", self, lambda one: one.fileno() != -1)

    socket.socket.__init__ = __init__  # type: ignore[method-assign]


def _wrap_sqlite() -> None:
    import sqlite3
    import sqlite3.dbapi2

    connect = sqlite3.connect

    def noted(database: Any, *args: Any, **kwargs: Any) -> Any:
        connection = connect(database, *args, **kwargs)
        if _opened is not None and database != ":memory:":
            number = id(connection)
            _opened.append(_Opened(f"the database {database!r}", lambda: _is_connected(number), _frames()))
        return connection

    sqlite3.connect = sqlite3.dbapi2.connect = noted


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


def _problem(one: _Opened, project: Project) -> Problem:
    own = next(((file, line) for file, line in one.frames if project.relative(file) is not None), None)
    package = next(((file, line) for file, line in one.frames if not _is_library(file)), None)
    remedy = "open it inside the function, or close it before the import ends, as `with` does"
    if package is not None and package != own:
        file, line = package
        name = file.rpartition("/site-packages/")[2]
        message = f"`{name.partition('/')[0]}` leaves {one.what} open when it is imported ({name}, line {line})"
        remedy = "import it inside the function"
    else:
        message = f"{one.what} is left open when the import ends, and cannot be in the snapshot that tools start from"
    return Problem(message, project.relative(own[0]) if own else None, own[1] if own else None, remedy)


def _is_library(file: str) -> bool:
    return file.startswith("<") or ("/site-packages/" not in file and file.startswith(os.path.dirname(os.__file__)))


def _frames() -> tuple[tuple[str, int], ...]:
    def walk(frame: FrameType | None) -> Iterator[tuple[str, int]]:
        while frame is not None:
            if frame.f_code.co_filename != __file__:
                yield frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back

    return tuple(place for place, _ in zip(walk(sys._getframe(1)), range(_MAX_FRAMES)))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
        return True
    except OSError:
        return False


def _open_descriptors() -> set[int]:
    return {descriptor for descriptor in range(3, _MOST_DESCRIPTORS) if _is_open(descriptor)}
