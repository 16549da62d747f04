"""Runs that end before their time: what is done stays, and nothing that came is paid for again."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from ragkit import cache, config
from ragkit.index import Index
from ragkit.providers.endpoint import MAX_BATCH_TEXTS
from ragkit.types import IngestLimits, IngestReport
from tests.benchmarks.crash import MOST_LOST, Place, run_round, snapshot, undisturbed, write_files
from tests.benchmarks.pipeline import measure
from tests.tempico import Fault, TempicoServer

FILES = 60


@pytest.fixture
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        running.precomputed = True
        running.latency_seconds = 0.05
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    write_files(tmp_path / "docs", random.Random(1), files=FILES)
    return Place.made(tmp_path / "killed", tmp_path / "docs")


def ingest(
    place: Place, server: TempicoServer, *, stop: Callable[[], bool] = lambda: False
) -> IngestReport:
    """Ingest in this process, into the same index and cache as `place.start`."""
    environ = {
        "HOME": str(place.folder),
        "XDG_CACHE_HOME": str(place.folder / "cache"),
        "TEMPICO_API_KEY": server.key,
        "TEMPICO_BASE_URL": server.base_url,
        "RAGKIT_CHUNK_TOKENS": "60",
    }
    settings = config.resolve({}, environ=environ, cwd=place.folder)
    with Index.open(place.index, settings, environ=environ) as index:
        return index.ingest(place.docs, limits=IngestLimits(stop=stop))


def asked_twice(server: TempicoServer) -> int:
    return sum(count - 1 for count in Counter(server.texts).values())


def asked_for_some(server: TempicoServer, *, texts: int = 3 * MAX_BATCH_TEXTS) -> None:
    """Wait until so many texts were asked for."""
    deadline = time.monotonic() + 30
    while len(server.texts) < texts and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(server.texts) >= texts


def test_a_killed_ingest_is_continued(place: Place, server: TempicoServer, tmp_path: Path) -> None:
    """Three times, at random moments: what was reported is there and whole, and not paid twice."""
    whole, seconds = undisturbed(Place.made(tmp_path / "undisturbed", place.docs), server)
    dice = random.Random(3)
    moments = itertools.chain((dice.uniform(0.5, 1) * seconds for _ in range(3)), [60.0])
    this = run_round(place, server, whole, moments)
    assert this.wrong == []
    assert snapshot(place.index) == whole


def test_ctrl_c_loses_no_reply_that_came(place: Place, server: TempicoServer) -> None:
    """The run ends with 130, and the next asks for what was in flight at most."""
    process = place.start(server)
    asked_for_some(server)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    time.sleep(2 * server.latency_seconds)
    assert place.acknowledged() <= set(snapshot(place.index))
    report = ingest(place, server)
    assert (report.failed, report.stopped) == ((), "")
    assert len(snapshot(place.index)) == FILES
    assert asked_twice(server) <= MOST_LOST


def test_a_stopped_run_pays_for_nothing_twice_when_the_replies_come_in_time(
    place: Place, server: TempicoServer
) -> None:
    """A run that is stopped waits for a moment: replies that come then are kept."""
    assert ingest(place, server, stop=lambda: len(server.texts) > MAX_BATCH_TEXTS).stopped
    assert server.texts
    assert ingest(place, server).stopped == ""
    assert asked_twice(server) == 0


def test_without_a_cache_what_the_index_holds_is_not_asked_for(
    place: Place, server: TempicoServer
) -> None:
    """A cache that can't be written, as on a full disk, costs the ingest nothing but itself."""
    place.cache.parent.parent.mkdir()
    place.cache.parent.write_text("a file where the cache's folder should be")
    process = place.start(server)
    asked_for_some(server)
    while not place.acknowledged():
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = snapshot(place.index)
    assert place.acknowledged() <= set(done)
    server.texts.clear()
    report = ingest(place, server)
    assert len(report.unchanged) == len(done) > 0
    assert (len(report.added), report.failed) == (FILES - len(done), ())
    kept = {text for _, chunks in done.values() for _, _, text, _ in chunks}
    assert not [asked for asked in server.texts if any(text in asked for text in kept)]


def test_a_cache_that_fills_the_disk_ends_nothing(
    place: Place, server: TempicoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a run: the rest goes to the index alone, and stays there."""
    connect = cache._connect

    def with_little_room(path: Path) -> apsw.Connection:
        connection = connect(path)
        connection.pragma("max_page_count", 1_000)  # of 1 KiB: some 250 vectors
        return connection

    monkeypatch.setattr(cache, "_connect", with_little_room)
    assert ingest(place, server, stop=lambda: len(server.texts) > 500).stopped == "interrupted"
    done = snapshot(place.index)
    assert 0 < len(done) < FILES
    first = set(server.texts)
    server.texts.clear()
    assert len(ingest(place, server).added) == FILES - len(done)
    assert len(snapshot(place.index)) == FILES
    again = first & set(server.texts)
    kept = {text for _, chunks in done.values() for _, _, text, _ in chunks}
    assert len(again) < MOST_LOST
    assert not [asked for asked in again if any(text in asked for text in kept)]


def test_an_endpoint_that_is_busy_for_a_while_is_asked_again(
    place: Place, server: TempicoServer
) -> None:
    """Refusals delay the ingest: nothing fails, and no text that was embedded is sent again."""
    server.latency_seconds = 0.0
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "0.1"}), times=6)
    report = ingest(place, server)
    assert (len(report.added), report.failed) == (FILES, ())
    assert asked_twice(server) == 0
    assert ingest(place, server).unchanged
    assert asked_twice(server) == 0


def test_the_pipeline_keeps_the_endpoint_busy() -> None:
    """A small version of the benchmark, with room for a busy machine."""
    run, counts = measure(1_000, latency_seconds=0.05)
    assert run.chunks == 1_000
    assert counts.texts == run.chunks
    assert run.seconds < 5
