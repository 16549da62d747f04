"""The progress of an ingest, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ragkit.cli.render import name
from ragkit.cli.terminal import one_line, shortened
from ragkit.types import IngestEvent, Notice, Progress

OnEvent = Callable[[IngestEvent], None]

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def reporter(*, quiet: bool, as_json: bool = False) -> Iterator[OnEvent]:
    """Give a callback for the events of an ingest. Notices are shown even when quiet."""
    if as_json:
        yield only_notices if quiet else json_lines
    elif quiet:
        yield only_notices
    elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar() as on_event:
            yield on_event
    else:
        yield Lines()


def only_notices(event: IngestEvent) -> None:
    """Print a notice on stderr, and nothing of the progress."""
    if isinstance(event, Notice):
        click.echo(f"ragkit: {one_line(event.text)}", err=True)


def json_lines(event: IngestEvent) -> None:
    """Print each event on stderr as a line of JSON."""
    click.echo(json.dumps(event.to_dict()), err=True)


class Lines:
    """Prints where the ingest stands, at most once in `SECONDS_BETWEEN_LINES`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun = self._last = clock()

    def __call__(self, event: IngestEvent) -> None:
        only_notices(event)
        now = self._clock()
        if isinstance(event, Progress) and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            seconds = now - self._begun
            left = _seconds_left(event, seconds)
            ending = f", about {left:.0f} s left" if left else ""
            click.echo(f"ragkit: {_words(event, seconds)}{ending}", err=True)


def _words(event: Progress, seconds: float = 0.0) -> str:
    words = f"{event.files} of {event.files_total} files, {event.chunks} chunks"
    if event.tokens:
        words += f", {event.tokens:,} tokens embedded"
    if event.chunks_embedded and seconds > 1:
        words += f", {event.chunks_embedded / seconds:.0f} chunks/s"
    return words + (f", {event.failures} failed" if event.failures else "")


def _seconds_left(event: Progress, seconds: float) -> float:
    """Return how long it may still take, by the bytes dealt with so far; 0 where unknown."""
    if not event.bytes_done:
        return 0.0
    return seconds * (event.bytes_total - event.bytes_done) / event.bytes_done


@contextmanager
def _bar() -> Iterator[OnEvent]:
    # rich takes 0.1 s to import: only here, where a bar is shown.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[name]}", markup=False),
    )
    console = Console(stderr=True)
    begun = time.monotonic()
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking for files", total=None, name="")

        def on_event(event: IngestEvent) -> None:
            if isinstance(event, Notice):
                console.print(f"ragkit: {one_line(event.text)}", markup=False, highlight=False)
                return
            bar.update(
                task,
                description=_words(event, time.monotonic() - begun),
                completed=event.bytes_done or event.files,
                total=event.bytes_total or event.files_total,
                name=shortened(name(event.uri), 40),
            )

        yield on_event
