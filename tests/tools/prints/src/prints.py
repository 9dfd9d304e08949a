import logging
import sys

from toolplane import Context, tool


@tool
def speak(times: int = 1, *, context: Context) -> str:
    """Say one line on every channel, so many times."""
    for number in range(1, times + 1):
        print(f"stdout {number}")
        print(f"stderr {number}", file=sys.stderr)
        logging.getLogger("prints").warning("logging %d", number)
        context.log.info("context.log %d", number)
    return "spoken"
