"""A large index, for those who ingest, search and reindex: its vector index is looked after."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Filters, IngestEvent, Notice

PASSAGES = 2_200


def opened(path: Path, *, chunk_tokens: int = 30) -> Index:
    store = SqliteStore(path, cells_from=2_000)
    return Index(store, embedder=HashEmbedder(32), settings=Settings(chunk_tokens=chunk_tokens))


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """Four files of 550 passages, each of which has words of its own."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for start in range(0, PASSAGES, PASSAGES // 4):
        passages = [
            f"Berth{n} takes ship{n} of the line{n % 17}, which lies there from noon{n % 29} until"
            f" the tide{n % 31} turns, and pays toll{n} at gate{n % 37} before it leaves."
            for n in range(start, start + PASSAGES // 4)
        ]
        (folder / f"{start}.txt").write_text("\n\n".join(passages))
    return folder


def test_an_ingest_builds_the_vector_index_and_says_so(docs: Path, tmp_path: Path) -> None:
    """Searches then find by it what a scan finds; a second ingest has nothing to build."""
    told: list[IngestEvent] = []
    with opened(tmp_path / "index.db") as index:
        assert index.ingest(docs, on_event=told.append).stopped == ""
        notices = [event.text for event in told if isinstance(event, Notice)]
        assert any("the index is large: train the vector index" in text for text in notices)
        known = index.stats().vector_index
        assert known is not None
        assert known.ready
        told.clear()
        index.ingest(docs, on_event=told.append)
        assert not [event for event in told if isinstance(event, Notice)]
        for number in (3, 700, 2_100):
            query = f"Where does ship{number} lie?"
            near = index.search(query, mode="semantic")
            exact = index.search(query, mode="semantic", exact=True)
            assert [hit.chunk.id for hit in near] == [hit.chunk.id for hit in exact]
            (only,) = index.search(query, limit=1, filters=Filters(paths=("550.txt",)))
            assert only.chunk.uri.endswith("/550.txt")


def test_a_small_index_has_none(tmp_path: Path) -> None:
    """All of its vectors are scanned."""
    (tmp_path / "one.txt").write_text("The ferry leaves at noon.")
    with opened(tmp_path / "index.db") as index:
        index.ingest(tmp_path / "one.txt")
        assert index.stats().vector_index is None


def test_other_chunks_get_a_vector_index_of_their_own(docs: Path, tmp_path: Path) -> None:
    """A reindex drops the old one with the old vectors, and builds one for the new ones."""
    path = tmp_path / "index.db"
    with opened(path) as index:
        index.ingest(docs)
        before = index.stats()
    with opened(path, chunk_tokens=20) as index:
        assert index.reindex(sample=0).swapped
        after = index.stats()
        assert after.chunks != before.chunks
        assert after.vector_index is not None
        assert after.vector_index.ready
        assert after.vector_index.trained_on == after.vectors


def test_what_is_removed_is_found_no_more(docs: Path, tmp_path: Path) -> None:
    """Neither by the vector index nor by a scan."""
    with opened(tmp_path / "index.db") as index:
        index.ingest(docs)
        index.remove(str(docs / "550.txt"))
        for exact in (False, True):
            hits = index.search("Where does ship700 lie?", mode="semantic", exact=exact, limit=50)
            assert hits
            assert not any(hit.chunk.uri.endswith("/550.txt") for hit in hits)
