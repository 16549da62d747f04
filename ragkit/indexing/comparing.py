"""Compares what two sets of chunks and vectors find, by queries made of the documents' words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from ragkit.chunking import heading_paths, is_prose
from ragkit.errors import ConfigError, DocumentNotFound, ProviderError
from ragkit.store import SqliteStore
from ragkit.text import sentences
from ragkit.types import Comparison, Document, Hit

OVERLAP_DEPTH = 10
FOUND_DEPTH = 5
_SENTENCE_WORDS = range(6, 31)  # shorter ones say little, longer ones are no query
_MAX_SENTENCES_READ = 2_000
_WORD = re.compile(r"\w+")

Search = Callable[[str], Sequence[Hit]]
Query = tuple[str, str]  # a document's id, and words of its own


def queries(store: SqliteStore, *, sample: int) -> list[Query]:
    """Return so many queries, the same ones for the same index, from as many documents as can be.

    Document ids are random: the first ones by id are spread over the index.
    """
    ids = sorted(known.id for known in store.known().values())[:sample]
    if not ids:
        return []
    each = -(-sample // len(ids))
    asked = [_queries_of(store, id_, each, turn) for turn, id_ in enumerate(ids)]
    in_turn = [query for row in zip_longest(*asked) for query in row if query]
    return in_turn[:sample]


def _queries_of(store: SqliteStore, id_: str, count: int, turn: int) -> list[Query]:
    try:
        document = store.get(id_)
    except DocumentNotFound:  # removed meanwhile
        return []
    kinds = [_sections(document), _salient_sentences(document)]
    if turn % 2:
        kinds.reverse()
    mixed = (query for row in zip_longest(*kinds) for query in row if query and _WORD.search(query))
    return [(id_, query) for query in list(dict.fromkeys(mixed))[:count]]


def _sections(document: Document) -> list[str]:
    """Return the headings with those above them, the deepest first."""
    paths = sorted(heading_paths(document.headings), key=lambda path: (-len(path), path))
    return [": ".join(dict.fromkeys((document.title, *path))) for path in paths]


def _salient_sentences(document: Document) -> list[str]:
    """Return the sentences with the most different words, none so long that it is a list."""
    spans = sentences(document.text, line_blocks=not is_prose(document.media_type))
    counted = []
    for span in spans[:_MAX_SENTENCES_READ]:
        words = _WORD.findall(document.text[span.start : span.end].lower())
        if len(words) in _SENTENCE_WORDS:
            counted.append((-len(set(words)), span.start, span.end))
    return [document.text[start:end] for _, start, end in sorted(counted)]


def compare(
    asked: Sequence[Query],
    *,
    before: Search | None,
    after: Search,
    notice: Callable[[str], None],
) -> Comparison:
    """Run the queries on both sides. The old one is left out where its embedder doesn't answer.

    Raises ProviderError of the new one.
    """
    new = [after(query) for _, query in asked]
    old = list(_old_hits(asked, before, notice)) if before else []
    is_whole = len(old) == len(asked)
    return Comparison(
        queries=len(asked),
        found_before=_found(asked, old) if is_whole else None,
        found_after=_found(asked, new),
        overlap=_overlap(old, new) if is_whole and asked else None,
    )


def _old_hits(
    asked: Sequence[Query], before: Search, notice: Callable[[str], None]
) -> Iterator[Sequence[Hit]]:
    try:
        for _, query in asked:
            yield before(query)
    except (ProviderError, ConfigError) as exc:
        notice(f"the old embedder doesn't answer, so only the new set is tried: {exc}")


def _found(asked: Sequence[Query], hits: Sequence[Sequence[Hit]]) -> int:
    return sum(
        any(hit.chunk.document_id == id_ for hit in found[:FOUND_DEPTH])
        for (id_, _), found in zip(asked, hits, strict=True)
    )


def _overlap(old: Sequence[Sequence[Hit]], new: Sequence[Sequence[Hit]]) -> float:
    """Return the share of old passages that still are found; they are told by their place."""
    shares = []
    for before, after in zip(old, new, strict=True):
        tops = after[:OVERLAP_DEPTH]
        kept = [hit for hit in before[:OVERLAP_DEPTH] if any(_touch(hit, top) for top in tops)]
        shares.append(len(kept) / max(1, len(before[:OVERLAP_DEPTH])))
    return sum(shares) / len(shares)


def _touch(one: Hit, other: Hit) -> bool:
    first, second = one.chunk, other.chunk
    return first.document_id == second.document_id and (
        first.span.start < second.span.end and second.span.start < first.span.end
    )
