import os
import sys


def leave(politely: bool = False) -> str:
    """Leave with status 3."""
    if politely:
        sys.exit(3)
    os._exit(3)
