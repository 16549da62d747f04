"""Watching: changes are noticed, taken together, and brought in; nothing else is."""

from __future__ import annotations

import builtins
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ragkit import watching
from ragkit.errors import ConfigError, DocumentError, ProviderAuthError, ProviderUnavailable
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.sources import file_uri
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import IngestEvent, IngestLimits, IngestReport, Move, Notice
from tests.documents import BREAD, FERRY

SECONDS = 20.0  # for what takes one, on a machine that does other things too


class Failing(HashEmbedder):
    """An embedder whose endpoint can be made to fail."""

    error: Exception | None = None

    def embed(self, texts: Sequence[str], *, kind: object) -> object:  # type: ignore[override]
        if self.error:
            raise self.error
        return super().embed(texts, kind=kind)  # type: ignore[arg-type]


class Watch:
    """A watch in a thread of its own; `reports` are those that have come so far."""

    def __init__(self, index: Index, *paths: Path, prune: bool = False) -> None:
        self.reports: list[IngestReport] = []
        self.events: list[IngestEvent] = []
        self.error: BaseException | None = None
        self._stop = threading.Event()
        limits = IngestLimits(stop=self._stop.is_set)
        self._iterator = index.watch(
            *paths, prune=prune, limits=limits, on_event=self.events.append
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            for report in self._iterator:
                self.reports.append(report)
        except Exception as exc:  # noqa: BLE001  looked at in `until`
            self.error = exc

    def changed(self) -> dict[str, list[str]]:
        """Return all that was done after the first ingest, as file names."""
        later = self.reports[1:]
        done = {
            word: [name(uri) for report in later for uri in getattr(report, word)]
            for word in ("added", "updated", "removed")
        }
        done["moved"] = [
            f"{name(m.source)} {name(m.target)}" for report in later for m in report.moved
        ]
        done["failed"] = [name(f.uri) for report in later for f in report.failed]
        return {word: names for word, names in done.items() if names}

    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert self.error is None, self.error
            assert time.monotonic() < deadline, (self.changed(), self.notices())
            time.sleep(0.02)

    def until_watching(self) -> None:
        self.until(lambda: bool(self.reports))

    def stop(self) -> float:
        """End it, and return how long that took."""
        begun = time.monotonic()
        self._stop.set()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        return time.monotonic() - begun


def name(uri: str) -> str:
    return uri.rpartition("/")[2]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with an ignore file and two documents, long at rest."""
    folder = tmp_path / "docs"
    (folder / "kitchen").mkdir(parents=True)
    (folder / ".gitignore").write_text("build/\n*.tmp\n")
    write(folder / "ferry.md", FERRY)
    write(folder / "kitchen" / "bread.md", BREAD)
    return folder


def write(path: Path, text: str) -> None:
    """Write a file that looks as if it had been written long ago: only its events are new."""
    path.write_text(text)
    ns = path.stat().st_mtime_ns - 10_000_000_000
    os.utime(path, ns=(ns, ns))


@pytest.fixture
def embedder() -> Failing:
    return Failing(64)


@pytest.fixture
def index(docs: Path, embedder: Failing) -> Iterator[Index]:
    """An index in the very folder that is watched, as `.ragkit/index.db` is."""
    store = SqliteStore(docs / "index.db")
    with Index(store, embedder=embedder, settings=Settings(isolation="none")) as made:
        yield made


@pytest.fixture
def watch(index: Index, docs: Path) -> Iterator[Watch]:
    watch = Watch(index, docs)
    try:
        watch.until_watching()
        yield watch
    finally:
        watch.stop()


# --- what is brought in ------------------------------------------------------------------------


def test_the_first_report_is_a_whole_ingest(watch: Watch) -> None:
    """What is there at the start is in the index before anything is waited for."""
    assert [name(uri) for uri in watch.reports[0].added] == ["ferry.md", "bread.md"]


def test_changes_are_brought_in(watch: Watch, index: Index, docs: Path) -> None:
    """New, changed, moved and deleted files, also in folders that are new."""
    (docs / "new" / "deep").mkdir(parents=True)
    write(docs / "new" / "deep" / "note.md", "# Note\n\nA puffin.\n")
    watch.until(lambda: watch.changed() == {"added": ["note.md"]})
    write(docs / "ferry.md", FERRY + "\nCats travel free.\n")
    watch.until(lambda: watch.changed().get("updated") == ["ferry.md"])
    (docs / "kitchen").rename(docs / "bakery")
    watch.until(lambda: watch.changed().get("moved") == ["bread.md bread.md"])
    shutil.rmtree(docs / "new")
    watch.until(lambda: watch.changed().get("removed") == ["note.md"])
    assert [name(each.uri) for each in index.documents()] == ["bread.md", "ferry.md"]


def test_a_storm_of_changes_is_one_ingest(watch: Watch, docs: Path) -> None:
    """What a checkout does to 300 files at once is taken together."""
    for number in range(300):
        write(docs / f"{number:03}.md", f"# Note {number}\n\nThe {number}th puffin.\n")
    watch.until(lambda: len(watch.changed().get("added", [])) == 300)
    assert len(watch.reports) == 2


def test_ignored_files_and_the_index_itself_give_no_ingest(watch: Watch, docs: Path) -> None:
    """What no ingest would read causes none; a change of the rules does."""
    (docs / "build").mkdir()
    write(docs / "build" / "page.md", "# Built\n\nA page.\n")
    write(docs / "draft.tmp", "a draft")
    (docs / ".git").mkdir()
    (docs / ".git" / "index").write_text("x")
    time.sleep(1.5)
    assert len(watch.reports) == 1
    (docs / ".gitignore").write_text("*.tmp\n")
    watch.until(lambda: watch.changed() == {"added": ["page.md"]})
    time.sleep(1.5)
    assert len(watch.reports) == 2


def test_the_lock_is_free_between_ingests(watch: Watch, docs: Path) -> None:
    """Another writer need not wait for a watch that has nothing to do."""
    store = SqliteStore(docs / "index.db", lock_wait_seconds=0)
    with store.exclusive():
        pass
    store.close()


def test_a_change_that_comes_during_an_ingest_is_not_missed(
    index: Index, embedder: Failing, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file written while the first ingest is under way is brought in by the second."""
    embed, begun = embedder.embed, threading.Event()

    def slow(texts: Sequence[str], *, kind: object) -> object:
        if not begun.is_set():
            begun.set()
            write(docs / "late.md", "# Late\n\nA late puffin.\n")
        return embed(texts, kind=kind)

    monkeypatch.setattr(embedder, "embed", slow)
    watch = Watch(index, docs)
    try:
        watch.until(lambda: watch.changed() == {"added": ["late.md"]})
    finally:
        watch.stop()


def test_a_named_file(index: Index, docs: Path) -> None:
    """It is followed when an editor replaces it, and its document goes with it; others don't."""
    ferry = docs / "ferry.md"
    watch = Watch(index, ferry, docs / "kitchen" / "bread.md")
    try:
        watch.until_watching()
        write(docs / "other.md", "# Other\n\nA puffin.\n")
        write(docs / "ferry.new", FERRY + "\nCats travel free.\n")
        (docs / "ferry.new").replace(ferry)
        watch.until(lambda: watch.changed() == {"updated": ["ferry.md"]})
        ferry.unlink()
        watch.until(lambda: watch.changed().get("removed") == ["ferry.md"])
        write(ferry, FERRY)
        watch.until(lambda: watch.changed().get("added") == ["ferry.md"])
    finally:
        watch.stop()


# --- what goes wrong ---------------------------------------------------------------------------


def test_an_endpoint_that_fails_is_told_and_tried_again(
    watch: Watch, embedder: Failing, docs: Path
) -> None:
    """One notice for one trouble; the next change brings in what is due."""
    embedder.error = ProviderUnavailable("the endpoint is down")
    write(docs / "one.md", "# One\n\nA puffin.\n")
    watch.until(lambda: len(watch.notices()) == 1)
    assert watch.notices()[0].startswith("the endpoint is down; it is tried again")
    embedder.error = None
    write(docs / "two.md", "# Two\n\nA seal.\n")
    watch.until(lambda: sorted(watch.changed().get("added", [])) == ["one.md", "two.md"])
    assert len(watch.notices()) == 1


def test_it_is_tried_again_without_a_change(
    watch: Watch, embedder: Failing, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while a failed ingest is repeated by itself."""
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.2)
    embedder.error = ProviderUnavailable("the endpoint is down")
    write(docs / "one.md", "# One\n\nA puffin.\n")
    watch.until(lambda: len(watch.notices()) == 1)
    embedder.error = None
    watch.until(lambda: watch.changed() == {"added": ["one.md"]})


def test_an_endpoint_that_is_down_at_the_start(
    index: Index, embedder: Failing, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be over soon does not end a watch, even at its first ingest."""
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.2)
    embedder.error = ProviderUnavailable("the endpoint is down")
    watch = Watch(index, docs)
    try:
        watch.until(lambda: len(watch.notices()) == 1)
        embedder.error = None
        watch.until_watching()
        assert len(watch.reports[0].added) == 2
    finally:
        watch.stop()


def test_a_wrong_key_at_the_start_ends_it(index: Index, embedder: Failing, docs: Path) -> None:
    """What the user has to mend is raised while the user is there."""
    embedder.error = ProviderAuthError("the key is wrong")
    with pytest.raises(ProviderAuthError):
        next(index.watch(docs))


def test_a_file_that_fails_is_tried_again(watch: Watch, docs: Path) -> None:
    """A failed file counts as changed until it is read, since what hinders it may go away."""
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that makes a PDF")
    watch.until(lambda: watch.changed() == {"failed": ["broken.pdf"]})
    write(docs / "draft.tmp", "any event in the folder")
    watch.until(lambda: watch.changed() == {"failed": ["broken.pdf"] * 2})


def test_a_folder_that_goes_and_comes_back(
    watch: Watch, index: Index, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its documents are kept, that is told, and what has changed meanwhile is brought in."""
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.2)
    aside = docs.with_name("aside")
    docs.rename(aside)
    watch.until(lambda: any("is gone; its documents are kept" in each for each in watch.notices()))
    write(aside / "new.md", "# New\n\nA puffin.\n")
    aside.rename(docs)
    watch.until(lambda: watch.changed() == {"added": ["new.md"]})
    write(docs / "later.md", "# Later\n\nA seal.\n")
    watch.until(lambda: watch.changed() == {"added": ["new.md", "later.md"]})


def test_a_folder_that_is_replaced(index: Index, docs: Path) -> None:
    """The one that took its place is watched from then on."""
    kitchen, cellar = docs / "kitchen", docs / "cellar"
    shutil.copytree(kitchen, cellar)
    watch = Watch(index, kitchen)
    try:
        watch.until_watching()
        shutil.rmtree(kitchen)
        cellar.rename(kitchen)
        write(kitchen / "new.md", "# New\n\nA puffin.\n")
        watch.until(lambda: watch.changed() == {"added": ["new.md"]})
        write(kitchen / "later.md", "# Later\n\nA seal.\n")
        watch.until(lambda: watch.changed() == {"added": ["new.md", "later.md"]})
    finally:
        watch.stop()


def test_documents_that_are_kept_are_told_of_once(watch: Watch, docs: Path) -> None:
    """The same notice of one ingest after the other is not repeated."""
    for number in range(30):
        write(docs / f"{number:03}.md", f"# Note {number}\n\nThe {number}th puffin.\n")
    watch.until(lambda: len(watch.changed().get("added", [])) == 30)
    for number in range(30):
        (docs / f"{number:03}.md").unlink()
    watch.until(lambda: len(watch.reports) == 3)
    write(docs / "new.md", "# New\n\nA seal.\n")
    watch.until(lambda: "new.md" in watch.changed()["added"])
    assert len(watch.reports[-1].kept) == 30
    assert len([each for each in watch.notices() if "they are kept" in each]) == 1


# --- beginning and ending ----------------------------------------------------------------------


def test_it_ends_within_a_second(watch: Watch) -> None:
    """Whoever says stop waits for no timeout."""
    assert watch.stop() < 1
    assert watch.error is None


def test_it_ends_while_it_waits_for_a_writer(index: Index, docs: Path) -> None:
    """A stop is seen in the queue for the lock too: the report says that it was interrupted."""
    other = SqliteStore(docs / "index.db")
    with other.exclusive():
        watch = Watch(index, docs)
        watch.until(lambda: any("is writing to the index" in each for each in watch.notices()))
        assert watch.stop() < 1
    other.close()
    assert [report.stopped for report in watch.reports] == ["interrupted"]


def test_a_missing_path(index: Index, docs: Path) -> None:
    """A path that isn't there at the start is an error, as it is for an ingest."""
    with pytest.raises(DocumentError, match="there is no file or folder"):
        next(index.watch(docs / "nothing"))


def test_a_web_page_can_not_be_watched(index: Index) -> None:
    """It is said so before anything is done."""
    with pytest.raises(ConfigError, match="is a web page"):
        index.watch("https://example.com/a")


def test_without_the_extra(index: Index, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library is missing the error says what to install."""
    real = builtins.__import__

    def missing(module: str, *rest: object) -> object:
        if module == "watchfiles":
            raise ImportError(module)
        return real(module, *rest)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "watchfiles", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError) as caught:
        index.watch(docs)
    assert "pip install watchfiles" in caught.value.hint
    assert "pip install '.[watch]'" in caught.value.hint


# --- coming to rest ----------------------------------------------------------------------------


def settled_after(changes: Sequence[float], *, seconds: float = 100.0) -> float:
    """Return when `settle` returns, for changes at these times, with a clock of its own."""
    now = 0.0

    def poll() -> bool:
        nonlocal now
        begun, now = now, round(now + 0.1, 3)
        return any(begun < change <= now for change in changes)

    watching.settle(poll, seconds=seconds, stop=lambda: False, clock=lambda: now)
    return now


def test_a_change_is_taken_when_it_is_quiet() -> None:
    """Half a second after the last one of a row."""
    assert settled_after([3.0]) == pytest.approx(3.5, abs=0.11)
    assert settled_after([3.0, 3.4, 3.8]) == pytest.approx(4.3, abs=0.11)


def test_changes_without_end_are_taken_after_five_seconds() -> None:
    """A file that grows all day does not keep the others out."""
    assert settled_after([1 + each / 10 for each in range(900)]) == pytest.approx(6.0, abs=0.11)


def test_without_a_change_it_returns_in_the_end() -> None:
    """That is when everything is looked at anyhow."""
    assert settled_after([], seconds=7.0) == pytest.approx(7.0, abs=0.11)


def test_a_move_is_told_with_both_places(watch: Watch, docs: Path) -> None:
    """Nothing is embedded for it."""
    (docs / "ferry.md").rename(docs / "boats.md")
    watch.until(lambda: len(watch.reports) == 2)
    move = Move(file_uri(docs / "ferry.md"), file_uri(docs / "boats.md"))
    assert watch.reports[1].moved == (move,)
    assert watch.reports[1].chunks_embedded == 0
