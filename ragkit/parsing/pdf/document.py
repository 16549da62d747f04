"""PDF: PDFium reads the characters and where they stand; pypdf opens what PDFium refuses."""

from __future__ import annotations

import ctypes
import io
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice

import pypdfium2
import pypdfium2.raw as pdfium

from ragkit.errors import ParseError
from ragkit.parsing.pdf.headings import Bookmark
from ragkit.parsing.pdf.lines import Line
from ragkit.parsing.pdf.text import lay_out
from ragkit.parsing.structure import Parsed
from ragkit.text import clean

MARKS = 200  # on a page: looking for the place of one takes longer on longer pages
MARK_LETTERS = 2  # that a mark may overlap at a word's end
LOW_TEXT = 20  # characters a page: fewer, and most of the document is likely pictures
HIDDEN_HEIGHT = 2.0  # points
HIDDEN_CHARACTERS = 20  # on a page
OUTLINE_DEPTH = 6
OUTLINE_ENTRIES = 5_000

PDFIUM = threading.Lock()  # PDFium is not thread-safe, its own documentation says

# A line as PDFium gives it. U+FFFE (U+0002 from other calls) stands where a word was broken.
_PIECE = re.compile(r"[^\r\n\x02\ufffe]+")
_ALEF_LAM = re.compile("[\u0622\u0623\u0625\u0627]\u0644")
# No word mixes these scripts; the space between them may be lost where the direction turns.
_SCRIPTS_MEET = re.compile("(?<=[\u0620-\u064a])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u0620-\u064a])")
_LETTERS = re.compile(r"\w*")
_LOST = re.compile(r"(?:\(\d{1,2}\)|[®™*†‡§\s])+")
_MARK = re.compile(r"\(\d{1,2}\)|[®™*†‡§]")
_BREAKS = ("\x02", "\ufffe")
_BOLD = re.compile(r"bold|black|heavy|semibold|demi|(?:^|\+)(?:cm|sf)?bx", re.IGNORECASE)
_CHAPTER = re.compile(r"\s*(?:part|chapter|section|appendix)\s", re.IGNORECASE)
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


def parse(data: bytes, uri: str, media_type: str, *, keep_running: bool = False) -> Parsed:
    """Read a PDF. A page that fails alone is left out with a warning.

    Headers and footers that repeat from page to page are left out unless `keep_running`.
    """
    found = _read(data, uri)
    laid = lay_out(found.lines, found.outline, keep_running=keep_running)
    text = laid.writer.text()
    if not text.strip():
        message = "no text layer (scanned?); OCR is not supported"
        raise ParseError(uri, message, hint="run OCR over it first: ocrmypdf", code="no-text")
    warnings = [*found.warnings, *_hidden(found.lines)]
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


def _hidden(pages: Sequence[Sequence[Line]]) -> Iterator[str]:
    """Say where text is too small to be seen: words for machines that no reader checks.

    White text isn't looked for: it is common on dark cells, and what lies below isn't known.
    """
    for number, lines in enumerate(pages, start=1):
        tiny = sum(len(x.text) for x in lines if 0 < x.top - x.bottom < HIDDEN_HEIGHT)
        if tiny >= HIDDEN_CHARACTERS:
            yield f"hidden text: {tiny} characters on page {number} are too small to be seen"


def _read(data: bytes, uri: str) -> _Pages:
    try:
        with PDFIUM:
            return _read_with_pdfium(data)
    except pypdfium2.PdfiumError as exc:
        if exc.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise encrypted(uri) from exc
        return _read_with_pypdf(data, uri, str(exc))


def encrypted(uri: str) -> ParseError:
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
        text = _with_ligatures(text, places)
        marks = _lost_marks(text, places)
        return [
            _line(text, match, places, marks)
            for match in _PIECE.finditer(text)
            if match[0].strip() and not _LOST.fullmatch(match[0])
        ]


def _lost_marks(text: str, places: _Places) -> dict[int, str]:
    """Return the footnote marks that stand apart from their words, by where they belong.

    A superscript that is drawn after the rest of the page comes at the end of PDFium's text:
    "Services 19,604" is given back its "(3)". What belongs nowhere is left out.
    """
    found: dict[int, str] = {}
    owners: dict[int, int] = {}  # of the marks' own characters: a mark may follow another
    lost = (piece for piece in _PIECE.finditer(text) if _LOST.fullmatch(piece[0]))
    every = (mark for piece in lost for mark in _MARK.finditer(text, piece.start(), piece.end()))
    for mark in islice(every, MARKS):
        before = places.before(mark.start())
        at = owners[before] if before in owners else _word_end(text, before)
        if at >= 0:
            owners.update(dict.fromkeys(range(*mark.span()), at))
            space = "" if mark[0] in "®™" else " "
            found[at + 1] = f"{found.get(at + 1, '')}{space}{mark[0]}"
    return found


def _word_end(text: str, at: int) -> int:
    """Return where the word ends that a letter belongs to: nearby, else -1."""
    if at < 0 or text[at].isspace():
        return -1
    rest = _LETTERS.match(text, at + 1)
    length = len(rest[0]) if rest else 0
    return at + length if length <= MARK_LETTERS else -1


def _with_ligatures(text: str, places: _Places) -> str:
    """Turn round the letters of ligatures that are written from right to left.

    PDFium reverses such text letter by letter, and the two letters of a ligature too.
    """
    pieces, last = [], 0
    for match in _ALEF_LAM.finditer(text):
        if places.box(match.start()) == places.box(match.start() + 1):
            pieces += [text[last : match.start()], match[0][::-1]]
            last = match.end()
    return "".join((*pieces, text[last:]))


def _line(text: str, match: re.Match[str], places: _Places, marks: dict[int, str]) -> Line:
    words = match[0]
    first = match.start() + len(words) - len(words.lstrip())
    last = match.start() + len(words.rstrip()) - 1
    left, bottom, right, top = places.box(first)
    if last > first:
        end = places.box(last)
        left, right = min(left, end[0]), max(right, end[2])
        if _CHAPTER.match(words) and end[3] - end[1] > top - bottom:
            bottom, top = end[1], end[3]  # "Chapter 1." is set small, and its title large
    return Line(
        text=_cleaned(_marked(words, match.start(), marks)),
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        font_size=places.font_size(first),
        style=places.style(first, last) if last - first < _STYLED_CHARACTERS else "",
        hyphenated=text[match.end() : match.end() + 1] in _BREAKS,
    )


def _marked(words: str, start: int, marks: dict[int, str]) -> str:
    """Put the marks of a line, which begins at `start`, where they belong."""
    for at in sorted(marks, reverse=True):
        if start < at <= start + len(words):
            words = words[: at - start] + marks[at] + words[at - start :]
    return words


def _cleaned(words: str) -> str:
    if words.isascii() and words.isprintable():
        return words  # most lines: saves 5 % of the time
    return clean(_SCRIPTS_MEET.sub(" ", words))


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

    def before(self, at: int) -> int:
        """Return where the letter close to the left of a character is in the text, or -1."""
        left, bottom, _, top = self.box(at)
        if self._rotation or self._mapped:
            return -1
        return int(
            pdfium.FPDFText_GetCharIndexAtPos(self._characters, left - 1, (bottom + top) / 2, 6, 2)
        )

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
            raise encrypted(uri)
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
