"""What an import leaves behind is in the snapshot that every invocation begins as a copy of. Some things cannot be.

An open file, socket or database is a number that means something to the host that gave it, and nothing to the next
one: used there, it ends the interpreter. So a build that leaves one open is refused, with the line that opened it.
What can be repaired is: buffered output is written, and threads that were started and have not begun stay so.

While a tool is imported, what opens is exchanged for what also notes: `watching.py` does that.
"""

import gc
import sys

from toolplane import after_import, places, watching
from toolplane.errors import Problem
from toolplane.project import Project

_installed = False


def install() -> None:
    """Lets builds look for what is left open."""
    global _installed
    _installed = True
    after_import.repair("socket", watching.sockets)
    after_import.repair("sqlite3", watching.databases)


def begin() -> None:
    """A tool is about to be imported."""
    if _installed:
        watching.begin()


def end(project: Project) -> list[Problem]:
    """What the import has left open, after what can be repaired is."""
    if not _installed:
        return []
    opened = watching.end()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()  # What was printed is the build's, and not every invocation's.
        except Exception:
            pass  # The author closed or replaced it.
    gc.collect()  # What nobody has any more is closed by this.
    problems = [_problem(one, project) for one in opened if one.is_open()]
    return list(dict.fromkeys(problems))


def _problem(one: watching.Opened, project: Project) -> Problem:
    own, package = places.own(one.frames, project), places.package(one.frames, project)
    remedy = "open it inside the function, or close it before the import ends, as `with` does"
    if package is None:
        message = f"{one.what} is left open when the import ends, and no invocation could use it"
    elif package.is_importing:
        message = f"`{package.name}` leaves {one.what} open when it is imported ({package.where})"
        remedy = "import it inside the function"
    else:
        message = f"{one.what}, which `{package.name}` opens ({package.where}), is left open when the import ends"
    return Problem(message, project.relative(own.file) if own else None, own.line if own else None, remedy)
