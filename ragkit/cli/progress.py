"""The progress of an ingest, on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

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
def reporter(*, quiet: bool) -> Iterator[OnEvent]:
    """Give a callback for the events of an ingest. Notices are shown even when quiet."""
    if quiet:
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


class Lines:
    """Prints where the ingest stands, at most once in `SECONDS_BETWEEN_LINES`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def __call__(self, event: IngestEvent) -> None:
        only_notices(event)
        now = self._clock()
        if isinstance(event, Progress) and now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            click.echo(f"ragkit: {_words(event)}", err=True)


def _words(event: Progress) -> str:
    failures = f", {event.failures} failed" if event.failures else ""
    return f"{event.files} of {event.files_total} files, {event.chunks} chunks{failures}"


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
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("looking for files", total=None, name="")

        def on_event(event: IngestEvent) -> None:
            if isinstance(event, Notice):
                console.print(f"ragkit: {one_line(event.text)}", markup=False, highlight=False)
                return
            bar.update(
                task,
                description=_words(event),
                completed=event.files,
                total=event.files_total,
                name=shortened(name(event.uri), 40),
            )

        yield on_event
