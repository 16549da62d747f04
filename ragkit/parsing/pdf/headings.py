"""Which lines of a PDF are headings: those of its outline, else those set larger or heavier."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ragkit.parsing.pdf.lines import Line

HEADING_CHARACTERS = 120
HEADING_WORDS = 16
HEADING_LINES = 3
HEADING_SIZE = 1.15  # times the body's
NUMBERED_SIZE = 1.04  # times the body's, where a number says that it is a heading
SAME_SIZE = 0.97  # of the next larger size
HEADING_SHARE = 0.2  # of a document's characters: more "headings" than this are none
OUTLINE_SHARE = 0.5  # of the outline found on its pages, for the outline alone to be believed
COVER_PAGES = 5  # from so many pages on, what is set only on the first like nowhere else is cover
PARAGRAPH_CHARACTERS = 50
WRAPPED_WIDTH = 0.6  # of the page's text: a shorter line had no need to be wrapped
REPEATS = 2  # a heading that comes more often runs at the top of pages

_NUMBERED = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|\(\d{1,2}\))\s+[「『“\"]?[^\W\d_]"
    r"|-\d{1,2}(?:-\d{1,2}){0,3}\s+[\u0590-\u08ff]"  # of text from right to left
)
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff]")
_CAPTION = re.compile(r"(?:fig(?:ure|\.)?|table|listing|example|exhibit)\s+[\dIVXA-Z]", re.I)
_NAMED = re.compile(
    r"(part|chapter|item|section|article|appendix|annex|note)\s+[\dIVXA-Z]+\b", re.I
)
_NAMED_RANK = {"part": 0, "chapter": 0, "item": 1, "section": 1, "article": 1}
_NOT_WORD = re.compile(r"[\W_]+")
_SENTENCE_END = (".", "!", "?", ":", ";", "。", "！", "？", "”")
_NO_HEADING_END = (".", ",", ";", "。", "-", "–", "—", "/", "=", "+", "…")

Place = tuple[int, int]  # page and line, both from 0
_Rank = tuple[float, int, int, int]
_Style = tuple[float, str]  # height in terms of the body's, and "bold", "italic" or ""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline. `page` counts from 0, `level` from 1."""

    level: int
    title: str
    page: int


@dataclass(frozen=True, slots=True)
class HeadingLines:
    """A heading's level, and how many lines it takes."""

    level: int
    lines: int


def find_headings(
    pages: Sequence[Sequence[Line]], kinds: Sequence[Sequence[str]], outline: Sequence[Bookmark]
) -> dict[Place, HeadingLines]:
    """Return the headings by the place of their first line; a doubtful one is none."""
    marked = _from_outline(pages, outline)
    if len(marked) >= max(2, OUTLINE_SHARE * len(outline)):
        return marked
    return _from_fonts(pages, kinds)


def largest(pages: Sequence[Sequence[Line]], headings: Mapping[Place, HeadingLines]) -> str:
    """Return the heading that is set largest on these pages, the first of equals."""
    best, height = "", 0.0
    for (page, at), heading in sorted(headings.items()):
        if page < len(pages) and pages[page][at].height > 1.05 * height:
            best = " ".join(line.text for line in pages[page][at : at + heading.lines])
            height = pages[page][at].height
    return best


# --- the outline -------------------------------------------------------------------------------


def _from_outline(
    pages: Sequence[Sequence[Line]], outline: Sequence[Bookmark]
) -> dict[Place, HeadingLines]:
    """Find the lines that the outline's entries name, each on its page."""
    found: dict[Place, HeadingLines] = {}
    used: set[Place] = set()
    keys: dict[int, list[str]] = {}
    for mark in outline:
        wanted = _key(mark.title)
        if not wanted or not 0 <= mark.page < len(pages):
            continue
        if mark.page not in keys:
            keys[mark.page] = [_key(line.text) for line in pages[mark.page]]
        lines = pages[mark.page]
        best: tuple[float, int, int] | None = None  # height, then line and count of lines
        for at in range(len(lines)):
            count = _matching_lines(keys[mark.page], at, wanted)
            taken = any((mark.page, at + n) in used for n in range(count))
            if count and not taken and (not best or lines[at].height > 1.05 * best[0]):
                best = (lines[at].height, at, count)  # the first of equals, not a running title
        if best:
            _, at, count = best
            found[mark.page, at] = HeadingLines(mark.level, count)
            used.update((mark.page, at + n) for n in range(count))
    return found


def _matching_lines(keys: Sequence[str], at: int, wanted: str) -> int:
    """Return how many lines from `at` on spell a title, numbering aside; 0 for none."""
    text = ""
    for count, key in enumerate(keys[at : at + HEADING_LINES], start=1):
        text += key
        shorter, longer = sorted((text, wanted), key=len)
        if text == wanted or (
            len(shorter) >= 4 and longer.endswith(shorter) and len(longer) - len(shorter) <= 12
        ):
            return count
        if not wanted.startswith(text):
            break
    return 0


