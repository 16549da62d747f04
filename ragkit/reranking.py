"""Reading the best once more: token by token, sentence by sentence, or by a chat model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from ragkit import gate, ranking, understanding
from ragkit.citations import Passage
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
) -> list[Ranked]:
    """Reorder the best by how well they, and the best sentence of each, meet the query's words."""
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
