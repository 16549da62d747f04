"""Documents and chunks as rows: what is written, and how it is read back."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import apsw

from ragkit.db import fetch
from ragkit.types import (
    Block,
    BlockKind,
    Chunk,
    Document,
    DocumentInfo,
    Heading,
    Lines,
    Page,
    Span,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK = (
    "c.id, d.id, d.uri, d.title, d.collection, c.ordinal, c.start, c.end,"
    " c.first_line, c.last_line, c.page, c.heading_path, c.text,"
    " d.media_type"
)


@dataclass(frozen=True)
class Text:
    """A document's text, of the version that `content_hash` names, and the blocks of it."""

    content_hash: str
    text: str
    stored_blocks: str = field(repr=False)

    @cached_property
    def _blocks(self) -> Sequence[tuple[BlockKind, int, int]]:
        """Return (kind, start, end) of all: thousands, of which few are asked for, or none."""
        blocks: Sequence[tuple[BlockKind, int, int]] = json.loads(self.stored_blocks)
        return blocks

    def block_at(self, position: int) -> Block | None:
        """Return the block that a position cuts in two; None where it cuts none."""
        index = bisect_left(self._blocks, position, key=itemgetter(1)) - 1
        if index < 0:
            return None
        kind, start, end = self._blocks[index]
        return Block(kind, Span(start, end)) if position < end else None


def write_document(
    connection: apsw.Connection, document: Document, *, size_bytes: int, mtime_ns: int, now: str
) -> int:
    """Write a document's row and text over those of the same id; return its number."""
    number: int = fetch(
        connection,
        "INSERT INTO documents (id, uri, title, media_type, collection, content_hash, size_bytes,"
        " mtime_ns, characters, metadata, added_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)"
        " ON CONFLICT (id) DO UPDATE SET uri = ?2, title = ?3, media_type = ?4, collection = ?5,"
        " content_hash = ?6, size_bytes = ?7, mtime_ns = ?8, characters = ?9, metadata = ?10,"
        " updated_at = ?11 RETURNING number",
        document.id,
        document.uri,
        document.title,
        document.media_type,
        document.collection,
        document.content_hash,
        size_bytes,
        mtime_ns,
        len(document.text),
        _json(dict(document.metadata)),
        now,
    )[0][0]
    connection.execute(
        "INSERT INTO texts (document, text, pages, headings, blocks) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (document) DO UPDATE SET text = excluded.text, pages = excluded.pages,"
        " headings = excluded.headings, blocks = excluded.blocks",
        (
            number,
            document.text,
            _json([[p.number, p.span.start, p.span.end] for p in document.pages]),
            _json([[h.level, h.title, h.span.start, h.span.end] for h in document.headings]),
            _json([[b.kind, b.span.start, b.span.end] for b in document.blocks]),
        ),
    )
    return number


def write_chunks(
    connection: apsw.Connection, document: int, chunks: Sequence[Chunk]
) -> dict[str, int]:
    """Make these the document's chunks, keeping the rows of those it had; return their numbers."""
    stored = dict(fetch(connection, "SELECT id, number FROM chunks WHERE document = ?", document))
    wanted = {chunk.id for chunk in chunks}
    connection.executemany(
        "DELETE FROM chunks WHERE number = ?",
        [(number,) for id_, number in stored.items() if id_ not in wanted],
    )
    numbers = {}
    for chunk in chunks:
        lines = chunk.lines
        numbers[chunk.id] = fetch(
            connection,
            "INSERT INTO chunks (id, document, ordinal, start, end, first_line, last_line, page,"
            " heading_path, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
            " ON CONFLICT (id) DO UPDATE SET ordinal = ?3, start = ?4, end = ?5, first_line = ?6,"
            " last_line = ?7, page = ?8, heading_path = ?9 RETURNING number",
            chunk.id,
            document,
            chunk.ordinal,
            chunk.span.start,
            chunk.span.end,
            lines.start if lines else None,
            lines.end if lines else None,
            chunk.page,
            _json(chunk.heading_path),
            chunk.text,
        )[0][0]
    return numbers


def read_document(connection: apsw.Connection, number: int) -> Document:
    """Return a whole document."""
    found = fetch(
        connection,
        "SELECT d.id, d.uri, d.title, t.text, d.media_type, d.content_hash, d.collection,"
        " d.metadata, t.pages, t.blocks, t.headings"
        " FROM documents d JOIN texts t ON t.document = d.number WHERE d.number = ?",
        number,
    )
    id_, uri, title, text, media_type, content_hash, collection, *structure = found[0]
    metadata, pages, blocks, headings = structure
    return Document(
        id=id_,
        uri=uri,
        title=title,
        text=text,
        media_type=media_type,
        content_hash=content_hash,
        collection=collection,
        metadata=json.loads(metadata),
        pages=_pages(pages),
        headings=_headings(headings),
        blocks=tuple(Block(kind, Span(a, b)) for kind, a, b in json.loads(blocks)),
    )


