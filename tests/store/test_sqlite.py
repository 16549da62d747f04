"""The store: documents, chunks, words and vectors change together, and leave no trace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit import chunking, vectors
from ragkit.errors import DocumentNotFound, FingerprintMismatch
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Document, Filters, Fingerprint

FINGERPRINT = Fingerprint("hash-64", 64, "{text}", "{text}", chunking.CHUNKER, 200)
EMBEDDER = HashEmbedder()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(tmp_path / "index.db")
    with opened.exclusive():
        opened.claim(FINGERPRINT)
    yield opened
    opened.close()


def document(name: str, text: str, *, collection: str = "default") -> Document:
    return Document(name, f"file:///docs/{name}.md", "", text, "text/markdown", "hash", collection)


def put(store: SqliteStore, *documents: Document) -> None:
    with store.exclusive():
        for each in documents:
            chunks = chunking.chunk(each, max_tokens=40)
            rows = EMBEDDER.embed([chunk.text for chunk in chunks], kind="document")
            embeddings = [
                (vectors.input_hash(chunk.text), vectors.pack(row))
                for chunk, row in zip(chunks, rows, strict=True)
            ]
            store.put(each, chunks, embeddings, size_bytes=1, mtime_ns=1)


def found(store: SqliteStore, *terms: str, filters: Filters = Filters()) -> list[str]:
    numbers = store.lexical(terms, limit=10, allowed=store.allowed(filters))
    chunks = store.found([number for number, _ in numbers])
    return [chunks[number].chunk.document_id for number, _ in numbers]


def test_a_new_version_replaces_the_old_whole(store: SqliteStore) -> None:
    """Words and vectors of the old version are gone, those of the new one are found."""
    put(store, document("a", "Walruses sleep."))
    put(store, document("a", "Puffins fish."))
    assert (found(store, "walruses"), found(store, "puffins")) == ([], ["a"])
    assert (store.stats().documents, store.stats().chunks, store.stats().vectors) == (1, 1, 1)


def test_a_chunk_that_stays_keeps_its_id_and_number(store: SqliteStore) -> None:
    """Text that did not change is the same chunk in the next version."""
    long = "\n\n".join(f"Paragraph {n} says something of its own. " * 4 for n in range(4))
    put(store, document("a", long))
    before = {chunk.text: chunk.id for chunk in store.chunks("a")}
    put(store, document("a", long.replace("Paragraph 3", "Paragraph three")))
    after = {chunk.text: chunk.id for chunk in store.chunks("a")}
    shared = before.keys() & after.keys()
    assert shared
    assert all(before[text] == after[text] for text in shared)


def test_a_removed_document_leaves_no_word_in_the_file(store: SqliteStore, tmp_path: Path) -> None:
    """Its text is overwritten, in the rows and in the word index, not only let go of."""
    put(store, document("a", "The zanzibarquux is secret."), document("b", "Other text."))
    with store.exclusive():
        store.remove("a")
    store.close()
    for file in tmp_path.glob("index.db*"):
        assert b"zanzibarquux" not in file.read_bytes()


def test_a_rename_changes_the_name_that_is_found(store: SqliteStore) -> None:
    """The old file name is not found any more, the new one is; text and id stay."""
    put(store, document("oldname", "Puffins fish."))
    with store.exclusive():
        store.rename(
            "oldname", "file:///docs/newname.md", size_bytes=1, mtime_ns=1, collection="default"
        )
    assert (found(store, "oldname"), found(store, "newname")) == ([], ["oldname"])
    assert store.get("oldname").text == "Puffins fish."


def test_another_fingerprint_is_refused(store: SqliteStore) -> None:
    """Vectors of two models never stand in one index; the error names both."""
    other = Fingerprint("other-model", 8, "{text}", "{text}", chunking.CHUNKER, 200)
    with store.exclusive(), pytest.raises(FingerprintMismatch, match=r"hash-64.*other-model"):
        store.claim(other)


def test_filters_hold_in_both_lists_before_the_cut(store: SqliteStore) -> None:
    """The best of those that pass are found, however many better ones don't."""
    put(store, *(document(f"x{n}", "puffins puffins", collection="noise") for n in range(12)))
    put(store, document("wanted", "Once there were puffins among many other birds here."))
    only = Filters(collections=("default",))
    assert found(store, "puffins", filters=only) == ["wanted"]
    query = EMBEDDER.embed(["puffins puffins"], kind="query")[0]
    near = store.semantic(query, limit=1, allowed=store.allowed(only))
    assert store.found([near[0][0]])[near[0][0]].chunk.document_id == "wanted"


def test_an_equal_vector_has_a_cosine_of_one(store: SqliteStore) -> None:
    """Scores of the semantic list are cosines."""
    put(store, document("a", "Puffins fish."))
    query = EMBEDDER.embed(["Puffins fish."], kind="query")[0]
    assert store.semantic(query, limit=1, allowed=None)[0][1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("reference", ["a", "file:///docs/a.md", "/docs/a.md", "docs/a.md", "a.md"])
def test_a_document_goes_by_many_names(store: SqliteStore, reference: str) -> None:
    """Id, uri, path, and a path's end."""
    put(store, document("a", "Puffins fish."))
    assert store.find(reference) == "a"


def test_an_unknown_name_is_an_error(store: SqliteStore) -> None:
    """It says so, and how to list the documents."""
    with pytest.raises(DocumentNotFound, match="no document nobody"):
        store.find("nobody")


def test_filters_may_be_lists_and_see_what_is_written_later(store: SqliteStore) -> None:
    """What passes is remembered as long as nothing is written."""
    put(store, document("a", "Walruses sleep.", collection="sea"))
    lists = Filters(collections=["sea"])  # type: ignore[arg-type]
    for _ in range(2):
        assert found(store, "walruses", filters=lists) == ["a"]
    put(store, document("b", "Walruses fish.", collection="sea"))
    assert sorted(found(store, "walruses", filters=lists)) == ["a", "b"]
