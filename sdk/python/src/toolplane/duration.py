"""ISO 8601 durations, which is what JSON Schema's format `duration` means and `timedelta` cannot read or write."""

import re
from datetime import timedelta

# Years and months are left out: they have no fixed length, and neither has `timedelta`.
_DURATION = re.compile(
    r"(?P<sign>[+-])?P(?=\d|T\d)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,6})?)S)?)?"
)


def parse(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an ISO 8601 duration such as 'P1DT2H30M'")
    parts = match.groupdict()
    sign = parts.pop("sign")
    seconds = parts.pop("seconds") or "0"
    whole, _, fraction = seconds.partition(".")
    duration = timedelta(
        **{unit: int(count) for unit, count in parts.items() if count},
        seconds=int(whole),
        microseconds=int(fraction.ljust(6, "0")),
    )
    return -duration if sign == "-" else duration


def write(duration: timedelta) -> str:
    if duration < timedelta(0):
        return f"-{write(-duration)}"
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{duration.microseconds:06}".rstrip("0") if duration.microseconds else ""
    date = f"{duration.days}D" if duration.days else ""
    time = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if seconds or fraction or not (date or time):
        time += f"{seconds}{fraction}S"
    return f"P{date}{'T' if time else ''}{time}"
