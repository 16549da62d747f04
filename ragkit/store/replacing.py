"""Another set of chunks for the documents of an index, put in place of the one that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from ragkit.db import fetch
from ragkit.store import cells, words

CHUNKS = (
    "SELECT d.id, c.number, c.id, c.ordinal, c.start, c.end, c.first_line, c.last_line, c.page,"
    " c.heading_path, c.text"
    " FROM chunks c JOIN documents d ON d.number = c.document ORDER BY c.number"
)
VECTORS = "SELECT chunk, input_hash, embedding FROM vectors ORDER BY chunk"
TOKENS = "SELECT chunk, record FROM token_vectors ORDER BY chunk"
REQUESTS = (
    "SELECT sent_at, model, texts, estimated_tokens, tokens, milliseconds, outcome"
    " FROM requests ORDER BY number"
)

Rows = Iterable[tuple[Any, ...]]


def versions(connection: apsw.Connection) -> Mapping[str, tuple[str, str, int]]:
    """Return (uri, content hash, characters of the text) of every document by id."""
    found = fetch(connection, "SELECT id, uri, content_hash, characters FROM documents")
    return {id_: (uri, content_hash, characters) for id_, uri, content_hash, characters in found}


def empty(connection: apsw.Connection) -> None:
    """Take everything out but settings and the ledger."""
    _empty_chunks(connection)
    connection.execute("DELETE FROM texts")
    connection.execute("DELETE FROM documents")


def put_in_place(connection: apsw.Connection, *, chunks: Rows, vectors: Rows, tokens: Rows) -> None:
    """Make these the chunks and vectors of the documents, and make the words again from them.

    The rows are those of CHUNKS, VECTORS and TOKENS. They come one at a time: memory doesn't grow
    with the index. The word index keeps no text, so it can't be copied.
    """
    _empty_chunks(connection)
    numbers = dict(fetch(connection, "SELECT id, number FROM documents"))
    connection.executemany(
        "INSERT INTO chunks (document, number, id, ordinal, start, end, first_line, last_line,"
        " page, heading_path, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        ((numbers[document], *rest) for document, *rest in chunks),
    )
    connection.executemany(
        "INSERT INTO vectors (chunk, input_hash, embedding) VALUES (?, ?, ?)", vectors
    )
    connection.executemany("INSERT INTO token_vectors (chunk, record) VALUES (?, ?)", tokens)
    for number in numbers.values():
        words.put(connection, words.of_document(connection, number))


def add_requests(connection: apsw.Connection, requests: Rows) -> None:
    """Add rows of REQUESTS to the ledger."""
    connection.executemany(
        "INSERT INTO requests (sent_at, model, texts, estimated_tokens, tokens, milliseconds,"
        " outcome) VALUES (?, ?, ?, ?, ?, ?, ?)",
        requests,
    )


def _empty_chunks(connection: apsw.Connection) -> None:
    cells.drop(connection)  # to be built anew: following each row would take longer
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    connection.execute("DELETE FROM token_vectors")
    connection.execute("DELETE FROM vectors")  # first: the chunks then have nothing to cascade to
    connection.execute("DELETE FROM chunks")
