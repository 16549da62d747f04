"""Intervals hold what they should, and the paired test tells a difference from chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.evaluation.statistics import interval, paired_difference, percentile

shares = st.lists(st.floats(0, 1), min_size=1, max_size=40)


def test_the_same_seed_gives_the_same_interval() -> None:
    """Another one gives another."""
    chance = random.Random(1)
    values = [chance.random() for _ in range(30)]
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)


@given(shares)
def test_the_mean_is_inside(values: list[float]) -> None:
    """Low <= high, both within the values."""
    found = interval(values, seed=0, resamples=200)
    assert found.mean == pytest.approx(sum(values) / len(values))
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_values_that_are_all_the_same_leave_no_doubt() -> None:
    """The interval has no width."""
    found = interval([0.5] * 10, seed=0)
    assert (found.low, found.high) == (0.5, 0.5)


def test_the_interval_is_as_wide_as_theory_says() -> None:
    """Half of 400 values are 1: about 0.5 +- 1.96 * 0.5 / sqrt(400) = 0.451 to 0.549."""
    found = interval([0.0, 1.0] * 200, seed=0)
    assert found.low == pytest.approx(0.451, abs=0.01)
    assert found.high == pytest.approx(0.549, abs=0.01)


def test_intervals_of_samples_hold_the_truth() -> None:
    """About 95 of 100 intervals, each of a sample of its own, hold the mean that was sampled."""
    chance = random.Random(3)
    held = 0
    for seed in range(100):
        found = interval([chance.random() for _ in range(60)], seed=seed, resamples=500)
        held += found.low <= 0.5 <= found.high
    assert 88 <= held <= 100


def test_a_clear_difference() -> None:
    """Nine of ten cases better: all counted, the interval above 0, hardly by chance."""
    found = paired_difference([0.1] * 10, [0.5] * 8 + [0.7, 0.1], seed=0)
    assert (found.wins, found.ties, found.losses) == (9, 1, 0)
    assert found.mean == pytest.approx(0.38)
    assert found.low > 0
    assert found.p < 0.01


def test_no_difference() -> None:
    """The same values are ties, with p = 1."""
    found = paired_difference([0.3, 0.1 + 0.2], [0.3, 0.3], seed=0)
    assert (found.wins, found.ties, found.losses) == (0, 2, 0)
    assert (found.mean, found.p) == (pytest.approx(0.0), 1.0)


def test_swapped_sides_change_the_sign() -> None:
    """What one side wins the other loses, and chance is as likely."""
    a, b = [0.1, 0.9, 0.4, 0.6], [0.3, 0.8, 0.9, 0.7]
    forth, back = paired_difference(a, b, seed=0), paired_difference(b, a, seed=0)
    assert (forth.mean, forth.low, forth.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert (forth.wins, forth.losses, forth.p) == (back.losses, back.wins, back.p)


def test_chance_is_called_significant_as_rarely_as_it_should() -> None:
    """Of 100 pairs without a difference, about 5 have p < 0.05."""
    chance = random.Random(5)
    called = 0
    for seed in range(100):
        a = [chance.random() for _ in range(40)]
        b = [chance.random() for _ in range(40)]
        called += paired_difference(a, b, seed=seed, resamples=400).p < 0.05
    assert called <= 12


def test_percentile() -> None:
    """The median of four is between the middle ones."""
    assert percentile([4.0, 1.0, 2.0, 3.0], 50) == 2.5
