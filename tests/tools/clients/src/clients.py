"""Each module uses one library as its manual does, and returns what it saw; the test knows what it should have seen."""

import inspect
from typing import TypedDict

# While the tool is built, as authors import: what a library does then must not spoil what it does later.
import with_aiohttp  # noqa: F401
import with_anyio  # noqa: F401
import with_httpx  # noqa: F401
import with_requests  # noqa: F401
import with_urllib3  # noqa: F401
import with_vendors  # noqa: F401


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
    result = getattr(globals()[f"with_{library}"], what)(ports)
    return await result if inspect.isawaitable(result) else result
