"""The embedding stage: each text once, in batches, several in flight; nothing paid is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pytest

from ragkit.errors import BadProviderResponse, ProviderUnavailable
from ragkit.indexing.embedding import (
    AHEAD_TEXTS,
    UNSAVED_BATCHES,
    Embedded,
    EmbeddingStage,
    Stopped,
    Text,
)
from ragkit.ports import EmbedKind
from ragkit.vectors import input_hash, pack


class Model:
    """An embedder that says what it was asked for, and does what a test wants meanwhile."""

    name = "model"
    dimensions = 2

    def __init__(
        self,
        *,
        batch_texts: int = 4,
        in_flight: int = 1,
        meanwhile: Callable[[Sequence[str]], object] = lambda _texts: None,
    ) -> None:
        self.batch_texts = batch_texts
        self.batch_tokens = 1000
        self.in_flight = in_flight
        self.batches: list[list[str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._meanwhile = meanwhile

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> np.ndarray:
        with self._lock:
            self.batches.append(list(texts))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self._meanwhile(texts)
            return np.array([vector(text) for text in texts], np.float32)
        finally:
            with self._lock:
                self._at_once -= 1

    @property
    def asked(self) -> list[str]:
        return [text for batch in self.batches for text in batch]


def vector(text: str) -> tuple[float, float]:
    """Return a unit vector that tells texts apart."""
    angle = int.from_bytes(input_hash(text)[:4]) / 2**32
    return float(np.cos(angle)), float(np.sin(angle))


class Shelf(dict[bytes, bytes]):
    """A vault in memory."""

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:  # type: ignore[override]
        return {key: self[key] for key in keys if key in self}

    def put(self, items: Mapping[bytes, bytes]) -> None:
        self.update(items)


def texts(*words: str) -> list[Text]:
    return [Text(input_hash(word), b"cache:" + input_hash(word), word) for word in words]


def run(stage: EmbeddingStage[str], documents: Mapping[str, Sequence[str]]) -> dict[str, object]:
    """Put documents through and return what came of each: its vectors, or its error's words."""
    came: dict[str, object] = {}
    index: dict[bytes, bytes] = {}

    def write(done: Iterable[Embedded[str]]) -> None:
        for each in done:
            came[each.document] = each.error or each.vectors
            index.update(each.vectors)

    for name, words in documents.items():
        stage.add(name, texts(*words), dict(index))
        write(stage.finished())
    write(stage.drain())
    stage.close()
    return came


def packed(*words: str) -> dict[bytes, bytes]:
    return {input_hash(word): pack(np.array(vector(word), np.float32)) for word in words}


DOCUMENTS = {f"d{n}": [f"word {n}", f"word {n + 1}", "the same"] for n in range(20)}


@pytest.mark.parametrize("in_flight", [1, 3])
def test_each_text_is_asked_for_once(in_flight: int) -> None:
    """Whatever document it stands in, and each document gets the vectors of its own texts."""
    model = Model(in_flight=in_flight)
    came = run(EmbeddingStage(model), DOCUMENTS)
    assert came == {name: packed(*words) for name, words in DOCUMENTS.items()}
    assert sorted(model.asked) == sorted({word for words in DOCUMENTS.values() for word in words})


def test_documents_share_batches() -> None:
    """Batches are full but for the last one, and no larger than the embedder takes."""
    model = Model(batch_texts=4)
    run(EmbeddingStage(model), DOCUMENTS)
    assert [len(batch) for batch in model.batches] == [4, 4, 4, 4, 4, 2]  # 22 texts


def test_batches_are_small_enough_in_tokens() -> None:
    """A long text goes alone, if need be."""
    model = Model(batch_texts=100)
    run(EmbeddingStage(model), {"d": ["long " * 900, "b", "c " * 300, "also " * 800]})
    assert [len(batch) for batch in model.batches] == [2, 1, 1]


def test_so_many_are_in_flight() -> None:
    """As many as the embedder takes at once, and no more."""
    model = Model(in_flight=3, meanwhile=lambda _texts: time.sleep(0.05))
    run(EmbeddingStage(model), DOCUMENTS)
    assert model.most_at_once == 3


