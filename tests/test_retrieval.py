"""Search: which chunks are found, in what order, and what each says of its place."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import retrieval
from ragkit.errors import FingerprintMismatch, IndexNotFound, QueryError
from ragkit.retrieval import MAX_LIMIT, RERANK_DEPTH, Retrieval, read_sentences
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Filters, Hit, Mode
from tests.documents import EMBEDDER, FERRY, document, filled, put


class Marking:
    """A reranker that knows which words it likes."""

    name = "marking"

    def __init__(self, liked: str) -> None:
        self.liked = liked
        self.texts: list[str] = []

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        self.texts = list(texts)
        return [1.0 if self.liked in text else -1.0 for text in texts]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store of two documents that no test changes."""
    made = filled(tmp_path_factory.mktemp("store") / "index.db")
    yield made
    made.close()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store of forty documents that differ in a number."""
    made = SqliteStore(tmp_path_factory.mktemp("crowd") / "index.db")
    for number in range(40):
        text = f"# Boat {number}\n\nThe boat of number {number} is as red as all the others are.\n"
        put(made, document(text, uri=f"file:///boats/{number}.md", id_=f"boat-{number}"))
    yield made
    made.close()


def search(store: SqliteStore, query: str, **options: Any) -> Retrieval:
    return retrieval.search(store, EMBEDDER, query, **options)


def texts(found: Retrieval) -> list[str]:
    return [hit.chunk.text for hit in found.hits]


def ids(found: Retrieval) -> list[str]:
    return [hit.chunk.id for hit in found.hits]


# --- lists and their fusion --------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
def test_the_chunk_that_answers_comes_first(store: SqliteStore, mode: Mode) -> None:
    """In every mode, where words and meaning agree."""
    found = search(store, "Do dogs need a muzzle below deck?", mode=mode)
    assert "Dogs need a muzzle" in texts(found)[0]


@pytest.mark.parametrize(
    ("mode", "lists"),
    [
        ("hybrid", {"lexical", "semantic"}),
        ("semantic", {"semantic"}),
        ("lexical", {"lexical"}),
    ],
)
def test_hits_explain_themselves(store: SqliteStore, mode: Mode, lists: set[str]) -> None:
    """A hit has its rank and score in each list that found it, and in no other."""
    hits = search(store, "muzzle", mode=mode).hits
    assert set(hits[0].ranks) == set(hits[0].scores) == lists
    assert {rank for hit in hits for rank in hit.ranks.values()} <= set(range(1, 7))
    for name in lists:
        listed = sorted((h for h in hits if name in h.ranks), key=lambda h: h.ranks[name])
        assert [hit.ranks[name] for hit in listed] == list(range(1, len(listed) + 1))
        values = [hit.scores[name] for hit in listed]
        assert values == sorted(values, reverse=True)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert 0 <= hits[-1].score <= hits[0].score <= 1


def test_what_only_one_list_finds_is_found(store: SqliteStore) -> None:
    """The words of one chunk make the lexical list; the semantic one holds all of them."""
    found = search(store, "muzzle")
    assert len(found.hits) == len(search(store, "muzzle", mode="semantic").hits)
    assert [hit.ranks.get("lexical") for hit in found.hits].count(None) == len(found.hits) - 1


def test_a_misspelt_word_finds_what_was_meant(store: SqliteStore) -> None:
    """A word that no chunk holds is joined by its neighbours, and the search says by which."""
    found = search(store, "muzle for the dogs", mode="lexical")
    assert found.terms == ("muzle", "dogs", "muzzle")
    assert found.corrections == {"muzle": ("muzzle",)}
    assert "Dogs need a muzzle" in texts(found)[0]
    right = search(store, "muzzle for the dogs", mode="lexical")
    assert (right.terms, right.corrections) == (("muzzle", "dogs"), {})
    assert ids(right) == ids(found)


def test_meaning_needs_no_words(store: SqliteStore) -> None:
    """A semantic search asks the word index for nothing."""
    found = search(store, "muzle for the dogs", mode="semantic")
    assert (found.terms, found.corrections) == ((), {})


@pytest.mark.parametrize(("weight", "like"), [(0.0, "lexical"), (1.0, "semantic")])
def test_the_weight_of_meaning(store: SqliteStore, weight: float, like: Mode) -> None:
    """All the weight on one list is that list's order."""
    query = "twelve hours of rest for dough, twelve euros"
    best = ids(search(store, query, mode=like))[:2]
    assert ids(search(store, query, semantic_weight=weight))[:2] == best


def test_similarities_are_cosines(store: SqliteStore) -> None:
    """The semantic score is that of the vectors themselves."""
    query = "Do dogs need a muzzle?"
    (vector,) = EMBEDDER.embed([query], kind="query")
    for hit in search(store, query, mode="semantic").hits:
        (other,) = EMBEDDER.embed([f"{hit.chunk.title}\n{hit.chunk.text}"], kind="document")
        assert hit.scores["semantic"] == pytest.approx(float(np.dot(vector, other)), abs=1e-5)


