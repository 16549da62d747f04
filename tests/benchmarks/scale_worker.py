"""A process that searches an index, for tests.benchmarks.scale: questions in, times out, as JSON.

It imports ragkit and as little else as it can: what it takes from its start is looked at too.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragkit import Index, Settings
from ragkit.ports import EmbedKind
from ragkit.providers.local import MiniLM
from ragkit.store import SqliteStore

_WARMING = 5  # searches before those of readers: the model is loaded by the second one


class TwoViews:
    """Embeds a question as the corpus has passages: the embedded model's vector, twice over."""

    name = "two-views"
    dimensions = 768

    @cached_property
    def _model(self) -> MiniLM:
        return MiniLM(keeps_tokens=False)

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> NDArray[np.float32]:
        """Return unit vectors whose cosine with a passage's is the mean of those of its views."""
        once = self._model.embed(texts, kind=kind)
        twice: NDArray[np.float32] = np.concatenate([once, once], axis=1)
        twice /= math.sqrt(2)
        return twice


def opened(path: Path) -> Index:
    """Return the index as the benchmark searches it: without reading the best once more."""
    return Index(SqliteStore(path), embedder=TwoViews(), settings=Settings(rerank="off"))


def timed(index: Index, questions: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each search, by the clock and of this process's CPU time."""
    wall, cpu = [], []
    for question in questions:
        began, used = time.perf_counter(), time.process_time()
        index.search(question)
        wall.append(1000 * (time.perf_counter() - began))
        cpu.append(1000 * (time.process_time() - used))
    return wall, cpu


def reading(index: Index, questions: Sequence[str], threads: int, seconds: float) -> list[float]:
    """Return the milliseconds of every search of some threads that search for so long."""
    found: list[float] = []
    timed(index, questions[:_WARMING])
    until = time.monotonic() + seconds

    def read(first: int) -> None:
        place = first
        while time.monotonic() < until:
            began = time.perf_counter()
            index.search(questions[place % len(questions)])
            found.append(1000 * (time.perf_counter() - began))
            place += threads

    readers = [threading.Thread(target=read, args=(first,)) for first in range(threads)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return found


def anonymous_mb() -> float:
    """Return the memory of this process that is no file's: what isn't page cache."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["Anonymous"].split()[0]) * 1024 / 1e6


def main() -> None:
    """Search for the questions on stdin, and print the times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--warm", type=int, default=0, help="so many questions aren't timed")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.0)
    options = parser.parse_args()
    questions = json.load(sys.stdin)
    with opened(options.path) as index:
        if options.threads:
            found = {"wall": reading(index, questions, options.threads, options.seconds)}
        else:
            timed(index, questions[: options.warm])
            wall, cpu = timed(index, questions[options.warm :])
            found = {"wall": wall, "cpu": cpu}
        print(json.dumps({**found, "anonymous_mb": anonymous_mb()}))


if __name__ == "__main__":
    main()
