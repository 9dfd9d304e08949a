"""Counts working days."""

from datetime import date, timedelta
from typing import Annotated, Literal, TypedDict

from toolplane import Context, tool

# As `date.weekday()` numbers them: Monday is 0.
WEEKENDS = {"saturday-sunday": {5, 6}, "friday-saturday": {4, 5}, "sunday": {6}}


class Count(TypedDict):
    """What the conversation gets to know."""

    working_days: int
    holidays: list[date]


@tool
def count(
    start: Annotated[date, "The first day of the period"],
    end: Annotated[date, "The last day of the period; it is counted as well"],
    weekend: Annotated[
        Literal["saturday-sunday", "friday-saturday", "sunday"], "The days of the week on which nobody works"
    ] = "saturday-sunday",
    *,
    context: Context,
) -> Count:
    """Count the working days of a period, weekends and the organization's holidays left out."""
    if end < start:
        raise ValueError(f"the period ends on {end}, which is earlier than its start on {start}")
    free = WEEKENDS[weekend]
    known = holidays(context.env.get("HOLIDAYS", ""))
    missed = [day for day in known if start <= day <= end and day.weekday() not in free]
    print(f"{len(missed)} of {len(known)} known holidays fall on a working day of the period")
    weeks, rest = divmod((end - start).days + 1, 7)
    last_days = [start + timedelta(weeks=weeks, days=day) for day in range(rest)]
    days = weeks * (7 - len(free)) + sum(day.weekday() not in free for day in last_days)
    return {"working_days": days - len(missed), "holidays": missed}


@count.simulation
def _(start: date, end: date) -> Count:
    """Runs instead when the conversation is a simulation: the answer depends on the input alone."""
    return {"working_days": max(0, ((end - start).days + 1) * 5 // 7), "holidays": []}


def holidays(text: str) -> list[date]:
    """Reads dates such as `2026-12-25,2027-01-01`; each counts once."""
    return sorted({date.fromisoformat(day.strip()) for day in text.split(",") if day.strip()})
