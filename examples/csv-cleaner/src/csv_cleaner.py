"""Tidies a table: names of columns, spaces, empty lines, dates, numbers and lines that are there twice."""

import csv
import io
import re
from datetime import datetime
from typing import Annotated, Any

DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y/%m/%d")


def clean(
    table: Annotated[str, "The table, with a line of names first"],
    date_columns: Annotated[list[str], "Columns of dates, which become YYYY-MM-DD, by their tidy names"] = [],
    number_columns: Annotated[list[str], "Columns of numbers, by their tidy names"] = [],
) -> dict[str, Any]:
    """Tidy a table of comma-, semicolon- or tab-separated values, and say what could not be read."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(table.lstrip("\ufeff")), _dialect(table))]
    rows = [row for row in rows if any(row)]
    if not rows:
        raise ValueError("the table is empty")
    names = _names(rows[0])
    if unknown := [name for name in (*date_columns, *number_columns) if name not in names]:
        raise ValueError(f"there is no column `{unknown[0]}`; there are {', '.join(names)}")
    tidy: dict[tuple[str, ...], None] = {}
    unreadable: list[str] = []
    for number, row in enumerate(rows[1:], start=1):
        cells = []
        for name, cell in zip(names, row + [""] * (len(names) - len(row))):
            read = _date if name in date_columns else _number if name in number_columns else str
            try:
                cells.append(read(cell) if cell else "")
            except ValueError:
                unreadable.append(f"row {number}, {name}: {cell}")
                cells.append(cell)
        tidy[tuple(cells)] = None
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([names, *tidy])
    return {
        "table": written.getvalue(),
        "rows": len(tidy),
        "duplicates": len(rows) - 1 - len(tidy),
        "unreadable": unreadable,
    }


def _dialect(table: str) -> type[csv.Dialect]:
    class Found(csv.excel):
        # The first line has names alone, in which nobody writes any of these.
        delimiter = max(",;\t", key=table.lstrip().partition("\n")[0].count)

    return Found


def _names(row: list[str]) -> list[str]:
    names: list[str] = []
    for number, name in enumerate(row, start=1):
        tidy = re.sub(r"\W+", "_", name.lower()).strip("_") or f"column_{number}"
        names.append(tidy if tidy not in names else f"{tidy}_{number}")
    return names


def _date(text: str) -> str:
    for form in DATES:
        try:
            return datetime.strptime(text, form).date().isoformat()
        except ValueError:
            pass
    raise ValueError(text)


def _number(text: str) -> str:
    """`1.234,50` and `1,234.50` are the same: the last sign is the decimal one."""
    text = text.replace(" ", "")
    if "," in text and text.rfind(",") > text.rfind("."):
        text = text.replace(".", "").replace(",", ".")
    number = float(text.replace(",", ""))
    return str(int(number) if number.is_integer() else number)
