"""`ragkit ingest`: files, folders, web pages and standard input into the index."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ragkit.cli import render
from ragkit.cli.failures import SOME_FAILED
from ragkit.cli.options import setting_option
from ragkit.cli.progress import reporter
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line, table
from ragkit.sources import read_stream, stdin_uri
from ragkit.types import Estimate, Failure, IngestLimits, IngestReport

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
    """
    if "-" in paths and len(paths) > 1:
        raise click.UsageError("- (standard input) stands alone")
    if name != "-" and "-" not in paths:
        raise click.UsageError("--name is for standard input: ragkit ingest - --name NAME")
    settings = session.settings(**overrides)
    if dry_run:
        with session.open(settings) as index:
            _print_estimate(session, index.estimate(*paths, collection=collection))
        return
    stop = threading.Event()
    limits = IngestLimits(
        max_tokens=max_tokens or 0,
        max_cost=max_cost or 0.0,
        confirm=_confirmation(yes=yes),
        stop=stop.is_set,
    )
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


def _confirmation(*, yes: bool) -> Callable[[Estimate], bool] | None:
    """Return who is asked before much is sent; None where nobody is there."""
    if yes:
        return lambda _estimate: True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(estimate: Estimate) -> bool:
        click.echo(_estimate_words(estimate), err=True)
        return click.confirm("Send that?", err=True)

    return ask


def _print_estimate(session: Session, estimate: Estimate) -> None:
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
    return f"{said or 'no documents'}; {report.chunks} chunks; {seconds:.1f} s"
