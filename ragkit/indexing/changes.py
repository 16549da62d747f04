"""What of the sources is new or changed, read, parsed and cut into chunks; the rest dealt with."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ragkit import sources
from ragkit.errors import DocumentError, ParseError, SkippedDocument
from ragkit.indexing.embedding import Stopped
from ragkit.indexing.inputs import Prepared, prepare
from ragkit.indexing.plan import Ingest
from ragkit.indexing.reading import Incoming, Source, parse_ahead
from ragkit.indexing.tally import Tally
from ragkit.parsing import Parsed, parse_guarded
from ragkit.parsing.pool import ParserPool
from ragkit.sources import SourceFile
from ragkit.store import Known, SqliteStore
from ragkit.types import Document, Move

# A file written this shortly before it was read may change again within its time stamp's grain.
_RACY_NS = 2_000_000_000
_POLL_SECONDS = 0.1
# What a file may have become that has no text any more.
_NOTHING_TO_READ = frozenset({"empty", "binary", "unsupported"})


@dataclass(frozen=True, slots=True)
class Coming(Incoming):
    """What has changed, with the document that it replaces, if there is one."""

    known: Known | None


class Changes:
    """Compares sources with the index. `is_dry` looks only: nothing in the index is touched."""

    def __init__(
        self,
        store: SqliteStore,
        plan: Ingest,
        tally: Tally,
        reads: Sequence[SourceFile | Source],
        *,
        is_dry: bool = False,
    ) -> None:
        self._store = store
        self._plan = plan
        self._tally = tally
        self._reads = reads
        self._is_dry = is_dry
        exists = store.exists()
        self.known = store.known() if exists else {}
        self._excluded = store.excluded() if exists else set()
        self.uris = {each.uri for each in reads}
        self._gone = _by_content(
            known for uri, known in self.known.items() if uri not in self.uris and vanished(uri)
        )

    def prepared(self) -> Generator[Prepared]:
        """Yield the documents that must be embedded and written, dealing with all others.

        Raises Stopped where the plan's `stop` is set.
        """
        plan = self._plan
        pool: AbstractContextManager[ParserPool | None] = nullcontext()
        if plan.parse_workers:
            pool = ParserPool(plan.parse_options, workers=plan.parse_workers)
        with pool as parsers:

            def read(coming: Coming) -> Parsed:
                data, uri, name = coming.data, coming.uri, coming.name
                if parsers:
                    return parsers.parse(data, uri=uri, name=name)
                return parse_guarded(data, uri=uri, name=name, options=plan.parse_options)

            threads = max(1, plan.parse_workers)
            with closing(parse_ahead(self._coming(), read, threads=threads)) as results:
                for coming, parsed in results:
                    try:
                        yield self._prepared(coming, self._result(parsed))
                    except DocumentError as exc:
                        self._leave_out(exc, coming.size)
                    except MemoryError:
                        message = "reading the file takes more memory than there is"
                        error = ParseError(coming.uri, message, code="too-large")
                        self._leave_out(error, coming.size)

    def _result(self, parsed: Future[Parsed]) -> Parsed:
        """Wait for a parser, in short steps, so that a stop is seen between them."""
        while True:
            if self._plan.stop():
                raise Stopped("interrupted")
            try:
                return parsed.result(_POLL_SECONDS)
            except TimeoutError:
                if parsed.done():
                    raise

    def _coming(self) -> Iterator[Coming]:
        """Yield what is new or changed, and deal with what isn't."""
        for source in self._reads:
            if self._plan.stop():
                raise Stopped("interrupted")
            try:
                coming = (
                    self._file(source) if isinstance(source, SourceFile) else self._other(source)
                )
            except DocumentError as exc:
                self._leave_out(exc, _size(source))
                continue
            if coming:
                yield coming
            else:
                self._tally.done(source.uri, size=_size(source))

    def _file(self, file: SourceFile) -> Coming | None:
        """Return a file that must be parsed; None for one that is in the index as it is."""
        known = self.known.get(file.uri)
        if file.uri in self._excluded:
            raise SkippedDocument(
                file.uri, "removed by the user", hint="bring it back by naming it", code="excluded"
            )
        if known and is_known(known, file):
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
        return Coming(file.uri, file.path.name, data, content_hash, file.size, mtime_ns, known)

    def _other(self, source: Source) -> Coming | None:
        """Return another source that must be parsed; None for one that hasn't changed."""
        loaded = source.load()
        size = len(loaded.data)
        if size > self._plan.max_file_bytes:
            message = f"it has {size:,} bytes; the limit is {self._plan.max_file_bytes:,}"
            raise DocumentError(source.uri, message, hint="raise max_file_mb", code="too-large")
        known = self.known.get(source.uri)
        content_hash = hashlib.sha256(loaded.data).hexdigest()
        if known and known.content_hash == content_hash:
            self._unchanged(known, size=size, mtime_ns=0)
            return None
        return Coming(source.uri, loaded.name, loaded.data, content_hash, size, 0, known)

    def _unchanged(self, known: Known, *, size: int, mtime_ns: int) -> None:
        collection = self._collection(known)
        seen = (known.size_bytes, known.mtime_ns, known.collection)
        if seen != (size, mtime_ns, collection) and not self._is_dry:
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
        if not self._is_dry:
            self._store.rename(
                known.id,
                file.uri,
                size_bytes=file.size,
                mtime_ns=mtime_ns,
                collection=self._collection(known),
            )
        self._tally.moved.append(Move(known.uri, file.uri))
        self.known.pop(known.uri)

    def remove(self, known: Known) -> None:
        """Take a document out of the index, and of what is known."""
        if not self._is_dry:
            self._store.remove(known.id)
        self.known.pop(known.uri)
        self._tally.removed.append(known.uri)

    def _leave_out(self, error: DocumentError, size: int) -> None:
        """Count a source that gives no document.

        One that was a document, and holds nothing to read now, must not answer with its old text.
        """
        known = self.known.get(error.uri)
        if known and isinstance(error, SkippedDocument) and error.code in _NOTHING_TO_READ:
            self.remove(known)
        self._tally.leave_out(error, size=size)

    def _prepared(self, coming: Coming, parsed: Parsed) -> Prepared:
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
            self._tally.notice(f"{coming.name}: {warning}")
        return prepare(
            document,
            self._plan.fingerprint,
            size=coming.size,
            mtime_ns=coming.mtime_ns,
            is_new=coming.known is None,
        )


def is_known(known: Known | None, file: SourceFile) -> bool:
    """Whether a file looks as it did when it was read."""
    return bool(known and (known.size_bytes, known.mtime_ns) == (file.size, file.mtime_ns))


def vanished(uri: str) -> bool:
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


def _by_content(documents: Iterable[Known]) -> dict[str, list[Known]]:
    found: dict[str, list[Known]] = {}
    for known in documents:
        found.setdefault(known.content_hash, []).append(known)
    return found


def _size(source: SourceFile | Source) -> int:
    return source.size if isinstance(source, SourceFile) else 0
