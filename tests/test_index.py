"""The facade: an index is opened, filled, asked and closed, by one thread or by many."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from ragkit.errors import (
    ConfigError,
    DocumentError,
    DocumentNotFound,
    FingerprintMismatch,
    IndexNotFound,
    QueryError,
)
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder, ScriptedChat
from ragkit.types import Filters, IngestEvent, Lines, Notice, Progress, WebSource
from tests.documents import BREAD, FERRY

QUESTION = "Do dogs need a muzzle below deck?"
REPLY = "Dogs need a muzzle below deck [1]. Parrots need 3 passports [1]."
ANYTHING = Settings(gate_threshold=0.0)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "kitchen").mkdir(parents=True)
    (folder / "ferry.md").write_text(FERRY)
    (folder / "kitchen" / "bread.md").write_text(BREAD)
    return folder


def index_at(
    path: Path, *, dimensions: int = 64, chat: ScriptedChat | None = None, **options: object
) -> Index:
    return Index(
        SqliteStore(path / "index.db"),
        embedder=HashEmbedder(dimensions),
        chat=chat,
        settings=ANYTHING,
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def index(tmp_path: Path, docs: Path) -> Iterator[Index]:
    """An index of two documents."""
    with index_at(tmp_path, chat=ScriptedChat(REPLY)) as made:
        made.ingest(docs)
        yield made


# --- opening and closing -----------------------------------------------------------------------

QUIET = """
import socket, sys
from pathlib import Path

def refuse(event, args):
    if event.startswith(("socket.", "subprocess.", "os.system")):
        raise SystemExit(f"{event} {args}")

sys.addaudithook(refuse)
from ragkit import Index
path = Path(sys.argv[1], "new", "index.db")
with Index.open(path, environ={"TEMPICO_API_KEY": "tk-0123456789abcdef", "HOME": sys.argv[1]}) as i:
    assert i.path == path
heavy = {"onnxruntime", "httpx", "numpy", "pypdfium2", "selectolax", "sqlite3"} & set(sys.modules)
assert not heavy, heavy
assert not path.parent.exists()
"""


def test_opening_is_nothing(tmp_path: Path) -> None:
    """It loads no model, opens no socket, imports nothing heavy, and writes nothing."""
    done = subprocess.run(
        [sys.executable, "-c", QUIET, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_place_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path that is given, else that of the settings, else the nearest one above."""
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "RAGKIT_DB": "by-variable.db"}
    home = {"HOME": str(tmp_path)}
    assert Index.open("given.db", environ=environ).path == tmp_path / "given.db"
    assert Index.open(environ=environ).path == tmp_path / "by-variable.db"
    assert Index.open(environ=home).path == tmp_path / ".ragkit" / "index.db"
    assert Index.open(settings=Settings(db="set.db"), environ=home).path == tmp_path / "set.db"


def test_with_closes_the_files(tmp_path: Path, docs: Path) -> None:
    """Afterwards no connection to the index is open, those of other threads included."""
    with index_at(tmp_path) as index:
        index.ingest(docs)
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda _: index.search(QUESTION), range(6)))
        path = str(index.path)
        assert path in [connection.filename for connection in apsw.connections()]
    assert path not in [connection.filename for connection in apsw.connections()]
    log = tmp_path / "index.db-wal"
    assert not log.exists() or not log.stat().st_size  # the file alone holds everything


def test_an_error_closes_the_files_too(tmp_path: Path, docs: Path) -> None:
    """And it is not swallowed."""
    with pytest.raises(QueryError), index_at(tmp_path) as index:
        index.ingest(docs)
        index.search("")
    assert str(index.path) not in [connection.filename for connection in apsw.connections()]


# --- documents ---------------------------------------------------------------------------------


def test_the_main_job(index: Index, docs: Path) -> None:
    """Documents go in, hits and answers with proven quotes come out."""
    assert index.ingest(docs).unchanged == tuple(
        (docs / name).as_uri() for name in ("ferry.md", "kitchen/bread.md")
    )
    assert "muzzle" in index.search(QUESTION)[0].chunk.text
    answer = index.ask(QUESTION, web="never")
    assert answer.text == "Dogs need a muzzle below deck. [1]"
    (citation,) = answer.citations
    assert citation.uri == (docs / "ferry.md").as_uri()
    assert citation.lines == Lines(11, 11)
    assert index.get("ferry.md").text[citation.span.start : citation.span.end] == citation.quote


