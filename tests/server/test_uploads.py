"""Uploads: taken in for good, ingested one after the other, whatever crashes in between."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ragkit.errors import (
    ConfigError,
    DocumentError,
    DocumentNotFound,
    ProviderAuthError,
    ProviderUnavailable,
)
from ragkit.index import Index
from ragkit.ports import EmbedKind
from ragkit.server.upload_files import NAME_CHARACTERS, UploadFiles, clean_name, uri_of
from ragkit.server.uploads import Upload, Uploads
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from tests.documents import BREAD, FERRY

if TYPE_CHECKING:
    from ragkit.ports import Vectors

ROOT = Path(__file__).parents[2]
SECONDS = 20.0  # that a test waits for what takes a moment, on a busy machine


def index_at(folder: Path, embedder: HashEmbedder | None = None, **settings: float) -> Index:
    return Index(
        SqliteStore(folder / "index.db", lock_wait_seconds=settings.get("lock_wait_seconds", 60.0)),
        embedder=embedder or HashEmbedder(64),
        settings=Settings(isolation="none"),
    )


def uploads_at(folder: Path, index: Index, **options: object) -> Uploads:
    return Uploads(index, folder / "index.db.uploads", **options)  # type: ignore[arg-type]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_at(tmp_path) as made:
        yield made


@pytest.fixture
def uploads(tmp_path: Path, index: Index) -> Iterator[Uploads]:
    with uploads_at(tmp_path, index) as made:
        yield made


def sent(
    uploads: Uploads, text: str | bytes, name: str = "ferry.md", collection: str | None = None
) -> Upload:
    data = text.encode() if isinstance(text, str) else text
    return uploads.add(name, io.BytesIO(data), collection=collection)


def final(uploads: Uploads, id_: str) -> Upload:
    """Return an upload when it is done with."""
    wait_for(lambda: uploads.get(id_).is_final)
    return uploads.get(id_)


def wait_for(condition: Callable[[], bool]) -> None:
    due = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < due, "it takes too long"
        time.sleep(0.02)


# --- one upload --------------------------------------------------------------------------------


def test_an_upload_becomes_a_document(uploads: Uploads, index: Index) -> None:
    """With its bytes, to be had again; the queue keeps none."""
    upload = sent(uploads, FERRY)
    assert upload.state == "queued"
    assert upload.sha256 == hashlib.sha256(FERRY.encode()).hexdigest()
    done = final(uploads, upload.id)
    assert (done.state, done.result, done.uri) == ("done", "added", "upload:ferry.md")
    assert done.document_id == index.get("upload:ferry.md").id
    assert done.chunks == done.chunks_embedded == len(index.chunks("upload:ferry.md"))
    assert index.original("upload:ferry.md").data == FERRY.encode()
    assert not list((index.path.parent / "index.db.uploads").glob("*.bytes"))


def test_what_clients_are_told(uploads: Uploads) -> None:
    """The fields of the interface, as JSON."""
    done = final(uploads, sent(uploads, FERRY).id).to_dict()
    assert json.loads(json.dumps(done)) == done
    assert set(done) == set(
        "object id filename uri bytes sha256 collection state result document_id chunks"
        " chunks_embedded error message created_at updated_at".split()
    )
    assert (done["object"], done["bytes"], done["error"]) == ("upload", len(FERRY.encode()), None)
    assert done["created_at"] <= done["updated_at"]


def test_the_same_name_is_a_new_version(uploads: Uploads, index: Index) -> None:
    """Of the same document, if it goes to the same collection."""
    first = final(uploads, sent(uploads, FERRY, "a.md").id)
    again = final(uploads, sent(uploads, FERRY, "a.md").id)
    changed = final(uploads, sent(uploads, BREAD, "a.md").id)
    assert [each.result for each in (first, again, changed)] == ["added", "unchanged", "updated"]
    assert first.document_id == again.document_id == changed.document_id
    assert again.chunks == first.chunks
    assert index.original("upload:a.md").data == BREAD.encode()


def test_collections_do_not_collide(uploads: Uploads, index: Index) -> None:
    """The same name in another collection is another document."""
    final(uploads, sent(uploads, FERRY, "a.md").id)
    other = final(uploads, sent(uploads, BREAD, "a.md", "kitchen").id)
    assert (other.uri, other.result) == ("upload:kitchen/a.md", "added")
    assert {each.uri: each.collection for each in index.documents()} == {
        "upload:a.md": "default",
        "upload:kitchen/a.md": "kitchen",
    }


@pytest.mark.parametrize("collection", ["", "  ", "a\nb", "\u202eevil", "x" * 201])
def test_what_can_not_be_a_collection(uploads: Uploads, collection: str) -> None:
    """It is refused, and nothing is kept."""
    with pytest.raises(ConfigError, match="collection"):
        sent(uploads, FERRY, collection=collection)
    assert uploads.list() == []


@pytest.mark.parametrize(
    ("data", "name", "state", "code"),
    [
        (b"", "empty.md", "skipped", "empty"),
        (b" \n ", "blank.md", "skipped", "empty"),
        (bytes(range(256)) * 9, "program.bin", "skipped", "binary"),
        (b"PK\x03\x04", "things.zip", "skipped", "unsupported"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old.doc", "skipped", "unsupported"),
        (b"%PDF-1.7 and no more", "broken.pdf", "failed", "corrupt"),
    ],
)
def test_what_gives_no_document(
    uploads: Uploads, index: Index, data: bytes, name: str, state: str, code: str
) -> None:
    """It says why, the next one is ingested, and no bytes stay anywhere."""
    bad = final(uploads, sent(uploads, data, name).id)
    assert (bad.state, bad.error_code, bad.result) == (state, code, None)
    assert bad.to_dict()["error"]["message"]
    assert final(uploads, sent(uploads, FERRY).id).state == "done"
    assert len(list(Path(f"{index.path}.files").glob("??/*"))) == 1


def test_what_was_excluded_comes_back(uploads: Uploads, index: Index) -> None:
    """Who sends it again wants it."""
    final(uploads, sent(uploads, FERRY).id)
    index.remove("upload:ferry.md", exclude=True)
    assert final(uploads, sent(uploads, FERRY).id).result == "added"


def test_more_than_allowed_is_refused_while_it_comes(tmp_path: Path, index: Index) -> None:
    """Nothing of it stays on the disk."""

    class Endless(io.RawIOBase):
        pieces = 0

        def read(self, size: int = -1) -> bytes:
            self.pieces += 1
            return b"x" * size

    endless = Endless()
    with uploads_at(tmp_path, index, max_bytes=3_000_000) as uploads:
        with pytest.raises(DocumentError) as error:
            uploads.add("a.md", endless)  # type: ignore[arg-type]
        assert error.value.code == "too-large"
        assert endless.pieces == 3
        assert uploads.list() == []
        left = {path.name for path in (tmp_path / "index.db.uploads").iterdir()}
        assert left <= {".gitignore", ".lock"}


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("C:\\Users\\me\\Notes 1.md", "Notes 1.md"),
        ("<img src=x onerror=alert(1)>.md", "<img src=x onerror=alert(1)>.md"),
        ("", "upload"),
        (".", "upload"),
        ("..", "upload"),
        ("a/", "upload"),
        ("\0\x1b[31m.md", "[31m.md"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("invoice\u202egpj.md", "invoicegpj.md"),
        ("zero\u200bwidth\ufeff.md", "zerowidth.md"),
        ("line\nbreak\u2028 here.md", "line break here.md"),
        ("no\u00a0break.md", "no break.md"),
        ("Cafe\u0301.md", "Café.md"),
        ("half\ud800.md", "half.md"),
        ("報告書.pdf", "報告書.pdf"),
        ("x" * 300 + ".md", "x" * 197 + ".md"),
        ("x" * 300, "x" * 200),
        ("a." + "b" * 300, "a." + "b" * 198),
    ],
)
def test_names_are_cleaned(given: str, name: str) -> None:
    """No path, nothing that isn't seen, neither empty nor endless; the suffix stays."""
    assert clean_name(given) == name
    assert len(clean_name(given)) <= NAME_CHARACTERS
    assert clean_name(name) == name


