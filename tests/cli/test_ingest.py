"""`ragkit ingest` reports what it did."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ragkit.cli.progress import Lines, only_notices, reporter
from ragkit.types import Notice, Progress

from .conftest import FERRY, Ragkit, write_documents


def test_the_summary(ragkit: Ragkit, folder: Path) -> None:
    """One line on stdout with what happened, how many chunks, and how long it took."""
    write_documents(folder / "docs")
    call = ragkit("ingest", "docs")
    assert call.code == 0
    assert re.fullmatch(r"2 added; \d+ chunks; \d+\.\d s\n", call.out)
    (folder / "docs" / "ferry.md").write_text(FERRY + "\nCats travel free.\n")
    (folder / "docs" / "harbour.md").rename(folder / "docs" / "office.md")
    assert ragkit("ingest", "docs").out.startswith("1 updated, 1 moved;")
    assert ragkit("ingest", "docs").out.startswith("2 unchanged;")


def test_json(ragkit: Ragkit, folder: Path) -> None:
    """The object is the report."""
    write_documents(folder / "docs")
    body = ragkit("ingest", "docs", "--json").json
    assert [uri.rpartition("/")[2] for uri in body["added"]] == ["ferry.md", "harbour.md"]
    assert body["failed"] == []


def test_a_collection(ragkit: Ragkit, folder: Path) -> None:
    """--collection labels what is ingested."""
    write_documents(folder / "docs")
    ragkit("ingest", "docs", "--collection", "rules")
    assert ragkit("stats", "--json").json["collections"] == {"rules": 2}


def test_a_file_that_fails(ragkit: Ragkit, folder: Path) -> None:
    """It is named on stderr with the reason, the others are in the index; the exit code is 1."""
    write_documents(folder / "docs")
    (folder / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that makes a PDF")
    call = ragkit("ingest", "docs")
    assert call.code == 1
    assert call.out.startswith("2 added, 1 failed;")
    assert re.search(r"^failed: docs/broken\.pdf: .+ \([a-z-]+\)$", call.err, re.MULTILINE)


def test_files_that_are_not_read(ragkit: Ragkit, folder: Path) -> None:
    """Skipped files are listed, the first few of them, and are no failure."""
    write_documents(folder / "docs")
    for number in range(12):
        (folder / "docs" / f"{number:02}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    call = ragkit("ingest", "docs")
    assert call.code == 0
    assert call.out.startswith("2 added, 12 skipped;")
    skipped = [line for line in call.err.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == 11
    assert skipped[-1] == "skipped: 2 more files (--json lists all)"


def test_an_empty_folder(ragkit: Ragkit, folder: Path) -> None:
    """Nothing to do is a success, said on stderr."""
    (folder / "empty").mkdir()
    call = ragkit("ingest", "empty")
    assert call.code == 0
    assert "ragkit: nothing to ingest in empty\n" in call.err


def test_a_missing_path(ragkit: Ragkit) -> None:
    """A path that does not exist is an error of usage."""
    call = ragkit("ingest", "nowhere")
    assert call.code == 2
    assert "nowhere" in call.err


def test_no_path(ragkit: Ragkit) -> None:
    """ingest asks for at least one path."""
    assert ragkit("ingest").code == 2


def test_another_embedder_than_the_index_has(ragkit: Ragkit, folder: Path) -> None:
    """An index keeps its embedder; another is refused with both names."""
    write_documents(folder / "docs")
    ragkit("ingest", "docs")
    call = ragkit("ingest", "docs", "--embedder", "endpoint")
    assert call.code == 4
    assert "the index was built with" in call.err


# --- progress -----------------------------------------------------------------------------------

STEP = Progress(uri="file:///a.md", files=3, files_total=9, chunks=40, failures=0)


def test_progress_lines_come_at_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal there is a line every ten seconds, not one a file."""
    now = [0.0]
    on_event = Lines(clock=lambda: now[0])
    for now[0] in (1.0, 9.0, 10.0, 11.0, 25.0):
        on_event(STEP)
    assert capsys.readouterr().err == "ragkit: 3 of 9 files, 40 chunks\n" * 2


def test_notices_come_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """What the user should know before it happens does not wait, nor does --quiet hide it."""
    Lines(clock=lambda: 0.0)(Notice("texts go to\x1b[31m api.tempico.com"))
    only_notices(Notice("again"))
    only_notices(STEP)
    assert capsys.readouterr().err == "ragkit: texts go to api.tempico.com\nragkit: again\n"


def test_a_terminal_gets_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bar names the file, and goes away at the end."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with reporter(quiet=False) as on_event:
        on_event(Notice("[bold]texts go out"))
        on_event(STEP)
    err = capsys.readouterr().err
    assert "ragkit: [bold]texts go out" in err
    assert "3 of 9 files, 40 chunks" in err
