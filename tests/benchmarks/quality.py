"""How well ragkit finds what it should, on public sets, beside what others have published.

    python -m tests.benchmarks.quality [--only SET] [--questions N] [--split dev|test|all]
        [--json FILE] [--keep FOLDER] [--fail-under]

Indexes each set with the embedded model and default settings, searches it by words, by meaning,
by both (hybrid) and by both with the rerank, and prints three tables: every measure with its floor
and goal; both hybrids against the better of the two halves, tested question by question; sizes and
times. The first shows test, and all where the published figure covers all.

Nothing goes over the network. The data is that of RAGKIT_EVAL_DATA. `--keep` leaves the indexes in
a folder and takes those that are there, unless the chunker or its size has changed: remove it after
other changes to what an index holds. `--fail-under` exits with 1 where a floor is missed or the
reranked hybrid, which is the default, is surely below one of its halves.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import apsw

from ragkit.chunking import CHUNKER
from ragkit.evaluation import SEED, Case, Difference, Evaluation, Interval, Measure, evaluate
from ragkit.evaluation.statistics import interval, paired_difference, percentile
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.types import Mode, Stats
from tests.benchmarks import squad
from tests.benchmarks.quality_sets import SETS, PublicSet, Target

Rerank = Literal["auto", "off"]
TIMED = 30  # questions, for the times of a search as people ask for it


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to search an index; rerank "auto" is what everybody gets."""

    mode: Mode
    rerank: Rerank


CONFIGURATIONS = {
    "lexical": Configuration("lexical", "off"),
    "semantic": Configuration("semantic", "off"),
    "hybrid": Configuration("hybrid", "off"),
    "reranked": Configuration("hybrid", "auto"),
}
HALVES = ("lexical", "semantic")
HYBRIDS = ("hybrid", "reranked")
DEFAULT = "reranked"


@dataclass(frozen=True, slots=True)
class Row:
    """One measure on one split. `values` are by configuration, in the order of `ids`."""

    set_name: str
    split: str
    target: Target
    published: str
    ids: tuple[str, ...]
    values: Mapping[str, list[float]]

    def mean(self, configuration: str) -> float:
        return sum(self.values[configuration]) / len(self.ids)

    @property
    def interval(self) -> Interval:
        return interval(self.values[DEFAULT], seed=SEED)

    @property
    def better_half(self) -> str:
        return max(HALVES, key=self.mean)

    def difference(self, hybrid: str) -> Difference:
        """Return how far a hybrid is above the better half."""
        return paired_difference(self.values[self.better_half], self.values[hybrid], seed=SEED)

    @property
    def floor(self) -> float | None:
        if self.target.halves_lexical_loss:
            return (1 + self.mean("lexical")) / 2
        return self.target.floor

    @property
    def verdict(self) -> str:
        """Whether the goal is reached, or else the floor."""
        mean = self.mean(DEFAULT)
        if self.target.goal is not None and mean >= self.target.goal:
            return "goal"
        if self.floor is None:
            return ""
        return "floor" if mean >= self.floor else "missed"

    @property
    def fails(self) -> bool:
        return self.verdict == "missed" or self.difference(DEFAULT).high < 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "set": self.set_name,
            "split": self.split,
            "measure": self.target.measure,
            "published": self.published,
            "means": {name: self.mean(name) for name in self.values},
            "interval": self.interval.to_dict(),
            "floor": self.floor,
            "goal": self.target.goal,
            "verdict": self.verdict,
            "better_half": self.better_half,
            "differences": {name: self.difference(name).to_dict() for name in HYBRIDS},
            "ids": list(self.ids),
            "values": dict(self.values),
        }


@dataclass(frozen=True, slots=True)
class SetResult:
    """What came of one set: its rows, its index, and the milliseconds of a search."""

    set_name: str
    rows: tuple[Row, ...]
    stats: Stats
    token_bytes: int
    seconds: float
    milliseconds: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        return {
            "set": self.set_name,
            "chunks": self.stats.chunks,
            "size_bytes": self.stats.size_bytes,
            "token_vector_bytes": self.token_bytes,
            "ingest_seconds": self.seconds,
            "milliseconds": dict(self.milliseconds),
        }


# --- measuring ---------------------------------------------------------------------------------


