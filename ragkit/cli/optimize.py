"""`ragkit optimize`: a large index made quick, and its file small."""

from __future__ import annotations

import threading

import click

from ragkit.cli import render
from ragkit.cli.ingest import STOPPED, until_stopped
from ragkit.cli.progress import reporter
from ragkit.cli.session import Session, global_options


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Only the summary.")
@global_options
@click.pass_obj
def optimize(session: Session, /, *, quiet: bool) -> None:
    """Make a large index quick, and its file small.

    Trains the vector index again (from 20,000 passages on there is one), merges the word index,
    and writes the file anew where a fifth of it is free. An ingest does what is due of the first
    by itself. Searches and questions go on meanwhile. Stopped by Ctrl-C it keeps what is done: run
    it again to continue.
    """
    stop = threading.Event()
    with (
        session.open(session.settings()) as index,
        reporter(quiet=False, as_json=session.as_json) as show,
        until_stopped(stop) as signals,
    ):
        on_event = (lambda _event: None) if quiet else show
        report = index.optimize(stop=stop.is_set, on_event=on_event)
    if session.as_json:
        click.echo(render.json_text(report.to_dict()))
    else:
        before, after = report.size_before / 1e6, report.size_after / 1e6
        click.echo(f"{len(report.steps)} steps; {before:,.1f} MB before, {after:,.1f} MB now")
    if report.interrupted:
        click.echo(f"ragkit: {STOPPED['interrupted']}; run it again to continue", err=True)
    if signals:
        raise click.exceptions.Exit(128 + signals[0])
