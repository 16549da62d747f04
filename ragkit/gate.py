"""The gate: how likely it is that the documents hold the answer, judged from what was found.

Every feature is relative to the index itself (its word frequencies, its own spread of
similarities), so that one set of weights serves any embedder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from statistics import fmean, pstdev

from ragkit.types import Gate

# Logistic weights, fitted by `python -m tests.benchmarks.gate` on dev data only.
_BIAS = -4.0
_COVERAGE = 4.0
_BEST_COVERAGE = 2.0
_UNKNOWN = -3.0
_SIMILARITY = 0.4
_RERANK = 4.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against an answer being in the passages; shares are from 0 to 1.

    `coverage` is the share of the question's words, weighted by rarity, that the best passages
    hold together; `best_coverage` the share that the best single one holds; `unknown` the share
    that the whole index doesn't know. `similarity` is by how many standard deviations the best
    passage is nearer to the question than the index at large. `rerank` is the best passage's
    late interaction score. The last two are 0 where there is no such list.
    """

    coverage: float
    best_coverage: float
    unknown: float
    similarity: float
    rerank: float


def weigh_words(
    words: Sequence[str], frequency: Callable[[str], int], chunk_count: int
) -> dict[str, float]:
    """Return each word's inverse document frequency: rare words say what a question is about."""
    return {word: math.log1p(chunk_count / (frequency(word) + 0.5)) for word in words}


def coverage(weights: dict[str, float], words: Set[str]) -> float:
    """Return the weighted share of the question's words that stand among some words."""
    total = sum(weights.values())
    return sum(weight for word, weight in weights.items() if word in words) / total if total else 0


def standing(best: float, background: Sequence[float]) -> float:
    """Return how many standard deviations a similarity stands above the background."""
    if len(background) < 2:
        return 0.0
    spread = pstdev(background)
    return (best - fmean(background)) / spread if spread else 0.0


def judge(evidence: Evidence) -> Gate:
    """Return the probability that the passages hold the answer, with the reasons."""
    logit = (
        _BIAS
        + _COVERAGE * evidence.coverage
        + _BEST_COVERAGE * evidence.best_coverage
        + _UNKNOWN * evidence.unknown
        + _SIMILARITY * evidence.similarity
        + _RERANK * evidence.rerank
    )
    reasons = (
        f"the passages hold {evidence.coverage:.0%} of the question's words by weight,"
        f" the best one {evidence.best_coverage:.0%}",
        f"{evidence.unknown:.0%} of them stand nowhere in the index",
        f"the best passage is {evidence.similarity:.1f} standard deviations nearer than chance",
        f"late interaction score {evidence.rerank:.2f}",
    )
    return Gate(1 / (1 + math.exp(-logit)), reasons)
