"""Fitting the gate to one's own cases, and how good a probability is."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ragkit.errors import ConfigError
from ragkit.evaluation import Case, Judged, calibrate, judge_cases
from ragkit.evaluation.calibrating import auroc, bins, calibration_error, probabilities, quality
from ragkit.gate import Calibration
from ragkit.index import Index

HERE = {"a.md": 1.0}


def judged(count: int, *, slope: float, intercept: float) -> list[Judged]:
    """Return cases whose true log odds are a line over those that the gate gives."""
    chance = random.Random(0)
    cases = []
    for number in range(count):
        odds = chance.gauss(0, 2)
        true = float(probabilities(np.array(slope * odds + intercept)))
        documents = HERE if chance.random() < true else {}
        given = float(probabilities(np.array(odds)))
        cases.append(Judged(Case(str(number), "?", documents), given))
    return cases


def test_a_wrong_slope_is_corrected() -> None:
    """A gate that is too sure of itself gets a lower slope, and is better calibrated after."""
    fitted = calibrate(judged(1000, slope=0.3, intercept=0.0), current=Calibration(), threshold=0.5)
    assert fitted.slope == pytest.approx(0.3, abs=0.08)
    assert fitted.after.calibration_error < fitted.before.calibration_error / 2
    assert fitted.after.brier < fitted.before.brier


def test_a_wrong_intercept_is_corrected() -> None:
    """A gate that expects too little gets a higher threshold in effect."""
    cases = [
        Judged(each.case, each.probability * 0.1) for each in judged(600, slope=1, intercept=0)
    ]
    fitted = calibrate(cases, current=Calibration(), threshold=0.5)
    assert fitted.intercept > 1
    assert fitted.after.precision > fitted.before.precision


def test_a_right_gate_stays_as_it_is() -> None:
    """Where nothing is wrong, little is changed."""
    fitted = calibrate(judged(1000, slope=1, intercept=0), current=Calibration(), threshold=0.5)
    assert fitted.slope == pytest.approx(1, abs=0.15)
    assert fitted.intercept == pytest.approx(0, abs=0.2)


def test_few_cases_change_little() -> None:
    """Even where a few cases are told apart without fault, the slope doesn't run away."""
    right = [Judged(Case(str(n), "?", HERE), 0.9) for n in range(10)]
    wrong = [Judged(Case(str(n), "?"), 0.1) for n in range(10, 20)]
    fitted = calibrate([*right, *wrong], current=Calibration(), threshold=0.5)
    assert 1 < fitted.slope < 2.5


def test_before_is_what_the_settings_say() -> None:
    """The present slope, intercept and prior are what a fit is compared with."""
    cases = judged(200, slope=1, intercept=0)
    never = calibrate(cases, current=Calibration(intercept=-50), threshold=0.5)
    assert never.before.recall == 1
    plain = calibrate(cases, current=Calibration(), threshold=0.5)
    seldom = calibrate(cases, current=Calibration(prior=0.1), threshold=0.5)
    assert seldom.before.recall < plain.before.recall < never.before.recall


def test_too_few_cases() -> None:
    """Fewer than ten of either kind are refused, with what to do."""
    cases = [Judged(Case(str(n), "?", HERE), 0.5) for n in range(50)]
    with pytest.raises(ConfigError, match="50 cases with an answer and 0 without") as caught:
        calibrate(cases, current=Calibration(), threshold=0.5)
    assert '"answerable": false' in str(caught.value.hint)


def test_the_gate_is_asked(index: Index) -> None:
    """Each case gets the probability that an answer would have, and progress is told."""
    cases = [Case("1", "How are dogs on a lead?", HERE), Case("2", "Who won the cup?")]
    told: list[tuple[int, int]] = []
    found = judge_cases(index, cases, on_progress=lambda *at: told.append(at))
    assert [each.case for each in found] == cases
    assert found[0].probability == index.ask(cases[0].question).gate.probability
    assert told == [(1, 2), (2, 2)]


def test_auroc() -> None:
    """How often a positive is above a negative; ties count half."""
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(3.5 / 4)


def test_calibration_error() -> None:
    """How far said and found are apart, bin by bin, by weight."""
    likely, labels = np.array([0.95, 0.95, 0.15, 0.15]), np.array([1.0, 1.0, 0.0, 1.0])
    even = np.ones(4)
    low, high = bins(likely, labels, even)
    assert low == pytest.approx((0.15, 0.5, 2.0))
    assert high == pytest.approx((0.95, 1.0, 2.0))
    assert calibration_error(likely, labels, even) == pytest.approx((0.35 + 0.05) / 2)
    weighted = np.array([1.0, 1.0, 0.0, 0.0])
    assert calibration_error(likely, labels, weighted) == pytest.approx(0.05)


def test_precision_and_recall_are_of_no_answer() -> None:
    """Of what is refused the share that has no answer; of what has none the share refused."""
    found = quality(np.array([0.1, 0.2, 0.9, 0.8]), np.array([0.0, 1.0, 1.0, 0.0]), threshold=0.5)
    assert (found.precision, found.recall) == (0.5, 0.5)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.01 + 0.64) / 4)