def test_what_is_known_is_not_asked_for() -> None:
    """Neither what the index knows nor what the vault holds."""
    model = Model()
    shelf = Shelf({b"cache:" + input_hash("shelved"): packed("shelved")[input_hash("shelved")]})
    stage: EmbeddingStage[str] = EmbeddingStage(model, vault=shelf)
    stage.add("a", texts("known", "shelved", "new"), packed("known"))
    stage.add("b", texts("known", "shelved"), packed("known"))
    assert [each.document for each in stage.finished()] == ["b"]
    (a,) = stage.drain()
    assert a.vectors == packed("known", "shelved", "new")
    assert model.asked == ["new"]
    assert stage.texts_embedded == 1


def test_a_batch_is_in_the_vault_before_anything_else_happens() -> None:
    """So a crash after the reply pays nothing twice, though no document is complete."""
    shelf = Shelf()
    stage: EmbeddingStage[str] = EmbeddingStage(Model(batch_texts=2), vault=shelf)
    stage.add("a", texts("1", "2", "3"), {})
    deadline = time.monotonic() + 5
    while len(shelf) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert set(shelf) == {b"cache:" + input_hash(word) for word in "12"}
    stage.close()


def test_a_text_without_a_vector_is_its_documents_failure() -> None:
    """All others get theirs."""

    def refuse(asked: Sequence[str]) -> None:
        if "bad" in asked:
            raise BadProviderResponse("no vector for bad")

    model = Model(batch_texts=8, meanwhile=refuse)
    came = run(EmbeddingStage(model), {"a": ["1", "2"], "b": ["3", "bad"], "c": ["4", "5", "bad"]})
    assert came["a"] == packed("1", "2")
    assert str(came["b"]) == str(came["c"]) == "no vector for bad"


def test_an_error_of_the_provider_ends_the_stage_and_loses_nothing_paid() -> None:
    """What was complete, or comes while it settles, is still given."""
    failing = threading.Event()

    def fail(asked: Sequence[str]) -> None:
        if "fails" in asked:
            failing.wait(5)
            raise ProviderUnavailable("down")
        time.sleep(0.1)

    model = Model(batch_texts=1, in_flight=2, meanwhile=fail)
    stage: EmbeddingStage[str] = EmbeddingStage(model)
    for name, word in (("a", "fails"), ("b", "1"), ("c", "2")):
        stage.add(name, texts(word), {})
    failing.set()
    with pytest.raises(ProviderUnavailable):
        for _ in stage.drain():
            raise AssertionError("nothing was complete yet")
    assert "b" in {each.document for each in stage.settle(seconds=5)}


def test_a_stop_is_seen_within_a_moment() -> None:
    """Though the embedder gives no reply."""
    stop = threading.Event()
    model = Model(batch_texts=1, meanwhile=lambda _texts: time.sleep(30))
    stage: EmbeddingStage[str] = EmbeddingStage(model, stop=stop.is_set)
    stage.add("a", texts("1"), {})
    threading.Timer(0.2, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped, match="interrupted"):
        list(stage.drain())
    assert list(stage.settle(seconds=0.1)) == []
    assert time.monotonic() - started < 1


def test_little_is_planned_ahead() -> None:
    """Who adds faster than the embedder works waits: memory stays bounded."""
    gate = threading.Semaphore(0)
    model = Model(batch_texts=1, in_flight=2, meanwhile=lambda _texts: gate.acquire())
    stage: EmbeddingStage[str] = EmbeddingStage(model)
    added: list[int] = []

    def add() -> None:
        for n in range(2 * AHEAD_TEXTS):
            stage.add(str(n), texts(f"text {n}"), {})
            added.append(n)

    thread = threading.Thread(target=add)
    thread.start()
    deadline = time.monotonic() + 10
    while len(added) < AHEAD_TEXTS and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(added) <= AHEAD_TEXTS + 4
    gate.release(2 * AHEAD_TEXTS)
    thread.join(10)
    assert len(list(stage.drain())) == 2 * AHEAD_TEXTS


