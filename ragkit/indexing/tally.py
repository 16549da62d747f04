"""The report of an ingest while it grows, and the events that tell of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ragkit.errors import DocumentError, SkippedDocument
from ragkit.types import Failure, IngestEvent, IngestReport, Move, Notice, Progress, Usage


@dataclass(slots=True)
class Tally:
    """Counts what became of each source, and says so to `on_event`."""

    on_event: Callable[[IngestEvent], None]
    files_total: int = 0
    bytes_total: int = 0
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    moved: list[Move] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    chunks: int = 0
    chunks_found: int = 0
    chunks_embedded: int = 0
    tokens: int = 0
    usage: Usage = Usage()
    stopped: str = ""
    _files: int = 0
    _bytes: int = 0
    _uri: str = ""

    def leave_out(self, error: DocumentError, *, size: int = 0) -> None:
        """Count a source that gives no document: a failure, or one with nothing to read."""
        message = f"{error} ({error.hint})" if error.hint else str(error)
        failure = Failure(error.uri, error.code, message)
        is_skip = isinstance(error, SkippedDocument)
        (self.skipped if is_skip else self.failed).append(failure)
        self.done(error.uri, size=size)

    def done(self, uri: str, *, size: int = 0) -> None:
        """Count a source as dealt with."""
        self._files += 1
        self._bytes += size
        self._uri = uri
        self.tell()

    def tell(self) -> None:
        """Say how far the run is."""
        self.on_event(
            Progress(
                uri=self._uri,
                files=self._files,
                files_total=self.files_total,
                chunks=self.chunks,
                failures=len(self.failed),
                chunks_embedded=self.chunks_embedded,
                tokens=self.tokens,
                bytes_done=self._bytes,
                bytes_total=self.bytes_total,
                chunks_found=self.chunks_found,
            )
        )

    def notice(self, text: str) -> None:
        self.on_event(Notice(text))

    def report(self) -> IngestReport:
        return IngestReport(
            added=tuple(self.added),
            updated=tuple(self.updated),
            moved=tuple(self.moved),
            removed=tuple(self.removed),
            unchanged=tuple(self.unchanged),
            failed=tuple(self.failed),
            skipped=tuple(self.skipped),
            kept=tuple(self.kept),
            chunks=self.chunks,
            chunks_embedded=self.chunks_embedded,
            usage=self.usage,
            stopped=self.stopped,
        )
