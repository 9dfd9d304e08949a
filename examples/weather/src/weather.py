"""Asks a web API that wants a key."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from toolplane import Context, tool

URL = "https://api.weather.example/v1/forecast"


@tool
def forecast(
    city: Annotated[str, "The city's name, as people write it"],
    days: Literal[1, 3, 7] = 3,
    units: Literal["metric", "imperial"] = "metric",
    *,
    context: Context,
) -> dict[str, Any]:
    """Forecast the weather for a city."""
    with urlopen(request(city, days, units, context.env["WEATHER_API_KEY"]), timeout=8) as reply:
        return summary(city, json.load(reply))


@forecast.simulation
def _(city: str, days: int = 3) -> dict[str, Any]:
    """Runs instead when the conversation is a simulation."""
    return summary(city, {"days": [{"high": 21.0, "low": 12.0}] * days})


def request(city: str, days: int, units: str, key: str) -> Request:
    """The request, with the key in its header: a URL would be logged on its way."""
    query = urlencode({"q": city, "days": days, "units": units})
    return Request(f"{URL}?{query}", headers={"Authorization": f"Bearer {key}", "Accept": "application/json"})


def summary(city: str, answer: dict[str, Any]) -> dict[str, Any]:
    """What a conversation needs of the answer."""
    days = answer["days"]
    return {"city": city, "days": days, "warmest": max(day["high"] for day in days)}
