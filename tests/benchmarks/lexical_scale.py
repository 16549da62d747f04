"""How fast the word index answers at a million chunks, and what its budget costs in quality.

    python -m tests.benchmarks.lexical_scale --keep FOLDER [--chunks 1000000] [--questions 200]
        [--indexes FOLDER] [--split dev|test] [--cases 600]

Takes the passages that tests.benchmarks.scale_passages leaves in the folder, grows them to so many
chunks and indexes their words, once as written and once merged; both stay in the folder. Prints
milliseconds of `SqliteStore.lexical` with `corrections`, as a search calls them, wall and CPU, for
questions of 6 to 10 words with stop words and for all, the ways to ask interleaved, none asked
before: the whole query; the budget that everybody has; half of it; and, beside them, the rare words
of the budget alone, the others dropped. `same ten` is the share of the whole query's first ten.

Then nDCG@10 (span recall@5 for chroma-chunking) on the evaluation sets with the budget in the same
proportion as at that size, beside the whole query's, question by question, with a bootstrap
interval. The sets' indexes are those that `tests.benchmarks.quality --keep FOLDER` leaves, named by
`--indexes`; without it there is no such table.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ragkit.db import Database
from ragkit.evaluation import SEED, Case, Measure, evaluate
from ragkit.evaluation.statistics import paired_difference, percentile
from ragkit.index import Index
from ragkit.lexical import plain_words, query_terms
from ragkit.providers.local import MiniLM
from ragkit.settings import Settings
from ragkit.store import Entry, SqliteStore, words
from ragkit.store.upkeep import Upkeep
from ragkit.text import STOP_WORDS, sentences
from ragkit.types import Chunk, Document, Mode, Span
from ragkit.vectors import input_hash
from tests.benchmarks.quality_sets import SETS
from tests.benchmarks.scale_passages import Passage, questions

TARGET_P50, TARGET_P95, TARGET_LOSS = 40, 120, 0.005  # ms, ms, of nDCG@10
PASSAGES = 100_000
LIMIT = 100  # as deep as a search reads the list
_BATCH = 1_000  # rows of a transaction
_WARMING = 20  # questions
_NO_CELLS = 10**12
_NO_BUDGET = words.Budget(postings=10**12, fewest=0)
_MEASURED = {"beir-scifact": "ndcg@10", "squad2-dev": "ndcg@10", "chroma-chunking": "span_recall@5"}


# --- a large index -----------------------------------------------------------------------------


def grown(passages: Sequence[Passage], count: int) -> Iterator[Passage]:
    """Yield `count` passages: the real ones, then mixtures of two that stand near each other.

    A mixture has every other sentence of each, so that words keep their share of the passages.
    """
    yield from itertools.islice(passages, count)
    for number in range(len(passages), count):
        lap, place = divmod(number, len(passages))
        one, other = passages[place], passages[(place + lap) % len(passages)]
        odd = lap % 2
        parts = [
            text[span.start : span.end]
            for text, first in ((one.text, odd), (other.text, 1 - odd))
            for span in (sentences(text)[first::2] or sentences(text))
        ]
        yield Passage(f"{one.uri}.{lap}", one.title, " ".join(parts))


def build(path: Path, passages: Iterable[Passage]) -> float:
    """Write documents with vectors of nothing to speak of; return the CPU seconds of that."""
    store = SqliteStore(path, cells_from=_NO_CELLS)
    by_document = itertools.groupby(passages, key=lambda passage: passage.uri)
    documents = ((uri, list(group)) for uri, group in by_document)
    seconds = 0.0
    with store.exclusive():
        for batch in _batches(documents):
            entries = [_entry(uri, group) for uri, group in batch]
            started = time.process_time()
            store.put_many(entries)
            seconds += time.process_time() - started
    store.close()
    return seconds


def _entry(uri: str, group: Sequence[Passage]) -> Entry:
    document = Document(
        id=uri, uri=uri, title=group[0].title, text="", media_type="text/plain", content_hash=""
    )
    chunks = _chunks(document, group)
    embeddings = [(input_hash(chunk.id), bytes(4)) for chunk in chunks]
    return Entry(document, chunks, embeddings, 0, 0)


def _batches(
    documents: Iterable[tuple[str, list[Passage]]],
) -> Iterator[list[tuple[str, list[Passage]]]]:
    batch: list[tuple[str, list[Passage]]] = []
    for each in documents:
        batch.append(each)
        if sum(len(group) for _, group in batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _chunks(document: Document, group: Sequence[Passage]) -> list[Chunk]:
    return [
        Chunk(
            id=f"{document.id}#{ordinal}",
            document_id=document.id,
            uri=document.uri,
            title=document.title,
            collection=document.collection,
            ordinal=ordinal,
            span=Span(0, len(passage.text)),
            lines=None,
            page=None,
            heading_path=(),
            text=passage.text,
            media_type=document.media_type,
        )
        for ordinal, passage in enumerate(group)
    ]


def made(keep: Path, count: int) -> tuple[Path, Path]:
    """Return the index as written and the merged one, made where they are not kept."""
    written, merged = (keep / f"{name}-{count}.db" for name in ("words", "merged"))
    if not written.exists():
        kept = (keep / f"passages-{PASSAGES}.jsonl").read_text(encoding="utf-8").splitlines()
        began = time.monotonic()
        seconds = build(written, grown([Passage(*json.loads(line)) for line in kept], count))
        print(f"{count / seconds:,.0f} chunks/s CPU; {_since(began)} in all")
    if not merged.exists():
        shutil.copy(written, merged)
        database = Database(merged)
        began, cpu = time.monotonic(), time.process_time()
        with database.exclusive():
            for _ in Upkeep(database, lambda: False, count).words():
                pass
        database.close()
        print(f"merged in {time.process_time() - cpu:.1f} s CPU, {_since(began)}")
    return written, merged


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s wall"


# --- times -------------------------------------------------------------------------------------

Ask = Callable[[str], list[tuple[int, float]]]


@dataclass(frozen=True, slots=True)
class Times:
    """What a way to ask took for each question, in milliseconds, and what it found first."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    first: list[set[int]] = field(default_factory=list)


