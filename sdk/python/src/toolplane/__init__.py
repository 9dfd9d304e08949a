"""What a Toolplane tool imports. Everything else in this package runs the tool inside the sandbox."""

from toolplane.context import Context
from toolplane.tool import tool

__all__ = ["Context", "tool"]
