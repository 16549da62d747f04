"""The corpus of bad files, and the cases that can only be made at run time, with what is expected.

The files lie beside the checkout, or where RAGKIT_BADFILES says; `manifest.json` describes them.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ragkit.errors import DocumentError
from ragkit.index import Index
from ragkit.ports import EmbedKind
from ragkit.sources import SourceFile, file_uri, read, walk
from ragkit.types import IngestReport

FOLDER = Path(
    os.environ.get("RAGKIT_BADFILES", Path(__file__).parents[1] / "../shared/badfiles")
).resolve()
SAMPLE_SECONDS = 0.01


class FreeEmbedder:
    """An embedder that costs nothing: the same unit vector for every text."""

    name = "free"
    dimensions = 8

    def embed(self, texts: list[str], *, kind: EmbedKind) -> np.ndarray:
        return np.tile(np.eye(1, 8, dtype=np.float32), (len(texts), 1))


@dataclass(frozen=True, slots=True)
class Case:
    """A bad file: the outcomes and codes that are right, and what else must hold of it."""

    name: str
    outcomes: tuple[str, ...]
    codes: tuple[str, ...]
    checks: dict[str, object] = field(default_factory=dict)
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case; `wrong` says what isn't as expected."""

    case: Case
    outcome: str
    code: str
    seconds: float
    parent_mb: float
    worker_mb: float
    wrong: tuple[str, ...]


def cases(folder: Path = FOLDER) -> list[Case]:
    """Return the cases of the manifest that are files; none where the corpus is missing."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return []
    return [
        Case(
            each["file"],
            tuple(each["outcome"].split("|")),
            tuple(filter(None, each["code"].split("|"))),
            each.get("checks", {}),
            folder / "files" / each["file"],
        )
        for each in json.loads(manifest.read_text(encoding="utf-8"))["files"]
        if each["file"]
    ]


def run(case: Case, index: Index) -> Outcome:
    """Ingest one bad file into an index of its own and compare with what is expected."""
    assert case.path is not None
    started = time.perf_counter()
    with worker_memory() as peaks:
        report = index.ingest(case.path)
    seconds = time.perf_counter() - started
    outcome, code = _outcome(report)
    text = index.get(file_uri(case.path)).text if outcome == "parsed" else ""
    wrong = list(_wrong(case, outcome, code, text))
    if seconds > float(str(case.checks.get("max_seconds", 30))):
        wrong.append(f"took {seconds:.1f} s")
    if peaks and max(peaks) > float(str(case.checks.get("max_rss_mb", 1200))):
        wrong.append(f"took {max(peaks):.0f} MB")
    return Outcome(
        case, outcome, code, seconds, peak_mb(os.getpid()), max(peaks, default=0), tuple(wrong)
    )


def _outcome(report: IngestReport) -> tuple[str, str]:
    if report.failed:
        return "error", report.failed[0].code
    if report.skipped:
        return "skipped", report.skipped[0].code
    assert report.added
    return "parsed", ""


def _wrong(case: Case, outcome: str, code: str, text: str) -> Iterator[str]:
    if outcome not in case.outcomes:
        yield f"{outcome}, expected {' or '.join(case.outcomes)}"
    if outcome != "parsed":
        if case.codes and code not in case.codes:
            yield f"code {code}, expected {' or '.join(case.codes)}"
        return
    checks = case.checks
    if str(checks.get("must_contain", "")) not in text:
        yield f"the text lacks {checks['must_contain']!r}"
    if "must_not_contain" in checks and str(checks["must_not_contain"]) in text:
        yield f"the text has {checks['must_not_contain']!r}"
    if (
        not int(str(checks.get("min_chars", 1)))
        <= len(text)
        <= int(str(checks.get("max_chars", 10**9)))
    ):
        yield f"{len(text)} characters"


# --- memory ------------------------------------------------------------------------------------


def peak_mb(pid: int) -> float:
    """Return the most memory that a process has held, in MB; 0 where it can't be told."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1000


