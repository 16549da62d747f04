"""How `ask` does on the sample corpus's forty questions, with no key.

    python -m tests.benchmarks.sample_corpus [--verbose] [--fail-under]

Prints, by grade, how many answerable questions were answered with a gold document cited first
and how many unanswerable ones got `not_found`; `--fail-under` exits 1 below 24 of 30 and 8 of 10.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.types import Answer

CORPUS = Path(__file__).parents[2] / "sample_corpus"
FLOOR_ANSWERED = 24
FLOOR_REFUSED = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    case: dict[str, object]
    answer: Answer
    seconds: float

    @property
    def is_right(self) -> bool:
        """Refused where nothing answers; else a gold document is cited first."""
        gold = self.case["documents"]
        if not gold:
            return self.answer.state == "not_found"
        return self.first_cited in gold  # type: ignore[operator]

    @property
    def quotes_gold(self) -> bool:
        """Whether a gold sentence is among the quotes, white space aside."""
        quoted = [" ".join(c.quote.split()) for c in self.answer.citations]
        gold = [" ".join(s.split()) for s in self.case["sentences"]]  # type: ignore[attr-defined]
        return any(g in q or q in g for g in gold for q in quoted)

    @property
    def first_cited(self) -> str:
        cited = self.answer.citations
        return unquote(urlsplit(cited[0].uri).path).rsplit("/", 1)[-1] if cited else ""


def cases() -> list[dict[str, object]]:
    """Return the questions with their gold documents and sentences."""
    lines = (CORPUS / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def run(index: Index) -> list[Outcome]:
    """Ask every question of an index of the sample corpus."""
    outcomes = []
    for case in cases():
        started = time.perf_counter()
        answer = index.ask(str(case["question"]))
        outcomes.append(Outcome(case, answer, time.perf_counter() - started))
    return outcomes


def report(outcomes: list[Outcome], *, verbose: bool) -> tuple[int, int]:
    """Print the table; return how many were answered and how many refused rightly."""
    right, total, quoted = Counter[str](), Counter[str](), Counter[str]()
    for outcome in outcomes:
        grade = str(outcome.case["grade"])
        total[grade] += 1
        right[grade] += outcome.is_right
        quoted[grade] += outcome.quotes_gold
        if verbose:
            _print_case(outcome)
    print(f"{'grade':<14}{'right':>8}{'gold sentence quoted':>24}")
    for grade in total:
        gold = f"{quoted[grade]}/{total[grade]}" if grade != "unanswerable" else "-"
        print(f"{grade:<14}{f'{right[grade]}/{total[grade]}':>8}{gold:>24}")
    answered = sum(right[grade] for grade in total if grade != "unanswerable")
    refused = right["unanswerable"]
    seconds = sorted(outcome.seconds for outcome in outcomes)
    print(f"answered with a gold document cited first: {answered} of 30 (floor {FLOOR_ANSWERED})")
    print(f"not_found for the unanswerable: {refused} of 10 (floor {FLOOR_REFUSED})")
    print(f"seconds a question: median {seconds[len(seconds) // 2]:.2f}, max {seconds[-1]:.2f}")
    return answered, refused


def _print_case(outcome: Outcome) -> None:
    case, answer = outcome.case, outcome.answer
    mark = "ok " if outcome.is_right else "BAD"
    print(f"{mark} {case['id']} {case['grade']}: {case['question']}")
    print(f"    gate {answer.gate.probability:.2f} {answer.state}; gold {case['documents']}")
    for citation in answer.citations:
        name = unquote(citation.uri).rsplit("/", 1)[-1]
        print(f"    [{citation.marker}] {name}: {' '.join(citation.quote.split())[:150]}")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verbose", action="store_true", help="print every case")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 below the floors")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Index.open(Path(folder, "index.db"), Settings(), environ={}) as index,
    ):
        index.ingest(CORPUS)
        answered, refused = report(run(index), verbose=arguments.verbose)
    below = answered < FLOOR_ANSWERED or refused < FLOOR_REFUSED
    return int(arguments.fail_under and below)


if __name__ == "__main__":
    sys.exit(main())
