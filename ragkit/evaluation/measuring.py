"""Runs the searches of an evaluation and measures what they find."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ragkit import metrics
from ragkit.errors import ConfigError
from ragkit.evaluation.cases import Case
from ragkit.evaluation.gold import Gold, GoldFinder, check_found
from ragkit.evaluation.results import (
    HITS_KEPT,
    CaseHit,
    CaseResult,
    Evaluation,
    GradeResult,
    Latency,
)
from ragkit.evaluation.statistics import Interval, interval, percentile
from ragkit.index import Index
from ragkit.metrics import Place
from ragkit.types import Hit, Mode

# How many passages are asked for: enough for the first 20 documents, and for MAP to see a tail.
DEPTH = 100
# Of how many passages the coverage of spans is measured, as Chroma's evaluation does.
SPAN_K = 5
SEED = 0
_RECALL_AT = (1, 5, 10, 20)
_HITS_AT = (1, 5, 10)
_NDCG_AT = _MRR_AT = 10
_SHOWN = 3

OnProgress = Callable[[int, int], None]


def metric_names(span_k: int = SPAN_K) -> list[str]:
    """Return every metric that an evaluation may have; those of spans only where there are any."""
    return [
        f"ndcg@{_NDCG_AT}",
        f"mrr@{_MRR_AT}",
        "map",
        *(f"recall@{k}" for k in _RECALL_AT),
        *(f"hit@{k}" for k in _HITS_AT),
        *(f"span_{part}@{span_k}" for part in ("recall", "precision", "iou")),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How an evaluation is made: which search, how deep, and the seed of its intervals."""

    mode: Mode = "hybrid"
    depth: int = DEPTH
    span_k: int = SPAN_K
    seed: int = SEED


DEFAULT = Measure()


def evaluate(
    index: Index,
    cases: Sequence[Case],
    measure: Measure = DEFAULT,
    *,
    label: str = "",
    clock: Callable[[], float] = time.perf_counter,
    on_progress: OnProgress = lambda _done, _total: None,
) -> Evaluation:
    """Search an index for each case's question and measure what comes back.

    Cases without an answer are counted and left out. Raises ConfigError for gold that can't be
    right, DocumentNotFound where the index holds none of it, and what `Index.search` raises.
    """
    answerable = [case for case in cases if case.is_answerable]
    if not answerable:
        raise ConfigError(
            "none of the cases has something to find",
            hint="name the documents that should be found in `documents`",
        )
    finder = GoldFinder(index)
    golds = [finder.gold(case) for case in answerable]
    wanted = {name for case in answerable for name in case.documents}
    check_found(finder, len(wanted), index)
    on_progress(0, len(answerable))
    index.search(answerable[0].question, limit=1, mode=measure.mode)  # loads the model, unmeasured
    ids = {document.uri: document.id for document in index.documents()}
    results = []
    for case, gold in zip(answerable, golds, strict=True):
        results.append(_measured(index, case, gold, measure, clock=clock, ids=ids))
        on_progress(len(results), len(answerable))
    return Evaluation(
        label=label or measure.mode,
        metrics=means(results, seed=measure.seed),
        grades=_by_grade(results, seed=measure.seed),
        cases=tuple(results),
        unanswerable=len(cases) - len(answerable),
        latency=_latency(results),
        settings=_settings(index, measure),
        warnings=tuple(_warnings(finder, answerable)),
    )


def _measured(
    index: Index,
    case: Case,
    gold: Gold,
    measure: Measure,
    *,
    clock: Callable[[], float],
    ids: Mapping[str, str],
) -> CaseResult:
    """Run a case. `ids` gives a document's id by its uri: a hit stands for its copies too."""
    started = clock()
    hits = index.search(case.question, limit=measure.depth, mode=measure.mode)
    milliseconds = 1000 * (clock() - started)
    ranking = metrics.distinct(
        id_ for hit in hits for id_ in (hit.chunk.document_id, *(ids[uri] for uri in hit.also))
    )
    places = {document: place for place, document in enumerate(ranking, start=1)}
    return CaseResult(
        id=case.id,
        question=case.question,
        grade=case.grade,
        made=case.made,
        documents=dict(case.documents),
        sentences=case.sentences,
        metrics={**_of_documents(ranking, gold), **_of_spans(hits, gold, measure.span_k)},
        ranks={gold.names[id_]: places.get(id_) for id_ in gold.grades},
        hits=tuple(_case_hit(hit, gold) for hit in hits[:HITS_KEPT]),
        milliseconds=milliseconds,
    )


