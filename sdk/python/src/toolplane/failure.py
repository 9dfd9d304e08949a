"""An exception becomes what the caller of a tool reads: its type, its message, and the author's own frames.

Frames of the standard library, of packages and of this one are left out: the author can change none of them.
Nothing here raises, whatever the exception does when it is asked about itself.
"""

import linecache
from collections.abc import Iterator
from itertools import islice
from types import CodeType, TracebackType
from typing import NamedTuple

from toolplane.errors import EgressDenied
from toolplane.project import Project
from toolplane.unicode import well_formed

MAX_FRAMES = 50
# A message is for a person or a model to read, and it is stored with the invocation.
MAX_MESSAGE_BYTES = 64 * 1024
# Of frames that are too many, the first tell how it began, and the last where it failed.
_FIRST_FRAMES = 10
# Causes may form a cycle, or a chain as long as a retry loop.
_MAX_CHAIN = 5
_MAX_GROUP = 10
_MAX_WRAPPED = 20

_CAUSE = "The above exception was the direct cause of the following exception:"
_CONTEXT = "During handling of the above exception, another exception occurred:"


class Failure(NamedTuple):
    exception_type: str
    message: str
    stack_trace: list[str]


def describe(error: BaseException, project: Project) -> Failure:
    """What the caller gets to know about an exception."""
    try:
        if isinstance(error, MemoryError):
            _release(error)
        denied = _denied(error, project)
        kind, message = type_name(denied or error), message_of(denied or error)
        return Failure(kind, message, list(islice(_trace(error, project), MAX_FRAMES)))
    except BaseException:  # Out of memory while describing that very thing, for example.
        return Failure(type(error).__name__, "", [])


def type_name(error: BaseException) -> str:
    """`ValueError`, `weather.NotFound`; what this package raises at a caller has no module either."""
    kind = type(error)
    module = kind.__module__
    if module in ("builtins", "__main__") or module.startswith("toolplane."):
        return well_formed(kind.__qualname__)
    return well_formed(f"{module}.{kind.__qualname__}")


def message_of(error: BaseException) -> str:
    """`str(error)`, bounded, and on one side of UTF-8."""
    try:
        message = well_formed(str(error))
    except Exception as broken:
        return f"<the exception's __str__ raised {type(broken).__name__}>"
    # No character takes more than four bytes, so a short message needs no encoding.
    if len(message) * 4 <= MAX_MESSAGE_BYTES or len(encoded := message.encode()) <= MAX_MESSAGE_BYTES:
        return message
    mark = f"… ({len(encoded)} bytes in all)"
    return encoded[: MAX_MESSAGE_BYTES - len(mark.encode())].decode(errors="ignore") + mark


def own_frames(error: BaseException, project: Project) -> list[tuple[CodeType, int]]:
    """The author's frames from the outermost in, each with the line that was running."""
    frames: list[tuple[CodeType, int]] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if project.relative(code.co_filename) is not None:
            frames.append((code, traceback.tb_lineno))
        traceback = traceback.tb_next
    return frames


def _denied(error: BaseException, project: Project) -> EgressDenied | None:
    """The refusal of the network that a library has wrapped into an exception of its own; not one of the author's."""
    traceback, last = error.__traceback__, None
    while traceback is not None:
        last, traceback = traceback.tb_frame.f_code.co_filename, traceback.tb_next
    if last is not None and project.relative(last) is not None:
        return None
    seen: list[object] = []
    pending: list[object] = [error]
    while pending and len(seen) < _MAX_WRAPPED:
        one = pending.pop()
        if isinstance(one, EgressDenied):
            return one
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            # urllib3 keeps what it wraps as `reason`, and requests keeps urllib3's as an argument.
            pending += [one.__context__, one.__cause__, getattr(one, "reason", None), *one.args]
            if isinstance(one, BaseExceptionGroup):
                pending += one.exceptions
    return None


def _trace(error: BaseException, project: Project, depth: int = 0) -> Iterator[str]:
    """As Python prints it: the cause comes first, then what it led to."""
    earlier, link = _earlier(error)
    if earlier is not None and depth < _MAX_CHAIN:
        yield from _trace(earlier, project, depth + 1)
        yield f"{type_name(earlier)}: {_brief(earlier)}"
        yield link
    yield from _formatted(own_frames(error, project), project)
    if isinstance(error, BaseExceptionGroup):
        yield from _members(error, project, depth)


def _earlier(error: BaseException) -> tuple[BaseException | None, str]:
    if error.__cause__ is not None:
        return error.__cause__, _CAUSE
    return (None if error.__suppress_context__ else error.__context__), _CONTEXT


def _members(group: BaseExceptionGroup[BaseException], project: Project, depth: int) -> Iterator[str]:
    for number, member in enumerate(group.exceptions[:_MAX_GROUP], start=1):
        yield f"Sub-exception {number} of {len(group.exceptions)}, {type_name(member)}: {_brief(member)}"
        if depth < _MAX_CHAIN:
            yield from _trace(member, project, depth + 1)


def _formatted(frames: list[tuple[CodeType, int]], project: Project) -> Iterator[str]:
    left_out = len(frames) - MAX_FRAMES
    if left_out > 0:
        # One entry less, for the line that says so.
        last = MAX_FRAMES - _FIRST_FRAMES - 1
        yield from (_frame(code, line, project) for code, line in frames[:_FIRST_FRAMES])
        yield f"… {left_out + 1} frames left out …"
        frames = frames[-last:]
    yield from (_frame(code, line, project) for code, line in frames)


def _frame(code: CodeType, line: int, project: Project) -> str:
    text = f'File "{project.relative(code.co_filename)}", line {line}, in {code.co_name}'
    try:
        source = linecache.getline(code.co_filename, line).strip()
    except Exception:
        source = ""
    return well_formed(f"{text}\n    {source}" if source else text)


def _brief(error: BaseException) -> str:
    message = message_of(error)
    return message if len(message) <= 1000 else f"{message[:1000]}…"


def _release(error: BaseException) -> None:
    """Lets go of what the failed frames hold, so that there is memory to describe the failure with."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        try:
            traceback.tb_frame.clear()
        except RuntimeError:
            pass  # Still running: our own frame.
        traceback = traceback.tb_next