def test_the_embedder_has_work_while_a_document_is_cut_or_written() -> None:
    """However small its batches are, those that are planned last for a while."""
    model = Model(batch_texts=1, in_flight=4, meanwhile=lambda _texts: time.sleep(0.001))
    stage: EmbeddingStage[str] = EmbeddingStage(model)
    stage.add("long", texts(*(f"text {n}" for n in range(AHEAD_TEXTS))), {})
    deadline = time.monotonic() + 10
    while len(model.asked) < AHEAD_TEXTS - 1 and time.monotonic() < deadline:
        time.sleep(0.01)  # nobody takes replies meanwhile
    assert len(model.asked) >= AHEAD_TEXTS - 1
    assert len(list(stage.drain())) == 1


class SlowShelf(Shelf):
    """A vault that takes its time until it is let go, and counts how often it is written."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.writes = 0

    def put(self, items: Mapping[bytes, bytes]) -> None:
        self.let_go.wait(10)
        self.writes += 1
        super().put(items)


def test_a_slow_vault_keeps_no_request_waiting_but_few_are_unsaved() -> None:
    """What comes back meanwhile is written together, and is no more than a crash may lose."""
    model = Model(batch_texts=1, in_flight=3)
    shelf = SlowShelf()
    stage: EmbeddingStage[str] = EmbeddingStage(model, vault=shelf)
    for n in range(20):
        stage.add(str(n), texts(f"text {n}"), {})
    deadline = time.monotonic() + 5
    while len(model.asked) < 3 + UNSAVED_BATCHES and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.1)
    assert len(model.asked) == 3 + UNSAVED_BATCHES
    assert list(stage.finished()) == []
    shelf.let_go.set()
    assert len(list(stage.drain())) == 20
    assert len(shelf) == 20
    assert shelf.writes < 20


def test_a_vault_that_fails_ends_the_stage() -> None:
    """One that raises is broken; the cache never does."""

    class Broken(Shelf):
        def put(self, items: Mapping[bytes, bytes]) -> None:
            raise OSError("broken")

    stage: EmbeddingStage[str] = EmbeddingStage(Model(), vault=Broken())
    stage.add("a", texts("1"), {})
    with pytest.raises(OSError, match="broken"):
        list(stage.drain())


def test_the_threads_end_with_the_stage() -> None:
    """Those that embed, and the one that writes to the vault."""
    before = set(threading.enumerate())
    run(EmbeddingStage(Model(in_flight=3), vault=Shelf()), DOCUMENTS)
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()


def test_a_limit_is_asked_before_each_batch() -> None:
    """What it refuses is not sent."""
    sent: list[int] = []

    def allow(tokens: int) -> None:
        if len(sent) == 2:
            raise Stopped("max-tokens")
        sent.append(tokens)

    model = Model(batch_texts=1)
    stage: EmbeddingStage[str] = EmbeddingStage(model, before_batch=allow)
    with pytest.raises(Stopped, match="max-tokens"):
        run(stage, {"a": ["one"], "b": ["two"], "c": ["three"], "d": ["four"]})
    assert {each.document for each in stage.settle(seconds=5)} <= {"a", "b"}
    assert set(model.asked) <= {"one", "two"}
    assert len(sent) == 2
    assert all(tokens > 0 for tokens in sent)


def test_what_a_limit_let_pass_is_still_sent() -> None:
    """A run that ends at its limit has used it up, though most was only planned then."""
    model = Model(batch_texts=1, meanwhile=lambda _texts: time.sleep(0.01))
    left = iter(range(6))

    def allow(_tokens: int) -> None:
        if next(left, None) is None:
            raise Stopped("max-tokens")

    stage: EmbeddingStage[str] = EmbeddingStage(model, before_batch=allow)
    with pytest.raises(Stopped, match="max-tokens"):
        for n in range(10):
            stage.add(str(n), texts(f"text {n}"), {})
    given = [each.document for each in stage.settle(seconds=5, send_planned=True)]
    assert given == ["0", "1", "2", "3", "4", "5"]
    assert len(model.asked) == 6
