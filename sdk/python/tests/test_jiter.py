"""The reader that stands in for the one of the package `jiter`, with the answers that the package gives."""

import decimal
import json
from typing import Any

import pytest

from toolplane.absent.jiter import LosslessFloat, from_json

WHOLE = '{"a": [1, 2.5, true, null, "x\\u00e9\\"\\\\"], "b": {"c": "d \\ud83d\\ude00 é"}, "n": -1.5e+10, "l": []}'.encode()


def test_what_is_whole_is_read_as_it_is_everywhere() -> None:
    for mode in (False, True, "off", "on", "trailing-strings"):
        assert from_json(WHOLE, partial_mode=mode) == json.loads(WHOLE)


def test_every_beginning_is_read_as_far_as_it_goes() -> None:
    for end in range(1, len(WHOLE)):
        for mode in ("on", "trailing-strings"):
            assert isinstance(from_json(WHOLE[:end], partial_mode=mode), dict)


@pytest.mark.parametrize(
    ("text", "without", "with_strings"),
    [
        ('{"a": [1, 2.', {"a": [1]}, {"a": [1]}),
        ('{"a": [1, 2', {"a": [1, 2]}, {"a": [1, 2]}),
        ('{"a": tr', {}, {}),
        ('{"a": "b', {}, {"a": "b"}),
        ('{"a": "b\\', {}, {"a": "b"}),
        ('["b\\\\', [], ["b\\"]),
        ('["b\\u00e', [], ["b"]),
        ('["b\\ud83d\\ud', [], ["b"]),
        ('["a", "b', ["a"], ["a", "b"]),
        ('{"a": {"b": 1}, "c', {"a": {"b": 1}}, {"a": {"b": 1}}),
        (' [ 1 , [ ] , -', [1, []], [1, []]),
        ("[1] and more", [1], [1]),
    ],
)
def test_a_beginning(text: str, without: Any, with_strings: Any) -> None:
    assert from_json(text.encode(), partial_mode=True) == without
    assert from_json(text.encode(), partial_mode="trailing-strings") == with_strings


@pytest.mark.parametrize("text", ["", " ", "tr", "1.", "[1,]", "{,", "[x", '["\\x"]', '{"a" 1}', '"a', "-"])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    for mode in (False, True):
        with pytest.raises(ValueError):
            from_json(text.encode(), partial_mode=mode)


def test_numbers_and_keys_as_they_are_asked_for() -> None:
    assert from_json(b"[1.50]", float_mode="decimal") == [decimal.Decimal("1.50")]
    [number] = from_json(b"[1.50]", float_mode="lossless-float")
    assert isinstance(number, LosslessFloat) and (str(number), bytes(number), float(number)) == ("1.50", b"1.50", 1.5)
    with pytest.raises(ValueError, match='duplicate key "a"'):
        from_json(b'{"a": 1, "a": 2}', catch_duplicate_keys=True)
    with pytest.raises(ValueError, match="finite"):
        from_json(b"[NaN]", allow_inf_nan=False)
    with pytest.raises(TypeError, match="'str' object is not an instance of 'bytes'"):
        from_json("1")  # type: ignore[arg-type]
