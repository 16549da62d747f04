"""Several documents written at once: what one by one would give, all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import chunking, vectors
from ragkit.store import Entry, SqliteStore, words
from ragkit.types import Document, Filters
from tests.documents import EMBEDDER, FINGERPRINT, document

PARTS = (
    "The ferry leaves at seven from the north quay.",
    "Sourdough wants patience and a cool cellar.",
    "Dogs need a muzzle below deck in summer.",
    "A lighthouse blinks twice in ten seconds.",
)


def entry(written: Document) -> Entry:
    chunks = chunking.chunk(written, max_tokens=15)
    inputs = [f"{written.title}\n{chunk.text}" for chunk in chunks]
    rows = EMBEDDER.embed(inputs, kind="document")
    embeddings = [
        (vectors.input_hash(text), vectors.pack(row))
        for text, row in zip(inputs, rows, strict=True)
    ]
    return Entry(written, chunks, embeddings, size_bytes=1, mtime_ns=1)


def version(name: str, title: str, parts: Sequence[str]) -> Entry:
    text = "\n\n".join((f"# {title}", *parts)) + "\n"
    return entry(document(text, uri=f"file:///notes/{name}.md", id_=name))


def made(path: Path) -> SqliteStore:
    store = SqliteStore(path)
    with store.exclusive():
        store.claim(FINGERPRINT)
    return store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = made(tmp_path / "index.db")
    yield opened
    opened.close()


def put(store: SqliteStore, *groups: Sequence[Entry]) -> None:
    with store.exclusive():
        for group in groups:
            store.put_many(group)


def rows(store: SqliteStore, query: str) -> list[tuple[Any, ...]]:
    with store._db.reading() as connection:
        return connection.execute(query).fetchall()


def content(store: SqliteStore) -> object:
    """What the index holds but for the numbers that it gave: rows, vectors, and every word."""
    ids = [info.id for info in store.documents(Filters())]
    embedded = (
        "SELECT c.id, v.input_hash, v.embedding FROM vectors v"
        " JOIN chunks c ON c.number = v.chunk ORDER BY c.id"
    )
    terms = rows(store, "SELECT term, doc, cnt FROM terms ORDER BY term")
    return [(store.get(id_), store.chunks(id_)) for id_ in ids], rows(store, embedded), terms


VERSIONS = st.builds(
    version,
    st.sampled_from("abc"),
    st.sampled_from(["Travel", "Kitchen"]),
    st.lists(st.sampled_from(PARTS), max_size=4),
)


@settings(max_examples=20, deadline=None)  # two databases each
@given(groups=st.lists(st.lists(VERSIONS, max_size=4), min_size=1, max_size=4))
def test_together_is_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Entry]]
) -> None:
    """New, changed and unchanged documents in any order and grouping give the same index."""
    folder = tmp_path_factory.mktemp("entries")
    together, one_by_one = made(folder / "together.db"), made(folder / "singly.db")
    put(together, *groups)
    put(one_by_one, *([each] for group in groups for each in group))
    assert content(together) == content(one_by_one)
    ids = [info.id for info in together.documents(Filters())]
    with together.exclusive():
        for id_ in ids:
            together.remove(id_)
    assert rows(together, "SELECT count(*) FROM terms") == [(0,)]
    assert rows(together, "SELECT count(*) FROM vectors") == [(0,)]
    together.close()
    one_by_one.close()


def test_all_of_them_or_none(store: SqliteStore) -> None:
    """Where one can't be written the others of its transaction are not written either."""
    put(store, [version("a", "Travel", PARTS[:1]), version("b", "Travel", PARTS[1:2])])
    before = content(store)
    good = [version("a", "Kitchen", PARTS), version("c", "Travel", PARTS[2:])]
    taken = version("d", "Travel", PARTS[3:])
    taken = replace(taken, document=replace(taken.document, uri="file:///notes/b.md"))
    with pytest.raises(apsw.ConstraintError):
        put(store, [*good, taken])
    assert content(store) == before


def test_the_later_of_two_versions_counts(store: SqliteStore) -> None:
    """A document that stands in a group twice is what its last entry says."""
    put(store, [version("a", "Travel", PARTS[:2]), version("a", "Kitchen", PARTS[1:3])])
    assert store.info("a").title == "Kitchen"
    assert [store.lexical([word], limit=5, allowed=None) != [] for word in ("ferry", "muzzle")] == [
        False,
        True,
    ]


def test_a_uri_that_was_given_up_is_free(store: SqliteStore) -> None:
    """A new document may take the place that another one of its group leaves."""
    put(store, [version("a", "Travel", PARTS[:1])])
    moved = version("a", "Travel", PARTS[:1])
    moved = replace(moved, document=replace(moved.document, uri="file:///notes/z.md"))
    new = version("b", "Kitchen", PARTS[1:2])
    new = replace(new, document=replace(new.document, uri="file:///notes/a.md"))
    put(store, [new, moved])
    assert {info.id: info.uri for info in store.documents(Filters())} == {
        "a": "file:///notes/z.md",
        "b": "file:///notes/a.md",
    }


def test_only_the_words_of_what_changed_are_made_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of one part of a document leaves the words of the other chunks alone."""
    put(store, [version("a", "Travel", PARTS)])
    numbers = dict(rows(store, "SELECT text, number FROM chunks"))
    formed: list[int] = []
    honest = words.row

    def row(number: int, text: str, title: str, path: Sequence[str], uri: str) -> words.WordRow:
        formed.append(number)
        return honest(number, text, title, path, uri)

    monkeypatch.setattr(words, "row", row)
    put(store, [version("a", "Travel", [*PARTS[:3], "A lighthouse blinks no more."])])
    after = dict(rows(store, "SELECT text, number FROM chunks"))
    kept = {number for text, number in numbers.items() if after.get(text) == number}
    assert len(kept) >= 2
    assert formed
    assert kept.isdisjoint(formed)


def test_a_new_title_is_found_with_chunks_that_stayed(store: SqliteStore) -> None:
    """What the word index holds of a chunk follows the document's title and headings."""
    put(store, [version("a", "Travel", PARTS[:1])])
    put(store, [version("a", "Kitchen", PARTS[:1])])
    assert store.lexical(["travel"], limit=5, allowed=None) == []
    assert store.lexical(["kitchen"], limit=5, allowed=None) != []


def test_the_words_of_a_group_are_written_out_once(store: SqliteStore) -> None:
    """The word index makes one segment of a transaction's words, however many documents it has."""
    group = [version(f"d{number}", "Travel", PARTS) for number in range(20)]
    with_tokens = [
        replace(each, embeddings=[(key, packed + b"tokens") for key, packed in each.embeddings])
        for each in group
    ]
    put(store, with_tokens)
    assert rows(store, "SELECT count(DISTINCT segid) FROM words_idx") == [(1,)]


def test_nothing_to_write_is_no_change(store: SqliteStore) -> None:
    """An empty group leaves the index as it is."""
    put(store, [version("a", "Travel", PARTS)])
    before = content(store)
    put(store, [])
    assert content(store) == before
