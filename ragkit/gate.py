"""The gate: how likely it is that the documents hold the answer, judged from what was found.

Three questions, and all have to be answered well:

- Is the subject of the question here at all?
- Do the best passage, and the sentence that an answer would begin with, say what is asked, and
  not something near to it?
- Does the index know the names, codes and numbers in the question, and say more of them than that
  they exist?

The first two are logistic regressions over a few signals, and their product, less what the third
costs, is put through another (Platt scaling), so that of the questions with a probability of .8
about four in five have their answer here. The signals hold for any embedder: cosines are seen
against those of the index at large.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from statistics import fmean, pstdev

from ragkit import questions
from ragkit.gate_models import MODELS, Kind, Model, Stage
from ragkit.text import STOP_WORDS
from ragkit.types import Gate, Hit

# Passages whose words are counted together.
UNION_DEPTH = 3
# Ranks within which both lists have to have a passage to agree on it.
_AGREEMENT_RANK = 10
# With fewer cosines than that, the index at large says little about what is usual.
_LEAST_BACKGROUND = 30

# "how large", "how late": a way of asking, not a word that an answer repeats.
_MEASURES = frozenset(
    "big broad cold deep early far fast full heavy high hot large late long loud low much old often"
    " quick short slow small soon strong tall thick wide".split()
)
# They begin with a capital, and name nothing that a passage would have to be about.
_CALENDAR = frozenset(
    "january february march april may june july august september october november december monday"
    " tuesday wednesday thursday friday saturday sunday day ok".split()
)
# From there on another word may stand for a name: "the Norman" for "Normandy". On the dev half of
# SQuAD 2.0 8 % of the near misses have a name without anything so like it, 3 % of the others.
_LIKE = 0.5
# How well, from 0 to 1, the other words have to be met beside a name. On the dev half of SQuAD 2.0
# 2.4 % of the answered questions are below, 25 % of those whose article was left out.
_ALONE = 0.45
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

    @property
    def is_number(self) -> bool:
        return any(character.isdigit() for character in self.text)


@dataclass(frozen=True, slots=True)
class Read:
    """A passage, or the sentence that an answer would begin with, as the gate reads it.

    `window` is a sentence with its neighbours, or the passage itself. `stands` are its tokens and
    those of the headings above; `similarities` say for each word of the question, by where it
    starts, how like the nearest word there is. None where nothing compares words.
    """

    text: str
    window: str
    stands: frozenset[str]
    similarities: Mapping[int, float] | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against an answer being in the passages: signals by their names.

    One that can't be had is left out, and then says nothing. `unknown` are names that the index
    doesn't know, `opposites` a word of the question and what the passage says instead.
    """

    kind: Kind
    stage: Stage
    signals: Mapping[str, float]
    unknown: tuple[str, ...] = ()
    opposites: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How one's own cases correct the log odds, and the share of questions without an answer."""

    slope: float = 1.0
    intercept: float = 0.0
    prior: float = 0.5


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


# --- signals -----------------------------------------------------------------------------------


def hit_signals(
    asked: Sequence[Word],
    hits: Sequence[Hit],
    stands: Sequence[Set[str]],
    background: Sequence[float],
) -> dict[str, float]:
    """Return what the hits say; `stands` are the tokens of each hit's passage.

    `background` are the question's cosines with chunks spread over the index.
    """
    total = sum(word.weight for word in asked)
    first = stands[0] if stands else frozenset()
    union = frozenset().union(*stands[:UNION_DEPTH])
    both = sum(
        all(hit.ranks.get(name, math.inf) <= _AGREEMENT_RANK for name in ("lexical", "semantic"))
        for hit in hits
    )
    lexical = max((hit.scores.get("lexical", 0.0) for hit in hits), default=0.0)
    signals = {
        "coverage": coverage(asked, first),
        "union_coverage": coverage(asked, union),
        "lexical": lexical / total if total else 0.0,
        "agreement": both / len(hits) if hits else 0.0,
        "unknown": share(asked, [not word.is_known for word in asked]),
        "unknown_names": float(any(word.is_name and not word.is_known for word in asked)),
    }
    if matches := [hit.scores["whole"] for hit in hits if "whole" in hit.scores]:
        signals["match"] = max(matches)
    return signals | _vector_signals(hits, background)


