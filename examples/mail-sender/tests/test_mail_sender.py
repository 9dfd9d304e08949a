import pytest

from mail_sender import message


def test_a_mail_has_its_headers_and_its_text() -> None:
    mail = message("me@mail.example", ["a@b.example", "c@d.example"], "Grüße", "Hello\n")
    assert (mail["To"], mail["Subject"]) == ("a@b.example, c@d.example", "Grüße")
    assert mail.get_content() == "Hello\n"


def test_nobody_smuggles_a_header_in() -> None:
    with pytest.raises(ValueError):
        message("me@mail.example", ["a@b.example"], "x\nBcc: all@b.example", "")
    with pytest.raises(ValueError, match="recipient"):
        message("me@mail.example", [], "x", "")
