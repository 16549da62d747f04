"""How sure a mean over cases is: bootstrap intervals, and a paired test of two configurations.

Resampling is over cases (Efron and Tibshirani, An Introduction to the Bootstrap, 1993; Sakai,
SIGIR 2006, for measures of retrieval), and the same seed gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 2_000
CONFIDENCE = 0.95
# Resamples that are drawn at a time: so many cases' numbers are held in memory.
_BLOCK_NUMBERS = 2_000_000
# Differences smaller than this are ties: sums of fractions differ in their last bits.
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over cases, and the bounds that hold it with 95 % confidence."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {"mean": self.mean, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Difference:
    """How much a second configuration is above a first one, case by case.

    `p` is how often a difference of this size, in either direction, would come by chance.
    """

    mean: float
    low: float
    high: float
    p: float
    wins: int
    ties: int
    losses: int

    def to_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.__slots__}


def interval(values: Sequence[float], *, seed: int, resamples: int = RESAMPLES) -> Interval:
    """Return the mean of one value a case, with its percentile bootstrap interval."""
    measured = np.asarray(values, dtype=np.float64)
    low, high = _percentiles(_resampled_means(measured, seed=seed, resamples=resamples))
    return Interval(float(measured.mean()), low, high)


def paired_difference(
    first: Sequence[float], second: Sequence[float], *, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Return how far the second's values are above the first's, on the same cases in order.

    The p-value is the share of resamples whose mean difference, moved so that there is none, is
    at least as far from 0 as the one measured; the measured one counts as a resample.
    """
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    mean = float(differences.mean())
    means = _resampled_means(differences, seed=seed, resamples=resamples)
    low, high = _percentiles(means)
    extreme = int(np.count_nonzero(np.abs(means - mean) >= abs(mean) - _TIE))
    return Difference(
        mean=mean,
        low=low,
        high=high,
        p=(extreme + 1) / (resamples + 1),
        wins=int(np.count_nonzero(differences > _TIE)),
        ties=int(np.count_nonzero(np.abs(differences) <= _TIE)),
        losses=int(np.count_nonzero(differences < -_TIE)),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that `percent` of the values are not above, in a straight line between."""
    return float(np.percentile(np.asarray(values, dtype=np.float64), percent))


def _percentiles(means: NDArray[np.float64]) -> tuple[float, float]:
    outside = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [outside, 100 - outside])
    return float(low), float(high)


def _resampled_means(
    values: NDArray[np.float64], *, seed: int, resamples: int
) -> NDArray[np.float64]:
    """Return the means of resamples, each as many values drawn with replacement as there are."""
    generator = np.random.default_rng(seed)
    means = [
        values[generator.integers(0, len(values), size=(count, len(values)))].mean(axis=1)
        for count in _blocks(resamples, max(1, _BLOCK_NUMBERS // len(values)))
    ]
    return np.concatenate(means)


def _blocks(total: int, most: int) -> Iterator[int]:
    while total > 0:
        yield min(total, most)
        total -= most
