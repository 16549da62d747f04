"""What tests.benchmarks.scale measures, one function for each group of the table's rows."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ragkit import Index
from ragkit.db import Database, fetch
from ragkit.evaluation import SEED, Case
from ragkit.evaluation.statistics import Difference, paired_difference
from ragkit.lexical import query_terms
from ragkit.metrics import ndcg
from ragkit.retrieval import LIST_DEPTH
from ragkit.store import SqliteStore
from ragkit.types import Effort
from tests.benchmarks import quality_sets, scale_growth, scale_index, scale_passages
from tests.benchmarks.scale_growth import Floats
from tests.benchmarks.scale_index import CHUNKS_A_DOCUMENT, Corpus, Stopwatch, batches
from tests.benchmarks.scale_worker import opened

TOP = 10
_VECTOR_QUESTIONS, _VEC0_QUESTIONS, _WORD_QUESTIONS, _SEARCHES = 200, 10, 200, 100
_FIRST_QUERIES = 5
_WARMING = 20  # searches before those that are timed
_ADDED, _ADDITIONS = 1_000, 5
_REPLACED = 3  # of ten documents
_JUDGED = 1_000  # questions of a set whose documents are known
_READERS, _READING_SECONDS, _READING_ROUNDS = 4, 8.0, 2
_LENGTHS = range(6, 11)  # of a lexical question

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Times:
    """Milliseconds of some runs, by the clock and of CPU time."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def p95(self) -> float:
        return float(np.percentile(self.wall, 95))

    def __str__(self) -> str:
        cpu = f", CPU {statistics.median(self.cpu):.1f}" if self.cpu else ""
        return f"p50 {self.median:.1f} ms, p95 {self.p95:.1f}{cpu}"


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions that are asked, with their vectors."""

    texts: Sequence[str]
    vectors: Floats


def interleaved(
    alternatives: Mapping[str, Callable[[int], _Result]], rounds: int
) -> dict[str, tuple[Times, list[_Result]]]:
    """Run alternatives question by question, each first in its turn; return times and results."""
    found: dict[str, tuple[Times, list[_Result]]] = {name: (Times(), []) for name in alternatives}
    names = list(alternatives)
    for place in range(rounds):
        for name in names[place % len(names) :] + names[: place % len(names)]:
            times, results = found[name]
            began, used = time.perf_counter(), time.process_time()
            results.append(alternatives[name](place))
            times.wall.append(1000 * (time.perf_counter() - began))
            times.cpu.append(1000 * (time.process_time() - used))
    return found


# --- the two lists -----------------------------------------------------------------------------


def nearest(store: SqliteStore, vector: Floats, effort: Effort, limit: int = TOP) -> list[int]:
    """Return the rows of the corpus nearest to a vector, by the store."""
    found = store.semantic(vector, limit=limit, allowed=None, effort=effort)
    return [number - 1 for number, _ in found]  # chunks are numbered as they were written


def _near(
    store: SqliteStore, vectors: Floats, effort: Effort, limit: int = TOP
) -> Callable[[int], list[int]]:
    return lambda place: nearest(store, vectors[place], effort, limit)


def _words(store: SqliteStore, questions: Sequence[str]) -> Callable[[int], object]:
    return lambda place: store.lexical(
        query_terms(questions[place]), limit=LIST_DEPTH, allowed=None
    )


def vector_rows(store: SqliteStore, corpus: Corpus, asked: Asked) -> dict[str, tuple[Times, float]]:
    """Return times and recall@10 against an exact scan by effort, and of a search's whole list."""
    vectors = asked.vectors[:_VECTOR_QUESTIONS]
    _, best = scale_growth.exact(corpus.vectors[: corpus.size], vectors, TOP)
    alternatives = {
        "default": _near(store, vectors, "default"),
        "thorough": _near(store, vectors, "thorough"),
        f"default, {LIST_DEPTH} chunks": _near(store, vectors, "default", LIST_DEPTH),
    }
    for place in range(_WARMING):
        nearest(store, asked.vectors[-1 - place], "default")
    found = {}
    for name, (times, lists) in interleaved(alternatives, len(vectors)).items():
        shares = [
            len(set(rows[:TOP]) & set(exact)) / TOP
            for rows, exact in zip(lists, best.tolist(), strict=True)
        ]
        found[name] = times, statistics.fmean(shares)
    return found


@dataclass(frozen=True, slots=True)
class Quality:
    """What the approximation costs: nDCG@10 of the scan and of the index, by documents."""

    questions: int
    exact: float
    loss: Difference


