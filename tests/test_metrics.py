"""Metrics are what their definitions say, on rankings small enough to count by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit import metrics
from ragkit.metrics import Place
from ragkit.types import Span

RANKING = ["a", "b", "c", "d", "e"]

names = st.sampled_from("abcdefgh")
rankings = st.lists(names, unique=True, max_size=8)
relevant_sets = st.sets(names, min_size=1)
gradings = st.dictionaries(names, st.integers(1, 5), min_size=1)
places = st.lists(
    st.builds(
        lambda document, start, length: Place(document, Span(start, start + length)),
        st.sampled_from("xy"),
        st.integers(0, 40),
        st.integers(1, 30),
    ),
    min_size=1,
    max_size=6,
)


def place(start: int, end: int, document: str = "x") -> Place:
    return Place(document, Span(start, end))


# --- documents ---------------------------------------------------------------------------------


def test_a_document_ranks_by_its_best_chunk() -> None:
    """Later chunks of a document that was found already take no place."""
    assert metrics.distinct(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


@pytest.mark.parametrize(("k", "expected"), [(1, 0.0), (2, 1 / 3), (4, 2 / 3), (5, 2 / 3)])
def test_recall(k: int, expected: float) -> None:
    """Of b, d and z, the share that stands among the first k of a, b, c, d, e."""
    assert metrics.recall(RANKING, {"b", "d", "z"}, k=k) == pytest.approx(expected)


def test_hit_rate() -> None:
    """One relevant document among the first k is enough."""
    assert metrics.hit_rate(RANKING, {"b", "z"}, k=1) == 0.0
    assert metrics.hit_rate(RANKING, {"b", "z"}, k=2) == 1.0


def test_reciprocal_rank() -> None:
    """The first relevant one is third: 1/3, and 0 where the list is cut before it."""
    assert metrics.reciprocal_rank(RANKING, {"c", "d"}, k=10) == pytest.approx(1 / 3)
    assert metrics.reciprocal_rank(RANKING, {"c", "d"}, k=2) == 0.0


def test_average_precision() -> None:
    """Found second (1/2) and fourth (2/4), and one of three never: (0.5 + 0.5 + 0) / 3."""
    assert metrics.average_precision(RANKING, {"b", "d", "z"}) == pytest.approx(1 / 3)


def test_ndcg_with_grades() -> None:
    """Grades 2 (third) and 1 (first), gain linear: (1 + 2/2) / (2 + 1/log2 3)."""
    expected = (1 / 1 + 2 / 2) / (2 / 1 + 1 / math.log2(3))
    assert metrics.ndcg(RANKING, {"a": 1, "c": 2}, k=10) == pytest.approx(expected)


def test_ndcg_is_cut_at_k() -> None:
    """What stands behind k gains nothing, and the ideal has k places too."""
    assert metrics.ndcg(RANKING, {"c": 1}, k=2) == 0.0
    assert metrics.ndcg(RANKING, dict.fromkeys("ab", 1), k=2) == 1.0
    assert metrics.ndcg(RANKING, dict.fromkeys("abz", 1), k=2) == 1.0


def test_nothing_relevant_is_0() -> None:
    """No measure divides by nothing."""
    assert metrics.recall(RANKING, set(), k=5) == 0.0
    assert metrics.average_precision(RANKING, set()) == 0.0
    assert metrics.ndcg(RANKING, {}, k=10) == metrics.ndcg(RANKING, {"a": 0}, k=10) == 0.0


@given(rankings, gradings, st.integers(1, 10))
def test_every_measure_is_a_share(ranking: list[str], grades: dict[str, float], k: int) -> None:
    """From 0 to 1, whatever was found."""
    for value in (
        metrics.ndcg(ranking, grades, k=k),
        metrics.recall(ranking, grades, k=k),
        metrics.reciprocal_rank(ranking, grades, k=k),
        metrics.average_precision(ranking, grades),
    ):
        assert 0.0 <= value <= 1.0 + 1e-12


@given(gradings, st.integers(1, 10))
def test_the_best_ranking_has_ndcg_1(grades: dict[str, float], k: int) -> None:
    """Documents in the order of their grades can't be bettered."""
    best = sorted(grades, key=lambda name: -grades[name])
    assert metrics.ndcg(best, grades, k=k) == pytest.approx(1.0)


