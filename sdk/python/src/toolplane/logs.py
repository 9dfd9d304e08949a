"""The logger behind `context.log`.

`logging` is imported by the first tool that logs, and not by this module: it would be frozen into all of them.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class _CurrentStderr:
    """Writes to what `sys.stderr` is now, and not to what it was when the snapshot was taken."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def tool_logger() -> "logging.Logger":
    """The logger `tool`, set up unless the author (or pytest) has set up logging."""
    import logging

    logger = logging.getLogger("tool")
    if logger.level == logging.NOTSET and not logger.hasHandlers():
        handler = logging.StreamHandler(_CurrentStderr())
        handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        # A later `logging.basicConfig` must not print every line twice.
        logger.propagate = False
    return logger
