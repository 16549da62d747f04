"""Reading the best once more: token by token, sentence by sentence, or by a chat model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ragkit import gate, ranking, understanding
from ragkit.citations import Passage, Quote
from ragkit.extraction import Candidate, quotable
from ragkit.ports import ChatModel, Match, Reranker, TokenMatcher, TokenPassage
from ragkit.ranking import Ranked
from ragkit.store import Found, SqliteStore
from ragkit.text import STOP_WORDS
from ragkit.text import sentences as sentences_of
from ragkit.understanding import Judgement

# How many of the best are read once more, and what each reading counts for in the final score:
# SciFact's train queries and the dev half of SQuAD 2.0 (docs/retrieval.md).
RERANK_DEPTH = 30
_RERANK_WEIGHTS = {"whole": 0.35, "sentence": 0.3}  # the rest is the fused score's
# The share of a reranker of one's own, which reads sentence by sentence.
RERANK_WEIGHT = 0.8
# How many sentences of what was found are read by the reranker, and by what they are chosen: the
# cosines of their token vectors, plus these shares of the words that they hold and of their
# passage's score. Of the questions of SQuAD 2.0's dev half whose answer is in a hit, the handful
# holds it for 99.5 %, as all sentences do; on the sample corpus for 27 of 27.
HANDFUL = 16
_HELD_WEIGHT = 0.2
_FOUND_WEIGHT = 0.3
# The share of a query's words, by idf, that the index has to know for the embedded model, which
# reads English, to say something on them. Twenty questions over the sample corpus, nDCG@10 without
# this rerank, with it, and with it from this share on: German .605 .583 .595, Spanish .580 .555
# .580, Russian .582 .553 .582, Chinese .526 .526 .526; English (30) .811 .877 .877.
_LEAST_KNOWN = 0.3


def passage(found: Found, *, number: int = 0) -> Passage:
    """Return a found chunk as it is read, under the number by which it may be cited."""
    return Passage(number, found.chunk, found.document_hash, found.headings, found.pages)


def words(store: SqliteStore, query: str) -> list[gate.Word]:
    """Return the words that a query is about, as the index knows them."""
    return gate.words(
        query,
        tokens=store.tokens,
        frequency=store.chunk_frequency,
        chunk_count=store.chunk_count(),
    )


def foreign(store: SqliteStore, query: str, corrected: Collection[str]) -> str:
    """Return why a query doesn't look like one in English; "" where it does.

    `corrected` are its words that are known by another spelling.
    """
    if not understanding.is_latin(query):
        return "the query is not in Latin letters"
    asked = words(store, query)
    respelled = {word.lower() for word in corrected}
    known = sum(w.weight for w in asked if w.is_known or w.text.lower() in respelled)
    if known < _LEAST_KNOWN * sum(word.weight for word in asked):
        return "the index knows too few of the query's words"
    return ""


# --- token by token ----------------------------------------------------------------------------


def by_tokens(
    store: SqliteStore, ranked: Sequence[Ranked], query: str, matcher: TokenMatcher
) -> tuple[list[Ranked], Mapping[int, bytes]]:
    """Reorder the best by how well they, and the best sentence of each, meet the query's words.

    Returns their token vectors too, by chunk number.
    """
    head = ranked[:RERANK_DEPTH]
    found = store.found([item.number for item in head])
    records = store.token_records([item.number for item in head])
    if lacking := [item.number for item in head if item.number not in records]:
        texts = [passage(found[number]).surroundings for number in lacking]
        records |= dict(zip(lacking, matcher.token_records(texts), strict=True))
    passages = []
    for item in head:
        text = found[item.number].chunk.text
        passages.append(TokenPassage(records[item.number], len(text), sentences_of(text)))
    matches = matcher.match_tokens(query, passages, weight=_told_by(store))
    least = Match(0.0, ())
    whole = [(match or least).whole for match in matches]
    best = [max((match or least).sentences, default=0.0) for match in matches]
    readings = {"whole": whole, "sentence": best}
    return ranking.rerank(ranked, readings, weights=_RERANK_WEIGHTS), records


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


# --- sentence by sentence ----------------------------------------------------------------------


def by_sentences(
    store: SqliteStore, ranked: Sequence[Ranked], query: str, reranker: Reranker
) -> tuple[list[Ranked], dict[int, list[Candidate]]]:
    """Reorder the best by their best sentence; return all sentences' scores by chunk number.

    A passage is as good as the sentence in it that answers best: read sentence by sentence it
    ranks better than as a whole, and costs the same.
    """
    head = ranked[:RERANK_DEPTH]
    found = store.found([item.number for item in head])
    quotes = [
        (item.number, quote) for item in head for quote in quotable(passage(found[item.number]))
    ]
    scores = reranker.score(query, [quote.in_context for _, quote in quotes])
    sentences: dict[int, list[Candidate]] = {item.number: [] for item in head}
    for (number, quote), score in zip(quotes, scores, strict=True):
        sentences[number].append(Candidate(quote, score))
    least = min(scores, default=0.0)
    best = [max((s.score for s in sentences[item.number]), default=least) for item in head]
    weights = {"rerank": RERANK_WEIGHT}
    return ranking.rerank(ranked, {"rerank": best}, weights=weights), sentences


# --- the sentences of what was found -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage whose sentences may answer: its score in the search, its token vectors if read."""

    passage: Passage
    score: float
    record: bytes = b""


