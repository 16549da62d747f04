"""The facade: one index and everything that can be done with it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from ragkit import (
    answering,
    cancelling,
    config,
    conversations,
    indexing,
    originals,
    retrieval,
    sources,
    verification,
    warming,
    watching,
)
from ragkit.conversations import Chat
from ragkit.errors import (
    ConfigError,
    DocumentNotFound,
    IndexBusy,
    IndexNotFound,
)
from ragkit.indexing import Loaded, Source
from ragkit.indexing.forgetting import forget_texts
from ragkit.indexing.inputs import embedded_texts
from ragkit.intake import page_address, web_pages
from ragkit.originals import Originals
from ragkit.pictures import Pictures
from ragkit.plans import Plans
from ragkit.ports import ChatModel, Embedder, Reranker
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.types import (
    Answer,
    AnswerEvent,
    Chunk,
    Conversation,
    ConversationInfo,
    Document,
    DocumentInfo,
    Done,
    Estimate,
    Failure,
    Filters,
    Hit,
    IngestEvent,
    IngestLimits,
    IngestReport,
    Message,
    Mode,
    Model,
    ModelUsage,
    Notice,
    OptimizeReport,
    Original,
    ReindexReport,
    SearchReport,
    Span,
    Stats,
    Verification,
    WebPolicy,
    WebSearch,
)
from ragkit.upstream import Upstream
from ragkit.wiring import Given, Wiring, answer_template, web_search

_URL = re.compile(r"https?://", re.IGNORECASE)
_STDIN = re.compile(r"stdin:")


@dataclass(frozen=True, slots=True)
class _Asked:
    """How a question is to be answered."""

    limit: int
    filters: Filters
    web: WebPolicy
    web_options: WebSearch


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
        self._plans = Plans(store, self._parts)
        self._pictures = Pictures(self._parts.settings)
        self._upstream = Upstream(self._parts, self._plans.stored)

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
        index._store = SqliteStore(
            where.expanduser().absolute(),
            lock_wait_seconds=settings.lock_wait_seconds,
            cells_from=settings.vector_index_from,
        )
        index._parts = Wiring(settings, environ)
        index._plans = Plans(index._store, index._parts)
        index._pictures = Pictures(settings)
        index._upstream = Upstream(index._parts, index._plans.stored)
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
        self._pictures.close()
        self._store.close()
        self._parts.close()

    @property
    def path(self) -> Path:
        return self._store.path

    @property
    def upstream(self) -> Upstream:
        """The models by themselves: chat requests passed on as they are, texts embedded."""
        return self._upstream

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
        include: bool = False,
        keep: bool = False,
        limits: IngestLimits | None = None,
        on_event: Callable[[IngestEvent], None] | None = None,
    ) -> IngestReport:
        """Take in one document from memory, in place of what had this uri before.

        The suffix of `name`, by default of the uri, helps to tell what kind of file it is. A
        document that can't be read is a Failure in the report. One that was removed with `exclude`
        is skipped, unless `include` takes that back. `keep` keeps the bytes beside the index as
        long as the document is there, for `original`.
        """
        if not uri or not uri.isprintable() or uri.startswith("file:"):
            raise ConfigError(
                f"{uri!r} can't be the uri of bytes from memory",
                hint='choose a stable one that is no file, such as "crm:contract/17"',
            )
        if not include and self._store.exists() and uri in self._store.excluded():
            message = "removed by the user (bring it back with include=True)"
            return IngestReport(skipped=(Failure(uri, "excluded", message),))

        def load() -> Loaded:
            if keep:  # before the document is in: a crash leaves an unused file at worst
                self._originals.keep(data)
            return Loaded(name or uri.rpartition("/")[2], data)

        return self._ingest(
            [], [Source(uri, load)], collection=collection, limits=limits, on_event=on_event
        )

    def watch(
        self,
        *paths: str | os.PathLike[str],
        collection: str | None = None,
        prune: bool = False,
        limits: IngestLimits | None = None,
        on_event: Callable[[IngestEvent], None] | None = None,
    ) -> Iterator[IngestReport]:
        """Ingest files and folders now and whenever they change; yield what each ingest did.

        Changes are taken together until half a second brings no more. Needs the extra `watch`.
        Ends when `limits.stop` says so, or with the report that says `stopped`; the other limits
        are those of each ingest. Later troubles of the endpoint are Notices and tried again.
        Raises ConfigError, and what the first `ingest` raises.
        """
        files, others = self._sources(paths)
        if others:
            raise ConfigError(
                f"{others[0].uri} is a web page, and tells nobody when it changes",
                hint="ingest it now and then, without watching",
            )
        watching.check_available()
        tell = on_event or (lambda _event: None)

        def ingest(
            there: Sequence[Path], gone: Sequence[Path], on_event: Callable[[IngestEvent], None]
        ) -> IngestReport:
            report = self._ingest(
                there, [], collection=collection, prune=prune, limits=limits, on_event=on_event
            )
            removed = [] if report.stopped else self._remove_gone(gone, on_event)
            return replace(report, removed=(*report.removed, *removed))

        stop = limits.stop if limits else lambda: False
        return watching.watch(files, ingest, own=self._store.files(), stop=stop, on_event=tell)

    def _remove_gone(
        self, files: Sequence[Path], on_event: Callable[[IngestEvent], None]
    ) -> list[str]:
        """Remove the documents of files that are gone; return the uris of those there were."""
        removed = []
        for path in files:
            with suppress(DocumentNotFound, IndexNotFound):  # moved, or never read
                removed.append(self.remove(sources.file_uri(path), on_event=on_event).uri)
        return removed

    def estimate(self, *paths: str | os.PathLike[str], collection: str | None = None) -> Estimate:
        """Say what an ingest of these places would do and cost, without a request or a change.

        Everything is read and cut, so it takes as long as that. Raises DocumentError for a
        missing path.
        """
        files, others = self._sources(paths)
        embedder = self._parts.embedder(self._plans.stored())
        plan = self._plans.ingest(embedder, collection=collection, may_ask=False)
        return indexing.estimate(self._store, embedder, files, plan, others=others)

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
        embedder = self._parts.embedder(self._plans.stored())
        plan = self._plans.ingest(embedder, collection=collection, limits=limits)
        tell = on_event or (lambda _event: None)
        plan = replace(plan, prune=prune, on_event=tell, tidy=self._sweep_originals)
        try:
            return indexing.ingest(self._store, embedder, files, plan, others=others)
        except IndexBusy:
            if not plan.stop():
                raise
            return IngestReport(stopped="interrupted")  # while it waited for another writer

    def remove(
        self,
        reference: str,
        *,
        exclude: bool = False,
        forget: bool = False,
        on_event: Callable[[IngestEvent], None] | None = None,
    ) -> DocumentInfo:
        """Take a document out and return what it was.

        `reference` is an id, a uri, a path, or a path's unique end. `exclude` keeps ingests from
        its file, or its bytes, until it is asked for. `forget` also takes its vectors out of the
        embedding cache, but for those of texts that other documents have; a Notice says how many.
        Raises DocumentNotFound, and ConfigError where `exclude` could have no effect.
        """
        info = self._store.info(self._find(reference))
        if exclude:
            check_excludable(info.uri)
        tell = on_event or (lambda _event: None)
        with self._store.exclusive(on_wait=lambda sentence: tell(Notice(sentence))):
            texts = self._embedded_texts(info.id) if forget else []
            self._store.remove(info.id, exclude=exclude)
            indexing.remove_beside(self._store, info.id)
            self._sweep_originals()
            if forget:
                tell(Notice(forget_texts(self._store, self._parts.vault(), texts)))
        return info

    @property
    def _originals(self) -> Originals:
        return Originals(self._store.path)

    def _sweep_originals(self) -> None:
        """Delete the kept bytes that no document was read from; the caller holds the lock."""
        if self._originals.folder.is_dir():
            known = self._store.known().values()
            self._originals.sweep(
                {each.content_hash for each in known if not each.uri.startswith("file:")}
            )

    def _embedded_texts(self, id_: str) -> list[str]:
        fingerprint = self._store.fingerprint()
        assert fingerprint is not None, "an index with a document has one"
        return embedded_texts(self._store.get(id_), self._store.chunks(id_), fingerprint)

    def excluded(self) -> list[str]:
        """Return the uris that ingests pass by, because they were removed with `exclude`."""
        return sorted(self._store.excluded())

    # --- another embedder, other chunks --------------------------------------------------------

    def reindex(
        self,
        *,
        sample: int = indexing.SAMPLE,
        min_found: float = 0.0,
        limits: IngestLimits | None = None,
        on_event: Callable[[IngestEvent], None] | None = None,
    ) -> ReindexReport:
        """Give the index the embedder, templates and chunk size that settings ask for.

        No source is read again, and searches use the old set until the new one is whole. Before
        the swap `sample` queries are run on both; where fewer than the share `min_found` of them
        find their own document in the new set, it is not swapped. A run that ended early goes on
        with the next. Raises IndexNotFound, IndexBusy, StorageFull, ProviderError.
        """
        stored = self._store.fingerprint()
        embedder = self._parts.wanted(stored) if stored else self._embedder()
        plan = self._plans.reindex(embedder, limits)
        plan = replace(plan, on_event=on_event or plan.on_event)
        before = self._parts.serving(stored) if stored else None
        terms = indexing.Reindex(
            plan=plan,
            before=before,
            search=_search_by_meaning,
            destination_before=self._parts.destination(before) if before else "",
            sample=sample,
            min_found=min_found,
        )
        return indexing.reindex(self._store, embedder, terms)

    def estimate_reindex(self) -> Estimate:
        """Say what `reindex` would embed and cost, without a change."""
        stored = self._store.fingerprint()
        embedder = self._parts.wanted(stored) if stored else self._embedder()
        return indexing.estimate_reindex(
            self._store, embedder, self._plans.reindex(embedder, None, may_ask=False)
        )

    def rollback(self) -> ReindexReport:
        """Bring back what the index had before the last `reindex`.

        Raises IndexStateError where there is nothing to go back to, or documents have changed.
        """
        return indexing.rollback(self._store)

    # --- answers out ---------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Load what a first search or answer would load: models, statistics, the vector index.

        For a process that is to answer soon and often: it takes about a second. No endpoint is
        asked. Without an index there are the models alone. Raises what `search` raises.
        """
        stored = self._plans.stored()
        models = self._parts.residents(stored)
        warming.load(models)
        if stored:
            with self._store.snapshot():
                warming.rehearse(self._asker("never", WebSearch()), stored, models=models)

    def search(
        self,
        query: str,
        *,
        limit: int = 8,
        mode: Mode = "hybrid",
        filters: Filters = Filters(),
        per_document: int | None = None,
        exact: bool = False,
    ) -> list[Hit]:
        """Return the best chunks for a query, best first. [] means that nothing was found.

        Of chunks that say the same only the best is returned, and says in `also` which documents
        have it too. `per_document` is how many there may be of one document, 0 for any number,
        by default as the settings say. With `exact` a large index is scanned from end to end.
        Raises QueryError for an empty query, IndexNotFound, ProviderError.
        """
        report = self.search_explained(
            query,
            limit=limit,
            mode=mode,
            filters=filters,
            per_document=per_document,
            exact=exact,
        )
        return list(report.hits)

    def search_explained(
        self,
        query: str,
        *,
        limit: int = 8,
        mode: Mode = "hybrid",
        filters: Filters = Filters(),
        per_document: int | None = None,
        exact: bool = False,
    ) -> SearchReport:
        """Search as `search` does, and say what was done, how long it took and what it cost."""
        settings = self._parts.settings
        with self._store.snapshot():  # embedder and vectors of one set, whatever a reindex does
            matcher = self._parts.token_matcher(self._plans.stored())
            found = retrieval.search(
                self._store,
                self._embedder(),
                query,
                limit=limit,
                mode=mode,
                filters=filters,
                effort="exact" if exact else settings.search_effort,
                semantic_weight=settings.semantic_weight,
                per_document=settings.per_document if per_document is None else per_document,
                reranker=self._parts.reranker() if settings.rerank == "on" else None,
                matcher=matcher if mode == "hybrid" else None,
                matches_all=settings.rerank == "on",
                rewriter=self._parts.rewriter(),
                judge=self._parts.judge(),
            )
        cancelling.check()  # a chat model that was cancelled is one that didn't help
        return SearchReport(found.query, found.hits, found.steps, found.usage, found.notices)

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        limit: int = 8,
        filters: Filters = Filters(),
        web: WebPolicy | None = None,
        web_options: WebSearch | None = None,
    ) -> Answer:
        """Answer a question from the documents, each sentence with a quote that stands in them.

        `limit` is how many passages are looked at; `web` says whether the endpoint's web search
        may help, and `web_options` how, by default as the settings do. With a `history`, oldest
        first, the question may be a follow-up. Raises as `search` does.
        """
        events = self.ask_stream(
            question,
            history=history,
            limit=limit,
            filters=filters,
            web=web,
            web_options=web_options,
        )
        for event in events:
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("an answer ends with Done")

    def ask_stream(
        self,
        question: str,
        *,
        history: Sequence[Message] = (),
        limit: int = 8,
        filters: Filters = Filters(),
        web: WebPolicy | None = None,
        web_options: WebSearch | None = None,
    ) -> Iterator[AnswerEvent]:
        """Yield an answer as it comes: Retrieved, then Sentence and Removed, then Done."""
        self._embedder()  # what can't be asked is said now, not at the first event
        settings = self._parts.settings
        said = conversations.within_budget(history, settings.history_tokens)
        asked = _Asked(
            limit,
            filters,
            settings.web if web is None else web,
            web_search(settings) if web_options is None else web_options,
        )
        if not said or not question.strip():
            events = self._events(question, asked)
        else:
            events = self._follow_up(question, said, asked)
        return cancelling.checked(events)

    def _follow_up(
        self, question: str, said: Sequence[Message], asked: _Asked
    ) -> Generator[AnswerEvent]:
        meant = conversations.stand_alone(question, said, chat=self._parts.chat())
        yield from meant.told(self._events(meant.question, asked))

    def _events(self, question: str, asked: _Asked) -> Generator[AnswerEvent]:
        with self._store.snapshot():  # until all is retrieved, as in `search`
            asker = self._asker(asked.web, asked.web_options)
            events = asker.answer(question, limit=asked.limit, filters=asked.filters)
            first = next(events)
        yield first
        yield from events

    def _asker(self, web: WebPolicy, web_options: WebSearch) -> answering.Asker:
        settings = self._parts.settings
        return answering.Asker(
            store=self._store,
            embedder=self._embedder(),
            chat=self._parts.chat(),
            reranker=self._parts.reranker(),
            matcher=self._parts.matcher(),
            token_matcher=self._parts.token_matcher(self._plans.stored(), reads_more=True),
            rewriter=self._parts.rewriter(),
            judge=self._parts.judge(),
            web=web,
            web_options=web_options,
            settings=settings,
            template=answer_template(settings),
            context_window=self._parts.context_window,
            key=self._parts.key(),
        )

    def answer_prompt(
        self, question: str, *, limit: int = 8, filters: Filters = Filters()
    ) -> list[Message]:
        """Return what the chat model would be told to answer a question; it isn't asked.

        Raises as `search` does.
        """
        with self._store.snapshot():
            asker = self._asker("never", WebSearch())
            return asker.prompt(question, limit=limit, filters=filters)

    def verify(self, answer: Answer | Mapping[str, Any]) -> Verification:
        """Check the quotes of an answer against the index again, with no model and no network.

        `answer` is an Answer, or what its `to_dict()` gave and a file may have kept since. Nothing
        is written. Raises ConfigError for what is no answer, IndexNotFound.
        """
        return verification.verify(self._store, answer)

    # --- conversations -------------------------------------------------------------------------

    def converse(self, conversation: str | None = None) -> Chat:
        """Begin a conversation, or go on with a stored one, by its id or the id's beginning.

        Raises ConversationNotFound, and for what can't be asked as `search` does.
        """
        self._embedder()
        kept = self._store.conversations
        stored = None if conversation is None else kept.get(conversation)
        keeps = self._parts.settings.keep_conversations
        return Chat(self.ask_stream, kept, stored, keeps=keeps)

    def conversations(self) -> list[ConversationInfo]:
        """Return the stored conversations, that of the newest turn first."""
        return self._store.conversations.list()

    def conversation(self, reference: str) -> Conversation:
        """Return a stored conversation by its id or the id's beginning.

        Raises ConversationNotFound where none or several could be meant.
        """
        return self._store.conversations.get(reference)

    def delete_conversation(
        self, reference: str, *, on_event: Callable[[IngestEvent], None] | None = None
    ) -> ConversationInfo:
        """Take out a conversation with all of its turns, and return what it was.

        Raises ConversationNotFound.
        """
        tell = on_event or (lambda _event: None)
        id_ = self.conversation(reference).id
        with self._store.exclusive(on_wait=lambda sentence: tell(Notice(sentence))):
            info = self._store.conversations.delete(id_)
            indexing.forget_beside(self._store, id_)
        return info

    # --- what is there -------------------------------------------------------------------------

    def documents(
        self, filters: Filters = Filters(), *, after: str = "", limit: int = 0
    ) -> list[DocumentInfo]:
        """Return the documents that pass the filters, by uri: after that one, at most `limit`.

        0 is no limit.
        """
        return self._store.documents(filters, after=after, limit=limit)

    def get(self, reference: str) -> Document:
        """Return a whole document by id, uri, path, or a path's unique end.

        Raises DocumentNotFound where none or several could be meant.
        """
        return self._store.get(self._find(reference))

    def info(self, reference: str) -> DocumentInfo:
        """Return a document's line of the list: everything but the text.

        Raises DocumentNotFound.
        """
        return self._store.info(self._find(reference))

    def original(self, reference: str) -> Original:
        """Return the bytes that a document was read from: kept ones, or those of its file.

        They are the very bytes that are in the index. Raises DocumentNotFound, and DocumentError
        with the code "changed", "vanished" or "unreadable" for a file that isn't what it was, or
        "no-original" for web pages and what wasn't kept.
        """
        info = self._store.info(self._find(reference))
        limit = self._parts.settings.max_file_mb * 1_000_000
        return originals.read(self._originals, info, max_bytes=limit)

    def has_original(self, reference: str) -> bool:
        """Whether `original` is likely to give bytes; quick, since none are read.

        A file of another length, or that is gone, has none. Raises DocumentNotFound.
        """
        info = self._store.info(self._find(reference))
        (known,) = self._store.sources(uris=[info.uri], hashes=[])
        return originals.is_likely(self._originals, info, size=known.size_bytes)

    def page_image(
        self, reference: str, page: int, *, span: Span | None = None, width: int = 1200
    ) -> bytes:
        """Return a picture of a PDF's page as PNG, with the text of `span` highlighted in it.

        `span` counts in the document's text; what of it isn't found on the page isn't highlighted.
        The picture has 4 million pixels at most. Raises as `original` does, DocumentError with the
        code "no-pages" for what is no PDF, QueryError for a page that isn't there, ParseError.
        """
        document = self.get(reference)
        return self._pictures.page(
            document,
            page,
            span=span,
            width=width,
            load=lambda: self.original(document.id).data,
        )

    def chunks(self, reference: str) -> list[Chunk]:
        """Return a document's chunks in reading order. Raises DocumentNotFound."""
        return self._store.chunks(self._find(reference))

    def stats(self, *, sizes: bool = False) -> Stats:
        """Count what the index holds; with `sizes` also how large its parts are.

        For those the whole file is read: a second a gigabyte. "kept files" are those beside it.
        """
        stats = self._store.stats(sizes=sizes)
        kept = self._originals.size_bytes() if sizes else 0
        return replace(stats, sizes={**stats.sizes, "kept files": kept}) if kept else stats

    def optimize(
        self,
        *,
        stop: Callable[[], bool] = lambda: False,
        on_event: Callable[[IngestEvent], None] = lambda _event: None,
    ) -> OptimizeReport:
        """Make a large index as quick, and its file as small, as it can be.

        The vector index is built or trained again, the word index merged, and the file written
        anew where much of it is free. Searches go on meanwhile. What `stop` ends goes on with the
        next call. Raises IndexNotFound, IndexBusy, StorageFull.
        """
        return indexing.optimize(self._store, stop=stop, on_event=on_event)

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


def check_excludable(uri: str) -> None:
    """Raise ConfigError for what comes in only when it is named: excluding it changes nothing."""
    kind = "a web page" if _URL.match(uri) else "standard input" if _STDIN.match(uri) else ""
    if kind:
        raise ConfigError(
            f"{uri} can't be excluded: {kind} comes in only when it is named, and what is named"
            " is wanted",
            hint="remove it without excluding it; nothing brings it back by itself",
        )


def _search_by_meaning(store: SqliteStore, embedder: Embedder, query: str) -> Sequence[Hit]:
    found = retrieval.search(store, embedder, query, limit=10, mode="semantic", with_copies=True)
    return found.hits
