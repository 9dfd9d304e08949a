"""A small JSON tool: what most tools are."""

import json


def summarize(document: str) -> dict:
    """Count and add up the numbers of a JSON list."""
    numbers = json.loads(document)
    return {"count": len(numbers), "sum": sum(numbers)}
