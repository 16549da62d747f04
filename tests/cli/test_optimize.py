"""`ragkit optimize`, and what `ragkit stats` says of a large index."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Ragkit
from tests.drawn import drawn, fill, opened


@pytest.fixture
def large(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of enough vectors for a vector index, in the way of nothing else."""
    monkeypatch.setenv("RAGKIT_VECTOR_INDEX_FROM", "2000")
    with opened(folder / "large.db") as store:
        fill(store, drawn(2_500, seed=1))
    return folder / "large.db"


def test_a_large_index_is_optimized_and_says_so(ragkit: Ragkit, large: Path) -> None:
    """Each step is told; stats then shows cells where it showed none."""
    before = ragkit("stats", "--db", str(large))
    assert "vector index\tnone; all vectors are scanned" in before.out
    done = ragkit("optimize", "--db", str(large))
    assert done.code == 0
    assert "put 2,500 vectors into the vector index" in done.err
    assert "merge the word index" in done.err
    after = ragkit("stats", "--db", str(large))
    assert "cells, trained on 2,500 vectors, 0 holes" in after.out


def test_the_report_as_json(ragkit: Ragkit, large: Path) -> None:
    """Steps and sizes in bytes; and the parts of the file in those of stats."""
    body = ragkit("optimize", "--json", "--quiet", "--db", str(large)).json
    assert not body["interrupted"]
    assert body["steps"][0].startswith("put ")
    assert body["size_after"] > body["size_before"] > 0
    stats = ragkit("stats", "--json", "--db", str(large)).json
    assert stats["vector_index"]["ready"]
    assert stats["vector_index"]["recall"] > 0.9
    assert {"vectors", "vector index", "words", "texts", "chunks"} <= stats["sizes"].keys()
    assert sum(stats["sizes"].values()) == pytest.approx(stats["size_bytes"], rel=0.05)


def test_a_file_of_many_holes_is_written_anew(ragkit: Ragkit, large: Path) -> None:
    """What was removed takes no space any more."""
    with opened(large) as store:
        for place in range(0, 2_000, 50):
            store.remove(f"d{place}")
    before = large.stat().st_size
    assert "write the file without its free space" in ragkit("optimize", "--db", str(large)).err
    assert large.stat().st_size < before / 2
    assert ragkit("stats", "--db", str(large), "--json").json["vectors"] == 500


def test_an_index_that_is_not_there_is_not_made(ragkit: Ragkit, folder: Path) -> None:
    """There is nothing to optimize."""
    assert ragkit("optimize", "--db", str(folder / "no.db")).code == 4
    assert not (folder / "no.db").exists()
