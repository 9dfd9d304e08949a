"""The decorator `@tool`. It is optional: it marks the entry point and gives it a simulation."""

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Simulation = TypeVar("Simulation", bound=Callable[..., Any])


class Tool(Generic[P, R]):
    """An entry point. Calling it calls the author's function, so tests need nothing else."""

    def __init__(self, function: Callable[P, R]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.simulated: Callable[..., Any] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def simulation(self, function: Simulation) -> Simulation:
        """Registers what runs instead when the conversation is a simulation."""
        self.simulated = function
        return function

    def __repr__(self) -> str:
        return f"<tool {self.function!r}>"


def tool(function: Callable[P, R]) -> Tool[P, R]:
    """Makes a function the entry point of a tool.

    >>> @tool
    ... def greet(name: str) -> str:
    ...     return f"Hello, {name}"
    >>> greet("Ada")
    'Hello, Ada'
    """
    return Tool(function)
