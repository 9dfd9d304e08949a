from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum


class Priority(Enum):
    LOW = "low"
    HIGH = "high"


@dataclass
class Place:
    street: str
    number: int


@dataclass
class Visit:
    at: datetime
    place: Place
    priority: Priority = Priority.LOW
    guests: list[str] = field(default_factory=list)


@dataclass
class Plan:
    first: Visit
    ends_at: datetime
    guests: set[str]
    urgent: list[Priority]


def plan(visits: list[Visit], minutes: int = 30) -> Plan:
    """Put visits in order."""
    ordered = sorted(visits, key=lambda visit: visit.at)
    return Plan(
        first=ordered[0],
        ends_at=ordered[-1].at + timedelta(minutes=minutes),
        guests={guest for visit in visits for guest in visit.guests},
        urgent=[visit.priority for visit in visits if visit.priority is Priority.HIGH],
    )
