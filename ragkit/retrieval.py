"""Search: from a query to the best chunks, each with the reasons for its place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ragkit import ranking
from ragkit.citations import Passage, Quote
from ragkit.errors import FingerprintMismatch, QueryError
from ragkit.extraction import Candidate, quotable
from ragkit.lexical import plain_words, query_terms
from ragkit.ports import Embedder, Match, Reranker, TokenMatcher, TokenPassage
from ragkit.prompts import fill_query
from ragkit.store import Found, SqliteStore
from ragkit.text import STOP_WORDS, clean
from ragkit.text import sentences as sentences_of
from ragkit.types import Filters, Fingerprint, Hit, Mode

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# How deep each list is read before they are fused (measured with the fusion, DESIGN 4).
LIST_DEPTH = 100
# How many of the best are read once more, and what each reading counts for in the final score:
# SciFact's train queries and the dev half of SQuAD 2.0 (docs/retrieval.md).
RERANK_DEPTH = 30
_RERANK_WEIGHTS = {"whole": 0.35, "sentence": 0.3}  # the rest is the fused score's
# The share of a reranker of one's own, which reads sentence by sentence.
RERANK_WEIGHT = 0.8
MAX_LIMIT = 1_000
_MAX_QUERY_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What a search found, and what the gate needs to judge it.

    `passages` are the hits' chunks in the same order. `sentences` are those of the passages, with
    their scores where there was a reranker, else 0. `background` are the query's cosines with
    chunks spread over the index. `terms` are what the lexical list was asked for, `corrections`
    those among them that stand for a word of the query which no chunk holds.
    """

    query: str
    hits: tuple[Hit, ...]
    passages: tuple[Passage, ...]
    sentences: tuple[Candidate, ...]
    background: tuple[float, ...] = ()
    terms: tuple[str, ...] = ()
    corrections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
    matcher: TokenMatcher | None = None,
) -> Retrieval:
    """Find the best chunks for a query, best first.

    `semantic_weight` is the semantic list's share of a hybrid score, from 0 to 1. The best are
    read once more by the `matcher`, token by token, or else by the `reranker`.
    Raises QueryError for a query that can't be run, IndexStateError, ProviderError.
    """
    query = _checked(query, limit)
    vector = None if mode == "lexical" else embed_query(store, embedder, query)
    with store.snapshot():
        corrections = {} if mode == "semantic" else store.corrections(plain_words(query))
        terms = [] if mode == "semantic" else query_terms(query)
        terms.extend(itertools.chain.from_iterable(corrections.values()))
        lists, background = _lists(
            store,
            terms,
            vector,
            mode=mode,
            depth=max(LIST_DEPTH, limit),
            filters=filters,
        )
        weights = {"lexical": 1 - semantic_weight, "semantic": semantic_weight}
        ranked = ranking.fuse(lists, weights=weights if len(lists) > 1 else {mode: 1.0})
        found = store.found([item.number for item in ranked[: max(limit, RERANK_DEPTH)]])
        sentences: dict[int, list[Candidate]] = {}
        if matcher is not None:
            ranked = _matched(store, ranked, found, matcher, query)
    if reranker is not None and matcher is None:
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
        ),
        background=background,
        terms=tuple(terms),
        corrections=corrections,
    )


def read_sentences(found: Retrieval, reranker: Reranker | None) -> Retrieval:
    """Return the retrieval with its passages' sentences, scored where there is a reranker."""
    if found.sentences:
        return found
    quotes = [quote for passage in found.passages for quote in quotable(passage)]
    scores: Sequence[float] = [0.0] * len(quotes)
    if reranker is not None:
        scores = reranker.score(found.query, [quote.in_context for quote in quotes])
    candidates = (Candidate(quote, score) for quote, score in zip(quotes, scores, strict=True))
    return replace(found, sentences=tuple(candidates))


def _passage(place: int, found: Found) -> Passage:
    return Passage(place, found.chunk, found.document_hash, found.headings, found.pages)


def _matched(
    store: SqliteStore,
    ranked: Sequence[ranking.Ranked],
    found: Mapping[int, Found],
    matcher: TokenMatcher,
    query: str,
) -> list[ranking.Ranked]:
    """Reorder the best by how well they, and the best sentence of each, meet the query's words."""
    head = ranked[:RERANK_DEPTH]
    records = store.token_records([item.number for item in head])
    if lacking := [item.number for item in head if item.number not in records]:
        texts = [_passage(0, found[number]).surroundings for number in lacking]
        records |= dict(zip(lacking, matcher.token_records(texts), strict=True))
    passages = []
    for item in head:
        text = found[item.number].chunk.text
        passages.append(TokenPassage(records[item.number], len(text), sentences_of(text)))
    matches = matcher.match_tokens(query, passages, weight=_told_by(store))
    least = Match(0.0, ())
    whole = [(match or least).whole for match in matches]
    best = [max((match or least).sentences, default=0.0) for match in matches]
    return ranking.rerank(ranked, {"whole": whole, "sentence": best}, weights=_RERANK_WEIGHTS)


def _told_by(store: SqliteStore) -> Callable[[str], float]:
    """Return how much a word of a query tells: its idf in this index, 0 for a stop word.

    Robertson and Zaragoza 2009, with 1 added so that no word counts against a passage.
    """
    count = store.chunk_count()

    def weight(word: str) -> float:
        if word.lower() in STOP_WORDS or not any(map(str.isalnum, word)):
            return 0.0
        frequency = min(map(store.chunk_frequency, store.tokens(word)), default=count)
        return math.log1p((count - frequency + 0.5) / (frequency + 0.5))

    return weight


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
    weights = {"rerank": RERANK_WEIGHT}
    return ranking.rerank(ranked, {"rerank": best}, weights=weights), sentences


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
