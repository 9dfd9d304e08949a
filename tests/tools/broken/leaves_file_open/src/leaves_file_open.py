import table


def count() -> int:
    """Count the rows."""
    return sum(1 for _ in table.rows)
