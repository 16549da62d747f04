"""How an evaluation looks on a terminal and on a pipe, and its progress."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from ragkit.cli.terminal import clean, on_terminal, one_line, shortened, styled, table, width
from ragkit.evaluation import CaseResult, Comparison, Difference, Evaluation, Fitted, Interval

OnProgress = Callable[[int, int], None]
SECONDS_BETWEEN_LINES = 10.0
_PLOT_CHARACTERS = 24
_LEAST_QUESTION = 30
_LEAST_WIDTH = 80
_WORST_LISTED = 5


def results(evaluation: Evaluation) -> str:
    """Return an evaluation in words and tables."""
    comparison = evaluation.comparison
    parts = [_headline(evaluation), _metrics(evaluation)]
    if comparison:
        parts.append(_differences(evaluation, comparison))
        parts += _moved(evaluation, comparison)
    if evaluation.grades:
        parts.append(_grades(evaluation))
    if not comparison:
        parts += _worst(evaluation)
    return "\n\n".join(parts)


def calibration(fitted: Fitted, *, threshold: float) -> str:
    """Return what a fit of the gate changes, and the settings to keep it."""
    before, after = fitted.before.to_dict(), fitted.after.to_dict()
    names = {
        "auroc": "AUROC",
        "calibration_error": "calibration error",
        "brier": "Brier score",
        "precision": 'precision of "no answer"',
        "recall": 'recall of "no answer"',
    }
    rows = [
        ("measure", "before", "after"),
        *((words, f"{before[name]:.3f}", f"{after[name]:.3f}") for name, words in names.items()),
        ("threshold", f"{threshold:g}", f"{fitted.threshold:g}"),
    ]
    settings = "\n".join(
        f"{name} = {value:g}" for name, value in fitted.to_dict()["settings"].items()
    )
    return (
        f"{fitted.answerable} questions with an answer, {fitted.unanswerable} without.\n\n"
        f"{_shown(rows)}\nAfter: each tenth of the cases by a fit to the others.\n\n"
        f"For ragkit.toml:\n{settings}"
    )


def _headline(evaluation: Evaluation) -> str:
    left_out = (
        f" ({evaluation.unanswerable} without an answer left out)"
        if evaluation.unanswerable
        else ""
    )
    settings = evaluation.settings
    return (
        f"{len(evaluation.cases)} questions{left_out} on {settings['documents']} documents in"
        f" {settings['chunks']} passages: {one_line(evaluation.label)}"
    )


def _metrics(evaluation: Evaluation) -> str:
    rows = [
        (name, f"{each.mean:.3f}", f"{each.low:.3f} to {each.high:.3f}", *_plot(each))
        for name, each in evaluation.metrics.items()
    ]
    latency = evaluation.latency
    took = f"A search took {latency.median:.1f} ms in the median, {latency.p95:.1f} ms at the 95th"
    head = ("metric", "mean", "95 % interval", *(("0" + " " * 22 + "1",) if on_terminal() else ()))
    return f"{_shown([head, *rows])}\n{took} percentile."


def _plot(value: Interval) -> tuple[str, ...]:
    """Return the interval as a line with a dot, on a terminal."""
    if not on_terminal():
        return ()
    last = _PLOT_CHARACTERS - 1
    low, mean, high = (
        round(min(max(x, 0.0), 1.0) * last) for x in (value.low, value.mean, value.high)
    )
    cells = ["─" if low <= place <= high else " " for place in range(_PLOT_CHARACTERS)]
    cells[mean] = "●"
    return ("".join(cells),)


def _differences(evaluation: Evaluation, comparison: Comparison) -> str:
    second = comparison.evaluation
    rows = [
        (
            name,
            f"{evaluation.metrics[name].mean:.3f}",
            f"{second.metrics[name].mean:.3f}",
            f"{each.mean:+.3f}",
            f"{each.low:+.3f} to {each.high:+.3f}",
            _p_value(each),
            f"{each.wins} / {each.ties} / {each.losses}",
        )
        for name, each in comparison.differences.items()
    ]
    heads = ("metric", "first", "second", "change", "95 % interval", "p", "+ / = / -")
    names = f"first: {one_line(evaluation.label)}\nsecond: {one_line(second.label)}"
    counts = "+ / = / -: questions on which the second is better, the same, worse."
    times = f"Median time: {evaluation.latency.median:.1f} ms, {second.latency.median:.1f} ms."
    return f"{names}\n{_shown([heads, *rows])}\n{counts} {times}"


def _p_value(difference: Difference) -> str:
    return "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}"


def _moved(evaluation: Evaluation, comparison: Comparison) -> list[str]:
    """Return the cases that the second configuration helped and hurt most."""
    first = {case.id: case for case in evaluation.cases}
    second = {case.id: case for case in comparison.evaluation.cases}
    parts = []
    for words, ids in (("Won", comparison.won), ("Lost", comparison.lost)):
        if ids:
            rows = [
                (
                    id_,
                    f"{first[id_].metrics[comparison.metric]:.3f}",
                    f"{second[id_].metrics[comparison.metric]:.3f}",
                    shortened(first[id_].question, _room()),
                )
                for id_ in ids
            ]
            parts.append(_titled(f"{words} most ({comparison.metric})", rows))
    return parts


def _worst(evaluation: Evaluation) -> list[str]:
    """Return the cases of which nothing was found among the first ten documents."""
    missed = [case for case in evaluation.cases if not _is_found(case)]
    if not missed:
        return []
    rows = [(case.id, shortened(case.question, _room())) for case in missed[:_WORST_LISTED]]
    more = f" ({_WORST_LISTED} of {len(missed)})" if len(missed) > _WORST_LISTED else ""
    return [_titled(f"Nothing among the first 10 documents{more}", rows)]


def _is_found(case: CaseResult) -> bool:
    return any(rank is not None and rank <= 10 for rank in case.ranks.values())


def _grades(evaluation: Evaluation) -> str:
    names = [name for name in ("ndcg@10", "recall@5", "mrr@10") if name in evaluation.metrics]
    names += [name for name in evaluation.metrics if name.startswith("span_recall")]
    rows = [
        (
            grade,
            str(each.cases),
            *(f"{each.metrics[n].mean:.3f}" if n in each.metrics else "-" for n in names),
        )
        for grade, each in evaluation.grades.items()
    ]
    return _shown([("grade", "questions", *names), *rows])


def _room() -> int:
    return max(width() - 30, _LEAST_QUESTION)


def _titled(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    return f"{styled(title, bold=True)}\n{table(rows)}"


def _shown(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows of which the first is the head; a drawn table on a terminal."""
    if not on_terminal():
        return table(rows)
    # rich takes 0.1 s to import: only here, where a table is drawn.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    head, *body = rows
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(head):
        is_plain = number == 0 or name.startswith("0 ")
        drawn.add_column(Text(name), justify="left" if is_plain else "right", no_wrap=True)
    for row in body:
        drawn.add_row(*(Text(clean(cell)) for cell in row))
    console = Console(width=max(shutil.get_terminal_size().columns, _LEAST_WIDTH))
    with console.capture() as captured:
        console.print(drawn)
    return "\n".join(line.rstrip() for line in captured.get().splitlines() if line.strip())


# --- progress ----------------------------------------------------------------------------------


@contextmanager
def progress(words: str, *, quiet: bool) -> Iterator[OnProgress]:
    """Give a callback for how many are done: a bar on a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda _done, _total: None
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(words) as on_progress:
            yield on_progress
    else:
        yield _lines(words)


def _lines(words: str, *, clock: Callable[[], float] = time.monotonic) -> OnProgress:
    begun = last = clock()

    def on_progress(done: int, total: int) -> None:
        nonlocal last
        now = clock()
        if now - last >= SECONDS_BETWEEN_LINES and done:
            last = now
            left = (now - begun) * (total - done) / done
            click.echo(f"ragkit: {words}: {done} of {total}, about {left:.0f} s left", err=True)

    return on_progress


@contextmanager
def _bar(words: str) -> Iterator[OnProgress]:
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(one_line(words), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
