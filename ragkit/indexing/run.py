"""One ingest: from files to chunks with vectors, one transaction a document.

What is in the index already is not read, parsed or embedded again: a file is compared by size
and time, then by content; a moved one is renamed; a chunk whose text was embedded before takes
its vector from the index.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit import chunking, sources, vectors
from ragkit.errors import BadProviderResponse, DocumentError, ParseError, SkippedDocument
from ragkit.indexing.reading import Incoming, Source, parse_ahead
from ragkit.parsing import Parsed, ParseOptions, parse_guarded
from ragkit.parsing.pool import ParserPool
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
# What a file may have become that has no text any more.
_NOTHING_TO_READ = frozenset({"empty", "binary", "unsupported"})


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
    parse_workers: int = 0
    parse_options: ParseOptions = ParseOptions()  # noqa: RUF009  frozen
    max_file_bytes: int = sources.MAX_BYTES
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
class _Coming(Incoming):
    """What has changed, with the document that it replaces, if there is one."""

    known: Known | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document ready to be embedded and written."""

    document: Document
    chunks: Sequence[Chunk]
    inputs: Sequence[str]
    size: int
    mtime_ns: int
    is_new: bool


def ingest(
    store: SqliteStore,
    embedder: Embedder,
    paths: Sequence[Path],
    plan: Ingest,
    *,
    others: Sequence[Source] = (),
) -> IngestReport:
    """Bring the index up to what the files at these paths, and other sources, say.

    One bad document is a `Failure` in the report. Raises DocumentError for a path that doesn't
    exist, IndexStateError and ProviderError; what was written before stays.
    """
    walks = list({walk.root_uri: walk for walk in map(sources.walk, paths)}.values())
    others = list({source.uri: source for source in others}.values())
    tally = _Tally()
    for left_out in {each.uri: each for walk in walks for each in walk.skipped}.values():
        (tally.failed if left_out.code == "unreadable" else tally.skipped).append(left_out)
    own = store.files()
    files = {file.uri: file for walk in walks for file in walk.files if file.path not in own}
    if not files and not others and not store.exists():
        return tally.report()  # nothing to make an index of
    with store.exclusive():
        if files or others:
            store.claim(plan.fingerprint)
        named = {walk.root_uri for walk in walks} | {source.uri for source in others}
        for uri in store.excluded() & named:
            store.include(uri)  # named by itself: the user wants it back
        work = _Run(store, embedder, plan, tally, [*files.values(), *others])
        with closing(work.changed()) as documents:
            work.write_all(documents)
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
        reads: Sequence[SourceFile | Source],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._plan = plan
        self._tally = tally
        self._reads = reads
        self._uris = {each.uri for each in reads}
        self._known = store.known()
        self._excluded = store.excluded()
        self._gone = _by_content(
            known for uri, known in self._known.items() if uri not in self._uris and _vanished(uri)
        )
        self._done = 0
        self._announced = False

    # --- what has changed ----------------------------------------------------------------------

    def changed(self) -> Generator[_Prepared]:
        """Yield the documents that must be embedded and written, dealing with all others."""
        plan = self._plan
        pool: AbstractContextManager[ParserPool | None] = nullcontext()
        if plan.parse_workers:
            pool = ParserPool(plan.parse_options, workers=plan.parse_workers)
        with pool as parsers:

            def read(coming: _Coming) -> Parsed:
                data, uri, name = coming.data, coming.uri, coming.name
                if parsers:
                    return parsers.parse(data, uri=uri, name=name)
                return parse_guarded(data, uri=uri, name=name, options=plan.parse_options)

            threads = max(1, plan.parse_workers)
            with closing(parse_ahead(self._coming(), read, threads=threads)) as results:
                for coming, parsed in results:
                    try:
                        yield self._prepared(coming, parsed.result())
                    except DocumentError as exc:
                        self._leave_out(exc)
                    except MemoryError:
                        message = "reading the file takes more memory than there is"
                        self._leave_out(ParseError(coming.uri, message, code="too-large"))

    def _coming(self) -> Iterator[_Coming]:
        """Yield what is new or changed, and deal with what isn't."""
        for source in self._reads:
            try:
                coming = (
                    self._file(source) if isinstance(source, SourceFile) else self._other(source)
                )
            except DocumentError as exc:
                self._leave_out(exc)
                continue
            if coming:
                yield coming
            else:
                self._count(source.uri)

    def _file(self, file: SourceFile) -> _Coming | None:
        """Return a file that must be parsed; None for one that is in the index as it is."""
        known = self._known.get(file.uri)
        if file.uri in self._excluded:
            raise SkippedDocument(
                file.uri, "removed by the user", hint="bring it back by naming it", code="excluded"
            )
        if known and self._is_known(file):
            self._unchanged(known, size=file.size, mtime_ns=file.mtime_ns)
            return None
        data = sources.read(file, max_bytes=self._plan.max_file_bytes)
        content_hash = hashlib.sha256(data).hexdigest()
        mtime_ns = file.mtime_ns if time.time_ns() - file.mtime_ns > _RACY_NS else 0
        if known and known.content_hash == content_hash:
            self._unchanged(known, size=file.size, mtime_ns=mtime_ns)
            return None
        if known is None and (gone := self._take_gone(content_hash, file)):
            self._moved(gone, file, mtime_ns)
            return None
        return _Coming(file.uri, file.path.name, data, content_hash, file.size, mtime_ns, known)

    def _other(self, source: Source) -> _Coming | None:
        """Return another source that must be parsed; None for one that hasn't changed."""
        loaded = source.load()
        if len(loaded.data) > self._plan.max_file_bytes:
            message = f"it has {len(loaded.data):,} bytes; the limit is"
            message += f" {self._plan.max_file_bytes:,}"
            raise DocumentError(source.uri, message, hint="raise max_file_mb", code="too-large")
        known = self._known.get(source.uri)
        size = len(loaded.data)
        content_hash = hashlib.sha256(loaded.data).hexdigest()
        if known and known.content_hash == content_hash:
            self._unchanged(known, size=size, mtime_ns=0)
            return None
        return _Coming(source.uri, loaded.name, loaded.data, content_hash, size, 0, known)

    def _unchanged(self, known: Known, *, size: int, mtime_ns: int) -> None:
        collection = self._collection(known)
        seen = (known.size_bytes, known.mtime_ns, known.collection)
        if seen != (size, mtime_ns, collection):
            self._store.touch(known.id, size_bytes=size, mtime_ns=mtime_ns, collection=collection)
        self._tally.unchanged.append(known.uri)

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
        self._store.rename(
            known.id,
            file.uri,
            size_bytes=file.size,
            mtime_ns=mtime_ns,
            collection=self._collection(known),
        )
        self._tally.moved.append(Move(known.uri, file.uri))
        self._known.pop(known.uri)

    def _prepared(self, coming: _Coming, parsed: Parsed) -> _Prepared:
        document = Document(
            id=coming.known.id if coming.known else secrets.token_hex(8),
            uri=coming.uri,
            title=parsed.title,
            text=parsed.text,
            media_type=parsed.media_type,
            content_hash=coming.content_hash,
            collection=self._collection(coming.known),
            metadata=parsed.metadata,
            pages=parsed.pages,
            headings=parsed.headings,
            blocks=parsed.blocks,
        )
        for warning in parsed.warnings:
            self._plan.on_event(Notice(f"{coming.name}: {warning}"))
        fingerprint = self._plan.fingerprint
        chunks = chunking.chunk(document, max_tokens=fingerprint.chunk_tokens)
        inputs = [
            fill_document(
                fingerprint.document_template,
                title=document.title,
                context=context,
                text=chunk.text,
            )
            for chunk, context in zip(chunks, chunking.contexts(chunks, document), strict=True)
        ]
        return _Prepared(
            document, chunks, inputs, coming.size, coming.mtime_ns, coming.known is None
        )

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
                self._leave_out(DocumentError(uri, str(exc), hint=exc.hint, code=exc.code))
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
        files = [each for each in self._reads if isinstance(each, SourceFile)]
        pending = [file for file in files if not self._is_known(file)]
        count = len(pending) + len(self._reads) - len(files)
        tokens = sum(file.size // _bytes_a_token(file) for file in pending)
        self._plan.on_event(
            Notice(
                f"the text of {count} files, about {tokens:,} tokens, goes to"
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
            size_bytes=prepared.size,
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
        gone = [known for known in inside if known.uri not in self._uris and _vanished(known.uri)]
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
            self._remove(known)

    def _remove(self, known: Known) -> None:
        self._store.remove(known.id)
        self._known.pop(known.uri)
        self._tally.removed.append(known.uri)

    # --- bookkeeping ---------------------------------------------------------------------------

    def _leave_out(self, error: DocumentError) -> None:
        """Count a source that gives no document.

        One that was a document, and holds nothing to read now, must not answer with its old text.
        """
        known = self._known.get(error.uri)
        if known and isinstance(error, SkippedDocument) and error.code in _NOTHING_TO_READ:
            self._remove(known)
        message = f"{error} ({error.hint})" if error.hint else str(error)
        failure = Failure(error.uri, error.code, message)
        is_skip = isinstance(error, SkippedDocument)
        (self._tally.skipped if is_skip else self._tally.failed).append(failure)
        self._count(error.uri)

    def _count(self, uri: str) -> None:
        self._done += 1
        tally = self._tally
        self._plan.on_event(
            Progress(uri, self._done, len(self._reads), tally.chunks, len(tally.failed))
        )


def _by_content(documents: Iterable[Known]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for known in documents:
        found.setdefault(known.content_hash, []).append(known)
    return found


def _vanished(uri: str) -> bool:
    """Whether a file is known to be gone; one that can't be looked at is not."""
    if not uri.startswith("file:"):
        return False
    try:
        sources.path_of(uri).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def _bytes_a_token(file: SourceFile) -> int:
    """A first guess before anything is parsed: the filings of a stock exchange in PDF take 10."""
    return 10 if file.path.suffix.lower() == ".pdf" else 4
