"""Documents and chunks read back from their rows (entries.py writes them)."""

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


def document_infos(
    connection: apsw.Connection, numbers: Iterable[int], *, after: str = "", limit: int = 0
) -> list[DocumentInfo]:
    """Return the list's lines for these documents, by uri: so many after that one, 0 for all."""
    found = fetch(
        connection,
        "SELECT d.id, d.uri, d.title, d.media_type, d.content_hash, d.collection, d.characters,"
        " (SELECT count(*) FROM chunks c WHERE c.document = d.number), d.updated_at"
        " FROM documents d WHERE d.number IN (SELECT value FROM json_each(?)) AND d.uri > ?"
        " ORDER BY d.uri LIMIT ?",
        _json(list(numbers)),
        after,
        limit or -1,
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


def chunks_within(connection: apsw.Connection, documents: str) -> NDArray[np.int64]:
    """Return the numbers of all chunks of some documents, a JSON list of numbers."""
    import numpy as np  # noqa: PLC0415  takes 0.1 s, and who lists documents needs none

    found = connection.execute(
        "SELECT number FROM chunks WHERE document IN (SELECT value FROM json_each(?))",
        (documents,),
    )
    return np.fromiter((number for (number,) in found), np.int64)


def chunk_numbers(connection: apsw.Connection, document: int) -> list[int]:
    """Return the numbers of a document's chunks."""
    found = fetch(connection, "SELECT number FROM chunks WHERE document = ?", document)
    return [number for (number,) in found]


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
