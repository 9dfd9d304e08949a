"""What an entry point may know about its invocation, beyond its parameters."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from toolplane import logs

if TYPE_CHECKING:  # Most tools never log through their context, and `logging` would be frozen into all of them.
    import logging


@dataclass(frozen=True)
class Context:
    """One invocation. An entry point gets it by declaring a parameter of this type.

    Every field has a default, so a test writes `Context(env={"WEATHER_API_KEY": "test"})`.
    Values that may be secret never appear in its `repr`.
    """

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables and secrets of the tool, by name."""
    mode: Literal["regular", "conversation-simulation"] = "regular"
    user_variables: Mapping[str, Any] = field(default_factory=dict)
    sensitive_user_variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    invocation_id: str = "test"
    deadline: float = float("inf")
    """When the invocation is stopped, in seconds since 1970 (as `time.time()`)."""

    def remaining(self) -> float:
        """Seconds until the deadline; never below zero."""
        return max(0.0, self.deadline - time.time())

    @property
    def log(self) -> "logging.Logger":
        """The logger `tool`; what it writes from INFO on is recorded with the invocation."""
        return logs.tool_logger()

    def __repr__(self) -> str:
        names = ", ".join(sorted(self.env))
        sensitive = ", ".join(sorted(self.sensitive_user_variables))
        return (
            f"Context(invocation_id={self.invocation_id!r}, mode={self.mode!r}, deadline={self.deadline!r}, "
            f"user_variables={self.user_variables!r}, env=<{names}>, sensitive_user_variables=<{sensitive}>)"
        )
