"""How fast the filings are ingested, and what that takes.

    python -m tests.benchmarks.ingest [--embedder free|local] [--files N] [--fail-under]

`free` is an embedder that costs nothing: parse, chunk and write, at least 40 pages a second.
`local` is the embedded model: its own rate over the same passages, and the whole ingest, which
should reach 85 % of that; four filings at a time by turns, as machines are not even. Both print
the peak memory of this process, below 400 MB, in a process of their own. Needs
`RAGKIT_EVAL_DATA`, by default `../shared/eval`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragkit.index import Index
from ragkit.ports import Embedder
from ragkit.providers.local import MiniLM
from ragkit.store import SqliteStore
from tests.badfiles import FreeEmbedder, peak_mb
from tests.benchmarks.squad import evaluation_data

FILINGS = evaluation_data() / "sec-10q" / "pdfs"
PAGES_A_SECOND = 40.0
SHARE_OF_MODEL = 0.85
PARENT_MB = 400.0
GROUP = 4  # filings


class Recorder:
    """An embedder that costs nothing and remembers what it was asked for."""

    name = FreeEmbedder.name
    dimensions = FreeEmbedder.dimensions

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.embed = self._embed

    def _embed(self, texts: list[str], *, kind: str) -> object:
        self.texts += texts
        return FreeEmbedder().embed(texts, kind="document")


def measure(name: str, files: list[Path]) -> dict[str, float]:
    """Ingest the files into a new index and return pages, seconds and memory.

    For `local` in groups, the model alone before each, so that both meet the same machine.
    """
    groups = [files[at : at + GROUP] for at in range(0, len(files), GROUP)]
    model = MiniLM() if name == "local" else None
    found = {"seconds": 0.0, "model_seconds": 0.0, "parent_cpu_seconds": 0.0}
    with _index(model or FreeEmbedder()) as index:
        for group in groups if model else [files]:
            if model:
                found["model_seconds"] += _model_alone(model, group)
            started, used = time.perf_counter(), time.process_time()
            report = index.ingest(*group)
            found["seconds"] += time.perf_counter() - started
            found["parent_cpu_seconds"] += time.process_time() - used
            assert not report.failed, report.failed
        pages = [len(index.get(document.id).pages) for document in index.documents()]
        chunks = index.stats().chunks
    return {**found, "pages": sum(pages), "chunks": chunks, "peak_mb": peak_mb(os.getpid())}


@contextmanager
def _index(embedder: Embedder) -> Iterator[Index]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Index(SqliteStore(Path(folder, "index.db")), embedder=embedder) as index,
    ):
        yield index


def _model_alone(model: MiniLM, files: list[Path]) -> float:
    """Return the seconds that the model takes for the passages of these files."""
    recorder = Recorder()
    with _index(recorder) as index:  # type: ignore[arg-type]
        index.ingest(*files)
    model.embed(recorder.texts[:8], kind="document")  # loads it
    started = time.perf_counter()
    model.embed(recorder.texts, kind="document")
    return time.perf_counter() - started


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--embedder", choices=("free", "local"))
    parser.add_argument("--files", type=int, default=99, help="only the first so many filings")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 below a target")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    files = sorted(FILINGS.glob("*.pdf"))[: options.files]
    if not files:
        print(f"no filings in {FILINGS}; set RAGKIT_EVAL_DATA", file=sys.stderr)
        return 2
    if options.here:
        print(json.dumps(measure(options.embedder, files)))
        return 0
    met = True
    for name in [options.embedder] if options.embedder else ["free", "local"]:
        command = [sys.executable, "-m", "tests.benchmarks.ingest", "--here"]
        command += ["--embedder", name, "--files", str(options.files)]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        met &= _print(name, json.loads(run.stdout))
    return int(options.fail_under and not met)


def _print(name: str, found: dict[str, float]) -> bool:
    rate = found["pages"] / found["seconds"]
    print(
        f"{name}: {found['pages']:.0f} pages, {found['chunks']:.0f} chunks in"
        f" {found['seconds']:.1f} s: {rate:.1f} pages/s; {found['parent_cpu_seconds']:.1f} CPU-s"
        f" in this process, {found['peak_mb']:.0f} MB at most (limit {PARENT_MB:.0f})"
    )
    fine = found["peak_mb"] < PARENT_MB
    if name == "free":
        print(f"  target {PAGES_A_SECOND:.0f} pages/s")
        return fine and rate >= PAGES_A_SECOND
    share = found["model_seconds"] / found["seconds"]
    model = found["pages"] / found["model_seconds"]
    print(f"  the model alone {model:.1f} pages/s: {share:.0%} (target {SHARE_OF_MODEL:.0%})")
    return fine and share >= SHARE_OF_MODEL


if __name__ == "__main__":
    sys.exit(main())
