"""What an evaluation found out; `to_dict()` gives the JSON of `ragkit eval --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ragkit.evaluation.statistics import Difference, Interval
from ragkit.types import Hit

# How many passages of each case are kept to be looked at.
HITS_KEPT = 10


@dataclass(frozen=True, slots=True)
class CaseHit:
    """A passage that was found for a case, and whether it is of what should be found.

    `is_gold` says that its document should be found, `holds_gold` that it holds a gold span.
    """

    hit: Hit
    is_gold: bool
    holds_gold: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.hit.to_dict(),
            "is_gold": self.is_gold,
            "holds_gold": self.holds_gold,
        }


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one question went.

    `ranks` holds the place among the found documents of each that should be found, None for one
    that wasn't; `documents` their grades, both by the name that the case gives them.
    """

    id: str
    question: str
    grade: str
    made: str
    documents: Mapping[str, float]
    sentences: tuple[str, ...]
    metrics: Mapping[str, float]
    ranks: Mapping[str, int | None]
    hits: tuple[CaseHit, ...]
    milliseconds: float

    def found_share(self, k: int) -> float:
        """Return the share of its documents that are among the first k."""
        places = [rank for rank in self.ranks.values() if rank is not None and rank <= k]
        return len(places) / len(self.ranks)

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "question": self.question,
            "grade": self.grade,
            "made": self.made,
            "documents": dict(self.documents),
            "sentences": list(self.sentences),
            "metrics": dict(self.metrics),
            "ranks": dict(self.ranks),
            "hits": [hit.to_dict() for hit in self.hits],
            "milliseconds": self.milliseconds,
        }


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a search took, in milliseconds, over all cases."""

    median: float
    p95: float

    def to_dict(self) -> dict[str, float]:
        return {"median": self.median, "p95": self.p95}


@dataclass(frozen=True, slots=True)
class GradeResult:
    """The metrics of the cases of one grade."""

    cases: int
    metrics: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "metrics": {name: each.to_dict() for name, each in self.metrics.items()},
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A second configuration on the same cases, and how far it is above the first.

    `won` and `lost` are the ids of the cases that gained and lost most of `metric`, the most
    first.
    """

    evaluation: Evaluation
    differences: Mapping[str, Difference]
    metric: str
    won: tuple[str, ...]
    lost: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.evaluation.to_dict(),
            "differences": {name: each.to_dict() for name, each in self.differences.items()},
            "metric": self.metric,
            "won": list(self.won),
            "lost": list(self.lost),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an index finds what its cases want.

    `cases` are those with something to find; `unanswerable` counts those that were left out.
    `settings` say what was measured, `warnings` what makes the figures worth less.
    """

    label: str
    metrics: Mapping[str, Interval]
    grades: Mapping[str, GradeResult]
    cases: tuple[CaseResult, ...]
    unanswerable: int
    latency: Latency
    settings: Mapping[str, str | int | float | bool]
    warnings: tuple[str, ...] = ()
    comparison: Comparison | None = field(default=None)

    def to_dict(self) -> dict[str, Any]:
        comparison = self.comparison
        return {
            "label": self.label,
            "metrics": {name: each.to_dict() for name, each in self.metrics.items()},
            "grades": {name: each.to_dict() for name, each in self.grades.items()},
            "latency_ms": self.latency.to_dict(),
            "unanswerable": self.unanswerable,
            "settings": dict(self.settings),
            "warnings": list(self.warnings),
            **({"comparison": comparison.to_dict()} if comparison else {}),
            "cases": [case.to_dict() for case in self.cases],
        }
