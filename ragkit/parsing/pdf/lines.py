"""The lines of PDF pages: pieces put together, running headers dropped, table rows told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise

RUNNING_SHARE = 0.5  # a line on more of the pages than this is a header or footer
FACING_SHARE = 0.9  # or on more than this of the left, or the right, pages
RUNNING_PAGES = 4
RUNNING_LINES = 3  # how many lines at the top and at the bottom of a page are looked at
TITLE_SIZE = 1.5  # times the height of a running line: what is as large is no running line
RUNNING_FIGURES = 4  # how many figures of such a line may be the page's number
CELL_CHARACTERS = 40
CELL_LINES = 4
ROW_CHARACTERS = 70  # of a row with one figure; a line of a table of contents may be longer
LABEL_CHARACTERS = 60

_DIGITS = re.compile(r"[0-9]+")
_PAGE = "\0"  # stands for the number of a page: no text holds it
_OWN_NUMBER = re.compile(rf"{_PAGE}0(?![0-9])")
_CHAPTER_PAGE = re.compile(r"\w{1,3}[-–]\d{1,3}")
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
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DATED = re.compile(rf"{_MONTHS}|three|six|nine|twelve|year|quarter|fiscal", re.IGNORECASE)
_DATE_WORD = re.compile(
    rf"(?:{_MONTHS})[a-z]*\.?,?|[0-3]?\d,?|(?:19|20)\d\d,?|three|six|nine|twelve|months?|weeks?"
    r"|years?|quarters?|ended|ending|fiscal|as|of|and",
    re.IGNORECASE,
)
_INTRODUCING = re.compile(r"\b(?:follow(?:s|ing)|below)\b", re.IGNORECASE)
_NOTE = re.compile(r"(?:\([^()\d]{3,60}\)\s*)+")  # "(in millions) (unaudited)"
_ABBREVIATED = re.compile(r"\b[A-Z]\.$")  # "issued by the U.S."
_ENDED = re.compile(r".*\bended", re.IGNORECASE)
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
        text = _LEADERS.sub(" ... ", raw.text.strip())
        piece = raw if text == raw.text else replace(raw, text=text)
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
    if _values(above.text) > 1 or above.hyphenated or above.cells_left >= 0:
        return False
    if not _near(above, line) or abs(above.left - line.left) > 2 * line.height:
        return False
    if line.text[0].islower():
        least = LABEL_CHARACTERS if _values(above.text) else LABEL_CHARACTERS // 2
        return len(above.text) >= least and not above.text.endswith((".", ":"))
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
    if max(last.height, piece.height) > TITLE_SIZE * min(last.height, piece.height):
        return []
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
    """Drop the lines at the top and bottom that repeat on most pages, but for the page's number.

    A title that runs on in small letters is kept where it is set large.
    """
    edges = [_edges(lines, number) for number, lines in enumerate(pages, start=1)]
    running = _repeated(edges) if len(pages) >= RUNNING_PAGES else _numbered(edges)
    heights: dict[str, float] = {}
    for lines, edge in zip(pages, edges, strict=True):
        for at, keys in edge.items():
            for key in running.intersection(keys):
                heights[key] = min(heights.get(key, lines[at].height), lines[at].height)
    kept = []
    for lines, edge in zip(pages, edges, strict=True):
        dropped = {
            at
            for at, keys in edge.items()
            if any(lines[at].height < TITLE_SIZE * heights.get(key, 0) for key in keys)
        }
        left = [line for at, line in enumerate(lines) if at not in dropped]
        kept.append(left or lines)  # pages that are all alike have no headers
    return kept


def _edges(lines: list[Line], page: int) -> dict[int, list[str]]:
    """Return the places of the lines at the top and bottom, with what they may share."""
    by_height = sorted(range(len(lines)), key=lambda at: -lines[at].top)
    edges = by_height[:RUNNING_LINES] + by_height[RUNNING_LINES:][-RUNNING_LINES:]
    return {at: _running_keys(lines[at].text, page) for at in edges}


def _running_keys(text: str, page: int) -> list[str]:
    """Return the line itself, and each way to see one of its figures as the page's number.

    A figure that doesn't grow with the pages is text: the rows of a long table differ in nothing
    else.
    """
    text = text.casefold()
    keys = [text, _PAGE] if _CHAPTER_PAGE.fullmatch(text) else [text]
    for match in islice(_DIGITS.finditer(text), RUNNING_FIGURES):
        offset = int(match[0][-6:]) - page
        keys.append(f"{text[: match.start()]}{_PAGE}{offset}{text[match.end() :]}")
    return keys


def _repeated(edges: Sequence[dict[int, list[str]]]) -> set[str]:
    """Return what is on most pages, or on nearly all of those with even or with odd numbers."""
    running: set[str] = set()
    sets = ((edges, RUNNING_SHARE), (edges[0::2], FACING_SHARE), (edges[1::2], FACING_SHARE))
    for chosen, share in sets:
        if len(chosen) >= RUNNING_PAGES:
            counts = Counter(key for edge in chosen for key in set(chain(*edge.values())))
            running |= {key for key, count in counts.items() if count > share * len(chosen)}
    return running


def _numbered(edges: Sequence[dict[int, list[str]]]) -> set[str]:
    """Return what stands on each of a few pages with the number of that page."""
    if len(edges) < 2:
        return set()
    on_pages = [{k for k in chain(*edge.values()) if _OWN_NUMBER.search(k)} for edge in edges]
    return set.intersection(*on_pages)


# --- tables ------------------------------------------------------------------------------------


def table_rows(lines: Sequence[Line]) -> list[str]:
    """Say of each line whether it is a "row" of a table, its "header" or "" for neither."""
    kinds = [_kind(line.text) for line in lines]
    _mark_single_values(lines, kinds)
    _mark_labels(lines, kinds)
    _mark_column_heads(lines, kinds)
    _mark_labels(lines, kinds)
    _mark_headers(lines, kinds)
    _mark_notes(lines, kinds)
    return kinds


def _kind(text: str) -> str:
    if _values(text) >= 2:
        return "header" if _is_dates(text) else "row"
    return "row" if _ENTRY.fullmatch(text) else ""


def _values(text: str) -> int:
    """Return how many figures a line ends with, if it looks like label and figures."""
    tokens = text.split()
    count = 0
    while tokens and _VALUE.fullmatch(tokens[-1]):
        count += bool(_DIGIT_VALUE.match(tokens.pop()))
    dashes = sum(word in "—–-" for word in text.split()[len(tokens) :])
    return count + dashes if count else 0


def _is_dates(text: str) -> bool:
    """Whether a line is years, or dates: what stands above columns."""
    return bool(_YEAR.search(text)) and all(map(_DATE_WORD.fullmatch, text.split()))


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
        if kinds[number] or (line.text.endswith(".") and not _ABBREVIATED.search(line.text)):
            continue
        ends_open = kinds[number + 1] == "row" and _opens_rows(lines, kinds, number)
        inside = number > 0 and kinds[number - 1] and _near(lines[number - 1], line)
        tight = line.style != "bold" or (
            inside and _near(lines[number - 1], line, lines=2) and _near(line, below, lines=2)
        )
        short = len(line.text) <= LABEL_CHARACTERS and tight
        if _near(line, below) and kinds[number + 1] and (ends_open or (short and inside)):
            kinds[number] = "row"


def _opens_rows(lines: Sequence[Line], kinds: Sequence[str], at: int) -> bool:
    """Whether a line is a label such as "Cost of sales:", and not the end of a sentence."""
    line = lines[at]
    if not line.text.endswith(":") or len(line.text) > 2 * LABEL_CHARACTERS:
        return False
    if _INTRODUCING.search(line.text):
        return False
    above = lines[at - 1] if at else None
    wraps = above and not kinds[at - 1] and _near(above, line, lines=2) and above.right > line.right
    return not (wraps and above and len(above.text) > LABEL_CHARACTERS)


def _near(above: Line, below: Line, *, lines: int = CELL_LINES) -> bool:
    return 0 < above.top - below.top < lines * below.height


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


def _mark_notes(lines: Sequence[Line], kinds: list[str]) -> None:
    """Mark what stands between a table's header and its rows, and the notes above a header.

    A unit belongs to the header: "(in millions)"; a title to the rows that it heads: "ASSETS".
    """
    for number in range(len(lines) - 1, 0, -1):
        if kinds[number] != "header":
            continue
        between = _between(lines, kinds, number)
        for at in between:
            is_note = lines[at].cells_left >= 0 or _NOTE.fullmatch(lines[at].text)
            kinds[at] = "header" if is_note else "row"
        above = number - 1
        while above >= 0 and not kinds[above] and _notes(lines[above], lines[above + 1]):
            kinds[above] = "header"
            above -= 1


def _between(lines: Sequence[Line], kinds: Sequence[str], header: int) -> list[int]:
    """Return the lines from a header to the next row, if they are few, short, and close by."""
    between: list[int] = []
    for at in range(header + 1, min(header + CELL_LINES, len(lines))):
        line = lines[at]
        if not _near(lines[at - 1], line):
            return []
        if kinds[at] in ("row", "header"):
            return between
        if line.text.endswith(".") or (len(line.text) > LABEL_CHARACTERS and line.cells_left < 0):
            return []
        between.append(at)
    return []


def _notes(line: Line, below: Line) -> bool:
    """Whether a line right above a header says its unit or its period."""
    if not _near(line, below) or len(line.text) > 2 * LABEL_CHARACTERS:
        return False
    return bool(_NOTE.fullmatch(line.text) or _ENDED.fullmatch(line.text))


def _is_header(line: Line, below: Line) -> bool:
    if not _near(line, below) or line.text.endswith((".", ";", ",")):
        return False
    if len(line.text) > 2 * LABEL_CHARACTERS * (1 + (line.cells_left >= 0)):
        return False
    if line.cells_left >= 0 or len(_PERIOD.findall(line.text)) >= 2 or _NOTE.fullmatch(line.text):
        return True
    spread = line.left >= below.left and line.right >= 0.7 * below.right
    bold = line.style == "bold" and below.style != "bold"
    return bold and spread and len(line.text.split()) >= 2
