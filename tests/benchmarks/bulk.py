"""How fast chunks are written whose vectors are there already, and what of it takes the time.

    python -m tests.benchmarks.bulk [--chunks 100000] [--passages FILE] [--fail-under]

Documents of 20 real passages each, with random unit vectors of 768 dimensions, go into a new index
in transactions of 50 documents. Printed are chunks a second, the processor's time a chunk by part,
that of the first and the last tenth (a write that cost in proportion to the index would show
there), and what it takes to open the full index and add 1,000 chunks more. `--passages` is a file
that tests.benchmarks.scale_passages keeps; without it passages come from the evaluation sets. Where
there are fewer than asked for they come again under other documents.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np

from ragkit import chunking, vectors
from ragkit.store import Entry, SqliteStore, entries, words
from ragkit.types import Chunk, Document, Fingerprint, Lines, Span
from tests.benchmarks import scale_passages

CHUNKS_A_DOCUMENT = 20
DOCUMENTS_A_TRANSACTION = 50
CHUNKS_A_TRANSACTION = CHUNKS_A_DOCUMENT * DOCUMENTS_A_TRANSACTION
DIMENSIONS = 768
FINGERPRINT = Fingerprint("random", DIMENSIONS, "{text}", "{text}", chunking.CHUNKER, 200)

CHUNKS_A_SECOND = 8_000.0
SECONDS_TO_ADD = 1.5
# The last tenth may cost so much more than the first: FTS5 merges, and of the two indexes by hash
# each chunk touches a page that no other chunk of its transaction does, and no more than those two.
MOST_GROWTH = 2.5

PARTS: tuple[tuple[str, ModuleType, str], ...] = (
    ("rows of documents", entries, "_write_documents"),
    ("rows of chunks", entries, "_write_chunks"),
    ("vectors", vectors, "put"),
    ("form of the words", words, "row"),
    ("words into FTS5", words, "put"),
)
REST = "commit, checkpoint, the rest"


@dataclass(slots=True)
class Time:
    """What a measured stretch took, in seconds; `parts` is the processor's time by part."""

    wall: float = 0.0
    cpu: float = 0.0
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for name, module, function in PARTS:
                call = self._watched(name, getattr(module, function))
                stack.enter_context(mock.patch.object(module, function, call))
            wall, cpu = time.perf_counter(), time.process_time()
            yield
            self.wall = time.perf_counter() - wall
            self.cpu = time.process_time() - cpu
        self.parts[REST] = self.cpu - sum(self.parts.values())

    def _watched(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            started = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                self.parts[name] += time.thread_time() - started

        return run


def passages(path: Path | None, count: int) -> list[tuple[str, str]]:
    """Return (title, text) of up to `count` passages."""
    if path is None:
        found = scale_passages.gather([], count)
        return [(passage.title, passage.text) for passage in found]
    with path.open(encoding="utf-8") as lines:
        return [tuple(json.loads(line)[1:3]) for line in itertools.islice(lines, count)]


def group(texts: Sequence[tuple[str, str]], number: int) -> list[Entry]:
    """Return what goes into the transaction of this number."""
    dice = np.random.default_rng(number)
    first = number * DOCUMENTS_A_TRANSACTION
    return [
        _entry(document, texts, dice) for document in range(first, first + DOCUMENTS_A_TRANSACTION)
    ]


def _entry(number: int, passages: Sequence[tuple[str, str]], dice: np.random.Generator) -> Entry:
    first = number * CHUNKS_A_DOCUMENT
    texts = [passages[at % len(passages)] for at in range(first, first + CHUNKS_A_DOCUMENT)]
    title = texts[0][0]
    document = Document(
        id=f"document{number}",
        uri=f"file:///docs/{number:07}.md",
        title=title,
        text="\n\n".join(text for _, text in texts),
        media_type="text/markdown",
        content_hash=f"{number:064x}",
    )
    chunks = []
    start = 0
    for ordinal, (_, text) in enumerate(texts):
        key = vectors.input_hash(f"{document.id} {ordinal} {text}").hex()
        chunks.append(_chunk(key, document, ordinal, text, start))
        start += len(text) + 2
    made = dice.standard_normal((len(chunks), DIMENSIONS), dtype=np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    embeddings = [
        (vectors.input_hash(chunk.id), vectors.pack(row))
        for chunk, row in zip(chunks, made, strict=True)
    ]
    return Entry(document, chunks, embeddings, size_bytes=len(document.text), mtime_ns=number)


def _chunk(id_: str, document: Document, ordinal: int, text: str, start: int) -> Chunk:
    return Chunk(
        id=id_,
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        collection=document.collection,
        ordinal=ordinal,
        span=Span(start, start + len(text)),
        lines=Lines(ordinal + 1, ordinal + 1),
        page=None,
        heading_path=(document.title, f"Part {ordinal}"),
        text=text,
        media_type=document.media_type,
    )


def load(path: Path, texts: Sequence[tuple[str, str]], transactions: int) -> list[Time]:
    """Fill a new index; return what each transaction took."""
    times = []
    with closing(SqliteStore(path)) as store, store.exclusive():
        store.claim(FINGERPRINT)
        for number in range(transactions):
            made = group(texts, number)
            times.append(Time())
            with times[-1].measured():
                store.put_many(made)
    return times


def add(path: Path, texts: Sequence[tuple[str, str]], number: int) -> Time:
    """Open a full index and add the documents of one transaction, up to the checkpoint."""
    more = group(texts, number)
    taken = Time()
    with closing(SqliteStore(path)) as store, taken.measured(), store.exclusive():
        store.put_many(more)
    return taken


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--passages", type=Path, help="as tests.benchmarks.scale_passages keeps it")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args()
    transactions = -(-options.chunks // CHUNKS_A_TRANSACTION)
    texts = passages(options.passages, options.chunks)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "index.db")
        times = load(path, texts, transactions)
        size = path.stat().st_size
        added = add(path, texts, transactions)
    return int(not _print(times, size, added) and options.fail_under)


def _print(times: Sequence[Time], size: int, added: Time) -> bool:
    chunks = len(times) * CHUNKS_A_TRANSACTION
    seconds = sum(each.wall for each in times)
    tenth = max(1, len(times) // 10)
    stretches = (times, times[:tenth], times[-tenth:])
    print(
        f"{chunks:,} chunks in {seconds:.1f} s: {chunks / seconds:,.0f} chunks/s"
        f" (target {CHUNKS_A_SECOND:,.0f}), {size / chunks:,.0f} bytes a chunk"
    )
    print(f"{'µs of processor a chunk':<28}{'all':>12}{'first tenth':>12}{'last tenth':>12}")
    for name in (*(name for name, _, _ in PARTS), REST):
        row = (_per_chunk([each.parts[name] for each in part]) for part in stretches)
        print(f"{name:<28}" + "".join(f"{cost:>12.1f}" for cost in row))
    _, first, last = all_parts = [_per_chunk([each.cpu for each in part]) for part in stretches]
    print(f"{'all':<28}" + "".join(f"{cost:>12.1f}" for cost in all_parts))
    print(f"last tenth: {last / first:.2f} x the first (at most {MOST_GROWTH})")
    print(
        f"open it and add 1,000 chunks: {added.wall:.2f} s (target {SECONDS_TO_ADD}),"
        f" {added.cpu:.2f} s of processor"
    )
    return (
        chunks / seconds >= CHUNKS_A_SECOND
        and last / first <= MOST_GROWTH
        and added.wall <= SECONDS_TO_ADD
    )


def _per_chunk(seconds: Sequence[float]) -> float:
    """Return the microseconds a chunk of transactions that took so long."""
    return sum(seconds) / (len(seconds) * CHUNKS_A_TRANSACTION) * 1e6


if __name__ == "__main__":
    sys.exit(main())