def quality_rows(store: SqliteStore, corpus: Corpus, keep: Path) -> dict[str, Quality]:
    """Return what the default effort loses to a scan, for questions with known documents."""
    asked, vectors = scale_passages.load_questions(keep, "test")
    place = {question: number for number, question in enumerate(asked)}
    named = [passage.uri.rsplit("/", 1)[-1] for passage in corpus.passages]
    found = {}
    for public in (quality_sets.scifact(), quality_sets.squad2()):
        cases = public.of_split("test")[:_JUDGED]
        chosen = vectors[[place[case.question] for case in cases]]
        _, best = scale_growth.exact(corpus.vectors[: corpus.size], chosen, LIST_DEPTH)

        def scored(case: Case, rows: Sequence[int]) -> float:
            # What was grown from a passage is no document that anybody has judged.
            documents = [
                named[row] if row < len(named) and corpus.pairs[row, 0] == row else f"grown {row}"
                for row in rows
            ]
            return ndcg(list(dict.fromkeys(documents)), case.documents, k=TOP)

        exact = [scored(case, rows) for case, rows in zip(cases, best.tolist(), strict=True)]
        near = [
            scored(case, nearest(store, vector, "default", LIST_DEPTH))
            for case, vector in zip(cases, chosen, strict=True)
        ]
        found[public.name] = Quality(
            len(cases), statistics.fmean(exact), paired_difference(exact, near, seed=SEED)
        )
    return found


def vec0_rows(
    store: SqliteStore, keep: Path, corpus: Corpus, asked: Asked
) -> dict[str, tuple[Times, float]]:
    """Return times of the store and of sqlite-vec's own table, and how far their lists agree."""
    connection = scale_index.vec0(keep, corpus)
    alternatives = {
        "default": _near(store, asked.vectors, "default"),
        "exact": _near(store, asked.vectors, "exact"),
    }
    alternatives["vec0"] = lambda place: scale_index.vec0_nearest(
        connection, asked.vectors[place], TOP
    )
    found = interleaved(alternatives, _VEC0_QUESTIONS)
    connection.close()
    exact = found["vec0"][1]
    return {
        name: (
            times,
            statistics.fmean(
                len(set(one) & set(other)) / TOP for one, other in zip(lists, exact, strict=True)
            ),
        )
        for name, (times, lists) in found.items()
    }


def lexical_row(store: SqliteStore, asked: Asked) -> tuple[Times, int]:
    """Return the times of the lexical list for questions of six to ten words, and how many."""
    questions = [text for text in asked.texts if len(text.split()) in _LENGTHS]
    chosen = questions[: _WORD_QUESTIONS + _WARMING]

    find = _words(store, chosen)
    for place in range(_WORD_QUESTIONS, len(chosen)):
        find(place)
    times, _ = interleaved({"": find}, min(_WORD_QUESTIONS, len(chosen)))[""]
    return times, len(times.wall)


# --- searches in a process of their own --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Searches:
    """The times of whole searches, warm and first, with what the process was and held."""

    warm: Times
    anonymous_mb: float
    first: Times
    process: Times  # that asks a first query, from its start to its end


def search_rows(path: Path, asked: Asked) -> Searches:
    """Measure `Index.search` in processes that do nothing else."""
    questions = list(asked.texts[: _WARMING + _SEARCHES])
    warm = _worker(path, questions, "--warm", str(_WARMING))
    first, process = Times(), Times()
    for question in asked.texts[-_FIRST_QUERIES:]:
        began = time.perf_counter()
        found = _worker(path, [question])
        process.wall.append(1000 * (time.perf_counter() - began))
        first.wall += found["wall"]
        first.cpu += found["cpu"]
    return Searches(Times(warm["wall"], warm["cpu"]), warm["anonymous_mb"], first, process)