def _of_documents(ranking: Sequence[str], gold: Gold) -> dict[str, float]:
    relevant = gold.grades.keys()
    return {
        f"ndcg@{_NDCG_AT}": metrics.ndcg(ranking, gold.grades, k=_NDCG_AT),
        f"mrr@{_MRR_AT}": metrics.reciprocal_rank(ranking, relevant, k=_MRR_AT),
        "map": metrics.average_precision(ranking, relevant),
        **{f"recall@{k}": metrics.recall(ranking, relevant, k=k) for k in _RECALL_AT},
        **{f"hit@{k}": metrics.hit_rate(ranking, relevant, k=k) for k in _HITS_AT},
    }


def _of_spans(hits: Sequence[Hit], gold: Gold, k: int) -> dict[str, float]:
    if not gold.has_passages:
        return {}
    scores = metrics.span_scores(
        [_place(hit) for hit in hits[:k]], gold.places, lost_characters=gold.lost_characters
    )
    return {
        f"span_recall@{k}": scores.recall,
        f"span_precision@{k}": scores.precision,
        f"span_iou@{k}": scores.iou,
    }


def _place(hit: Hit) -> Place:
    return Place(hit.chunk.document_id, hit.chunk.span)


def _case_hit(hit: Hit, gold: Gold) -> CaseHit:
    held = metrics.span_scores([_place(hit)], gold.places)
    return CaseHit(hit, hit.chunk.document_id in gold.grades, held.recall > 0)


def means(results: Sequence[CaseResult], *, seed: int) -> dict[str, Interval]:
    """Return the mean of each metric over the cases that have it, with its interval."""
    names = metrics.distinct(name for result in results for name in result.metrics)
    return {
        name: interval([r.metrics[name] for r in results if name in r.metrics], seed=seed)
        for name in names
    }


def _by_grade(results: Sequence[CaseResult], *, seed: int) -> dict[str, GradeResult]:
    grouped: dict[str, list[CaseResult]] = {}
    for result in results:
        if result.grade:
            grouped.setdefault(result.grade, []).append(result)
    return {
        grade: GradeResult(len(some), means(some, seed=seed)) for grade, some in grouped.items()
    }


def _latency(results: Sequence[CaseResult]) -> Latency:
    times = [result.milliseconds for result in results]
    return Latency(median=percentile(times, 50), p95=percentile(times, 95))


def _settings(index: Index, measure: Measure) -> Mapping[str, str | int | float | bool]:
    stats = index.stats()
    built = stats.fingerprint
    return {
        "index": stats.path,
        "documents": stats.documents,
        "chunks": stats.chunks,
        "embedder": built.embedder if built else "",
        "chunk_tokens": built.chunk_tokens if built else 0,
        "mode": measure.mode,
        "depth": measure.depth,
        "span_k": measure.span_k,
        "seed": measure.seed,
    }


def _warnings(finder: GoldFinder, cases: Sequence[Case]) -> list[str]:
    said = []
    if finder.missing:
        some = ", ".join(list(finder.missing)[:_SHOWN])
        said.append(
            f"{len(finder.missing)} documents of the cases are not in the index and count as not"
            f" found: {some}"
        )
    if finder.unplaced:
        some = "; ".join(finder.unplaced[:_SHOWN])
        said.append(
            f"{len(finder.unplaced)} sentences stand in none of their documents and count as not"
            f" found: {some}"
        )
    makers = sorted({case.made for case in cases if case.made})
    if makers:
        count = sum(1 for case in cases if case.made)
        said.append(
            f"{count} of {len(cases)} cases were made from the documents ({', '.join(makers)});"
            " people's questions are harder"
        )
    return said
