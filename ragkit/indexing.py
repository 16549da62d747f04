"""Ingest: from files to chunks with vectors, one transaction a document.

What is in the index already is not read, parsed or embedded again: a file is compared by size
and time, then by content; a moved one is renamed; a chunk whose text was embedded before takes
its vector from the index.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit import chunking, sources, vectors
from ragkit.errors import BadProviderResponse, DocumentError
from ragkit.parsing import parse
from ragkit.ports import Embedder
from ragkit.prompts import fill_document
from ragkit.sources import SourceFile
from ragkit.store import Known, SqliteStore
from ragkit.types import (
    Chunk,
    Document,
    Failure,
    Fingerprint,
    IngestEvent,
    IngestReport,
    Move,
    Notice,
    Progress,
)

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# Chunks are embedded together, across documents, until there are this many.
_GROUP_CHUNKS = 96
# A file written this shortly before it was read may change again within its time stamp's grain.
_RACY_NS = 2_000_000_000
# More vanished documents than this, and more than half of a folder's, are not removed unasked.
_PRUNE_FLOOR = 20
# What was skipped without being read; parse errors of these codes are no failures either.
_SKIP_CODES = frozenset({"binary", "empty"})


@dataclass(frozen=True, slots=True)
class Ingest:
    """What one ingest needs to know besides its paths.

    `collection` is the label of the documents; None leaves known ones theirs and calls new ones
    `new_collection`. `destination` is where texts are sent to be embedded, "" where they stay on
    this machine.
    """

    fingerprint: Fingerprint
    collection: str | None = None
    new_collection: str = "default"
    prune: bool = False
    destination: str = ""
    on_event: Callable[[IngestEvent], None] = lambda _event: None


@dataclass(slots=True)
class _Tally:
    """The report while it grows."""

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    moved: list[Move] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    chunks: int = 0
    chunks_embedded: int = 0

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
        )


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document ready to be embedded and written."""

    document: Document
    chunks: Sequence[Chunk]
    inputs: Sequence[str]
    file: SourceFile
    mtime_ns: int
    is_new: bool


def ingest(
    store: SqliteStore, embedder: Embedder, paths: Sequence[Path], plan: Ingest
) -> IngestReport:
    """Bring the index up to what the files at these paths say.

    One bad document is a `Failure` in the report. Raises DocumentError for a path that doesn't
    exist, IndexStateError and ProviderError; what was written before stays.
    """
    walks = [sources.walk(path) for path in paths]
    tally = _Tally()
    for walk in walks:
        for left_out in walk.skipped:
            (tally.failed if left_out.code == "unreadable" else tally.skipped).append(left_out)
    files = {file.uri: file for walk in walks for file in walk.files}
    if not files and not store.exists():
        return tally.report()  # nothing to make an index of
    with store.exclusive():
        if files:
            store.claim(plan.fingerprint)
        for uri in store.excluded() & {walk.root_uri for walk in walks}:
            store.include(uri)  # named by itself: the user wants it back
        work = _Run(store, embedder, plan, tally, files)
        work.write_all(work.changed())
        for walk in walks:
            work.remove_vanished(walk)
    return tally.report()