def _key(title: str) -> str:
    return _NOT_WORD.sub("", title).casefold()


# --- fonts -------------------------------------------------------------------------------------


def _from_fonts(
    pages: Sequence[Sequence[Line]], kinds: Sequence[Sequence[str]]
) -> dict[Place, HeadingLines]:
    """Find lines set larger or heavier than the body, alone, short, and no sentence."""
    lines = [line for page in pages for line in page]
    if not lines:
        return {}
    body = _body(lines)
    styles: dict[Place, _Style] = {}
    for number, page in enumerate(pages):
        for at, line in enumerate(page):
            if not kinds[number][at] and _is_heading(page, kinds[number], at, body):
                styles[number, at] = (round(line.height / body.height, 1), line.style)
    set_apart = sum(len(pages[page][at].text) for page, at in styles)
    if set_apart > HEADING_SHARE * sum(len(line.text) for line in lines):
        styles = {place: style for place, style in styles.items() if style[0] >= 1.3}
    repeated = Counter(_key(pages[page][at].text) for page, at in styles)
    styles = _in_steps(
        {
            place: style
            for place, style in styles.items()
            if repeated[_key(pages[place[0]][place[1]].text)] <= REPEATS
        }
    )
    counts = _merged(pages, styles)
    ranks = {place: _rank(pages[place[0]][place[1]].text, styles[place]) for place in counts}
    if len(pages) >= COVER_PAGES:
        ranks = _without_cover(ranks)
    levels = _levels(ranks)
    return {place: HeadingLines(levels[place], counts[place]) for place in ranks}


def _levels(ranks: Mapping[Place, _Rank]) -> dict[Place, int]:
    """Nest each heading in the last one before it that is more prominent."""
    levels = {}
    above: list[_Rank] = []
    for place in sorted(ranks):
        while above and above[-1] >= ranks[place]:
            above.pop()
        above.append(ranks[place])
        levels[place] = min(len(above), 6)
    return levels


def _in_steps(styles: Mapping[Place, _Style]) -> dict[Place, _Style]:
    """Make sizes that hardly differ one: a letter's box is not the same in every line."""
    steps: dict[float, float] = {}
    step = last = max((size for size, _ in styles.values()), default=0.0)
    for size in sorted({size for size, _ in styles.values()}, reverse=True):
        if size < SAME_SIZE * last:
            step = size
        steps[size] = step
        last = size
    return {place: (steps[size], style) for place, (size, style) in styles.items()}


def _rank(text: str, style: _Style) -> _Rank:
    """Return what orders headings, the most prominent first: size, weight, name, numbering."""
    named = _NAMED.match(text)
    name = _NAMED_RANK.get(named[1].lower(), 2) if named else 2
    numbered = _NUMBERED.match(text)
    dots = numbered[0].split()[0].rstrip(".").count(".") if numbered else 0
    return -style[0], ("bold", "", "italic").index(style[1]), name, dots


def _without_cover(
    ranks: dict[Place, _Rank],
) -> dict[Place, _Rank]:
    """Drop what is set only on the first page, but for the most prominent: it heads nothing."""
    elsewhere = {rank for (page, _), rank in ranks.items() if page}
    cover = [place for place, rank in ranks.items() if not place[0] and rank not in elsewhere]
    keep = min(cover, key=lambda place: (ranks[place], place), default=None)
    return {p: rank for p, rank in ranks.items() if p == keep or p not in cover}


def _merged(pages: Sequence[Sequence[Line]], styles: Mapping[Place, _Style]) -> dict[Place, int]:
    """Put the lines of a wrapped heading together: its first line and how many it has.

    More lines in one style than a heading has are text in bold.
    """
    merged = {}
    for run in _runs(pages, styles):
        if len(run) <= HEADING_LINES:
            merged[run[0]] = len(run)
    return merged


def _runs(pages: Sequence[Sequence[Line]], styles: Mapping[Place, _Style]) -> Iterable[list[Place]]:
    run: list[Place] = []
    for page, at in sorted(styles):
        goes_on = (
            bool(run)
            and run[-1] == (page, at - 1)
            and styles[run[-1]] == styles[page, at]
            and _wraps(pages[page], at, larger=styles[page, at][0] >= HEADING_SIZE)
        )
        if run and not goes_on:
            yield run
            run = []
        run.append((page, at))
    if run:
        yield run


def _wraps(page: Sequence[Line], at: int, *, larger: bool) -> bool:
    """Whether a line of a heading goes on the one above: close below it, and that one is long."""
    above, line = page[at - 1], page[at]
    if _NUMBERED.match(line.text) or _NAMED.match(line.text):
        return False
    close = -0.3 * line.height < above.bottom - line.top < 0.5 * line.height
    return close and (larger or above.right - above.left >= WRAPPED_WIDTH * _width(page))


