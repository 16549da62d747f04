"""Fusion and reranking: one order of several lists, the same one every time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.ranking import Ranked, Ranking, fuse, reciprocal_rank_fusion, rerank, scale

SCORES = st.floats(-1e6, 1e6).map(lambda score: round(score, 3))
RANKINGS = st.dictionaries(st.integers(1, 30), SCORES, max_size=15).map(
    lambda scores: sorted(scores.items(), key=lambda item: (-item[1], item[0]))
)
EVEN = {"lexical": 0.5, "semantic": 0.5}


def test_scores_are_scaled_and_weighted() -> None:
    """Each list is mapped to 0..1, then summed by weight; a missing chunk adds nothing."""
    lists = {
        "lexical": [(1, 30.0), (2, 20.0), (3, 10.0)],
        "semantic": [(3, 0.9), (4, 0.5), (1, 0.1)],
    }
    ranked = fuse(lists, weights={"lexical": 3, "semantic": 1})
    assert [(r.number, r.score) for r in ranked] == [
        (1, pytest.approx(0.75)),
        (2, pytest.approx(0.375)),
        (3, pytest.approx(0.25)),
        (4, pytest.approx(0.125)),
    ]


def test_every_result_explains_itself() -> None:
    """Rank and score in each list that found it, and nothing of those that didn't."""
    ranked = fuse({"lexical": [(1, 8.0), (2, 4.0)], "semantic": [(2, 0.5)]}, weights=EVEN)
    by_number = {item.number: item for item in ranked}
    assert by_number[1].ranks == {"lexical": 1}
    assert by_number[1].scores == {"lexical": 8.0}
    assert by_number[2].ranks == {"lexical": 2, "semantic": 1}
    assert by_number[2].scores == {"lexical": 4.0, "semantic": 0.5}


@pytest.mark.parametrize(
    "fusion", [lambda lists: fuse(lists, weights=EVEN), reciprocal_rank_fusion]
)
def test_ties_are_broken_by_number(fusion: Callable[..., list[Ranked]]) -> None:
    """Equal scores come in the order of their numbers, whatever order the lists have."""
    assert [r.number for r in fusion({"lexical": [(7, 1.0)], "semantic": [(3, 1.0)]})] == [3, 7]
    assert [r.number for r in fusion({"semantic": [(3, 1.0)], "lexical": [(7, 1.0)]})] == [3, 7]


def test_reciprocal_ranks() -> None:
    """1 / (60 + rank) for each list, summed: found twice beats found first."""
    lists = {"a": [(1, 9.0), (2, 8.0)], "b": [(3, 0.9), (2, 0.8)]}
    ranked = reciprocal_rank_fusion(lists)
    assert [r.number for r in ranked] == [2, 1, 3]
    assert ranked[0].score == pytest.approx(2 / 62)
    assert ranked[1].score == pytest.approx(1 / 61)


@given(RANKINGS, RANKINGS)
def test_fusion_invents_and_loses_nothing(first: Ranking, second: Ranking) -> None:
    """Every chunk of either list comes once, scores lie in 0..1 and fall."""
    lists = {"lexical": first, "semantic": second}
    for ranked in (fuse(lists, weights=EVEN), reciprocal_rank_fusion(lists)):
        numbers = [item.number for item in ranked]
        assert sorted(numbers) == sorted({n for n, _ in first} | {n for n, _ in second})
        scores = [item.score for item in ranked]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


@given(RANKINGS)
def test_one_list_keeps_its_order(ranking: Ranking) -> None:
    """Fusing one list changes scores, never the order."""
    assert [r.number for r in fuse({"lexical": ranking}, weights=EVEN)] == [n for n, _ in ranking]


def test_scale() -> None:
    """The least becomes 0 and the greatest 1; equal scores all become 1."""
    assert scale([(1, 4.0), (2, 3.0), (3, 2.0)]) == {1: 1.0, 2: 0.5, 3: 0.0}
    assert scale([(1, 4.0), (2, 4.0)]) == {1: 1.0, 2: 1.0}
    assert scale([]) == {}


def test_rerank_reorders_the_head_only() -> None:
    """The first ones are mixed with their new scores, the rest stay behind in their order."""
    ranked = fuse({"lexical": [(1, 4.0), (2, 3.0), (3, 2.0), (4, 1.0)]}, weights={"lexical": 1})
    again = rerank(ranked, {"rerank": [0.0, 10.0, 5.0]}, weights={"rerank": 1.0})
    assert [item.number for item in again] == [2, 3, 1, 4]
    assert again[0].scores == {"lexical": 3.0, "rerank": 10.0}
    assert again[0].ranks == {"lexical": 2}
    assert "rerank" not in again[3].scores


def test_rerank_mixes_by_weight() -> None:
    """Weight 0 keeps the order, and half and half takes the mean of both scaled scores."""
    ranked = fuse({"lexical": [(1, 4.0), (2, 3.0), (3, 2.0)]}, weights={"lexical": 1})
    assert [item.number for item in mix(ranked, [0, 1, 2], 0)] == [1, 2, 3]
    mixed = mix(ranked, [0, 1, 2], 0.5)
    assert [(item.number, item.score) for item in mixed] == [(1, 0.5), (2, 0.5), (3, 0.5)]
    assert mix(ranked, [], 0.5) == ranked


def test_several_readings_share_the_score() -> None:
    """What their weights lack to 1 is the share of the score before."""
    ranked = fuse({"lexical": [(1, 4.0), (2, 3.0), (3, 2.0)]}, weights={"lexical": 1})
    readings = {"whole": [0.0, 1.0, 0.0], "sentence": [0.0, 0.0, 4.0]}
    again = rerank(ranked, readings, weights={"whole": 0.4, "sentence": 0.2})
    assert [(item.number, item.score) for item in again] == [
        (2, pytest.approx(0.6)),
        (1, pytest.approx(0.4)),
        (3, pytest.approx(0.2)),
    ]
    assert again[2].scores == {"lexical": 2.0, "whole": 0.0, "sentence": 4.0}


def mix(ranked: Sequence[Ranked], scores: Sequence[float], weight: float) -> list[Ranked]:
    """Rerank by one reading."""
    return rerank(ranked, {"rerank": scores}, weights={"rerank": weight})
