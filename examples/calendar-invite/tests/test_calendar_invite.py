from datetime import datetime

import pytest

from calendar_invite import invite


def test_the_clock_of_a_place_becomes_an_instant() -> None:
    file = invite("Lunch; at noon", datetime(2026, 7, 1, 12, 0), zone="Europe/Brussels", attendees=["a@b.example"])
    assert "DTSTART:20260701T100000Z\r\nDTEND:20260701T103000Z\r\n" in file
    assert "SUMMARY:Lunch\\; at noon\r\n" in file
    assert "ATTENDEE:mailto:a@b.example\r\n" in file


def test_long_lines_are_folded_and_lose_nothing() -> None:
    file = invite("é" * 100, datetime(2026, 7, 1, 12, 0))
    assert all(len(line.encode()) <= 75 for line in file.split("\r\n"))
    assert "é" * 100 in file.replace("\r\n ", "")


def test_a_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="Europe/Nowhere"):
        invite("x", datetime(2026, 7, 1), zone="Europe/Nowhere")
