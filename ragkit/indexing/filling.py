"""Documents embedded and written to an index, each in one transaction, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing

from ragkit import vectors
from ragkit.errors import ConfigError, DocumentError, ProviderError
from ragkit.indexing.embedding import Embedded, EmbeddingStage, Stopped
from ragkit.indexing.inputs import Prepared, texts_of
from ragkit.indexing.plan import Ingest
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.store import SqliteStore
from ragkit.types import Estimate, RequestRecord, Usage

# How long a run that ends early waits for replies that are paid for, in seconds.
_LAST_REPLIES = {"interrupted": 0.3, "max-tokens": 600.0}
_LAST_REPLIES_ON_ERROR = 10.0
_LEDGER_ROWS = 50  # are written together


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
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._plan = plan
        self._tally = tally
        self._announce = announce
        self._is_announced = False
        self._records: list[RequestRecord] = []
        self._tokens_sent = 0
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
            stop=plan.stop,
            before_batch=self._before_batch,
            max_tokens=plan.max_tokens - self._tokens_sent if plan.max_tokens else None,
        )
        before = self._tally.chunks_embedded, self._tally.tokens

        def count() -> None:
            self._tally.chunks_embedded = before[0] + stage.texts_embedded
            self._tally.tokens = before[1] + stage.tokens_embedded

        def write(finished: Iterable[Embedded[Prepared]]) -> None:
            for each in finished:
                count()
                self._write(each)

        with closing(documents), closing(stage):
            try:
                for prepared in documents:
                    texts = texts_of(prepared, plan.fingerprint)
                    stage.add(prepared, texts, known([text.key for text in texts]))
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
                self.write_ledger()

    def write_ledger(self, *, at_least: int = 1) -> None:
        """Write what requests cost, and count it, once there are so many of them."""
        if len(self._records) < at_least:
            return
        records, self._records[:] = list(self._records), []
        self._store.record_requests(records)
        for record in records:
            self._tally.usage += Usage(requests=1, embedding_tokens=record.tokens)

    def _write(self, embedded: Embedded[Prepared]) -> None:
        prepared, uri = embedded.document, embedded.document.document.uri
        tally = self._tally
        if error := embedded.error:
            failure = DocumentError(uri, str(error), hint=error.hint, code=error.code)
            tally.leave_out(failure, size=prepared.size)
            return
        keys = [vectors.input_hash(text) for text in prepared.inputs]
        self._store.put(
            prepared.document,
            prepared.chunks,
            [(key, embedded.vectors[key]) for key in keys],
            size_bytes=prepared.size,
            mtime_ns=prepared.mtime_ns,
        )
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
