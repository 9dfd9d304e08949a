"""The three forms, and what they have in common."""

import inspect

import pytest

from toolplane import docstring

GOOGLE = """Forecast the weather.

    For a city.

    Args:
        city (str): The city's name,
            as people write it.
        days: How many: up to ten.

    Returns:
        The forecast.
    """

NUMPY = """Forecast the weather.

    For a city.

    Parameters
    ----------
    city : str
        The city's name,
        as people write it.
    days : int, optional
        How many: up to ten.

    Returns
    -------
    dict
        The forecast.
    """

REST = """Forecast the weather.

    For a city.

    :param city: The city's name,
        as people write it.
    :param int days: How many: up to ten.
    :type city: str
    :returns: The forecast.
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, REST], ids=["google", "numpy", "rest"])
def test_each_form_is_read(text: str) -> None:
    parsed = docstring.parse(inspect.cleandoc(text))
    assert parsed.description == "Forecast the weather.\n\nFor a city."
    assert parsed.parameters == {"city": "The city's name, as people write it.", "days": "How many: up to ten."}


@pytest.mark.parametrize(
    ("text", "description", "parameters"),
    [
        (None, "", {}),
        ("One line.", "One line.", {}),
        ("Args:\n    a: The a.", "", {"a": "The a."}),
        ("Notes: this stays.", "Notes: this stays.", {}),
        ("Does.\n\nParameters\n----------\na, b : int\n    Both.", "Does.", {"a": "Both.", "b": "Both."}),
        ("Does.\n\nRaises:\n    ValueError: never.\n\nArgs:\n    a: The a.", "Does.", {"a": "The a."}),
        ("Does.\n\n:param a: The a.\n:raises ValueError: never.", "Does.", {"a": "The a."}),
        ("A list:\n\n    - one: two", "A list:\n\n    - one: two", {}),
        (":smile: at people.", ":smile: at people.", {}),
    ],
)
def test_edges(text: str | None, description: str, parameters: dict[str, str]) -> None:
    assert docstring.parse(text) == (description, parameters)
