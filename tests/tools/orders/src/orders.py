"""Parameters and results that are pydantic's, and a package whose library is Rust's."""

from datetime import date
from typing import Annotated, Literal

import jsonschema
import rpds
from pydantic import BaseModel, Field


class Address(BaseModel):
    """Where it goes."""

    street: str
    country: Literal["DE", "FR"] = "DE"


class Item(BaseModel):
    name: str = Field(pattern="^[a-z]+$")
    count: int = Field(gt=0)
    parts: list["Item"] = []


class Placed(BaseModel):
    total: int
    due: date
    to: Address | None
    checked_by: str


def place(
    items: list[Item],
    address: Annotated[Address | None, "Where to"] = None,
    factor: int = 1,
) -> Placed:
    """Place an order."""
    jsonschema.validate([item.model_dump() for item in items], {"type": "array", "maxItems": 3})
    total = factor * sum(item.count for item in items)
    return Placed(total=total, due=date(2026, 1, 2), to=address, checked_by=rpds.rpds.__spec__.origin)
