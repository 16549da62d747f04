"""The passages of a prompt: neighbours joined, paragraphs whole, and no more than fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ragkit.chunking import page_at
from ragkit.citations import Passage
from ragkit.duplicates import collapse
from ragkit.store import SqliteStore, Text
from ragkit.text import estimate_tokens
from ragkit.types import Chunk, Lines, Span

# The most that a passage is widened by on a side, in estimated tokens: three quarters of a chunk
# of the default size, so that what was found stays most of what is read.
MOST_WIDENED_TOKENS = 120
_MOST_CHARACTERS = 12 * MOST_WIDENED_TOKENS  # no prose has so long tokens; spares counting chapters
# What is read on from where a chunk was cut. Half a table or a listing is left as it is, and so
# are records, which are paragraphs of their documents.
_PROSE = frozenset({"paragraph", "list_item", "footnote"})
_RECORDS = frozenset({"application/json", "application/x-ndjson"})


@dataclass(frozen=True, slots=True)
class _Piece:
    """A span of a document, with the rank of the best passage in it, and the one it begins with."""

    rank: int
    first: Passage = field(hash=False)  # its headings may be thousands
    span: Span

    @property
    def document_id(self) -> str:
        return self.first.chunk.document_id


def joined(store: SqliteStore, passages: Sequence[Passage], *, budget: int) -> list[Passage]:
    """Return passages, given the best first, as they should be read: few, whole, and different.

    Neighbours become one passage, in reading order; one that was cut within a paragraph gets the
    whole of it where that adds little; one that says nothing new is left out. Those that fit a
    budget in estimated tokens are taken, none of them cut, and the best in any case. They are
    numbered from 1, in the order of the best passage in each. What has changed in the index since
    it was found stays as it was found.
    """
    different = [passages[kept.place] for kept in collapse([p.chunk.text for p in passages])]
    texts = _current(store.texts({each.chunk.document_id for each in different}), different)
    made: dict[_Piece, tuple[Passage, int]] = {}
    chosen: list[_Piece] = []
    for rank, passage in enumerate(different):
        whole = _Piece(rank, passage, _widened(passage, texts))
        as_found = _Piece(rank, passage, passage.chunk.span)
        for piece in (whole, as_found):
            trial = _joined([*chosen, piece], texts)
            for each in trial:
                if each not in made:
                    made[each] = _passage(each, texts)
            if sum(made[each][1] for each in trial) <= budget:
                chosen = trial
                break
        else:
            chosen = chosen or [as_found]
    best_first = sorted(chosen, key=lambda piece: piece.rank)
    return _numbered([made[piece][0] for piece in best_first])


def _numbered(passages: Sequence[Passage]) -> list[Passage]:
    """Return the passages numbered, but those that an earlier one, widened or joined, holds."""
    numbered: list[Passage] = []
    held: list[str] = []
    for passage in passages:
        words = f" {' '.join(passage.chunk.text.casefold().split())} "
        if not any(words in other for other in held):
            held.append(words)
            numbered.append(replace(passage, number=len(numbered) + 1))
    return numbered


def _current(texts: Mapping[str, Text], passages: Sequence[Passage]) -> dict[str, Text]:
    """Return the texts that are of the version that all passages of the document are of."""
    stale = {
        passage.chunk.document_id
        for passage in passages
        if (text := texts.get(passage.chunk.document_id)) is None
        or text.content_hash != passage.document_hash
        or text.text[passage.chunk.span.start : passage.chunk.span.end] != passage.chunk.text
    }
    return {id_: text for id_, text in texts.items() if id_ not in stale}


def _widened(passage: Passage, texts: Mapping[str, Text]) -> Span:
    """Return the passage's span, with the rest of the paragraphs that it begins and ends in."""
    span = passage.chunk.span
    source = texts.get(passage.chunk.document_id)
    if source is None or passage.chunk.media_type in _RECORDS:
        return span
    text, start, end = source.text, span.start, span.end
    # At a blank line nothing is cut, and most often that settles it without reading the blocks.
    before = source.block_at(start) if text[start - 2 : start] != "\n\n" else None
    after = source.block_at(end) if text[end : end + 2] != "\n\n" else None
    if before and before.kind in _PROSE and _is_little(text[before.span.start : start]):
        start = before.span.start
    if after and after.kind in _PROSE and _is_little(text[end : after.span.end]):
        end = after.span.end
    return Span(start, end)


def _is_little(text: str) -> bool:
    return len(text) <= _MOST_CHARACTERS and estimate_tokens(text) <= MOST_WIDENED_TOKENS


def _joined(pieces: Sequence[_Piece], texts: Mapping[str, Text]) -> list[_Piece]:
    """Return the pieces, those as one that overlap or have but white space between them."""
    result: list[_Piece] = []
    for piece in sorted(pieces, key=lambda each: (each.document_id, each.span.start)):
        last = result[-1] if result else None
        if last is not None and _are_neighbours(last, piece, texts):
            result[-1] = _Piece(
                min(last.rank, piece.rank),
                last.first,
                Span(last.span.start, max(last.span.end, piece.span.end)),
            )
        else:
            result.append(piece)
    return result


def _are_neighbours(piece: _Piece, following: _Piece, texts: Mapping[str, Text]) -> bool:
    source = texts.get(piece.document_id)
    if source is None or piece.document_id != following.document_id:
        return False
    return not source.text[piece.span.end : following.span.start].strip()


def _passage(piece: _Piece, texts: Mapping[str, Text]) -> tuple[Passage, int]:
    """Return the passage of a piece, and how many tokens it takes in a prompt."""
    passage = piece.first
    if piece.span != passage.chunk.span:
        passage = replace(passage, chunk=_chunk(piece, texts[piece.document_id].text))
    return passage, estimate_tokens(passage.surroundings)


def _chunk(piece: _Piece, document: str) -> Chunk:
    """Return the chunk that its piece begins with, of the whole piece.

    Its heading is still the one above: none stands within the paragraph before a chunk.
    """
    first, span = piece.first.chunk, piece.span
    text = document[span.start : span.end]
    lines = first.lines
    if lines is not None:
        line = lines.start - document.count("\n", span.start, first.span.start)
        lines = Lines(line, line + text.count("\n"))
    return replace(
        first,
        id=f"{first.id}@{span.start}-{span.end}",  # a part of a document has one span, one id
        span=span,
        lines=lines,
        page=page_at(piece.first.pages, span.start) if piece.first.pages else first.page,
        text=text,
    )