@contextmanager
def worker_memory() -> Iterator[list[float]]:
    """Collect what each child process of this one held at most, sampled while the block runs."""
    peaks: list[float] = []
    last: dict[int, float] = {}  # before its exec a child shows the parent's memory
    stopped = threading.Event()

    def watch() -> None:
        while not stopped.wait(SAMPLE_SECONDS):
            last.update((pid, peak_mb(pid) or last.get(pid, 0)) for pid in _children(os.getpid()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        stopped.set()
        thread.join()
        peaks.extend(last.values())


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.parent.name))
    return found


# --- made at run time --------------------------------------------------------------------------


Special = tuple[str, str, Callable[[Path, Index], str]]


def _skipped_as(make: Callable[[Path], Path]) -> Callable[[Path, Index], str]:
    def check(folder: Path, index: Index) -> str:
        path = make(folder)
        uri = path.as_uri()
        report = index.ingest(folder)
        found = [left.code for left in report.skipped if left.uri == uri]
        return f"skipped {found[0]}" if found else f"not skipped: {report}"

    return check


def _link(name: str, target: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).symlink_to(target)
        return folder / name

    return make


def _fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.txt")
    return folder / "pipe.txt"


def _socket(folder: Path) -> Path:
    # Bound by a relative name: the path of a socket may have 108 bytes at most.
    before = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("s.txt")
    finally:
        os.chdir(before)
    return folder / "s.txt"


def _symlink_loop(folder: Path) -> Path:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    return folder / "a"


def _sparse(folder: Path) -> Path:
    with (folder / "big.txt").open("wb") as stream:
        stream.truncate(10 * 2**30)
    return folder / "big.txt"


def _parsed_as(*names: str | bytes) -> Callable[[Path, Index], str]:
    def check(folder: Path, index: Index) -> str:
        paths = [folder / os.fsdecode(name) for name in names]
        for number, path in enumerate(paths):
            path.write_text(f"A line of text, number {number}.")
        report = index.ingest(folder)
        if sorted(report.added) != sorted(path.as_uri() for path in paths):
            return f"not all read: {report}"
        texts = {index.get(path.as_uri()).text for path in paths}
        return "parsed" if len(texts) == len(paths) else f"mixed up: {texts}"

    return check


def _same_twice(folder: Path, index: Index) -> str:
    (folder / "one.txt").write_text("The same text twice.")
    (folder / "two.txt").hardlink_to(folder / "one.txt")
    report = index.ingest(folder)
    hits = index.search("same text", mode="lexical")
    cited = {uri for hit in hits for uri in (hit.chunk.uri, *hit.also)}
    both = {(folder / "one.txt").as_uri(), (folder / "two.txt").as_uri()}
    return "parsed" if cited == both else f"cited {cited}: {report}"


def _folder_named_like_a_file(folder: Path, index: Index) -> str:
    (folder / "report.pdf").mkdir()
    (folder / "report.pdf" / "inner.txt").write_text("Inside.")
    report = index.ingest(folder)
    inner = (folder / "report.pdf" / "inner.txt").as_uri()
    fine = not report.failed and report.added == (inner,)
    return "skipped directory" if fine else str(report)


def _ignored(folder: Path, index: Index) -> str:
    for name in (".git", "node_modules", ".venv", ".ragkit"):
        (folder / name).mkdir()
        (folder / name / "x.txt").write_text("Not a document.")
    (folder / "kept.txt").write_text("A document.")
    report = index.ingest(folder)
    fine = report.added == ((folder / "kept.txt").as_uri(),) and not report.failed
    return "skipped ignored" if fine else str(report)


def _vanished(folder: Path, index: Index) -> str:
    path = folder / "gone.txt"
    path.write_text("Here now.")
    (file,) = walk(folder).files
    path.unlink()
    return _read_error(file)


