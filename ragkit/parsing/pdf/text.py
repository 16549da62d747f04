"""Lines of PDF pages to text: paragraphs, table rows, list items and headings, with spans."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from ragkit.parsing.pdf.headings import Bookmark, HeadingLines, find_headings, largest
from ragkit.parsing.pdf.lines import Line, assemble, join_wrapped_rows, table_rows, without_running
from ragkit.parsing.structure import Writer
from ragkit.types import BlockKind, Page, Span

CENTRED_WIDTH = 0.6  # of the page's text: a shorter line that shares no edge was not wrapped

_PARTED = "\n\n"
_BULLET = re.compile(
    r"(?:[•‣▪◦●○■□➢✓–·*][ \t]*|-[ \t]+|\(?(?:\d{1,2}|[a-z]|[ivx]{1,4})[.)][ \t]+)(?=\S)"
)
_STOPS = (".", "!", "?", ":", ";", "。", "！", "？", "”", '."')


@dataclass(slots=True)
class Laid:
    """What was made of the pages."""

    writer: Writer
    pages: tuple[Page, ...]
    largest_heading: str = ""


def lay_out(
    pieces: Sequence[Sequence[Line]], outline: Sequence[Bookmark], *, keep_running: bool = False
) -> Laid:
    """Write the text of the pages, given what stands on each in reading order.

    Headers and footers that repeat from page to page are left out unless `keep_running`.
    """
    pages = [join_wrapped_rows(assemble(page)) for page in pieces]
    if not keep_running:
        pages = without_running(pages)
    kinds = [table_rows(lines) for lines in pages]
    headings = find_headings(pages, kinds, outline)
    writer = Writer()
    spans = []
    on_pages: list[dict[int, HeadingLines]] = [{} for _ in pages]
    for (page, at), heading in headings.items():
        on_pages[page][at] = heading
    for number, lines in enumerate(pages):
        before = writer.length
        _PageWriter(writer, lines, kinds[number], on_pages[number]).run()
        start = before + len(_PARTED) if before < writer.length and before else before
        spans.append(Page(number + 1, Span(start, writer.length)))
    return Laid(writer, tuple(spans), largest(pages[:2], headings))


# --- text --------------------------------------------------------------------------------------


class _PageWriter:
    """Groups the lines of a page into blocks. `_open` are the lines of the open paragraph."""

    def __init__(
        self,
        writer: Writer,
        lines: list[Line],
        kinds: list[str],
        headings: Mapping[int, HeadingLines],
    ) -> None:
        self._writer = writer
        self._lines = lines
        self._kinds = kinds
        self._headings = headings
        self._leading = _leading(lines)
        self._width = max((x.right for x in lines), default=0.0) - min(
            (x.left for x in lines), default=0.0
        )
        self._open: list[int] = []
        self._last: Line | None = None  # the last line written
        self._last_kind: BlockKind | None = None

    def run(self) -> None:
        at = 0
        while at < len(self._lines):
            if at in self._headings:
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
        heading = self._headings[at]
        lines = self._lines[at : at + heading.lines]
        title = " ".join(line.text for line in lines)
        self._writer.heading(heading.level, title, title, gap=_PARTED)
        self._last, self._last_kind = lines[-1], None
        return at + heading.lines

    def _row(self, at: int) -> None:
        kind: BlockKind = "table_row" if self._kinds[at] == "row" else "table_header"
        in_table = self._last_kind in ("table_row", "table_header")
        text = self._lines[at].text
        if kind == "table_header" and self._last_kind == "table_header":
            self._writer.extend_block(text, gap="\n")
        else:
            tight = in_table and not (kind == "table_header" and self._last_kind == "table_row")
            self._writer.block(kind, text, gap="\n" if tight else _PARTED)
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
            return _PARTED
        close = 0 < above.top - line.top <= 1.3 * self._leading
        return "\n" if close and len(above.text) < 60 else _PARTED

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
        tolerance = 2.5 * line.height
        first, last = line.left - tolerance, line.left + tolerance
        window = self._lines[max(0, at - 8) : at + 9]
        edges = [x.right for x in window if first < x.left < last]
        if len(edges) < 2 and line.right - line.left < CENTRED_WIDTH * self._width:
            return False
        edge = max(edges)
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
    steps = [(a.top - b.top, a.height) for a, b in pairwise(lines)]
    usual = [step for step, height in steps if 0 < step < 2.5 * height]
    return median(usual) if usual else 1e9
