"""Search: from a query to the best chunks, each with the reasons for its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragkit import ranking
from ragkit.errors import FingerprintMismatch, QueryError
from ragkit.ports import Embedder, Reranker
from ragkit.prompts import fill_query
from ragkit.store import SqliteStore
from ragkit.text import clean, query_terms
from ragkit.types import Filters, Fingerprint, Hit, Mode

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# How deep each list is read before they are fused (measured with the fusion, DESIGN 4).
LIST_DEPTH = 100
# How many of the best are reordered by the reranker, and its share of the final score.
RERANK_DEPTH = 10
RERANK_WEIGHT = 0.3
MAX_LIMIT = 1_000
_MAX_QUERY_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search found, and what the gate needs to judge it.

    `background` are the query's cosines with chunks spread over the index; `hashes` are those of
    the versions that the hits are chunks of, in the hits' order.
    """

    query: str
    hits: tuple[Hit, ...]
    hashes: tuple[str, ...]
    terms: tuple[str, ...]
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
    terms = query_terms(query)
    vector = None if mode == "lexical" else embed_query(store, embedder, query)
    with store.snapshot():
        lists, background = _lists(
            store, terms, vector, mode=mode, depth=max(LIST_DEPTH, limit), filters=filters
        )
        weights = {"lexical": 1 - semantic_weight, "semantic": semantic_weight}
        ranked = ranking.fuse(lists, weights=weights if len(lists) > 1 else {mode: 1.0})
        found = store.found([item.number for item in ranked[: max(limit, RERANK_DEPTH)]])
    if reranker is not None and ranked:
        head = [found[item.number].chunk.text for item in ranked[:RERANK_DEPTH]]
        ranked = ranking.rerank(ranked, reranker.score(query, head), weight=RERANK_WEIGHT)
    best = ranked[:limit]
    return Retrieval(
        query=query,
        hits=tuple(
            Hit(found[item.number].chunk, item.score, item.ranks, item.scores) for item in best
        ),
        hashes=tuple(found[item.number].document_hash for item in best),
        terms=tuple(terms),
        background=background,
    )


def embed_query(store: SqliteStore, embedder: Embedder, query: str) -> Vectors:
    """Return the unit vector of a query, worded as the index wants it.

    Raises FingerprintMismatch where the index was built with another embedder.
    """
    fingerprint = store.fingerprint()
    if fingerprint is None:  # an index without a document yet
        return embedder.embed([query], kind="query")[0]
    check_embedder(fingerprint, embedder)
    return embedder.embed([fill_query(fingerprint.query_template, query)], kind="query")[0]


def check_embedder(fingerprint: Fingerprint, embedder: Embedder) -> None:
    """Raise FingerprintMismatch unless the embedder is the one that built the index."""
    stored = (fingerprint.embedder, fingerprint.dimensions)
    current = (embedder.name, embedder.dimensions)
    if stored != current:
        raise FingerprintMismatch(
            "{} ({} dimensions)".format(*stored),
            "{} ({} dimensions)".format(*current),
            hint="use that embedder, or ingest into another index with --db",
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
