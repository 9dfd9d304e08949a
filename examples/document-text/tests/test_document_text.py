import io
import zipfile

import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from document_text import extract

NAMESPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def pdf(*pages: str) -> bytes:
    """A PDF that was written with the package that reads it."""
    writer = PdfWriter()
    writer.add_metadata({"/Title": "Minutes"})
    font = DictionaryObject(
        {NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
         NameObject("/BaseFont"): NameObject("/Helvetica")}
    )  # fmt: skip
    for text in pages:
        page = writer.add_blank_page(width=300, height=300)
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        content = DecodedStreamObject()
        content.set_data(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = content
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def word(body: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", f"<w:document {NAMESPACE}><w:body>{body}</w:body></w:document>")
    return file.getvalue()


def test_the_pages_of_a_pdf_are_read() -> None:
    file = pdf("First page", "Second page", "")
    answer = extract(file)
    assert (answer["kind"], answer["title"], answer["pages"]) == ("pdf", "Minutes", 3)
    assert answer["text"] == "First page\n\nSecond page" and not answer["is_cut"]
    assert extract(file, first_page=2, last_page=2)["text"] == "Second page"
    assert not extract(file, first_page=3)["has_text"]
    cut = extract(file, max_characters=5)
    assert (cut["text"], cut["is_cut"]) == ("First", True)


def test_the_paragraphs_of_a_word_document_are_read() -> None:
    answer = extract(
        word("<w:p><w:r><w:t>Dear </w:t></w:r><w:r><w:t>Ada,</w:t><w:br/><w:t>hello</w:t></w:r></w:p><w:p/>")
    )
    assert answer["text"] == "Dear Ada,\nhello"
    assert (answer["kind"], answer["title"], answer["paragraphs"]) == ("word", None, 1)


def test_what_is_neither_or_broken_is_refused_in_words() -> None:
    for file, told in [
        (b"GIF89a", "neither a PDF nor a Word document"),
        (b"PK\x03\x04 broken", "no Word document, or a broken one"),
        (b"%PDF-1.7\nbroken", "the PDF is broken"),
    ]:
        with pytest.raises(ValueError, match=told):
            extract(file)
    with pytest.raises(ValueError, match="the pages 1 to 1"):
        extract(pdf("One"), first_page=2)
