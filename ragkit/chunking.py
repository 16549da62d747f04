"""Cuts a document into chunks: structure first, sentences last, always `text[start:end]`.

A chunk stays within one section (a heading and what stands under it) and one page, keeps its
heading, and holds whole blocks where they fit. Sections too small to be found on their own are
joined with the next one.

Where several cuts would do, the words that follow decide, not what came before: an edit moves the
cuts next to it and those further on find their places again, so that little is embedded anew.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from ragkit.text import estimate_tokens, sentences
from ragkit.types import Block, Chunk, Document, Heading, Lines, Page, Span

# Names the algorithm in the fingerprint: change it whenever the same document would be cut
# otherwise.
CHUNKER = "structure-1"

# A section below this share of the budget is joined with the next one of its parent.
_SMALL_SHARE = 0.2
# Joined sections aim at this share of the budget, which they may not exceed: with room on both
# sides of it two versions of a text soon agree again.
_JOINED_SHARE = 0.9
# A piece may go over the budget by this share rather than be cut at a bad place.
_OVER_SHARE = 0.25

# What a cut gains, in millionths of what an empty piece costs; integers, as sums of them are
# exact and so the same wherever in a document they begin. Measured by tests.benchmarks.edits.
_ANCHOR = 700_000  # the most that the words after a cut can make of it
_ANCHOR_POWER = 5  # few places are good ones, so that all agree on them
_ANCHOR_CHARACTERS = 32
_BY_DEPTH = (50_000, 0, -200_000)  # between blocks, between sentences, within one
_BESIDE_SECTION = 600_000  # between a small section and one that is not
_AFTER_HEADING = -10_000_000
_APART = 1_000_000_000
# Sizes over the budget cost this much more than those below it.
_OVER_COST = 4

# Of cuts nearer than the budget divided by this, only the best is looked at: linear time where
# items are tiny.
_GRAINS = 32

# What has no sentences is cut into about so many parts a piece.
_PARTS = 8


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never cut if it fits: a block, a sentence of a long one, or a heading.

    `anchor` is what a cut before it gains.
    """

    span: Span
    tokens: int
    anchor: int
    heading: Heading | None = None


def chunk(document: Document, *, max_tokens: int) -> list[Chunk]:
    """Return the document's chunks in reading order, each about `max_tokens` long at most.

    Tokens are estimated, so a chunk may be somewhat longer for a given model.
    """
    line_ends = newlines(document.text) if has_lines(document.media_type) else None
    paths = [(), *heading_paths(document.headings)]
    starts = [heading.span.start for heading in document.headings]
    occurrences: Counter[str] = Counter()
    chunks = []
    for ordinal, span in enumerate(spans(document, max_tokens=max_tokens)):
        text = document.text[span.start : span.end]
        chunks.append(
            Chunk(
                id=_chunk_id(document.id, text, occurrences[text]),
                document_id=document.id,
                uri=document.uri,
                title=document.title,
                collection=document.collection,
                ordinal=ordinal,
                span=span,
                lines=lines_of(span, line_ends) if line_ends is not None else None,
                page=page_at(document.pages, span.start),
                heading_path=paths[bisect_right(starts, span.start)],
                text=text,
                media_type=document.media_type,
            )
        )
        occurrences[text] += 1
    return chunks


def contexts(chunks: Sequence[Chunk], document: Document) -> list[str]:
    """Return what a reader of each chunk alone would miss: headings above, its table's header."""
    starts = [block.span.start for block in document.blocks]
    headers = _table_headers(document.blocks)
    found = []
    for chunk in chunks:
        outside = [title for title in chunk.heading_path if title not in chunk.text]
        lines = [" › ".join(outside)] if outside else []
        index = bisect_right(starts, chunk.span.start) - 1
        header = headers[index] if index >= 0 else None
        if header and header.start < chunk.span.start:
            lines.append(document.text[header.start : header.end])
        found.append("\n".join(lines))
    return found