def measured(chosen: PublicSet, splits: Sequence[str], keep: Path, count: int | None) -> SetResult:
    """Index a set, ask its questions of every configuration, and return the rows of its table."""
    cases = _drawn(max((chosen.of_split(split) for split in splits), key=len), count)
    seconds = _ingested(chosen, keep)
    with _opened(keep) as indexes:
        stats = indexes[DEFAULT].stats()
        found = {}
        for name, configuration in CONFIGURATIONS.items():
            _say(f"{chosen.name}: {len(cases)} questions, {name}")
            measure = Measure(mode=configuration.mode)
            found[name] = evaluate(indexes[name], cases, measure, label=name)
        milliseconds = {
            name: _median_milliseconds(indexes[name], configuration.mode, cases[:TIMED])
            for name, configuration in CONFIGURATIONS.items()
        }
    for words in found[DEFAULT].warnings:
        _say(f"{chosen.name}: {words}")
    rows = [
        row
        for target in chosen.targets
        for split in splits
        if (row := _row(chosen, split, target, found)).ids
    ]
    return SetResult(
        set_name=chosen.name,
        rows=tuple(rows),
        stats=stats,
        token_bytes=_token_bytes(keep / "index.db"),
        seconds=seconds,
        milliseconds=milliseconds,
    )


def _drawn(cases: Sequence[Case], count: int | None) -> list[Case]:
    if count is None or count >= len(cases):
        return list(cases)
    return random.Random(SEED).sample(list(cases), count)


def _ingested(chosen: PublicSet, keep: Path) -> float:
    """Bring the index in a folder up to date; return the seconds that it took."""
    documents, path = keep / "documents", keep / "index.db"
    shutil.rmtree(documents, ignore_errors=True)
    documents.mkdir(parents=True)
    started = time.perf_counter()
    if path.exists() and not _is_current(path):
        for file in keep.glob("index.db*"):
            file.unlink()
    with _open(path, rerank="auto") as index:
        report = index.ingest(chosen.documents(documents))
        seconds = time.perf_counter() - started
        for failure in report.failed:
            _say(f"{chosen.name}: {failure.uri} failed: {failure.message}")
        _say(f"{chosen.name}: {index.stats().chunks} chunks, {seconds:.0f} s")
    return seconds


def _is_current(path: Path) -> bool:
    """Whether a kept index is cut as a new one would be."""
    with _open(path, rerank="auto") as index:
        built = index.stats().fingerprint
    return built is not None and (built.chunker, built.chunk_tokens) == (
        CHUNKER,
        Settings().chunk_tokens,
    )


@contextmanager
def _opened(keep: Path) -> Iterator[dict[str, Index]]:
    """Give one index file as each configuration opens it."""
    with ExitStack() as stack:
        by_rerank = {
            each.rerank: stack.enter_context(_open(keep / "index.db", rerank=each.rerank))
            for each in (CONFIGURATIONS["hybrid"], CONFIGURATIONS["reranked"])
        }
        yield {name: by_rerank[each.rerank] for name, each in CONFIGURATIONS.items()}


def _open(path: Path, *, rerank: Rerank) -> Index:
    """Open an index with default settings, with no key and no cache of the user's."""
    return Index.open(path, Settings(rerank=rerank), environ={})


