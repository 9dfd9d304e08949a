def survive(mebibytes: int) -> str:
    """Ask for that much memory at once, and make do without it."""
    try:
        held = bytes(mebibytes << 20)
    except MemoryError:
        return f"{mebibytes} MiB were refused"
    return f"{len(held) >> 20} MiB were given"