def _read_error(file: SourceFile) -> str:
    try:
        read(file)
    except DocumentError as exc:
        return f"{'skipped' if type(exc).__name__ == 'SkippedDocument' else 'error'} {exc.code}"
    return "parsed"


def _growing(folder: Path, index: Index) -> str:
    path = folder / "growing.txt"
    path.write_text("The first line.\n")
    stopped = threading.Event()

    def grow() -> None:
        with path.open("a") as stream:
            while not stopped.is_set():
                stream.write("One more line.\n")
                stream.flush()
                time.sleep(0.001)

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        report = index.ingest(folder)
    finally:
        stopped.set()
        thread.join()
    if not report.added:
        return f"error {report.failed[0].code}" if report.failed else str(report)
    again = index.ingest(folder)
    return "parsed" if again.updated else f"the rest was never read: {again}"


def _as_nobody(make: Callable[[Path], None]) -> Callable[[Path, Index], str]:
    """Walk and read as a user who may not: root may read everything."""

    def check(folder: Path, index: Index) -> str:
        make(folder)
        folder.chmod(0o755)
        if os.getuid() != 0:
            return _first_problem(folder)
        ours, theirs = os.pipe()
        if child := os.fork():
            os.close(theirs)
            with os.fdopen(ours) as stream:
                said = stream.read()
            os.waitpid(child, 0)
            return said
        try:
            os.setuid(65534)
            os.write(theirs, _first_problem(folder).encode())
        finally:
            os._exit(0)

    return check


def _first_problem(folder: Path) -> str:
    found = walk(folder)
    if found.skipped:
        return f"error {found.skipped[0].code}" + ("" if not found.complete else ", but complete")
    return _read_error(found.files[0])


def _closed_file(folder: Path) -> None:
    (folder / "closed.txt").write_text("secret")
    (folder / "closed.txt").chmod(0)


def _closed_folder(folder: Path) -> None:
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0)


def _sibling(name: str, content: str) -> Callable[[Path, Index], str]:
    def check(folder: Path, index: Index) -> str:
        (folder / "root").mkdir()
        (folder / name).write_text(content)
        return _skipped_as(_link("x.txt", str(folder / name)))(folder / "root", index)

    return check


SPECIAL: tuple[Special, ...] = (
    ("symlink loop", "skipped symlink", _skipped_as(_symlink_loop)),
    ("folder that links to itself", "skipped symlink", _skipped_as(_link("self", "."))),
    ("link out of the folder", "skipped outside-root", _sibling("outside.txt", "secret")),
    ("link that leads nowhere", "skipped symlink", _skipped_as(_link("x.txt", "nowhere"))),
    ("fifo", "skipped special", _skipped_as(_fifo)),
    ("unix socket", "skipped special", _skipped_as(_socket)),
    ("link to /dev/zero", "skipped special", _skipped_as(_link("zero.txt", "/dev/zero"))),
    ("file of mode 0000", "error unreadable", _as_nobody(_closed_file)),
    ("folder of mode 0000", "error unreadable", _as_nobody(_closed_folder)),
    ("folder called report.pdf", "skipped directory", _folder_named_like_a_file),
    ("name with newline, tab, escape", "parsed", _parsed_as("a\nb\tc\x1b[31m.txt")),
    ("name of invalid UTF-8", "parsed", _parsed_as(b"caf\xe9.txt")),
    ("name of 255 bytes", "parsed", _parsed_as("n" * 251 + ".txt")),
    ("names for a shell", "parsed", _parsed_as("-rf.txt", "~.txt", "$(x).txt")),
    ("sparse file of 10 GiB", "skipped too-large", _skipped_as(_sparse)),
    ("file that grows while read", "parsed", _growing),
    ("file deleted before it is read", "skipped vanished", _vanished),
    ("hard links", "parsed", _same_twice),
    (
        "names that differ by case or form",
        "parsed",
        _parsed_as("A.md", "a.md", "u\u0308.md", "\u00fc.md"),
    ),
    (".git, node_modules, .venv, .ragkit", "skipped ignored", _ignored),
)