def sentences_by_words(
    store: SqliteStore, query: str, readings: Sequence[Reading]
) -> list[Candidate]:
    """Return all sentences, scored by the share of the query's words, by idf, that each holds."""
    asked = words(store, query)
    return [
        Candidate(quote, gate.coverage(asked, frozenset(store.tokens(quote.text))), reading.score)
        for reading in readings
        for quote in quotable(reading.passage)
    ]


def sentences_by_reranker(
    store: SqliteStore,
    query: str,
    readings: Sequence[Reading],
    *,
    reranker: Reranker,
    matcher: TokenMatcher | None,
    parts: Sequence[str],
) -> list[Candidate]:
    """Return the sentences that are likeliest to answer, a handful, with the reranker's scores.

    The token vectors that were kept of their passages and the words that they hold choose them:
    so the cost has a bound, whatever the passages' length.
    """
    held = sentences_by_words(store, query, readings)
    near = _by_records(store, query, readings, matcher) if matcher is not None else {}
    likely = sorted(
        held,
        key=lambda item: (
            -near.get(_key(item.quote), 0.0)
            - _HELD_WEIGHT * item.score
            - _FOUND_WEIGHT * item.found,
            item.quote.passage.number,
            item.quote.span.start,
        ),
    )[:HANDFUL]
    texts = [item.quote.in_context for item in likely]
    scores = reranker.score(query, texts)
    by_part = [reranker.score(part, texts) for part in parts]
    return [
        Candidate(
            item.quote,
            scores[at],
            item.found,
            near.get(_key(item.quote), 0.0),
            tuple(part[at] for part in by_part),
        )
        for at, item in enumerate(likely)
    ]


def _by_records(
    store: SqliteStore, query: str, readings: Sequence[Reading], matcher: TokenMatcher
) -> dict[tuple[int, int], float]:
    """Return how well sentences meet the query token by token, where their passage was read."""
    read = [(reading, quotable(reading.passage)) for reading in readings if reading.record]
    passages = [
        TokenPassage(
            reading.record, len(reading.passage.chunk.text), [quote.span for quote in quotes]
        )
        for reading, quotes in read
    ]
    matches = matcher.match_tokens(query, passages, weight=_told_by(store))
    return {
        _key(quote): score
        for (_, quotes), match in zip(read, matches, strict=True)
        if match is not None
        for quote, score in zip(quotes, match.sentences, strict=True)
    }


def _key(quote: Quote) -> tuple[int, int]:
    return quote.passage.number, quote.span.start


# --- by a chat model ---------------------------------------------------------------------------


def by_chat(
    store: SqliteStore, ranked: Sequence[Ranked], query: str, chat: ChatModel
) -> tuple[Sequence[Ranked], Judgement]:
    """Put the best in the order that a chat model gives them; as they were where it gives none."""
    head = ranked[: understanding.JUDGED_DEPTH]
    found = store.found([item.number for item in head])
    chunks = [found[item.number].chunk for item in head]
    judgement = understanding.judge(
        chat,
        query,
        [(" › ".join(filter(None, (c.title, *c.heading_path))), c.text) for c in chunks],
    )
    if judgement.notice:
        return ranked, judgement
    scores = [0.0] * len(head)
    for rank, place in enumerate(judgement.order):
        scores[place] = float(len(head) - rank)
    return ranking.rerank(ranked, {"chat": scores}, weights={"chat": 1.0}), judgement