@pytest.mark.parametrize("name", ["a#1.md", "a?.md", "100%.md", "a%23.md", "a:b.md", "a b.md"])
def test_names_come_back_from_their_uris(uploads: Uploads, index: Index, name: str) -> None:
    """Whatever means something in an address, the document is found and has its name."""
    done = final(uploads, sent(uploads, FERRY, name).id)
    assert done.state == "done"
    assert index.get(done.uri).id == done.document_id
    assert index.original(done.uri).name == name


def test_a_name_like_the_escape_of_another(uploads: Uploads, index: Index) -> None:
    """It is another document, and each is found by its own uri."""
    names = ["a#.md", "a%23.md", "a%2523.md", "a?.md", "a%3F.md"]
    assert len({uri_of(name, "default") for name in names}) == len(names)
    done = [final(uploads, sent(uploads, f"{FERRY}{name}", name).id) for name in names]
    assert len({each.document_id for each in done}) == len(names)
    assert [index.original(each.uri).name for each in done] == names


@pytest.mark.parametrize("id_", ["", "x", "../index", "0" * 24, "0" * 25, "\0", "0" * 23 + "/"])
def test_what_is_no_upload(uploads: Uploads, id_: str) -> None:
    """It is not found, and no path is made of it."""
    with pytest.raises(DocumentNotFound):
        uploads.get(id_)
    with pytest.raises(DocumentNotFound):
        uploads.watch(id_)