def _table_headers(blocks: Sequence[Block]) -> list[Span | None]:
    """Return for each block the header of the table that it is a row of."""
    headers: list[Span | None] = []
    header: Span | None = None
    for block in blocks:
        if block.kind == "table_header":
            header = block.span
        elif block.kind != "table_row":
            header = None
        headers.append(header if block.kind == "table_row" else None)
    return headers


def spans(document: Document, *, max_tokens: int) -> list[Span]:
    """Return where to cut: spans in order, not overlapping, that cover all but white space."""
    units = _units(document, max_tokens)
    return [
        Span(piece[0].span.start, piece[-1].span.end)
        for section in _joined(_sections(units, document), max_tokens)
        for piece in _pack(section, max_tokens)
    ]


_LINE_END = re.compile(r"\n")
_WHITE_SPACE = re.compile(r"\s+")
_ANY = re.compile(r".")


# --- units -------------------------------------------------------------------------------------


def _units(document: Document, max_tokens: int) -> list[_Unit]:
    text = document.text
    blocks = [block for block in document.blocks if block.kind != "front_matter"]
    if not blocks and not document.headings:
        stripped = text.strip()
        start = len(text) - len(text.lstrip())
        blocks = [Block("paragraph", Span(start, start + len(stripped)))] if stripped else []
    units = [unit for block in blocks for unit in _split(text, block.span, max_tokens, block.kind)]
    for heading in document.headings:
        first, *rest = _split(text, heading.span, max_tokens, "heading")
        units += [replace(first, heading=heading), *rest]
    return sorted(units, key=lambda unit: unit.span.start)


def _split(text: str, span: Span, max_tokens: int, kind: str, depth: int = 0) -> list[_Unit]:
    """Cut a block that is too long: at line ends where lines mean something, else by sentence."""
    tokens = estimate_tokens(text[span.start : span.end])
    if tokens <= max_tokens:
        return [_Unit(span, tokens, _anchor(text, span.start, depth))]
    pieces = _lines(text, span) if kind == "code" else _sentences(text, span)
    if len(pieces) == 1:
        pieces = _parts(text, pieces[0], tokens, max_tokens)
        kind, deeper = "part", 2
    else:
        deeper = max(1, depth)
    if len(pieces) == 1:
        return [_Unit(pieces[0], tokens, _anchor(text, span.start, depth))]
    return [
        unit
        for number, piece in enumerate(pieces)
        for unit in _split(text, piece, max_tokens, kind, deeper if number else depth)
    ]


def _anchor(text: str, position: int, depth: int) -> int:
    """Return what a cut here gains, by the words that follow and nothing else."""
    words = text[position : position + _ANCHOR_CHARACTERS].encode()
    share = (zlib.crc32(words) & 0xFFFF) / 0xFFFF
    return int(_ANCHOR * share**_ANCHOR_POWER) + _BY_DEPTH[depth]


def _parts(text: str, span: Span, tokens: int, max_tokens: int) -> list[Span]:
    """Cut what has no sentences into small parts, at white space where there is some.

    Each ends at the place among those in reach that the characters after it choose, so that an
    edit moves only a few.
    """
    characters = (span.end - span.start) * max_tokens // (tokens * _PARTS)
    size = 1 << max(0, characters.bit_length() - 1)  # an edit changes it hardly ever
    parts = []
    start = span.start
    while start < span.end:
        end = (
            _cut_within(text, start + size, start + 2 * size)
            if start + 2 * size < span.end
            else span.end
        )
        part = _strip(text, start, end)
        start = end
        if part.start < part.end:
            parts.append(part)
    return parts


def _cut_within(text: str, low: int, high: int) -> int:
    """Return a line end, or other white space, or any place between two offsets, by content."""
    window = text[low:high]
    for pattern in (_LINE_END, _WHITE_SPACE, _ANY):
        if places := [low + match.start() for match in pattern.finditer(window)]:
            return min(places, key=lambda at: zlib.crc32(text[at : at + 12].encode()))
    return high


