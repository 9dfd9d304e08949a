from weather import request, summary


def test_the_key_is_in_the_header_and_not_in_the_url() -> None:
    asked = request("São Paulo", 3, "metric", "hunter2")
    assert asked.full_url == "https://api.weather.example/v1/forecast?q=S%C3%A3o+Paulo&days=3&units=metric"
    assert asked.get_header("Authorization") == "Bearer hunter2"


def test_the_warmest_day_is_named() -> None:
    assert summary("Ghent", {"days": [{"high": 20, "low": 9}, {"high": 24, "low": 11}]})["warmest"] == 24
