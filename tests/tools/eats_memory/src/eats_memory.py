def eat(mebibytes: int) -> int:
    """Hold that much memory."""
    held = [bytes(1 << 20) for _ in range(mebibytes)]
    return len(held)
