"""The word index: what is found, in which order, and that no query does anything but search."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit.store import SqliteStore, words
from ragkit.text import query_terms
from ragkit.types import Filters
from tests.documents import document, filled, put

# What FTS5 would take for its own, and what breaks statements.
SYNTAX = st.lists(
    st.sampled_from(
        [
            *"\"'()*^:+-{},.;\x00",
            "AND",
            "OR",
            "NOT",
            "NEAR(",
            "text:",
            "name :",
            "ferry",
            "--",
            "漢字",
        ]
    )
    | st.text(max_size=5),
    max_size=15,
).map(" ".join)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = filled(tmp_path_factory.mktemp("words") / "index.db")
    put(store, document("東京の犬は元気です。", uri="file:///notes/dog.md", id_="dog"))
    put(
        store,
        document(
            "Call getUserName with E-417.\n\nNaïve café owners.",
            uri="file:///src/PaymentService.md",
            id_="code",
        ),
    )
    yield store
    store.close()


def search(
    store: SqliteStore, query: str, *, limit: int = 10, filters: Filters = Filters()
) -> list[str]:
    listed = store.lexical(query_terms(query), limit=limit, allowed=store.allowed(filters))
    found = store.found([number for number, _ in listed])
    return [found[number].chunk.uri.rpartition("/")[2] for number, _ in listed]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("muzzle", "ferry.md"),
        ("MUZZLES", "ferry.md"),
        ("What does the crossing cost?", "ferry.md"),
        ("ferry.md", "ferry.md"),
        ("payment service", "PaymentService.md"),
        ("bread", "bread.md"),
        ('"sun deck"', "ferry.md"),
        ("東京", "dog.md"),
        ("user name", "PaymentService.md"),
        ("getUserName", "PaymentService.md"),
        ("E-417", "PaymentService.md"),
        ("naive cafe", "PaymentService.md"),
    ],
)
def test_words_find_their_chunk(store: SqliteStore, query: str, name: str) -> None:
    """Case, endings and accents don't matter; titles, file names and parts of names count."""
    assert search(store, query)[0] == name


def test_phrases_are_searched_as_such(store: SqliteStore) -> None:
    """Words in quotation marks have to stand side by side."""
    assert search(store, '"deck sun"') == []
    assert search(store, '"E-417"') == ["PaymentService.md"]


def test_scores_fall_and_are_positive(store: SqliteStore) -> None:
    """Higher is better, and the limit is kept."""
    listed = store.lexical(["the", "salt", "dough", "twelve"], limit=3, allowed=None)
    assert len(listed) == 3
    scores = [score for _, score in listed]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


def test_filters_come_before_the_cut(store: SqliteStore) -> None:
    """A chunk that a filter lets through is found however many better ones it shuts out."""
    everywhere = store.lexical(["the"], limit=1, allowed=None)
    assert len(everywhere) == 1
    for name in ("ferry.md", "bread.md"):
        assert search(store, "twelve", limit=1, filters=Filters(paths=(name,))) == [name]
    assert search(store, "twelve", filters=Filters(collections=("nowhere",))) == []


@settings(max_examples=300)
@given(SYNTAX)
def test_any_string_is_a_query(store: SqliteStore, query: str) -> None:
    """Syntax, control characters and broken Unicode are words at most: nothing is raised."""
    assert set(search(store, query)) <= {"ferry.md", "bread.md", "dog.md", "PaymentService.md"}


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE chunks; --",
        '" OR 1',
        "ferry NOT ferry",
        "ferry AND nothing",
        "text:ferry",
        "fer*",
    ],
)
def test_queries_change_nothing_and_are_no_programs(store: SqliteStore, query: str) -> None:
    """Operators, columns and prefixes of FTS5 have no meaning in a question."""
    before = store.path.read_bytes()
    found = search(store, query)
    assert store.path.read_bytes() == before
    assert ("ferry.md" in found) == ("ferry" in query)


def test_a_huge_query_is_cut(store: SqliteStore) -> None:
    """A hundred kilobytes of words and one endless word both come back."""
    assert search(store, "ferry " + "word " * 20_000)[0] == "ferry.md"
    assert search(store, "x" * 100_000) == []
    assert search(store, "") == []


def test_a_word_is_counted_by_chunk(store: SqliteStore) -> None:
    """The frequency of a token is the number of chunks that hold it."""
    (token,) = store.tokens("twelve")
    assert store.chunk_frequency(token) == 2
    assert store.chunk_frequency(store.tokens("muzzle")[0]) == 1
    assert store.chunk_frequency("nothing") == 0
    assert store.tokens("The Ferries of 東京") == ["the", "ferri", "of", "東京"]


def test_rows_are_the_same_for_putting_in_and_taking_out(tmp_path: Path) -> None:
    """After every document is gone not a term is left."""
    store = filled(tmp_path / "index.db")
    with store.exclusive():
        store.remove("ferry")
        store.remove("bread")
    assert store.lexical(["ferry", "salt", "the"], limit=10, allowed=None) == []
    with store._db.reading() as connection:
        assert connection.execute("SELECT count(*) FROM terms").fetchone() == (0,)
    store.close()


def test_an_old_form_of_the_words_is_made_again(tmp_path: Path) -> None:
    """An index whose words were cut in another way is rebuilt by the next writer."""
    store = filled(tmp_path / "index.db")
    with store.exclusive(), store._db.writing() as connection:
        connection.execute("UPDATE settings SET value = '0' WHERE name = 'lexical_form'")
        words.take_out(connection, words.of_document(connection, 1))
    assert store.lexical(["muzzle"], limit=10, allowed=None) == []
    with store.exclusive():
        pass
    assert len(store.lexical(["muzzle"], limit=10, allowed=None)) == 1
    assert len(store.lexical(["salt"], limit=10, allowed=None)) == 1
    store.close()
