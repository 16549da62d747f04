"""The derived index of the vectors: cells of compressed vectors, for searching many of them.

It is a table of vec1, SQLite's vector extension: the vectors are put into cells around trained
centres, as product-quantised codes (IVFADC, Jégou et al. 2011), and a query scans the codes of the
nearest cells. What it finds is rescored by the vectors of record. Triggers keep it in step with
those in the same transaction, whoever writes them.

Being built it goes through states, each of which is kept when the work is interrupted: filled in
short transactions up to a chunk, trained, and then in use, in one transaction.
"""

from __future__ import annotations

import json
import math
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from ragkit import vectors
from ragkit.db import fetch
from ragkit.types import VectorIndexInfo

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# Of what the index keeps; another one is built anew.
_FORMAT = 1
_ALL = (1 << 62) - 1  # beyond every chunk's number: the index is complete
_FILL_ROWS = 10_000  # a transaction, half a second
_MOST_THREADS = 4

# Cells: three times the root of the number of vectors (vec1's bounds are 32 and 4096). Of 100,000
# real vectors, asked real questions, a scan of 12 % of the codes finds .975 of the true ten with
# twice the root, .981 with three times, .984 with four times, which takes longer to write.
_CELLS_A_ROOT = 3
_FEWEST_CELLS, _MOST_CELLS = 64, 4096
_SAMPLE_A_CELL = 32
_DIMENSIONS_A_BYTE = 8

# It is trained again when there are four times as many vectors, or when those that came since, at
# least a fifth, are compressed worse by a tenth.
_GROWTH, _NEWER_SHARE, _WORSE = 4, 0.2, 1.1
_CHECKED = 200  # vectors whose error is looked at
_LEAST_SAMPLE = 1024  # which vec1 asks for

CANDIDATES = 300  # by their codes, for the vectors of record to decide among
_PROBES, _LEAST_RECALL = 32, 0.8  # a working index finds more of what is near a passage


@dataclass(frozen=True, slots=True)
class Cells:
    """What is known of the index. `through` is the last chunk whose vector is in it."""

    format: int
    engine: str
    through: int
    cells: int
    code_bytes: int
    trained_on: int
    trained_through: int
    error: float
    recall: float

    @property
    def is_built(self) -> bool:
        return self.through == _ALL and self.cells > 0

    @property
    def is_ready(self) -> bool:
        """Whether it may be asked: built to its end, and found to be right."""
        return self.is_built and self.recall >= _LEAST_RECALL


def engine(connection: apsw.Connection) -> str:
    """Return the version of the extension, such as "0.8"; "" where it isn't there."""
    try:
        info: str = fetch(connection, "SELECT vec1_info()")[0][0]
    except apsw.SQLError:
        return ""
    return info.split()[1] if info.startswith("version ") else info