def ways(path: Path, share: float) -> dict[str, Ask]:
    """Return the ways to ask, each with connections, cache and remembered counts of its own."""
    half = words.Budget(words.BUDGET.postings // 2, words.BUDGET.fewest)
    stores = {
        "whole query": SqliteStore(path, word_budget=_NO_BUDGET),
        f"budget {share:.1%}": SqliteStore(path),
        f"budget {share / 2:.1%}": SqliteStore(path, word_budget=half),
    }
    alone = SqliteStore(path, word_budget=_NO_BUDGET)
    return {name: _asking(store) for name, store in stores.items()} | {
        "rare words alone": _asking(alone, lambda terms: _rare(alone, terms))
    }


def _asking(
    store: SqliteStore, chosen: Callable[[list[str]], list[str]] = lambda terms: terms
) -> Ask:
    def ask(question: str) -> list[tuple[int, float]]:
        corrections = store.corrections(plain_words(question))
        terms = [*query_terms(question), *itertools.chain.from_iterable(corrections.values())]
        return store.lexical(chosen(terms), limit=LIMIT, allowed=None)

    return ask


def _rare(store: SqliteStore, terms: list[str]) -> list[str]:
    """Return the terms, rarest first, that the budget has room for; one at least."""
    counts = {
        term: min(map(store.chunk_frequency, store.tokens(term)), default=0) for term in terms
    }
    ordered = sorted(terms, key=counts.__getitem__)
    totals = itertools.accumulate(counts[term] for term in ordered)
    within = [
        term for term, total in zip(ordered, totals, strict=True) if total <= words.BUDGET.postings
    ]
    return within or ordered[:1]


def timed(asked: Sequence[str], by_name: dict[str, Ask]) -> dict[str, Times]:
    """Ask every question in every way, after some others that warm the caches."""
    for question, ask in itertools.product(asked[:_WARMING], by_name.values()):
        ask(question)
    found: dict[str, Times] = defaultdict(Times)
    for question in asked[_WARMING:]:
        for name, ask in by_name.items():
            wall, cpu = time.perf_counter(), time.thread_time()
            listed = ask(question)
            found[name].wall.append(1000 * (time.perf_counter() - wall))
            found[name].cpu.append(1000 * (time.thread_time() - cpu))
            found[name].first.append({number for number, _ in listed[:10]})
    return found


def is_of_eight(question: str) -> bool:
    """Whether a question has some eight words, stop words among them."""
    parts = question.lower().rstrip("?.").split()
    return 6 <= len(parts) <= 10 and any(part in STOP_WORDS for part in parts)


def times_table(title: str, found: dict[str, Times]) -> str:
    """Return the milliseconds of each way, beside the targets."""
    whole = found["whole query"].first
    lines = [
        f"{title}, {len(whole)} questions"
        f" (target: p50 <= {TARGET_P50}, p95 <= {TARGET_P95} ms wall)",
        f"{'':<20}{'wall p50':>10}{'p95':>8}{'max':>8}{'CPU p50':>10}{'p95':>8}{'same ten':>10}",
    ]
    for name, times in found.items():
        same = [
            len(first & ten) / len(ten)
            for first, ten in zip(times.first, whole, strict=True)
            if ten
        ]
        lines.append(
            f"{name:<20}{percentile(times.wall, 50):>10.1f}{percentile(times.wall, 95):>8.1f}"
            f"{max(times.wall):>8.1f}{percentile(times.cpu, 50):>10.1f}"
            f"{percentile(times.cpu, 95):>8.1f}{statistics.fmean(same):>10.3f}"
        )
    return "\n".join(lines)


# --- quality -----------------------------------------------------------------------------------


def quality_row(path: Path, name: str, cases: Sequence[Case], mode: Mode, share: float) -> str:
    """Return a line of the table: the whole query's mean, the budgeted one's, their difference."""
    values = []
    for is_whole in (True, False):
        store = SqliteStore(path)
        in_proportion = words.Budget(
            postings=max(1, round(share * store.chunk_count())),
            # The million's hundred, in proportion, is less than one.
            fewest=1,
        )
        store = SqliteStore(path, word_budget=_NO_BUDGET if is_whole else in_proportion)
        with Index(store, embedder=MiniLM(), settings=Settings(rerank="off")) as index:
            results = evaluate(index, cases, Measure(mode=mode)).cases
        values.append([result.metrics[_MEASURED[name]] for result in results])
    whole, budgeted = values
    loss = paired_difference(whole, budgeted, seed=SEED)
    return (
        f"{name:<16}{mode:<9}{len(whole):>5}  {_MEASURED[name]:<14}{statistics.fmean(whole):>7.4f}"
        f"{statistics.fmean(budgeted):>10.4f}{loss.mean:>+9.4f}"
        f" ({loss.low:+.4f} to {loss.high:+.4f}) {loss.wins}/{loss.ties}/{loss.losses}"
    )


def print_quality(indexes: Path, split: str, count: int, share: float) -> None:
    """Print what the budget costs on each evaluation set, by words and by both lists."""
    print(f"budget of {share:.1%} of the chunks, {split}; target: no more than {TARGET_LOSS} lost")
    print(
        f"{'set':<16}{'mode':<9}{'n':>5}  {'measure':<14}{'whole':>7}{'budgeted':>10}"
        f"{'change':>9} (95 % interval) better/same/worse"
    )
    modes: tuple[Mode, ...] = ("lexical", "hybrid")
    with tempfile.TemporaryDirectory() as folder:
        for name in _MEASURED:
            path = Path(shutil.copy(indexes / name / "index.db", Path(folder) / f"{name}.db"))
            cases = SETS[name]().of_split(split)
            if len(cases) > count:
                cases = random.Random(SEED).sample(cases, count)
            for mode in modes:
                print(quality_row(path, name, cases, mode, share), flush=True)


def main() -> int:
    """Build what is not kept, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--indexes", type=Path)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--cases", type=int, default=600, help="at most so many of each set")
    options = parser.parse_args()
    share = words.BUDGET.postings / options.chunks
    everything = questions(options.split)
    rows_asked = {
        "6-10 words": [question for question in everything if is_of_eight(question)],
        "all": everything,
    }
    for path in made(options.keep, options.chunks):
        for title, asked in rows_asked.items():
            found = timed(asked[: options.questions + _WARMING], ways(path, share))
            print(times_table(f"{path.name}: {title}", found), end="\n\n", flush=True)
    if options.indexes:
        print_quality(options.indexes, options.split, options.cases, share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