# --- the list ----------------------------------------------------------------------------------


def test_the_newest_comes_first(tmp_path: Path, index: Index) -> None:
    """Those of the same moment too."""
    clock = datetime(2026, 5, 1, tzinfo=UTC)
    uploads = uploads_at(tmp_path, index, clock=lambda: clock)
    ids = [sent(uploads, FERRY, f"{n}.md").id for n in range(5)]
    assert [each.id for each in uploads.list()] == ids[::-1]


def test_finished_ones_are_forgotten(tmp_path: Path, index: Index) -> None:
    """After a day, or beyond 500; those that wait are not, however old."""
    now = datetime.now(UTC)
    files = UploadFiles(tmp_path / "queue", clock=lambda: now)

    def receive() -> Upload:
        return files.receive("a.md", io.BytesIO(b"x"), collection="default", max_bytes=9)

    waiting = receive()
    done = [receive() for _ in range(502)]
    for each in done:
        files.write(replace(each, state="done"))
    files.forget()
    assert [each.id for each in files.newest()] == [*(d.id for d in done[:1:-1]), waiting.id]
    now += timedelta(days=1, minutes=1)
    files.forget()
    assert [each.id for each in files.newest()] == [waiting.id]
    assert files.data(waiting) == b"x"


def test_what_a_crash_has_left_is_swept_up(tmp_path: Path) -> None:
    """Bytes that belong to no upload, when nobody has written to them for long."""
    now = datetime.now(UTC)
    files = UploadFiles(tmp_path / "queue", clock=lambda: now)
    kept = files.receive("a.md", io.BytesIO(b"x"), collection="default", max_bytes=9)
    for name in (f"{'0' * 24}.bytes", f"{'0' * 24}.bytes.0a1b2c3d", f"{kept.id}.json.0a1b2c3d"):
        (files.folder / name).write_bytes(b"half")
    files.forget()
    assert len(list(files.folder.glob("*.*"))) == 6  # somebody may be writing them now
    now += timedelta(hours=2)
    files.forget()
    left = {path.name for path in files.folder.iterdir()}
    assert left == {".gitignore", f"{kept.id}.bytes", f"{kept.id}.json"}


