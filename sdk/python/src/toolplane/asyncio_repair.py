"""Makes `asyncio` usable in the sandbox."""

from toolplane import after_import, eventloop


def install() -> None:
    """`asyncio.run` works from the moment that anybody imports asyncio."""
    after_import.repair("asyncio", eventloop.make_default)
