"""The store: what the use cases ask of an index, over one SQLite file."""

from __future__ import annotations

import contextlib
import json
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
from ragkit.store import filters as filtering
from ragkit.store import ledger, replacing, rows, spelling, words
from ragkit.store.conversations import Conversations
from ragkit.types import (
    Chunk,
    Document,
    DocumentInfo,
    Filters,
    Fingerprint,
    Heading,
    ModelUsage,
    Page,
    RequestRecord,
    Stats,
)

if TYPE_CHECKING:
    from ragkit.ports import Vectors

# How many stored vectors stand for the index as a whole when a similarity is judged.
_BACKGROUND_SIZE = 200


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows of a document's source, to tell whether it has changed."""

    id: str
    uri: str
    collection: str
    content_hash: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that was found, with its document's hash (the version's), headings and pages."""

    chunk: Chunk
    document_hash: str
    headings: tuple[Heading, ...]
    pages: tuple[Page, ...]


class SqliteStore:
    """An index in one file. Reading needs no lock; writing happens inside `exclusive()`.

    Chunks are named by their number, an int that only this store gives a meaning to.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] | None = None,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
        word_budget: words.Budget = words.BUDGET,
    ) -> None:
        self._db = Database(path)
        self._lock_wait_seconds = lock_wait_seconds
        self._clock = clock or (lambda: datetime.now(UTC))
        self._frequencies = words.Frequencies()
        self._word_budget = word_budget

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
                form = _setting(connection, "lexical_form")
            if form != LEXICAL_FORM:
                with self._change() as connection:
                    words.rebuild(connection)
                    _set(connection, "lexical_form", LEXICAL_FORM)
            yield

    @contextlib.contextmanager
    def _change(self) -> Iterator[apsw.Connection]:
        """One transaction, counted as one generation."""
        with self._db.writing() as connection:
            yield connection
            generation = _setting(connection, "generation")
            _set(connection, "generation", (generation if isinstance(generation, int) else 0) + 1)

    def claim(self, fingerprint: Fingerprint) -> None:
        """Bind a new index to a fingerprint. Raises FingerprintMismatch on an index of another."""
        stored = self.fingerprint()
        if stored is None:
            with self._change() as connection:
                _set(connection, "fingerprint", fingerprint.to_dict())
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
        """Replace a document, its chunks, words and vectors in one transaction.

        `embeddings` holds for each chunk the input's hash, and its packed vector, which its token
        vectors may follow.
        """
        with self._change() as connection:
            known = _number_of(connection, document.id)
            before = set(words.of_document(connection, known)) if known is not None else set()
            number = rows.write_document(
                connection, document, size_bytes=size_bytes, mtime_ns=mtime_ns, now=self._now()
            )
            numbers = rows.write_chunks(connection, number, chunks)
            vectors.put(
                connection,
                [
                    (numbers[chunk.id], key, packed)
                    for chunk, (key, packed) in zip(chunks, embeddings, strict=True)
                ],
                vector_bytes=_vector_bytes(connection, embeddings),
            )
            _update_words(connection, number, before)

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
            _set(connection, "fingerprint", fingerprint.to_dict())

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
                _set(connection, "fingerprint", fingerprint.to_dict())
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
            stored = _setting(connection, "fingerprint")
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

    def documents(self, filters: Filters) -> list[DocumentInfo]:
        """Return the documents that pass the filters, by uri."""
        with self._db.reading() as connection:
            return rows.document_infos(connection, _allowed(connection, filters))

    def find(self, reference: str) -> str:
        """Return the id of the document meant by an id, a uri, a path, or a path's unique end.

        Raises DocumentNotFound where none or several could be meant.
        """
        with self._db.reading() as connection:
            listed = fetch(connection, "SELECT id, uri FROM documents ORDER BY uri")
        exact = [id_ for id_, uri in listed if reference in {id_, uri, unquote(uri)}]
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

    def stats(self) -> Stats:
        """Count what the index holds."""
        with self._db.reading() as connection:
            documents, characters = fetch(
                connection, "SELECT count(*), coalesce(sum(characters), 0) FROM documents"
            )[0]
            kinds = fetch(connection, "SELECT collection, media_type FROM documents")
            return Stats(
                path=str(self.path),
                documents=documents,
                chunks=_count(connection, "chunks"),
                characters=characters,
                vectors=_count(connection, "vectors"),
                collections=dict(sorted(Counter(row[0] for row in kinds).items())),
                media_types=dict(sorted(Counter(row[1] for row in kinds).items())),
                size_bytes=self._size_bytes(),
                schema_version=int(connection.pragma("user_version")),
                sqlite_version=apsw.sqlite_lib_version(),
                fingerprint=self.fingerprint(),
            )

    def _size_bytes(self) -> int:
        """The file, and what is still in the write-ahead log beside it."""
        log = self.path.with_name(self.path.name + "-wal")
        return self.path.stat().st_size + (log.stat().st_size if log.exists() else 0)

    # --- search --------------------------------------------------------------------------------

    def allowed(self, filters: Filters) -> str | None:
        """Return the documents that pass as the lists below want them; None lets all pass."""
        if filters == Filters():
            return None
        with self._db.reading() as connection:
            return json.dumps(_allowed(connection, filters))

    def lexical(
        self, terms: Sequence[str], *, limit: int, allowed: str | None
    ) -> list[tuple[int, float]]:
        """Return (chunk, BM25 score) of the chunks that hold any of the terms, best first."""
        phrases = words.weighed(terms, words.cut())
        with self._db.reading() as connection:
            return words.matching(
                connection,
                phrases,
                limit=limit,
                documents=allowed,
                frequencies=self._frequencies,
                budget=self._word_budget,
            )

    def corrections(self, terms: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return for words that no chunk holds those that may have been meant, likeliest first."""
        with self._db.reading() as connection:
            return spelling.corrections(connection, terms, words.cut())

    def semantic(
        self, query: Vectors, *, limit: int, allowed: str | None
    ) -> list[tuple[int, float]]:
        """Return (chunk, cosine) of the chunks nearest to a unit vector, best first."""
        with self._db.reading() as connection:
            return vectors.nearest(connection, query, limit=limit, documents=allowed)

    def token_records(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Return the token vectors, packed, of those chunks that have any."""
        with self._db.reading() as connection:
            return vectors.token_records(connection, numbers)

    def background(self, query: Vectors) -> list[float]:
        """Return the query's cosines with chunks spread over the index, as a scale for others."""
        with self._db.reading() as connection:
            sample = vectors.spread_sample(connection, _BACKGROUND_SIZE)
            return list(vectors.similarities(connection, query, sample).values())

    def found(self, numbers: Sequence[int]) -> dict[int, Found]:
        """Return the chunks of these numbers."""
        with self._db.reading() as connection:
            return {
                number: Found(chunk, document_hash, headings, pages)
                for number, chunk, document_hash, headings, pages in rows.chunks_by_number(
                    connection, numbers
                )
            }

    @staticmethod
    def tokens(text: str) -> list[str]:
        """Return the words of a text as the word index sees them: cut, folded and stemmed."""
        return words.tokens(text)

    def chunk_frequency(self, token: str) -> int:
        """Return how many chunks hold a token."""
        with self._db.reading() as connection:
            return self._frequencies.of_token(connection, token)

    def chunk_count(self) -> int:
        """Return how many chunks the index holds."""
        with self._db.reading() as connection:
            return _count(connection, "chunks")


def _vector_bytes(connection: apsw.Connection, embeddings: Sequence[tuple[bytes, bytes]]) -> int:
    """Return how long a vector is: four bytes a dimension of the index."""
    fingerprint = _setting(connection, "fingerprint")
    if isinstance(fingerprint, dict):
        return 4 * int(fingerprint["dimensions"])
    return max((len(packed) for _, packed in embeddings), default=0)


def _update_words(connection: apsw.Connection, number: int, before: set[words.WordRow]) -> None:
    """Bring the word index from what it held of a document to what it should hold."""
    after = set(words.of_document(connection, number))
    words.take_out(connection, sorted(before - after))
    words.put(connection, sorted(after - before))


def _allowed(connection: apsw.Connection, filters: Filters) -> list[int]:
    listed = fetch(connection, "SELECT number, uri, media_type, collection FROM documents")
    return filtering.allowed(filters, ((n, uri, kind, label) for n, uri, kind, label in listed))


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


def _setting(connection: apsw.Connection, name: str) -> object:
    found = fetch(connection, "SELECT value FROM settings WHERE name = ?", name)
    return json.loads(found[0][0]) if found else None


def _set(connection: apsw.Connection, name: str, value: object) -> None:
    connection.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, json.dumps(value)),
    )


def _count(connection: apsw.Connection, table: str) -> int:
    queries = {
        "chunks": "SELECT count(*) FROM chunks",
        "vectors": "SELECT count(*) FROM vectors",
    }
    count: int = fetch(connection, queries[table])[0][0]
    return count


def _told_apart(fingerprint: Fingerprint) -> str:
    """A fingerprint in the words of an error message."""
    return (
        f"{fingerprint.embedder} ({fingerprint.dimensions} dimensions,"
        f" chunks of {fingerprint.chunk_tokens} tokens, {fingerprint.chunker})"
    )