def test_the_query_is_worded_as_the_index_wants_it(tmp_path: Path) -> None:
    """The fingerprint's template goes around it, not that of today's settings."""
    seen: list[str] = []

    class Listening(HashEmbedder):
        def embed(self, texts: Sequence[str], *, kind: Any) -> Any:
            seen.extend(f"{kind}: {text}" for text in texts)
            return super().embed(texts, kind=kind)

    store = filled(tmp_path / "index.db")
    retrieval.search(store, Listening(64), " muz\u00adzle? ")
    store.close()
    assert seen == ["query: muzzle?"]


def test_ties_are_broken_by_the_chunk(crowd: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is equally good comes in the order of its coming in, also where a list is cut."""
    everything = [f"file:///boats/{number}.md" for number in range(40)]
    found = search(crowd, "red", mode="lexical", limit=40)
    assert len({hit.score for hit in found.hits}) == 1
    assert [hit.chunk.uri for hit in found.hits] == everything
    monkeypatch.setattr(retrieval, "LIST_DEPTH", 3)
    found = search(crowd, "red", mode="lexical", limit=3)
    assert [hit.chunk.uri for hit in found.hits] == everything[:3]


# --- filters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "lexical"])
@pytest.mark.parametrize(
    "filters",
    [
        Filters(paths=("kitchen/**",)),
        Filters(paths=("bread.*",)),
        Filters(collections=("food",)),
        Filters(media_types=("text/*",), collections=("food", "drink")),
    ],
)
def test_filters(store: SqliteStore, mode: Mode, filters: Filters) -> None:
    """Only documents that pass are found, whatever matches better."""
    found = search(store, "twelve hours, dogs, salt", mode=mode, filters=filters)
    assert {hit.chunk.uri for hit in found.hits} == {"file:///kitchen/bread.md"}


def test_filters_come_before_the_cut(crowd: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that passes is found, however many that don't would stand before it."""
    monkeypatch.setattr(retrieval, "LIST_DEPTH", 3)
    for mode in ("hybrid", "semantic", "lexical"):
        found = search(
            crowd, "red boat number 1", mode=mode, limit=1, filters=Filters(paths=("29.md",))
        )
        assert [hit.chunk.uri for hit in found.hits] == ["file:///boats/29.md"]
        assert next(iter(found.hits[0].ranks.values())) == 1


def test_a_filter_that_nothing_passes(store: SqliteStore) -> None:
    """Nothing is found then."""
    assert search(store, "dogs", filters=Filters(paths=("*.pdf",))).hits == ()


# --- limits and odd queries --------------------------------------------------------------------


def test_the_limit(crowd: SqliteStore) -> None:
    """So many hits and no more; a longer list begins with the shorter one."""
    query = "red boat of number 7"
    longest = ids(search(crowd, query, limit=MAX_LIMIT))
    assert len(longest) == 40
    for limit in (1, 8, RERANK_DEPTH + 5):
        assert ids(search(crowd, query, limit=limit)) == longest[:limit]


@pytest.mark.parametrize("limit", [-1, 0, MAX_LIMIT + 1])
def test_a_limit_that_makes_no_sense(store: SqliteStore, limit: int) -> None:
    """It is refused with the bounds."""
    with pytest.raises(QueryError, match=f"the limit is {limit}") as caught:
        search(store, "dogs", limit=limit)
    assert caught.value.hint == f"choose a number from 1 to {MAX_LIMIT}"


@pytest.mark.parametrize("query", ["", "  \n", "\u200b\ufeff", "\x00"])
def test_an_empty_query(store: SqliteStore, query: str) -> None:
    """What nobody can see is empty too."""
    with pytest.raises(QueryError, match="the question is empty"):
        search(store, query)


SYNTAX = st.lists(
    st.sampled_from(
        [
            *('"', "'", "*", "(", ")", "^", ":", "-", "+", ",", ";", "--", "\\", "{", "}", "\n"),
            *("AND", "OR", "NOT", "NEAR", "NEAR(", "title:", "dogs", "words", "NULL", "?1", "%"),
        ]
    ),
    min_size=1,
    max_size=12,
)


@given(st.one_of(SYNTAX.map(" ".join), SYNTAX.map("".join), st.text(min_size=1)))
def test_any_text_is_a_query(store: SqliteStore, query: str) -> None:
    """No text is an error of the word index; at worst nothing is found by words."""
    if not query.strip() or not retrieval.clean(query).strip():
        return
    assert len(search(store, query, limit=3).hits) == 3  # by meaning, whatever the words
    for hit in search(store, query, mode="lexical").hits:
        assert hit.ranks.keys() == {"lexical"}


def test_syntax_means_nothing(store: SqliteStore) -> None:
    """The words of a query are looked for, not obeyed."""
    plain = ids(search(store, "dogs salt", mode="lexical"))
    assert len(plain) == 2
    assert set(ids(search(store, 'dogs NOT (salt) AND "', mode="lexical"))) >= set(plain)


def test_a_very_long_query(store: SqliteStore) -> None:
    """It is cut, and what comes first counts."""
    assert "muzzle" in texts(search(store, "muzzle " + "x" * 100_000))[0]


# --- reranking ---------------------------------------------------------------------------------


def test_the_reranker_reorders(store: SqliteStore) -> None:
    """The best sentence decides; hits say what it got, and sentences have their scores."""
    reranker = Marking("Two per cent of salt")
    found = search(store, "dogs need a muzzle", reranker=reranker)
    assert "Two per cent of salt" in texts(found)[0]
    assert "muzzle" in texts(search(store, "dogs need a muzzle"))[0]
    assert [hit.scores["rerank"] for hit in found.hits] == [1.0] + [-1.0] * (len(found.hits) - 1)
    assert [c.quote.passage.number for c in found.sentences if c.score == 1.0] == [1]
    assert any(text.startswith("Bread › Salt: Two per cent") for text in reranker.texts)


def test_the_reranker_reads_the_best_alone(crowd: SqliteStore) -> None:
    """What lies deeper keeps its place behind them."""
    query = "red boat of number 7"
    before = ids(search(crowd, query, limit=40))
    found = search(crowd, query, limit=40, reranker=Marking("number 7 "))
    assert set(ids(found)[:RERANK_DEPTH]) == set(before[:RERANK_DEPTH])
    assert ids(found)[RERANK_DEPTH:] == before[RERANK_DEPTH:]
    assert ["rerank" in hit.scores for hit in found.hits] == [
        place < RERANK_DEPTH for place in range(len(found.hits))
    ]


def test_passages_and_sentences_are_those_of_the_hits(store: SqliteStore) -> None:
    """In the same order, numbered from 1, with and without a reranker."""
    for reranker in (None, Marking("muzzle")):
        found = read_sentences(
            store, search(store, "dogs", limit=3, reranker=reranker), reranker=reranker
        )
        assert [p.number for p in found.passages] == [1, 2, 3]
        assert [p.chunk for p in found.passages] == [hit.chunk for hit in found.hits]
        assert {c.quote.passage.number for c in found.sentences} == {1, 2, 3}
        assert all(c.quote.text in c.quote.passage.chunk.text for c in found.sentences)


def test_a_reranker_changes_nothing_of_an_empty_result(store: SqliteStore) -> None:
    """It is never asked about no texts at all in vain."""
    found = search(store, "dogs", filters=Filters(paths=("*.pdf",)), reranker=Marking("x"))
    assert (found.hits, found.passages, found.sentences) == ((), (), ())


# --- what is there to be searched --------------------------------------------------------------


def test_the_background_is_of_the_whole_index(store: SqliteStore) -> None:
    """It stands for the index, whatever the filters let pass; without vectors there is none."""
    everywhere = search(store, "dogs").background
    assert len(everywhere) == len(store.chunks("ferry")) + len(store.chunks("bread"))
    assert search(store, "dogs", filters=Filters(collections=("food",))).background == everywhere
    assert search(store, "dogs", mode="lexical").background == ()


@pytest.mark.parametrize("embedder", [HashEmbedder(32), HashEmbedder(128)])
def test_another_embedder(store: SqliteStore, embedder: HashEmbedder) -> None:
    """An index is never searched with vectors of another space: both are named."""
    with pytest.raises(FingerprintMismatch) as caught:
        retrieval.search(store, embedder, "dogs")
    assert caught.value.stored == "hash-64 (64 dimensions)"
    assert embedder.name in caught.value.current
    assert "ragkit reindex" in caught.value.hint


def test_words_need_no_embedder(store: SqliteStore) -> None:
    """A lexical search asks nothing of it, so another one does no harm."""
    assert retrieval.search(store, HashEmbedder(32), "muzzle", mode="lexical").hits


def test_an_empty_index(tmp_path: Path) -> None:
    """Nothing is found in it, which is no error."""
    store = SqliteStore(tmp_path / "index.db")
    with store.exclusive():
        pass
    modes: tuple[Mode, ...] = ("hybrid", "semantic", "lexical")
    for mode, reranker in itertools.product(modes, (None, Marking("x"))):
        assert search(store, "dogs", mode=mode, reranker=reranker).hits == ()
    store.close()


def test_no_index(tmp_path: Path) -> None:
    """That is one."""
    with pytest.raises(IndexNotFound):
        search(SqliteStore(tmp_path / "index.db"), "dogs")


def test_hits_are_the_stored_chunks(store: SqliteStore) -> None:
    """With their place in the document, character for character."""
    hits: Sequence[Hit] = search(store, "ferry dogs fares").hits
    whole = store.get("ferry")
    mine = [hit.chunk for hit in hits if hit.chunk.document_id == "ferry"]
    assert sorted(mine, key=lambda c: c.ordinal) == store.chunks("ferry")
    assert all(c.text == whole.text[c.span.start : c.span.end] for c in mine)
    assert whole.text == FERRY