class _Run:
    """One ingest under way."""

    def __init__(
        self,
        store: SqliteStore,
        embedder: Embedder,
        plan: Ingest,
        tally: _Tally,
        files: dict[str, SourceFile],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._plan = plan
        self._tally = tally
        self._files = files
        self._known = store.known()
        self._excluded = store.excluded()
        self._gone = _by_content(
            known for uri, known in self._known.items() if uri not in files and _vanished(uri)
        )
        self._done = 0
        self._announced = False

    # --- what has changed ----------------------------------------------------------------------

    def changed(self) -> Iterator[_Prepared]:
        """Yield the documents that must be embedded and written, dealing with all others."""
        for uri, file in self._files.items():
            try:
                prepared = self._prepare(file)
            except DocumentError as exc:
                self._leave_out(Failure(uri, exc.code, _sentence(exc)))
                prepared = None
            if prepared is not None:
                yield prepared
            else:
                self._count(uri)

    def _prepare(self, file: SourceFile) -> _Prepared | None:
        known = self._known.get(file.uri)
        if file.uri in self._excluded:
            raise DocumentError(
                file.uri, "removed by the user", hint="bring it back by naming it", code="excluded"
            )
        if known and self._is_known(file):
            self._unchanged(known, file, file.mtime_ns)
            return None
        data = sources.read(file)
        content_hash = hashlib.sha256(data).hexdigest()
        mtime_ns = file.mtime_ns if time.time_ns() - file.mtime_ns > _RACY_NS else 0
        if known and known.content_hash == content_hash:
            self._unchanged(known, file, mtime_ns)
            return None
        if known is None and (gone := self._take_gone(content_hash, file)):
            self._moved(gone, file, mtime_ns)
            return None
        return self._parsed(data, file, mtime_ns, content_hash, known)

    def _unchanged(self, known: Known, file: SourceFile, mtime_ns: int) -> None:
        collection = self._collection(known)
        seen = (known.size_bytes, known.mtime_ns, known.collection)
        if seen != (file.size, mtime_ns, collection):
            self._store.touch(
                known.id, size_bytes=file.size, mtime_ns=mtime_ns, collection=collection
            )
        self._tally.unchanged.append(file.uri)

    def _collection(self, known: Known | None) -> str:
        if self._plan.collection is not None:
            return self._plan.collection
        return known.collection if known else self._plan.new_collection

    def _take_gone(self, content_hash: str, file: SourceFile) -> Known | None:
        """Return a document whose file went away with this content, and forget it here.

        One with another suffix is another document: its parser may find other things in it.
        """
        same = self._gone.get(content_hash, [])
        for known in same:
            if Path(known.uri).suffix == Path(file.uri).suffix:
                same.remove(known)
                return known
        return None

    def _moved(self, known: Known, file: SourceFile, mtime_ns: int) -> None:
        self._store.rename(known.id, file.uri, size_bytes=file.size, mtime_ns=mtime_ns)
        self._tally.moved.append(Move(known.uri, file.uri))
        self._known.pop(known.uri)

    def _parsed(
        self,
        data: bytes,
        file: SourceFile,
        mtime_ns: int,
        content_hash: str,
        known: Known | None,
    ) -> _Prepared:
        parsed = parse(data, uri=file.uri, name=file.path.name)
        document = Document(
            id=known.id if known else secrets.token_hex(8),
            uri=file.uri,
            title=parsed.title,
            text=parsed.text,
            media_type=parsed.media_type,
            content_hash=content_hash,
            collection=self._collection(known),
            metadata=parsed.metadata,
            pages=parsed.pages,
            headings=parsed.headings,
            blocks=parsed.blocks,
        )
        for warning in parsed.warnings:
            self._plan.on_event(Notice(f"{file.path.name}: {warning}"))
        fingerprint = self._plan.fingerprint
        chunks = chunking.chunk(document, max_tokens=fingerprint.chunk_tokens)
        inputs = [
            fill_document(
                fingerprint.document_template,
                title=document.title,
                context=chunking.context(chunk, document),
                text=chunk.text,
            )
            for chunk in chunks
        ]
        return _Prepared(document, chunks, inputs, file, mtime_ns, known is None)

    # --- writing -------------------------------------------------------------------------------

    def write_all(self, documents: Iterable[_Prepared]) -> None:
        """Embed and write documents in groups, so that small ones share a request."""
        group: list[_Prepared] = []
        waiting = 0
        for prepared in documents:
            group.append(prepared)
            waiting += len(prepared.chunks)
            if waiting >= _GROUP_CHUNKS:
                self._write_group(group)
                group, waiting = [], 0
        self._write_group(group)

    def _write_group(self, group: Sequence[_Prepared]) -> None:
        try:
            packed = self._embed([text for prepared in group for text in prepared.inputs])
        except BadProviderResponse as exc:
            if len(group) == 1:
                uri = group[0].document.uri
                self._leave_out(Failure(uri, exc.code, _sentence(exc)))
                self._count(uri)
                return
            for prepared in group:  # so that one document's bad text fails that one alone
                self._write_group([prepared])
            return
        for prepared in group:
            self._write(prepared, packed)

    def _embed(self, inputs: Sequence[str]) -> dict[bytes, bytes]:
        """Return the packed vector of each input by its hash, asking only for those not known."""
        texts = {vectors.input_hash(text): text for text in inputs}
        packed = self._store.known_vectors(texts)
        missing = [key for key in texts if key not in packed]
        if missing:
            self._announce()
            fresh: Vectors = self._embedder.embed([texts[key] for key in missing], kind="document")
            packed.update(zip(missing, map(vectors.pack, fresh), strict=True))
            self._tally.chunks_embedded += len(missing)
        return packed

    def _announce(self) -> None:
        """Say once, before the first text leaves this machine, that it does, and how much."""
        if not self._plan.destination or self._announced:
            return
        self._announced = True
        pending = [file for uri, file in self._files.items() if not self._is_known(file)]
        tokens = sum(file.size // _bytes_a_token(file) for file in pending)
        self._plan.on_event(
            Notice(
                f"the text of {len(pending)} files, about {tokens:,} tokens, goes to"
                f" {self._plan.destination} to be embedded with {self._embedder.name}"
            )
        )

    def _is_known(self, file: SourceFile) -> bool:
        known = self._known.get(file.uri)
        return bool(known and (known.size_bytes, known.mtime_ns) == (file.size, file.mtime_ns))

    def _write(self, prepared: _Prepared, packed: dict[bytes, bytes]) -> None:
        keys = [vectors.input_hash(text) for text in prepared.inputs]
        self._store.put(
            prepared.document,
            prepared.chunks,
            [(key, packed[key]) for key in keys],
            size_bytes=prepared.file.size,
            mtime_ns=prepared.mtime_ns,
        )
        uri = prepared.document.uri
        (self._tally.added if prepared.is_new else self._tally.updated).append(uri)
        self._tally.chunks += len(prepared.chunks)
        self._count(uri)

    # --- vanished files ------------------------------------------------------------------------

    def remove_vanished(self, walk: sources.Walk) -> None:
        """Remove the documents whose files are gone from a folder, unless that looks like a loss.

        A folder that is empty, or from which more than half would go (and more than 20), keeps
        its documents unless `prune` is set: an unmounted disk looks just like that.
        """
        below = walk.root_uri.rstrip("/") + "/"
        inside = [known for uri, known in self._known.items() if uri.startswith(below)]
        gone = [known for known in inside if known.uri not in self._files and _vanished(known.uri)]
        if not gone or not walk.complete:
            return
        too_many = len(gone) > _PRUNE_FLOOR and len(gone) > len(inside) / 2
        if not self._plan.prune and (too_many or not walk.files):
            self._tally.kept.extend(known.uri for known in gone)
            self._plan.on_event(
                Notice(
                    f"{len(gone)} of {len(inside)} documents of {walk.root_uri} have no file any"
                    " more; they are kept (add --prune to remove them)"
                )
            )
            return
        for known in gone:
            self._store.remove(known.id)
            self._tally.removed.append(known.uri)

    # --- bookkeeping ---------------------------------------------------------------------------

    def _leave_out(self, failure: Failure) -> None:
        is_skip = failure.code in _SKIP_CODES or failure.code == "excluded"
        (self._tally.skipped if is_skip else self._tally.failed).append(failure)

    def _count(self, uri: str) -> None:
        self._done += 1
        tally = self._tally
        self._plan.on_event(
            Progress(uri, self._done, len(self._files), tally.chunks, len(tally.failed))
        )


def _by_content(documents: Iterable[Known]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for known in documents:
        found.setdefault(known.content_hash, []).append(known)
    return found


def _vanished(uri: str) -> bool:
    """Whether a file is known to be gone; one that can't be looked at is not."""
    try:
        return uri.startswith("file:") and not sources.path_of(uri).exists()
    except OSError:
        return False


def _bytes_a_token(file: SourceFile) -> int:
    """A first guess before anything is parsed: the filings of a stock exchange in PDF take 10."""
    return 10 if file.path.suffix.lower() == ".pdf" else 4


def _sentence(error: DocumentError | BadProviderResponse) -> str:
    return f"{error} ({error.hint})" if error.hint else str(error)
