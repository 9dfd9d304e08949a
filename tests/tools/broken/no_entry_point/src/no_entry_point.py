def forecasts(city: str) -> str:
    return f"sunny in {city}"
