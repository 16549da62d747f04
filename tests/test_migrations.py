"""Indexes written by earlier releases, opened by this one."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from ragkit.db import migrations
from ragkit.index import Index
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder

FROZEN = sorted(Path(__file__).with_name("upgrades").glob("*.db"))

# A migration that was released stays as it is: another change is another file.
RELEASED = {
    "0001_initial.sql": "8af8bc1ba2a5f5668bfc57c3a0885d3580fb4acdd8b58aeef17bddb2a62fff4b",
    "0002_requests.sql": "2510b070e849d8f9ea6720a0e6eb9075fd2055bc05680281093c726f73b995e1",
    "0003_token_vectors.sql": "5a07632903cfae006eaa8bb8139c54bf34559ec5e5493e3cdd45bed5902f16c7",
    "0004_conversations.sql": "642b47ae45ac8f411932a7e3c9532c9a04e7ff86c7da82a13a996785fbdcaf8e",
    "0005_vector_index.sql": "d7b640b4620605c19a4b732c43668e090203c66fffa091eb15d1586a23ae344d",
}


@pytest.fixture(params=FROZEN, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a frozen index."""
    return Path(shutil.copy(request.param, tmp_path / "index.db"))


def test_there_is_a_frozen_index_of_the_first_schema() -> None:
    """Upgrades are tried from the very first schema on."""
    assert "first.db" in [path.name for path in FROZEN]


def test_a_released_migration_is_never_changed() -> None:
    """Each file is what it was when it was released."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for _, path in migrations()}
    assert found == RELEASED


def test_an_old_index_is_read(old: Path) -> None:
    """Its documents are listed, found and quoted."""
    with Index(SqliteStore(old), embedder=HashEmbedder()) as index:
        assert len(index.documents()) == 3
        best = index.search("how many dogs may a passenger bring")[0].chunk
        document = index.get(best.document_id)
        assert "at most two dogs" in best.text
        assert document.text[best.span.start : best.span.end] == best.text


def test_an_old_index_takes_new_documents(old: Path, tmp_path: Path) -> None:
    """An ingest brings the file up to date and adds to what it held."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "new.md").write_text("# Cats\n\nCats travel in a closed carrier.\n")
    with Index(SqliteStore(old), embedder=HashEmbedder()) as index:
        report = index.ingest(docs)
        assert (len(report.added), report.removed) == (1, ())
        assert len(index.documents()) == 4
        assert "Cats" in index.search("cats in a carrier")[0].chunk.text
