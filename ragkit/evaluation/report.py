"""The report page of an evaluation: one HTML file, no network, no library.

Everything that comes from cases and documents is escaped: they are not to be trusted.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import unquote, urlsplit

from ragkit.evaluation import plots
from ragkit.evaluation.page import page
from ragkit.evaluation.results import CaseHit, CaseResult, Comparison, Evaluation
from ragkit.evaluation.statistics import Interval
from ragkit.text import clean
from ragkit.types import Chunk

_CURVE_TO = 20
_HITS_SHOWN = 5
_SNIPPET_CHARACTERS = 320
_NOT_FOUND = 10_000  # sorts behind every rank
_RANKS = ("1", "2", "3", "4", "5", "6–10", "11–20", "21+", "none")
_UPPER = (1, 2, 3, 4, 5, 10, 20, _NOT_FOUND - 1)


def report_page(evaluation: Evaluation) -> str:
    """Return an evaluation as a page; a comparison is laid over it where there is one."""
    other = evaluation.comparison
    both = [evaluation, *([other.evaluation] if other else [])]
    body = [
        _head(both),
        _tiles(both),
        '<div class="grid">',
        _card("Metrics", plots.dots(_metric_rows(both))),
        *([_difference_card(other)] if other else []),
        _card("Where the documents were found", _histogram(both)),
        _card(f"Found among the first k, k = 1 to {_CURVE_TO}", _curve(both)),
        "</div>",
        *([_grade_card(both)] if evaluation.grades else []),
        _case_list(evaluation),
    ]
    return page(clean(f"Retrieval: {evaluation.label}"), "\n".join(body))


def _head(both: Sequence[Evaluation]) -> str:
    first = both[0]
    legend = "".join(
        f'<li class="{"second" if number else "first"}">{_text(each.label)}</li>'
        for number, each in enumerate(both)
    )
    left_out = f", {first.unanswerable} without an answer left out" if first.unanswerable else ""
    warnings = dict.fromkeys(words for each in both for words in each.warnings)
    notes = "".join(f'<p class="note">{_text(words)}</p>' for words in warnings)
    return (
        f"<header><h1>How well the documents are found</h1>"
        f'<p class="lead">{len(first.cases)} questions{left_out}, asked of {_built(first)}.'
        f" {_text(first.settings['depth'])} passages were fetched for each. Intervals are 95 %, by"
        " bootstrap over the questions.</p>"
        f'<ul class="legend">{legend}</ul>{notes}</header>'
    )


def _built(evaluation: Evaluation) -> str:
    settings = {name: _text(value) for name, value in evaluation.settings.items()}
    return (
        f"{settings['documents']} documents in {settings['chunks']} passages of up to"
        f" {settings['chunk_tokens']} tokens, embedded by {settings['embedder']}"
    )


def _tiles(both: Sequence[Evaluation]) -> str:
    """Return the figures to see first, as large numbers."""
    tiles = [
        _tile(name, [f"{each.metrics[name].mean:.3f}" for each in both])
        for name in _main_metrics(both[0])
    ]
    tiles.append(_tile("median time", [f"{each.latency.median:.0f} ms" for each in both]))
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _main_metrics(evaluation: Evaluation) -> list[str]:
    spans = [name for name in evaluation.metrics if name.startswith("span_recall")]
    return ["ndcg@10", "recall@5", "mrr@10", *spans]


def _tile(name: str, values: Sequence[str]) -> str:
    other = f' · <span class="other">{_text(values[1])}</span>' if len(values) > 1 else ""
    return f'<div class="tile"><b>{_text(values[0])}</b><span>{_text(name)}{other}</span></div>'


def _card(title: str, content: str) -> str:
    return f'<section class="card"><h2>{_text(title)}</h2>{content}</section>'


# --- plots -------------------------------------------------------------------------------------


def _metric_rows(both: Sequence[Evaluation]) -> list[tuple[str, list[Interval]]]:
    return [(name, [each.metrics[name] for each in both]) for name in both[0].metrics]


def _difference_card(comparison: Comparison) -> str:
    plot = plots.differences(list(comparison.differences.items()))
    rows = "".join(
        f'<tr><td>{_text(name)}</td><td class="up">{each.wins}</td><td>{each.ties}</td>'
        f'<td class="down">{each.losses}</td></tr>'
        for name, each in comparison.differences.items()
    )
    return _card(
        f"What {comparison.evaluation.label} changes",
        f"{plot}<details><summary>Wins, ties and losses by question</summary>"
        '<div class="scroll"><table><tr><th>metric</th><th>better</th><th>same</th>'
        f"<th>worse</th></tr>{rows}</table></div></details>",
    )


def _histogram(both: Sequence[Evaluation]) -> str:
    counted = [_rank_counts(each.cases) for each in both]
    return plots.bars(_RANKS, counted, axis="place of a document that should be found")


def _rank_counts(cases: Sequence[CaseResult]) -> list[int]:
    counts = [0] * len(_RANKS)
    for rank in (rank for case in cases for rank in case.ranks.values()):
        found = rank if rank is not None else _NOT_FOUND
        counts[next((n for n, upper in enumerate(_UPPER) if found <= upper), len(_UPPER))] += 1
    return counts


def _curve(both: Sequence[Evaluation]) -> str:
    return plots.curves(
        [
            [
                sum(case.found_share(k) for case in each.cases) / len(each.cases)
                for k in range(1, _CURVE_TO + 1)
            ]
            for each in both
        ],
        axis="recall at k",
    )


def _grade_card(both: Sequence[Evaluation]) -> str:
    shown = _main_metrics(both[0])
    heads = "".join(f"<th>{_text(name)}</th>" for name in shown)
    rows = []
    for grade in both[0].grades:
        for each in both:
            result = each.grades[grade]
            of = f' <span class="dim">{_text(each.label)}</span>' if len(both) > 1 else ""
            cells = "".join(f"<td>{_interval(result.metrics.get(name))}</td>" for name in shown)
            rows.append(f"<tr><td>{_text(grade)}{of}</td><td>{result.cases}</td>{cells}</tr>")
    table = f"<table><tr><th>grade</th><th>questions</th>{heads}</tr>{''.join(rows)}</table>"
    return _card("By grade", f'<div class="scroll">{table}</div>')


def _interval(value: Interval | None) -> str:
    if value is None:
        return ""
    return f'{value.mean:.3f} <span class="dim">[{value.low:.3f}, {value.high:.3f}]</span>'


# --- the cases ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _View:
    """What the lines of cases have in common."""

    evaluation: Evaluation
    metric: str
    names: _Names
    seconds: Mapping[str, CaseResult]


def _case_list(evaluation: Evaluation) -> str:
    other = evaluation.comparison
    view = _View(
        evaluation,
        next(iter(evaluation.metrics)),
        _Names(evaluation),
        {case.id: case for case in other.evaluation.cases} if other else {},
    )
    rows = [_case(case, order, view) for order, case in enumerate(evaluation.cases)]
    return (
        f'<section class="card{"" if other else " one"}"><h2>Questions <span id="count"'
        f' class="dim"></span></h2>{_tools(evaluation)}{_heads(view.metric, bool(other))}'
        f'<div id="cases">{"".join(rows)}</div></section>'
    )


def _tools(evaluation: Evaluation) -> str:
    grades = "".join(f'<option value="{_text(g)}">{_text(g)}</option>' for g in evaluation.grades)
    grade = (
        '<select id="grade" aria-label="grade"><option value="">all grades</option>'
        f"{grades}</select>"
        if grades
        else ""
    )
    pair = (
        '<option value="won">better in the second</option>'
        '<option value="lost">worse in the second</option>'
        if evaluation.comparison
        else ""
    )
    return (
        '<div class="tools" data-script hidden>'
        '<input id="text" type="search" placeholder="Find in the questions"'
        f' aria-label="find in the questions">{grade}'
        '<select id="kind" aria-label="which"><option value="all">all</option>'
        '<option value="missed">not in the first 10</option>'
        f'<option value="found">in the first 10</option>{pair}</select></div>'
    )


def _heads(metric: str, has_other: bool) -> str:
    columns = [
        ("Question", "order", True),
        ("Grade", "grade", True),
        ("Place", "rank", False),
        (metric, "score", True),
        *([("Change", "gain", True)] if has_other else []),
    ]
    buttons = "".join(
        f'<span><button data-by="{by}" data-rising="{str(rising).lower()}"'
        f' aria-pressed="{str(by == "order").lower()}"{" class=rising" if by == "order" else ""}>'
        f"{_text(words)}</button></span>"
        for words, by, rising in columns
    )
    return f'<div class="row heads" data-script hidden>{buttons}</div>'


def _case(case: CaseResult, order: int, view: _View) -> str:
    second = view.seconds.get(case.id)
    rank = min((rank for rank in case.ranks.values() if rank is not None), default=_NOT_FOUND)
    score = case.metrics.get(view.metric, 0.0)
    gain = second.metrics.get(view.metric, 0.0) - score if second else 0.0
    change = ""
    if second:
        kind = "up" if gain > 0 else "down" if gain < 0 else "dim"
        change = f'<span class="{kind}" data-name="change">{gain:+.3f}</span>'
    shown = "–" if rank == _NOT_FOUND else str(rank)
    return (
        f'<details class="case" data-order="{order}" data-rank="{rank}" data-score="{score:.6f}"'
        f' data-gain="{gain:.6f}" data-grade="{_text(case.grade)}"><summary><span class="row">'
        f'<span class="question">{_text(case.question)}</span>'
        f'<span class="chip">{_text(case.grade or case.made)}</span>'
        f'<span data-name="place">{shown}</span>'
        f'<span data-name="{_text(view.metric)}">{score:.3f}</span>{change}</span></summary>'
        f'<div class="inside">{_gold(case, second)}{_found(case, second, view)}</div></details>'
    )


def _gold(case: CaseResult, second: CaseResult | None) -> str:
    items = []
    for name, rank in case.ranks.items():
        places = [rank, *([second.ranks.get(name)] if second else [])]
        said = " → ".join("not found" if each is None else f"place {each}" for each in places)
        grade = f", grade {case.documents[name]:g}" if case.documents[name] != 1 else ""
        items.append(f'<li>{_text(name)} <span class="dim">{said}{grade}</span></li>')
    quotes = "".join(f"<blockquote>{_text(sentence)}</blockquote>" for sentence in case.sentences)
    return f"<h3>Should be found</h3><ul>{''.join(items)}</ul>{quotes}"


def _found(case: CaseResult, second: CaseResult | None, view: _View) -> str:
    other = view.evaluation.comparison
    if second is None or other is None:
        return f"<h3>Was found</h3>{_hits(case.hits, view.names)}"
    return (
        f'<div class="pair"><div><h3>{_text(view.evaluation.label)}</h3>'
        f"{_hits(case.hits, view.names)}</div><div><h3>{_text(other.evaluation.label)}</h3>"
        f"{_hits(second.hits, view.names)}</div></div>"
    )


def _hits(hits: Sequence[CaseHit], names: _Names) -> str:
    if not hits:
        return '<p class="dim">Nothing.</p>'
    return f"<ol>{''.join(_hit(each, names) for each in hits[:_HITS_SHOWN])}</ol>"


def _hit(found: CaseHit, names: _Names) -> str:
    chunk = found.hit.chunk
    path = " › ".join(["", *chunk.heading_path]) if chunk.heading_path else ""
    page_number = f", p. {chunk.page}" if chunk.page is not None else ""
    tag = "holds the passage" if found.holds_gold else "right document" if found.is_gold else ""
    mark = f'<span class="tag">{tag}</span>' if tag else ""
    return (
        f'<li class="hit{" gold" if found.is_gold else ""}">'
        f'<span class="where"><b>{_text(names.of(chunk.uri))}</b>{_text(path)}{page_number}</span>'
        f'{mark}<div class="snippet">{_text(_snippet(chunk))}</div></li>'
    )


def _snippet(chunk: Chunk) -> str:
    """Return how a passage begins, without the heading that stands above it anyhow."""
    lines = [line for line in chunk.text.splitlines() if line.strip()]
    if len(lines) > 1 and chunk.heading_path and lines[0].strip("# ") == chunk.heading_path[-1]:
        del lines[0]
    text = "\n".join(lines)
    return text[:_SNIPPET_CHARACTERS] + ("…" if len(text) > _SNIPPET_CHARACTERS else "")


class _Names:
    """Documents' names without the folders that all of them share: a page may be passed on."""

    def __init__(self, evaluation: Evaluation) -> None:
        both = [evaluation, *([evaluation.comparison.evaluation] if evaluation.comparison else [])]
        self._shared = sorted((_shared_folder(each) for each in both), key=len, reverse=True)

    def of(self, uri: str) -> str:
        path = _path(uri)
        shared = next((each for each in self._shared if path.startswith(each)), "")
        return path[len(shared) :] or path


def _shared_folder(evaluation: Evaluation) -> str:
    """Return the beginning of the path that all documents found have in common, "" for none."""
    found = (each.hit.chunk.uri for case in evaluation.cases for each in case.hits)
    folders = {posixpath.dirname(_path(uri)) for uri in found}
    try:
        return posixpath.commonpath(folders).rstrip("/") + "/" if folders else ""
    except ValueError:  # some are files and some are not
        return ""


def _path(uri: str) -> str:
    return unquote(urlsplit(uri).path) if uri.startswith("file:") else uri


def _text(value: object) -> str:
    """Return text as markup that shows it, without anything invisible in it."""
    return escape(clean(str(value)), quote=True)
