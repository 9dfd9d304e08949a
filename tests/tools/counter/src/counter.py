_calls = 0


def count(step: int = 1) -> int:
    """Count this call. An instance that had been used before would answer more than `step`."""
    global _calls
    _calls += step
    return _calls
