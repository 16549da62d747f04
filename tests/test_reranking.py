"""Which sentences of what was found are read, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ragkit import extraction
from ragkit.ports import Match, TokenPassage
from ragkit.reranking import HANDFUL
from ragkit.retrieval import Retrieval, read_sentences, search
from ragkit.store import SqliteStore
from tests.documents import EMBEDDER, document, put

# Boats with a sentence each, more than are read, in two passages.
BOATS = [f"Boat number {number} is painted in red." for number in range(3 * HANDFUL)]
GOLD = "Hulls of wood are caulked with tar every spring."


class Listing:
    """A reranker that notes what it was asked, and likes what holds a word of the query."""

    name = "listing"

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        self.asked.append((query, list(texts)))
        return [float(query.rsplit(maxsplit=1)[-1].strip("?") in text) for text in texts]


class Knowing:
    """A matcher whose token vectors speak for the sentence at a place in each passage."""

    def __init__(self, place: int) -> None:
        self.place = place

    def token_records(self, texts: Sequence[str]) -> list[bytes]:
        return [b"record"] * len(texts)

    def match_tokens(
        self, query: str, passages: Sequence[TokenPassage], *, weight: Callable[[str], float]
    ) -> list[Match | None]:
        return [
            Match(0.5, tuple(float(at == self.place) for at in range(len(passage.sentences))))
            for passage in passages
        ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """Hold two passages, the second with the caulking near its end."""
    made = SqliteStore(tmp_path_factory.mktemp("store") / "index.db")
    half = len(BOATS) // 2
    for first in (0, half):
        sentences = BOATS[first : first + half]
        if first:
            sentences.insert(20, GOLD)
        text = f"# Boats\n\n{' '.join(sentences)}\n"
        put(made, document(text, id_=f"d{first}", uri=f"file:///{first}.md"), max_tokens=400)
    yield made
    made.close()


def found(store: SqliteStore, query: str, **options: object) -> Retrieval:
    return search(store, EMBEDDER, query, **options)  # type: ignore[arg-type]


def texts(read: Retrieval) -> list[str]:
    return [item.quote.text for item in read.sentences]


def test_a_handful_is_read_however_long_the_passages_are(store: SqliteStore) -> None:
    """Among them what holds the question's words; in its context, and by its score."""
    query = "How are hulls caulked?"
    reranker = Listing()
    read = read_sentences(store, found(store, query), reranker=reranker)
    ((asked, given),) = reranker.asked
    assert (asked, len(given)) == (query, HANDFUL)
    assert f"Boats: {GOLD}" in given
    assert len(texts(read)) == HANDFUL
    assert [item.quote.text for item in read.sentences if item.score == 1.0] == [GOLD]


def test_token_vectors_choose_the_handful(store: SqliteStore) -> None:
    """They find what no word of the question is in, and say how near it is."""
    matcher = Knowing(place=20)  # behind twenty boats
    hits = found(store, "What keeps water out of a vessel?", matcher=matcher, matches_all=True)
    read = read_sentences(store, hits, reranker=Listing(), matcher=matcher)
    assert GOLD in texts(read)
    assert {item.near for item in read.sentences if item.quote.text == GOLD} == {1.0}


def test_vectors_that_the_search_has_not_read_choose_nothing(store: SqliteStore) -> None:
    """Where it has skipped them, as for other languages, words and places do."""
    matcher = Knowing(place=20)
    read = read_sentences(store, found(store, "red boat"), reranker=Listing(), matcher=matcher)
    assert {item.near for item in read.sentences} == {0.0}


def test_each_thing_asked_for_is_scored(store: SqliteStore) -> None:
    """Every sentence has a score for each of the parts that are named."""
    query = "What is red, and what is caulked?"
    reranker = Listing()
    parts = extraction.parts(query)
    read = read_sentences(store, found(store, query), reranker=reranker, parts=parts)
    assert [asked for asked, _ in reranker.asked] == [query, "What is red", "what is caulked?"]
    gold = next(item for item in read.sentences if item.quote.text == GOLD)
    assert gold.by_part == (0.0, 1.0)
    assert all(len(item.by_part) == 2 for item in read.sentences)


def test_without_a_reranker_words_are_counted(store: SqliteStore) -> None:
    """By how rare they are: all sentences have the share of the question that they hold."""
    read = read_sentences(store, found(store, "Which hulls are red?"), reranker=None)
    scores = {item.quote.text: item.score for item in read.sentences}
    assert len(scores) == len(BOATS) + 1
    assert scores[GOLD] > scores[BOATS[0]] > 0.0


def test_a_sentence_knows_its_passages_score(store: SqliteStore) -> None:
    """As the search gave it."""
    hits = found(store, "How are hulls caulked?")
    read = read_sentences(store, hits, reranker=None)
    assert {(item.quote.passage.chunk.id, item.found) for item in read.sentences} == {
        (hit.chunk.id, hit.score) for hit in hits.hits
    }


def test_a_search_without_hits_has_no_sentences(tmp_path: Path) -> None:
    """Nobody is asked of nothing."""
    empty = SqliteStore(tmp_path / "index.db")
    put(empty, document("# Boats\n\nThe boat is red.\n"))
    reranker = Listing()
    nothing = found(empty, "zebra", mode="lexical")
    assert read_sentences(empty, nothing, reranker=reranker).sentences == ()
    empty.close()
