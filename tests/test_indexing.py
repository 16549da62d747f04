"""Ingest: what is read, embedded, moved, removed and kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragkit.errors import BadProviderResponse, ConfigError, DocumentError, ProviderUnavailable
from ragkit.index import Index
from ragkit.indexing.reading import Incoming, parse_ahead
from ragkit.parsing import Parsed
from ragkit.ports import EmbedKind
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import IngestReport, Move, Progress


class CountingEmbedder(HashEmbedder):
    """Remembers the documents' texts it was asked for, and fails on those that hold a word."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.fails_on = ""
        self.error: Exception = BadProviderResponse("no vector")

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        if self.fails_on and any(self.fails_on in text for text in texts):
            raise self.error
        if kind == "document":
            self.asked.extend(texts)
        return super().embed(texts, kind=kind)


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def index(tmp_path: Path, embedder: CountingEmbedder) -> Iterator[Index]:
    with Index(SqliteStore(tmp_path / "index.db"), embedder=embedder) as opened:
        yield opened


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "ferry.md").write_text("# Ferry\n\nThe ferry leaves at nine.\n")
    (folder / "dogs.md").write_text("# Dogs\n\nTwo dogs may travel.\n")
    return folder


def names(uris: Sequence[str]) -> list[str]:
    return sorted(uri.rsplit("/", 1)[-1] for uri in uris)


def sections(count: int, *, changed: int = -1) -> str:
    """A document of sections, each long enough to be a chunk of its own."""
    return "\n\n".join(
        f"## Part {n}\n\n" + f"Sentence of part {n}{' changed' * (n == changed)}. " * 15
        for n in range(count)
    )


def test_a_second_ingest_asks_for_nothing(
    index: Index, docs: Path, embedder: CountingEmbedder
) -> None:
    """What has not changed is reported as unchanged and not embedded."""
    assert names(index.ingest(docs).added) == ["dogs.md", "ferry.md"]
    embedder.asked.clear()
    assert names(index.ingest(docs).unchanged) == ["dogs.md", "ferry.md"]
    assert embedder.asked == []


def test_touch_copy_and_rename_cost_nothing(
    index: Index, docs: Path, embedder: CountingEmbedder
) -> None:
    """A new time stamp, a copy and a new name need no vector; a rename keeps the id."""
    index.ingest(docs)
    embedder.asked.clear()
    before = index.get("ferry.md").id
    (docs / "dogs.md").touch()
    (docs / "ferry.md").rename(docs / "boat.md")
    (docs / "copy.md").write_bytes((docs / "dogs.md").read_bytes())
    report = index.ingest(docs)
    assert [(move.source[-8:], move.target[-7:]) for move in report.moved] == [
        ("ferry.md", "boat.md")
    ]
    assert isinstance(report.moved[0], Move)
    assert (names(report.added), report.removed) == (["copy.md"], ())
    assert index.get("boat.md").id == before
    assert embedder.asked == []


def test_an_edit_embeds_only_what_it_changed(
    index: Index, docs: Path, embedder: CountingEmbedder
) -> None:
    """Of a long document only the edited section is embedded again; other chunks keep their ids."""
    (docs / "long.md").write_text(sections(8))
    index.ingest(docs)
    before = {chunk.text: chunk.id for chunk in index.chunks("long.md")}
    embedder.asked.clear()
    (docs / "long.md").write_text(sections(8, changed=3))
    assert names(index.ingest(docs).updated) == ["long.md"]
    assert embedder.asked
    assert all("changed" in text for text in embedder.asked)
    kept = [c for c in index.chunks("long.md") if "changed" not in c.text]
    assert kept
    assert all(before[chunk.text] == chunk.id for chunk in kept)


def test_what_is_gone_from_a_folder_is_removed(index: Index, docs: Path) -> None:
    """A deleted file's document goes with the next ingest of its folder, and is not found again."""
    index.ingest(docs)
    (docs / "dogs.md").unlink()
    assert names(index.ingest(docs).removed) == ["dogs.md"]
    assert not index.search("dogs", mode="lexical")


def test_an_emptied_folder_keeps_its_documents(index: Index, docs: Path) -> None:
    """An unmounted disk looks like an empty folder: nothing goes without `prune`."""
    index.ingest(docs)
    for file in docs.iterdir():
        file.unlink()
    report = index.ingest(docs)
    assert (report.removed, names(report.kept)) == ((), ["dogs.md", "ferry.md"])
    assert len(index.documents()) == 2
    assert names(index.ingest(docs, prune=True).removed) == ["dogs.md", "ferry.md"]


