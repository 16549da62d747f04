"""The vector index: what it finds, how it follows the vectors, and what it survives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ragkit import db
from ragkit.store import SqliteStore, cells, searching
from ragkit.types import Effort, Filters
from tests.drawn import ENOUGH, OF_A_DOCUMENT, Array, drawn, fill, held, numbers, opened, put


def texts(
    store: SqliteStore,
    query: Array,
    *,
    effort: Effort = "default",
    limit: int = 10,
    filters: Filters = Filters(),
) -> list[str]:
    """The texts of the nearest chunks, which name document and vector."""
    allowed = store.allowed(filters)
    numbers = [
        number for number, _ in store.semantic(query, limit=limit, allowed=allowed, effort=effort)
    ]
    found = store.found(numbers)
    return [found[number].chunk.text for number in numbers]


def recall(store: SqliteStore, queries: Array) -> float:
    shares = [
        len(set(texts(store, query)) & set(texts(store, query, effort="exact"))) / 10
        for query in queries
    ]
    return sum(shares) / len(shares)


def known(store: SqliteStore) -> cells.Cells:
    with store._db.reading() as connection:
        found = cells.state(connection)
    assert found is not None, "there is an index"
    return found


def holes(store: SqliteStore) -> int:
    found = store.stats().vector_index
    assert found is not None, "there is an index"
    return found.holes


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with an index of cells over three thousand vectors."""
    path = tmp_path_factory.mktemp("large") / "index.db"
    with opened(path) as store:
        fill(store, drawn(3_000, seed=1))
        assert list(store.keep_up()), "it was due"
    return path