def _lines(text: str, span: Span) -> list[Span]:
    """The code's paragraphs where it has more than one, else its lines."""
    for separator in ("\n\n", "\n"):
        pieces = _split_at(text, span, separator)
        if len(pieces) > 1:
            return pieces
    return pieces


def _split_at(text: str, span: Span, separator: str) -> list[Span]:
    pieces = []
    start = span.start
    while start < span.end:
        if text[start] == "\n":  # one more empty line
            start += 1
            continue
        found = text.find(separator, start, span.end)
        end = span.end if found < 0 else found
        if text[start:end].strip():
            pieces.append(Span(start, end))
        start = end + len(separator)
    return pieces


def _sentences(text: str, span: Span) -> list[Span]:
    inside = sentences(text[span.start : span.end])
    return [Span(span.start + s.start, span.start + s.end) for s in inside]


def _strip(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)


# --- sections ----------------------------------------------------------------------------------


def _sections(units: Iterable[_Unit], document: Document) -> list[list[_Unit]]:
    """Group the units: a new group at each heading that follows text, and at each page."""
    sections: list[list[_Unit]] = []
    page: int | None = None
    for unit in units:
        here = page_at(document.pages, unit.span.start)
        after_text = bool(sections) and sections[-1][-1].heading is None
        if not sections or (unit.heading and after_text) or (here != page and after_text):
            sections.append([])
        sections[-1].append(unit)
        page = here
    return sections


def _joined(sections: Sequence[list[_Unit]], max_tokens: int) -> list[list[_Unit]]:
    """Join small sections with the next where they fit and the next isn't a level above."""
    if not sections:
        return []
    sizes = [_tokens(section) for section in sections]
    gains = [0]
    small = _SMALL_SHARE * max_tokens
    for before, after, section in zip(sizes, sizes[1:], sections[1:], strict=False):
        if min(before, after) >= small or before + after > max_tokens:
            gains.append(_APART)
        elif max(before, after) >= small:
            gains.append(_BESIDE_SECTION)
        else:
            gains.append(section[0].anchor)
    levels = [section[0].heading.level if section[0].heading else 0 for section in sections]
    budget = max(1, int(_JOINED_SHARE * max_tokens))
    return [
        [unit for section in sections[start:end] for unit in section]
        for start, end in _best_cuts(sizes, gains, budget, most=max_tokens, levels=levels)
    ]


def _tokens(units: Iterable[_Unit]) -> int:
    return sum(unit.tokens for unit in units)


def _pack(section: Sequence[_Unit], max_tokens: int) -> list[Sequence[_Unit]]:
    """Cut a section that is too long between its units; a heading stays with what follows it."""
    sizes = [unit.tokens for unit in section]
    if sum(sizes) <= max_tokens:
        return [section]
    gains = [unit.anchor for unit in section]
    for index, (before, after) in enumerate(pairwise(section), start=1):
        if before.heading and not after.heading:
            gains[index] = _AFTER_HEADING
    most = int((1 + _OVER_SHARE) * max_tokens)
    return [
        section[start:end]
        for start, end in _best_cuts(sizes, gains, max_tokens, most=most, levels=[0] * len(sizes))
    ]


def _best_cuts(
    sizes: Sequence[int],
    gains: Sequence[int],
    max_tokens: int,
    *,
    most: int,
    levels: Sequence[int],
) -> list[tuple[int, int]]:
    """Return the runs of items, of at most so many tokens each, that are best all in all.

    A run costs the square of what it lacks of the budget and gains what a cut before its first
    item does. No run holds an item of a level above its first one's; 0 is no level. The best
    choice at one place depends on what is near: two versions of a text agree on most of it.
    """
    costs = [_cost(size, max_tokens) for size in range(most + 1)]
    ends = list(accumulate(sizes, initial=0))
    reaches = _reaches(levels)
    grain = max_tokens // _GRAINS
    best, begins = [0], [0]
    starts: deque[tuple[int, int]] = deque()  # with the score up to each, its gain included
    for end in range(1, len(ends)):
        last = (end - 1, best[end - 1] + gains[end - 1])
        close = starts and ends[end - 1] - ends[starts[-1][0]] < grain
        if close and last[1] > starts[-1][1]:
            starts.pop()
            close = False
        if not close:
            starts.append(last)
        while starts and ends[end] - ends[starts[0][0]] > most:
            starts.popleft()
        begin, top = last[0], last[1] - costs[min(sizes[end - 1], most)]
        for start, score in starts:
            if end <= reaches[start] and score - costs[ends[end] - ends[start]] > top:
                begin, top = start, score - costs[ends[end] - ends[start]]
        best.append(top)
        begins.append(begin)
    return _runs(begins)