def test_more_than_half_of_many_is_kept(index: Index, docs: Path) -> None:
    """Where more than twenty and more than half would go, they stay until `prune`."""
    for n in range(30):
        (docs / f"note{n}.md").write_text(f"# Note {n}\n\nThis is note number {n}.\n")
    index.ingest(docs)
    for n in range(25):
        (docs / f"note{n}.md").unlink()
    report = index.ingest(docs)
    assert (report.removed, len(report.kept)) == ((), 25)
    assert len(index.ingest(docs, prune=True).removed) == 25


def test_a_missing_path_changes_nothing(index: Index, docs: Path) -> None:
    """It is an error, and the folder's documents stay."""
    index.ingest(docs)
    with pytest.raises(DocumentError, match="no file or folder"):
        index.ingest(docs / "nowhere")
    assert len(index.documents()) == 2


def test_one_bad_file_harms_no_other(index: Index, docs: Path) -> None:
    """It is a failure in the report; the others are in."""
    (docs / "bad.pdf").write_bytes(b"%PDF-1.4 this is no pdf")
    report = index.ingest(docs)
    assert (names(report.added), names([f.uri for f in report.failed])) == (
        ["dogs.md", "ferry.md"],
        ["bad.pdf"],
    )


def test_a_new_version_that_cannot_be_read_keeps_the_old(index: Index, docs: Path) -> None:
    """A document is replaced by one that could be parsed, or not at all."""
    index.ingest(docs)
    (docs / "ferry.md").write_bytes(b"%PDF-1.4 broken")
    report = index.ingest(docs)
    assert len(report.failed) + len(report.skipped) == 1
    assert "nine" in index.get("ferry.md").text


def test_a_text_without_a_vector_fails_its_document_alone(
    index: Index, docs: Path, embedder: CountingEmbedder
) -> None:
    """The others of the same batch are written."""
    embedder.fails_on = "dogs"
    report = index.ingest(docs)
    assert (names(report.added), names([f.uri for f in report.failed])) == (
        ["ferry.md"],
        ["dogs.md"],
    )


def test_an_endpoint_that_fails_loses_nothing(
    index: Index, docs: Path, embedder: CountingEmbedder
) -> None:
    """What was written stays, and the next run embeds the rest alone."""
    index.ingest(docs / "ferry.md")
    embedder.asked.clear()
    embedder.fails_on, embedder.error = "dogs", ProviderUnavailable("gone")
    with pytest.raises(ProviderUnavailable):
        index.ingest(docs)
    embedder.fails_on = ""
    assert names(index.ingest(docs).added) == ["dogs.md"]
    assert len(embedder.asked) == 1


def test_an_excluded_file_stays_out_until_it_is_named(index: Index, docs: Path) -> None:
    """`remove(exclude=True)` holds against the folder's next ingests."""
    index.ingest(docs)
    index.remove("dogs.md", exclude=True)
    assert names([s.uri for s in index.ingest(docs).skipped]) == ["dogs.md"]
    assert names(index.ingest(docs / "dogs.md").added) == ["dogs.md"]


def test_a_collection_stays_until_another_is_given(index: Index, docs: Path) -> None:
    """A plain ingest leaves the label; naming one changes it without embedding."""
    index.ingest(docs, collection="work")
    index.ingest(docs)
    assert index.stats().collections == {"work": 2}
    index.ingest(docs, collection="home")
    assert index.stats().collections == {"home": 2}


def test_progress_reaches_the_last_file(index: Index, docs: Path) -> None:
    """There is an event for each file, and the last says that all are done."""
    events: list[object] = []
    report = index.ingest(docs, on_event=events.append)
    assert isinstance(report, IngestReport)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.files for event in progress] == [1, 2]
    assert progress[-1].files_total == 2


def test_a_file_that_was_emptied_answers_no_more(index: Index, docs: Path) -> None:
    """Nor does one that has become something without text; a damaged one keeps its old version."""
    for name in ("a.txt", "b.txt"):
        (docs / name).write_text("The pilot boards at the outer buoy.")
    index.ingest(docs)
    (docs / "a.txt").write_text("")
    (docs / "b.txt").write_bytes(bytes(range(256)) * 9)
    report = index.ingest(docs)
    assert names(report.removed) == ["a.txt", "b.txt"]
    assert sorted(failure.code for failure in report.skipped) == ["binary", "empty"]
    assert all("pilot" not in hit.chunk.text for hit in index.search("pilot", mode="lexical"))
    assert not index.ingest(docs).removed


