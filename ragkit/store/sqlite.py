"""The store: what the use cases ask of an index, over one SQLite file."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import apsw

from ragkit import vectors
from ragkit.db import LOCK_WAIT_SECONDS, Database, fetch, remove_files
from ragkit.errors import DocumentNotFound, FingerprintMismatch, IndexStateError
from ragkit.lexical import LEXICAL_FORM
from ragkit.settings import VECTOR_INDEX_FROM
from ragkit.store import cells, ledger, measuring, replacing, rows, state, words
from ragkit.store import filters as filtering
from ragkit.store.conversations import Conversations
from ragkit.store.entries import Entry, write
from ragkit.store.searching import Searching
from ragkit.store.upkeep import Upkeep
from ragkit.types import (
    Chunk,
    Document,
    DocumentInfo,
    Filters,
    Fingerprint,
    ModelUsage,
    RequestRecord,
    Stats,
)

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a document's source, to tell whether it has changed."""

    id: str
    uri: str
    collection: str
    content_hash: str
    size_bytes: int
    mtime_ns: int


class SqliteStore(Searching):
    """An index in one file. Reading needs no lock; writing happens inside `exclusive()`.

    Chunks are named by their number, an int that only this store gives a meaning to. From so many
    vectors on (`cells_from`) a search looks at the nearest cells instead of all.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
        cells_from: int = VECTOR_INDEX_FROM,
        word_budget: words.Budget = words.BUDGET,
    ) -> None:
        super().__init__(Database(path), word_budget)
        self._lock_wait_seconds = lock_wait_seconds
        self._cells_from = cells_from
        self._clock = clock or (lambda: datetime.now(UTC))

    @property
    def path(self) -> Path:
        return self._db.path

    def close(self) -> None:
        self._db.close()

    def files(self) -> frozenset[Path]:
        """Return the index's own files, which are no documents."""
        return self._db.files()

    @cached_property
    def conversations(self) -> Conversations:
        """The conversations that the index keeps."""
        return Conversations(self._db, exclusive=self.exclusive, now=self._now)

    def exists(self) -> bool:
        """Whether there is an index at the store's path."""
        return self.path.exists() and self.path.stat().st_size > 0

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the index for all reads of this thread inside the block."""
        with self._db.reading():
            yield

    # --- writing -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def exclusive(
        self,
        *,
        on_wait: Callable[[str], None] = lambda _sentence: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[None]:
        """Be the only writer, creating the index where there is none.

        Waits for another writer, and tells `on_wait` in a sentence for whom. Raises IndexBusy
        after `lock_wait_seconds`, or as soon as `stop` says so.
        """
        with self._db.exclusive(wait_seconds=self._lock_wait_seconds, on_wait=on_wait, stop=stop):
            with self._db.reading() as connection:
                form = state.get(connection, "lexical_form")
                is_foreign = cells.is_foreign(connection)
            if form != LEXICAL_FORM:
                with self._change() as connection:
                    words.rebuild(connection)
                    state.put(connection, "lexical_form", LEXICAL_FORM)
            if is_foreign:
                with self._change() as connection:
                    cells.drop(connection)
            yield

    def keep_up(self, stop: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """Bring the vector index up to date, if it is due; yield in words what is done next.

        Call it inside `exclusive`. What `stop` ends goes on with the next call.
        """
        yield from self._upkeep(stop).vector_index()

    def optimize(self, stop: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """Do all that makes a search quicker and the file smaller; as `keep_up` does."""
        upkeep = self._upkeep(stop)
        yield from upkeep.vector_index(anew=True)
        yield from upkeep.words()
        yield from upkeep.pages()

    def _upkeep(self, stop: Callable[[], bool]) -> Upkeep:
        return Upkeep(self._db, stop, self._cells_from)

    @contextlib.contextmanager
    def _change(self) -> Iterator[apsw.Connection]:
        """One transaction, counted as one generation."""
        with self._db.writing() as connection:
            yield connection
            state.put(connection, "generation", state.generation(connection) + 1)

    def claim(self, fingerprint: Fingerprint) -> None:
        """Bind a new index to a fingerprint. Raises FingerprintMismatch on an index of another."""
        stored = self.fingerprint()
        if stored is None:
            with self._change() as connection:
                state.put(connection, "fingerprint", fingerprint.to_dict())
        elif stored != fingerprint:
            raise FingerprintMismatch(_told_apart(stored), _told_apart(fingerprint))

    def put(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        embeddings: Sequence[tuple[bytes, bytes]],
        *,
        size_bytes: int,
        mtime_ns: int,
    ) -> None:
        """Replace a document, its chunks, words and vectors in one transaction; see Entry."""
        self.put_many([Entry(document, chunks, embeddings, size_bytes, mtime_ns)])

    def put_many(self, entries: Sequence[Entry]) -> None:
        """Replace documents, their chunks, words and vectors, all of them in one transaction."""
        with self._change() as connection:
            size = _vector_bytes(connection, entries)
            write(connection, entries, vector_bytes=size, now=self._now())

    def rename(
        self, id_: str, uri: str, *, size_bytes: int, mtime_ns: int, collection: str
    ) -> None:
        """Give a document another place; nothing of it is embedded again."""
        with self._change() as connection:
            number = _existing(connection, id_)
            before = set(words.of_document(connection, number))
            connection.execute(
                "UPDATE documents SET uri = ?, size_bytes = ?, mtime_ns = ?, collection = ?"
                " WHERE number = ?",
                (uri, size_bytes, mtime_ns, collection, number),
            )
            _update_words(connection, number, before)

    def touch(self, id_: str, *, size_bytes: int, mtime_ns: int, collection: str) -> None:
        """Note what the source looks like now, though its content is the same."""
        with self._change() as connection:
            connection.execute(
                "UPDATE documents SET size_bytes = ?, mtime_ns = ?, collection = ? WHERE id = ?",
                (size_bytes, mtime_ns, collection, id_),
            )

    def remove(self, id_: str, *, exclude: bool = False) -> None:
        """Take a document out, with its words and vectors; `exclude` keeps ingests off its uri."""
        with self._change() as connection:
            number = _existing(connection, id_)
            words.take_out(connection, words.of_document(connection, number))
            vectors.take_out(connection, rows.chunk_numbers(connection, number))
            if exclude:
                connection.execute(
                    "INSERT OR REPLACE INTO exclusions (uri, excluded_at)"
                    " SELECT uri, ? FROM documents WHERE number = ?",
                    (self._now(), number),
                )
            connection.execute("DELETE FROM documents WHERE number = ?", (number,))

    def include(self, uri: str) -> None:
        """Let ingests read a uri again that was excluded."""
        with self._change() as connection:
            connection.execute("DELETE FROM exclusions WHERE uri = ?", (uri,))

    def record_requests(self, records: Sequence[RequestRecord]) -> None:
        """Add requests to the ledger."""
        with self._db.writing() as connection:
            ledger.record(connection, records, now=self._now())

    def _now(self) -> str:
        return self._clock().isoformat(timespec="seconds")

    # --- another set of chunks for the same documents ------------------------------------------

    def start_over(self, fingerprint: Fingerprint) -> None:
        """Take all documents out and bind the index to a fingerprint; the ledger stays."""
        with self._change() as connection:
            replacing.empty(connection)
            state.put(connection, "fingerprint", fingerprint.to_dict())

    def differing(self, other: SqliteStore) -> list[str]:
        """Return the uris of the documents that the two don't hold in the same version."""
        with self._db.reading() as connection, other._db.reading() as beside:
            mine, theirs = replacing.versions(connection), replacing.versions(beside)
        return sorted(
            (mine.get(id_) or theirs[id_])[0]
            for id_ in mine.keys() | theirs.keys()
            if id_ not in mine or id_ not in theirs or mine[id_][1:] != theirs[id_][1:]
        )

    def replace_chunks(self, source: SqliteStore, *, with_requests: bool = False) -> None:
        """Take over chunks, vectors and fingerprint of an index of the same documents.

        It is one transaction: readers see the old set or the new one. `with_requests` adds the
        source's ledger to this one. Raises IndexStateError where the documents differ.
        """
        if changed := self.differing(source):
            some = ", ".join(changed[:3])
            raise IndexStateError(
                f"{source.path} doesn't hold the documents of {self.path} ({some})",
                hint="nothing was changed; run it again",
            )
        with source.snapshot(), self._change() as connection:
            fingerprint = source.fingerprint()
            replacing.put_in_place(
                connection,
                chunks=source._streamed(replacing.CHUNKS),
                vectors=source._streamed(replacing.VECTORS),
                tokens=source._streamed(replacing.TOKENS) if source._has_tokens() else (),
            )
            if fingerprint is not None:
                state.put(connection, "fingerprint", fingerprint.to_dict())
            if with_requests:
                replacing.add_requests(connection, source._streamed(replacing.REQUESTS))

    def _streamed(self, query: str) -> Iterator[tuple[object, ...]]:
        """Yield the rows of a query, its errors naming this file and not the one written to."""
        with self._db.reading() as connection:
            yield from connection.execute(query)

    def _has_tokens(self) -> bool:
        with self._db.reading() as connection:
            return vectors.has_tokens(connection)

    def copy_to(self, path: Path) -> None:
        """Write a private copy of the index to a path, over what is there."""
        self._db.copy_to(path)

    def delete(self) -> None:
        """Close the store and remove its file; its lock file stays, since others may wait at it."""
        self.close()
        remove_files(self.path)

    # --- what is there -------------------------------------------------------------------------

    def fingerprint(self) -> Fingerprint | None:
        """Return what the index was built with; None before the first document."""
        with self._db.reading() as connection:
            stored = state.get(connection, "fingerprint")
        return Fingerprint(**stored) if isinstance(stored, dict) else None

    def known(self) -> dict[str, Known]:
        """Return every document's source by uri."""
        with self._db.reading() as connection:
            found = fetch(
                connection,
                "SELECT id, uri, collection, content_hash, size_bytes, mtime_ns FROM documents",
            )
        return {row[1]: Known(*row) for row in found}

    def sources(self, *, uris: Iterable[str], hashes: Iterable[str]) -> list[Known]:
        """Return the sources of the documents of these uris or content hashes, by uri."""
        with self._db.reading() as connection:
            return [Known(*row) for row in rows.sources(connection, uris=uris, hashes=hashes)]

    def excluded(self) -> set[str]:
        """Return the uris that ingests pass by."""
        with self._db.reading() as connection:
            return {uri for (uri,) in fetch(connection, "SELECT uri FROM exclusions")}

    def known_vectors(self, hashes: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return what this index has of those inputs: packed vectors, each with its tokens'."""
        with self._db.reading() as connection:
            return vectors.known(connection, hashes)

    def documents(self, filters: Filters, *, after: str = "", limit: int = 0) -> list[DocumentInfo]:
        """Return the documents that pass, by uri: so many after the one of that uri, 0 for all."""
        with self._db.reading() as connection:
            numbers = filtering.passing(connection, filters)
            return rows.document_infos(connection, numbers, after=after, limit=limit)

    def find(self, reference: str) -> str:
        """Return the id of the document meant by an id, a uri, a path, or a path's unique end.

        Raises DocumentNotFound where none or several could be meant.
        """
        with self._db.reading() as connection:
            listed = fetch(connection, "SELECT id, uri FROM documents ORDER BY uri")
        exact = [id_ for id_, uri in listed if reference in {id_, uri}] or [
            id_ for id_, uri in listed if reference == unquote(uri)
        ]
        if exact:
            return str(exact[0])
        wanted = "/" + reference.removeprefix("./").strip("/")
        paths = [(id_, uri, _path(uri)) for id_, uri in listed]
        near = [each for each in paths if each[2] == reference] or [
            each for each in paths if each[2].endswith(wanted)
        ]
        if len(near) == 1:
            return str(near[0][0])
        if near:
            some = ", ".join(uri for _, uri, _ in near[:3])
            raise DocumentNotFound(
                reference,
                f"{len(near)} documents end in {reference}",
                hint=f"name one of them in full: {some}",
            )
        raise DocumentNotFound(
            reference, f"the index holds no document {reference}", hint="ragkit ls lists them"
        )

    def get(self, id_: str) -> Document:
        """Return a whole document. Raises DocumentNotFound."""
        with self._db.reading() as connection:
            return rows.read_document(connection, _existing(connection, id_))

    def texts(self, ids: Iterable[str]) -> dict[str, rows.Text]:
        """Return the texts of those of these documents that are there, by id."""
        with self._db.reading() as connection:
            return rows.texts(connection, ids)

    def info(self, id_: str) -> DocumentInfo:
        """Return a document's line of the list. Raises DocumentNotFound."""
        with self._db.reading() as connection:
            return rows.document_infos(connection, [_existing(connection, id_)])[0]

    def chunks(self, id_: str) -> list[Chunk]:
        """Return a document's chunks in reading order. Raises DocumentNotFound."""
        with self._db.reading() as connection:
            return rows.chunks_of_document(connection, _existing(connection, id_))

    def usage(self) -> list[ModelUsage]:
        """Return what ingests have asked of each model, by name."""
        with self._db.reading() as connection:
            return ledger.by_model(connection)

    def stats(self, *, sizes: bool = False) -> Stats:
        """Count what the index holds; `sizes` reads the whole file, to say those of its parts."""
        with self._db.reading() as connection:
            documents, characters = fetch(
                connection, "SELECT count(*), coalesce(sum(characters), 0) FROM documents"
            )[0]
            kinds = fetch(connection, "SELECT collection, media_type FROM documents")
            return Stats(
                path=str(self.path),
                documents=documents,
                chunks=rows.chunk_count(connection),
                characters=characters,
                vectors=vectors.count(connection),
                collections=dict(sorted(Counter(row[0] for row in kinds).items())),
                media_types=dict(sorted(Counter(row[1] for row in kinds).items())),
                size_bytes=self._size_bytes(),
                schema_version=int(connection.pragma("user_version")),
                sqlite_version=apsw.sqlite_lib_version(),
                fingerprint=self.fingerprint(),
                generation=state.generation(connection),
                vector_index=cells.info(connection),
                sizes=measuring.sizes(connection) if sizes else {},
            )

    def _size_bytes(self) -> int:
        """The file, and what is still in the write-ahead log beside it."""
        log = self.path.with_name(self.path.name + "-wal")
        return self.path.stat().st_size + (log.stat().st_size if log.exists() else 0)


def _vector_bytes(connection: apsw.Connection, entries: Sequence[Entry]) -> int:
    """Return how long a vector is: four bytes a dimension of the index."""
    fingerprint = state.get(connection, "fingerprint")
    if isinstance(fingerprint, dict):
        return 4 * int(fingerprint["dimensions"])
    packed = (packed for entry in entries for _, packed in entry.embeddings)
    return max(map(len, packed), default=0)


def _update_words(connection: apsw.Connection, number: int, before: set[words.WordRow]) -> None:
    """Bring the word index from what it held of a document to what it should hold."""
    after = set(words.of_document(connection, number))
    words.take_out(connection, sorted(before - after))
    words.put(connection, sorted(after - before))


def _path(uri: str) -> str:
    """Return the path that a uri names, from its first slash on; stdin:a.md is /a.md."""
    return "/" + unquote(urlsplit(uri).path).lstrip("/")


def _number_of(connection: apsw.Connection, id_: str) -> int | None:
    found = fetch(connection, "SELECT number FROM documents WHERE id = ?", id_)
    return found[0][0] if found else None


def _existing(connection: apsw.Connection, id_: str) -> int:
    number = _number_of(connection, id_)
    if number is None:
        raise DocumentNotFound(id_, f"the index holds no document {id_}")
    return number


def _told_apart(fingerprint: Fingerprint) -> str:
    """A fingerprint in the words of an error message."""
    return (
        f"{fingerprint.embedder} ({fingerprint.dimensions} dimensions,"
        f" chunks of {fingerprint.chunk_tokens} tokens, {fingerprint.chunker})"
    )
