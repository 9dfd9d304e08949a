"""Reads the text of a PDF, with pypdf, or of a Word file, which is a ZIP archive of XML."""

import io
import zipfile
from typing import Annotated, Any
from xml.etree import ElementTree

from pypdf import PdfReader
from pypdf.errors import PyPdfError

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
CORE = "{http://purl.org/dc/elements/1.1/}"
MAX_XML_BYTES = 32 << 20


def extract(
    file: Annotated[bytes, "The file, a PDF or a Word document (.docx)"],
    first_page: Annotated[int, "Where to begin in a PDF, from 1"] = 1,
    last_page: Annotated[int | None, "Where to end in a PDF; by default with its last page"] = None,
    max_characters: Annotated[int, "How much text to give at the most"] = 20_000,
) -> dict[str, Any]:
    """Extract the text of a PDF or of a Word document."""
    if file.startswith(b"%PDF-"):
        title, parts, more = _pdf(file, first_page, last_page)
    elif file.startswith(b"PK"):
        title, parts, more = _word(file)
    else:
        raise ValueError("the file is neither a PDF nor a Word document (.docx)")
    text = "\n\n".join(part for part in parts if part)
    return {
        "title": title,
        **more,
        "text": text[:max_characters],
        "is_cut": len(text) > max_characters,
        # Pages that were scanned hold a picture and no text.
        "has_text": bool(text),
    }


def _pdf(file: bytes, first: int, last: int | None) -> tuple[str | None, list[str], dict[str, Any]]:
    try:
        reader = PdfReader(io.BytesIO(file))
        if reader.is_encrypted:
            raise ValueError("the PDF is encrypted: save it without a password first")
        pages = len(reader.pages)
        if not 1 <= first <= pages or (last is not None and last < first):
            raise ValueError(f"the PDF has the pages 1 to {pages}")
        texts = [page.extract_text().strip() for page in reader.pages[first - 1 : last]]
        title = reader.metadata.title if reader.metadata else None
    except PyPdfError as error:
        raise ValueError(f"the PDF is broken: {error}") from error
    return title or None, texts, {"kind": "pdf", "pages": pages}


def _word(file: bytes) -> tuple[str | None, list[str], dict[str, Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            body = _xml(archive, "word/document.xml")
            core = _xml(archive, "docProps/core.xml") if "docProps/core.xml" in archive.namelist() else None
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError) as error:
        raise ValueError(f"this is no Word document, or a broken one: {error}") from error
    paragraphs = [_paragraph(element) for element in body.iter(f"{WORD}p")]
    title = core.findtext(f"{CORE}title") if core is not None else None
    return title or None, paragraphs, {"kind": "word", "paragraphs": sum(map(bool, paragraphs))}


def _xml(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # What an archive says of a size is its maker's word, so no more than that is read.
    with archive.open(name) as opened:
        content = opened.read(MAX_XML_BYTES + 1)
    if len(content) > MAX_XML_BYTES:
        raise ValueError("the Word document is too large")
    return ElementTree.fromstring(content)


def _paragraph(element: ElementTree.Element) -> str:
    """The text in its order, with tabs and line breaks."""
    marks = {f"{WORD}tab": "\t", f"{WORD}br": "\n", f"{WORD}cr": "\n"}
    return "".join(
        (part.text or "") if part.tag == f"{WORD}t" else marks.get(part.tag, "") for part in element.iter()
    ).strip()
