"""Writes an appointment as an iCalendar file (RFC 5545), which every calendar opens."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def invite(
    title: Annotated[str, "What the calendar shows"],
    start: Annotated[datetime, "When it begins; without an offset it is the time on the clocks of `zone`"],
    minutes: int = 30,
    zone: Annotated[str, "A time zone such as Europe/Brussels"] = "UTC",
    attendees: Annotated[list[str], "Addresses of mail"] = [],
    location: str = "",
) -> str:
    """Write an appointment as a calendar file."""
    if minutes <= 0:
        raise ValueError("an appointment takes a minute at least")
    begin = start if start.tzinfo else start.replace(tzinfo=_zone(zone))
    end = begin + timedelta(minutes=minutes)
    # The same appointment has the same name, so sending it twice makes no second one.
    name = hashlib.sha256(f"{title}\n{_instant(begin)}".encode()).hexdigest()[:32]
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Toolplane//calendar-invite//EN",
        "BEGIN:VEVENT",
        f"UID:{name}@calendar-invite",
        f"DTSTAMP:{_instant(datetime.now(UTC))}",
        f"DTSTART:{_instant(begin)}",
        f"DTEND:{_instant(end)}",
        f"SUMMARY:{_text(title)}",
        *([f"LOCATION:{_text(location)}"] if location else []),
        *(f"ATTENDEE:mailto:{address}" for address in attendees),
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone `{name}`; one is Europe/Brussels") from None


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    for character, escaped in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(character, escaped)
    return text


def _folded(line: str) -> str:
    """No line is longer than 75 bytes; what continues one begins with a space."""
    parts, part = [], ""
    for character in line:
        if len((part + character).encode()) > 74:
            parts.append(part)
            part = ""
        part += character
    return "\r\n ".join([*parts, part])
