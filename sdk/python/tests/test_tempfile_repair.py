import sys
import tempfile

import pytest

from toolplane import tempfile_repair


def test_names_are_drawn_anew():
    tempfile.mktemp()
    before = tempfile._get_candidate_names()

    tempfile_repair.forget_names()

    assert tempfile._get_candidate_names() is not before


def test_a_module_that_was_never_imported_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "tempfile")

    tempfile_repair.forget_names()

    assert "tempfile" not in sys.modules
