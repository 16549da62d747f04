"""Token vectors in the index: kept beside the vectors, and gone with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit.index import Index
from ragkit.providers.local import MiniLM
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.types import Hit
from tests.documents import BREAD, FERRY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two documents, ingested with token vectors and without."""
    folder = tmp_path_factory.mktemp("tokens")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "ferry.md").write_text(FERRY, encoding="utf-8")
    (docs / "bread.md").write_text(BREAD, encoding="utf-8")
    for name, kept in (("with.db", True), ("without.db", False)):
        with opened(folder / name, token_vectors=kept) as index:
            index.ingest(docs)
    yield folder


def opened(path: Path, **settings: object) -> Index:
    return Index.open(path, Settings(**settings), environ={})  # type: ignore[arg-type]


def records(path: Path) -> dict[int, bytes]:
    store = SqliteStore(path)
    found = store.token_records(range(100))
    store.close()
    return found


def reading(hits: list[Hit]) -> set[str]:
    """Return what was read once more of the hits."""
    return {name for hit in hits for name in hit.scores} - {"lexical", "semantic"}


def test_each_chunk_has_a_record(folder: Path) -> None:
    """Or none has, where the setting says so."""
    with opened(folder / "with.db") as index:
        assert len(records(folder / "with.db")) == index.stats().chunks > 0
    assert records(folder / "without.db") == {}


def test_a_search_reads_what_is_kept(folder: Path) -> None:
    """By default it reranks where that costs milliseconds, and only there."""
    with opened(folder / "with.db") as index:
        assert reading(index.search("dogs on board")) == {"whole", "sentence"}
        assert reading(index.search("dogs on board", mode="lexical")) == set()
    with opened(folder / "with.db", rerank="off") as index:
        assert reading(index.search("dogs on board")) == set()
    with opened(folder / "without.db", token_vectors=False) as index:
        assert reading(index.search("dogs on board")) == set()


def test_what_isnt_kept_is_made(folder: Path) -> None:
    """Asked for, a rerank finds the same order without the records as with them."""
    with opened(folder / "with.db") as kept, opened(folder / "without.db", rerank="on") as made:
        first, second = kept.search("dogs on board"), made.search("dogs on board")
    assert [hit.chunk.text for hit in first] == [hit.chunk.text for hit in second]
    assert reading(second) == {"whole", "sentence"}


def test_records_go_with_their_chunks(folder: Path, tmp_path: Path) -> None:
    """Nothing is left of a document that is removed."""
    with opened(tmp_path / "index.db") as index:
        index.ingest(folder / "docs")
        before = len(records(index.path))
        index.remove("bread.md")
        assert 0 < len(records(index.path)) < before
        index.remove("ferry.md")
        assert records(index.path) == {}


def test_records_come_from_the_index_and_the_cache(folder: Path, tmp_path: Path) -> None:
    """A copy of a document, and another index, have them without a text being embedded."""
    environ = {"HOME": str(tmp_path)}
    for name in ("a.db", "b.db"):
        with Index.open(tmp_path / name, Settings(), environ=environ) as index:
            report = index.ingest(folder / "docs")
            assert (report.chunks_embedded > 0) == (name == "a.db")
    assert sorted(records(tmp_path / "a.db").values()) == sorted(
        records(tmp_path / "b.db").values()
    )


def test_vectors_of_the_cache_without_records_are_embedded_again(
    folder: Path, tmp_path: Path
) -> None:
    """Whoever turns token vectors on gets them."""
    environ = {"HOME": str(tmp_path)}
    for name, kept in (("a.db", False), ("b.db", True), ("c.db", False)):
        with Index.open(tmp_path / name, Settings(token_vectors=kept), environ=environ) as index:
            embedded = index.ingest(folder / "docs").chunks_embedded
            assert (embedded > 0) == (name != "c.db")
            assert bool(records(index.path)) == kept


def test_a_reindex_brings_records_along(folder: Path, tmp_path: Path) -> None:
    """Smaller chunks have theirs, and the old set has its own again after a rollback."""
    with opened(tmp_path / "index.db") as index:
        index.ingest(folder / "docs")
        before = records(index.path)
    with opened(tmp_path / "index.db", chunk_tokens=40) as index:
        assert index.reindex().swapped
        assert len(records(index.path)) == index.stats().chunks != len(before)
        index.rollback()
        assert records(index.path) == before


def test_an_embedder_that_is_handed_in_keeps_its_tokens(tmp_path: Path, folder: Path) -> None:
    """As it does when the settings choose it."""
    with Index(SqliteStore(tmp_path / "index.db"), embedder=MiniLM()) as index:
        index.ingest(folder / "docs")
        assert reading(index.search("dogs on board")) == {"whole", "sentence"}
