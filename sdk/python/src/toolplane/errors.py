"""What can be wrong with a tool's definition, with the input of one invocation, and with what it asks the network."""

import errno
from collections.abc import Iterable
from typing import NamedTuple


class Problem(NamedTuple):
    """One thing that an author has to change before the tool loads."""

    message: str
    file: str | None = None
    """Relative to the project's folder."""
    line: int | None = None
    remedy: str | None = None


class DefinitionError(Exception):
    """The tool cannot be loaded. Holds every problem that was found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class InputError(Exception):
    """A parameter does not have the type that the tool declares."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        self.message = message
        self.path = path
        super().__init__(message)

    def under(self, step: str | int) -> "InputError":
        """The same error, seen from the container that holds the value at `step`."""
        self.path = (step, *self.path)
        return self

    def __str__(self) -> str:
        return f"{pointer(self.path)}: {self.message}" if self.path else self.message


class EgressDenied(PermissionError):
    """A connection to a host that the tool's project does not name. An OSError, so that libraries clean up after it."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(errno.EACCES, message)

    def __str__(self) -> str:
        return self.message


def pointer(path: Iterable[str | int]) -> str:
    """A path as a JSON Pointer (RFC 6901), such as `/city/0/name`."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
