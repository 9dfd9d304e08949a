from datetime import date

import pytest
from toolplane import Context

from working_days import count, holidays

MONDAY, NEXT_SUNDAY = date(2026, 12, 21), date(2027, 1, 3)


def test_weekends_are_left_out() -> None:
    assert count(MONDAY, NEXT_SUNDAY, context=Context())["working_days"] == 10


def test_the_weekend_is_a_choice() -> None:
    assert count(MONDAY, NEXT_SUNDAY, "sunday", context=Context())["working_days"] == 12


def test_holidays_are_left_out_unless_they_fall_on_a_weekend() -> None:
    context = Context(env={"HOLIDAYS": "2026-12-25, 2026-12-26, 2027-01-01"})
    answer = count(MONDAY, NEXT_SUNDAY, context=context)
    assert answer == {"working_days": 8, "holidays": [date(2026, 12, 25), date(2027, 1, 1)]}


def test_one_day_is_a_period() -> None:
    assert count(MONDAY, MONDAY, context=Context())["working_days"] == 1
    assert count(NEXT_SUNDAY, NEXT_SUNDAY, context=Context())["working_days"] == 0


def test_a_period_cannot_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="earlier than its start"):
        count(NEXT_SUNDAY, MONDAY, context=Context())


def test_a_holiday_counts_once() -> None:
    assert holidays("2027-01-01,2027-01-01,") == [date(2027, 1, 1)]
