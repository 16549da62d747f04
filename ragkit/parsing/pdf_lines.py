"""The lines of PDF pages: pieces put together, running headers dropped, table rows told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

RUNNING_SHARE = 0.6  # a line on more of the pages than this is a header or footer
RUNNING_PAGES = 4
RUNNING_LINES = 3  # how many lines at the top and at the bottom of a page are looked at
CELL_CHARACTERS = 40
CELL_LINES = 4

_DIGITS = re.compile(r"\d+")
_LEADERS = re.compile(r"(?:[ \t]*[.·…_]){4,}")
_VALUE = re.compile(
    r"[-–−+(]?[$€£¥]?[-–−+(]?\d(?:[\d,.']*\d)?\)?[%x]?\)?|[—–-]|\)?%|N/?A|[$€£¥]\(?|\)|bps|pts"
)
_DIGIT_VALUE = re.compile(r"[^A-Za-z]*\d")
_ENDING_VALUE = re.compile(r"[^.!?]*\s[~<>≤≥±$€£]?\d[\d,.:/]*(?:\s?[^\s.,;]{1,12}){0,2}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line as printed; the units are points, `bottom` lies below `top`.

    `style` is "bold", "italic" or "", `hyphenated` says that its last word goes on in the next.
    `cells_left` is where the last of several cells begins, -1 where there is one.
    """

    text: str
    left: float
    right: float
    top: float
    bottom: float
    font_size: float = 0.0
    style: str = ""
    hyphenated: bool = False
    cells_left: float = -1.0

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 0.1)


def assemble(pieces: Sequence[Line]) -> list[Line]:
    """Join the pieces that stand on one printed line, and the stacked cells of a table's head.

    PDFium ends a line at every superscript and at every cell of several lines.
    """
    lines: list[Line] = []
    for piece in pieces:
        if not piece.text.strip():
            continue
        piece = replace(piece, text=_LEADERS.sub(" ... ", piece.text.strip()))
        if lines and _on_one_line(lines[-1], piece):
            lines[-1] = _joined(lines[-1], piece)
        elif lines and (cells := _cells_before(lines, piece)):
            row = cells[0]
            for cell in (*cells[1:], piece):
                row = _joined(row, cell, space=" ")
            lines[-len(cells) :] = [replace(row, cells_left=piece.left)]
        else:
            lines.append(piece)
    return lines


def _on_one_line(line: Line, piece: Line) -> bool:
    if line.hyphenated:
        return False
    overlap = min(line.top, piece.top) - max(line.bottom, piece.bottom)
    if line.cells_left >= 0:
        return overlap > 0.8 * piece.height and piece.left > line.cells_left - piece.height
    return overlap > 0.5 * min(line.height, piece.height) and piece.left > line.right - 1


def _joined(line: Line, piece: Line, *, space: str | None = None) -> Line:
    if space is None:
        wide = piece.left - line.right > 0.15 * line.height or line.cells_left >= 0
        space = " " if wide else ""
    longer = line if len(line.text) >= len(piece.text) else piece
    stacked = line.cells_left >= 0 or space == " "
    return Line(
        text=line.text + space + piece.text,
        left=min(line.left, piece.left),
        right=max(line.right, piece.right),
        top=max(line.top, piece.top) if stacked else longer.top,
        bottom=min(line.bottom, piece.bottom) if stacked else longer.bottom,
        font_size=longer.font_size,
        style=line.style if line.style == piece.style else "",
        hyphenated=piece.hyphenated,
        cells_left=max(line.cells_left, piece.left) if line.cells_left >= 0 else -1.0,
    )


def _cells_before(lines: list[Line], piece: Line) -> list[Line]:
    """Return the stacked lines of the cell to the left, if `piece` begins the next cell."""
    last = lines[-1]
    rise = piece.top - last.top
    if last.hyphenated or not 0.3 * piece.height < rise < CELL_LINES * piece.height:
        return []
    if piece.left < last.right - 1 or max(len(last.text), len(piece.text)) > CELL_CHARACTERS:
        return []
    first = len(lines) - 1
    ceiling = piece.top + 0.3 * piece.height
    while first > 0 and lines[first - 1].top <= ceiling and lines[first - 1].top > last.top:
        if lines[first - 1].left > lines[first].right or lines[first - 1].right > piece.left + 1:
            break
        first -= 1
    return lines[first:]


# --- headers and footers -----------------------------------------------------------------------