def document_infos(connection: apsw.Connection, numbers: Iterable[int]) -> list[DocumentInfo]:
    """Return the list's lines for these documents, by uri."""
    found = fetch(
        connection,
        "SELECT d.id, d.uri, d.title, d.media_type, d.content_hash, d.collection, d.characters,"
        " (SELECT count(*) FROM chunks c WHERE c.document = d.number), d.updated_at"
        " FROM documents d WHERE d.number IN (SELECT value FROM json_each(?)) ORDER BY d.uri",
        _json(list(numbers)),
    )
    return [DocumentInfo(*row) for row in found]


def texts(connection: apsw.Connection, ids: Iterable[str]) -> dict[str, Text]:
    """Return the texts of these documents by id."""
    found = fetch(
        connection,
        "SELECT d.id, d.content_hash, t.text, t.blocks FROM documents d"
        " JOIN texts t ON t.document = d.number WHERE d.id IN (SELECT value FROM json_each(?))",
        _json(sorted(ids)),
    )
    return {id_: Text(hash_, text, blocks) for id_, hash_, text, blocks in found}


def sources(
    connection: apsw.Connection, *, uris: Iterable[str], hashes: Iterable[str]
) -> list[tuple[Any, ...]]:
    """Return the fields of `Known` of the documents of these uris or content hashes, by uri."""
    return fetch(
        connection,
        "SELECT id, uri, collection, content_hash, size_bytes, mtime_ns FROM documents"
        " WHERE uri IN (SELECT value FROM json_each(?1))"
        " OR content_hash IN (SELECT value FROM json_each(?2)) ORDER BY uri",
        _json(sorted(uris)),
        _json(sorted(hashes)),
    )


def chunks_by_number(
    connection: apsw.Connection, numbers: Sequence[int]
) -> Iterator[tuple[int, Chunk, str, tuple[Heading, ...], tuple[Page, ...]]]:
    """Yield (number, chunk, hash of the document's version, its headings and pages), unordered."""
    found = fetch(
        connection,
        f"SELECT {_CHUNK}, c.number, d.content_hash, t.headings, t.pages"
        " FROM chunks c JOIN documents d ON d.number = c.document"
        " JOIN texts t ON t.document = d.number"
        " WHERE c.number IN (SELECT value FROM json_each(?))",
        _json(list(numbers)),
    )
    for row in found:
        yield row[-4], _chunk(row), row[-3], _headings(row[-2]), _pages(row[-1])


def chunks_of_document(connection: apsw.Connection, number: int) -> list[Chunk]:
    """Return a document's chunks in reading order."""
    found = fetch(
        connection,
        f"SELECT {_CHUNK} FROM chunks c JOIN documents d ON d.number = c.document"
        " WHERE c.document = ? ORDER BY c.ordinal",
        number,
    )
    return [_chunk(row) for row in found]


def chunk_count(connection: apsw.Connection) -> int:
    """Return how many chunks there are."""
    found: int = fetch(connection, "SELECT count(*) FROM chunks")[0][0]
    return found


def chunk_numbers(connection: apsw.Connection, documents: str) -> NDArray[np.int64]:
    """Return the numbers of all chunks of some documents, a JSON list of numbers."""
    import numpy as np  # noqa: PLC0415  takes 0.1 s, and who lists documents needs none

    found = connection.execute(
        "SELECT number FROM chunks WHERE document IN (SELECT value FROM json_each(?))",
        (documents,),
    )
    return np.fromiter((number for (number,) in found), np.int64)


def _headings(stored: str) -> tuple[Heading, ...]:
    return tuple(Heading(level, words, Span(a, b)) for level, words, a, b in json.loads(stored))


def _pages(stored: str) -> tuple[Page, ...]:
    return tuple(Page(number, Span(a, b)) for number, a, b in json.loads(stored))


def _chunk(row: tuple[Any, ...]) -> Chunk:
    id_, document_id, uri, title, collection, ordinal, start, end, first, last, page, path = row[
        :12
    ]
    return Chunk(
        id=id_,
        document_id=document_id,
        uri=uri,
        title=title,
        collection=collection,
        ordinal=ordinal,
        span=Span(start, end),
        lines=None if first is None else Lines(first, last),
        page=page,
        heading_path=tuple(json.loads(path)),
        text=row[12],
        media_type=row[13],
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