def test_a_document_is_found_by_many_names(index: Index, docs: Path) -> None:
    """By id, uri, path, or the end of a path."""
    bread = index.get("bread.md")
    names = [bread.id, bread.uri, str(docs / "kitchen/bread.md"), "kitchen/bread.md", "./bread.md"]
    assert [index.get(name).id for name in names] == [bread.id] * 5
    assert index.chunks("bread.md")[0].document_id == bread.id


@pytest.mark.parametrize("reference", ["salt.md", "read.md", "", "/", "%", "file:///bread.md"])
def test_a_document_that_is_not_there(index: Index, reference: str) -> None:
    """It is named, and nothing happens to the others."""
    for verb in (index.get, index.chunks, index.remove):
        with pytest.raises(DocumentNotFound) as caught:
            verb(reference)
        assert caught.value.uri == reference
    assert len(index.documents()) == 2


def test_a_name_that_two_documents_have(index: Index, docs: Path) -> None:
    """Both are named; none is chosen, still less removed."""
    (docs / "bread.md").write_text("# Other bread\n\nRye bread keeps for two weeks.\n")
    index.ingest(docs)
    with pytest.raises(DocumentNotFound, match=r"2 documents end in bread\.md") as caught:
        index.remove("bread.md")
    assert "kitchen/bread.md" in caught.value.hint
    assert index.remove("kitchen/bread.md").title == "Bread"


def test_remove(index: Index) -> None:
    """A removed document is found no more, by words or by meaning; its line is returned."""
    info = index.remove("ferry.md")
    assert (info.title, info.media_type) == ("Ferries", "text/markdown")
    assert [each.title for each in index.documents()] == ["Bread"]
    assert {hit.chunk.uri for hit in index.search(QUESTION)} == {index.get("bread.md").uri}
    with pytest.raises(DocumentNotFound):
        index.get(info.id)


def test_remove_for_good(index: Index, docs: Path) -> None:
    """Without `exclude` the next ingest brings a file back; with it, naming the file does."""
    index.remove("ferry.md")
    assert len(index.ingest(docs).added) == 1
    index.remove("ferry.md", exclude=True)
    report = index.ingest(docs)
    assert report.added == ()
    assert [left.code for left in report.skipped] == ["excluded"]
    assert len(index.ingest(docs / "ferry.md").added) == 1


def test_the_excluded_are_listed(index: Index, docs: Path) -> None:
    """By uri, until they are taken back."""
    uri = index.get("ferry.md").uri
    assert index.excluded() == []
    index.remove("ferry.md", exclude=True)
    assert index.excluded() == [uri]
    index.ingest(docs / "ferry.md")
    assert index.excluded() == []


def test_bytes_that_are_excluded(index: Index) -> None:
    """Later ingests of their uri skip them, unless they are asked for."""
    index.ingest_bytes(b"# Contract\n\nThe rent is due in May.\n", uri="crm:17", name="c.md")
    index.remove("crm:17", exclude=True)
    report = index.ingest_bytes(b"# Contract\n\nIn June.\n", uri="crm:17", name="c.md")
    assert report.added == ()
    assert [(each.uri, each.code) for each in report.skipped] == [("crm:17", "excluded")]
    report = index.ingest_bytes(b"# Contract\n\nJuly.\n", uri="crm:17", name="c.md", include=True)
    assert report.added == ("crm:17",)
    assert index.excluded() == []
    assert index.ingest_bytes(b"# Contract\n\nMay.\n", uri="crm:17", name="c.md").updated


def test_what_only_comes_when_named_can_not_be_excluded(index: Index) -> None:
    """It is refused with the reason, and nothing is removed."""
    index.ingest_bytes(b"# Notes\n\nOf today.\n", uri="stdin:notes.md", name="notes.md")
    with pytest.raises(ConfigError, match="comes in only when it is named"):
        index.remove("stdin:notes.md", exclude=True)
    assert index.get("stdin:notes.md").title == "Notes"
    assert index.remove("stdin:notes.md").title == "Notes"


def test_forgetting_without_a_cache(index: Index) -> None:
    """It is said that there is nothing to take vectors out of."""
    events: list[IngestEvent] = []
    index.remove("ferry.md", forget=True, on_event=events.append)
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "no embedding cache is in use" in notice.text


