"""Documents are committed in groups: few transactions, nothing told of before it is written."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragkit.errors import BadProviderResponse
from ragkit.indexing import filling
from ragkit.indexing.filling import Filling
from ragkit.indexing.inputs import Prepared, prepare
from ragkit.indexing.plan import Ingest
from ragkit.indexing.tally import Tally
from ragkit.ports import EmbedKind
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import IngestEvent, Progress
from tests.documents import FINGERPRINT, document

COUNT = 30


class Embedder(HashEmbedder):
    """Takes a text at a time, remembers what it was asked for, and can't embed one word."""

    batch_texts = 1

    def __init__(self) -> None:
        super().__init__(FINGERPRINT.dimensions)
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        self.asked += texts
        if any("unspeakable" in text for text in texts):
            raise BadProviderResponse("no vector")
        return super().embed(texts, kind=kind)


class Vault(dict[bytes, bytes]):
    """A cache in memory."""

    problem = ""

    def put(self, items: Mapping[bytes, bytes]) -> None:
        self.update(items)

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:  # type: ignore[override]  # Vault's
        return {key: self[key] for key in keys if key in self}


def prepared(name: str, text: str) -> Prepared:
    written = document(f"{text}\n", uri=f"file:///notes/{name}.md", id_=name)
    return prepare(written, FINGERPRINT, size=1, mtime_ns=1, is_new=True)


def many() -> list[Prepared]:
    return [prepared(f"{number:02}", f"Note {number} says a thing.") for number in range(COUNT)]


class Run:
    """A store that is filled, how often it was written to, and what was told of it."""

    def __init__(self, path: Path, plan: Ingest, *, clock: Callable[[], float]) -> None:
        self.path = path
        self.embedder = Embedder()
        self.events: list[str] = []
        self.told_too_early: list[str] = []
        self.writes = 0
        self._plan = plan
        self._clock = clock

    def fill(self, documents: Iterable[Prepared]) -> None:
        store = SqliteStore(self.path)

        def given() -> Generator[Prepared]:
            yield from documents

        with store.exclusive():
            store.claim(FINGERPRINT)
            before = self._generation()
            run = Filling(
                store,
                self.embedder,
                self._plan,
                Tally(self._told),
                announce=lambda: None,
                clock=self._clock,
            )
            try:
                run.fill(given(), store.known_vectors)
            finally:
                self.writes = self._generation() - before
                store.close()

    def there(self) -> list[str]:
        other = SqliteStore(self.path)
        try:
            return sorted(other.known())
        finally:
            other.close()

    def _told(self, event: IngestEvent) -> None:
        if isinstance(event, Progress):
            self.events.append(event.uri)
            if event.uri not in self.there() and not event.failures:
                self.told_too_early.append(event.uri)

    def _generation(self) -> int:
        other = SqliteStore(self.path)
        with other._db.reading() as connection:
            ((generation,),) = connection.execute(
                "SELECT value FROM settings WHERE name = 'generation'"
            )
        other.close()
        return int(generation)


def still() -> float:
    return 0.0


def hours_apart() -> Callable[[], float]:
    hours = itertools.count()
    return lambda: 3600.0 * next(hours)


def one_by_one(run: Run, documents: Iterable[Prepared]) -> Generator[Prepared]:
    """Yield each once the one before the last is embedded: the last waits for its batch to fill."""
    before = ""
    for each in documents:
        yield each
        if before:
            _wait_for(before, run.embedder.asked)
        before = each.inputs[0]


def _wait_for(text: str, asked: Sequence[str]) -> None:
    deadline = time.monotonic() + 10
    while text not in asked and time.monotonic() < deadline:
        time.sleep(0.001)
    assert text in asked
    time.sleep(0.02)  # the reply is on its way from the thread that embeds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.db"


def test_small_documents_share_a_transaction(path: Path) -> None:
    """All that are finished in a moment are one or two, and each is told of once it is there."""
    run = Run(path, Ingest(FINGERPRINT), clock=still)
    run.fill(many())
    assert run.there() == sorted(run.events) == [f"file:///notes/{n:02}.md" for n in range(COUNT)]
    assert run.told_too_early == []
    assert run.writes <= 2


def test_nobody_waits_for_a_group(path: Path) -> None:
    """Where documents are finished one after another, each is written when it is finished."""
    run = Run(path, Ingest(FINGERPRINT), clock=hours_apart())
    seen: list[int] = []

    def looked_at() -> Generator[Prepared]:
        for each in one_by_one(run, many()[:6]):
            yield each
            seen.append(len(run.there()))

    run.fill(looked_at())
    assert seen[-1] >= 3
    assert run.writes >= 4


def test_a_group_is_not_larger_than_a_good_transaction(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many chunks are written, however fast they came."""
    monkeypatch.setattr(filling, "GROUP_CHUNKS", 10)
    run = Run(path, Ingest(FINGERPRINT), clock=still)
    run.fill(many())
    assert COUNT // 10 <= run.writes <= COUNT // 10 + 1


@pytest.mark.parametrize("problem", ["", "the disk is full", None])
def test_what_is_paid_for_waits_in_the_cache_alone(path: Path, problem: str | None) -> None:
    """Where texts are sent away and no cache keeps what comes, each document is written at once."""
    vault = None if problem is None else Vault()
    if vault is not None:
        vault.problem = problem or ""
    run = Run(path, Ingest(FINGERPRINT, destination="api.example", vault=vault), clock=still)
    run.fill(many())
    assert run.there() == sorted(run.events)
    if problem == "":
        assert run.writes <= 2
    else:
        assert run.writes == COUNT


def test_a_text_of_an_open_group_is_not_embedded_again(path: Path) -> None:
    """Though neither index nor cache has its vector yet."""
    run = Run(path, Ingest(FINGERPRINT), clock=still)
    same = [prepared(name, "The same words in each.") for name in "xy"]
    first, *others = many()

    def given() -> Generator[Prepared]:
        yield from one_by_one(run, [first, same[0], *others[:5]])
        yield same[1]

    run.fill(given())
    assert run.writes <= 2
    assert sorted(run.embedder.asked) == sorted(set(run.embedder.asked))


def test_a_failure_keeps_its_place(path: Path) -> None:
    """What was finished before a document that fails is told of before it."""
    run = Run(path, Ingest(FINGERPRINT), clock=still)
    good = many()[:6]
    run.fill(one_by_one(run, [*good[:3], prepared("bad", "An unspeakable thing."), *good[3:]]))
    names = [uri.rpartition("/")[2] for uri in run.events]
    assert names == ["00.md", "01.md", "02.md", "bad.md", "03.md", "04.md", "05.md"]
    assert len(run.there()) == len(good)


def test_a_run_that_breaks_keeps_what_is_finished(path: Path) -> None:
    """An error that nobody foresaw takes no finished document with it."""
    run = Run(path, Ingest(FINGERPRINT), clock=still)

    def breaks() -> Generator[Prepared]:
        yield from one_by_one(run, many()[:6])
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        run.fill(breaks())
    assert len(run.there()) == len(run.events) >= 4
