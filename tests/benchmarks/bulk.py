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
from dataclasses import dataclass
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
# The last tenth may cost so much more than the first: FTS5 merges, and the trees are deeper.
MOST_GROWTH = 1.5

PARTS: tuple[tuple[str, ModuleType, str], ...] = (
    ("rows of documents", entries, "_write_documents"),
    ("rows of chunks", entries, "_write_chunks"),
    ("vectors", vectors, "put"),
    ("form of the words", words, "row"),
    ("words into FTS5", words, "put"),
)


@dataclass(slots=True)
class Time:
    """What a measured stretch took, in seconds."""

    wall: float = 0.0
    cpu: float = 0.0

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


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


@contextlib.contextmanager
def timed(seconds: dict[str, float]) -> Iterator[None]:
    """Add up the processor's time of each part while the block runs."""

    def watched(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **kwargs: object) -> object:
            started = time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                seconds[name] += time.thread_time() - started

        return run

    with contextlib.ExitStack() as stack:
        for name, module, function in PARTS:
            call = watched(name, getattr(module, function))
            stack.enter_context(mock.patch.object(module, function, call))
        yield


def load(store: SqliteStore, texts: Sequence[tuple[str, str]], transactions: int) -> list[Time]:
    """Fill a store; return what each transaction took."""
    times = []
    with store.exclusive():
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
    store = SqliteStore(path)
    with taken.measured(), store.exclusive():
        store.put_many(more)
    store.close()
    return taken


def _per_chunk(times: Sequence[Time]) -> float:
    """Return the microseconds of processor a chunk."""
    return sum(each.cpu for each in times) / (len(times) * CHUNKS_A_TRANSACTION) * 1e6


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--passages", type=Path, help="as tests.benchmarks.scale_passages keeps it")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 where a target is missed")
    options = parser.parse_args()
    transactions = -(-options.chunks // CHUNKS_A_TRANSACTION)
    texts = passages(options.passages, options.chunks)
    parts: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "index.db"))
        with timed(parts):
            times = load(store, texts, transactions)
        store.close()
        size = store.path.stat().st_size
        added = add(store.path, texts, transactions)
    return int(not _print(times, parts, size, added) and options.fail_under)


def _print(times: Sequence[Time], parts: dict[str, float], size: int, added: Time) -> bool:
    chunks = len(times) * CHUNKS_A_TRANSACTION
    total = Time(sum(each.wall for each in times), sum(each.cpu for each in times))
    rate = chunks / total.wall
    print(
        f"{chunks:,} chunks in {total.wall:.1f} s: {rate:,.0f} chunks/s"
        f" (target {CHUNKS_A_SECOND:,.0f}), {size / chunks:,.0f} bytes a chunk"
    )
    for name, _, _ in PARTS:
        print(f"  {name:<28}{parts[name] / chunks * 1e6:>7.1f} µs of processor a chunk")
    rest = total.cpu - sum(parts.values())
    print(f"  {'the rest: commit, checkpoint':<28}{rest / chunks * 1e6:>7.1f}")
    print(f"  {'all':<28}{total.cpu / chunks * 1e6:>7.1f}")
    tenth = max(1, len(times) // 10)
    first, last = _per_chunk(times[:tenth]), _per_chunk(times[-tenth:])
    print(
        f"first and last tenth: {first:.0f} and {last:.0f} µs, {last / first:.2f} x"
        f" (at most {MOST_GROWTH})"
    )
    print(
        f"open it and add 1,000 chunks: {added.wall:.2f} s (target {SECONDS_TO_ADD}),"
        f" {added.cpu:.2f} s of processor"
    )
    return rate >= CHUNKS_A_SECOND and last / first <= MOST_GROWTH and added.wall <= SECONDS_TO_ADD


if __name__ == "__main__":
    sys.exit(main())