@given(rankings.filter(lambda ranking: len(ranking) > 1), gradings, st.data())
def test_moving_a_better_document_up_never_hurts(
    ranking: list[str], grades: dict[str, float], data: st.DataObject
) -> None:
    """Swapping neighbours so that the higher grade comes first leaves or raises nDCG."""
    at = data.draw(st.integers(0, len(ranking) - 2))
    first, second = ranking[at : at + 2]
    swapped = [*ranking[:at], second, first, *ranking[at + 2 :]]
    better, worse = (
        (swapped, ranking) if grades.get(second, 0) > grades.get(first, 0) else (ranking, swapped)
    )
    assert metrics.ndcg(better, grades, k=10) >= metrics.ndcg(worse, grades, k=10) - 1e-12


@given(rankings, relevant_sets)
def test_recall_grows_with_k(ranking: list[str], relevant: set[str]) -> None:
    """A longer list holds at least as much."""
    values = [metrics.recall(ranking, relevant, k=k) for k in range(1, 10)]
    assert values == sorted(values)


# --- passages ----------------------------------------------------------------------------------


def test_spans() -> None:
    """Gold 10-30; passages 20-60 and 100-120: 10 of 20 found, 10 of 60 read, union 70."""
    scores = metrics.span_scores([place(20, 60), place(100, 120)], [place(10, 30)])
    assert scores.recall == pytest.approx(10 / 20)
    assert scores.precision == pytest.approx(10 / 60)
    assert scores.iou == pytest.approx(10 / 70)


def test_text_that_is_read_twice() -> None:
    """Overlapping passages find a character once, but precision and IoU count it twice.

    Gold 0-10; passages 0-10 and 5-15: 10 found, of 20 read.
    """
    scores = metrics.span_scores([place(0, 10), place(5, 15)], [place(0, 10)])
    assert scores.recall == 1.0
    assert scores.precision == pytest.approx(10 / 20)
    assert scores.iou == pytest.approx(10 / 20)


def test_passages_of_other_documents_are_read_in_vain() -> None:
    """The same characters of another document are not gold, and cost precision."""
    scores = metrics.span_scores([place(0, 10, "y"), place(0, 10)], [place(0, 10)])
    assert (scores.recall, scores.precision) == (1.0, 0.5)


def test_gold_that_stands_nowhere_is_missed() -> None:
    """10 characters are found, another 10 are lost: recall is a half."""
    scores = metrics.span_scores([place(0, 10)], [place(0, 10)], lost_characters=10)
    assert (scores.recall, scores.precision, scores.iou) == (0.5, 1.0, 0.5)


def test_no_passages_at_all() -> None:
    """Nothing found is 0 everywhere, and no error."""
    scores = metrics.span_scores([], [place(0, 10)])
    assert (scores.recall, scores.precision, scores.iou) == (0.0, 0.0, 0.0)


@given(places, places)
def test_spans_by_counting_characters(passages: list[Place], gold: list[Place]) -> None:
    """The same as with sets of characters; IoU is the least of the three."""

    def characters(some: list[Place]) -> set[tuple[str, int]]:
        return {(p.document, at) for p in some for at in range(p.span.start, p.span.end)}

    found = len(characters(passages) & characters(gold))
    read = sum(p.span.end - p.span.start for p in passages)
    wanted = len(characters(gold))
    scores = metrics.span_scores(passages, gold)
    assert scores.recall == pytest.approx(found / wanted)
    assert scores.precision == pytest.approx(found / read)
    assert scores.iou == pytest.approx(found / (read + wanted - found))
    assert scores.iou <= min(scores.recall, scores.precision) + 1e-12
