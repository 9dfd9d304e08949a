from toolplane import Context, tool


@tool
def book(seats: int, *, context: Context) -> dict[str, object]:
    """Book seats."""
    return {"booked": seats, "by": "the tool", "mode": context.mode}


@book.simulation
def _(seats: int, *, context: Context) -> dict[str, object]:
    return {"booked": seats, "by": "the simulation", "mode": context.mode}
