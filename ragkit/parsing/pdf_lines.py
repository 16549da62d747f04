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
ROW_CHARACTERS = 70  # of a row with one figure; a line of a table of contents may be longer
LABEL_CHARACTERS = 60

_DIGITS = re.compile(r"\d+")
_LEADERS = re.compile(r"(?:[ \t]*[.·…_]){4,}[ \t]*")
_ENTRY = re.compile(r".* \.\.\. \S{1,6}")  # of a table of contents, its leaders cut short
_VALUE = re.compile(
    r"[-–−+(]?[$€£¥]?[-–−+(]?\d(?:[\d,.']*\d)?\)?[%x]?\)?|[—–-]|\)?%|N/?A|[$€£¥]\(?|\)|bps|pts"
)
_DIGIT_VALUE = re.compile(r"[^A-Za-z]*\d")
_ENDING_VALUE = re.compile(r"[^\W\d_].*\s[~<>≤≥±$€£]?\d[\d,.:/]*(?:\s?[^\s.,;]{1,12}){0,2}")
_ENDING_PAGE = re.compile(r".*\s\d{1,3}")
_NO_WORDS = re.compile(r"(?:\(\d{1,2}\)|[®™*†‡§\s])+|[_.·…\s]+")  # or a drawn line
_YEAR = re.compile(r"(?:19|20)\d\d")
_DATED = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|three|six|nine|twelve|year|quarter|fiscal)",
    re.IGNORECASE,
)
_PERIOD = re.compile(r"\b(?:19|20)\d\d\b|\b[Ee]nded\b|%")


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
    for raw in pieces:
        if not raw.text.strip() or _NO_WORDS.fullmatch(raw.text):
            continue  # footnote marks printed apart have lost their word
        piece = replace(raw, text=_LEADERS.sub(" ... ", raw.text.strip()))
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


def join_wrapped_rows(lines: Sequence[Line]) -> list[Line]:
    """Put the first line of a wrapped label before the line with its figures."""
    joined: list[Line] = []
    for line in lines:
        if joined and _values(line.text) >= 2 and _is_label_of(joined[-1], line):
            joined[-1] = replace(_joined(joined[-1], line, space=" "), cells_left=-1.0)
        else:
            joined.append(line)
    return joined


def _is_label_of(above: Line, line: Line) -> bool:
    if _values(above.text) or above.hyphenated or above.cells_left >= 0:
        return False
    if not _near(above, line) or abs(above.left - line.left) > 2 * line.height:
        return False
    if line.text[0].islower():
        return len(above.text) >= LABEL_CHARACTERS // 2 and not above.text.endswith((".", ":"))
    return not line.text[0].isalpha() and above.text.endswith((" and", " of", " to", ","))


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
    kept = []
    for lines, edge in zip(pages, edges, strict=True):
        left = [line for line in lines if not (line in edge and _masked(line) in running)]
        kept.append(left or lines)  # pages that are all alike have no headers
    return kept


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
    kinds = [_kind(line.text) for line in lines]
    _mark_single_values(lines, kinds)
    _mark_labels(lines, kinds)
    _mark_column_heads(lines, kinds)
    _mark_labels(lines, kinds)
    _mark_headers(lines, kinds)
    return kinds


def _kind(text: str) -> str:
    if _values(text) >= 2:
        return "header" if all(map(_YEAR.fullmatch, text.split())) else "row"
    return "row" if _ENTRY.fullmatch(text) else ""


def _values(text: str) -> int:
    """Return how many figures a line ends with, if it looks like label and figures."""
    tokens = text.split()
    count = 0
    while tokens and _VALUE.fullmatch(tokens[-1]):
        count += bool(_DIGIT_VALUE.match(tokens.pop()))
    dashes = sum(word in "—–-" for word in text.split()[len(tokens) :])
    return count + dashes if count else 0


def _mark_single_values(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark runs of three or more short lines that begin at one edge and end with a figure."""
    run: list[int] = []
    for number, line in enumerate(lines):
        pattern = _ENDING_VALUE if len(line.text) <= ROW_CHARACTERS else _ENDING_PAGE
        fits = len(line.text) <= 2 * ROW_CHARACTERS and bool(pattern.fullmatch(line.text))
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


def _mark_column_heads(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark cells with dates a few lines above a row: "June 25, 2022 | June 26, 2021"."""
    for number, line in enumerate(lines):
        below = kinds[number + 1 : number + CELL_LINES]
        cells = line.cells_left >= 0 or _DATED.match(line.text)
        dated = cells and len(_PERIOD.findall(line.text)) >= 2 and not line.text.endswith(".")
        if dated and not kinds[number] and "row" in below:
            kinds[number] = "header"


def _mark_labels(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark the short lines that belong to the rows around them: "Cost of sales:"."""
    for number in range(len(lines) - 2, -1, -1):
        line, below = lines[number], lines[number + 1]
        if kinds[number] or line.text.endswith("."):
            continue
        ends_open = line.text.endswith(":") and len(line.text) <= 2 * LABEL_CHARACTERS
        short = len(line.text) <= LABEL_CHARACTERS and line.style != "bold"
        inside = number > 0 and kinds[number - 1] and _near(lines[number - 1], line)
        if _near(line, below) and kinds[number + 1] and (ends_open or (short and inside)):
            kinds[number] = "row"


def _near(above: Line, below: Line) -> bool:
    return 0 < above.top - below.top < CELL_LINES * below.height


def _mark_headers(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark the lines of short cells right above the first row of a table."""
    for number, (above, below) in enumerate(pairwise(kinds)):
        if below != "row" or above:
            continue
        at = number
        if at and kinds[at - 1] == "row" and _is_header(lines[at], lines[at + 1]):
            kinds[at] = "row" if _near(lines[at - 1], lines[at]) else "header"
            continue
        while at >= 0 and number - at < CELL_LINES and not kinds[at]:
            if not _is_header(lines[at], lines[at + 1]):
                break
            kinds[at] = "header"
            at -= 1


def _is_header(line: Line, below: Line) -> bool:
    if not _near(line, below) or len(line.text) > 2 * LABEL_CHARACTERS:
        return False
    if line.text.endswith((".", ";", ",")):
        return False
    if line.cells_left >= 0 or len(_PERIOD.findall(line.text)) >= 2:
        return True
    spread = line.left >= below.left and line.right >= 0.7 * below.right
    bold = line.style == "bold" and below.style != "bold"
    return bold and spread and len(line.text.split()) >= 2
