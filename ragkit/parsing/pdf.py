"""PDF: PDFium reads the characters and where they stand; pypdf opens what PDFium refuses."""

from __future__ import annotations

import ctypes
import io
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field

import pypdfium2
import pypdfium2.raw as pdfium

from ragkit.errors import ParseError
from ragkit.parsing.pdf_headings import Bookmark
from ragkit.parsing.pdf_lines import Line
from ragkit.parsing.pdf_text import lay_out
from ragkit.parsing.structure import Parsed
from ragkit.text import clean

LOW_TEXT = 20  # characters a page: fewer, and most of the document is likely pictures
OUTLINE_DEPTH = 6
OUTLINE_ENTRIES = 5_000

_PDFIUM = threading.Lock()  # PDFium is not thread-safe, its own documentation says

# A line as PDFium gives it. U+FFFE (U+0002 from other calls) stands where a word was broken.
_PIECE = re.compile(r"[^\r\n\x02\ufffe]+")
_BREAKS = ("\x02", "\ufffe")
_BOLD = re.compile(r"bold|black|heavy|semibold|demi|(?:^|\+)(?:cm|sf)?bx", re.IGNORECASE)
_ITALIC = re.compile(r"italic|oblique", re.IGNORECASE)
_STYLED_CHARACTERS = 150  # longer lines are no headings: their font is not asked for

_NO_TITLE = re.compile(
    r"(?:microsoft \w+ - .*|.*\.\w{2,5}|untitled.*|unspecified|anonymous|document\d*|[\W\d_]*"
    r"|none|title|(?:slide|page|print|scan)\W*\d*|powerpoint presentation|.*[\\/].*\.\w+)",
    re.IGNORECASE | re.DOTALL,
)
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")


@dataclass(slots=True)
class _Pages:
    """What a reader found: the lines of each page, the outline, the document's information."""

    lines: list[list[Line]] = field(default_factory=list)
    outline: list[Bookmark] = field(default_factory=list)
    information: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a PDF. A page that fails alone is left out with a warning."""
    found = _read(data, uri)
    laid = lay_out(found.lines, found.outline)
    text = laid.writer.text()
    if not text.strip():
        message = "no text layer (scanned?); OCR is not supported"
        raise ParseError(uri, message, hint="run OCR over it first: ocrmypdf", code="no-text")
    warnings = list(found.warnings)
    if len(text) < LOW_TEXT * len(laid.pages):
        warnings.append(f"very little text: {len(text)} characters on {len(laid.pages)} pages")
    return Parsed(
        text=text,
        title=_title(found.information) or laid.largest_heading,
        media_type=media_type,
        metadata=_metadata(found.information),
        pages=laid.pages,
        headings=tuple(laid.writer.headings),
        blocks=tuple(laid.writer.blocks),
        warnings=tuple(warnings),
    )


def _read(data: bytes, uri: str) -> _Pages:
    try:
        with _PDFIUM:
            return _read_with_pdfium(data)
    except pypdfium2.PdfiumError as exc:
        if exc.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise _encrypted(uri) from exc
        return _read_with_pypdf(data, uri, str(exc))


def _encrypted(uri: str) -> ParseError:
    message = "the PDF is encrypted and needs a password"
    return ParseError(uri, message, hint="save a copy without the password", code="encrypted")


# --- PDFium ------------------------------------------------------------------------------------


def _read_with_pdfium(data: bytes) -> _Pages:
    pages = _Pages()
    with closing(pypdfium2.PdfDocument(data)) as document:
        count = len(document)
        for index in range(count):
            try:
                pages.lines.append(_page(document, index))
            except pypdfium2.PdfiumError:
                pages.lines.append([])
                pages.warnings.append(f"page {index + 1} can't be read")
        if not count or len(pages.warnings) == count:
            raise pypdfium2.PdfiumError("no page can be read")
        pages.outline = list(_outline(document))
        pages.information = {
            name: clean(value).strip() for name, value in document.get_metadata_dict().items()
        }
    return pages


def _page(document: pypdfium2.PdfDocument, index: int) -> list[Line]:
    with closing(document[index]) as page, closing(page.get_textpage()) as characters:
        text: str = characters.get_text_range()
        places = _Places(characters, len(text), page.get_rotation())
        return [_line(text, match, places) for match in _PIECE.finditer(text) if match[0].strip()]


def _line(text: str, match: re.Match[str], places: _Places) -> Line:
    words = match[0]
    first = match.start() + len(words) - len(words.lstrip())
    last = match.start() + len(words.rstrip()) - 1
    left, bottom, right, top = places.box(first)
    if last > first:
        end = places.box(last)
        left, right = min(left, end[0]), max(right, end[2])
    return Line(
        text=clean(words),
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        font_size=places.font_size(first),
        style=places.style(first, last) if last - first < _STYLED_CHARACTERS else "",
        hyphenated=text[match.end() : match.end() + 1] in _BREAKS,
    )


class _Places:
    """Asks PDFium where a character of the page's text stands, and in what font."""

    def __init__(self, characters: pypdfium2.PdfTextPage, length: int, rotation: int) -> None:
        self._characters = characters
        self._rotation = rotation
        self._mapped = length != characters.count_chars()
        self._rectangle = pdfium.FS_RECTF()
        self._name = ctypes.create_string_buffer(128)
        self._flags = ctypes.c_int()

    def box(self, at: int) -> tuple[float, float, float, float]:
        """Return left, bottom, right, top, as one sees the page."""
        box = self._rectangle
        if not pdfium.FPDFText_GetLooseCharBox(self._characters, self._index(at), box):
            return 0.0, 0.0, 0.0, 0.0
        if self._rotation == 90:
            return box.bottom, -box.right, box.top, -box.left
        if self._rotation == 180:
            return -box.right, -box.top, -box.left, -box.bottom
        if self._rotation == 270:
            return -box.top, box.left, -box.bottom, box.right
        return box.left, box.bottom, box.right, box.top

    def font_size(self, at: int) -> float:
        return float(pdfium.FPDFText_GetFontSize(self._characters, self._index(at)))

    def style(self, first: int, last: int) -> str:
        """Return "bold" or "italic" where both ends of a line are."""
        style = self._style_of(first)
        return style if not style or style == self._style_of(last) else ""

    def _style_of(self, at: int) -> str:
        size = len(self._name)
        pdfium.FPDFText_GetFontInfo(
            self._characters, self._index(at), self._name, size, self._flags
        )
        name = self._name.value.decode("latin-1")
        if _BOLD.search(name):
            return "bold"
        return "italic" if _ITALIC.search(name) else ""

    def _index(self, at: int) -> int:
        """Return the number of the character: the text may leave out or add some."""
        if not self._mapped:
            return at
        return int(pdfium.FPDFText_GetCharIndexFromTextIndex(self._characters, at))


