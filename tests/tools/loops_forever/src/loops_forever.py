def loop(forever: bool) -> str:
    """Loop, or answer."""
    while forever:
        pass
    return "done"
