"""The word index: FTS5 over chunks, built and queried through one form of the text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import apsw

from ragkit.db import fetch
from ragkit.text import lexical_form

# Weights of the columns text, title, headings and name in bm25.
_BM25 = "bm25(words, 1.0, 2.0, 1.5, 1.0)"
_COLUMNS = "rowid, text, title, headings, name"

WordRow = tuple[int, str, str, str, str]


def row(number: int, text: str, title: str, heading_path: Sequence[str], uri: str) -> WordRow:
    """Return what the index holds of a chunk; the same for putting it in and taking it out."""
    return (
        number,
        lexical_form(text),
        _shared_form(title),
        _shared_form("\n".join(heading_path)),
        _name(uri),
    )


@lru_cache(maxsize=256)  # what a document's chunks have in common
def _shared_form(text: str) -> str:
    return lexical_form(text)


@lru_cache(maxsize=256)
def _name(uri: str) -> str:
    return lexical_form(unquote(PurePosixPath(urlsplit(uri).path).name))


def put(connection: apsw.Connection, rows: Iterable[WordRow]) -> None:
    connection.executemany(f"INSERT INTO words ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)


def take_out(connection: apsw.Connection, rows: Iterable[WordRow]) -> None:
    connection.executemany(
        f"INSERT INTO words (words, {_COLUMNS}) VALUES ('delete', ?, ?, ?, ?, ?)", rows
    )


def of_document(connection: apsw.Connection, document: int) -> list[WordRow]:
    """Return the rows that the index holds for a document, made again from its chunks."""
    return _rows(connection, "WHERE c.document = ?", (document,))


def rebuild(connection: apsw.Connection) -> None:
    """Make the whole index again from the chunks."""
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    put(connection, _rows(connection, "", ()))


def _rows(connection: apsw.Connection, where: str, bindings: tuple[int, ...]) -> list[WordRow]:
    found = fetch(
        connection,
        "SELECT c.number, c.text, d.title, c.heading_path, d.uri"
        f" FROM chunks c JOIN documents d ON d.number = c.document {where}",
        *bindings,
    )
    return [
        row(number, text, title, json.loads(path), uri) for number, text, title, path, uri in found
    ]


def matching(
    connection: apsw.Connection, terms: Sequence[str], *, limit: int, documents: str | None
) -> list[tuple[int, float]]:
    """Return the chunk numbers that hold any of the terms, with their BM25 scores, best first.

    `documents` is a JSON list of the document numbers to look at; None looks at all.
    """
    query = " OR ".join(_quoted(term) for term in terms)
    if not query:
        return []
    inside = (
        "AND rowid IN (SELECT number FROM chunks"
        " WHERE document IN (SELECT value FROM json_each(?3)))"
        if documents is not None
        else ""
    )
    # `ORDER BY rank` costs twice as much for the same rows.
    rows = fetch(
        connection,
        f"SELECT rowid, -{_BM25} AS score FROM words WHERE words MATCH ?1 {inside}"
        f" ORDER BY {_BM25}, rowid LIMIT ?2",
        *((query, limit) if documents is None else (query, limit, documents)),
    )
    return [(number, score) for number, score in rows]


def document_frequency(connection: apsw.Connection, token: str) -> int:
    """Return how many chunks hold a token (a word as the tokenizer leaves it)."""
    found = fetch(connection, "SELECT doc FROM terms WHERE term = ?", token)
    return found[0][0] if found else 0


def _quoted(term: str) -> str:
    return '"' + term.replace('"', " ").replace("\x00", " ") + '"'
