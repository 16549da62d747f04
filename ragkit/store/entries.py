"""Documents written into the index, several at once: rows, vectors and words in step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import apsw

from ragkit import vectors
from ragkit.db import fetch
from ragkit.store import words
from ragkit.types import Chunk, Document

# What the word index is told of a chunk: number, text, title, heading path, uri.
_Worded = tuple[int, str, str, tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A document to write, with its chunks and what was embedded for them.

    `embeddings` holds for each chunk the input's hash, and its packed vector, which its token
    vectors may follow. `size_bytes` and `mtime_ns` are those of the source.
    """

    document: Document
    chunks: Sequence[Chunk]
    embeddings: Sequence[tuple[bytes, bytes]]
    size_bytes: int
    mtime_ns: int


def write(
    connection: apsw.Connection, entries: Sequence[Entry], *, vector_bytes: int, now: str
) -> None:
    """Put documents in the place of those of the same ids; unchanged chunks keep their rows.

    Call it inside a transaction. Of two entries for one document the later one counts.
    """
    latest = {entry.document.id: entry for entry in entries}
    known = _numbers_of(connection, latest)
    worded = [each for number in known.values() for each in _worded_chunks(connection, number)]
    stored = _chunks_of(connection, known.values())
    wanted = {chunk.id for entry in latest.values() for chunk in entry.chunks}
    _take_out(connection, [number for id_, number in stored.items() if id_ not in wanted])

    documents = _write_documents(connection, latest.values(), known, now=now)
    chunks = _write_chunks(connection, latest.values(), documents, stored)
    vectors.put(
        connection,
        [
            (chunks[chunk.id], key, packed)
            for entry in latest.values()
            for chunk, (key, packed) in zip(entry.chunks, entry.embeddings, strict=True)
        ],
        vector_bytes=vector_bytes,
    )
    # At the end: a statement that SQLite may have to undo by itself (INSERT with RETURNING, OR
    # REPLACE, with a SELECT) makes FTS5 write out what it has gathered, each time as a segment.
    _update_words(connection, worded, latest.values(), chunks)


