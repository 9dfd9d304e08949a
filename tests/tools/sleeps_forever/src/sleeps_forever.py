import time


def sleep(seconds: float = 3600.0) -> str:
    """Sleep."""
    print("good night", flush=True)
    time.sleep(seconds)
    return "good morning"