def test_only_the_owner_can_read_the_queue(tmp_path: Path, index: Index) -> None:
    """A folder 0700 with files 0600."""
    sent(uploads_at(tmp_path, index), FERRY)
    folder = tmp_path / "index.db.uploads"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_queue_is_no_document(tmp_path: Path, index: Index) -> None:
    """When the folder of the index is ingested."""
    sent(uploads_at(tmp_path, index), FERRY)
    assert index.ingest(tmp_path).added == ()


# --- watching ----------------------------------------------------------------------------------


class SlowEmbedder(HashEmbedder):
    """Embeds two texts at a time, and takes its time for it."""

    batch_texts = 2
    in_flight = 1

    def __init__(self, seconds: float) -> None:
        super().__init__(64)
        self.seconds = seconds
        self.began = threading.Event()

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        self.began.set()
        time.sleep(self.seconds)
        return super().embed(texts, kind=kind)


def long_note(sections: int) -> str:
    """Return a note of so many passages at least."""
    words = " ".join(f"word{n}" for n in range(90))
    return "\n\n".join(f"# Section {n}\n\nPart {n} says {words}." for n in range(sections))


def test_watching_ends_with_the_final_state(tmp_path: Path) -> None:
    """Each change is seen once, with chunks that grow."""
    with (
        index_at(tmp_path, SlowEmbedder(0.5)) as index,
        uploads_at(tmp_path, index) as uploads,
    ):
        seen = list(uploads.watch(sent(uploads, long_note(9)).id))
    assert all(a != b for a, b in itertools.pairwise(seen))
    assert [each.is_final for each in seen] == [*(False for _ in seen[1:]), True]
    assert seen[-1].state == "done"
    under_way = [each for each in seen if each.state == "running" and each.chunks]
    assert under_way
    assert all(each.chunks == seen[-1].chunks for each in under_way)
    counts = [each.chunks_embedded for each in seen]
    assert counts == sorted(counts)
    assert any(0 < count < seen[-1].chunks for count in counts)


def test_watching_what_is_done_is_one_look(uploads: Uploads) -> None:
    """No client waits for a change that never comes."""
    done = final(uploads, sent(uploads, FERRY).id)
    assert list(uploads.watch(done.id)) == [done]


# --- trouble that passes -----------------------------------------------------------------------


class FailingEmbedder(HashEmbedder):
    """Fails as often as it is told to."""

    def __init__(self, times: int, error: Exception) -> None:
        super().__init__(64)
        self.times = times
        self.error = error
        self.calls = 0

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return super().embed(texts, kind=kind)


@pytest.mark.parametrize(
    ("times", "error", "state", "calls"),
    [
        (2, ProviderUnavailable("the endpoint is away"), "done", 3),
        (9, ProviderUnavailable("the endpoint is away"), "failed", 4),
        (9, ProviderAuthError("the key is wrong"), "failed", 1),
    ],
)
def test_a_failing_endpoint_is_tried_again(
    tmp_path: Path, times: int, error: ProviderUnavailable, state: str, calls: int
) -> None:
    """After pauses, thrice; at once given up where no time will mend it."""
    embedder = FailingEmbedder(times, error)
    with (
        index_at(tmp_path, embedder) as index,
        uploads_at(tmp_path, index, pauses=(0.01, 0.01, 0.01)) as uploads,
    ):
        done = final(uploads, sent(uploads, FERRY).id)
    assert (done.state, done.error_code) == (state, "" if state == "done" else error.code)
    assert embedder.calls == calls


