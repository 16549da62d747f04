"""`ragkit ingest`: files, folders, web pages and standard input into the index."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import click

from ragkit.cli import render
from ragkit.cli.changes import as_json, as_text, changes
from ragkit.cli.failures import SOME_FAILED
from ragkit.cli.options import setting_option
from ragkit.cli.progress import Lines, OnEvent, only_notices, reporter
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line, table
from ragkit.sources import read_stream, stdin_uri
from ragkit.types import Estimate, Failure, IngestEvent, IngestLimits, IngestReport

if TYPE_CHECKING:
    from ragkit.index import Index

STOPPED = {
    "interrupted": "interrupted",
    "max-tokens": "stopped at the limit of what may be sent",
    "declined": "nothing was sent",
}
SKIPPED_SHOWN = 10  # a folder of pictures would hide the failures


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--name", metavar="NAME", default="-", help="What to call standard input (-).")
@setting_option("collection", metavar="NAME")
@click.option(
    "--prune", is_flag=True, help="Remove documents whose files are gone, however many they are."
)
@click.option("--dry-run", is_flag=True, help="Say what would be done and sent; do nothing.")
@click.option("--watch", is_flag=True, help="Stay, and take in what changes until Ctrl-C.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Stop before more are sent.")
@click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop before more is spent, by the setting `prices`.",
)
@click.option("-y", "--yes", is_flag=True, help="Send however much it is, without asking.")
@setting_option("embedder")
@setting_option("embedding_model", metavar="MODEL")
@setting_option("chunk_tokens", metavar="N")
@click.option("-q", "--quiet", is_flag=True, help="No progress; only the summary and failures.")
@global_options
@click.pass_obj
def ingest(
    session: Session,
    /,
    *,
    paths: tuple[str, ...],
    name: str,
    collection: str | None,
    prune: bool,
    dry_run: bool,
    watch: bool,
    max_tokens: int | None,
    max_cost: float | None,
    yes: bool,
    quiet: bool,
    **overrides: object,
) -> None:
    """Read files, folders, web pages and stdin into the index.

    PATH is a file, a folder, an http(s) address (that one page), or - for standard input, which
    --name gives a name: its suffix helps to tell the format (--name notes.md).

    What has not changed is left as it is, what was moved is recognised, and what is gone from a
    folder is removed. Exits with 1 where files failed; the others are in the index. Stopped by
    Ctrl-C or a limit it keeps what is complete: run it again to continue.

    With --watch it goes on to bring in each change of the files and folders, and prints a line
    for it: added, updated, moved, removed, failed. That needs the extra `watch`.
    """
    if "-" in paths and len(paths) > 1:
        raise click.UsageError("- (standard input) stands alone")
    if name != "-" and "-" not in paths:
        raise click.UsageError("--name is for standard input: ragkit ingest - --name NAME")
    if watch and ("-" in paths or dry_run or max_tokens or max_cost):
        raise click.UsageError(
            "--watch is for files and folders, without --dry-run, --max-tokens and --max-cost"
        )
    settings = session.settings(**overrides)
    if dry_run:
        with session.open(settings) as index:
            print_estimate(session, index.estimate(*paths, collection=collection))
        return
    stop = threading.Event()
    limits = IngestLimits(
        max_tokens=max_tokens or 0,
        max_cost=max_cost or 0.0,
        confirm=confirmation(yes=yes),
        stop=stop.is_set,
    )
    if watch:
        talk = _Talk(quiet=quiet, as_json=session.as_json)
        with session.open(settings) as index, until_stopped(stop) as signals:
            reports = index.watch(
                *paths, collection=collection, prune=prune, limits=limits, on_event=talk
            )
            _show_changes(session, index, reports, paths, talk)
        raise click.exceptions.Exit(128 + signals[0] if signals else 0)
    started = time.monotonic()
    with (
        session.open(settings) as index,
        reporter(quiet=quiet, as_json=session.as_json) as on_event,
        until_stopped(stop) as signals,
    ):
        if "-" in paths:
            report = index.ingest_bytes(
                read_stream(sys.stdin.buffer, max_bytes=settings.max_file_mb * 1_000_000),
                uri=stdin_uri(name),
                name=name,
                collection=collection,
                include=True,  # it was named
                on_event=on_event,
            )
        else:
            report = index.ingest(
                *paths, collection=collection, prune=prune, limits=limits, on_event=on_event
            )
    seconds = time.monotonic() - started
    if session.as_json:
        click.echo(render.json_text(report.to_dict()))
    else:
        _print_talk(report, paths)
        click.echo(_summary(report, seconds))
    if report.stopped:
        click.echo(f"ragkit: {STOPPED[report.stopped]}; run it again to continue", err=True)
    if signals:
        raise click.exceptions.Exit(128 + signals[0])
    if report.failed:
        raise click.exceptions.Exit(SOME_FAILED)


class _Talk:
    """Tells of the first ingest of a watch as it goes on; of later ones only what is notable."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        self._tell: OnEvent = only_notices if quiet or as_json else Lines()

    def __call__(self, event: IngestEvent) -> None:
        self._tell(event)

    def only_notices(self) -> None:
        self._tell = only_notices


