"""How good a ranking is against what should have been found. Every measure is from 0 to 1.

A ranking names documents, best first, each once; documents that should be found are `relevant`,
or have a grade above 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ragkit.types import Span


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names in order, each at its first place: a document ranks by its best chunk."""
    return list(dict.fromkeys(names))


def recall(ranking: Sequence[str], relevant: Collection[str], *, k: int) -> float:
    """Return the share of the relevant documents that are among the first k."""
    return len(set(ranking[:k]) & set(relevant)) / len(set(relevant)) if relevant else 0.0


def hit_rate(ranking: Sequence[str], relevant: Collection[str], *, k: int) -> float:
    """Return 1.0 where any relevant document is among the first k, else 0.0."""
    return float(not set(ranking[:k]).isdisjoint(relevant))


def reciprocal_rank(ranking: Sequence[str], relevant: Collection[str], *, k: int) -> float:
    """Return 1 / the place of the first relevant document, 0.0 where none is among the first k."""
    places = (place for place, name in enumerate(ranking[:k], start=1) if name in relevant)
    first = next(places, 0)
    return 1 / first if first else 0.0


def average_precision(ranking: Sequence[str], relevant: Collection[str]) -> float:
    """Return the mean, over all relevant documents, of the precision at the place of each.

    One that isn't ranked counts as 0. The mean of this over questions is MAP (Buckley and
    Voorhees, SIGIR 2000; `map` of trec_eval).
    """
    found = 0
    total = 0.0
    for place, name in enumerate(ranking, start=1):
        if name in relevant:
            found += 1
            total += found / place
    return total / len(set(relevant)) if relevant else 0.0


def ndcg(ranking: Sequence[str], grades: Mapping[str, float], *, k: int) -> float:
    """Return the normalised discounted cumulative gain of the first k.

    DCG is the sum of grade / log2(place + 1), divided by that of the best possible ranking: the
    gain is linear, as Järvelin and Kekäläinen (TOIS 2002) and trec_eval (`ndcg_cut`) have it, and
    so BEIR. With grades of 0 and 1 the other form, 2^grade - 1, is the same.
    """
    ideal = _discounted(sorted((max(g, 0.0) for g in grades.values()), reverse=True)[:k])
    gained = _discounted([max(grades.get(name, 0.0), 0.0) for name in ranking[:k]])
    return gained / ideal if ideal else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


# --- passages ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A piece of a document's text: the document's name, and the span of characters."""

    document: str
    span: Span


@dataclass(frozen=True, slots=True)
class SpanScores:
    """How well passages cover the pieces that should be found, counted in characters."""

    recall: float
    precision: float
    iou: float


def span_scores(
    passages: Sequence[Place], gold: Sequence[Place], *, lost_characters: int = 0
) -> SpanScores:
    """Return recall, precision and intersection over union of passages against gold pieces.

    As Chroma's chunking evaluation defines them (Smith and Troynikov 2024, research.trychroma.com/
    evaluating-chunking), in characters: the intersection counts a character once however many
    passages hold it; precision divides by the length of all passages, repeated text included;
    IoU by that and the gold characters in no passage. `lost_characters` is the length of gold
    that stands in no document any more: it is never found.
    """
    wanted = _merged(gold)
    offered = _merged(passages)
    found = sum(_overlap(spans, offered.get(document, ())) for document, spans in wanted.items())
    gold_length = sum(_length(spans) for spans in wanted.values()) + lost_characters
    passage_length = sum(place.span.end - place.span.start for place in passages)
    union = passage_length + gold_length - found
    return SpanScores(
        recall=found / gold_length if gold_length else 0.0,
        precision=found / passage_length if passage_length else 0.0,
        iou=found / union if union else 0.0,
    )


def _merged(places: Sequence[Place]) -> dict[str, list[Span]]:
    """Return each document's spans in order, those that overlap or touch made one."""
    merged: dict[str, list[Span]] = {}
    for place in sorted(places, key=lambda each: (each.document, each.span.start, each.span.end)):
        spans = merged.setdefault(place.document, [])
        if spans and place.span.start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(spans[-1].end, place.span.end))
        else:
            spans.append(place.span)
    return merged


def _overlap(some: Sequence[Span], others: Sequence[Span]) -> int:
    return sum(max(0, min(a.end, b.end) - max(a.start, b.start)) for a in some for b in others)


def _length(spans: Sequence[Span]) -> int:
    return sum(span.end - span.start for span in spans)
