"""What the gate lets through, on the dev half of SQuAD 2.0 and on foreign questions.

    python -m tests.benchmarks.gate [--questions 100]

Prints, for questions that a paragraph answers, for near misses (asked about a paragraph that
doesn't answer) and for claims of another field, the share that gets an answer and the median
probability, and how well the probability tells the first kind from the others (AUROC).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from ragkit.config import Settings
from ragkit.index import Index
from tests.benchmarks import squad


def auroc(positive: list[float], negative: list[float]) -> float:
    """Return how often a positive's value is above a negative's; ties count half."""
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100)
    count = parser.parse_args().questions
    kinds = {
        "answerable": squad.questions("dev", answerable=True, count=count),
        "near miss": squad.questions("dev", answerable=False, count=count),
        "foreign": squad.foreign_questions(count),
    }
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder, "paragraphs")
        documents.mkdir()
        squad.write_paragraphs(documents)
        with Index.open(Path(folder, "index.db"), Settings(), environ={}) as index:
            index.ingest(documents)
            found = {
                kind: [index.ask(question.text) for question in questions]
                for kind, questions in kinds.items()
            }
    print(f"{'':<12}{'questions':>10}{'answered':>10}{'median':>8}{'AUROC':>8}")
    known = [answer.gate.probability for answer in found["answerable"]]
    for kind, answers in found.items():
        probabilities = [answer.gate.probability for answer in answers]
        shown = statistics.fmean(answer.state != "not_found" for answer in answers)
        told = "" if kind == "answerable" else f"{auroc(known, probabilities):.3f}"
        middle = statistics.median(probabilities)
        print(f"{kind:<12}{len(answers):>10}{shown:>10.2f}{middle:>8.2f}{told:>8}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
