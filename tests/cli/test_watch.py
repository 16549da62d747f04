"""`ragkit ingest --watch`, as a process that gets real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragkit.cli.changes import as_json, as_text, changes
from ragkit.types import Failure, IngestReport, Move

from .conftest import FERRY, Ragkit, write_documents

SECONDS = 30.0


class Watching:
    """A `ragkit ingest --watch` and the lines that it has printed."""

    def __init__(self, *args: str, folder: Path) -> None:
        self.out: list[str] = []
        self.err: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ragkit", "ingest", *args, "--watch"],
            cwd=folder,
            env={**os.environ, "RAGKIT_ISOLATION": "none"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._threads = [
            threading.Thread(target=lines.extend, args=(stream,))
            for lines, stream in (
                (self.out, self.process.stdout),
                (self.err, self.process.stderr),
            )
        ]
        for thread in self._threads:
            thread.start()

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, (self.out, self.err)
            time.sleep(0.02)

    def until_watching(self) -> None:
        self.until(lambda: any("; Ctrl-C ends it" in line for line in self.err))

    def end(self, number: int) -> tuple[int, float]:
        """Send a signal; return the exit code, and the seconds that it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        return code, time.monotonic() - begun

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Watching]]:
    write_documents(folder / "docs")
    started: list[Watching] = []

    def begin(*args: str) -> Watching:
        started.append(Watching(*args, folder=folder))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def test_a_line_for_each_change(start: Callable[..., Watching], folder: Path) -> None:
    """First the summary of an ingest, then what happens; Ctrl-C ends it with 130, at once."""
    watching = start("docs")
    watching.until_watching()
    assert watching.out[0].startswith("2 added; ")
    (folder / "docs" / "note.md").write_text("# Note\n\nA puffin.\n")
    watching.until(lambda: "added docs/note.md (1 chunk)\n" in watching.out)
    (folder / "docs" / "ferry.md").write_text(FERRY + "\nCats travel free.\n")
    watching.until(lambda: any(line.startswith("updated docs/fe") for line in watching.out))
    (folder / "docs" / "note.md").rename(folder / "docs" / "bird.md")
    watching.until(lambda: "moved docs/note.md -> docs/bird.md\n" in watching.out)
    (folder / "docs" / "bird.md").unlink()
    watching.until(lambda: "removed docs/bird.md\n" in watching.out)
    code, seconds = watching.end(signal.SIGINT)
    assert code == 130
    assert seconds < 1.5  # one to end, and the end of the interpreter
    assert len(watching.out) == 5


def test_as_json(start: Callable[..., Watching], folder: Path) -> None:
    """Each change is one line of JSON, those of the first ingest too; SIGTERM gives 143."""
    watching = start("docs", "--json")
    watching.until(lambda: len(watching.out) == 2)
    (folder / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that makes a PDF")
    watching.until(lambda: len(watching.out) == 3)
    first, second, third = map(json.loads, watching.out)
    assert {first["event"], second["event"]} == {"added"}
    assert first["uri"].endswith("docs/ferry.md")
    assert first["chunks"] > 0
    assert (third["event"], third["uri"].rpartition("/")[2]) == ("failed", "broken.pdf")
    assert third["code"]
    assert watching.end(signal.SIGTERM)[0] == 143


def test_what_can_not_be_watched(ragkit: Ragkit, folder: Path) -> None:
    """Standard input, web pages and trials are errors of usage."""
    write_documents(folder / "docs")
    for args in (["-"], ["docs", "--dry-run"], ["docs", "--max-tokens", "5"]):
        call = ragkit("ingest", *args, "--watch")
        assert call.code == 2
        assert "--watch is for files and folders" in call.err
    call = ragkit("ingest", "https://example.com/", "--watch")
    assert call.code == 2
    assert "is a web page" in call.err
    assert ragkit("ingest", "nowhere", "--watch").code == 2


# --- lines --------------------------------------------------------------------------------------

BROKEN = Failure("file:///docs/b.pdf", "corrupt", "it is\x1b[31m broken")
REPORT = IngestReport(
    added=("file:///docs/a.md",),
    updated=("file:///docs/c.md",),
    moved=(Move("file:///docs/d.md", "file:///docs/e.md"),),
    removed=("file:///docs/f%1B%5B31m.md",),
    failed=(BROKEN,),
)


def test_lines_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths as seen from here, and nothing that a terminal would obey."""
    monkeypatch.chdir("/")
    found = changes(REPORT, IngestReport(), {"file:///docs/a.md": 3, "file:///docs/c.md": 1})
    assert [as_text(each) for each in found] == [
        "added docs/a.md (3 chunks)",
        "updated docs/c.md (1 chunk)",
        "moved docs/d.md -> docs/e.md",
        "removed docs/f\\x1b[31m.md",
        "failed docs/b.pdf: it is broken (corrupt)",
    ]


def test_lines_as_json() -> None:
    """The fields are those of the report."""
    found = [json.loads(as_json(each)) for each in changes(REPORT, IngestReport(), {})]
    assert found[2] == {"event": "moved", "from": "file:///docs/d.md", "to": "file:///docs/e.md"}
    assert found[4] == {"event": "failed", **BROKEN.to_dict()}
    assert all("\x1b" not in as_json(each) for each in changes(REPORT, IngestReport(), {}))


def test_a_failure_is_told_once() -> None:
    """A file that still can't be read is no news."""
    again = changes(IngestReport(failed=(BROKEN,)), REPORT, {})
    assert again == []
