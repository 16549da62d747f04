"""Search: from a query to the best chunks, each with the reasons for its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragkit import ranking
from ragkit.citations import Passage, Quote
from ragkit.errors import FingerprintMismatch, QueryError
from ragkit.extraction import Candidate, quotable
from ragkit.ports import Embedder, Reranker
from ragkit.prompts import fill_query
from ragkit.store import Found, SqliteStore
from ragkit.text import clean, query_terms
from ragkit.types import Filters, Fingerprint, Hit, Mode

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# How deep each list is read before they are fused (measured with the fusion, DESIGN 4).
LIST_DEPTH = 100
# How many of the best are reordered by the reranker, and its share of the final score: dev half
# of SQuAD 2.0, nDCG@10 .897 without, .933 with these; by whole passages .922 (docs/retrieval.md).
RERANK_DEPTH = 20
RERANK_WEIGHT = 0.8
MAX_LIMIT = 1_000
_MAX_QUERY_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search found, and what the gate needs to judge it.

    `passages` are the hits' chunks in the same order. `sentences` are those of the passages, with
    their scores where there was a reranker, else 0. `background` are the query's cosines with
    chunks spread over the index.
    """

    query: str
    hits: tuple[Hit, ...]
    passages: tuple[Passage, ...]
    sentences: tuple[Candidate, ...]
    background: tuple[float, ...] = ()


def search(
    store: SqliteStore,
    embedder: Embedder,
    query: str,
    *,
    limit: int = 8,
    mode: Mode = "hybrid",
    filters: Filters = Filters(),
    semantic_weight: float = 0.5,
    reranker: Reranker | None = None,
) -> Retrieval:
    """Find the best chunks for a query, best first.

    `semantic_weight` is the semantic list's share of a hybrid score, from 0 to 1.
    Raises QueryError for a query that can't be run, IndexStateError, ProviderError.
    """
    query = _checked(query, limit)
    vector = None if mode == "lexical" else embed_query(store, embedder, query)
    with store.snapshot():
        lists, background = _lists(
            store,
            query_terms(query),
            vector,
            mode=mode,
            depth=max(LIST_DEPTH, limit),
            filters=filters,
        )
        weights = {"lexical": 1 - semantic_weight, "semantic": semantic_weight}
        ranked = ranking.fuse(lists, weights=weights if len(lists) > 1 else {mode: 1.0})
        found = store.found([item.number for item in ranked[: max(limit, RERANK_DEPTH)]])
    sentences: dict[int, list[Candidate]] = {}
    if reranker is not None:
        ranked, sentences = _reranked(ranked, found, reranker, query)
    best = ranked[:limit]
    passages = tuple(
        _passage(place, found[item.number]) for place, item in enumerate(best, start=1)
    )
    return Retrieval(
        query=query,
        hits=tuple(
            Hit(found[item.number].chunk, item.score, item.ranks, item.scores) for item in best
        ),
        passages=passages,
        sentences=tuple(
            Candidate(Quote(passage, scored.quote.span), scored.score)
            for item, passage in zip(best, passages, strict=True)
            for scored in sentences.get(item.number, ())
        )
        or tuple(Candidate(quote, 0.0) for p in passages for quote in quotable(p)),
        background=background,
    )


def _passage(place: int, found: Found) -> Passage:
    return Passage(place, found.chunk, found.document_hash, found.headings, found.pages)


def _reranked(
    ranked: Sequence[ranking.Ranked],
    found: Mapping[int, Found],
    reranker: Reranker,
    query: str,
) -> tuple[list[ranking.Ranked], dict[int, list[Candidate]]]:
    """Reorder the best by their best sentence; return all sentences' scores by chunk number.

    A passage is as good as the sentence in it that answers best: read sentence by sentence it
    ranks better than as a whole, and costs the same.
    """
    head = ranked[:RERANK_DEPTH]
    quotes = [
        (item.number, quote) for item in head for quote in quotable(_passage(0, found[item.number]))
    ]
    scores = reranker.score(query, [quote.in_context for _, quote in quotes])
    sentences: dict[int, list[Candidate]] = {item.number: [] for item in head}
    for (number, quote), score in zip(quotes, scores, strict=True):
        sentences[number].append(Candidate(quote, score))
    least = min(scores, default=0.0)
    best = [max((s.score for s in sentences[item.number]), default=least) for item in head]
    return ranking.rerank(ranked, best, weight=RERANK_WEIGHT), sentences


def embed_query(store: SqliteStore, embedder: Embedder, query: str) -> Vectors:
    """Return the unit vector of a query, worded as the index wants it.

    Raises FingerprintMismatch where the index was built with another embedder.
    """
    fingerprint = store.fingerprint()
    if fingerprint is not None:  # None: an index without a document yet
        check_embedder(fingerprint, embedder)
        query = fill_query(fingerprint.query_template, query)
    vector: Vectors = embedder.embed([query], kind="query")[0]
    return vector


def check_embedder(fingerprint: Fingerprint, embedder: Embedder) -> None:
    """Raise FingerprintMismatch unless the embedder is the one that built the index."""
    stored = (fingerprint.embedder, fingerprint.dimensions)
    current = (embedder.name, embedder.dimensions)
    if stored != current:
        raise FingerprintMismatch(
            "{} ({} dimensions)".format(*stored),
            "{} ({} dimensions)".format(*current),
            hint="use that embedder, or give the index this one with: ragkit reindex",
        )


def _checked(query: str, limit: int) -> str:
    query = clean(query).strip()[:_MAX_QUERY_CHARACTERS]
    if not query:
        raise QueryError("the question is empty", hint="say what you are looking for")
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"the limit is {limit}", hint=f"choose a number from 1 to {MAX_LIMIT}")
    return query


def _lists(
    store: SqliteStore,
    terms: Sequence[str],
    vector: Vectors | None,
    *,
    mode: Mode,
    depth: int,
    filters: Filters,
) -> tuple[dict[str, ranking.Ranking], tuple[float, ...]]:
    """Return the lists that the mode asks for, and the vector's background similarities."""
    allowed = store.allowed(filters)
    lists: dict[str, ranking.Ranking] = {}
    if mode != "semantic":
        lists["lexical"] = store.lexical(terms, limit=depth, allowed=allowed)
    if vector is None:
        return lists, ()
    lists["semantic"] = store.semantic(vector, limit=depth, allowed=allowed)
    return lists, tuple(store.background(vector))