def _vector_signals(hits: Sequence[Hit], background: Sequence[float]) -> dict[str, float]:
    cosines = sorted((h.scores["semantic"] for h in hits if "semantic" in h.scores), reverse=True)
    if not cosines or not background:
        return {}
    usual = fmean(background)
    signals = {"nearness": (cosines[0] - usual) / max(1 - usual, 1e-9)}
    above = standing(cosines[0], background)
    if above is not None and len(background) >= _LEAST_BACKGROUND:
        signals["standing"] = above
    return signals


def word_signals(
    question: str, asked: Sequence[Word], similarities: Mapping[int, float]
) -> dict[str, float]:
    """Return how like the words of a question, in their context, are to those of a text.

    Words such as "who", "is" and "by" say little by themselves; their vectors hold how the
    sentence is built around them, and so tell what is said of the subject.
    """
    places = [match.start() for match in _WORD.finditer(question)]
    all_of = [similarities[place] for place in places if place in similarities]
    telling = {word.start for word in asked}
    others = [similarities[p] for p in places if p in similarities and p not in telling]
    signals = {"word_similarity": fmean(all_of)} if all_of else {}
    return signals | ({"function_words": fmean(others)} if others else {})


def text_signals(question: str, asked: Sequence[Word], read: Read) -> dict[str, float]:
    """Return what a text says of what the question takes for so, and lacks of what it names."""
    signals = {
        "denial": float(questions.denies(question) and not questions.denies(read.text)),
        "opposite": float(questions.opposite(question, read.window) is not None),
        "missing_names": float(bool(missing_names(asked, read))),
        "missing_numbers": float(
            any(word.is_number and not word.tokens <= read.stands for word in asked)
        ),
        "matched_words": _matched(asked, read.stands),
    }
    if read.similarities is not None:
        signals |= word_signals(question, asked, read.similarities)
        signals["name_alone"] = float(_stands_alone(asked, read.stands, read.similarities))
    return signals


def _stands_alone(
    asked: Sequence[Word], stands: Set[str], similarities: Mapping[int, float]
) -> bool:
    """Whether a text has a name of the question, but nothing like what is asked about it."""
    others = [word for word in asked if not word.is_name]
    met = [1.0 if word.tokens <= stands else similarities.get(word.start, 0.0) for word in others]
    has_name = any(word.is_name and word.tokens <= stands for word in asked)
    return bool(others) and has_name and _weighted(others, met) < _ALONE


def missing_names(asked: Sequence[Word], read: Read) -> list[str]:
    """Return the names in a question for which nothing like them stands in a text."""
    similar = read.similarities or {}
    return [
        word.text
        for word in asked
        if word.is_name
        and not word.is_number
        and word.text.lower() not in _CALENDAR
        and not word.tokens <= read.stands
        and similar.get(word.start, 0.0) < _LIKE
    ]


def sentence_signals(question: str, asked: Sequence[Word], read: Read) -> dict[str, float]:
    """Return what the sentence says with which an answer would begin."""
    kind = questions.asks_for(question)
    signals = text_signals(question, asked, read)
    signals["lacks_kind"] = float(not questions.offers(kind, question, read.text))
    return {f"sentence_{name}": value for name, value in signals.items()}


def coverage(question: Sequence[Word], stands: Set[str]) -> float:
    """Return the weighted share of the question's words that stand among some tokens."""
    return share(question, [word.tokens <= stands for word in question])


def share(question: Sequence[Word], chosen: Sequence[bool]) -> float:
    """Return the share of the question's words that are chosen, by weight."""
    return _weighted(question, [float(is_chosen) for is_chosen in chosen])


