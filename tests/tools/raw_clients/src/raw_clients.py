"""Each module uses one library as its manual does, and returns what it saw; the test knows what it should have seen."""

import inspect
from importlib import import_module


async def use(library: str, what: str, ports: list[int]) -> dict:
    """Calls one function of one module.

    Args:
        library: The module's name.
        what: The function's name.
        ports: The ports of its servers.
    """
    result = getattr(import_module(f"with_{library}"), what)(*ports)
    return await result if inspect.isawaitable(result) else result