def _show_changes(
    session: Session,
    index: Index,
    reports: Iterator[IngestReport],
    paths: tuple[str, ...],
    talk: _Talk,
) -> None:
    """Print the summary of the first ingest, and each change from then on; as JSON, each change."""
    before: IngestReport | None = None
    started = time.monotonic()
    for report in reports:
        if before is None and not session.as_json:
            _print_talk(report, paths)
            click.echo(_summary(report, time.monotonic() - started))
        else:
            written = report.added or report.updated
            chunks = {each.uri: each.chunks for each in index.documents()} if written else {}
            for change in changes(report, before or IngestReport(), chunks):
                click.echo(as_json(change) if session.as_json else as_text(change))
        if before is None and not report.stopped:
            talk.only_notices()
            places = ", ".join(map(one_line, paths))
            click.echo(f"ragkit: watching {places}; Ctrl-C ends it", err=True)
        before = report
    if before and before.stopped:
        click.echo(f"ragkit: {STOPPED[before.stopped]}; run it again to continue", err=True)
    else:
        click.echo("ragkit: no longer watching", err=True)


@contextmanager
def until_stopped(stop: threading.Event) -> Iterator[list[int]]:
    """Let the first Ctrl-C or SIGTERM end the run cleanly, and the second at once.

    Gives the list of the signals that came.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        stop.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def confirmation(*, yes: bool) -> Callable[[Estimate], bool] | None:
    """Return who is asked before much is sent; None where nobody is there."""
    if yes:
        return lambda _estimate: True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(estimate: Estimate) -> bool:
        click.echo(_estimate_words(estimate), err=True)
        return click.confirm("Send that?", err=True)

    return ask


def print_estimate(session: Session, estimate: Estimate) -> None:
    if session.as_json:
        click.echo(render.json_text(estimate.to_dict()))
    else:
        click.echo(_estimate_words(estimate))


def _estimate_words(estimate: Estimate) -> str:
    rows = [
        ("files", f"{estimate.files}"),
        *((word, f"{count}") for word, count in _counts(estimate) if count),
        ("chunks", f"{estimate.chunks}, of which {estimate.new_chunks} have to be embedded"),
        ("tokens", f"about {estimate.tokens:,}"),
    ]
    if estimate.destination:
        rows.append(("requests", f"{estimate.requests:,} to {estimate.destination}"))
        cost = "unknown (set prices)" if estimate.cost is None else f"{estimate.cost:,.4f}"
        rows.append(("cost", cost))
    else:
        rows.append(("requests", "none: nothing leaves this machine"))
    if estimate.seconds is not None:
        rows.append(("time", f"about {estimate.seconds:,.0f} s"))
    rows.append(("model", estimate.model))
    return table(rows)


def _counts(estimate: Estimate) -> list[tuple[str, int]]:
    return [
        ("new", estimate.added),
        ("changed", estimate.updated),
        ("moved", estimate.moved),
        ("unchanged", estimate.unchanged),
        ("failing", estimate.failed),
        ("to skip", estimate.skipped),
    ]


def _print_talk(report: IngestReport, paths: tuple[str, ...]) -> None:
    """Print on stderr what needs a look: failures, files left out, documents kept."""
    for failure in report.failed:
        click.echo(f"failed: {_line(failure)}", err=True)
    for failure in report.skipped[:SKIPPED_SHOWN]:
        click.echo(f"skipped: {_line(failure)}", err=True)
    if len(report.skipped) > SKIPPED_SHOWN:
        more = len(report.skipped) - SKIPPED_SHOWN
        click.echo(f"skipped: {more} more files (--json lists all)", err=True)
    if report.kept:
        click.echo(
            f"ragkit: the files of {len(report.kept)} documents are gone; the documents were kept,"
            " because they are so many. --prune removes them.",
            err=True,
        )
    seen = (
        *(report.added, report.updated, report.moved, report.removed),
        *(report.unchanged, report.failed),
    )
    if not any(seen) and not report.stopped:
        places = ", ".join(map(one_line, paths))
        click.echo(f"ragkit: nothing to ingest in {places}", err=True)


def _line(failure: Failure) -> str:
    return f"{render.name(failure.uri)}: {one_line(failure.message)} ({failure.code})"


def _summary(report: IngestReport, seconds: float) -> str:
    words = ("added", "updated", "moved", "removed", "unchanged", "failed", "skipped")
    counts = {word: len(getattr(report, word)) for word in words}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    chunks = f"{report.chunks} chunks"
    if report.stopped and report.chunks_embedded > report.chunks:
        ahead = report.chunks_embedded - report.chunks
        chunks += f", {ahead} more embedded of documents that are not complete"
    return f"{said or 'no documents'}; {chunks}; {seconds:.1f} s"