def _reaches(levels: Sequence[int]) -> list[int]:
    """Return for each item the next one of a level above its own, or the number of items."""
    reaches = [len(levels)] * len(levels)
    waiting: list[int] = []
    for index, level in enumerate(levels):
        while level and waiting and levels[waiting[-1]] > level:
            reaches[waiting.pop()] = index
        if level:
            waiting.append(index)
    return reaches


def _runs(begins: Sequence[int]) -> list[tuple[int, int]]:
    """Follow the begin of the run that ends at each place, from the last place to the first."""
    runs = []
    end = len(begins) - 1
    while end:
        runs.append((begins[end], end))
        end = begins[end]
    return runs[::-1]


def _cost(size: int, max_tokens: int) -> int:
    lack = (max_tokens - size) ** 2 * 1_000_000 // max_tokens**2
    return lack * (_OVER_COST if size > max_tokens else 1)


# --- places ------------------------------------------------------------------------------------


def heading_paths(headings: Sequence[Heading]) -> list[tuple[str, ...]]:
    """Return, for each heading, the titles above it and its own, outermost first.

    >>> heading_paths([Heading(1, "A", Span(0, 3)), Heading(2, "B", Span(5, 9))])
    [('A',), ('A', 'B')]
    """
    paths = []
    open_headings: list[Heading] = []
    for heading in headings:
        while open_headings and open_headings[-1].level >= heading.level:
            open_headings.pop()
        open_headings.append(heading)
        paths.append(tuple(above.title for above in open_headings))
    return paths


def path_at(headings: Sequence[Heading], position: int) -> tuple[str, ...]:
    """Return the titles above a position; a heading's own line counts as under it."""
    above = [heading for heading in headings if heading.span.start <= position]
    return heading_paths(above)[-1] if above else ()


def lines_of(span: Span, newlines: Sequence[int]) -> Lines:
    """Return the lines that a span touches, given the offsets of all line ends."""
    first = bisect_right(newlines, span.start - 1)
    last = bisect_right(newlines, max(span.start, span.end - 1) - 1)
    return Lines(first + 1, last + 1)


def newlines(text: str) -> list[int]:
    """Return the offsets of all line ends."""
    return [match.start() for match in _LINE_END.finditer(text)]


def has_lines(media_type: str) -> bool:
    """Whether a line of the stored text is a line of the file, so that it can be cited."""
    return media_type in _TEXT_TYPES or (
        media_type.startswith("text/") and media_type not in ("text/html", "text/vtt")
    )


def is_prose(media_type: str) -> bool:
    """Whether a sentence may run over a line end, as in hard-wrapped text, unlike rows and code."""
    return media_type in _PROSE


_PROSE = frozenset("text/plain text/markdown text/x-rst text/asciidoc text/x-tex".split())

# Kept as they are, though their names don't say that they are text.
_TEXT_TYPES = frozenset(
    "application/json5 application/sql application/toml application/xml application/yaml".split()
)


def page_at(pages: Sequence[Page], position: int) -> int | None:
    """Return the number of the page that a position stands on; None where there are no pages."""
    if not pages:
        return None
    index = bisect_right(pages, position, key=lambda page: page.span.start) - 1
    return pages[max(0, index)].number


def _chunk_id(document_id: str, text: str, occurrence: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in (document_id, text, str(occurrence)):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
