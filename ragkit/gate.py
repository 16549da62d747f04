"""The gate: how likely it is that the documents hold the answer, judged from what was found.

Three questions, each with a probability; the answer is likely there if all three are answered
well, so they are multiplied:

- Is there a sentence on the question's subject at all?
- Does the index know what the question names (codes, numbers, proper names)?
- Does the passage that matches best hold the question's key words, and not only its subject?

The constants were fitted by hand on the sample corpus and the dev half of SQuAD 2.0 (see
docs/answers.md for what they reach); they are no calibrated probabilities yet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from statistics import fmean, pstdev

from ragkit.text import STOP_WORDS
from ragkit.types import Gate

# Where a probability crosses one half, and how steeply (logistic slope).
_MATCH_CENTRE, _MATCH_SLOPE = 0.37, 25.0
_EXCESS_CENTRE, _EXCESS_SLOPE = 0.06, 40.0
# Without a reranker: by the share of the question's words, and by standing above the background.
_COVERAGE_CENTRE, _COVERAGE_SLOPE = 0.3, 10.0
_STANDING_CENTRE, _STANDING_SLOPE = 3.0, 1.0
# What is left of the probability where the question names something the index doesn't know.
_UNKNOWN_NAME = 0.2

# "how large", "how late": a way of asking, not a word that an answer repeats.
_MEASURES = frozenset(
    "big broad cold deep early far fast full heavy high hot large late long loud low much old often"
    " quick short slow small soon strong tall thick wide".split()
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the question that an answer might repeat.

    `tokens` are its forms in the word index, `weight` its inverse document frequency there (rare
    words say what a question is about), `is_name` whether it is a code, a number or a name.
    """

    text: str
    start: int
    tokens: frozenset[str]
    weight: float
    is_known: bool
    is_name: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against an answer being in the passages.

    `match` is the best sentence's score by the reranker and `word_match` how well its passage
    holds the question's words one by one, by weight; both None without a reranker. `coverage` is
    the weighted share of the words that stand in the best passages as they are. `standing` is by
    how many standard deviations the best passage is nearer to the question than the index at
    large; None where no vectors were compared. `unknown` names what the index doesn't know.
    """

    match: float | None
    word_match: float | None
    coverage: float
    standing: float | None
    unknown: tuple[str, ...]


def words(
    question: str,
    *,
    tokens: Callable[[str], list[str]],
    frequency: Callable[[str], int],
    chunk_count: int,
) -> list[Word]:
    """Return the question's words without stop words and ways of asking, in order."""
    found = []
    before = ""
    for match in _WORD.finditer(question):
        text, lower = match[0], match[0].lower()
        asks = lower in _MEASURES and before == "how"
        before = lower
        if lower in STOP_WORDS or asks or len(text) < 2:
            continue
        forms = tokens(text)
        counts = [frequency(form) for form in forms]
        if not forms:
            continue
        weight = max(math.log1p(chunk_count / (count + 0.5)) for count in counts)
        is_name = any(c.isdigit() for c in text) or (text[0].isupper() and match.start() > 0)
        found.append(Word(text, match.start(), frozenset(forms), weight, all(counts), is_name))
    return found


def coverage(question: Sequence[Word], stands: Set[str]) -> float:
    """Return the weighted share of the question's words that stand among some tokens."""
    return _weighted(question, [1.0 if word.tokens <= stands else 0.0 for word in question])


def word_match(
    question: Sequence[Word], stands: Set[str], similarities: Mapping[int, float]
) -> float:
    """Return how well a passage holds the question's words, from 0 to 1, by weight.

    A word that stands there counts whole, another by its `similarities` (by where it starts in
    the question) to what stands there.
    """
    return _weighted(
        question,
        [1.0 if word.tokens <= stands else similarities.get(word.start, 0.0) for word in question],
    )


def standing(best: float, background: Sequence[float]) -> float | None:
    """Return how many standard deviations a similarity stands above the background."""
    spread = pstdev(background) if background else 0.0
    return (best - fmean(background)) / spread if spread else None


def judge(evidence: Evidence) -> Gate:
    """Return the probability that the passages hold the answer, with the reasons."""
    probability, reasons = _subject(evidence)
    if evidence.unknown:
        probability *= _UNKNOWN_NAME
        reasons.append(f"the index doesn't know {', '.join(evidence.unknown)}")
    if evidence.match is not None and evidence.word_match is not None:
        excess = evidence.match - evidence.word_match
        probability *= 1 - _logistic(excess, _EXCESS_CENTRE, _EXCESS_SLOPE)
        if excess > _EXCESS_CENTRE:
            reasons.append("the best passage is on the subject, but lacks words of the question")
    return Gate(probability, tuple(reasons))


def _subject(evidence: Evidence) -> tuple[float, list[str]]:
    covered = f"the best passages hold {evidence.coverage:.0%} of the question's words by weight"
    if evidence.match is not None:
        near = f"the best sentence matches with {evidence.match:.2f} (from {_MATCH_CENTRE} on)"
        return _logistic(evidence.match, _MATCH_CENTRE, _MATCH_SLOPE), [near, covered]
    probability = _logistic(evidence.coverage, _COVERAGE_CENTRE, _COVERAGE_SLOPE)
    if evidence.standing is None:
        return probability, [covered]
    near = f"the best passage stands {evidence.standing:.1f} deviations above the index at large"
    other = _logistic(evidence.standing, _STANDING_CENTRE, _STANDING_SLOPE)
    return (probability + other) / 2, [near, covered]


def _weighted(question: Sequence[Word], shares: Sequence[float]) -> float:
    total = sum(word.weight for word in question)
    parts = (word.weight * share for word, share in zip(question, shares, strict=True))
    return sum(parts) / total if total else 0.0


def _logistic(value: float, centre: float, slope: float) -> float:
    return (1 + math.tanh(slope * (value - centre) / 2)) / 2  # exp() could overflow
