"""A document on its way into the index: its chunks, and the texts that are embedded for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragkit import chunking, vectors
from ragkit.cache import cache_key
from ragkit.indexing.embedding import Text
from ragkit.prompts import fill_document
from ragkit.types import Chunk, Document, Fingerprint


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be embedded and written. `inputs` are the texts to embed, one a chunk."""

    document: Document
    chunks: Sequence[Chunk]
    inputs: Sequence[str]
    size: int
    mtime_ns: int
    is_new: bool


def prepare(
    document: Document, fingerprint: Fingerprint, *, size: int, mtime_ns: int, is_new: bool
) -> Prepared:
    """Cut a document into chunks, and put the model's template around each."""
    chunks = chunking.chunk(document, max_tokens=fingerprint.chunk_tokens)
    inputs = embedded_texts(document, chunks, fingerprint)
    return Prepared(document, chunks, inputs, size, mtime_ns, is_new)


def embedded_texts(
    document: Document, chunks: Sequence[Chunk], fingerprint: Fingerprint
) -> list[str]:
    """Return the texts that are embedded for these chunks, one a chunk."""
    return [
        fill_document(
            fingerprint.document_template, title=document.title, context=context, text=chunk.text
        )
        for chunk, context in zip(chunks, chunking.contexts(chunks, document), strict=True)
    ]


def texts_of(prepared: Prepared, fingerprint: Fingerprint) -> list[Text]:
    """Return what to embed for a document, with the keys under which its vectors are known."""
    name, dimensions = fingerprint.embedder, fingerprint.dimensions
    return [
        Text(vectors.input_hash(text), cache_key(name, dimensions, text), text)
        for text in prepared.inputs
    ]
