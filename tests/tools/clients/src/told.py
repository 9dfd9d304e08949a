"""What an exception tells the author who catches it."""

from collections.abc import Awaitable, Callable
from typing import Any


def by(function: Callable[..., Any], *args: Any, **kwargs: Any) -> list[str]:
    """The type and the text of what a function raises."""
    try:
        return ["returned", repr(function(*args, **kwargs))]
    except Exception as error:
        return [type(error).__name__, str(error)]


async def by_awaiting(awaitable: Awaitable[Any]) -> list[str]:
    """The same of a coroutine."""
    try:
        return ["returned", repr(await awaitable)]
    except Exception as error:
        return [type(error).__name__, str(error)]


def origins(ports: Any) -> dict[str, str]:
    """Where to connect for each thing that can be wrong with a certificate, and to a host that nobody named."""
    return {
        "untrusted": f"https://untrusted.test:{ports['untrusted']}/",
        "expired": f"https://expired.test:{ports['expired']}/",
        "misnamed": f"https://api.test:{ports['misnamed']}/",
        "unnamed": f"https://other.test:{ports['https']}/",
        "by_address": f"https://127.0.0.1:{ports['https']}/",
    }
