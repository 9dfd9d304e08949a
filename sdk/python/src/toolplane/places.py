"""Where in the code something happened while a tool was imported, and whose code that is.

An author can change a line of their own. Of a package they can change the version, or whether it is imported at all, so
a package is named as it is installed and not by its files alone.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from types import FrameType
from typing import NamedTuple

from toolplane.project import Project

_MAX_FRAMES = 40


class Place(NamedTuple):
    """A line that was running."""

    file: str
    line: int
    function: str
    """`<module>` while the file is imported."""


class Package(NamedTuple):
    """A package's code that was running."""

    name: str
    """As it is installed, such as `PyYAML`."""
    where: str
    """File and line, for a message."""
    is_importing: bool
    """Whether the author only imported it, and called nothing of it."""


def here() -> tuple[Place, ...]:
    """What is running, innermost first, without this package's own code."""
    return tuple(islice(_frames(sys._getframe(1)), _MAX_FRAMES))


def of_error(error: BaseException) -> tuple[Place, ...]:
    """Where an exception came from, innermost first."""
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        if not _is_ours(traceback.tb_frame):
            code = traceback.tb_frame.f_code
            found.append(Place(code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return tuple(reversed(found))


def own(places: Sequence[Place], project: Project) -> Place | None:
    """The author's innermost line."""
    return next((place for place in places if project.relative(place.file) is not None), None)


def package(places: Sequence[Place], project: Project) -> Package | None:
    """The package whose code was running; None where the author's own was, the standard library aside."""
    inner = []
    for place in places:
        if project.relative(place.file) is not None:
            break
        if not _is_library(place.file):
            inner.append(place)
    if not inner:
        return None
    first = inner[0]
    shown = _shown(first.file, project)
    is_importing = any(place.function == "<module>" for place in inner)
    return Package(distribution(first.file, project), f"{shown}, line {first.line}", is_importing)


def distribution(file: str, project: Project) -> str:
    """The name that a package's file was installed under, or else that of its folder."""
    shown = _shown(file, project)
    for name, files in _records(project):
        if shown in files:
            return name
    return shown.partition("/")[0].removesuffix(".py")


def is_compiled(module: str, project: Project) -> bool:
    """Whether a package was made with such a module as compiled code, which is not unpacked."""
    path = f"{module.replace('.', '/')}."
    endings = (".so", ".pyd", ".dylib")
    return any(file.startswith(path) and file.endswith(endings) for _, files in _records(project) for file in files)


def _records(project: Project) -> Iterator[tuple[str, set[str]]]:
    """Each installed package with the files that it was made of."""
    if project.packages is None:
        return
    # Only where something is wrong, and then nothing of this is kept.
    import csv
    from importlib import metadata

    for found in metadata.distributions(path=[project.packages]):
        # Its `files` leaves out those that are not there, as compiled code never is.
        record = csv.reader((found.read_text("RECORD") or "").splitlines())
        yield found.metadata["Name"], {row[0] for row in record if row}


def _frames(frame: FrameType | None) -> Iterator[Place]:
    while frame is not None:
        if not _is_ours(frame):
            yield Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    return f"{frame.f_globals.get('__name__')}.".startswith("toolplane.")


def _is_library(file: str) -> bool:
    return file.startswith("<") or ("/site-packages/" not in file and file.startswith(os.path.dirname(os.__file__)))


def _shown(file: str, project: Project) -> str:
    """Relative to the folder of the packages."""
    if project.packages is not None and file.startswith(f"{project.packages}/"):
        return file[len(project.packages) + 1 :]
    return file.rpartition("/site-packages/")[2].lstrip("/")