def state(connection: apsw.Connection) -> Cells | None:
    """Return what is known of the index; None where there is none that can be used here."""
    if not fetch(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'vector_index'"):
        return None  # a file of an older schema
    found = fetch(
        connection,
        "SELECT format, engine, through, cells, code_bytes, trained_on, trained_through, error,"
        " recall FROM vector_index WHERE format = ? AND engine = ?",
        _FORMAT,
        engine(connection),
    )
    return Cells(*found[0]) if found else None


def info(connection: apsw.Connection) -> VectorIndexInfo | None:
    """Return how the index stands, with its holes counted; None where there is none."""
    known = state(connection)
    if known is None:
        return None
    # Each list of codes begins with its flags, its entries and the holes among them.
    heads = fetch(connection, "SELECT substr(val, 9, 4) FROM vector_cells_idx")
    holes = sum(int.from_bytes(head, "big") for (head,) in heads)
    return VectorIndexInfo(
        known.is_ready, known.cells, known.code_bytes, known.trained_on, known.recall, holes
    )


def is_foreign(connection: apsw.Connection) -> bool:
    """Whether there is an index that this engine can't keep in step, or can't read."""
    if not fetch(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'vector_index'"):
        return False
    return bool(fetch(connection, "SELECT 1 FROM vector_index")) and state(connection) is None


def nearest(connection: apsw.Connection, query: Vectors, *, count: int, cells: int) -> list[int]:
    """Return the numbers of about the nearest chunks, best first, by the codes in so many cells."""
    found = fetch(
        connection,
        "SELECT rowid FROM vector_cells(?, ?)",
        vectors.pack(query),
        json.dumps({"k": count, "nprobe": cells}),
    )
    return [number for (number,) in found]


# --- building ----------------------------------------------------------------------------------


def is_outgrown(connection: apsw.Connection, known: Cells) -> bool:
    """Whether the vectors are no longer those that the index was trained for."""
    newer = vectors.count(connection) - known.trained_on
    if newer > (_GROWTH - 1) * known.trained_on:
        return True
    if newer <= _NEWER_SHARE * known.trained_on:
        return False
    return _error(connection, after=known.trained_through) > _WORSE * known.error


def create(connection: apsw.Connection) -> None:
    """Make an empty index, in place of what there is, that follows the vectors from now on."""
    drop(connection)
    connection.execute("CREATE VIRTUAL TABLE vector_cells USING vec1(vector)")
    connection.execute(
        "INSERT INTO vector_index (number, format, engine, through, cells, code_bytes, trained_on,"
        " trained_through, error, recall) VALUES (1, ?, ?, 0, 0, 0, 0, 0, 0, 0)",
        (_FORMAT, engine(connection)),
    )
    take_out = "DELETE FROM vector_cells WHERE rowid = old.chunk;"
    put_in = "INSERT INTO vector_cells (rowid, vector) VALUES (new.chunk, new.embedding);"
    for event, condition, action in (
        ("insert", "new.chunk <= (SELECT through FROM vector_index)", put_in),
        ("delete", "old.chunk <= (SELECT through FROM vector_index)", take_out),
        (
            "update",
            "new.chunk <= (SELECT through FROM vector_index)"
            " AND new.embedding IS NOT old.embedding",
            take_out + put_in,
        ),
    ):
        connection.execute(
            f"CREATE TRIGGER vector_cells_{event} AFTER {event} ON vectors"
            f" WHEN {condition} BEGIN {action} END"
        )


def drop(connection: apsw.Connection) -> None:
    """Take the index away, if there is one: the exact scan serves without it.

    Where the extension is missing its tables stay, unused, until it is there again.
    """
    for name in ("insert", "delete", "update"):
        connection.execute(f"DROP TRIGGER IF EXISTS vector_cells_{name}")
    connection.execute("DELETE FROM vector_index")
    if engine(connection):
        connection.execute("DROP TABLE IF EXISTS vector_cells")


def fill(connection: apsw.Connection) -> bool:
    """Put the next vectors into the index; return whether there may be more."""
    (through,) = fetch(connection, "SELECT through FROM vector_index")[0]
    found = fetch(
        connection,
        "SELECT max(chunk), count(*) FROM"
        " (SELECT chunk FROM vectors WHERE chunk > ? ORDER BY chunk LIMIT ?)",
        through,
        _FILL_ROWS,
    )
    last, count = found[0]
    is_more: bool = count == _FILL_ROWS
    if count:
        connection.execute(
            "INSERT INTO vector_cells (rowid, vector)"
            " SELECT chunk, embedding FROM vectors WHERE chunk > ? AND chunk <= ?",
            (through, last),
        )
    connection.execute("UPDATE vector_index SET through = ?", (last if is_more else _ALL,))
    return is_more


def train(connection: apsw.Connection) -> bytes:
    """Return a model for the vectors that there are. It reads alone, and can't be interrupted."""
    count = vectors.count(connection)
    cells = min(max(_CELLS_A_ROOT * math.isqrt(count), _FEWEST_CELLS), _MOST_CELLS)
    (length,) = fetch(connection, "SELECT length(embedding) FROM vectors LIMIT 1")[0]
    code_bytes = min(max(length // 4 // _DIMENSIONS_A_BYTE, 8), 256)
    connection.execute("SELECT vec1_config('nthread', ?)", (_threads(),)).fetchall()
    # Residuals would need a table of distances for each cell, which costs more than it gains.
    options = {"nbucket": cells, "codesize": code_bytes, "residual": 0}
    # Hashes of what was embedded are spread evenly, whatever the order that it came in.
    found = fetch(
        connection,
        "SELECT vec1_train(embedding, ?) FROM"
        " (SELECT embedding FROM vectors WHERE chunk IN"
        " (SELECT chunk FROM vectors ORDER BY input_hash LIMIT ?))",
        json.dumps(options),
        max(min(_SAMPLE_A_CELL * cells, count // 2), _LEAST_SAMPLE),  # half, to compare with it
    )
    model: bytes = found[0][0]
    return model


def keep_model(connection: apsw.Connection, model: bytes) -> None:
    """Keep a model until it is in use, so that it need not be trained twice."""
    connection.execute("UPDATE vector_index SET model = ?", (model,))


def kept_model(connection: apsw.Connection) -> bytes | None:
    """Return the model that waits for its use."""
    model: bytes | None = fetch(connection, "SELECT model FROM vector_index")[0][0]
    return model


def put_to_use(connection: apsw.Connection) -> None:
    """Sort all vectors into the cells of the kept model, and note how well they are found there."""
    model = kept_model(connection)
    assert model is not None, "it was trained before"
    connection.execute("SELECT vec1_config('nthread', ?)", (_threads(),)).fetchall()
    connection.execute("INSERT INTO vector_cells (cmd, arg) VALUES ('rebuild', ?)", (model,))
    code_bytes, cells = struct.unpack(">4x4x4xII", model[:20])  # the model's header
    connection.execute(
        "UPDATE vector_index SET cells = ?, code_bytes = ?, trained_on = ?, trained_through = ?,"
        " error = ?, recall = ?, model = NULL",
        (
            cells,
            code_bytes,
            vectors.count(connection),
            vectors.last(connection),
            _error(connection, after=0),
            _recall(connection, cells),
        ),
    )


def _error(connection: apsw.Connection, *, after: int) -> float:
    """Return the mean error of compressing some vectors of later chunks, relative to them.

    They are taken from the end that the training's sample doesn't come from.
    """
    found = fetch(
        connection,
        "SELECT avg(json_extract(distance, '$.reconstruction_error')) FROM vector_cells"
        " WHERE rowid IN"
        " (SELECT chunk FROM vectors WHERE chunk > ? ORDER BY input_hash DESC LIMIT ?)",
        after,
        _CHECKED,
    )
    return found[0][0] or 0.0


def _recall(connection: apsw.Connection, cells: int) -> float:
    """Return what share of the ten nearest by the exact scan is found, for some of the vectors."""
    sample = vectors.read(connection, vectors.spread_sample(connection, _PROBES))
    exact = vectors.nearest_of_all(connection, sample, limit=10)
    found = [
        set(nearest(connection, query, count=CANDIDATES, cells=max(cells // 4, 1))) & set(numbers)
        for query, numbers in zip(sample, exact, strict=True)
    ]
    return sum(map(len, found)) / sum(map(len, exact))


def _threads() -> int:
    return min(os.cpu_count() or 1, _MOST_THREADS)
