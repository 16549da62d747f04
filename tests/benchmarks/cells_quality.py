"""What the vector index costs in quality on the evaluation sets, beside the scan.

    python -m tests.benchmarks.cells_quality --indexes FOLDER [--split dev|test] [--cases 600]

The sets' indexes are those that `tests.benchmarks.quality --keep FOLDER` leaves. They are too small
for a vector index, and if they had one all of its cells would be looked at: so each gets one, and
the searches look at the share of the cells that they look at in an index of a million vectors.
Prints nDCG@10 (span recall@5 for chroma-chunking) of the exact scan and of each effort, paired,
with a 95 % bootstrap interval of the difference, by meaning alone and in the hybrid without rerank.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from ragkit import Index, MiniLM, Settings, SqliteStore
from ragkit.evaluation import SEED, Case, Measure, evaluate
from ragkit.evaluation.statistics import paired_difference
from ragkit.store import searching
from ragkit.types import Effort, Mode
from tests.benchmarks.quality_sets import SETS

CHUNKS = 1_000_000
TARGET = 0.003
_MEASURED = {"beir-scifact": "ndcg@10", "squad2-dev": "ndcg@10", "chroma-chunking": "span_recall@5"}
_FROM = 1_000  # vectors, for an index of the smallest set
_MODES: tuple[Mode, ...] = ("semantic", "hybrid")
_EFFORTS: tuple[Effort, ...] = ("exact", "default", "thorough")


def in_proportion() -> dict[Effort, searching.Budget]:
    """Return the budgets as shares alone: those of an index of a million vectors."""
    return {
        effort: searching.Budget(max(each.share, each.vectors / CHUNKS), 0)
        for effort, each in searching.BUDGETS.items()
    }


def values(path: Path, cases: list[Case], mode: Mode, effort: Effort, measure: str) -> list[float]:
    """Return each case's measure."""
    settings = Settings(rerank="off", search_effort=effort)
    with Index(SqliteStore(path), embedder=MiniLM(), settings=settings) as index:
        results = evaluate(index, cases, Measure(mode=mode)).cases
    return [result.metrics[measure] for result in results]


def print_set(path: Path, name: str, cases: list[Case]) -> None:
    """Print a line for each mode and effort."""
    store = SqliteStore(path, cells_from=_FROM)
    with store.exclusive():
        for _ in store.keep_up():
            pass
    store.close()
    measure = _MEASURED[name]
    for mode in _MODES:
        found = {effort: values(path, cases, mode, effort, measure) for effort in _EFFORTS}
        for effort in _EFFORTS[1:]:
            change = paired_difference(found["exact"], found[effort], seed=SEED)
            print(
                f"{name:<16}{mode:<9}{len(cases):>5}  {effort:<9}"
                f"{statistics.fmean(found['exact']):>8.4f}{statistics.fmean(found[effort]):>8.4f}"
                f"{change.mean:>+9.4f} ({change.low:+.4f} to {change.high:+.4f})"
                f" {change.wins}/{change.ties}/{change.losses}",
                flush=True,
            )


def main() -> int:
    """Measure each set that there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--indexes", type=Path, required=True)
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--cases", type=int, default=600, help="at most so many of each set")
    options = parser.parse_args()
    searching.BUDGETS = in_proportion()
    shares = ", ".join(f"{effort} {each.share:.0%}" for effort, each in searching.BUDGETS.items())
    print(f"{options.split}; of the cells: {shares}; target: no more than {TARGET} lost")
    print(f"{'set':<16}{'mode':<9}{'n':>5}  {'effort':<9}{'exact':>8}{'cells':>8}{'change':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for name in _MEASURED:
            copied = shutil.copy(options.indexes / name / "index.db", Path(folder) / f"{name}.db")
            cases = SETS[name]().of_split(options.split)
            if len(cases) > options.cases:
                cases = random.Random(SEED).sample(cases, options.cases)
            print_set(Path(copied), name, cases)
    return 0


if __name__ == "__main__":
    sys.exit(main())