def test_documents_and_stats(index: Index) -> None:
    """What is there, by uri, through the same filters as a search."""
    assert [info.title for info in index.documents()] == ["Ferries", "Bread"]
    assert [i.title for i in index.documents(Filters(paths=("kitchen/**",)))] == ["Bread"]
    stats = index.stats()
    assert stats.documents == 2
    assert stats.chunks == stats.vectors == sum(info.chunks for info in index.documents())
    assert stats.fingerprint is not None
    assert stats.fingerprint.embedder == "hash-64"


def test_events_of_an_ingest(tmp_path: Path, docs: Path) -> None:
    """A callback hears of each file as it is dealt with."""
    events: list[IngestEvent] = []
    with index_at(tmp_path) as index:
        index.ingest(docs, on_event=events.append)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [(event.files, event.files_total) for event in progress] == [(1, 2), (2, 2)]


def test_an_ingest_tells_for_whom_it_waits(tmp_path: Path, docs: Path) -> None:
    """A Notice comes before the waiting; with another thread of the same index, too."""
    events: list[IngestEvent] = []
    with index_at(tmp_path) as index, index_at(tmp_path) as other:
        index.ingest(docs)
        (docs / "new.md").write_text("# New\n\nA puffin.\n")
        for holder in (other, index):
            events.clear()
            with ThreadPoolExecutor(1) as pool:
                with holder._store.exclusive():
                    waiting = pool.submit(index.ingest, docs, on_event=events.append)
                    while not events:
                        assert not waiting.done()
                assert waiting.result().failed == ()
            assert isinstance(events[0], Notice)
            assert "of this process is writing to the index; waiting" in events[0].text


def test_the_index_is_no_document(tmp_path: Path) -> None:
    """An index in the folder that is ingested is not read, nor its lock."""
    (tmp_path / "note.md").write_text("# Note\n\nA puffin.\n")
    with index_at(tmp_path) as index:
        index.ingest(tmp_path)
        report = index.ingest(tmp_path)
    assert (len(report.unchanged), report.added, report.skipped) == (1, (), ())


def test_readers_never_see_half_a_document(tmp_path: Path) -> None:
    """While an ingest replaces documents a reader finds each one whole, old or new."""
    folder = tmp_path / "docs"
    folder.mkdir()

    def write(version: str) -> None:
        for number in range(6):
            paragraphs = (
                f"# Part {each}\n\nThe {version} of {number}, {each}.\n"
                for each in range(12 if version == "old" else 60)
            )
            (folder / f"{number}.md").write_text("\n".join(paragraphs))

    with index_at(tmp_path) as index:
        write("old")
        index.ingest(folder)
        uris = [each.uri for each in index.documents()]
        wholes = {(uri, "old", len(index.chunks(uri))) for uri in uris}
        done = threading.Event()
        seen: set[tuple[str, str, int]] = set()

        def read() -> None:
            while not done.is_set():
                for uri in uris:
                    chunks = index.chunks(uri)
                    words = {word for chunk in chunks for word in chunk.text.split()}
                    versions = words & {"old", "new"}
                    seen.add((uri, "+".join(sorted(versions)), len(chunks)))

        thread = threading.Thread(target=read)
        thread.start()
        try:
            for version in ("new", "old", "new"):
                write(version)
                assert len(index.ingest(folder).updated) == 6
                wholes |= {(uri, version, len(index.chunks(uri))) for uri in uris}
        finally:
            done.set()
            thread.join()
    assert seen <= wholes
    assert {version for _, version, _ in seen} == {"old", "new"}


# --- what can't be done ------------------------------------------------------------------------


