import time


def nap(seconds: float = 0.05) -> str:
    """Wait."""
    time.sleep(seconds)
    return "awake"
