"""Puts rows into a SQLite database in memory, and asks it what a person would ask a spreadsheet."""

import sqlite3
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal


@dataclass
class Sale:
    """One line of the till."""

    day: date
    product: str
    quantity: int
    price: Decimal


QUERY = """
    SELECT {key} AS "group", sum(quantity) AS quantity, sum(quantity * cents) AS cents
    FROM sale GROUP BY 1 ORDER BY cents DESC, 1 LIMIT ?
"""
KEYS = {"product": "product", "month": "substr(day, 1, 7)"}


def report(
    sales: Annotated[list[Sale], "The sales, in any order"],
    group_by: Literal["product", "month"] = "product",
    limit: int = 10,
) -> dict[str, Any]:
    """Sum up sales by product or by month, the largest first."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE sale (day TEXT, product TEXT, quantity INTEGER, cents INTEGER)")
    rows = [(sale.day.isoformat(), sale.product, sale.quantity, round(sale.price * 100)) for sale in sales]
    database.executemany("INSERT INTO sale VALUES (?, ?, ?, ?)", rows)
    groups = database.execute(QUERY.format(key=KEYS[group_by]), (limit,)).fetchall()
    total = sum(quantity * cents for _, _, quantity, cents in rows)
    database.close()
    lines = [{"group": group, "quantity": quantity, "revenue": money(cents)} for group, quantity, cents in groups]
    return {"lines": lines, "revenue": money(total)}


def money(cents: int) -> Decimal:
    """An exact amount: sums of floating-point numbers are not."""
    return Decimal(cents).scaleb(-2)
