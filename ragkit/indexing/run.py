"""One ingest: changed documents embedded and written, each in one transaction.

What is in the index already is not read, parsed or embedded again: a file is compared by size
and time, then by content; a moved one is renamed; a chunk whose text was embedded before takes
its vector from the index or the cache. A run that ends early, for whatever reason, keeps what is
complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ragkit import sources, vectors
from ragkit.cache import cache_key
from ragkit.errors import ConfigError, DocumentError, ProviderError
from ragkit.indexing.changes import Changes, Prepared, is_known, vanished
from ragkit.indexing.embedding import Embedded, EmbeddingStage, Stopped, Text
from ragkit.indexing.estimating import estimate_reads
from ragkit.indexing.plan import Ingest
from ragkit.indexing.reading import Source
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.sources import SourceFile
from ragkit.store import SqliteStore
from ragkit.types import Estimate, IngestReport, RequestRecord, Usage

# More vanished documents than this, and more than half of a folder's, are not removed unasked.
_PRUNE_FLOOR = 20
# How long a run that ends early waits for replies that are paid for, in seconds.
_LAST_REPLIES = {"interrupted": 0.3, "max-tokens": 600.0}
_LAST_REPLIES_ON_ERROR = 10.0
_LEDGER_ROWS = 50  # are written together


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
    own = store.files()
    files = {file.uri: file for walk in walks for file in walk.files if file.path not in own}
    reads: list[SourceFile | Source] = [*files.values(), *others]
    tally = Tally(
        plan.on_event, files_total=len(reads), bytes_total=sum(f.size for f in files.values())
    )
    for left_out in {each.uri: each for walk in walks for each in walk.skipped}.values():
        (tally.failed if left_out.code == "unreadable" else tally.skipped).append(left_out)
    if not reads and not store.exists():
        return tally.report()  # nothing to make an index of
    with store.exclusive(on_wait=tally.notice, stop=plan.stop):
        if reads:
            store.claim(plan.fingerprint)
        named = {walk.root_uri for walk in walks} | {source.uri for source in others}
        for uri in store.excluded() & named:
            store.include(uri)  # named by itself: the user wants it back
        run = _Run(store, embedder, plan, tally, reads)
        try:
            run.write_all()
            for walk in walks:
                run.remove_vanished(walk)
        except Stopped as stopped:
            tally.stopped = stopped.reason
    return tally.report()


class _Run:
    """One ingest under way."""

    def __init__(
        self,
        store: SqliteStore,
        embedder: Embedder,
        plan: Ingest,
        tally: Tally,
        reads: Sequence[SourceFile | Source],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._plan = plan
        self._tally = tally
        self._reads = reads
        self._changes = Changes(store, plan, tally, reads)
        self._stage: EmbeddingStage[Prepared] = EmbeddingStage(
            embedder, vault=plan.vault, stop=plan.stop, before_batch=self._before_batch
        )
        self._records: list[RequestRecord] = []
        self._is_announced = False
        self._tokens_sent = 0

    # --- writing -------------------------------------------------------------------------------

    def write_all(self) -> None:
        """Embed and write what has changed, small documents sharing requests."""
        embedder = self._embedder
        if hasattr(embedder, "on_request"):
            embedder.on_request = self._records.append
        if hasattr(embedder, "on_wait"):
            embedder.on_wait = self._tell_wait
        with closing(self._changes.prepared()) as documents, closing(self._stage) as stage:
            try:
                for prepared in documents:
                    texts = self._texts(prepared)
                    known = self._store.known_vectors([text.key for text in texts])
                    stage.add(prepared, texts, known)
                    for each in stage.finished():
                        self._write(each)
                for each in stage.drain():
                    self._write(each)
            except (Stopped, ProviderError) as exc:
                reason = exc.reason if isinstance(exc, Stopped) else ""
                if reason == "interrupted" and hasattr(embedder, "cancel"):
                    embedder.cancel()
                seconds = _LAST_REPLIES.get(reason, _LAST_REPLIES_ON_ERROR)
                for each in stage.settle(seconds=seconds, send_planned=reason == "max-tokens"):
                    self._write(each)
                raise
            finally:
                self._write_ledger(at_least=1)

    def _texts(self, prepared: Prepared) -> list[Text]:
        name, dimensions = self._plan.fingerprint.embedder, self._plan.fingerprint.dimensions
        return [
            Text(vectors.input_hash(text), cache_key(name, dimensions, text), text)
            for text in prepared.inputs
        ]

    def _write(self, embedded: Embedded[Prepared]) -> None:
        prepared, uri = embedded.document, embedded.document.document.uri
        tally = self._tally
        tally.chunks_embedded = self._stage.texts_embedded
        tally.tokens = self._stage.tokens_embedded
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
        self._write_ledger(at_least=_LEDGER_ROWS)

    def _write_ledger(self, *, at_least: int) -> None:
        """Write what requests cost, and count it, once there are so many of them."""
        if len(self._records) < at_least:
            return
        records, self._records[:] = list(self._records), []
        self._store.record_requests(records)
        for record in records:
            self._tally.usage += Usage(requests=1, embedding_tokens=record.tokens)

    def _tell_wait(self, seconds: float, reason: str) -> None:
        self._tally.notice(f"waiting {seconds:.0f} s: {reason}")

    # --- before anything is sent ---------------------------------------------------------------

    def _before_batch(self, tokens: int) -> None:
        """Say what will be sent before the first batch is; hold what the user allowed."""
        plan = self._plan
        if plan.destination and not self._is_announced:
            self._is_announced = True
            self._announce()
        if plan.max_tokens and self._tokens_sent + tokens > plan.max_tokens:
            raise Stopped("max-tokens")
        self._tokens_sent += tokens

    def _announce(self) -> None:
        plan = self._plan
        count, tokens = self._guess()
        if plan.confirm_tokens and tokens > plan.confirm_tokens / 2:
            exact = estimate_reads(self._store, self._embedder, self._reads, plan)
            if exact.tokens > plan.confirm_tokens:
                self._confirm(exact)
            count, tokens = exact.added + exact.updated, exact.tokens
        self._tally.notice(
            f"the text of {count} files, about {tokens:,} tokens, goes to"
            f" {plan.destination} to be embedded with {self._embedder.name}"
        )

    def _confirm(self, exact: Estimate) -> None:
        if self._plan.confirm is None:
            raise ConfigError(
                f"this would send about {exact.tokens:,} tokens to {exact.destination}, more than"
                f" confirm_tokens ({self._plan.confirm_tokens:,})",
                hint="look at it with --dry-run; allow it with --yes or a higher confirm_tokens",
                code="unconfirmed",
            )
        if not self._plan.confirm(exact):
            raise Stopped("declined")

    def _guess(self) -> tuple[int, int]:
        """Return how many sources have changed, and about how many tokens they hold, unread."""
        files = [each for each in self._reads if isinstance(each, SourceFile)]
        pending = [file for file in files if not is_known(self._changes.known.get(file.uri), file)]
        tokens = sum(file.size // _bytes_a_token(file) for file in pending)
        return len(pending) + len(self._reads) - len(files), tokens

    # --- vanished files ------------------------------------------------------------------------

    def remove_vanished(self, walk: sources.Walk) -> None:
        """Remove the documents whose files are gone from a folder, unless that looks like a loss.

        A folder that is empty, or from which more than half would go (and more than 20), keeps
        its documents unless `prune` is set: an unmounted disk looks just like that.
        """
        below = walk.root_uri.rstrip("/") + "/"
        inside = [known for uri, known in self._changes.known.items() if uri.startswith(below)]
        gone = [
            known for known in inside if known.uri not in self._changes.uris and vanished(known.uri)
        ]
        if not gone or not walk.complete:
            return
        too_many = len(gone) > _PRUNE_FLOOR and len(gone) > len(inside) / 2
        if not self._plan.prune and (too_many or not walk.files):
            self._tally.kept.extend(known.uri for known in gone)
            self._tally.notice(
                f"{len(gone)} of {len(inside)} documents of {walk.root_uri} have no file any"
                " more; they are kept (add --prune to remove them)"
            )
            return
        for known in gone:
            self._changes.remove(known)


def _bytes_a_token(file: SourceFile) -> int:
    """A first guess before anything is parsed: the filings of a stock exchange in PDF take 10."""
    return 10 if file.path.suffix.lower() == ".pdf" else 4