def _body(lines: Sequence[Line]) -> Line:
    """Return a line as most of the text is set."""
    weights: Counter[tuple[int, str]] = Counter()
    example: dict[tuple[int, str], Line] = {}
    for line in lines:
        key = (round(line.height * 2), line.style)
        weights[key] += len(line.text)
        example[key] = line
    return example[max(weights, key=lambda key: (weights[key], key))]


def _is_heading(page: Sequence[Line], kinds: Sequence[str], at: int, body: Line) -> bool:
    line = page[at]
    if not _could_be_heading(line):
        return False
    if line.height >= HEADING_SIZE * body.height:
        # A formula is high, but set no larger. Sizes up to 1.5 are scaled by a matrix.
        scaled = min(line.font_size, body.font_size) <= 1.5
        return scaled or line.font_size >= 1.05 * body.font_size
    if line.height >= NUMBERED_SIZE * body.height and _heads_numbered(page, kinds, at):
        return True
    if not line.style or line.style == body.style:
        return False
    return _heads_a_paragraph(page, kinds, at, body)


def _heads_numbered(page: Sequence[Line], kinds: Sequence[str], at: int) -> bool:
    """Whether a numbered line, a little larger than the next, stands off what is above it."""
    line = page[at]
    if not _NUMBERED.match(line.text) or at + 1 >= len(page) or kinds[at + 1]:
        return False
    off = not at or page[at - 1].bottom - line.top > 0.25 * line.height
    off = off or page[at - 1].top < line.top  # the next column
    below = page[at + 1]
    return off and line.top > below.top and line.height >= NUMBERED_SIZE * below.height


def _could_be_heading(line: Line) -> bool:
    text = line.text
    letters = sum(map(str.isalpha, text))
    return (
        len(text) <= HEADING_CHARACTERS
        and len(text.split()) <= HEADING_WORDS
        and line.cells_left < 0
        and not line.hyphenated
        and not text.endswith(_NO_HEADING_END)
        and letters >= max(3, 0.5 * len(text.replace(" ", "")))
        and (text[0].isalpha() or bool(_NUMBERED.match(text)))
    )


def _heads_a_paragraph(page: Sequence[Line], kinds: Sequence[str], at: int, body: Line) -> bool:
    """Whether a line in the body's size, but heavier, stands above something that it can head."""
    line = page[at]
    if at + 1 >= len(page) or page[at + 1].top > line.top:
        return False
    if kinds[at + 1]:  # a table
        far = not at or page[at - 1].bottom - line.top > line.height
        return far and line.style == "bold" and bool(_NUMBERED.match(line.text))
    if _CAPTION.match(line.text):
        return False
    if line.height < 0.95 * body.height and not _heads_small_print(page, at, body):
        return False
    if (at and not _stands_off(page[at - 1], line)) or line.text.split()[0].islower():
        return False
    if _NAMED.match(line.text) or _NUMBERED.match(line.text):
        return True
    if line.style == "bold" and _is_capitals(line.text):
        return True
    last = at
    while last < at + HEADING_LINES and last + 1 < len(page) and _same_style(page[last + 1], line):
        last += 1
    if last + 1 >= len(page) or kinds[last + 1] or page[last + 1].top > line.top:
        return False
    below = page[last + 1]
    if _RIGHT_TO_LEFT.search(line.text):
        indent = abs(line.right - below.right)
    else:
        indent = abs(line.left - below.left)
    at_edge = indent < 2 * line.height or abs(line.left - body.left) < 2
    return at_edge and below.style != line.style and len(below.text) >= PARAGRAPH_CHARACTERS


def _heads_small_print(page: Sequence[Line], at: int, body: Line) -> bool:
    """Whether a line smaller than the body is short, and stands above text as small as itself."""
    line, below = page[at], page[at + 1]
    alike = 0.9 * below.height <= line.height and below.height < 0.95 * body.height
    return alike and line.right - line.left < WRAPPED_WIDTH * _width(page)


def _width(page: Sequence[Line]) -> float:
    return max(x.right for x in page) - min(x.left for x in page)


def _same_style(line: Line, other: Line) -> bool:
    return line.style == other.style and abs(line.height - other.height) < 0.05 * other.height


def _stands_off(above: Line, line: Line) -> bool:
    """Whether a line doesn't go on what stands above it."""
    far = above.bottom - line.top > 0.25 * line.height or above.top < line.top
    return far or above.style == line.style or above.text.endswith(_SENTENCE_END)


def _is_capitals(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    return len(text.split()) >= 3 and sum(map(str.isupper, letters)) > 0.7 * len(letters)
