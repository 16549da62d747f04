"""Lines of PDF pages to text: paragraphs, table rows, list items and headings, with spans."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from ragkit.parsing.pdf_lines import Line, assemble, table_rows, without_running
from ragkit.parsing.structure import Writer
from ragkit.types import BlockKind, Page, Span

HEADING_CHARACTERS = 120
HEADING_WORDS = 16
HEADING_SIZE = 1.15  # times the body's: what is set larger is a heading, unless it is a sentence
HEADING_SHARE = 0.25  # of a document's lines: more "headings" than this are none
OUTLINE_SHARE = 0.5  # of the outline found on its pages, for the outline alone to be believed
TITLE_LINES = 3

_BULLET = re.compile(
    r"(?:[•‣▪◦●○■□➢✓–·*][ \t]*|-[ \t]+|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)][ \t]+)(?=\S)"
)
_NUMBERED = re.compile(r"\d{1,2}(?:\.\d{1,2}){0,3}\.?\s+[^\W\d_]")
_NOT_WORD = re.compile(r"[\W_]+")
_STOPS = (".", "!", "?", ":", ";", "。", "！", "？", "”", '."')
_NO_HEADING_END = (".", ",", ";", "。", "-", "–", "—", "/", "=", "+", "…")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline. `page` counts from 0, `level` from 1."""

    level: int
    title: str
    page: int


@dataclass(slots=True)
class Laid:
    """What was made of the pages."""

    writer: Writer
    pages: tuple[Page, ...]
    largest_heading: str = ""


def lay_out(pieces: Sequence[Sequence[Line]], outline: Sequence[Bookmark]) -> Laid:
    """Write the text of the pages, given what stands on each in reading order."""
    pages = without_running([assemble(page) for page in pieces])
    kinds = [table_rows(lines) for lines in pages]
    headings = _from_outline(pages, outline)
    if len(headings) < OUTLINE_SHARE * len(outline) or len(headings) < 2:
        headings = _from_fonts(pages, kinds) | headings
    writer = Writer()
    spans = []
    for number, lines in enumerate(pages):
        before = writer.length
        levels = {at: found for (page, at), found in headings.items() if page == number}
        _PageWriter(writer, lines, kinds[number], levels).run()
        start = min(before + 2, writer.length) if before else 0
        if writer.length == before:
            start = before
        spans.append(Page(number + 1, Span(start, writer.length)))
    return Laid(writer, tuple(spans), _largest(pages[:2], headings))


# --- headings ----------------------------------------------------------------------------------

# Level and number of lines of the headings, by page and the number of their first line there.
_Headings = Mapping[tuple[int, int], tuple[int, int]]