def test_there_is_no_index(tmp_path: Path) -> None:
    """Every verb but ingest says so, and says how to make one; none of them makes a file."""
    with index_at(tmp_path) as index:
        verbs = (
            lambda: index.search(QUESTION),
            lambda: index.ask(QUESTION),
            lambda: index.ask_stream(QUESTION),
            lambda: index.get("a"),
            lambda: index.chunks("a"),
            lambda: index.remove("a"),
            index.documents,
            index.stats,
        )
        for verb in verbs:
            with pytest.raises(IndexNotFound) as caught:
                verb()
            assert "ragkit ingest" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_ingest(tmp_path: Path) -> None:
    """No path, or one that isn't there: an error, and no index is made of it."""
    with index_at(tmp_path) as index:
        with pytest.raises(ConfigError):
            index.ingest()
        with pytest.raises(DocumentError):
            index.ingest(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dimensions", [32, 128])
def test_another_embedder_is_refused(
    index: Index, tmp_path: Path, docs: Path, dimensions: int
) -> None:
    """Neither a search nor an ingest mixes two spaces of vectors; the index stays as it was."""
    (docs / "new.md").write_text("# New\n\nThis file came later than the others.\n")
    with index_at(tmp_path, dimensions=dimensions) as other:
        for verb in (lambda: other.search(QUESTION), lambda: other.ingest(docs)):
            with pytest.raises(FingerprintMismatch) as caught:
                verb()
            assert caught.value.stored == "hash-64 (64 dimensions)"
    assert len(index.documents()) == 2


@pytest.mark.parametrize("question", ["", " \n", "\u200b"])
def test_an_empty_question(index: Index, question: str) -> None:
    """It is an error to search for nothing, not an empty result."""
    for verb in (index.search, index.ask):
        with pytest.raises(QueryError):
            verb(question)


# --- threads -----------------------------------------------------------------------------------


def test_threads_share_an_index(tmp_path: Path, docs: Path) -> None:
    """Eight search and ask while one ingests: each sees one state of the whole index."""
    with index_at(tmp_path) as index:
        index.ingest(docs)
        done = threading.Event()

        def look(_number: int) -> int:
            rounds = 0
            while not done.is_set() or not rounds:
                hits = index.search("dogs and boats of all numbers", limit=50)
                documents = {hit.chunk.document_id for hit in hits}
                assert len({hit.chunk.id for hit in hits}) == len(hits)
                assert len(documents) >= 2
                answer = index.ask(QUESTION)
                assert answer.citations
                rounds += 1
            return rounds

        with ThreadPoolExecutor(8) as threads:
            looking = [threads.submit(look, number) for number in range(8)]
            try:
                for number in range(12):
                    text = f"# Boat {number}\n\nBoat number {number} is as red as the others.\n"
                    (docs / f"boat-{number}.md").write_text(text)
                    assert len(index.ingest(docs).added) == 1
            finally:
                done.set()
            assert all(each.result() >= 1 for each in looking)
        assert len(index.documents()) == 14


# --- JSON --------------------------------------------------------------------------------------

CITATION = "marker uri title heading_path page lines span quote document_hash"
HIT = "chunk_id uri title heading_path page lines span text score ranks"
ANSWER = "question state text citations web_sources hits removed gate model usage"
REPORT = "added updated moved removed unchanged failed"


def assert_fields(told: dict[str, object], design: str, added: str = "") -> None:
    """Exactly the fields of DESIGN 9, and those that were added since; all of it is JSON."""
    assert set(told) == {*design.split(), *added.split()}
    assert json.loads(json.dumps(told)) == told


def test_an_answer_as_json(tmp_path: Path, docs: Path) -> None:
    """The fields that every edge shows."""
    chat = ScriptedChat(
        REPLY, web_reply="Soft ones.", sources=[WebSource("https://a.example", "A")]
    )
    with index_at(tmp_path, chat=chat) as index:
        index.ingest(docs)
        told = index.ask(QUESTION, web="always").to_dict()
    assert_fields(told, ANSWER, "web_text notices standalone unproven foreign_markers")
    assert_fields(told["citations"][0], CITATION, "document_id")
    assert told["citations"][0]["document_id"] == told["hits"][0]["document_id"]
    assert_fields(told["hits"][0], HIT, "document_id collection scores also_in")
    assert_fields(told["removed"][0], "text reason")
    assert_fields(told["web_sources"][0], "url title")
    assert_fields(told["gate"], "probability reasons")
    assert_fields(told["usage"], "requests prompt_tokens completion_tokens", "embedding_tokens")
    assert_fields(told["citations"][0]["span"], "start end")
    assert_fields(told["citations"][0]["lines"], "start end")


def test_hits_and_reports_as_json(index: Index, docs: Path) -> None:
    """The fields that every edge shows."""
    assert_fields(index.search(QUESTION)[0].to_dict(), HIT, "document_id collection scores also_in")
    (docs / "ferry.md").rename(docs / "boat.md")
    (docs / "bad.pdf").write_bytes(b"%PDF-1.7 nothing of the kind")
    report = index.ingest(docs).to_dict()
    assert_fields(report, REPORT, "skipped kept chunks chunks_embedded usage stopped")
    assert_fields(report["moved"][0], "from to")
    assert_fields(report["failed"][0], "uri code message")
    assert_fields(
        index.documents()[0].to_dict(),
        "id uri title media_type content_hash collection characters chunks updated_at",
    )
    assert json.dumps(index.get("boat.md").to_dict())
    assert json.dumps(index.stats().to_dict())
