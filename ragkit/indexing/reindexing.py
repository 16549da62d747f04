"""An index gets another embedder, other templates or other chunks, while the old ones serve.

The new set is built in a file beside the index, from the stored documents alone: no source is
read, and a call that ended early is continued by the next. It is put in place in one transaction.
Killed at any moment, the index is whole: with its old set or with the new one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ragkit.errors import (
    ConfigError,
    ConversationNotFound,
    DocumentNotFound,
    IndexBusy,
    IndexStateError,
    StorageFull,
)
from ragkit.indexing.comparing import compare, queries
from ragkit.indexing.embedding import Stopped
from ragkit.indexing.filling import Filling, confirm
from ragkit.indexing.plan import Ingest
from ragkit.indexing.recutting import (
    NEXT,
    PREVIOUS,
    beside,
    close_others,
    cut_anew,
    estimate_set,
    follow,
    known_vectors,
    lenders,
    pending_in,
)
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.store import SqliteStore
from ragkit.types import (
    Comparison,
    Estimate,
    Fingerprint,
    Hit,
    ReindexReport,
)

SAMPLE = 20  # queries that compare the old set with the new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Reindex:
    """The terms of a reindex; `plan.fingerprint` is what the index is to have.

    `before` embeds for the index as it is, None where that can't be had; `search` runs a query
    by vectors alone. Below `min_found`, a share of `sample` queries, nothing is swapped.
    `destination_before` is where queries for the old embedder go.
    """

    plan: Ingest
    before: Embedder | None
    search: Callable[[SqliteStore, Embedder, str], Sequence[Hit]]
    destination_before: str = ""
    sample: int = SAMPLE
    min_found: float = 0.0
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free


def reindex(store: SqliteStore, embedder: Embedder, terms: Reindex) -> ReindexReport:
    """Give an index what the terms say, once all of its documents have their new vectors.

    Raises IndexNotFound, IndexBusy, StorageFull and ProviderError; what was embedded stays, and
    the old set serves.
    """
    if terms.min_found and not terms.sample:
        raise ConfigError(
            "a least share of found documents needs queries", hint="give --sample at least 1"
        )
    wanted = terms.plan.fingerprint
    stored = store.fingerprint() or wanted
    if stored == wanted:
        _leftover(store, wanted, terms.plan)
        return ReindexReport(stored, wanted)
    with closing(SqliteStore(beside(store, NEXT))) as shadow:
        _check_space(store, shadow, wanted, terms)
        try:
            with _exclusive(shadow, terms.plan):
                return _reindex(store, shadow, embedder, terms)
        except Stopped as stopped:  # while it waited for another call
            return ReindexReport(stored, wanted, stopped=stopped.reason)


def _reindex(
    store: SqliteStore, shadow: SqliteStore, embedder: Embedder, terms: Reindex
) -> ReindexReport:
    wanted = terms.plan.fingerprint
    stored = store.fingerprint() or wanted
    if stored == wanted:  # by another call, while this one waited
        shadow.delete()
        return ReindexReport(wanted, wanted)
    if shadow.fingerprint() != wanted:
        shadow.start_over(wanted)
    report = _Building(store, shadow, embedder, terms, stored).run()
    if report.swapped:
        shadow.delete()
    return report


def rollback(store: SqliteStore) -> ReindexReport:
    """Bring back the chunks, vectors and settings from before the last reindex.

    Raises IndexStateError where there are none, or documents have changed since.
    """
    stored = store.fingerprint()
    with closing(SqliteStore(beside(store, PREVIOUS))) as previous:
        before = previous.fingerprint() if previous.exists() else None
        if stored is None or before is None or before == stored:
            raise IndexStateError(
                f"there is nothing to go back to: no reindex of {store.path} left its old set",
                hint="ragkit reindex with other settings makes another set",
            )
        with store.exclusive():
            if changed := store.differing(previous):
                some = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
                raise IndexStateError(
                    f"{len(changed)} documents were added, changed or removed since: {some}",
                    hint=f"reindex with the old settings instead: {_options(before)}",
                )
            store.replace_chunks(previous)
            for _ in store.keep_up():
                pass
            stats = store.stats()
        previous.delete()
    return ReindexReport(stored, before, stats.documents, stats.chunks, swapped=True)


def remove_beside(store: SqliteStore, id_: str) -> None:
    """Take a document out of the sets beside an index too, where its text would outlive it."""
    for suffix in (NEXT, PREVIOUS):
        other = SqliteStore(beside(store, suffix), lock_wait_seconds=0)
        # A reindex that runs takes out what is gone by itself.
        with closing(other), suppress(DocumentNotFound, IndexBusy):
            if other.exists() and other.info(id_):
                with other.exclusive():
                    other.remove(id_)


def forget_beside(store: SqliteStore, conversation: str) -> None:
    """Take a conversation out of the copy that a rollback needs, where it would outlive it."""
    other = SqliteStore(beside(store, PREVIOUS), lock_wait_seconds=0)
    with closing(other), suppress(ConversationNotFound, IndexBusy):
        if other.exists() and other.conversations.get(conversation):
            with other.exclusive():
                other.conversations.delete(conversation)


def estimate_reindex(store: SqliteStore, embedder: Embedder, plan: Ingest) -> Estimate:
    """Say what a reindex would embed and cost, without a request or a change."""
    with closing(SqliteStore(beside(store, NEXT))) as shadow:
        return estimate_set(store, shadow, embedder, plan)


class _Building:
    """One reindex under way: fills the shadow, compares, swaps."""

    def __init__(
        self,
        store: SqliteStore,
        shadow: SqliteStore,
        embedder: Embedder,
        terms: Reindex,
        stored: Fingerprint,
    ) -> None:
        self._store = store
        self._shadow = shadow
        self._embedder = embedder
        self._terms = terms
        self._stored = stored
        self._plan = terms.plan
        self._tally = Tally(terms.plan.on_event)
        self._filling = Filling(shadow, embedder, self._plan, self._tally, announce=self._announce)
        self._comparison: Comparison | None = None

    def run(self) -> ReindexReport:
        swapped = False
        lending = lenders(self._store, self._plan.fingerprint)
        try:
            self._fill(lending)
            if not self._tally.failed:
                self._compare()
                swapped = self._swap(lending)
        except Stopped as stopped:
            self._tally.stopped = stopped.reason
        finally:
            self._filling.write_ledger()
            close_others(lending, self._store)
        stats = (self._store if swapped else self._shadow).stats()
        return ReindexReport(
            before=self._stored,
            after=self._plan.fingerprint,
            documents=stats.documents,
            chunks=stats.chunks,
            chunks_embedded=self._tally.chunks_embedded,
            comparison=self._comparison,
            failed=tuple(self._tally.failed),
            usage=self._tally.usage,
            swapped=swapped,
            stopped=self._tally.stopped,
        )

    def _swap(self, lending: Sequence[SqliteStore]) -> bool:
        """Put the new set in place, brought up to what an ingest did meanwhile."""
        found = self._comparison
        if found and found.queries and found.found_after / found.queries < self._terms.min_found:
            raise Stopped("min-found")
        with _exclusive(self._store, self._plan):
            if self._store.fingerprint() != self._stored:
                raise IndexStateError(
                    f"{self._store.path} got other settings while it was reindexed",
                    hint="run it again",
                )
            self._fill(lending)
            if self._tally.failed:
                return False
            self._filling.write_ledger()
            self._check_stop()
            _keep(self._store)
            self._check_stop()
            self._store.replace_chunks(self._shadow, with_requests=True)
            for step in self._store.keep_up(self._plan.stop):
                self._tally.notice(f"the index is large: {step}")
        return True

    # --- filling -------------------------------------------------------------------------------

    def _fill(self, lending: Sequence[SqliteStore]) -> None:
        """Embed and write what the shadow doesn't have of the index's documents."""
        documents = self._store.known()
        follow(self._shadow, documents)
        pending = pending_in(self._shadow, documents)
        self._tally.files_total += len(pending)
        self._tally.bytes_total += sum(known.size_bytes for known in pending)
        self._filling.fill(
            cut_anew(self._store, pending, self._plan.fingerprint),
            partial(known_vectors, (self._shadow, *lending)),
        )

    def _check_stop(self) -> None:
        if self._plan.stop():
            raise Stopped("interrupted")

    # --- before anything is sent ---------------------------------------------------------------

    def _announce(self) -> None:
        plan = self._plan
        expected = estimate_set(self._store, self._shadow, self._embedder, plan)
        confirm(plan, expected)
        self._tally.notice(
            f"the text of {expected.updated} documents, about {expected.tokens:,} tokens, goes to"
            f" {plan.destination} to be embedded with {self._embedder.name}"
        )

    # --- comparing -----------------------------------------------------------------------------

    def _compare(self) -> None:
        terms = self._terms
        if not terms.sample:
            return
        asked = queries(self._shadow, sample=terms.sample)
        old = None
        if terms.before is not None:
            self._filling.listen(terms.before)
            old = partial(self._search, self._store, terms.before)
            if terms.destination_before:
                self._tally.notice(
                    f"{len(asked)} headings and sentences of the documents go to"
                    f" {terms.destination_before}, to compare with {terms.before.name}"
                )
        new = partial(self._search, self._shadow, self._embedder)
        self._comparison = compare(asked, before=old, after=new, notice=self._tally.notice)

    def _search(self, store: SqliteStore, embedder: Embedder, query: str) -> Sequence[Hit]:
        self._check_stop()
        return self._terms.search(store, embedder, query)


@contextmanager
def _exclusive(store: SqliteStore, plan: Ingest) -> Iterator[None]:
    """Be the only writer; a stop while waiting for another one is a stop of the run."""
    with ExitStack() as stack:
        try:
            stack.enter_context(
                store.exclusive(on_wait=Tally(plan.on_event).notice, stop=plan.stop)
            )
        except IndexBusy:
            if plan.stop():
                raise Stopped("interrupted") from None
            raise
        yield


# --- the files beside the index ----------------------------------------------------------------


def _leftover(store: SqliteStore, wanted: Fingerprint, plan: Ingest) -> None:
    """Remove a shadow that was put in place already; tell of one that waits to be continued."""
    with closing(SqliteStore(beside(store, NEXT))) as shadow:
        begun = shadow.fingerprint() if shadow.exists() else None
        if begun is None:
            return
        if begun == wanted:
            with shadow.exclusive():
                shadow.delete()
            return
        Tally(plan.on_event).notice(
            f"a reindex waits to be continued: {_options(begun)} (or remove {shadow.path})"
        )


def _check_space(
    store: SqliteStore, shadow: SqliteStore, wanted: Fingerprint, terms: Reindex
) -> None:
    """Raise StorageFull unless the disk holds the shadow, the old set kept, and the swap's log."""
    stats = store.stats()
    stored = stats.fingerprint or wanted
    chunks = stats.chunks * stored.chunk_tokens / wanted.chunk_tokens
    growth = int(4 * (chunks * wanted.dimensions - stats.chunks * stored.dimensions))
    new_bytes = stats.size_bytes + max(0, growth)
    there = shadow.path.stat().st_size if shadow.exists() else 0
    needed = 2 * new_bytes + stats.size_bytes - min(there, new_bytes)
    free = terms.free_bytes(store.path.parent)
    if free < needed:
        raise StorageFull(
            f"a reindex of {store.path} needs about {needed / 1e6:,.0f} MB for a while, and the"
            f" disk has {free / 1e6:,.0f} MB free",
            hint="free some space, or build a new index on another disk with --db",
        )


def _keep(store: SqliteStore) -> None:
    """Keep the index as it is for a rollback; a half copy never has the name of a whole one."""
    part = beside(store, PREVIOUS + ".part")
    store.copy_to(part)
    with closing(SqliteStore(part)) as copy:
        kept, stats = copy.stats(), store.stats()
        if (kept.documents, kept.vectors) != (stats.documents, stats.vectors):
            raise IndexStateError(
                f"{part} is no whole copy of {store.path}", hint="check the disk, then run it again"
            )
    previous = SqliteStore(beside(store, PREVIOUS))
    previous.delete()
    part.replace(previous.path)
    SqliteStore(part).delete()  # the empty log that reading it has left


def _options(fingerprint: Fingerprint) -> str:
    """Return the command that asks for a fingerprint, without its templates."""
    return (
        f"ragkit reindex --embedding-model {fingerprint.embedder}"
        f" --embedding-dimensions {fingerprint.dimensions}"
        f" --chunk-tokens {fingerprint.chunk_tokens}"
    )
