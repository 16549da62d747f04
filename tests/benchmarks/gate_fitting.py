"""The gate's models, fitted to judged questions: logistic regressions by Newton's method.

A weight whose sign makes no sense (more words missing, and so likelier answered) is a habit of the
set and left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragkit.gate_models import Kind, Model, Stage, Terms

Numbers = NDArray[np.float64]

# How strongly weights are held near 0, in units of one question with all signals standardised.
_RIDGE = 3.0
_DIGITS = 4

_SUBJECT: Mapping[Kind, tuple[str, ...]] = {
    "tokens": (
        "match",
        "word_similarity",
        "nearness",
        "coverage",
        "unknown",
        "missing_names",
        "missing_numbers",
    ),
    "vectors": (
        "nearness",
        "standing",
        "coverage",
        "lexical",
        "agreement",
        "unknown",
        "missing_names",
        "missing_numbers",
    ),
    "words": (
        "coverage",
        "union_coverage",
        "lexical",
        "matched_words",
        "unknown",
        "missing_names",
        "missing_numbers",
    ),
}
_ANSWER: Mapping[tuple[Kind, Stage], tuple[str, ...]] = {
    ("tokens", "hits"): (
        "function_words",
        "nearness",
        "matched_words",
        "missing_names",
        "missing_numbers",
        "denial",
        "opposite",
    ),
    ("tokens", "sentence"): (
        "sentence_function_words",
        "nearness",
        "sentence_matched_words",
        "sentence_missing_names",
        "sentence_missing_numbers",
        "sentence_denial",
        "sentence_opposite",
        "sentence_lacks_kind",
    ),
}
_ANSWER_BY_TEXT: Mapping[Stage, tuple[str, ...]] = {
    "hits": ("matched_words", "missing_names", "missing_numbers", "denial", "opposite"),
    "sentence": (
        "sentence_matched_words",
        "sentence_missing_names",
        "sentence_missing_numbers",
        "sentence_denial",
        "sentence_opposite",
        "sentence_lacks_kind",
    ),
}
_AGAINST = frozenset(
    "unknown missing_names missing_numbers denial opposite sentence_missing_names"
    " sentence_missing_numbers sentence_denial sentence_opposite sentence_lacks_kind".split()
)

# What each kind of question counts for, by what is learnt from it. The subject of a near miss is
# here, its answer isn't; the other negatives are without their subject.
_SUBJECT_SHARES = {
    "answerable": 0.2,
    "near miss": 0.1,
    "kept": 0.2,
    "claims": 0.5,
    "sample": 0.15,
    "sample near miss": 0.1,
    "left out": 0.4,
    "foreign": 0.3,
    "foreign claims": 0.3,
    "sample foreign": 0.1,
}
_ANSWER_SHARES = {"answerable": 1.0, "near miss": 1.0}
ANSWERED = frozenset({"answerable", "kept", "claims", "sample"})
WITH_SUBJECT = ANSWERED | {"near miss", "sample near miss"}


@dataclass(frozen=True, slots=True)
class Judged:
    """A question of a kind, and its signals; `group` is what it shares with others."""

    kind: str
    signals: Mapping[str, float]
    group: str = ""


def fit(judged: Sequence[Judged], shares: Mapping[str, float], kind: Kind, stage: Stage) -> Model:
    """Return the model for what there is to judge by, with `shares` for the last calibration."""
    answer = _ANSWER.get((kind, stage))
    if answer is None:
        answer = (*(("nearness",) if kind == "vectors" else ()), *_ANSWER_BY_TEXT[stage])
    subject = _terms(judged, _SUBJECT[kind], _SUBJECT_SHARES, WITH_SUBJECT)
    said = _terms(judged, answer, _ANSWER_SHARES, ANSWERED)
    unscaled = Model(subject, said, 1.0, 0.0)
    mixed = [each for each in judged if each.kind in shares]
    odds = np.array([[unscaled.log_odds(each.signals)] for each in mixed])
    labels = np.array([each.kind in ANSWERED for each in mixed], dtype=np.float64)
    intercept, (slope,) = regression(odds, labels, weights(mixed, shares, labels), ridge=0.0)
    return Model(subject, said, _rounded(slope), _rounded(intercept))


def _terms(
    judged: Sequence[Judged],
    wanted: Sequence[str],
    shares: Mapping[str, float],
    positive: frozenset[str],
) -> Terms:
    """Return a regression over the wanted signals, without those whose sign makes no sense."""
    taken = [each for each in judged if each.kind in shares]
    labels = np.array([each.kind in positive for each in taken], dtype=np.float64)
    weight = weights(taken, shares, labels)
    names = list(wanted)
    while True:
        values = np.array([[each.signals.get(n, math.nan) for n in names] for each in taken])
        known = ~np.isnan(values)
        total = (weight[:, None] * known).sum(0)
        centres = np.where(known, values, 0).T @ weight / np.maximum(total, 1e-9)
        values = np.where(known, values, centres)
        intercept, fitted = regression(values - centres, labels, weight)
        wrong = {n: w for n, w in zip(names, fitted, strict=True) if w * _sign(n) <= 0}
        if not wrong:
            break
        names.remove(max(wrong, key=lambda n: abs(wrong[n]) * values[:, names.index(n)].std()))
    pairs = zip(names, fitted, centres, strict=True)
    return Terms(_rounded(intercept), {n: (_rounded(w), _rounded(c)) for n, w, c in pairs})


def weights(judged: Sequence[Judged], shares: Mapping[str, float], labels: Numbers) -> Numbers:
    """Return what each question counts for: its kind by its share, both labels the same."""
    kinds = [each.kind for each in judged]
    weight = np.array([shares[kind] / kinds.count(kind) for kind in kinds])
    for label in (0.0, 1.0):
        weight[labels == label] /= weight[labels == label].sum()
    return weight * len(judged) / 2


def regression(
    values: Numbers, labels: Numbers, weight: Numbers, *, ridge: float = _RIDGE
) -> tuple[float, Numbers]:
    """Return the intercept and weights of a logistic regression, standardised for the ridge."""
    spread = np.maximum(values.std(0), 1e-9)
    design = np.c_[np.ones(len(values)), values / spread]
    penalty = np.diag([0.0] + [ridge] * values.shape[1])
    solution = np.zeros(design.shape[1])
    for _ in range(60):
        likely = 1 / (1 + np.exp(-design @ solution))
        gradient = design.T @ (weight * (labels - likely)) - penalty @ solution
        curvature = (design * (weight * likely * (1 - likely))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        solution += step
        if np.abs(step).max() < 1e-9:
            break
    return float(solution[0]), solution[1:] / spread


def _sign(name: str) -> int:
    return -1 if name in _AGAINST else 1


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _terms(terms: Terms) -> str:
    weights = ", ".join(f'"{name}": {pair!r}' for name, pair in terms.weights.items())
    return f"Terms({terms.intercept!r}, {{{weights},}})"  # the comma: a line each when formatted


def source(models: Mapping[tuple[Kind, Stage], Model]) -> str:
    """Return the models as the source of ragkit.gate_models has them.

    Whether the sentence is judged too makes no difference to the subject.
    """
    subjects = {kind: model.subject for (kind, _), model in models.items()}
    lines = ["_SUBJECTS: Mapping[Kind, Terms] = {"]
    for kind, subject in subjects.items():
        lines.append(f'    "{kind}": {_terms(subject)},')
    lines += ["}", "", "MODELS: Mapping[tuple[Kind, Stage], Model] = {"]
    for (kind, stage), model in models.items():
        lines += [
            f'    ("{kind}", "{stage}"): Model(',
            f'        subject=_SUBJECTS["{kind}"],',
            f"        answer={_terms(model.answer)},",
            f"        slope={model.slope!r},",
            f"        intercept={model.intercept!r},",
            "    ),",
        ]
    return "\n".join([*lines, "}"])