def test_what_is_waited_for_is_said(tmp_path: Path) -> None:
    """In a sentence that clients can show; it is gone in the end."""
    embedder = FailingEmbedder(1, ProviderUnavailable("the endpoint is away"))
    with (
        index_at(tmp_path, embedder) as index,
        uploads_at(tmp_path, index, pauses=(1.5,)) as uploads,
    ):
        seen = list(uploads.watch(sent(uploads, FERRY).id))
    assert "the endpoint is away; it is tried again in 2 s" in [each.message for each in seen]
    assert (seen[-1].state, seen[-1].message) == ("done", "")


@pytest.mark.parametrize("wait", [0.0, 60.0])
def test_another_writer_is_waited_for(tmp_path: Path, wait: float) -> None:
    """However long it takes, and whatever the setting says."""
    with index_at(tmp_path, lock_wait_seconds=wait) as index, uploads_at(tmp_path, index) as queue:
        index.ingest_bytes(BREAD.encode(), uri="memo:bread.md")
        other = SqliteStore(index.path)
        with other.exclusive():
            id_ = sent(queue, FERRY).id
            wait_for(
                lambda: (
                    "is writing" in queue.get(id_).message or "written by" in queue.get(id_).message
                )
            )
            assert not queue.get(id_).is_final
        assert final(queue, id_).state == "done"


