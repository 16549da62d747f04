"""The facade: one index and everything that can be done with it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ragkit import answering, config, indexing, retrieval
from ragkit.chunking import CHUNKER
from ragkit.config import Settings
from ragkit.errors import ConfigError, FingerprintMismatch
from ragkit.indexing import Ingest, Loaded, Source, tokens_allowed
from ragkit.ports import ChatModel, Embedder, Reranker
from ragkit.store import SqliteStore
from ragkit.types import (
    Answer,
    AnswerEvent,
    Chunk,
    Document,
    DocumentInfo,
    Done,
    Estimate,
    Filters,
    Fingerprint,
    Hit,
    IngestEvent,
    IngestLimits,
    IngestReport,
    Mode,
    Model,
    ModelUsage,
    Stats,
    WebPolicy,
)
from ragkit.wiring import (
    Given,
    Wiring,
    new_fingerprint,
    page_address,
    parse_options,
    parse_workers,
    web_pages,
    web_search,
)

_URL = re.compile(r"https?://", re.IGNORECASE)


class Index:
    """Search and answers over documents, in one file.

    `Index.open` makes the parts as settings say; the constructor takes them as objects: without
    `chat`, answers are the documents' own sentences. Threads may share an index. Every error
    raised on purpose is a RagkitError.
    """

    def __init__(
        self,
        store: SqliteStore,
        *,
        embedder: Embedder,
        chat: ChatModel | None = None,
        reranker: Reranker | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._store = store
        self._parts: Given | Wiring = Given(
            settings or Settings(), embedder=embedder, chat=chat, reranker=reranker
        )

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> Index:
        """Open the index at a path, or where settings and the working folder say.

        Touches no network and loads no model; the first `ingest` makes the file. Without
        `settings` they are those of the environment and the config files.
        """
        environ = os.environ if environ is None else environ
        cwd = Path.cwd()
        if settings is None:
            settings = config.resolve({}, environ=environ, cwd=cwd)
        where = Path(path) if path is not None else config.index_path(settings, cwd=cwd)
        index = cls.__new__(cls)
        index._store = SqliteStore(where.expanduser().absolute())
        index._parts = Wiring(settings, environ)
        return index

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of connections. The index can't be used afterwards."""
        self._store.close()
        self._parts.close()

    @property
    def path(self) -> Path:
        return self._store.path

    # --- documents in --------------------------------------------------------------------------

    def ingest(
        self,
        *paths: str | os.PathLike[str],
        collection: str | None = None,
        prune: bool = False,
        limits: IngestLimits | None = None,
        on_event: Callable[[IngestEvent], None] | None = None,
    ) -> IngestReport:
        """Bring the index up to what the files, folders and web pages at these places say.

        Only what is new or changed is read and embedded; what has vanished from a folder is
        removed (`prune` removes it also where it looks like a loss). A place that begins with
        http:// or https:// is one page. A document that can't be read is a Failure in the
        report. Raises DocumentError for a missing path.
        """
        files, others = self._sources(paths)
        return self._ingest(
            files, others, collection=collection, prune=prune, limits=limits, on_event=on_event
        )

    def ingest_bytes(
        self,
        data: bytes,
        *,
        uri: str,
        name: str = "",
        collection: str | None = None,
        on_event: Callable[[IngestEvent], None] | None = None,
    ) -> IngestReport:
        """Take in one document from memory, in place of what had this uri before.

        The suffix of `name`, by default of the uri, helps to tell what kind of file it is. A
        document that can't be read is a Failure in the report.
        """
        if not uri or not uri.isprintable() or uri.startswith("file:"):
            raise ConfigError(
                f"{uri!r} can't be the uri of bytes from memory",
                hint='choose a stable one that is no file, such as "crm:contract/17"',
            )
        source = Source(uri, lambda: Loaded(name or uri.rpartition("/")[2], data))
        return self._ingest([], [source], collection=collection, on_event=on_event)

    def estimate(self, *paths: str | os.PathLike[str], collection: str | None = None) -> Estimate:
        """Say what an ingest of these places would do and cost, without a request or a change.

        Everything is read and cut, so it takes as long as that. Raises DocumentError for a
        missing path.
        """
        files, others = self._sources(paths)
        plan = self._plan(collection=collection)
        return indexing.estimate(
            self._store, self._parts.embedder(self._stored()), files, plan, others=others
        )

    def _sources(self, paths: Sequence[str | os.PathLike[str]]) -> tuple[list[Path], list[Source]]:
        if not paths:
            raise ConfigError("there is nothing to ingest", hint="name a file or a folder")
        names = list(dict.fromkeys(os.fspath(path) for path in paths))
        urls = [name for name in names if _URL.match(name)]
        files = [Path(name) for name in names if not _URL.match(name)]
        return files, web_pages(urls, self._parts.settings) if urls else []

    def _ingest(
        self,
        files: Sequence[Path],
        others: Sequence[Source],
        *,
        collection: str | None,
        prune: bool = False,
        limits: IngestLimits | None = None,
        on_event: Callable[[IngestEvent], None] | None,
    ) -> IngestReport:
        plan = self._plan(collection=collection, limits=limits)
        plan = replace(plan, prune=prune, on_event=on_event or (lambda _event: None))
        embedder = self._parts.embedder(self._stored())
        return indexing.ingest(self._store, embedder, files, plan, others=others)

    def _plan(self, *, collection: str | None, limits: IngestLimits | None = None) -> Ingest:
        settings = self._parts.settings
        limits = limits or IngestLimits()
        stored = self._stored()
        embedder = self._parts.embedder(stored)
        if stored:
            retrieval.check_embedder(stored, embedder)
        price = config.price(settings, embedder.name)
        return Ingest(
            fingerprint=_current(stored) if stored else new_fingerprint(settings, embedder),
            collection=collection,
            new_collection=settings.collection,
            destination=self._parts.destination(embedder),
            parse_workers=parse_workers(settings),
            parse_options=parse_options(settings),
            max_file_bytes=settings.max_file_mb * 1_000_000,
            vault=self._parts.vault(),
            max_tokens=tokens_allowed(limits, price),
            confirm_tokens=settings.confirm_tokens,
            confirm=limits.confirm,
            price=price,
            stop=limits.stop,
        )

    def _stored(self) -> Fingerprint | None:
        return self._store.fingerprint() if self._store.exists() else None

    def remove(self, reference: str, *, exclude: bool = False) -> DocumentInfo:
        """Take a document out and return what it was; `exclude` keeps ingests from its file.

        `reference` is an id, a uri, a path, or a path's unique end. Raises DocumentNotFound.
        """
        info = self._store.info(self._find(reference))
        with self._store.exclusive():
            self._store.remove(info.id, exclude=exclude)
        return info

    # --- answers out ---------------------------------------------------------------------------

    def search(
        self,
        query: str,
        *,
        limit: int = 8,
        mode: Mode = "hybrid",
        filters: Filters = Filters(),
    ) -> list[Hit]:
        """Return the best chunks for a query, best first. [] means that nothing was found.

        Raises QueryError for an empty query, IndexNotFound, ProviderError.
        """
        settings = self._parts.settings
        found = retrieval.search(
            self._store,
            self._embedder(),
            query,
            limit=limit,
            mode=mode,
            filters=filters,
            semantic_weight=settings.semantic_weight,
            reranker=self._parts.reranker() if settings.rerank == "on" else None,
        )
        return list(found.hits)

    def ask(
        self,
        question: str,
        *,
        limit: int = 8,
        filters: Filters = Filters(),
        web: WebPolicy | None = None,
    ) -> Answer:
        """Answer a question from the documents, each sentence with a quote that stands in them.

        `limit` is how many passages are looked at; `web` says whether the endpoint's web search
        may help, by default as the settings do. Raises as `search` does.
        """
        for event in self.ask_stream(question, limit=limit, filters=filters, web=web):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("an answer ends with Done")

    def ask_stream(
        self,
        question: str,
        *,
        limit: int = 8,
        filters: Filters = Filters(),
        web: WebPolicy | None = None,
    ) -> Iterator[AnswerEvent]:
        """Yield an answer as it comes: Retrieved, then Sentence and Removed, then Done."""
        settings = self._parts.settings
        asker = answering.Asker(
            store=self._store,
            embedder=self._embedder(),
            chat=self._parts.chat(),
            reranker=self._parts.reranker(),
            matcher=self._parts.matcher(),
            web=settings.web if web is None else web,
            web_options=web_search(settings),
            semantic_weight=settings.semantic_weight,
            gate_threshold=settings.gate_threshold,
            context_tokens=settings.context_tokens,
        )
        return asker.answer(question, limit=limit, filters=filters)

    # --- what is there -------------------------------------------------------------------------

    def documents(self, filters: Filters = Filters()) -> list[DocumentInfo]:
        """Return the documents that pass the filters, by uri."""
        return self._store.documents(filters)

    def get(self, reference: str) -> Document:
        """Return a whole document by id, uri, path, or a path's unique end.

        Raises DocumentNotFound where none or several could be meant.
        """
        return self._store.get(self._find(reference))

    def chunks(self, reference: str) -> list[Chunk]:
        """Return a document's chunks in reading order. Raises DocumentNotFound."""
        return self._store.chunks(self._find(reference))

    def stats(self) -> Stats:
        """Count what the index holds."""
        return self._store.stats()

    def usage(self) -> list[ModelUsage]:
        """Return what this index's ingests have asked of each model."""
        return self._store.usage()

    def models(self) -> list[Model]:
        """Return the models that the configured endpoint lists. Raises ProviderError."""
        return self._parts.models()

    def _find(self, reference: str) -> str:
        """Return a document's id; a web address may be spelled in any way."""
        return self._store.find(page_address(reference) if _URL.match(reference) else reference)

    def _embedder(self) -> Embedder:
        return self._parts.embedder(self._store.fingerprint())


def _current(stored: Fingerprint) -> Fingerprint:
    """Return an index's fingerprint, if this ragkit still cuts documents the way it does."""
    if stored.chunker != CHUNKER:
        raise FingerprintMismatch(
            f"the chunker {stored.chunker}",
            f"{CHUNKER} (this ragkit)",
            hint="ingest into a new index with --db, then remove the old one",
        )
    return stored
