"""How ragkit's index does at ten thousand chunks, a hundred thousand, a million.

    python -m tests.benchmarks.scale --keep FOLDER --chunks 1000000 [10000 100000 ...]
                                     [--docs /usr/share/doc] [--fresh] [--curve] [--fail-under]
                                     [--replace-up-to 100000]

Prints for each size a table of what was measured beside the targets, times as median and 95th
percentile by the clock and as CPU time; alternatives take turns question by question. Then, of
several sizes, the medians side by side.

The chunks are real passages with two real vectors each, joined (tests.benchmarks.scale_passages),
and those grown from them (tests.benchmarks.scale_growth). The questions are the test split's of
the public sets. `Index.search` is measured in processes of its own; a first query is one of a new
process, the file being in the page cache. Changes are made to copies. Vectors, the indexes, and
the same vectors in sqlite-vec's own table are kept in the folder: a second run measures only, and
shows the bulk load as it was when the index was built, unless it is built `--fresh`. `--curve`
adds the recall by the share of cells scanned that the vectors themselves have. Documents are
replaced in the smaller indexes alone (`--replace-up-to`): a thousand chunks take 1.6 s.

A million chunks take some 25 GB of disk, and an hour for the first run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ragkit.store import SqliteStore
from tests.benchmarks import scale_growth, scale_index, scale_measures, scale_passages
from tests.benchmarks.scale_index import Built, Corpus
from tests.benchmarks.scale_measures import Asked, Times

PASSAGES = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what was measured, and whether it reached a target, if there is one.

    `value` is its number for the comparison of sizes.
    """

    what: str
    measured: str
    value: float
    target: str = ""
    is_met: bool = True


def limited(what: str, times: Times, *, p50: float, p95: float | None = None) -> Row:
    """Return the row of times that should not be longer than so many milliseconds."""
    target = f"p50 <= {p50:g} ms" + (f", p95 <= {p95:g}" if p95 else "")
    is_met = times.median <= p50 and (p95 is None or times.p95 <= p95)
    return Row(what, str(times), times.median, target, is_met)


# --- the rows ----------------------------------------------------------------------------------


def rows(
    keep: Path,
    corpus: Corpus,
    index: Built,
    asked: Asked,
    *,
    with_curve: bool,
    replaces: bool,
) -> Iterator[Row]:
    """Measure an index, and yield the table's rows as they come."""
    if with_curve:
        yield from _curve(corpus, asked)
    store = SqliteStore(index.path)
    yield from _vectors(store, corpus, asked)
    yield from _quality(store, corpus, keep)
    yield from _beside_vec0(store, keep, corpus, asked)
    times, count = scale_measures.lexical_row(store, asked)
    yield limited(f"lexical, {count} questions of 6 to 10 words", times, p50=40, p95=120)
    store.close()
    yield from _searches(index.path, asked)
    rate = index.load.chunks / index.load.seconds
    busy = f"{rate:,.0f} chunks/s, {index.load.chunks / index.load.cpu_seconds:,.0f} a CPU second"
    yield Row("bulk load", busy, rate, ">= 8,000 chunks/s", rate >= 8_000)
    seconds = index.load.index_seconds
    took = f"{seconds:.1f} s, CPU {index.load.index_cpu_seconds:.1f}"
    yield Row("  building the vector index then", took, seconds)
    yield from _sizes(index.path, corpus.size)
    with scale_index.copied(index.path) as changed:
        yield from _additions(changed, corpus, asked)
    if replaces:
        with scale_index.copied(index.path) as changed:
            yield from _replacements(index.path, changed, corpus, asked)


def _curve(corpus: Corpus, asked: Asked) -> Iterator[Row]:
    found = scale_growth.shape(corpus.vectors[: corpus.size], asked.vectors)
    for share, recall in zip(scale_growth.SHARES, found.recall, strict=True):
        yield Row(f"vectors alone, {share:.0%} of the cells", f"recall@10 {recall:.3f}", recall)


def _vectors(store: SqliteStore, corpus: Corpus, asked: Asked) -> Iterator[Row]:
    targets = {"default": (15, 0.95), "thorough": (35, 0.98)}
    for name, (times, recall) in scale_measures.vector_rows(store, corpus, asked).items():
        most, least = targets.get(name, (None, 0.0))
        row = limited("", times, p50=most) if most else Row("", str(times), times.median)
        yield Row(
            f"vectors, {name}",
            f"{times}; recall@10 {recall:.3f}",
            times.median,
            f"{row.target}, recall@10 >= {least:g}" if most else "",
            row.is_met and recall >= least,
        )


def _quality(store: SqliteStore, corpus: Corpus, keep: Path) -> Iterator[Row]:
    for name, found in scale_measures.quality_rows(store, corpus, keep).items():
        change = found.loss
        yield Row(
            f"nDCG@10 of {found.questions} of {name}, by meaning",
            f"{change.mean:+.4f} ({change.low:+.4f} to {change.high:+.4f}), scan {found.exact:.4f}",
            change.mean,
            ">= -.003",
            change.mean >= -0.003,
        )


def _beside_vec0(store: SqliteStore, keep: Path, corpus: Corpus, asked: Asked) -> Iterator[Row]:
    found = scale_measures.vec0_rows(store, keep, corpus, asked)
    vec0 = found.pop("vec0")[0]
    yield Row("vec0, default pragmas", str(vec0), vec0.median)
    for name, (times, agreement) in found.items():
        ratio = vec0.median / times.median
        is_target = name == "default"
        yield Row(
            f"vectors, {name}, in turns with vec0",
            f"{times}: {ratio:.1f} x faster; {agreement:.0%} of the same",
            ratio,
            ">= 50 x faster" if is_target else "",
            not is_target or ratio >= 50,
        )


