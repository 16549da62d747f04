"""Uploads: a queue that survives crashes, and the thread that ingests what is in it."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO

from ragkit.errors import (
    DocumentNotFound,
    IndexBusy,
    ModelNotFound,
    ProviderAuthError,
    ProviderError,
    RagkitError,
    RateLimited,
    StorageFull,
)
from ragkit.server.upload_files import DEFAULT_COLLECTION, Upload, UploadFiles
from ragkit.types import Failure, IngestEvent, IngestLimits, IngestReport, Progress

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from ragkit.index import Index

__all__ = ["Upload", "Uploads"]

_log = logging.getLogger(__name__)

MAX_BYTES = 100_000_000
POLL_SECONDS = 0.3
CLOSE_SECONDS = 2.0
BUSY_SECONDS = 1.0
# After a failure that may pass: a hiccup, a rate limit of a minute, an outage of some minutes.
PAUSES = (5.0, 60.0, 300.0)
_FORGET_EVERY_SECONDS = 60.0
# What stays as it is until somebody changes the settings.
_LASTING = (ProviderAuthError, ModelNotFound)
_UNSUPPORTED = "unsupported"


class Uploads:
    """Receives files, and ingests them one after the other into an index that keeps their bytes.

    An upload that was taken in is ingested, whatever crashes before: by the next process that
    works on the same folder. Several may, and one of them ingests. The same name in the same
    collection is a new version of the same document.
    """

    def __init__(
        self,
        index: Index,
        folder: Path,
        *,
        max_bytes: int = MAX_BYTES,
        collection: str = DEFAULT_COLLECTION,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._index = index
        self._files = UploadFiles(folder, clock=clock)
        self._max_bytes = max_bytes
        self._collection = collection
        self._clock = clock
        self._pauses = pauses
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._trouble = ""

    def __enter__(self) -> Uploads:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin to ingest what waits, and what comes."""
        self._thread = threading.Thread(target=self._work, name="ragkit-uploads", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop within two seconds. What is under way goes on at the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread:
            self._thread.join(CLOSE_SECONDS)

    # --- for the server's requests -------------------------------------------------------------

    def add(self, filename: str, stream: BinaryIO, *, collection: str | None = None) -> Upload:
        """Take in a file; it is on the disk when this returns, and ingested some time after.

        Raises DocumentError with the code "too-large", ConfigError for a collection that can't be
        one, StorageFull.
        """
        upload = self._files.receive(
            filename,
            stream,
            collection=self._collection if collection is None else collection,
            max_bytes=self._max_bytes,
        )
        self._wake.set()
        return upload

    def get(self, id_: str) -> Upload:
        """Return an upload as it stands. Raises DocumentNotFound."""
        return self._files.read(id_)

    def list(self) -> Sequence[Upload]:
        """Return the uploads, newest first; those done with for a day, or beyond 500, are gone."""
        return [*self._files.newest()]

    def watch(self, id_: str) -> Iterator[Upload]:
        """Yield an upload as it stands and at each change, until nothing more will change.

        Ends early when the queue is closed. Raises DocumentNotFound at once.
        """
        return self._changes(self.get(id_))

    def _changes(self, upload: Upload) -> Iterator[Upload]:
        yield upload
        while not upload.is_final and not self._stopping.wait(POLL_SECONDS):
            try:
                now = self.get(upload.id)
            except DocumentNotFound:
                return
            if now != upload:
                yield now
            upload = now

    # --- the thread ----------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                with _Turn(self._files.folder) as is_ours:
                    if is_ours:
                        self._serve()
            except (OSError, StorageFull) as exc:
                if str(exc) != self._trouble:
                    _log.warning("uploads wait: %s", exc)
                self._trouble = str(exc)
            self._wake.wait(BUSY_SECONDS)
            self._wake.clear()

    def _serve(self) -> None:
        """Ingest what comes until the queue is closed."""
        forgotten_at = -_FORGET_EVERY_SECONDS
        while not self._stopping.is_set():
            self._wake.clear()
            for upload in self._files.waiting():
                if not self._stopping.is_set():
                    self._ingest(upload)
            if time.monotonic() - forgotten_at >= _FORGET_EVERY_SECONDS:
                self._files.forget()
                forgotten_at = time.monotonic()
            self._wake.wait(POLL_SECONDS)

    def _ingest(self, upload: Upload) -> None:
        """Ingest one upload, and again after what may pass."""
        told = _Told(self._files, replace(upload, state="running", message=""), self._clock)
        pauses = iter(self._pauses)
        while not self._stopping.is_set():
            told.tell(message="")
            try:
                outcome = self._outcome(told.upload, self._attempt(told))
            except IndexBusy as exc:  # after the setting lock_wait_seconds
                told.tell(message=str(exc))
                self._stopping.wait(BUSY_SECONDS)
                continue
            except (ProviderError, StorageFull) as exc:
                pause = None if isinstance(exc, _LASTING) else next(pauses, None)
                if pause is not None:
                    if isinstance(exc, RateLimited):
                        pause = max(pause, exc.retry_after)
                    told.tell(message=f"{exc}; it is tried again in {pause:.0f} s")
                    self._stopping.wait(pause)
                    continue
                outcome = _failed(exc)
            except RagkitError as exc:
                outcome = _failed(exc)
            except Exception:  # noqa: BLE001  it ends one upload, not the queue
                _log.exception("a bug of ragkit")
                message = "this is a bug of ragkit; its log says more"
                outcome = {"state": "failed", "error_code": "internal", "error_message": message}
            if outcome:
                told.tell(**outcome)
                return
        told.tell(state="queued", message="")

    def _attempt(self, told: _Told) -> IngestReport:
        upload = told.upload
        return self._index.ingest_bytes(
            self._files.data(upload),
            uri=upload.uri,
            name=upload.filename,
            collection=upload.collection,
            include=True,  # who sends a file that was excluded wants it back
            keep=True,
            limits=IngestLimits(stop=self._stopping.is_set),
            on_event=told.hear,
        )

    def _outcome(self, upload: Upload, report: IngestReport) -> dict[str, Any]:
        """Return what is known of an upload after its ingest; {} where that was stopped."""
        for failures, state in ((report.failed, "failed"), (report.skipped, "skipped")):
            if failures:
                return _left_out(failures[0], state)
        if report.stopped:
            return {}
        result = "added" if report.added else "updated" if report.updated else "unchanged"
        outcome = {"state": "done", "result": result, "chunks_embedded": report.chunks_embedded}
        try:
            chunks = self._index.chunks(upload.uri)
        except DocumentNotFound:  # removed since
            return outcome
        return {**outcome, "document_id": chunks[0].document_id, "chunks": len(chunks)}


class _Told:
    """What is told of an upload under way: each change, but of its progress only some a second."""

    def __init__(self, files: UploadFiles, upload: Upload, clock: Callable[[], datetime]) -> None:
        self.upload = upload
        self._files = files
        self._clock = clock
        self._told_at = 0.0

    def tell(self, **changes: Any) -> None:
        if changes.get("state") in ("done", "skipped", "failed"):
            changes = {"message": "", **changes}
        now = self._clock().isoformat(timespec="milliseconds")
        self.upload = replace(self.upload, updated_at=now, **changes)
        self._files.write(self.upload)
        self._told_at = time.monotonic()

    def hear(self, event: IngestEvent) -> None:
        if not isinstance(event, Progress):
            self.tell(message=event.text)
        elif time.monotonic() - self._told_at >= POLL_SECONDS:
            self.tell(chunks=event.chunks_found, chunks_embedded=event.chunks_embedded, message="")


class _Turn:
    """The right to ingest what is in a folder, of one process or thread at a time.

    The system takes it back when a process dies. `with` gives whether it was to be had.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._descriptor = -1

    def __enter__(self) -> bool:
        if not self._path.parent.is_dir():
            return False  # nothing was ever uploaded
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
        if sys.platform == "win32":  # the index's own lock lets one write at a time
            return True
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


def _failed(error: RagkitError) -> dict[str, Any]:
    message = f"{error} ({error.hint})" if error.hint else str(error)
    return {"state": "failed", "error_code": error.code, "error_message": message}


def _left_out(failure: Failure, state: str) -> dict[str, Any]:
    state = "skipped" if failure.code == _UNSUPPORTED else state
    return {"state": state, "error_code": failure.code, "error_message": failure.message}
