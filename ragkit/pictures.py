"""Pictures of the pages of documents, drawn by processes that wait for the next for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ragkit.errors import DocumentError, QueryError
from ragkit.intake import parse_options
from ragkit.parsing import PageJob, Picture, draw_guarded
from ragkit.parsing.picture import png
from ragkit.parsing.pool import ParserPool
from ragkit.settings import Settings
from ragkit.types import Document, Page, Span

WIDTHS = range(50, 4001)
PROCESSES = 2  # so that a page that takes long keeps nobody from all others
IDLE_SECONDS = 60.0  # starting a process takes 0.2 s, and one holds 60 MB
DRAW_SECONDS = 10.0  # of processor time: whoever waits for a picture doesn't wait for longer
_PDF = "application/pdf"


class Pictures:
    """Draws pages within the limits of the settings. Threads may share it."""

    def __init__(self, settings: Settings, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._settings = settings
        self._idle_seconds = idle_seconds
        self._guard = threading.Lock()
        self._pool: ParserPool | None = None
        self._busy = 0
        self._timer: threading.Timer | None = None

    def page(
        self,
        document: Document,
        number: int,
        *,
        span: Span | None,
        width: int,
        load: Callable[[], bytes],
    ) -> bytes:
        """Return a page of a document as PNG, with what of `span` is on it highlighted.

        `load` gives the document's bytes. Raises DocumentError with the code "no-pages" for what
        is no PDF, QueryError for a page that isn't there, ParseError.
        """
        if document.media_type != _PDF:
            message = f"{document.uri} is no PDF, and has no pages to show"
            raise DocumentError(document.uri, message, code="no-pages")
        if width not in WIDTHS:
            message = f"a picture can't be {width} pixels wide"
            raise QueryError(message, hint=f"ask for {WIDTHS[0]} to {WIDTHS[-1]}")
        page = next((each for each in document.pages if each.number == number), None)
        if page is None:
            count = len(document.pages)
            message = f"{document.uri} has {count} pages, and none with the number {number}"
            raise QueryError(message, hint="pages count from 1", code="no-page")
        job = _job(document, page, span, width)
        return png(self._drawn(load(), job))

    def close(self) -> None:
        """End the processes; another picture starts them again."""
        with self._guard:
            self._end()

    def _drawn(self, data: bytes, job: PageJob) -> Picture:
        if self._settings.isolation == "none":
            return draw_guarded(data, job)
        with self._processes() as pool:
            return pool.draw(data, job)

    @contextmanager
    def _processes(self) -> Iterator[ParserPool]:
        with self._guard:
            if self._pool is None:
                options = parse_options(self._settings)
                seconds = min(options.seconds, DRAW_SECONDS)
                self._pool = ParserPool(replace(options, seconds=seconds), workers=PROCESSES)
            if self._timer:
                self._timer.cancel()
            pool = self._pool
            self._busy += 1
        try:
            yield pool
        finally:
            with self._guard:
                self._busy -= 1
                self._timer = threading.Timer(self._idle_seconds, self._end_if_idle)
                self._timer.daemon = True
                self._timer.start()

    def _end_if_idle(self) -> None:
        with self._guard:
            if not self._busy:
                self._end()

    def _end(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._pool:
            self._pool.close()
        self._pool = self._timer = None


def _job(document: Document, page: Page, span: Span | None, width: int) -> PageJob:
    """Return what to draw, with the part of a span of the document that is on the page."""
    job = PageJob(document.uri, page.number, width)
    if span is None:
        return job
    start, end = max(span.start, page.span.start), min(span.end, page.span.end)
    if start >= end:
        return job
    text = document.text[page.span.start : page.span.end]
    return replace(job, text=text, start=start - page.span.start, end=end - page.span.start)
