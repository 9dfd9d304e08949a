"""Each module uses one library as its manual does, and returns what it saw; the test knows what it should have seen."""

import inspect
from importlib import import_module
from typing import TypedDict


class Ports(TypedDict):
    """Those of the servers, by what is wrong with their certificates."""

    http: int
    https: int
    untrusted: int
    expired: int
    misnamed: int


async def use(library: str, what: str, ports: Ports) -> dict:
    """Calls one function of one module.

    Args:
        library: The module's name.
        what: The function's name.
        ports: The ports of the servers.
    """
    module = import_module(f"with_{library}")
    result = getattr(module, what)(ports)
    return await result if inspect.isawaitable(result) else result
