"""`ragkit reindex`: another embedding model, other templates or chunks for the whole index."""

from __future__ import annotations

import threading
import time

import click

from ragkit.cli import render
from ragkit.cli.failures import SOME_FAILED
from ragkit.cli.ingest import STOPPED, confirmation, print_estimate, until_stopped
from ragkit.cli.options import setting_option
from ragkit.cli.progress import reporter
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line
from ragkit.types import Comparison, Fingerprint, IngestLimits, ReindexReport


@click.command()
@setting_option("embedder")
@setting_option("embedding_model", metavar="MODEL")
@setting_option("embedding_dimensions", metavar="N", also=("--dimensions",))
@setting_option("document_template", metavar="TEXT")
@setting_option("query_template", metavar="TEXT")
@setting_option("chunk_tokens", metavar="N")
@click.option("--dry-run", is_flag=True, help="Say what would be embedded and sent; do nothing.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Stop before more are sent.")
@click.option("-y", "--yes", is_flag=True, help="Send however much it is, without asking.")
@click.option(
    "--sample",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many queries compare the old set with the new one.",
)
@click.option(
    "--min-found",
    type=click.FloatRange(0, 1),
    default=0.0,
    metavar="SHARE",
    help="Keep the old set where fewer of these queries find their own document; 0 to 1.",
)
@click.option("--rollback", is_flag=True, help="Bring back what was there before the last one.")
@click.option("-q", "--quiet", is_flag=True, help="No progress; only notices and the summary.")
@global_options
@click.pass_obj
def reindex(
    session: Session,
    /,
    *,
    dry_run: bool,
    max_tokens: int | None,
    yes: bool,
    sample: int,
    min_found: float,
    rollback: bool,
    quiet: bool,
    **overrides: object,
) -> None:
    """Give the index another model, other chunks or templates.

    What is not asked for stays as it is. All documents are cut and embedded anew from what the
    index holds of them: no file is read. Meanwhile the old set serves, and ingests go on. Before
    the swap, headings and sentences of the documents are searched by meaning in both sets.

    Stopped by Ctrl-C or a limit it keeps what is complete: run it again to continue. While it
    runs it takes about three times the space of the index; the old set stays beside the index,
    as index.db.previous, for --rollback.
    """
    if rollback and (dry_run or any(value is not None for value in overrides.values())):
        raise click.UsageError("--rollback stands alone: it brings back the settings as they were")
    settings = session.settings(**overrides)
    if dry_run:
        with session.open(settings) as index:
            print_estimate(session, index.estimate_reindex())
        return
    started = time.monotonic()
    if rollback:
        with session.open(settings) as index:
            _print_report(session, index.rollback(), time.monotonic() - started)
        return
    stop = threading.Event()
    limits = IngestLimits(
        max_tokens=max_tokens or 0, confirm=confirmation(yes=yes), stop=stop.is_set
    )
    with (
        session.open(settings) as index,
        reporter(quiet=quiet, as_json=session.as_json) as on_event,
        until_stopped(stop) as signals,
    ):
        report = index.reindex(sample=sample, min_found=min_found, limits=limits, on_event=on_event)
    _print_report(session, report, time.monotonic() - started)
    if signals:
        raise click.exceptions.Exit(128 + signals[0])
    if report.failed or report.stopped == "min-found":
        raise click.exceptions.Exit(SOME_FAILED)


def _print_report(session: Session, report: ReindexReport, seconds: float) -> None:
    for failure in report.failed:
        line = f"{render.name(failure.uri)}: {one_line(failure.message)} ({failure.code})"
        click.echo(f"failed: {line}", err=True)
    if session.as_json:
        click.echo(render.json_text(report.to_dict()))
    else:
        for line in _summary(report, seconds):
            click.echo(line)
    if report.stopped == "min-found":
        click.echo(
            "ragkit: the new set finds too little: the old one serves on; a lower --min-found"
            " swaps without embedding anything again",
            err=True,
        )
    elif report.stopped:
        click.echo(f"ragkit: {STOPPED[report.stopped]}; run it again to continue", err=True)
    elif report.failed:
        click.echo("ragkit: the old set serves on; run it again to continue", err=True)


def _summary(report: ReindexReport, seconds: float) -> list[str]:
    if report.before == report.after:
        return [f"nothing to do: the index has {_words(report.after)}"]
    compared = [_comparison(report.comparison)] if report.comparison else []
    counts = f"{report.documents} documents, {report.chunks} chunks"
    if report.chunks_embedded:
        counts += f" ({report.chunks_embedded} embedded)"
    if not report.swapped:
        return [*compared, f"not swapped: {counts} are ready; {seconds:.1f} s"]
    return [
        *compared,
        f"before: {_words(report.before)}",
        f"now: {_words(report.after)}",
        f"{counts}; {seconds:.1f} s",
    ]


def _comparison(comparison: Comparison) -> str:
    """Say what the queries found: no more than a sign that nothing is broken."""
    count = comparison.queries
    found = f"{comparison.found_after} of {count} queries find their document in the new set"
    if comparison.found_before is not None:
        found += f", {comparison.found_before} in the old one"
    if comparison.overlap is not None:
        found += f"; {comparison.overlap:.0%} of what the old one finds is found again"
    return found


def _words(fingerprint: Fingerprint) -> str:
    return (
        f"{fingerprint.embedder}, {fingerprint.dimensions} dimensions, chunks of"
        f" {fingerprint.chunk_tokens} tokens"
    )
