"""Small documents, as an ingest would make them, and a store to put them in."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ragkit import chunking, vectors
from ragkit.parsing import parse
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Chunk, Document, Fingerprint

EMBEDDER = HashEmbedder(dimensions=64)
FINGERPRINT = Fingerprint(
    embedder=EMBEDDER.name,
    dimensions=EMBEDDER.dimensions,
    document_template="{title}\n{text}",
    query_template="{text}",
    chunker=chunking.CHUNKER,
    chunk_tokens=60,
)

FERRY = """\
# Ferries

The morning ferry to Skarholm leaves at seven from the north quay and takes two hours.

## Fares

A crossing costs twelve euros; children under six travel free of charge on every boat.

## Dogs

Dogs need a muzzle below deck, and nothing but a good leash on the sun deck in summer.
"""
BREAD = """\
# Bread

Sourdough wants patience: let the dough rest for twelve hours in a cool and dark cellar.

## Salt

Two per cent of salt, counted on the flour, are enough for any loaf that is baked at home.
"""


def document(
    text: str, *, uri: str = "file:///notes/a.md", id_: str = "a", collection: str = "default"
) -> Document:
    """Parse a text under its uri's name."""
    data = text.encode()
    parsed = parse(data, uri=uri, name=uri.rpartition("/")[2])
    return Document(
        id=id_,
        uri=uri,
        title=parsed.title,
        text=parsed.text,
        media_type=parsed.media_type,
        content_hash=hashlib.sha256(data).hexdigest(),
        collection=collection,
        metadata=parsed.metadata,
        pages=parsed.pages,
        headings=parsed.headings,
        blocks=parsed.blocks,
    )


def put(store: SqliteStore, document: Document, *, max_tokens: int = 30) -> list[Chunk]:
    """Write a document into a store as an ingest does, and return its chunks."""
    chunks = chunking.chunk(document, max_tokens=max_tokens)
    inputs = [f"{document.title}\n{chunk.text}" for chunk in chunks]
    packed = [vectors.pack(row) for row in EMBEDDER.embed(inputs, kind="document")]
    keys = [vectors.input_hash(text) for text in inputs]
    with store.exclusive():
        store.claim(FINGERPRINT)
        store.put(
            document,
            chunks,
            list(zip(keys, packed, strict=True)),
            size_bytes=len(document.text.encode()),
            mtime_ns=1,
        )
    return chunks


def filled(path: Path) -> SqliteStore:
    """Return a store that holds FERRY as notes/ferry.md and BREAD as kitchen/bread.md."""
    store = SqliteStore(path)
    put(store, document(FERRY, uri="file:///notes/ferry.md", id_="ferry"))
    put(store, document(BREAD, uri="file:///kitchen/bread.md", id_="bread", collection="food"))
    return store
