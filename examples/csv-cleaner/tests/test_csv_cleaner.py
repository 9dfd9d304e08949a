import pytest

from csv_cleaner import clean

TABLE = """\ufeff Name ;Sold on;Price (EUR);Price (EUR)
Cup; 01.02.2026;1.234,50;
Cup;2026-02-01;1,234.50

Pot;soon;7;x
"""


def test_a_table_is_tidied_and_what_cannot_be_read_is_said() -> None:
    answer = clean(TABLE, ["sold_on"], ["price_eur"])
    assert answer["table"] == "name,sold_on,price_eur,price_eur_4\nCup,2026-02-01,1234.5,\nPot,soon,7,x\n"
    assert (answer["rows"], answer["duplicates"]) == (2, 1)
    assert answer["unreadable"] == ["row 3, sold_on: soon"]


def test_a_column_that_is_not_there_and_an_empty_table_are_refused() -> None:
    with pytest.raises(ValueError, match="no column `day`; there are name, sold_on"):
        clean("Name,Sold on\n", ["day"])
    with pytest.raises(ValueError, match="empty"):
        clean(" \n")
