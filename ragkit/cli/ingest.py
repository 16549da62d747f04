"""`ragkit ingest`: files, folders, web pages and standard input into the index."""

from __future__ import annotations

import sys
import time

import click

from ragkit.cli import render
from ragkit.cli.failures import SOME_FAILED
from ragkit.cli.options import setting_option
from ragkit.cli.progress import reporter
from ragkit.cli.session import Session, global_options
from ragkit.cli.terminal import one_line
from ragkit.sources import read_stream, stdin_uri
from ragkit.types import Failure, IngestReport

SKIPPED_SHOWN = 10  # a folder of pictures would hide the failures


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--name", metavar="NAME", default="-", help="What to call standard input (-).")
@setting_option("collection", metavar="NAME")
@click.option(
    "--prune", is_flag=True, help="Remove documents whose files are gone, however many they are."
)
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
    quiet: bool,
    **overrides: object,
) -> None:
    """Read files, folders, web pages and stdin into the index.

    PATH is a file, a folder, an http(s) address (that one page), or - for standard input, which
    --name gives a name: its suffix helps to tell the format (--name notes.md).

    What has not changed is left as it is, what was moved is recognised, and what is gone from a
    folder is removed. Exits with 1 where files failed; the others are in the index.
    """
    if "-" in paths and len(paths) > 1:
        raise click.UsageError("- (standard input) stands alone")
    if name != "-" and "-" not in paths:
        raise click.UsageError("--name is for standard input: ragkit ingest - --name NAME")
    settings = session.settings(**overrides)
    started = time.monotonic()
    with session.open(settings) as index, reporter(quiet=quiet or session.as_json) as on_event:
        if "-" in paths:
            report = index.ingest_bytes(
                read_stream(sys.stdin.buffer, max_bytes=settings.max_file_mb * 1_000_000),
                uri=stdin_uri(name),
                name=name,
                collection=collection,
                on_event=on_event,
            )
        else:
            report = index.ingest(*paths, collection=collection, prune=prune, on_event=on_event)
    seconds = time.monotonic() - started
    if session.as_json:
        click.echo(render.json_text(report.to_dict()))
    else:
        _print_talk(report, paths)
        click.echo(_summary(report, seconds))
    if report.failed:
        raise click.exceptions.Exit(SOME_FAILED)


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
    if not any(seen):
        places = ", ".join(map(one_line, paths))
        click.echo(f"ragkit: nothing to ingest in {places}", err=True)


def _line(failure: Failure) -> str:
    return f"{render.name(failure.uri)}: {one_line(failure.message)} ({failure.code})"


def _summary(report: IngestReport, seconds: float) -> str:
    words = ("added", "updated", "moved", "removed", "unchanged", "failed", "skipped")
    counts = {word: len(getattr(report, word)) for word in words}
    said = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{said or 'no documents'}; {report.chunks} chunks; {seconds:.1f} s"
