"""Vectors in the database: stored as they are, found by an exact scan, sampled fairly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import vectors
from ragkit.db import Database, fetch
from ragkit.testing import HashEmbedder

COUNT = 300


def unit_rows(count: int, seed: int) -> npt.NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, 32))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


ROWS = unit_rows(COUNT, 1)


def add_chunks(connection: apsw.Connection, document: int, numbers: range) -> None:
    connection.execute(
        "INSERT INTO documents"
        " VALUES (?1, 'd' || ?1, 'u' || ?1, '', '', '', '', 0, 0, 0, '', '', '')",
        (document,),
    )
    connection.executemany(
        "INSERT INTO chunks VALUES (?1, 'c' || ?1, ?2, 0, 0, 1, NULL, NULL, NULL, '[]', 'x')",
        [(number, document) for number in numbers],
    )


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """Chunks 1..300 of the rows above, the first hundred in document 1, the others in 2."""
    database = Database(tmp_path_factory.mktemp("vectors") / "index.db")
    with database.exclusive(), database.writing() as connection:
        add_chunks(connection, 1, range(1, 101))
        add_chunks(connection, 2, range(101, COUNT + 1))
        vectors.put(
            connection,
            [
                (number, vectors.input_hash(f"text {number}"), vectors.pack(row))
                for number, row in enumerate(ROWS, start=1)
            ],
            vector_bytes=ROWS[0].nbytes,
        )
    with database.reading() as reader:
        yield reader
    database.close()


def test_a_vector_is_stored_to_the_bit(connection: apsw.Connection) -> None:
    """float32, little-endian: any tool can read it."""
    stored = fetch(connection, "SELECT embedding FROM vectors WHERE chunk = 7")[0][0]
    assert np.array_equal(np.frombuffer(stored, "<f4"), ROWS[6])
    assert vectors.pack(ROWS[6].astype(">f4")) == stored


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_are_those_of_an_exact_scan(connection: apsw.Connection, seed: int) -> None:
    """Order and cosines are those that numpy finds, best first."""
    query = unit_rows(1, 100 + seed)[0]
    cosines = ROWS @ query
    expected = [int(index) + 1 for index in np.argsort(-cosines, kind="stable")[:10]]
    found = vectors.nearest(connection, query, limit=10, documents=None)
    assert [number for number, _ in found] == expected
    for number, cosine in found:
        assert cosine == pytest.approx(cosines[number - 1], abs=1e-5)


def test_a_filter_comes_before_the_cut(connection: apsw.Connection) -> None:
    """The best of the documents that pass, however many better ones don't."""
    query = ROWS[200]  # of document 2
    found = vectors.nearest(connection, query, limit=5, documents=json.dumps([1]))
    expected = [int(index) + 1 for index in np.argsort(-(ROWS[:100] @ query), kind="stable")[:5]]
    assert [number for number, _ in found] == expected
    assert vectors.nearest(connection, query, limit=5, documents="[]") == []


def test_equal_distances_come_by_number(tmp_path: Path) -> None:
    """The same vector twice has one order."""
    database = Database(tmp_path / "index.db")
    with database.exclusive(), database.writing() as connection:
        add_chunks(connection, 1, range(1, 6))
        packed = vectors.pack(ROWS[0])
        same = [(number, b"k%d" % number, packed) for number in (4, 2, 5, 1, 3)]
        vectors.put(connection, same, vector_bytes=len(packed))
    with database.reading() as connection:
        found = vectors.nearest(connection, ROWS[0], limit=4, documents=None)
    database.close()
    assert found == [(number, pytest.approx(1.0)) for number in (1, 2, 3, 4)]


def test_similarities(connection: apsw.Connection) -> None:
    """Cosines of the chunks asked for; numbers that aren't there are left out."""
    query = unit_rows(1, 7)[0]
    found = vectors.similarities(connection, query, [3, 250, 9_999])
    assert found == {
        3: pytest.approx(float(ROWS[2] @ query), abs=1e-5),
        250: pytest.approx(float(ROWS[249] @ query), abs=1e-5),
    }


def test_known_inputs(connection: apsw.Connection) -> None:
    """An input that was embedded before is found by its hash, others are not."""
    old, new = vectors.input_hash("text 5"), vectors.input_hash("text 5 ")
    assert vectors.known(connection, [old, new]) == {old: vectors.pack(ROWS[4])}


@given(st.text(), st.text())
def test_hashes_tell_inputs_apart(first: str, second: str) -> None:
    """Equal texts have equal keys, others have not."""
    assert (vectors.input_hash(first) == vectors.input_hash(second)) == (first == second)
    assert len(vectors.input_hash(first)) == vectors.INPUT_HASH_BYTES


def test_a_sample_is_fair_whatever_was_removed(tmp_path: Path) -> None:
    """It has its size, is the same every time, and holds the chunks before a gap as after it."""
    database = Database(tmp_path / "index.db")
    numbers = [*range(1, 501), *range(1_000_001, 1_000_501)]  # a million removed between them
    with database.exclusive(), database.writing() as connection:
        add_chunks(connection, 1, range(1, 501))
        add_chunks(connection, 2, range(1_000_001, 1_000_501))
        rows = [(n, vectors.input_hash(f"text {n}"), b"") for n in numbers]
        vectors.put(connection, rows, vector_bytes=0)
    with database.reading() as connection:
        sample = vectors.spread_sample(connection, 200)
        assert len(set(sample)) == 200
        assert sample == vectors.spread_sample(connection, 200)
        assert 60 < len([number for number in sample if number < 1_000]) < 140
        assert vectors.spread_sample(connection, 5_000) == numbers
    database.close()


def test_the_fake_embedder_is_one() -> None:
    """Unit rows, the same every time, near for near texts, also for no words and no texts."""
    embedder = HashEmbedder(dimensions=64)
    texts = ["the ferry leaves at noon", "the ferry left at noon", "bread needs salt", "", "?!"]
    rows = embedder.embed(texts, kind="document")
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert np.array_equal(rows, HashEmbedder().embed(texts, kind="query"))
    assert rows[0] @ rows[1] > 0.6 > 0.3 > rows[0] @ rows[2]
    assert embedder.embed([], kind="query").shape == (0, 64)


def test_vectors_are_taken_out_before_their_chunks(tmp_path: Path) -> None:
    """Those of the given chunks alone."""
    database = Database(tmp_path / "index.db")
    with database.exclusive(), database.writing() as connection:
        add_chunks(connection, 1, range(1, 6))
        packed = [(number, b"key", vectors.pack(ROWS[number])) for number in range(1, 6)]
        vectors.put(connection, packed, vector_bytes=ROWS[0].nbytes)
        vectors.take_out(connection, [2, 4, 9])
        assert fetch(connection, "SELECT chunk FROM vectors") == [(1,), (3,), (5,)]
    database.close()