def _searches(path: Path, asked: Asked) -> Iterator[Row]:
    found = scale_measures.search_rows(path, asked)
    yield limited("Index.search, warm", found.warm, p50=60)
    yield limited("Index.search, first of a process", found.first, p50=400)
    yield Row("  the whole of that process", str(found.process), found.process.median)
    megabytes = found.anonymous_mb
    yield Row(
        "memory beyond the page cache",
        f"{megabytes:.0f} MB",
        megabytes,
        "<= 600 MB",
        megabytes <= 600,
    )


def _sizes(path: Path, size: int) -> Iterator[Row]:
    total = scale_measures.megabytes(path)
    kilobytes = 1000 * total / size
    most = 8.5 * size / 1000  # 8.5 GB for a million
    measured = f"{total:,.0f} MB, {kilobytes:.2f} kB a chunk"
    yield Row("size", measured, total, f"<= {most:,.0f} MB", total <= most)
    for name, megabytes in scale_measures.parts(path).items():
        if megabytes >= total / 100:
            yield Row(f"  {name}", f"{megabytes:,.0f} MB", megabytes)


def _additions(changed: Path, corpus: Corpus, asked: Asked) -> Iterator[Row]:
    added = scale_measures.addition_row(changed, corpus)
    yield limited("add 1,000 chunks", added, p50=1_500)
    for processes in (False, True):
        reading = scale_measures.reader_row(changed, corpus, asked, processes=processes)
        ratio = reading.beside.p95 / reading.alone.p95
        yield Row(
            f"4 readers ({'processes' if processes else 'threads'}) during an ingest",
            f"p95 {reading.alone.p95:.0f} -> {reading.beside.p95:.0f} ms ({ratio:.2f} x), p50"
            f" {reading.alone.median:.0f} -> {reading.beside.median:.0f},"
            f" {reading.written_a_second:,.0f} chunks/s written",
            reading.beside.p95,
            "p95 <= 2 x",
            ratio <= 2,
        )


def _replacements(path: Path, changed: Path, corpus: Corpus, asked: Asked) -> Iterator[Row]:
    replaced = scale_measures.replacement_rows(path, changed, corpus, asked)
    rate = replaced.chunks / replaced.seconds
    yield Row("30 % of the documents replaced", f"{rate:,.0f} chunks/s", rate)
    fresh, after = replaced.megabytes
    yield _no_worse("  size after that", fresh, after, "MB")
    for name, (before, now) in {
        "vectors": replaced.vectors,
        "lexical": replaced.words,
        "Index.search": replaced.searches,
    }.items():
        yield _no_worse(f"  {name} after that", before.median, now.median, "ms, p50")


def _no_worse(what: str, fresh: float, after: float, unit: str) -> Row:
    ratio = after / fresh
    measured = f"{after:,.1f} {unit}; fresh {fresh:,.1f} ({ratio - 1:+.0%})"
    return Row(what, measured, after, "within 10 %", ratio <= 1.1)


# --- the command -------------------------------------------------------------------------------


def main() -> int:
    """Build what is missing, measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--docs", type=Path, action="append", default=[])
    parser.add_argument("--passages", type=int, default=PASSAGES, help="how many are real")
    parser.add_argument(
        "--replace-up-to", type=int, default=100_000, help="the size up to which 30 %% are replaced"
    )
    parser.add_argument("--fresh", action="store_true", help="build the indexes again")
    parser.add_argument("--curve", action="store_true", help="show the vectors' own recall too")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 below a target")
    options = parser.parse_args()
    docs = options.docs or [Path("/usr/share/doc")]
    asked = Asked(*scale_passages.load_questions(options.keep, "test"))
    tables: dict[int, list[Row]] = {}
    for size in sorted(options.chunks, reverse=True):  # smaller ones begin the largest's vectors
        corpus = scale_index.corpus(options.keep, docs, options.passages, size)
        index = scale_index.built(options.keep, corpus, is_fresh=options.fresh)
        print(f"\n{size:,} chunks of {scale_index.DIMENSIONS} dimensions", flush=True)
        tables[size] = []
        found = rows(
            options.keep,
            corpus,
            index,
            asked,
            with_curve=options.curve,
            replaces=size <= options.replace_up_to,
        )
        for row in found:
            tables[size].append(row)
            mark = "" if row.is_met else "  MISSED"
            print(f"{row.what:<44}{row.target:<34}{row.measured}{mark}", flush=True)
    if len(tables) > 1:
        _print_sizes(tables)
    is_met = all(row.is_met for table in tables.values() for row in table)
    return int(options.fail_under and not is_met)


def _print_sizes(tables: dict[int, list[Row]]) -> None:
    """Print the rows that all sizes have, side by side."""
    sizes = sorted(tables)
    by_what = [{row.what: row.value for row in tables[size]} for size in sizes]
    heading = "by size (ms, MB, chunks/s, recall, times)"
    print(f"\n{heading:<44}" + "".join(f"{size:>14,}" for size in sizes))
    for what in by_what[-1]:
        values = [table[what] for table in by_what if what in table]
        if len(values) == len(sizes):
            columns = (f"{value:,.1f}" if value >= 10 else f"{value:.3f}" for value in values)
            print(f"{what:<44}" + "".join(f"{column:>14}" for column in columns))


if __name__ == "__main__":
    sys.exit(main())
