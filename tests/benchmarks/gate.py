"""How well the gate tells questions that the documents answer from others, beside plain scores.

    python -m tests.benchmarks.gate [--questions 200] [--keep FOLDER] [--report PAGE.html] [--fit]

Asks the test half of SQuAD 2.0 and SciFact's test claims: answered questions on their own index,
near misses (asked about a paragraph that doesn't answer), questions on an index without their
article, and each set's questions on the other's index. Prints AUROC with its bootstrap interval
and target for the gate by the hits alone and with the best sentence, beside cosine and BM25;
the expected calibration error at half of the questions unanswerable and at one in ten; precision
and recall of "no answer here", beside always and never; and a calibration plot, which `--report`
also writes as a page. `--fit` asks the dev half, SciFact's train claims and the sample corpus
instead, and prints the constants of ragkit.gate_models. `--keep` leaves the indexes in a folder,
and takes those that are there.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ragkit.evaluation import SEED, calibrating, plots
from ragkit.evaluation.page import page
from ragkit.gate import Evidence
from ragkit.gate_models import MODELS, Kind, Stage
from ragkit.settings import Settings
from tests.benchmarks import gate_fitting, gate_questions
from tests.benchmarks.gate_fitting import ANSWERED, Judged, Numbers
from tests.benchmarks.gate_questions import Asked
from tests.benchmarks.squad import Half

RESAMPLES = 1_000
# What counts in a mixture of questions: each kind of answered ones the same, and each of others.
SHARES = {
    "answerable": 1.0,
    "kept": 1.0,
    "claims": 1.0,
    "near miss": 1.0,
    "left out": 1.0,
    "foreign": 0.5,
    "foreign claims": 0.5,
}
# What is told from what, with the targets by the hits alone and with the best sentence.
TASKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], float, float]] = {
    "off-corpus": (("answerable", "claims"), ("foreign", "foreign claims"), 0.995, 0.995),
    "article left out": (("kept",), ("left out",), 0.985, 0.985),
    "near miss": (("answerable",), ("near miss",), 0.66, 0.72),
}
KINDS: tuple[Kind, ...] = ("tokens", "vectors", "words")
_SCORES_OF: Mapping[Kind, tuple[str, ...]] = {
    "tokens": (),
    "vectors": ("match", "word_similarity", "function_words", "name_alone"),
    "words": (
        "match",
        "word_similarity",
        "function_words",
        "name_alone",
        "nearness",
        "standing",
        "agreement",
    ),
}
_BAR = 40


def odds(asked: Sequence[Asked], kind: Kind, stage: Stage) -> Numbers:
    """Return the log odds of the gate for questions, judged by what a kind of index has."""
    return np.array([MODELS[kind, stage].log_odds(_signals(each, kind, stage)) for each in asked])


def _signals(asked: Asked, kind: Kind, stage: Stage) -> Mapping[str, float]:
    evidence: Evidence = asked.hits if stage == "hits" else asked.sentence
    hidden = _SCORES_OF[kind]
    return {
        name: value
        for name, value in evidence.signals.items()
        if name.removeprefix("sentence_") not in hidden
    }


# --- tables ------------------------------------------------------------------------------------


def auroc_rows(asked: Sequence[Asked]) -> list[tuple[str, ...]]:
    """Return a row for each task and judge: AUROC, its interval, the target."""
    kinds = np.array([each.kind for each in asked])
    judges: dict[str, tuple[Numbers, bool, Stage]] = {
        "cosine": (np.array([each.cosine for each in asked]), False, "hits"),
        "BM25 score": (np.array([each.lexical for each in asked]), False, "hits"),
        "gate, hits alone": (odds(asked, "tokens", "hits"), True, "hits"),
        "gate, best sentence": (odds(asked, "tokens", "sentence"), True, "sentence"),
        "gate, no token vectors": (odds(asked, "vectors", "sentence"), False, "sentence"),
        "gate, words alone": (odds(asked, "words", "sentence"), False, "sentence"),
    }
    rows: list[tuple[str, ...]] = []
    for task, (positive, negative, by_hits, by_sentence) in TASKS.items():
        for name, (scores, is_measured, stage) in judges.items():
            yes, no = scores[np.isin(kinds, positive)], scores[np.isin(kinds, negative)]
            low, high = _interval(yes, no)
            target = by_hits if stage == "hits" else by_sentence
            shown = f">= {target}" if is_measured else ""
            found = f"{calibrating.auroc(yes, no):.3f}"
            rows.append((task, name, found, f"{low:.3f} to {high:.3f}", shown))
    return rows


def calibration_rows(asked: Sequence[Asked]) -> list[tuple[str, ...]]:
    """Return for both stages and shares of unanswerable questions how good the probability is."""
    labels, weight = _mixture(asked)
    threshold = Settings().gate_threshold
    rows: list[tuple[str, ...]] = []
    stages: tuple[Stage, ...] = ("hits", "sentence")
    for prior, words in ((0.5, "half"), (0.1, "one in ten")):
        weighted = np.where(labels == 1, weight * (1 - prior), weight * prior)
        judges = {f"gate, {stage}": _likely(asked, stage, prior) for stage in stages}
        judges |= {"always": np.zeros(len(asked)), "never": np.ones(len(asked))}
        for name, likely in judges.items():

            def measured(
                chosen: np.random.Generator | None,
                likely: Numbers = likely,
                weighted: Numbers = weighted,
            ) -> tuple[float, float, float]:
                at = np.arange(len(labels))
                at = at if chosen is None else chosen.integers(0, len(at), len(at))
                found = calibrating.quality(
                    likely[at], labels[at], threshold=threshold, weight=weighted[at]
                )
                return found.calibration_error, found.precision, found.recall

            resampled = np.array([measured(np.random.default_rng(s)) for s in range(200)])
            low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
            cells = [
                f"{value:.3f} ({first:.3f} to {last:.3f})"
                for value, first, last in zip(measured(None), low, high, strict=True)
            ]
            if name in ("always", "never"):
                cells[0] = ""
            rows.append((words, name, *cells, "<= 0.05" if cells[0] else ""))
    return rows


def _mixture(asked: Sequence[Asked]) -> tuple[Numbers, Numbers]:
    labels = np.array([each.kind in ANSWERED for each in asked], dtype=np.float64)
    judged = [Judged(each.kind, {}) for each in asked]
    return labels, gate_fitting.weights(judged, SHARES, labels)


def _likely(asked: Sequence[Asked], stage: Stage, prior: float) -> Numbers:
    shifted = odds(asked, "tokens", stage) - np.log(prior / (1 - prior))
    return calibrating.probabilities(shifted)


def _interval(positive: Numbers, negative: Numbers) -> tuple[float, float]:
    """Return the bounds that hold the AUROC with 95 % confidence, by bootstrap."""
    generator = np.random.default_rng(SEED)
    found = []
    for _ in range(RESAMPLES):
        yes = positive[generator.integers(0, len(positive), len(positive))]
        no = negative[generator.integers(0, len(negative), len(negative))]
        found.append(calibrating.auroc(yes, no))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


# --- the plot ----------------------------------------------------------------------------------


def calibration_bins(asked: Sequence[Asked]) -> list[tuple[float, float, float]]:
    labels, weight = _mixture(asked)
    return calibrating.bins(_likely(asked, "sentence", 0.5), labels, weight)


def text_plot(bins: Sequence[tuple[float, float, float]]) -> str:
    """Return a line a bin: `|` where the share answered should be, `o` where it is."""
    total = sum(weight for _, _, weight in bins)
    lines = []
    for mean, share, weight in bins:
        cells = [" "] * (_BAR + 1)
        cells[round(mean * _BAR)] = "|"
        cells[round(share * _BAR)] = "o"
        lines.append(f"{mean:4.2f} [{''.join(cells)}] {share:.2f} answered, {weight / total:.0%}")
    return "\n".join(lines)


def report(bins: Sequence[tuple[float, float, float]], rows: str) -> str:
    """Return a page with the calibration plot and the tables."""
    curve = plots.curves(
        [[mean for mean, _, _ in bins], [share for _, share, _ in bins]],
        axis="bin of the probability: said (first), answered (second)",
    )
    body = f'<h1>The gate</h1><div class="card">{curve}</div><pre class="card">{rows}</pre>'
    return page("The gate", body)


def fit(asked: Sequence[Asked]) -> str:
    """Return the source of models that are fitted to the questions."""
    stages: tuple[Stage, ...] = ("hits", "sentence")
    return gate_fitting.source(
        {
            (kind, stage): gate_fitting.fit(
                [Judged(each.kind, _signals(each, kind, stage)) for each in asked],
                SHARES,
                kind,
                stage,
            )
            for kind in KINDS
            for stage in stages
        }
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--fit", action="store_true", help="print constants instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folders = gate_questions.indexes(arguments.keep or Path(folder))
        half: Half = "dev" if arguments.fit else "test"
        asked = gate_questions.ask_all(
            folders,
            half,
            arguments.questions,
            on_kind=lambda kind: print(f"asking: {kind}", file=sys.stderr, flush=True),
        )
        if arguments.fit:
            print(fit([*asked, *gate_questions.ask_sample(folders)]))
            return 0
    text = table([("task", "judge", "AUROC", "95 %", "target"), *auroc_rows(asked)]) + "\n\n"
    heads = ("unanswerable", "judge", "calibration error", "precision", "recall", "target")
    text += table([heads, *calibration_rows(asked)]) + "\n\n"
    bins = calibration_bins(asked)
    text += "The probability said |, and the share answered o, half unanswerable:\n"
    text += text_plot(bins)
    print(text)
    if arguments.report:
        arguments.report.write_text(report(bins, text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
