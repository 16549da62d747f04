"""Documents embedded and written to an index, small ones in groups, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from ragkit import vectors
from ragkit.errors import ConfigError, DocumentError, ProviderError
from ragkit.indexing.embedding import Embedded, EmbeddingStage, Stopped
from ragkit.indexing.inputs import Prepared, texts_of
from ragkit.indexing.plan import Ingest
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.store import Entry, SqliteStore
from ragkit.types import Estimate, RequestRecord, Usage

# How long a run that ends early waits for replies that are paid for, in seconds.
_LAST_REPLIES = {"interrupted": 0.3, "max-tokens": 600.0}
_LAST_REPLIES_ON_ERROR = 10.0
_LEDGER_ROWS = 50  # are written together
# Documents are written when so many of their chunks have come together, or so long after those
# before: the first at once, and one of many after a moment that nobody notices. 2,000 small files
# take 16 transactions, and a third less of the processor's time than with one for each.
GROUP_CHUNKS = 1_000
GROUP_SECONDS = 0.25
# While a document is embedded that is told so often: a large one may take minutes.
TELL_SECONDS = 0.5


@dataclass(slots=True)
class _Group:
    """Documents that are embedded and will be written together, with the vectors of their texts."""

    documents: list[Prepared] = field(default_factory=list)
    vectors: dict[bytes, bytes] = field(default_factory=dict)
    chunks: int = 0

    def add(self, embedded: Embedded[Prepared]) -> None:
        self.documents.append(embedded.document)
        self.vectors |= embedded.vectors
        self.chunks += len(embedded.document.chunks)

    def entry(self, prepared: Prepared) -> Entry:
        """Return what the store is given of one of the documents."""
        keys = [vectors.input_hash(text) for text in prepared.inputs]
        return Entry(
            prepared.document,
            prepared.chunks,
            [(key, self.vectors[key]) for key in keys],
            size_bytes=prepared.size,
            mtime_ns=prepared.mtime_ns,
        )


class Filling:
    """Fills a store with documents, and its ledger with the requests that this takes.

    `announce` is called once, before the first text leaves this machine, and may raise to send
    nothing.
    """

    def __init__(
        self,
        store: SqliteStore,
        embedder: Embedder,
        plan: Ingest,
        tally: Tally,
        *,
        announce: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._plan = plan
        self._tally = tally
        self._announce = announce
        self._is_announced = False
        self._records: list[RequestRecord] = []
        self._tokens_sent = 0
        self._clock = clock
        self._group = _Group()
        self._committed_at = -GROUP_SECONDS
        self._told_at = clock()
        self._count: Callable[[], None] = lambda: None
        self.listen(embedder)

    def listen(self, embedder: Embedder) -> None:
        """Have an embedder tell of its requests and waits, if it can."""
        if hasattr(embedder, "on_request"):
            embedder.on_request = self._records.append
        if hasattr(embedder, "on_wait"):
            embedder.on_wait = self._tell_wait

    def fill(
        self,
        documents: Generator[Prepared],
        known: Callable[[Sequence[bytes]], Mapping[bytes, bytes]],
    ) -> None:
        """Embed and write documents, small ones sharing requests; not what is `known` already.

        Raises Stopped and ProviderError, when what is complete was written.
        """
        plan, embedder = self._plan, self._embedder
        stage: EmbeddingStage[Prepared] = EmbeddingStage(
            embedder,
            vault=plan.vault,
            stop=self._is_stopped,
            before_batch=self._before_batch,
            max_tokens=plan.max_tokens - self._tokens_sent if plan.max_tokens else None,
        )
        before = self._tally.chunks_embedded, self._tally.tokens

        def count() -> None:
            self._tally.chunks_embedded = before[0] + stage.texts_embedded
            self._tally.tokens = before[1] + stage.tokens_embedded

        self._count = count

        def write(finished: Iterable[Embedded[Prepared]]) -> None:
            for each in finished:
                count()
                self._take(each)
            self._commit_if_due()

        with closing(documents), closing(stage):
            try:
                for prepared in documents:
                    self._tally.chunks_found += len(prepared.chunks)
                    texts = texts_of(prepared, plan.fingerprint)
                    keys = [text.key for text in texts]
                    stage.add(prepared, texts, {**known(keys), **self._uncommitted(keys)})
                    write(stage.finished())
                write(stage.drain())
            except (Stopped, ProviderError) as exc:
                reason = exc.reason if isinstance(exc, Stopped) else ""
                if reason == "interrupted" and hasattr(embedder, "cancel"):
                    embedder.cancel()
                seconds = _LAST_REPLIES.get(reason, _LAST_REPLIES_ON_ERROR)
                write(stage.settle(seconds=seconds, send_planned=reason == "max-tokens"))
                raise
            finally:
                count()
                self._commit()
                self.write_ledger()

    def write_ledger(self, *, at_least: int = 1) -> None:
        """Write what requests cost, and count it, once there are so many of them."""
        if len(self._records) < at_least:
            return
        records, self._records[:] = list(self._records), []
        self._store.record_requests(records)
        for record in records:
            self._tally.usage += Usage(requests=1, embedding_tokens=record.tokens)

    def _take(self, embedded: Embedded[Prepared]) -> None:
        """Put a document into the open group, or tell of its error, in the order of finishing."""
        if error := embedded.error:
            self._commit()
            uri = embedded.document.document.uri
            failure = DocumentError(uri, str(error), hint=error.hint, code=error.code)
            self._tally.leave_out(failure, size=embedded.document.size)
            return
        self._group.add(embedded)
        if self._group.chunks >= GROUP_CHUNKS or not self._is_kept():
            self._commit()

    def _is_kept(self) -> bool:
        """Whether a crash would cost no vector of the open group that somebody is paid for."""
        vault = self._plan.vault
        return not self._plan.destination or (vault is not None and not vault.problem)

    def _uncommitted(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return what the index will have of these inputs once the open group is written."""
        held = self._group.vectors
        return {key: held[key] for key in keys if key in held}

    def _is_stopped(self) -> bool:
        """Whether the run is to end: asked again and again while it waits for replies."""
        self._commit_if_due()
        self._tell_if_due()
        return self._plan.stop()

    def _tell_if_due(self) -> None:
        if self._clock() - self._told_at >= TELL_SECONDS:
            self._told_at = self._clock()
            self._count()
            self._tally.tell()

    def _commit_if_due(self) -> None:
        if self._clock() - self._committed_at >= GROUP_SECONDS:
            self._commit()

    def _commit(self) -> None:
        """Write the open group, then say so of each of its documents."""
        group, self._group = self._group, _Group()
        if not group.documents:
            return
        self._store.put_many([group.entry(prepared) for prepared in group.documents])
        self._committed_at = self._clock()
        tally = self._tally
        for prepared in group.documents:
            uri = prepared.document.uri
            (tally.added if prepared.is_new else tally.updated).append(uri)
            tally.chunks += len(prepared.chunks)
            tally.done(uri, size=prepared.size)
        self.write_ledger(at_least=_LEDGER_ROWS)

    def _before_batch(self, tokens: int) -> None:
        if self._plan.destination and not self._is_announced:
            self._is_announced = True
            self._announce()
        self._tokens_sent += tokens

    def _tell_wait(self, seconds: float, reason: str) -> None:
        self._tally.notice(f"waiting {seconds:.0f} s: {reason}")


def confirm(plan: Ingest, expected: Estimate) -> None:
    """Ask whether so much may be sent, where it is more than may be sent unasked."""
    if not plan.confirm_tokens or expected.tokens <= plan.confirm_tokens:
        return
    if plan.confirm is None:
        raise ConfigError(
            f"this would send about {expected.tokens:,} tokens to {plan.destination}, more than"
            f" confirm_tokens ({plan.confirm_tokens:,})",
            hint="look at it with --dry-run; allow it with --yes or a higher confirm_tokens",
            code="unconfirmed",
        )
    if not plan.confirm(expected):
        raise Stopped("declined")
