"""What tests.benchmarks.scale measures on: a corpus of any size, its index, and one by vec0.

All of it is kept in a folder and made once for each size: the vectors as one array that is mapped
into memory, the index as ragkit writes it, and a file with sqlite-vec's own virtual table.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import apsw
import numpy as np
import sqlite_vec

from ragkit.chunking import CHUNKER
from ragkit.db import migrations
from ragkit.lexical import LEXICAL_FORM
from ragkit.store import Entry, SqliteStore
from ragkit.types import Chunk, Document, Fingerprint, Span
from ragkit.vectors import input_hash, pack
from tests.benchmarks import scale_growth, scale_passages
from tests.benchmarks.scale_growth import GROWTH, SEED, Floats, Numbers
from tests.benchmarks.scale_passages import Passage
from tests.benchmarks.scale_worker import TwoViews

CHUNKS_A_DOCUMENT = 20
DIMENSIONS = TwoViews.dimensions
# Chunks beyond an index's own, as a share of them: those that documents are replaced by and, at
# least so many, those that are added.
_RESERVE, _LEAST_RESERVE = 0.3, 60_000
_BATCH = 50  # documents written in one transaction: 1,000 chunks

_Item = TypeVar("_Item")
Written = tuple[Document, Sequence[Chunk], Sequence[tuple[bytes, bytes]]]


def tell(sentence: str) -> None:
    """Say on stderr what is being done."""
    print(sentence, file=sys.stderr, flush=True)


FINGERPRINT = Fingerprint(
    embedder=TwoViews.name,
    dimensions=DIMENSIONS,
    document_template="{text}",
    query_template="{text}",
    chunker=CHUNKER,
    chunk_tokens=scale_passages.PASSAGE_TOKENS,
)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Chunks of real text: vectors, the pairs they were grown from, and real passages.

    The first `size` are the index's; what comes after them is for changes.
    """

    size: int
    vectors: Floats
    pairs: Numbers
    passages: Sequence[Passage]

    def documents(self, start: int, stop: int, *, first: int) -> Iterator[Written]:
        """Yield the chunks from `start` to `stop` as documents, the first one of that number."""
        pairs = ((int(one), int(other)) for one, other in self.pairs[start:stop])
        texts = enumerate(scale_growth.texts(self.passages, pairs), start=start)
        for number, group in enumerate(batches(texts, CHUNKS_A_DOCUMENT), start=first):
            yield self._document(number, group)

    def _document(self, number: int, group: Sequence[tuple[int, str]]) -> Written:
        title = self.passages[self.pairs[group[0][0], 0]].title
        uri = f"scale:{number % 1000:03}/{number:07}.txt"
        text = "\n\n".join(text for _, text in group)
        id_ = hashlib.sha256(uri.encode()).hexdigest()[:16]
        content = hashlib.sha256(text.encode()).hexdigest()
        document = Document(id_, uri, title, text, "text/plain", content)
        chunks, at = [], 0
        for ordinal, (row, words) in enumerate(group):
            chunks.append(_chunk(document, ordinal, Span(at, at + len(words)), row))
            at += len(words) + 2
        embeddings = [
            (input_hash(f"{row}\n{words}"), pack(self.vectors[row])) for row, words in group
        ]
        return document, chunks, embeddings


def _chunk(document: Document, ordinal: int, span: Span, row: int) -> Chunk:
    text = document.text[span.start : span.end]
    digest = hashlib.blake2b(f"{document.id}\n{row}\n{text}".encode(), digest_size=16)
    return Chunk(
        id=digest.hexdigest(),
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        collection=document.collection,
        ordinal=ordinal,
        span=span,
        lines=None,
        page=None,
        heading_path=(),
        text=text,
        media_type=document.media_type,
    )


# --- the corpus --------------------------------------------------------------------------------


def corpus(keep: Path, docs: Sequence[Path], passages: int, size: int) -> Corpus:
    """Return a corpus of `size` chunks and those for changes, grown where it is not kept."""
    count = size + reserve(size)
    key = _key(passages, asdict(GROWTH), SEED)
    found, real = _mixed(*scale_passages.load(keep, docs, passages))
    for path in sorted(keep.glob(f"grown-{key}-*.npy")):  # a larger one begins with this one
        vectors = np.load(path, mmap_mode="r")
        if len(vectors) >= count:
            pairs = np.load(path.with_name(path.name.replace("grown-", "pairs-")))
            return Corpus(size, vectors[:count], pairs[:count], found)
    near = scale_growth.nearest_neighbours(real, GROWTH.neighbours, keep)
    path = keep / f"grown-{key}-{count}.npy"
    partial = path.with_suffix(".partial")
    shape = (count, real.shape[1])
    vectors = np.lib.format.open_memmap(partial, mode="w+", dtype=np.float32, shape=shape)
    pairs = np.empty((count, 2), np.int32)
    done = 0
    for block, of in scale_growth.grow(real, count, SEED, near=near):
        vectors[done : done + len(block)], pairs[done : done + len(block)] = block, of
        done += len(block)
    vectors.flush()
    np.save(path.with_name(path.name.replace("grown-", "pairs-")), pairs)
    partial.rename(path)
    tell(f"grown: {count:,} vectors of {len(real):,} real ones")
    return Corpus(size, np.load(path, mmap_mode="r"), pairs, found)