def without_running(pages: Sequence[list[Line]]) -> list[list[Line]]:
    """Drop the lines at the top and bottom that repeat from page to page, numbers aside."""
    edges = [_edges(lines) for lines in pages]
    running = _repeated(edges) if len(pages) >= RUNNING_PAGES else _numbered(edges)
    return [
        [line for line in lines if not (line in edge and _masked(line) in running)]
        for lines, edge in zip(pages, edges, strict=True)
    ]


def _edges(lines: list[Line]) -> list[Line]:
    by_height = sorted(lines, key=lambda line: -line.top)
    return by_height[:RUNNING_LINES] + by_height[RUNNING_LINES:][-RUNNING_LINES:]


def _masked(line: Line) -> str:
    return _DIGITS.sub("#", line.text).casefold()


def _repeated(edges: list[list[Line]]) -> set[str]:
    """Return the lines on most of all pages, or of those with even or odd numbers."""
    running: set[str] = set()
    sets = (edges, edges[0::2], edges[1::2])
    for chosen in sets:
        if len(chosen) >= RUNNING_PAGES:
            counts = Counter(text for edge in chosen for text in {_masked(line) for line in edge})
            running |= {t for t, n in counts.items() if n > RUNNING_SHARE * len(chosen)}
    return running


def _numbered(edges: list[list[Line]]) -> set[str]:
    """Return the lines that stand on each of a few pages with the number of that page."""
    if len(edges) < 2:
        return set()
    on_page = [
        {_masked(line) for line in edge if str(number) in _DIGITS.findall(line.text)}
        for number, edge in enumerate(edges, start=1)
    ]
    return set.intersection(*on_page)


# --- tables ------------------------------------------------------------------------------------


def table_rows(lines: Sequence[Line]) -> list[str]:
    """Say of each line whether it is a "row" of a table, its "header" or "" for neither."""
    kinds = ["row" if _values(line.text) >= 2 else "" for line in lines]
    _mark_single_values(lines, kinds)
    _mark_labels(lines, kinds)
    _mark_headers(lines, kinds)
    return kinds


def _values(text: str) -> int:
    """Return how many figures a line ends with, if it looks like label and figures."""
    tokens = text.split()
    count = 0
    while tokens and _VALUE.fullmatch(tokens[-1]):
        count += bool(_DIGIT_VALUE.match(tokens.pop()))
    dashes = sum(token in "—–-" for token in text.split()[len(tokens) :])
    return count + dashes if count else 0


def _mark_single_values(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark runs of three or more short lines that begin at one edge and end with a figure."""
    run: list[int] = []
    for number, line in enumerate(lines):
        fits = len(line.text) <= 70 and bool(_ENDING_VALUE.fullmatch(line.text))
        if run and not (fits and _same_row_style(lines[run[-1]], line)):
            _mark(kinds, run)
            run = []
        if fits:
            run.append(number)
    _mark(kinds, run)


def _mark(kinds: list[str], run: list[int]) -> None:
    if len(run) >= 3:
        for number in run:
            kinds[number] = "row"


def _same_row_style(above: Line, below: Line) -> bool:
    return (
        abs(above.left - below.left) < 2
        and above.style == below.style
        and 0 < above.top - below.top < 3 * above.height
    )


def _mark_labels(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark short lines with rows above and below them: "Cost of sales:"."""
    for number in range(1, len(lines) - 1):
        if kinds[number - 1] and not kinds[number]:
            below = kinds[number + 1] or (number + 2 < len(lines) and kinds[number + 2])
            line = lines[number]
            short = len(line.text) <= 60 and not line.text.endswith(".")
            near = abs(lines[number - 1].top - line.top) < 4 * line.height
            if below and short and near and line.style != "bold":
                kinds[number] = "row"


def _mark_headers(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark the lines of short cells right above the first row of a table."""
    for number, (above, below) in enumerate(pairwise(kinds)):
        if below != "row" or above:
            continue
        at = number
        while at >= 0 and number - at < CELL_LINES and not kinds[at]:
            if not _is_header(lines[at], lines[at + 1]):
                break
            kinds[at] = "header"
            at -= 1
        if at < number and number - at == 1 and lines[number].text.endswith(":"):
            kinds[number] = "row"


def _is_header(line: Line, below: Line) -> bool:
    if line.top - below.top > 4 * line.height or len(line.text) > 120:
        return False
    if line.text.endswith((".", ";", ",")):
        return False
    if line.cells_left >= 0:
        return True
    dates = len(re.findall(r"\b(?:19|20)\d\d\b|\bEnded\b|\bended\b|%", line.text))
    return dates >= 2 or (
        line.style == "bold"
        and below.style != "bold"
        and line.left >= below.left
        and line.right >= 0.7 * below.right
        and len(line.text.split()) >= 2
    )
