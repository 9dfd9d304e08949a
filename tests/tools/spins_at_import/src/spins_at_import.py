while True:
    pass


def answer() -> str:
    """Answer, were it ever imported."""
    return "done"
