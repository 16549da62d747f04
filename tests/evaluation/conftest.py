"""A small index with an embedder that needs no model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder

DOCUMENTS = {
    "ferry.md": "# Ferry rules\n\n## Bicycles\n\nA bicycle travels free of charge in winter.\n\n"
    "## Dogs\n\nDogs have to be on a lead on every deck.\n",
    "harbour.md": "# Harbour office\n\nThe harbour office is open from 7:30 to 18:00.\n\n"
    "| day | opens |\n|---|---|\n| Sunday | never at all, ring the bell |\n",
    "kitchen/bread.md": "# Bread\n\nBread needs flour, water, salt and a long night of rest.\n",
    "kitchen/soup.md": "# Soup\n\nSoup is stirred slowly, and salted only at the very end.\n",
}


def index_at(path: Path, **settings: object) -> Index:
    return Index(
        SqliteStore(path),
        embedder=HashEmbedder(),
        settings=Settings(**settings),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the documents in docs/ and an index of them."""
    root = tmp_path_factory.mktemp("evaluation")
    for name, text in DOCUMENTS.items():
        path = root / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with index_at(root / "index.db", chunk_tokens=24) as index:
        assert not index.ingest(root / "docs").failed
    return root


@pytest.fixture
def index(folder: Path) -> Iterator[Index]:
    """The index, which is not to be changed."""
    with index_at(folder / "index.db") as opened:
        yield opened