def _from_outline(
    pages: Sequence[list[Line]], outline: Sequence[Bookmark]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Find the lines that the outline's entries name, each on its page."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    used: set[tuple[int, int]] = set()
    for mark in outline:
        wanted = _key(mark.title)
        if not wanted or not 0 <= mark.page < len(pages):
            continue
        lines = pages[mark.page]
        for at in range(len(lines)):
            count = _matching_lines(lines, at, wanted)
            places = {(mark.page, at + n) for n in range(count)}
            if count and not places & used:
                found[mark.page, at] = (mark.level, count)
                used |= places
                break
    return found


def _matching_lines(lines: Sequence[Line], at: int, wanted: str) -> int:
    """Return how many lines from `at` on spell the wanted title, numbering aside; 0 for none."""
    text = ""
    for count in range(1, TITLE_LINES + 1):
        if at + count > len(lines):
            break
        text += _key(lines[at + count - 1].text)
        if text == wanted or (
            text.endswith(wanted) and len(text) - len(wanted) <= 12 and len(wanted) >= 4
        ):
            return count
        if wanted.endswith(text) and len(wanted) - len(text) <= 12 and len(text) >= 8:
            return count
        if not wanted.startswith(text) and len(text) >= len(wanted):
            break
    return 0


def _key(title: str) -> str:
    return _NOT_WORD.sub("", title).casefold()


def _from_fonts(
    pages: Sequence[list[Line]], kinds: Sequence[list[str]]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Find lines set larger or heavier than the body, alone, short, and no sentence."""
    lines = [line for page in pages for line in page]
    if not lines:
        return {}
    body = _body(lines)
    styles: dict[tuple[int, int], tuple[float, str]] = {}
    for number, page in enumerate(pages):
        for at, line in enumerate(page):
            if not kinds[number][at] and _is_heading(page, kinds[number], at, body):
                styles[number, at] = (round(line.height / body.height, 1), line.style)
    if len(styles) > HEADING_SHARE * len(lines):
        styles = {place: style for place, style in styles.items() if style[0] >= 1.3}
    order = sorted(set(styles.values()), key=_prominence)
    merged = _merged(pages, styles)
    return {
        place: (min(order.index(styles[place]) + 1, 6), count) for place, count in merged.items()
    }


def _prominence(style: tuple[float, str]) -> tuple[float, int]:
    return -style[0], ("bold", "", "italic").index(style[1])


def _merged(
    pages: Sequence[list[Line]], styles: Mapping[tuple[int, int], tuple[float, str]]
) -> dict[tuple[int, int], int]:
    """Put the lines of a heading that is wrapped together: first line and number of lines."""
    merged: dict[tuple[int, int], int] = {}
    first: tuple[int, int] | None = None
    for page, at in sorted(styles):
        if (
            first
            and first[0] == page
            and first[1] + merged[first] == at
            and styles[first] == styles[page, at]
        ):
            above, line = pages[page][at - 1], pages[page][at]
            tight = -1 < above.bottom - line.top < 0.5 * line.height
            if tight and merged[first] < TITLE_LINES and not _NUMBERED.match(line.text):
                merged[first] += 1
                continue
        first = (page, at)
        merged[first] = 1
    return merged


def _body(lines: Sequence[Line]) -> Line:
    """Return a line as most of the text is set."""
    weights: Counter[tuple[float, str]] = Counter()
    example = {}
    for line in lines:
        key = (round(line.height * 2), line.style)
        weights[key] += len(line.text)
        example[key] = line
    return example[max(weights, key=lambda key: (weights[key], key))]


def _is_heading(page: Sequence[Line], kinds: Sequence[str], at: int, body: Line) -> bool:
    line = page[at]
    text = line.text
    if len(text) > HEADING_CHARACTERS or len(text.split()) > HEADING_WORDS or line.cells_left >= 0:
        return False
    if text.endswith(_NO_HEADING_END) or line.hyphenated or not _is_wordy(text):
        return False
    larger = line.height >= HEADING_SIZE * body.height and (
        min(line.font_size, body.font_size) <= 1.5 or line.font_size >= 1.05 * body.font_size
    )
    if larger:
        return True
    if not line.style or line.style == body.style or line.height < 0.95 * body.height:
        return False
    below = page[at + 1] if at + 1 < len(page) else None
    if below is None or kinds[at + 1] or below.top > line.top:
        return False
    if (
        at
        and abs(page[at - 1].bottom - line.top) < 0.25 * line.height
        and not _stands_off(page[at - 1], line)
    ):
        return False
    if line.style == "italic" and (below.style == "italic" or len(below.text) < 50):
        return False
    at_edge = abs(line.left - below.left) < 2 * line.height or abs(line.left - body.left) < 2
    return at_edge and (text[0].isupper() or text[0].isdigit())


def _stands_off(above: Line, line: Line) -> bool:
    return above.style == line.style or above.text.endswith(_STOPS)


def _is_wordy(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= 3 and letters >= 0.5 * len(text.replace(" ", ""))


def _largest(pages: Sequence[list[Line]], headings: _Headings) -> str:
    """Return the heading set largest on the first pages, the first of equals."""
    best, height = "", 0.0
    for (page, at), (_, count) in sorted(headings.items()):
        if page < len(pages) and pages[page][at].height > 1.05 * height:
            best = " ".join(line.text for line in pages[page][at : at + count])
            height = pages[page][at].height
    return best


# --- text --------------------------------------------------------------------------------------


class _PageWriter:
    """Groups the lines of a page into blocks. `_open` are the lines of the open paragraph."""

    def __init__(
        self,
        writer: Writer,
        lines: list[Line],
        kinds: list[str],
        levels: Mapping[int, tuple[int, int]],
    ) -> None:
        self._writer = writer
        self._lines = lines
        self._kinds = kinds
        self._levels = levels
        self._leading = _leading(lines)
        self._open: list[int] = []
        self._last: Line | None = None  # the last line written
        self._last_kind: BlockKind | None = None

    def run(self) -> None:
        at = 0
        while at < len(self._lines):
            if at in self._levels:
                at = self._heading(at)
                continue
            if self._kinds[at]:
                self._flush()
                self._row(at)
            else:
                if self._open and self._breaks(at):
                    self._flush()
                self._open.append(at)
            at += 1
        self._flush()

    def _heading(self, at: int) -> int:
        self._flush()
        level, count = self._levels[at]
        lines = self._lines[at : at + count]
        title = " ".join(line.text for line in lines)
        self._writer.heading(level, title, title, gap="\n\n")
        self._last, self._last_kind = lines[-1], None
        return at + count

    def _row(self, at: int) -> None:
        kind: BlockKind = "table_row" if self._kinds[at] == "row" else "table_header"
        in_table = self._last_kind in ("table_row", "table_header")
        text = self._lines[at].text
        if kind == "table_header" and self._last_kind == "table_header":
            self._writer.extend_block(text, gap="\n")
        else:
            tight = in_table and not (kind == "table_header" and self._last_kind == "table_row")
            self._writer.block(kind, text, gap="\n" if tight else "\n\n")
        self._last, self._last_kind = self._lines[at], kind

    def _flush(self) -> None:
        if not self._open:
            return
        lines = [self._lines[at] for at in self._open]
        text = lines[0].text
        for n in range(1, len(lines)):
            above = lines[n - 1]
            if above.hyphenated:
                text = _unhyphenated(text, lines[n].text)
            else:
                text += (" " if self._is_full(self._open[n - 1]) else "\n") + lines[n].text
        kind: BlockKind = "list_item" if _BULLET.match(lines[0].text) else "paragraph"
        self._writer.block(kind, text, gap=self._gap(lines[0]))
        self._last, self._last_kind = lines[-1], kind
        self._open = []

    def _gap(self, line: Line) -> str:
        """Return what parts a paragraph from the text above: short lines may follow closely."""
        above = self._last
        if above is None or self._last_kind not in ("paragraph", "list_item"):
            return "\n\n"
        close = 0 < above.top - line.top <= 1.3 * self._leading
        return "\n" if close and len(above.text) < 60 else "\n\n"

    def _breaks(self, at: int) -> bool:
        """Whether a new paragraph begins with this line."""
        above, line = self._lines[at - 1], self._lines[at]
        if above.hyphenated:
            return False
        ends = above.text.endswith(_STOPS)
        if line.top > above.top + 0.5 * line.height:  # the next column
            return ends or not line.text[0].islower()
        if above.top - line.top > 1.3 * self._leading + 0.1 or _BULLET.match(line.text):
            return True
        if abs(above.height - line.height) > 0.2 * line.height and above.style != line.style:
            return True
        if not self._is_full(at - 1):
            return ends or not line.text[0].islower()
        first = self._open[0] == at - 1
        indented = line.left > above.left + 0.8 * line.height and not first
        return indented and ends

    def _is_full(self, at: int) -> bool:
        """Whether the first word of the next line would not have fitted at the end of this one."""
        line = self._lines[at]
        if at + 1 >= len(self._lines):
            return True
        window = self._lines[max(0, at - 8) : at + 9]
        column = [x for x in window if x.left < line.right and x.right > line.left]
        edge = max(x.right for x in column)
        word = self._lines[at + 1].text.split(" ", 1)[0]
        width = (line.right - line.left) / max(len(line.text), 1)
        return line.right + (len(word) + 1) * width > edge


def _unhyphenated(text: str, below: str) -> str:
    """Join a word that was broken at a line's end; a hyphen of its own stays."""
    before, after = text[-1:], below[:1]
    soft = after.islower() or (before.isupper() and after.isupper())
    return text + ("" if soft else "-") + below


def _leading(lines: Sequence[Line]) -> float:
    """Return the distance from line to line that is usual on a page."""
    steps = [a.top - b.top for a, b in zip(lines, lines[1:], strict=False)]
    usual = [step for step, line in zip(steps, lines, strict=False) if 0 < step < 2.5 * line.height]
    return median(usual) if usual else 1e9