def _worker(path: Path, questions: Sequence[str], *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.scale_worker", str(path), *options]
    run = subprocess.run(
        command, input=json.dumps(list(questions)), stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


# --- changes, on a copy ------------------------------------------------------------------------


def addition_row(path: Path, corpus: Corpus) -> Times:
    """Return the times of adding 1,000 chunks: taking the lock, writing, letting go of it."""
    times = Times()
    store = SqliteStore(path)
    first = corpus.size // CHUNKS_A_DOCUMENT + 1
    for number in range(_ADDITIONS):
        start = len(corpus.vectors) - (number + 1) * _ADDED
        batch = list(corpus.documents(start, start + _ADDED, first=first))
        first += len(batch)
        took = Stopwatch()
        with took, store.exclusive():
            scale_index.put(store, batch)
        times.wall.append(1000 * took.seconds)
        times.cpu.append(1000 * took.cpu_seconds)
    store.close()
    return times


@dataclass(frozen=True, slots=True)
class Replaced:
    """An index after some of its documents were replaced, beside a fresh one: (fresh, changed)."""

    chunks: int
    seconds: float
    megabytes: tuple[float, float]
    vectors: tuple[Times, Times]
    words: tuple[Times, Times]
    searches: tuple[Times, Times]


def replacement_rows(fresh: Path, changed: Path, corpus: Corpus, asked: Asked) -> Replaced:
    """Replace 30 % of the documents of a copy, and compare its size and times with the original."""
    load = scale_index.written(changed, replacements(corpus))
    stores = SqliteStore(fresh), SqliteStore(changed)
    indexes = opened(fresh), opened(changed)
    alternatives: dict[str, Callable[[int], object]] = {}
    for side, (store, index) in enumerate(zip(stores, indexes, strict=True)):
        alternatives[f"vectors {side}"] = _near(store, asked.vectors, "default")
        alternatives[f"words {side}"] = _words(store, asked.texts)
        alternatives[f"search {side}"] = _search(index, asked.texts)
    interleaved(alternatives, _WARMING)
    times = {name: found for name, (found, _) in interleaved(alternatives, _SEARCHES).items()}
    for each in (*stores, *indexes):
        each.close()
    return Replaced(
        chunks=load.chunks,
        seconds=load.seconds,
        megabytes=(megabytes(fresh), megabytes(changed)),
        vectors=(times["vectors 0"], times["vectors 1"]),
        words=(times["words 0"], times["words 1"]),
        searches=(times["search 0"], times["search 1"]),
    )


def _search(index: Index, questions: Sequence[str]) -> Callable[[int], object]:
    return lambda place: index.search(questions[place])


def replacements(corpus: Corpus) -> Iterator[scale_index.Written]:
    """Yield three of ten documents, each with chunks that the index doesn't hold."""
    start = corpus.size
    for number in range(corpus.size // CHUNKS_A_DOCUMENT):
        if number % 10 < _REPLACED:
            yield from corpus.documents(start, start + CHUNKS_A_DOCUMENT, first=number)
            start += CHUNKS_A_DOCUMENT


@dataclass(frozen=True, slots=True)
class Reading:
    """The times of readers, alone and while chunks are written, at so many a second."""

    alone: Times
    beside: Times
    written_a_second: float


def reader_row(path: Path, corpus: Corpus, asked: Asked, *, processes: bool) -> Reading:
    """Let four readers search an index, by turns alone and while documents are written to it."""
    alone, beside = Times(), Times()
    written, took = 0, Stopwatch()
    documents = batches(_endless(corpus), _ADDED // CHUNKS_A_DOCUMENT)
    for _ in range(_READING_ROUNDS):
        with ThreadPoolExecutor(_READERS) as pool:
            for reader in _readers(pool, path, asked, processes=processes):
                alone.wall += reader.result()["wall"]
            readers = _readers(pool, path, asked, processes=processes)
            store = SqliteStore(path)
            with took, store.exclusive():
                while not all(reader.done() for reader in readers):
                    scale_index.put(store, next(documents))
                    written += _ADDED
            store.close()
            beside.wall += [ms for reader in readers for ms in reader.result()["wall"]]
    return Reading(alone, beside, written / took.seconds)


def _readers(
    pool: ThreadPoolExecutor, path: Path, asked: Asked, *, processes: bool
) -> list[Future[dict[str, Any]]]:
    """Start four readers, as processes or as the threads of one."""
    threads = 1 if processes else _READERS
    options = ["--threads", str(threads), "--seconds", str(_READING_SECONDS)]
    return [
        pool.submit(_worker, path, asked.texts[number :: _READERS // threads], *options)
        for number in range(_READERS // threads)
    ]


def _endless(corpus: Corpus) -> Iterator[scale_index.Written]:
    """Yield documents that the index doesn't hold yet, their texts again and again."""
    for first in count(2 * corpus.size // CHUNKS_A_DOCUMENT, len(corpus.vectors)):
        yield from corpus.documents(corpus.size, len(corpus.vectors), first=first)


# --- sizes -------------------------------------------------------------------------------------


def megabytes(path: Path) -> float:
    """Return the size of an index, with what is still in its log."""
    return sum(each.stat().st_size for each in path.parent.glob(f"{path.name}*")) / 1e6


def parts(path: Path) -> dict[str, float]:
    """Return the megabytes of each table and index of the file, the largest first."""
    with Database(path).reading() as connection:
        found = fetch(
            connection,
            "SELECT name, pgsize / 1e6 FROM dbstat WHERE aggregate = TRUE ORDER BY pgsize DESC",
        )
    return {str(name): float(size) for name, size in found}