@pytest.fixture
def large(once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copy(once, tmp_path / "index.db"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store, open for writing."""
    with opened(tmp_path / "index.db") as store:
        yield store


@pytest.fixture
def built(large: Path) -> Iterator[SqliteStore]:
    """A store with an index of cells over three thousand vectors, open for writing."""
    with opened(large) as store:
        yield store


def test_few_vectors_get_no_index(store: SqliteStore) -> None:
    """They are scanned, which finds all there is."""
    fill(store, drawn(ENOUGH - OF_A_DOCUMENT, seed=1))
    assert list(store.keep_up()) == []
    assert recall(store, drawn(5, seed=2)) == 1


def test_many_vectors_get_one_that_finds_what_a_scan_finds(built: SqliteStore) -> None:
    """Once: as long as little changes nothing is due."""
    assert known(built).is_ready
    assert known(built).recall > 0.9
    assert recall(built, drawn(40, seed=2)) > 0.95
    assert list(built.keep_up()) == []


def test_scores_are_those_of_the_vectors(built: SqliteStore) -> None:
    """What the index finds is scored exactly."""
    query = drawn(1, seed=3)[0]
    exact = dict(built.semantic(query, limit=50, allowed=None, effort="exact"))
    for number, score in built.semantic(query, limit=10, allowed=None):
        assert score == pytest.approx(exact[number], abs=1e-6)


def test_it_follows_what_is_written_changed_and_removed(built: SqliteStore) -> None:
    """A vector that came is found, one that went or was replaced is not."""
    new, changed = drawn(2, seed=4)
    put(built, "new", new[np.newaxis])
    first = texts(built, new, limit=1)
    assert first[0].startswith("new ")
    put(built, "new", changed[np.newaxis])
    assert texts(built, changed, limit=1)[0].startswith("new ")
    assert not texts(built, new, limit=1)[0].startswith("new ")
    built.remove("new")
    assert not texts(built, changed, limit=1)[0].startswith("new ")
    assert held(built) == numbers(built)


def test_what_is_written_again_as_it_was_leaves_no_hole(built: SqliteStore) -> None:
    """Only a vector that changes is taken out and put in; what is taken out is counted."""
    put(built, "d0", drawn(3_000, seed=1)[:OF_A_DOCUMENT])
    assert holes(built) == 0
    built.remove("d0")
    assert 0 < holes(built) <= OF_A_DOCUMENT


def test_a_transaction_that_fails_leaves_it_as_it_was(built: SqliteStore) -> None:
    """Rows and index go back together."""
    before = held(built)
    vector = drawn(1, seed=5)[0]
    with pytest.raises(RuntimeError), built._db.writing() as connection:
        connection.execute("DELETE FROM vectors WHERE chunk < 500")
        raise RuntimeError
    assert held(built) == before == numbers(built)
    assert recall(built, vector[np.newaxis]) > 0.8


@pytest.mark.parametrize("passing", [30, 1_500])
def test_filters_are_applied_within_the_search(
    built: SqliteStore, passing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of what passes is found, however little passes, and in whichever cells it lies."""
    monkeypatch.setattr(searching, "BUDGETS", {"default": searching.Budget(0.001, 0)})
    fill(built, drawn(passing, seed=6), name="e", collection="b")
    for query in drawn(10, seed=7):
        only = Filters(collections=("b",))
        found = texts(built, query, filters=only)
        assert found == texts(built, query, filters=only, effort="exact")
        assert all(text.startswith("e") for text in found)


def test_many_that_pass_a_filter_are_found_by_the_index(
    built: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a filter leaves too many for a scan the cells are searched, further than without."""
    monkeypatch.setattr(searching, "_FEW_CHUNKS", 500)
    fill(built, drawn(1_000, seed=6), name="e", collection="b")
    only = Filters(collections=("b",))
    shared = 0
    for query in drawn(20, seed=7):
        found = texts(built, query, filters=only)
        assert len(found) == 10
        assert all(text.startswith("e") for text in found)
        shared += len(set(found) & set(texts(built, query, filters=only, effort="exact")))
    assert shared > 180


def test_what_was_interrupted_goes_on_where_it_was(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors that were put in stay in, also those that changed meanwhile; searches scan."""
    monkeypatch.setattr(cells, "_FILL_ROWS", 1_000)
    fill(store, drawn(3_000, seed=1))
    looks = iter([False, True])
    list(store.keep_up(stop=lambda: next(looks, True)))
    assert len(held(store)) == 1_000
    assert not known(store).is_ready
    store.remove("d0")
    put(store, "d50", drawn(20, seed=8))
    put(store, "late", drawn(20, seed=9))
    assert recall(store, drawn(5, seed=2)) == 1
    list(store.keep_up())
    assert known(store).is_ready
    assert held(store) == numbers(store)


def test_sorting_that_is_interrupted_is_rolled_back(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next call has the model already, and only sorts."""
    monkeypatch.setattr(db, "_STEPS_BETWEEN_LOOKS", 10)
    fill(store, drawn(3_000, seed=1))
    steps: list[str] = []
    for step in store.keep_up(stop=lambda: bool(steps) and steps[-1].startswith("sort")):
        steps.append(step)
    assert not known(store).is_ready
    assert not any(step.startswith("train") for step in store.keep_up())
    assert known(store).is_ready


def test_it_is_trained_again_when_it_has_outgrown_its_training(built: SqliteStore) -> None:
    """More cells, for four times as many vectors."""
    before = known(built).cells
    fill(built, drawn(9_500, seed=10), name="more")
    assert list(built.keep_up())
    assert known(built).cells > before
    assert held(built) == numbers(built)


@pytest.mark.parametrize(("topics", "is_due"), [(0, False), (5, True)])
def test_it_is_trained_again_when_other_things_are_written(
    built: SqliteStore, topics: int, is_due: bool
) -> None:
    """Vectors that its codes say badly make it due, as many of the old kind don't."""
    fill(built, drawn(1_000, seed=11, around=topics), name="more")
    assert bool(list(built.keep_up())) == is_due


@pytest.mark.parametrize("sign", ["format", "engine"])
def test_an_index_of_another_version_is_dropped_and_built_again(large: Path, sign: str) -> None:
    """It isn't asked, doesn't stand in the way of writing, and is due."""
    with opened(large) as store:
        with store._db.writing() as connection:
            connection.execute(f"UPDATE vector_index SET {sign} = '99'")
        assert recall(store, drawn(5, seed=2)) == 1
    with opened(large) as store:
        put(store, "new", drawn(1, seed=4))
        assert list(store.keep_up())
        assert held(store) == numbers(store)


def test_a_wrong_index_is_not_asked(built: SqliteStore) -> None:
    """One that was found to miss what is near is left for the scan."""
    with built._db.writing() as connection:
        connection.execute("UPDATE vector_index SET recall = 0.5")
    assert not known(built).is_ready
    assert recall(built, drawn(10, seed=2)) == 1


def test_the_index_can_be_dropped_at_any_time(built: SqliteStore) -> None:
    """The rows are the truth; the scan serves, and the next upkeep builds it again."""
    with built._db.writing() as connection:
        cells.drop(connection)
    put(built, "new", drawn(1, seed=4))
    assert recall(built, drawn(5, seed=2)) == 1
    assert list(built.keep_up())
    assert recall(built, drawn(20, seed=2)) > 0.95


def test_without_the_extension_an_index_is_changed_and_scanned(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where apsw came without it a file that has cells does without them, until it is there."""
    with monkeypatch.context() as without:
        without.setattr(db, "_cell_extension", lambda: None)
        with opened(large) as store:
            put(store, "new", drawn(1, seed=4))
            store.remove("d0")
            assert list(store.keep_up()) == []
            assert recall(store, drawn(5, seed=2)) == 1
    with opened(large) as store:
        assert list(store.keep_up())
        assert held(store) == numbers(store)