def test_folders_within_each_other_are_one_walk(index: Index, docs: Path) -> None:
    """What is gone from both is removed once, and what is left out is told once."""
    inner = docs / "inner"
    inner.mkdir()
    (inner / "a.md").write_text("# A\n")
    (inner / "b.md").write_text("# B\n")
    index.ingest(docs)
    (inner / "a.md").unlink()
    (inner / "link.md").symlink_to("nowhere")
    report = index.ingest(docs, inner, str(docs) + "/")
    assert names(report.removed) == ["a.md"]
    assert [failure.code for failure in report.skipped] == ["symlink"]


def test_a_moved_file_takes_the_collection_that_is_given(index: Index, docs: Path) -> None:
    """As those do that stayed where they were."""
    index.ingest(docs)
    (docs / "ferry.md").rename(docs / "boat.md")
    index.ingest(docs, collection="sea")
    assert {info.collection for info in index.documents()} == {"sea"}


def test_bytes_from_a_program(index: Index, embedder: CountingEmbedder) -> None:
    """They take the place of what had their uri, and cost nothing the second time."""
    note = b"# Tides\n\nHigh water comes twice a day.\n"
    assert index.ingest_bytes(note, uri="crm:tides", name="tides.md").added == ("crm:tides",)
    asked = len(embedder.asked)
    assert index.ingest_bytes(note, uri="crm:tides", name="tides.md").unchanged == ("crm:tides",)
    assert len(embedder.asked) == asked
    changed = note.replace(b"twice", b"two times")
    assert index.ingest_bytes(changed, uri="crm:tides", name="tides.md").updated == ("crm:tides",)
    assert "two times" in index.get("crm:tides").text
    assert index.ingest_bytes(b"", uri="crm:tides").removed == ("crm:tides",)
    assert index.documents() == []


@pytest.mark.parametrize("uri", ["", "file:///etc/hosts", "a\ud800", "a\nb"])
def test_bytes_need_a_uri_of_their_own(index: Index, uri: str) -> None:
    """One that is no file's, and can be stored and shown."""
    with pytest.raises(ConfigError, match="uri of bytes"):
        index.ingest_bytes(b"text", uri=uri)


def test_a_parser_that_fails_oddly_is_one_failure(
    tmp_path: Path, embedder: CountingEmbedder, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without isolation too."""

    def fail(*_: object) -> None:
        raise LookupError("odd")

    monkeypatch.setattr("ragkit.parsing.markdown.parse", fail)
    (docs / "plain.txt").write_text("All is well.")
    settings = Settings(isolation="none")
    with Index(SqliteStore(tmp_path / "i.db"), embedder=embedder, settings=settings) as index:
        report = index.ingest(docs)
    assert names(report.added) == ["plain.txt"]
    assert [failure.code for failure in report.failed] == ["crash", "crash"]


def test_texts_wait_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may hold much text: none is parsed while too much waits to be taken."""
    monkeypatch.setattr("ragkit.indexing.reading.AHEAD_CHARACTERS", 25)
    made: list[str] = []

    def parse(coming: Incoming) -> Parsed:
        made.append(coming.uri)
        return Parsed(text="x" * 10, title="", media_type="text/plain")

    files = [Incoming(f"u{n}", "n", b"d", "h", 1, 0) for n in range(12)]
    results = parse_ahead(iter(files), parse, threads=2)
    first, parsed = next(results)
    assert (first.uri, parsed.result().text) == ("u0", "x" * 10)
    time.sleep(0.2)
    assert 3 <= len(made) <= 5
    rest = [coming.uri for coming, parsed in results if parsed.result()]
    assert rest == [f"u{n}" for n in range(1, 12)]


def test_an_index_among_its_documents_is_none_of_them(
    docs: Path, embedder: CountingEmbedder
) -> None:
    """Neither the file nor its lock, the second time either."""
    with Index(SqliteStore(docs / "index.db"), embedder=embedder) as index:
        assert names(index.ingest(docs).added) == ["dogs.md", "ferry.md"]
        again = index.ingest(docs)
        assert (again.added, again.skipped) == ((), ())
