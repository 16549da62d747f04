"""Fits the gate to one's own cases, by Platt scaling of its log odds.

Platt, Advances in Large Margin Classifiers, 1999. Few cases are held near what the gate says by
itself: the slope near 1 and the intercept near 0, the less the more cases there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.errors import ConfigError
from ragkit.evaluation.cases import Case
from ragkit.gate import Calibration
from ragkit.index import Index
from ragkit.types import Retrieved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

# With fewer of either kind a fit says more of these questions than of the documents.
LEAST_CASES = 10
BINS = 10  # equal widths, as in Guo et al. 2017
# After the fit a probability means what it says: below one half no answer is the likelier.
FITTED_THRESHOLD = 0.5
# How far slope and intercept may be expected from 1 and 0, as standard deviations.
_SLOPE_SPREAD, _INTERCEPT_SPREAD = 0.5, 2.0
_SURE = 1e-6
_LEAST_STEP = 1e-8
_FOLDS = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """A case, and how likely the gate thought an answer by itself."""

    case: Case
    probability: float


@dataclass(frozen=True, slots=True)
class Quality:
    """How good probabilities are; precision and recall are those of "no answer here"."""

    auroc: float
    calibration_error: float
    brier: float
    precision: float
    recall: float

    def to_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Fitted:
    """The settings that suit the cases, and what they change.

    `after` is measured on cases that the fit has not seen, tenth by tenth.
    """

    answerable: int
    unanswerable: int
    slope: float
    intercept: float
    threshold: float
    before: Quality
    after: Quality

    def to_dict(self) -> dict[str, Any]:
        return {
            "answerable": self.answerable,
            "unanswerable": self.unanswerable,
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "settings": {
                "gate_slope": self.slope,
                "gate_intercept": self.intercept,
                "gate_threshold": self.threshold,
            },
        }


def judge_cases(
    index: Index,
    cases: Sequence[Case],
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Judged]:
    """Return what the gate of an index thinks of each case; nothing is answered."""
    judged = []
    for number, case in enumerate(cases, start=1):
        events = index.ask_stream(case.question, web="never")
        first = next(events)
        assert isinstance(first, Retrieved), "an answer begins with what was found"
        judged.append(Judged(case, first.gate.probability))
        if on_progress is not None:
            on_progress(number, len(cases))
    return judged


def calibrate(judged: Sequence[Judged], *, current: Calibration, threshold: float) -> Fitted:
    """Return the slope and intercept that suit judged cases best.

    The probabilities are those of the gate without settings of its own; `current` and
    `threshold` are the settings to compare with. Raises ConfigError for too few cases.
    """
    labels = np.array([each.case.is_answerable for each in judged], dtype=np.float64)
    answerable, unanswerable = int(labels.sum()), int((1 - labels).sum())
    if min(answerable, unanswerable) < LEAST_CASES:
        raise ConfigError(
            f"{answerable} cases with an answer and {unanswerable} without are too few to fit to",
            hint=f'at least {LEAST_CASES} of either kind; one without has "answerable": false',
        )
    odds = log_odds([each.probability for each in judged])
    slope, intercept = _platt(odds, labels)
    unseen = np.empty_like(odds)
    for fold in range(_FOLDS):
        held = np.arange(len(odds)) % _FOLDS == fold
        a, b = _platt(odds[~held], labels[~held])
        unseen[held] = a * odds[held] + b
    prior = np.log(current.prior / (1 - current.prior))
    before = probabilities(current.slope * odds + current.intercept - prior)
    return Fitted(
        answerable=answerable,
        unanswerable=unanswerable,
        slope=round(slope, 3),
        intercept=round(intercept, 3),
        threshold=FITTED_THRESHOLD,
        before=quality(before, labels, threshold=threshold),
        after=quality(probabilities(unseen - prior), labels, threshold=FITTED_THRESHOLD),
    )


def _platt(odds: Numbers, labels: Numbers) -> tuple[float, float]:
    """Return slope and intercept by Newton's method; both kinds of cases count the same."""
    weight = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    design = np.c_[odds, np.ones(len(odds))]
    centre = np.array([1.0, 0.0])
    penalty = np.diag([_SLOPE_SPREAD**-2, _INTERCEPT_SPREAD**-2])

    def loss(at: Numbers) -> float:
        odds_there = design @ at
        missed = np.logaddexp(0, odds_there) - labels * odds_there
        return float(weight @ missed + (at - centre) @ penalty @ (at - centre) / 2)

    found = centre.copy()
    for _ in range(100):
        likely = probabilities(design @ found)
        gradient = design.T @ (weight * (labels - likely)) - penalty @ (found - centre)
        curvature = (design * (weight * likely * (1 - likely))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        while loss(found + step) > loss(found) and np.abs(step).max() > _LEAST_STEP:
            step /= 2  # far from the solution Newton's step may be too long
        found += step
        if np.abs(step).max() <= _LEAST_STEP:
            break
    return float(max(found[0], 0.01)), float(found[1])


# --- measures ----------------------------------------------------------------------------------


def quality(
    likely: Numbers, labels: Numbers, *, threshold: float, weight: Numbers | None = None
) -> Quality:
    """Return how good probabilities of an answer are; `labels` are 1 where there is one."""
    weight = np.ones(len(labels)) if weight is None else weight
    refused = likely < threshold
    wrong, right = weight[refused & (labels == 1)].sum(), weight[refused & (labels == 0)].sum()
    return Quality(
        auroc=auroc(likely[labels == 1], likely[labels == 0]),
        calibration_error=calibration_error(likely, labels, weight),
        brier=float((weight * (likely - labels) ** 2).sum() / weight.sum()),
        precision=float(right / (right + wrong)) if right + wrong else 0.0,
        recall=float(right / weight[labels == 0].sum()),
    )


def auroc(positive: Numbers, negative: Numbers) -> float:
    """Return how often a positive's value is above a negative's; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).sum() / (2 * len(positive) * len(negative)))


def bins(likely: Numbers, labels: Numbers, weight: Numbers) -> list[tuple[float, float, float]]:
    """Return for each tenth with questions its mean probability, share answered and weight."""
    place = np.minimum((likely * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        here = place == number
        if total := float(weight[here].sum()):
            mean = float((weight * likely)[here].sum() / total)
            found.append((mean, float((weight * labels)[here].sum() / total), total))
    return found


def calibration_error(likely: Numbers, labels: Numbers, weight: Numbers) -> float:
    """Return the expected calibration error: how far the bins are off, by weight."""
    parts = (total * abs(mean - share) for mean, share, total in bins(likely, labels, weight))
    return sum(parts) / float(weight.sum())


def log_odds(likely: Sequence[float]) -> Numbers:
    """Return the log odds of probabilities; those of 0 and 1 are taken for very sure."""
    clipped = np.clip(np.asarray(likely, dtype=np.float64), _SURE, 1 - _SURE)
    odds: Numbers = np.log(clipped / (1 - clipped))
    return odds


def probabilities(odds: Numbers) -> Numbers:
    """Return the probabilities of log odds."""
    likely: Numbers = (1 + np.tanh(odds / 2)) / 2
    return likely