def _mixed(passages: Sequence[Passage], vectors: Floats) -> tuple[list[Passage], Floats]:
    """Return passages by files in a mixed order, so that a part of them stands for all."""

    def place(number: int) -> tuple[bytes, int]:
        folder_and_name = passages[number].uri.split("/")[-2:]  # the rest differs by machine
        return hashlib.sha256("/".join(folder_and_name).encode()).digest(), number

    order = sorted(range(len(passages)), key=place)
    return [passages[number] for number in order], vectors[order]


def reserve(size: int) -> int:
    """Return how many chunks there are beyond an index's own, for changes."""
    return max(_LEAST_RESERVE, round(size * _RESERVE))


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


# --- the index ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """What writing chunks took, without the making of their texts; then the vector index."""

    chunks: int
    seconds: float
    cpu_seconds: float
    index_seconds: float
    index_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Built:
    """A kept index, and what building it took."""

    path: Path
    load: Load


def built(keep: Path, corpus: Corpus, *, is_fresh: bool) -> Built:
    """Return the index of a corpus, built where it is not kept."""
    schema = migrations()[-1][0]
    key = _key(len(corpus.passages), asdict(GROWTH), SEED, schema, LEXICAL_FORM)
    folder = keep / f"index-{corpus.size}-{key}"
    if is_fresh and folder.exists():
        shutil.rmtree(folder)
    path, told = folder / "index.db", folder / "built.json"
    if not told.exists():
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        tell(f"building {path}")
        load = written(path, corpus.documents(0, corpus.size, first=0))
        told.write_text(json.dumps(asdict(load)), encoding="utf-8")
    return Built(path, Load(**json.loads(told.read_text(encoding="utf-8"))))


def written(
    path: Path, documents: Iterable[Written], fingerprint: Fingerprint = FINGERPRINT
) -> Load:
    """Write documents into an index as a bulk load does, and return what the writing took."""
    store = SqliteStore(path)
    chunks, took, indexed = 0, Stopwatch(), Stopwatch()
    with ExitStack() as writing:
        with took:
            writing.enter_context(store.exclusive())
            store.claim(fingerprint)
        for number, batch in enumerate(batches(documents, _BATCH), start=1):
            with took:
                put(store, batch)
            chunks += sum(len(each[1]) for each in batch)
            if number % 100 == 0:
                tell(f"  {chunks:,} chunks, {chunks / took.seconds:,.0f} a second")
        with indexed:
            for step in store.keep_up():
                tell(f"  {step}")
        with took:
            writing.close()
    store.close()
    return Load(chunks, took.seconds, took.cpu_seconds, indexed.seconds, indexed.cpu_seconds)


def put(store: SqliteStore, documents: Sequence[Written]) -> None:
    """Write some documents in one transaction."""
    store.put_many(
        [
            Entry(document, chunks, embeddings, len(document.text), 0)
            for document, chunks, embeddings in documents
        ]
    )


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yield the items in lists of a size, the last one perhaps shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


class Stopwatch:
    """Adds up the seconds of the blocks that it is around."""

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    def __enter__(self) -> None:
        self._began, self._used = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began
        self.cpu_seconds += time.process_time() - self._used


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Make a copy of an index beside it, for changes; it is removed at the end."""
    target = path.with_name("changed.db")
    store = SqliteStore(path)
    store.copy_to(target)
    store.close()
    try:
        yield target
    finally:
        for each in target.parent.glob(f"{target.name}*"):
            each.unlink()


# --- sqlite-vec's own table --------------------------------------------------------------------


def vec0(keep: Path, corpus: Corpus) -> apsw.Connection:
    """Return a plain SQLite file with the same vectors in a vec0 table, default pragmas."""
    key = _key(len(corpus.passages), asdict(GROWTH), SEED)
    path = keep / f"vec0-{corpus.size}-{key}.db"
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        connection = _with_vec0(partial)
        tell(f"building {path}")
        connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(embedding float[{DIMENSIONS}])")
        rows = ((row + 1, pack(corpus.vectors[row])) for row in range(corpus.size))
        for batch in batches(rows, 10_000):
            with connection:
                connection.executemany("INSERT INTO v (rowid, embedding) VALUES (?, ?)", batch)
        connection.close()
        partial.rename(path)
    return _with_vec0(path)


def _with_vec0(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)
    return connection


def vec0_nearest(connection: apsw.Connection, vector: Floats, limit: int) -> list[int]:
    """Return the rows nearest to a vector, by vec0."""
    found = connection.execute(
        "SELECT rowid FROM v WHERE embedding MATCH ? AND k = ? ORDER BY distance",
        (pack(vector), limit),
    )
    return [int(row) - 1 for row in chain.from_iterable(found)]
