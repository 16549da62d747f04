"""Vectors in the database: the rows of record, and the exact search over them.

The rows are scanned by sqlite-vec's distance function, under any filter: no derived index has to
be kept in step. 110 ms of CPU for 100,000 rows of 384 dimensions (docs/benchmarks.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import apsw

from ragkit.db import fetch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

INPUT_HASH_BYTES = 16


def input_hash(text: str) -> bytes:
    """Return the key of a text as it was given to an embedder."""
    return hashlib.blake2b(text.encode(), digest_size=INPUT_HASH_BYTES).digest()


def pack(vector: Vectors) -> bytes:
    """Return a vector as it is stored: float32, little-endian."""
    return vector.astype("<f4", copy=False).tobytes()


def known(connection: apsw.Connection, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return what is stored of those inputs that were embedded before: vector, then tokens."""
    query = "SELECT chunk, embedding FROM vectors WHERE input_hash = ? LIMIT 1"
    chunks = {key: rows[0] for key in hashes if (rows := fetch(connection, query, key))}
    records = token_records(connection, [chunk for chunk, _ in chunks.values()])
    return {key: vector + records.get(chunk, b"") for key, (chunk, vector) in chunks.items()}


def put(
    connection: apsw.Connection, rows: Sequence[tuple[int, bytes, bytes]], *, vector_bytes: int
) -> None:
    """Write (chunk number, input hash, packed) rows over those of the same chunks.

    What is packed is a vector of `vector_bytes`, and the record of the tokens, if there is one.
    """
    connection.executemany(
        "INSERT INTO vectors (chunk, input_hash, embedding) VALUES (?, ?, ?)"
        " ON CONFLICT (chunk) DO UPDATE SET"
        " input_hash = excluded.input_hash, embedding = excluded.embedding",
        ((number, key, packed[:vector_bytes]) for number, key, packed in rows),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO token_vectors (chunk, record) VALUES (?, ?)",
        ((number, packed[vector_bytes:]) for number, _, packed in rows if packed[vector_bytes:]),
    )


def take_out(connection: apsw.Connection, numbers: Sequence[int]) -> None:
    """Remove the vectors of chunks; call it before their rows go."""
    connection.execute(
        "DELETE FROM vectors WHERE chunk IN (SELECT value FROM json_each(?))",
        (json.dumps(list(numbers)),),
    )


def token_records(connection: apsw.Connection, numbers: Sequence[int]) -> dict[int, bytes]:
    """Return the token vectors of those chunks that have any."""
    if not has_tokens(connection):
        return {}
    return dict(
        fetch(
            connection,
            "SELECT chunk, record FROM token_vectors"
            " WHERE chunk IN (SELECT value FROM json_each(?))",
            json.dumps(list(numbers)),
        )
    )


def has_tokens(connection: apsw.Connection) -> bool:
    """Whether the file's schema is as new as the table; older ones are read as they are."""
    return bool(
        fetch(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'token_vectors' LIMIT 1")
    )


def nearest(
    connection: apsw.Connection, query: Vectors, *, limit: int, documents: str | None
) -> list[tuple[int, float]]:
    """Return the chunk numbers nearest to a unit vector with their cosines, best first.

    `documents` is a JSON list of the document numbers to look at; None looks at all.
    """
    inside = (
        "WHERE chunk IN (SELECT number FROM chunks"
        " WHERE document IN (SELECT value FROM json_each(?3)))"
        if documents is not None
        else ""
    )
    rows = fetch(
        connection,
        "SELECT chunk, vec_distance_l2(embedding, ?1) AS distance FROM vectors"
        f" {inside} ORDER BY distance, chunk LIMIT ?2",
        *((pack(query), limit) if documents is None else (pack(query), limit, documents)),
    )
    # |a - b|² = 2 - 2 cos(a, b) for vectors of length 1
    return [(number, 1 - distance * distance / 2) for number, distance in rows]


def similarities(
    connection: apsw.Connection, query: Vectors, numbers: Sequence[int]
) -> dict[int, float]:
    """Return the cosines of a unit vector with those of the given chunks."""
    rows = fetch(
        connection,
        "SELECT chunk, vec_distance_l2(embedding, ?) FROM vectors"
        " WHERE chunk IN (SELECT value FROM json_each(?))",
        pack(query),
        json.dumps(list(numbers)),
    )
    return {number: 1 - distance * distance / 2 for number, distance in rows}


def spread_sample(connection: apsw.Connection, size: int) -> list[int]:
    """Return the numbers of `size` chunks that stand for all, the same ones for the same index.

    They are the first by input hash: hashes are spread evenly whatever was put in or removed.
    """
    found = fetch(
        connection,
        "SELECT min(chunk) FROM vectors GROUP BY input_hash ORDER BY input_hash LIMIT ?",
        size,
    )
    return sorted(number for (number,) in found)
