from toolplane import tool


@tool
def forecast(
    city: str,
    days=3,
) -> str:
    return f"{days} sunny days in {city}"
