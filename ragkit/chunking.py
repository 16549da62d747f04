"""Cuts a document into chunks: structure first, sentences last, always `text[start:end]`.

A chunk stays within one section (a heading and what stands under it) and one page, keeps its
heading, and holds whole blocks where they fit. Sections too small to be found on their own are
joined with the next one.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragkit.text import estimate_tokens, sentences
from ragkit.types import Block, Chunk, Document, Heading, Lines, Page, Span

# Names the algorithm in the fingerprint: change it whenever the same document would be cut
# otherwise.
CHUNKER = "structure-1"

# A section below this share of the budget is joined with the next one of its parent.
_SMALL_SHARE = 0.2
# A piece may go over the budget by this share rather than leave a heading alone or a last one
# small.
_OVER_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is never cut if it fits: a block, a sentence of a long one, or a heading."""

    span: Span
    tokens: int
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
        units += [_Unit(first.span, first.tokens, heading), *rest]
    return sorted(units, key=lambda unit: unit.span.start)


def _split(text: str, span: Span, max_tokens: int, kind: str) -> list[_Unit]:
    """Cut a block that is too long: at line ends where lines mean something, else by sentence."""
    tokens = estimate_tokens(text[span.start : span.end])
    if tokens <= max_tokens:
        return [_Unit(span, tokens)]
    cut = _lines if kind == "code" else _sentences
    pieces = cut(text, span)
    if len(pieces) == 1:
        return _even_parts(text, pieces[0], tokens, max_tokens)
    return [unit for piece in pieces for unit in _split(text, piece, max_tokens, kind)]


def _even_parts(text: str, span: Span, tokens: int, max_tokens: int) -> list[_Unit]:
    """Cut what has no better place into parts of a size, at white space where there is some."""
    count = -(-tokens // max_tokens)
    size = max(1, (span.end - span.start) // count)
    units = []
    start = span.start
    while start < span.end:
        end = _cut_near(text, start + size, size // 4) if start + size < span.end else span.end
        part = _strip(text, start, end)
        start = end
        if part.start == part.end:
            continue
        within = estimate_tokens(text[part.start : part.end])
        if within > max_tokens and part.end - part.start > 1 and within < tokens:
            units += _even_parts(text, part, within, max_tokens)
        else:
            units.append(_Unit(part, within))
    return units


def _cut_near(text: str, position: int, reach: int) -> int:
    """Return a line end near a position, or other white space, at most so far before it."""
    line_end = text.rfind("\n", position - reach, position + 1)
    if line_end > 0:
        return line_end
    before = range(position, position - reach, -1)
    return next((at for at in before if text[at].isspace()), position)


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
    """Join a small section with the next where both fit and the next isn't a level above it."""
    joined: list[list[_Unit]] = []
    for section in sections:
        if joined and _may_join(joined[-1], section, max_tokens):
            joined[-1] = joined[-1] + section
        else:
            joined.append(section)
    return joined


def _may_join(before: Sequence[_Unit], after: Sequence[_Unit], max_tokens: int) -> bool:
    small = _SMALL_SHARE * max_tokens
    before_tokens, after_tokens = _tokens(before), _tokens(after)
    if min(before_tokens, after_tokens) >= small or before_tokens + after_tokens > max_tokens:
        return False
    first, following = before[0].heading, after[0].heading
    if following is None:
        return True
    return first is None or following.level >= first.level


def _tokens(units: Iterable[_Unit]) -> int:
    return sum(unit.tokens for unit in units)


def _pack(section: Sequence[_Unit], max_tokens: int) -> list[list[_Unit]]:
    """Fill pieces with whole units up to the budget; a heading stays with what follows it."""
    pieces: list[list[_Unit]] = [[]]
    used = 0
    for unit in section:
        only_headings = all(earlier.heading for earlier in pieces[-1])
        leads = only_headings and not unit.heading
        if used + unit.tokens > (1 + _OVER_SHARE * leads) * max_tokens and pieces[-1]:
            pieces.append([])
            used = 0
        pieces[-1].append(unit)
        used += unit.tokens
    if len(pieces) > 1 and used < _SMALL_SHARE * max_tokens:
        tail = pieces.pop()
        if _tokens(pieces[-1]) + used <= (1 + _OVER_SHARE) * max_tokens:
            pieces[-1] += tail
        else:
            pieces.append(tail)
    return pieces


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
    return [index for index, character in enumerate(text) if character == "\n"]


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