def _weighted(question: Sequence[Word], values: Sequence[float]) -> float:
    total = sum(word.weight for word in question)
    parts = (word.weight * value for word, value in zip(question, values, strict=True))
    return sum(parts) / total if total else 0.0


def standing(best: float, background: Sequence[float]) -> float | None:
    """Return how many standard deviations a similarity stands above the background."""
    spread = pstdev(background) if background else 0.0
    return (best - fmean(background)) / spread if spread else None


def _matched(question: Sequence[Word], stands: Set[str]) -> float:
    """Return the logarithm of how many words stand there: the tenth says less than the second."""
    return math.log1p(sum(word.tokens <= stands for word in question))


# --- the judgement -----------------------------------------------------------------------------

# What a number says, and what is said where it is 1 and not 0.
_MEASURED = {
    "match": "the best passage meets the question's words with {:.2f}",
    "word_similarity": "words like the question's stand in the best passage, with {:.2f}",
    "function_words": "the best passage is put together like the question, with {:.2f}",
    "nearness": "the best passage is nearer than the index at large, by {:.2f} of 1",
    "standing": "the best passage stands {:.1f} deviations above the index at large",
    "coverage": "the best passage holds {:.0%} of the question's words by weight",
    "union_coverage": "the best three passages hold {:.0%} of the question's words by weight",
    "lexical": "the best BM25 score is {:.2f} of what the words weigh",
    "agreement": "{:.0%} of the passages are among the first ten by words and by meaning",
    "unknown": "the index doesn't know {:.0%} of the question's words by weight",
    "sentence_word_similarity": "words like the question's stand in the best sentence, with {:.2f}",
    "sentence_function_words": "the best sentence is put together like the question, with {:.2f}",
}
_FOUND = {
    "name_alone": "the best passage has a name of the question, but not what is asked about it",
    "missing_names": "the best passage lacks a name that the question has",
    "missing_numbers": "the best passage lacks a number that the question has",
    "denial": "the question denies something, and the best passage doesn't",
    "sentence_missing_names": "a name in the question stands nowhere near the best sentence",
    "sentence_missing_numbers": "a number in the question stands nowhere near the best sentence",
    "sentence_denial": "the question denies something, and the best sentence doesn't",
    "sentence_lacks_kind": "the best sentence has nothing of the kind that is asked for",
}


def judge(evidence: Evidence, calibration: Calibration = Calibration()) -> Gate:
    """Return the probability that the passages hold the answer, with the reasons."""
    if not evidence.signals:
        return Gate(0.0, ("nothing was found",))
    model = MODELS[evidence.kind, evidence.stage]
    odds = model.log_odds(evidence.signals)
    odds = calibration.intercept + calibration.slope * odds - _logit(calibration.prior)
    return Gate(_logistic(odds), tuple(_reasons(model, evidence)))


def _reasons(model: Model, evidence: Evidence) -> list[str]:
    parts = [
        ("that the subject is here", model.subject),
        ("that the passages say what is asked of it", model.answer),
    ]
    reasons = []
    for words_, terms in parts:
        told = {n: c for n, c in terms.contributions(evidence.signals).items() if n in _MEASURED}
        likely = f"{words_}: {_logistic(terms.log_odds(evidence.signals)):.0%}"
        most = max(told, key=lambda name: (abs(told[name]), name), default="")
        why = f", as {_MEASURED[most].format(evidence.signals[most])}" if most else ""
        reasons.append(likely + why)
    if evidence.unknown:
        reasons.append(f"the index doesn't know {', '.join(evidence.unknown)}")
    if evidence.opposites:
        reasons.append("the question says {}, the best passage {}".format(*evidence.opposites))
    weighed = {"name_alone", *model.subject.weights, *model.answer.weights}
    return reasons + [
        said for name, said in _FOUND.items() if name in weighed and evidence.signals.get(name)
    ]


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _logistic(value: float) -> float:
    return (1 + math.tanh(value / 2)) / 2  # exp() could overflow
