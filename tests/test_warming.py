"""Warming up: what a first search would wait for is there before it, and nobody was asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragkit import Index, MiniLM, Settings, SqliteStore, config
from ragkit.errors import IndexDamaged
from ragkit.ports import EmbedKind
from ragkit.testing import HashEmbedder, ScriptedChat
from tests.documents import BREAD, FERRY
from tests.tempico import TempicoServer

QUESTION = "Do dogs need a muzzle below deck?"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "ferry.md").write_text(FERRY)
    (folder / "bread.md").write_text(BREAD)
    return folder


class Counting(HashEmbedder):
    """Counts how often it was asked."""

    asked = 0

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        self.asked += 1
        return super().embed(texts, kind=kind)


def test_the_model_and_the_statistics_are_there(tmp_path: Path, docs: Path) -> None:
    """The model in the form that is quick, and what the store remembers of the index."""
    path = tmp_path / "index.db"
    with Index(SqliteStore(path), embedder=MiniLM()) as index:
        index.ingest(docs)
    model = MiniLM()
    store = SqliteStore(path)
    with Index(store, embedder=model) as index:
        index.warm_up()
        network, remembered = model._network, dict(store._remembered._values)
        assert network is not None
        assert network.optimised
        assert "background" in remembered
        assert index.search(QUESTION)[0].chunk.uri.endswith("ferry.md")
        assert model._network is network
        assert dict(store._remembered._values) == remembered


def test_nobody_is_asked(tmp_path: Path, docs: Path) -> None:
    """No endpoint, for neither its embedder nor its chat model; and nothing is written."""
    with TempicoServer() as server:
        environ = {
            "HOME": str(tmp_path),
            "TEMPICO_BASE_URL": server.base_url,
            "TEMPICO_API_KEY": server.key,
        }
        settings = config.resolve(
            {"rewrite": True, "rerank": "chat"}, environ=environ, cwd=tmp_path
        )
        path = tmp_path / "index.db"
        with Index.open(path, settings, environ=environ) as index:
            index.ingest(docs)
        asked, content = len(server.requests), path.read_bytes()
        with Index.open(path, settings, environ=environ) as index:
            index.warm_up()
            assert len(server.requests) == asked
            assert index.conversations() == []
        assert path.read_bytes() == content


def test_parts_that_were_handed_in_are_left_alone(tmp_path: Path, docs: Path) -> None:
    """What they do when they are asked is not known here: they may ask somebody else."""
    embedder, chat = Counting(64), ScriptedChat("Dogs do [1].")
    store = SqliteStore(tmp_path / "index.db")
    with Index(store, embedder=embedder, chat=chat, settings=Settings(rewrite=True)) as index:
        index.ingest(docs)
        before = embedder.asked
        index.warm_up()
        assert (embedder.asked, chat.requests) == (before, [])
        assert "background" in store._remembered._values


def test_without_an_index(tmp_path: Path) -> None:
    """There is the model to load; no file is made."""
    model = MiniLM()
    with Index(SqliteStore(tmp_path / "index.db"), embedder=model) as index:
        index.warm_up()
    assert model._network is not None
    assert list(tmp_path.iterdir()) == []


def test_an_index_without_a_document(tmp_path: Path, docs: Path) -> None:
    """One that has lost its last document has nothing to be asked about."""
    with Index(SqliteStore(tmp_path / "index.db"), embedder=HashEmbedder(64)) as index:
        index.ingest(docs / "ferry.md")
        index.remove("ferry.md")
        index.warm_up()


def test_a_damaged_index(tmp_path: Path) -> None:
    """What a search would say of it is said now."""
    (tmp_path / "index.db").write_bytes(b"not a database" * 1000)
    with (
        Index(SqliteStore(tmp_path / "index.db"), embedder=HashEmbedder(64)) as index,
        pytest.raises(IndexDamaged),
    ):
        index.warm_up()
