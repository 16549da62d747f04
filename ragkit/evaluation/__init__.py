"""Measures how well an index finds what it should: cases, metrics, comparisons, a report page.

from ragkit import Index
from ragkit.evaluation import evaluate, read_cases

with Index.open("notes.db") as index:
    found = evaluate(index, read_cases(Path("cases.jsonl")))
print(found.metrics["ndcg@10"].mean)
"""

from __future__ import annotations

from ragkit.evaluation.building import BUILD_SETTINGS, temporary_index
from ragkit.evaluation.calibrating import Fitted, Judged, Quality, calibrate, judge_cases
from ragkit.evaluation.cases import Case, read_cases, write_line
from ragkit.evaluation.comparing import compare
from ragkit.evaluation.making import make_cases
from ragkit.evaluation.measuring import DEPTH, SEED, SPAN_K, Measure, evaluate, metric_names
from ragkit.evaluation.report import report_page
from ragkit.evaluation.results import (
    CaseHit,
    CaseResult,
    Comparison,
    Evaluation,
    GradeResult,
    Latency,
)
from ragkit.evaluation.statistics import Difference, Interval

__all__ = [
    "BUILD_SETTINGS",
    "DEPTH",
    "SEED",
    "SPAN_K",
    "Case",
    "CaseHit",
    "CaseResult",
    "Comparison",
    "Difference",
    "Evaluation",
    "Fitted",
    "GradeResult",
    "Interval",
    "Judged",
    "Latency",
    "Measure",
    "Quality",
    "calibrate",
    "compare",
    "evaluate",
    "judge_cases",
    "make_cases",
    "metric_names",
    "read_cases",
    "report_page",
    "temporary_index",
    "write_line",
]