def _token_bytes(path: Path) -> int:
    """Return how much of an index is there for the rerank alone: its token vectors."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        query = "SELECT coalesce(sum(length(record)), 0) FROM token_vectors"
        return int(connection.execute(query).get)


def _median_milliseconds(index: Index, mode: Mode, cases: Sequence[Case]) -> float:
    times = []
    for case in cases:
        started = time.perf_counter()
        index.search(case.question, mode=mode)
        times.append(1000 * (time.perf_counter() - started))
    return percentile(times, 50)


def _row(chosen: PublicSet, split: str, target: Target, found: Mapping[str, Evaluation]) -> Row:
    asked = {case.id for case in chosen.of_split(split)}
    values = {
        name: {
            result.id: value
            for result in evaluation.cases
            if result.id in asked and (value := target.value(result)) is not None
        }
        for name, evaluation in found.items()
    }
    return Row(
        set_name=chosen.name,
        split=split,
        target=target,
        published=target.published if split == chosen.published_split else "",
        ids=tuple(values[DEFAULT]),
        values={name: list(by_id.values()) for name, by_id in values.items()},
    )


def _say(words: str) -> None:
    print(f"# {words}", file=sys.stderr, flush=True)


# --- what is printed ---------------------------------------------------------------------------


def quality_table(rows: Sequence[Row]) -> str:
    """Return every measure with its floor, its goal and what others have published."""
    lines = [
        f"{'set':<16}{'split':<6}{'n':>5}  {'measure':<22}"
        + "".join(f"{name:>9}" for name in CONFIGURATIONS)
        + f"  {'95 % interval':<14}{'floor':>7}{'goal':>7}  {'met':<7}published"
    ]
    for row in rows:
        decimals = row.target.decimals
        means = "".join(f"{row.mean(name):>9.{decimals}f}" for name in CONFIGURATIONS)
        bounds = f"{row.interval.low:.{decimals}f} to {row.interval.high:.{decimals}f}"
        floor, goal = (
            "" if value is None else f"{value:.{decimals}f}"
            for value in (row.floor, row.target.goal)
        )
        lines.append(
            f"{row.set_name:<16}{row.split:<6}{len(row.ids):>5}  {row.target.measure:<22}{means}"
            f"  {bounds:<14}{floor:>7}{goal:>7}  {row.verdict:<7}{row.published}"
        )
    return "\n".join(line.rstrip() for line in lines)


def halves_table(rows: Sequence[Row]) -> str:
    """Return how far both hybrids are above the better half, and how surely."""
    lines = [
        "above the better half: mean difference, its 95 % interval, p, questions better/same/worse",
        f"{'set':<16}{'split':<6}{'measure':<22}{'half':<10}"
        + "".join(f"{name:<52}" for name in HYBRIDS),
    ]
    for row in rows:
        cells = "".join(
            f"{_difference(row.difference(name), row.target.decimals):<52}" for name in HYBRIDS
        )
        lines.append(
            f"{row.set_name:<16}{row.split:<6}{row.target.measure:<22}{row.better_half:<10}{cells}"
        )
    return "\n".join(line.rstrip() for line in lines)


def costs_table(results: Sequence[SetResult]) -> str:
    """Return each index's size, and the median milliseconds of a search of each kind."""
    lines = [
        f"{'set':<16}{'chunks':>7}{'ingest s':>9}{'MB':>7}"
        f"{'bytes a chunk':>15}{'for the rerank':>16}"
        + "".join(f"{f'{name} ms':>13}" for name in CONFIGURATIONS)
    ]
    for each in results:
        chunks, size = each.stats.chunks, each.stats.size_bytes
        lines.append(
            f"{each.set_name:<16}{chunks:>7}{each.seconds:>9.0f}{size / 1e6:>7.1f}"
            f"{size / chunks:>15,.0f}{each.token_bytes / chunks:>16,.0f}"
            + "".join(f"{each.milliseconds[name]:>13.1f}" for name in CONFIGURATIONS)
        )
    return "\n".join(lines)


def _difference(each: Difference, decimals: int) -> str:
    mark = " BELOW" if each.high < 0 else ""
    return (
        f"{each.mean:+.{decimals}f} ({each.low:+.{decimals}f} to {each.high:+.{decimals}f})"
        f" p {each.p:.3f} {each.wins}/{each.ties}/{each.losses}{mark}"
    )


# --- the command -------------------------------------------------------------------------------


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=SETS, action="append", help="may be repeated")
    parser.add_argument("--questions", type=int, metavar="N", help="only N of each set's, drawn")
    parser.add_argument("--split", choices=("dev", "test", "all"))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the indexes there")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 below a floor")
    arguments = parser.parse_args()
    for name in arguments.only or SETS:
        folder = squad.evaluation_data() / name
        if name != "sample-corpus" and not folder.is_dir():
            parser.error(f"{folder} isn't there; RAGKIT_EVAL_DATA names the folder of the sets")
    return arguments


def main() -> int:
    arguments = _arguments()
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in arguments.only or SETS:
            chosen = SETS[name]()
            splits = (arguments.split,) if arguments.split else chosen.shown
            if not any(chosen.of_split(split) for split in splits):
                _say(f"{name}: has no {arguments.split} split")
                continue
            keep = (arguments.keep or Path(temporary)) / name
            results.append(measured(chosen, splits, keep, arguments.questions))
    rows = [row for result in results for row in result.rows]
    print("\n\n".join((quality_table(rows), halves_table(rows), costs_table(results))))
    if arguments.json:
        found = {
            "rows": [row.to_dict() for row in rows],
            "indexes": [result.to_dict() for result in results],
        }
        arguments.json.write_text(json.dumps(found), encoding="utf-8")
    return int(arguments.fail_under and any(row.fails for row in rows))


if __name__ == "__main__":
    sys.exit(main())
