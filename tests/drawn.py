"""Documents whose vectors are drawn, as many as a vector index needs, and a store for them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ragkit.store import SqliteStore
from ragkit.types import Chunk, Document, Fingerprint, Span

DIMENSIONS = 32
ENOUGH = 2_000  # vectors, for an index of so few
OF_A_DOCUMENT = 50
FINGERPRINT = Fingerprint("drawn", DIMENSIONS, "{text}", "{text}", "none", 100)

Array = np.ndarray[Any, np.dtype[np.float32]]


def drawn(count: int, *, seed: int, around: int = 0) -> Array:
    """Unit vectors around forty topics; another `around` draws other topics."""
    draw = np.random.default_rng(seed)
    topics = np.random.default_rng(around).normal(size=(40, DIMENSIONS))
    found = topics[draw.integers(0, 40, count)] + 0.7 * draw.normal(size=(count, DIMENSIONS))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def put(store: SqliteStore, name: str, embeddings: Array, *, collection: str = "a") -> None:
    """Write a document with a chunk for each vector over that of the same name."""
    texts = [f"{name} {vector.tobytes().hex()[:16]}" for vector in embeddings]
    uri = f"file:///{collection}/{name}.md"
    document = Document(name, uri, name, "\n".join(texts), "text/markdown", name, collection)
    ends = itertools.accumulate(len(text) + 1 for text in texts)
    chunks = [
        Chunk(
            id=text,
            document_id=name,
            uri=uri,
            title=name,
            collection=collection,
            ordinal=place,
            span=Span(end - len(text) - 1, end - 1),
            lines=None,
            page=None,
            heading_path=(),
            text=text,
            media_type="text/markdown",
        )
        for place, (text, end) in enumerate(zip(texts, ends, strict=True))
    ]
    packed = [(vector.tobytes()[:16], vector.tobytes()) for vector in embeddings]
    store.put(document, chunks, packed, size_bytes=1, mtime_ns=1)


def fill(store: SqliteStore, embeddings: Array, *, name: str = "d", collection: str = "a") -> None:
    for start in range(0, len(embeddings), OF_A_DOCUMENT):
        part = embeddings[start : start + OF_A_DOCUMENT]
        put(store, f"{name}{start}", part, collection=collection)


@contextmanager
def opened(path: Path) -> Iterator[SqliteStore]:
    """A store that gets an index of cells with few vectors, open for writing."""
    store = SqliteStore(path, cells_from=ENOUGH)
    with store.exclusive():
        store.claim(FINGERPRINT)
        yield store
    store.close()


def held(store: SqliteStore) -> set[int]:
    """The numbers of the chunks whose vectors are in the index."""
    with store._db.reading() as connection:
        return {number for (number,) in connection.execute("SELECT rowid FROM vector_cells")}


def numbers(store: SqliteStore) -> set[int]:
    with store._db.reading() as connection:
        return {number for (number,) in connection.execute("SELECT chunk FROM vectors")}
