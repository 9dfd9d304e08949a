"""Types that the tests declare parameters of; at the top of a module, where annotations can be evaluated."""

import enum
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, NotRequired, Required, TypedDict


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    NONE = None
    ONE = 1
    YES = True


@dataclass(frozen=True)
class Place:
    """A place.

    Attributes:
        name: What people call it.
    """

    name: str
    population: Annotated[int, "How many live there"] = 0


@dataclass
class Tree:
    value: int
    children: list["Tree"] = field(default_factory=list)
    computed: int = field(init=False, default=0)


@dataclass
class Checked:
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


class Point(NamedTuple):
    x: int
    y: float = 0.5


class Options(TypedDict):
    depth: int
    label: NotRequired[str]


class Loose(TypedDict, total=False):
    depth: Required[int]
    label: Annotated[str, "A label"]


@dataclass
class Ping:
    pong: "Pong | None" = None


@dataclass
class Pong:
    ping: Ping
