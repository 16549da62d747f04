"""Two configurations on the same cases: which is better, how surely, and where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ragkit.errors import ConfigError
from ragkit.evaluation.measuring import SEED
from ragkit.evaluation.results import CaseResult, Comparison, Evaluation
from ragkit.evaluation.statistics import Difference, paired_difference

CASES_LISTED = 5


def compare(first: Evaluation, second: Evaluation, *, seed: int = SEED) -> Evaluation:
    """Return the first evaluation with the second beside it. Both have to be of the same cases."""
    if [case.id for case in first.cases] != [case.id for case in second.cases]:
        raise ConfigError(
            "the two evaluations are of different cases", hint="use the same for both"
        )
    pairs = list(zip(first.cases, second.cases, strict=True))
    differences = {name: _difference(pairs, name, seed) for name in first.metrics}
    metric = next(iter(first.metrics))
    gains = {
        before.id: after.metrics[metric] - before.metrics[metric]
        for before, after in pairs
        if metric in before.metrics
    }
    by_gain = sorted(gains, key=lambda id_: (-gains[id_], id_))
    won = [id_ for id_ in by_gain if gains[id_] > 0]
    lost = [id_ for id_ in reversed(by_gain) if gains[id_] < 0]
    return replace(
        first,
        comparison=Comparison(
            evaluation=second,
            differences=differences,
            metric=metric,
            won=tuple(won[:CASES_LISTED]),
            lost=tuple(lost[:CASES_LISTED]),
        ),
    )


def _difference(pairs: Sequence[tuple[CaseResult, CaseResult]], name: str, seed: int) -> Difference:
    both = [(a.metrics[name], b.metrics[name]) for a, b in pairs if name in a.metrics]
    return paired_difference([a for a, _ in both], [b for _, b in both], seed=seed)
