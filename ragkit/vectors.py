"""Vectors in the database: the rows of record, and the exact search over them.

The rows are scanned by sqlite-vec's distance function, under any filter: no derived index has to
be kept in step. 110 ms of CPU for 100,000 rows of 384 dimensions (docs/benchmarks.md).
"""

from __future__ import annotations

import hashlib
import itertools
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
_BLOCK_ROWS = 5_000  # of a scan: 15 MB at 768 dimensions


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


def nearest_of_all(connection: apsw.Connection, queries: Vectors, *, limit: int) -> list[list[int]]:
    """Return for each row of unit vectors the numbers of the nearest chunks, in one scan of all."""
    import numpy as np  # noqa: PLC0415  takes 0.1 s, and the commands that only list need none

    scores = np.full((len(queries), limit), -2.0, np.float32)
    numbers = np.zeros((len(queries), limit), np.int64)
    rows = connection.execute("SELECT chunk, embedding FROM vectors")
    while block := list(itertools.islice(rows, _BLOCK_ROWS)):
        found = np.frombuffer(b"".join(vector for _, vector in block), "<f4")
        similar = queries @ found.reshape(len(block), -1).T
        labels = np.broadcast_to(np.array([number for number, _ in block]), similar.shape)
        scores = np.concatenate([scores, similar], axis=1)
        numbers = np.concatenate([numbers, labels], axis=1)
        best = np.argpartition(-scores, limit - 1, axis=1)[:, :limit]
        scores = np.take_along_axis(scores, best, axis=1)
        numbers = np.take_along_axis(numbers, best, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    sorted_numbers = np.take_along_axis(numbers, order, axis=1)
    return [[int(number) for number in row if number] for row in sorted_numbers]


def read(connection: apsw.Connection, numbers: Sequence[int]) -> Vectors:
    """Return the vectors of those of these chunks that have one, a row each, by number."""
    import numpy as np  # noqa: PLC0415

    found = fetch(
        connection,
        "SELECT embedding FROM vectors WHERE chunk IN (SELECT value FROM json_each(?))"
        " ORDER BY chunk",
        json.dumps(list(numbers)),
    )
    together = np.frombuffer(b"".join(vector for (vector,) in found), "<f4")
    return together.reshape(len(found), together.size // max(len(found), 1))


def count(connection: apsw.Connection) -> int:
    """Return how many vectors there are: 15 ms for a million."""
    found: int = fetch(connection, "SELECT count(*) FROM vectors")[0][0]
    return found


def last(connection: apsw.Connection) -> int:
    """Return the greatest number of a chunk that has a vector; 0 where there is none."""
    found: int = fetch(connection, "SELECT coalesce(max(chunk), 0) FROM vectors")[0][0]
    return found


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
