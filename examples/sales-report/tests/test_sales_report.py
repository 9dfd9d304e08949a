from datetime import date
from decimal import Decimal

from sales_report import Sale, report

SALES = [
    Sale(date(2026, 1, 30), "cup", 3, Decimal("4.10")),
    Sale(date(2026, 2, 1), "cup", 1, Decimal("4.10")),
    Sale(date(2026, 2, 2), "pot", 1, Decimal("19.95")),
]


def test_products_are_summed_exactly_and_the_largest_comes_first() -> None:
    answer = report(SALES)
    assert [line["group"] for line in answer["lines"]] == ["pot", "cup"]
    assert (answer["lines"][1]["revenue"], answer["revenue"]) == (Decimal("16.40"), Decimal("36.35"))


def test_months_are_summed_and_the_rest_is_left_out() -> None:
    answer = report(SALES, "month", 1)
    assert [(line["group"], line["quantity"]) for line in answer["lines"]] == [("2026-02", 2)]
    assert report([])["lines"] == []