def _numbers_of(connection: apsw.Connection, ids: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those of these documents that are there."""
    return dict(
        fetch(
            connection,
            "SELECT id, number FROM documents WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(list(ids)),
        )
    )


def _chunks_of(connection: apsw.Connection, documents: Iterable[int]) -> dict[str, int]:
    """Return the numbers of the chunks of these documents by id."""
    return dict(
        fetch(
            connection,
            "SELECT id, number FROM chunks WHERE document IN (SELECT value FROM json_each(?))",
            json.dumps(list(documents)),
        )
    )


def _take_out(connection: apsw.Connection, numbers: Sequence[int]) -> None:
    vectors.take_out(connection, numbers)
    connection.executemany("DELETE FROM chunks WHERE number = ?", ((n,) for n in numbers))


# --- rows --------------------------------------------------------------------------------------


def _write_documents(
    connection: apsw.Connection, entries: Iterable[Entry], known: Mapping[str, int], *, now: str
) -> dict[str, int]:
    """Write the rows and texts of documents; return their numbers by id."""
    new = [entry for entry in entries if entry.document.id not in known]
    old = [entry for entry in entries if entry.document.id in known]
    first = _next_number(connection, "SELECT max(number) FROM documents")
    given = {entry.document.id: number for number, entry in enumerate(new, first)}
    # Those that are there first: a new one may take a uri that one of them gives up.
    connection.executemany(
        "UPDATE documents SET uri = ?2, title = ?3, media_type = ?4, collection = ?5,"
        " content_hash = ?6, size_bytes = ?7, mtime_ns = ?8, characters = ?9, metadata = ?10,"
        " updated_at = ?11 WHERE id = ?1",
        ((*_document_row(entry), now) for entry in old),
    )
    connection.executemany(
        "INSERT INTO documents (id, uri, title, media_type, collection, content_hash, size_bytes,"
        " mtime_ns, characters, metadata, added_at, updated_at, number)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12)",
        ((*_document_row(entry), now, given[entry.document.id]) for entry in new),
    )
    connection.executemany(
        "UPDATE texts SET text = ?2, pages = ?3, headings = ?4, blocks = ?5 WHERE document = ?1",
        ((known[entry.document.id], *_text_row(entry.document)) for entry in old),
    )
    connection.executemany(
        "INSERT INTO texts (document, text, pages, headings, blocks) VALUES (?, ?, ?, ?, ?)",
        ((given[entry.document.id], *_text_row(entry.document)) for entry in new),
    )
    return {**known, **given}


def _document_row(entry: Entry) -> tuple[object, ...]:
    document = entry.document
    return (
        document.id,
        document.uri,
        document.title,
        document.media_type,
        document.collection,
        document.content_hash,
        entry.size_bytes,
        entry.mtime_ns,
        len(document.text),
        _json(dict(document.metadata)),
    )


def _text_row(document: Document) -> tuple[str, str, str, str]:
    return (
        document.text,
        _json([[p.number, p.span.start, p.span.end] for p in document.pages]),
        _json([[h.level, h.title, h.span.start, h.span.end] for h in document.headings]),
        _json([[b.kind, b.span.start, b.span.end] for b in document.blocks]),
    )


def _write_chunks(
    connection: apsw.Connection,
    entries: Iterable[Entry],
    documents: Mapping[str, int],
    stored: Mapping[str, int],
) -> dict[str, int]:
    """Write the rows of chunks, over those `stored`; return the numbers of all by id."""
    chunks = [(chunk, documents[entry.document.id]) for entry in entries for chunk in entry.chunks]
    new = [(chunk, document) for chunk, document in chunks if chunk.id not in stored]
    first = _next_number(connection, "SELECT max(number) FROM chunks")
    given = {chunk.id: number for number, (chunk, _) in enumerate(new, first)}
    connection.executemany(
        "UPDATE chunks SET ordinal = ?2, start = ?3, end = ?4, first_line = ?5, last_line = ?6,"
        " page = ?7, heading_path = ?8 WHERE number = ?1",
        ((stored[chunk.id], *_place_row(chunk)) for chunk, _ in chunks if chunk.id in stored),
    )
    connection.executemany(
        "INSERT INTO chunks (number, ordinal, start, end, first_line, last_line, page,"
        " heading_path, id, document, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (given[chunk.id], *_place_row(chunk), chunk.id, document, chunk.text)
            for chunk, document in new
        ),
    )
    return {**stored, **given}


def _place_row(chunk: Chunk) -> tuple[object, ...]:
    lines = chunk.lines
    return (
        chunk.ordinal,
        chunk.span.start,
        chunk.span.end,
        lines.start if lines else None,
        lines.end if lines else None,
        chunk.page,
        _json(chunk.heading_path),
    )


def _next_number(connection: apsw.Connection, greatest: str) -> int:
    """Return the first number to give out, after the greatest of a table."""
    return (fetch(connection, greatest)[0][0] or 0) + 1


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# --- words -------------------------------------------------------------------------------------


def _worded_chunks(connection: apsw.Connection, document: int) -> list[_Worded]:
    """Return what the word index was told of a document's chunks."""
    found = fetch(
        connection,
        "SELECT c.number, c.text, d.title, c.heading_path, d.uri"
        " FROM chunks c JOIN documents d ON d.number = c.document WHERE c.document = ?",
        document,
    )
    return [
        (number, text, title, tuple(json.loads(path)), uri)
        for number, text, title, path, uri in found
    ]


def _update_words(
    connection: apsw.Connection,
    worded: Iterable[_Worded],
    entries: Iterable[Entry],
    numbers: Mapping[str, int],
) -> None:
    """Bring the word index from what it was told of documents to what these entries say."""
    before = set(worded)
    after = {
        (numbers[chunk.id], chunk.text, document.title, tuple(chunk.heading_path), document.uri)
        for document, chunks in ((entry.document, entry.chunks) for entry in entries)
        for chunk in chunks
    }
    words.take_out(connection, [words.row(*each) for each in sorted(before - after)])
    words.put(connection, [words.row(*each) for each in sorted(after - before)])
