from pathlib import Path


def look(country: str) -> dict[str, object]:
    """Look a capital up in the file that lies beside this module."""
    import csv
    import statistics

    from late_import.text import capitalized

    with (Path(__file__).parent / "capitals.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    capitals = {row["country"]: row["capital"] for row in rows}
    return {
        "capital": capitals[capitalized(country)],
        "median_length": statistics.median(len(row["capital"]) for row in rows),
    }
