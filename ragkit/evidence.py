"""The gate's evidence: what a search found, as the signals that the gate weighs."""

from __future__ import annotations

from dataclasses import replace

from ragkit import gate, questions
from ragkit.citations import Passage, Quote
from ragkit.gate import Evidence, Read, Word
from ragkit.gate_models import Kind
from ragkit.ports import WordMatcher
from ragkit.retrieval import Retrieval
from ragkit.store import SqliteStore


def gather(
    found: Retrieval,
    *,
    store: SqliteStore,
    matcher: WordMatcher | None,
    with_sentence: bool = True,
) -> Evidence:
    """Return what speaks for and against the answer being among what was found.

    The `matcher` is asked only where the search was read token by token, that is where its
    language is the question's. Without `with_sentence` it is the hits alone that speak.
    """
    if not found.hits:
        return Evidence("words", "hits", {})
    kind = _kind(found, matcher)
    matcher = matcher if kind == "tokens" else None
    asked = _asked(found, store)
    stands = [frozenset(store.tokens(passage.surroundings)) for passage in found.passages]
    closest = max(found.sentences, key=lambda sentence: sentence.score, default=None)
    best = closest.quote.passage if closest else found.passages[0]
    signals = gate.hit_signals(asked, found.hits, stands, found.background)
    signals |= gate.text_signals(found.query, asked, _passage(best, found.query, store, matcher))
    if closest and with_sentence:
        sentence = _sentence(closest.quote, found.query, store, matcher)
        signals |= gate.sentence_signals(found.query, asked, sentence)
    return Evidence(
        kind=kind,
        stage="sentence" if closest and with_sentence else "hits",
        signals=signals,
        unknown=tuple(word.text for word in asked if word.is_name and not word.is_known),
        opposites=questions.opposite(found.query, best.surroundings),
    )


def _asked(found: Retrieval, store: SqliteStore) -> list[Word]:
    """Return the question's words; one that the index knows by another spelling is known."""
    with store.snapshot():
        asked = gate.words(
            found.query,
            tokens=store.tokens,
            frequency=store.chunk_frequency,
            chunk_count=store.chunk_count(),
        )
    respelt = {word.lower() for word in found.corrections}
    return [
        replace(word, is_known=True) if word.text.lower() in respelt else word for word in asked
    ]


def _kind(found: Retrieval, matcher: WordMatcher | None) -> Kind:
    if matcher is not None and any("whole" in hit.scores for hit in found.hits):
        return "tokens"
    return "vectors" if any("semantic" in hit.scores for hit in found.hits) else "words"


def _passage(
    passage: Passage, question: str, store: SqliteStore, matcher: WordMatcher | None
) -> Read:
    text = passage.surroundings
    similarities = matcher.match_words(question, text) if matcher else None
    return Read(text, text, frozenset(store.tokens(text)), similarities)


def _sentence(quote: Quote, question: str, store: SqliteStore, matcher: WordMatcher | None) -> Read:
    """Return a sentence with its neighbours, and how the question's words compare with it."""
    window = _window(quote.passage, quote)
    return Read(
        text=quote.text,
        window=window,
        stands=frozenset(store.tokens("\n".join((*quote.above, window)))),
        similarities=matcher.match_words(question, quote.in_context) if matcher else None,
    )


def _window(passage: Passage, quote: Quote) -> str:
    spans = passage.sentences()
    places = [at for at, span in enumerate(spans) if span.start <= quote.span.start < span.end]
    at = places[0] if places else 0
    near = spans[max(0, at - 1) : at + 2]
    return passage.chunk.text[near[0].start : near[-1].end] if near else quote.text