def test_a_bug_ends_one_upload_and_not_the_queue(
    uploads: Uploads, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the log, and not in what clients see."""
    with monkeypatch.context() as patch:
        patch.setattr(index, "ingest_bytes", lambda *_a, **_k: 1 / 0)
        bad = final(uploads, sent(uploads, FERRY).id)
    assert (bad.state, bad.error_code) == ("failed", "internal")
    assert "zero" not in bad.error_message
    assert final(uploads, sent(uploads, FERRY).id).state == "done"


# --- stopping, crashing, sharing ---------------------------------------------------------------


def test_closing_stops_what_is_under_way(tmp_path: Path) -> None:
    """Within two seconds; the next start goes on with it, and then with the rest."""
    embedder = SlowEmbedder(0.5)
    with index_at(tmp_path, embedder) as index:
        uploads = uploads_at(tmp_path, index)
        uploads.start()
        first = sent(uploads, long_note(40), "long.md")
        second = sent(uploads, FERRY)
        assert embedder.began.wait(SECONDS)
        began = time.monotonic()
        uploads.close()
        assert time.monotonic() - began < 2.5
        assert [uploads.get(each.id).state for each in (first, second)] == ["queued", "queued"]
    with index_at(tmp_path) as index, uploads_at(tmp_path, index) as uploads:
        assert final(uploads, second.id).result == "added"
        assert final(uploads, first.id).result == "added"


KILLED = """
    import os, signal, sys, threading, time
    from pathlib import Path
    from tests.server.test_uploads import SlowEmbedder, index_at, long_note, sent, uploads_at
    folder = Path(sys.argv[1])
    embedder = SlowEmbedder(0.2)
    uploads = uploads_at(folder, index_at(folder, embedder))
    for n in range(3):
        print(sent(uploads, long_note(12).replace("word", f"word{n}"), f"{n}.md").id, flush=True)
    uploads.start()
    while uploads.list()[-1].state != "done":
        time.sleep(0.01)
    embedder.began.clear()
    embedder.began.wait()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_killed_process_loses_no_upload(tmp_path: Path) -> None:
    """Killed in the middle of the second of three, the next start ingests the rest, once."""
    killed = run(KILLED, tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    first, second, third = killed.stdout.split()
    with index_at(tmp_path) as index:
        uploads = uploads_at(tmp_path, index)
        assert uploads.get(first).state == "done"
        assert uploads.get(second).state == "running"
        assert uploads.get(third).state == "queued"
        with uploads:
            assert final(uploads, third).result == "added"
            assert uploads.get(second).result == "added"
        assert [each.uri for each in index.documents()] == [f"upload:{n}.md" for n in range(3)]
        assert len(list(Path(f"{index.path}.files").glob("??/*"))) == 3


def test_a_crash_at_the_very_end_ingests_nothing_twice(tmp_path: Path, index: Index) -> None:
    """What is final stays as it was told, and its bytes go."""
    uploads = uploads_at(tmp_path, index)
    upload = sent(uploads, FERRY)
    folder = tmp_path / "index.db.uploads"
    told = asdict(replace(upload, state="done", result="added"))
    (folder / f"{upload.id}.json").write_text(json.dumps(told))
    with uploads:
        wait_for(lambda: not (folder / f"{upload.id}.bytes").exists())
    assert uploads.get(upload.id).result == "added"
    assert not index.path.exists()


WORKER = """
    import sys, time
    from pathlib import Path
    from tests.server.test_uploads import index_at, sent, uploads_at
    folder = Path(sys.argv[1])
    with index_at(folder) as index, uploads_at(folder, index) as uploads:
        print("ready", flush=True)
        for line in sys.stdin:
            print(sent(uploads, line * 3, line.strip() + ".md").id, flush=True)
"""


def test_two_processes_share_a_queue(tmp_path: Path) -> None:
    """One of them ingests what either takes in, and the other goes on when it dies."""
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(tmp_path)]
    workers = [
        subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True) for _ in range(2)
    ]

    def send(worker: subprocess.Popen[str], words: str) -> str:
        assert worker.stdin and worker.stdout
        worker.stdin.write(words + "\n")
        worker.stdin.flush()
        return worker.stdout.readline().strip()

    try:
        for worker in workers:
            assert worker.stdout and worker.stdout.readline() == "ready\n"
        with index_at(tmp_path) as index:
            uploads = uploads_at(tmp_path, index)  # takes in nothing, and watches
            ids = [send(workers[n % 2], f"Sentence number {n}") for n in range(8)]
            for id_ in ids:
                assert list(uploads.watch(id_))[-1].result == "added"
            workers[0].kill()
            workers[0].wait()
            late = send(workers[1], "The last sentence of all")
            assert list(uploads.watch(late))[-1].result == "added"
            assert len(index.documents()) == 9
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_one_of_two_queues_ingests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No upload is ingested by both."""
    with index_at(tmp_path) as index:
        calls: list[str] = []
        ingest = index.ingest_bytes

        def counted(data: bytes, **options: object) -> object:
            calls.append(str(options["uri"]))
            return ingest(data, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(index, "ingest_bytes", counted)
        with uploads_at(tmp_path, index) as one, uploads_at(tmp_path, index) as other:
            ids = [sent((one, other)[n % 2], f"{FERRY}{n}", f"{n}.md").id for n in range(6)]
            assert [final(one, id_).result for id_ in ids] == ["added"] * 6
        assert calls == [f"upload:{n}.md" for n in range(6)]


FULL = """
    import resource, signal, sys, time
    from pathlib import Path
    from ragkit.errors import StorageFull
    from tests.server.test_uploads import index_at, sent, uploads_at
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    folder = Path(sys.argv[1])
    uploads = uploads_at(folder, index_at(folder))
    sent(uploads, "small")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, -1))
    try:
        sent(uploads, "x" * 5000)
    except StorageFull as exc:
        print(exc, exc.hint)
    print(len(uploads.list()), len([*Path(folder, "index.db.uploads").glob("*.bytes*")]))
    uploads.start()
    while not uploads.list()[0].message:
        time.sleep(0.05)
    print(uploads.list()[0].state, uploads.list()[0].message)
    uploads.close()
"""


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """The sender is told; what was taken in before waits, and is ingested when there is room."""
    done = run(FULL, tmp_path)
    assert done.returncode == 0, done.stderr
    refused, counts, waits = done.stdout.splitlines()
    assert "uploads can't be kept" in refused
    assert counts == "1 1"
    assert waits.startswith("running ")
    assert "tried again" in waits
    with index_at(tmp_path) as index, uploads_at(tmp_path, index) as uploads:
        assert final(uploads, uploads.list()[0].id).result == "added"