def _outline(document: pypdfium2.PdfDocument) -> Iterator[Bookmark]:
    for number, mark in enumerate(document.get_toc(max_depth=OUTLINE_DEPTH)):
        if number >= OUTLINE_ENTRIES:
            return
        with suppress(pypdfium2.PdfiumError):
            destination = mark.get_dest()
            page = destination.get_index() if destination else None
            if page is not None:
                title = " ".join(clean(mark.get_title()).split())
                yield Bookmark(mark.level + 1, title, page)


# --- pypdf -------------------------------------------------------------------------------------


def _read_with_pypdf(data: bytes, uri: str, reason: str) -> _Pages:
    """Read what PDFium refuses: 4 of 1,146 nasty files, see parsing.md A1."""
    import pypdf  # noqa: PLC0415  138 ms, for damaged files only

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it reports each repair
    pages = _Pages()
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _encrypted(uri)
        for number, page in enumerate(reader.pages, start=1):
            try:
                pages.lines.append(_lines_without_places(page.extract_text()))
            except Exception:  # noqa: BLE001  pypdf raises whatever a damaged page provokes
                pages.lines.append([])
                pages.warnings.append(f"page {number} can't be read")
        information = {str(k).lstrip("/"): str(v) for k, v in (reader.metadata or {}).items()}
    except ParseError:
        raise
    except Exception as exc:  # a damaged file provokes anything: RecursionError, KeyError ...
        raise _corrupt(uri, reason) from exc
    if not pages.lines or len(pages.warnings) == len(pages.lines):
        raise _corrupt(uri, reason)
    pages.information = {name: clean(value).strip() for name, value in information.items()}
    return pages


def _corrupt(uri: str, reason: str) -> ParseError:
    return ParseError(uri, f"the PDF is damaged: {reason}", hint="open and save it again")


def _lines_without_places(text: str) -> list[Line]:
    """Return lines as if typed: ten points high, twelve apart, five points a character."""
    return [
        Line(line, 0.0, 5.0 * len(line), -12.0 * number, -12.0 * number - 10.0)
        for number, line in enumerate(clean(text).split("\n"))
        if line.strip()
    ]


# --- title and metadata ------------------------------------------------------------------------


def _title(information: dict[str, str]) -> str:
    """Return the document's own title, or subject, where a person seems to have written it."""
    for name in ("Title", "Subject"):
        value = " ".join(information.get(name, "").split())
        if value and not _NO_TITLE.fullmatch(value) and len(value) <= 300:
            return value
    return ""


def _metadata(information: dict[str, str]) -> dict[str, str]:
    metadata = {
        name.lower(): " ".join(information[name].split())
        for name in ("Author", "Subject", "Keywords")
        if information.get(name)
    }
    if match := _DATE.match(information.get("CreationDate", "")):
        metadata["date"] = "-".join(match.groups())
    return metadata
