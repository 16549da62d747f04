"""What an ingest would send and cost: everything of one but the requests and the writing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ragkit import sources, vectors
from ragkit.cache import cache_key
from ragkit.indexing.batching import Capacity
from ragkit.indexing.changes import Changes
from ragkit.indexing.plan import Ingest
from ragkit.indexing.reading import Source
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.sources import SourceFile
from ragkit.store import SqliteStore
from ragkit.types import Estimate, ModelUsage


def estimate(
    store: SqliteStore,
    embedder: Embedder,
    paths: Sequence[Path],
    plan: Ingest,
    *,
    others: Sequence[Source] = (),
) -> Estimate:
    """Say what an ingest of these paths and sources would do. Raises DocumentError as it does."""
    own = store.files()
    walked = (file for path in paths for file in sources.walk(path).files)
    files = {file.uri: file for file in walked if file.path not in own}
    return estimate_reads(store, embedder, [*files.values(), *others], plan)


def estimate_reads(
    store: SqliteStore,
    embedder: Embedder,
    reads: Sequence[SourceFile | Source],
    plan: Ingest,
) -> Estimate:
    """Read, parse and cut what has changed, and count what would have to be embedded."""
    tally = Tally(lambda _event: None, files_total=len(reads))
    changes = Changes(store, replace(plan, on_event=lambda _event: None), tally, reads, is_dry=True)
    asked: set[bytes] = set()
    bill = Bill(embedder)
    added = updated = chunks = 0
    with closing(changes.prepared()) as documents:
        for prepared in documents:
            added += prepared.is_new
            updated += not prepared.is_new
            chunks += len(prepared.chunks)
            for text in _to_embed(store, plan, prepared.inputs, asked):
                bill.add(text)
    return bill.estimate(
        store,
        plan,
        files=len(reads),
        added=added,
        updated=updated,
        moved=len(tally.moved),
        unchanged=len(tally.unchanged),
        failed=len(tally.failed),
        skipped=len(tally.skipped),
        chunks=chunks,
    )


class Bill:
    """What it would take to embed texts, which are told one by one in the order of an ingest."""

    def __init__(self, embedder: Embedder) -> None:
        self._capacity = Capacity(embedder)
        self._texts = self._tokens = self._requests = 0
        self._batch_texts = self._batch_tokens = 0

    def add(self, text: str) -> None:
        """Count a text, and a request where it doesn't fit into the one before."""
        cost = self._capacity.tokens(text)
        self._texts += 1
        self._tokens += cost
        self._batch_texts += 1
        self._batch_tokens += cost
        if self._capacity.is_full(self._batch_texts, self._batch_tokens):
            self._batch_texts, self._batch_tokens = 1, cost
        self._requests += self._batch_texts == 1

    def estimate(
        self,
        store: SqliteStore,
        plan: Ingest,
        *,
        files: int,
        chunks: int,
        added: int = 0,
        updated: int = 0,
        moved: int = 0,
        unchanged: int = 0,
        failed: int = 0,
        skipped: int = 0,
    ) -> Estimate:
        """Return the estimate, corrected by what the index's ledger says of the model."""
        spent = _spent(store, plan.fingerprint.embedder)
        tokens = round(self._tokens * (spent.tokens_per_estimated if spent else 1.0))
        is_sent = bool(plan.destination)
        seconds = None
        if spent:
            seconds = self._requests * spent.seconds_per_request / self._capacity.in_flight
        return Estimate(
            files=files,
            added=added,
            updated=updated,
            moved=moved,
            unchanged=unchanged,
            failed=failed,
            skipped=skipped,
            chunks=chunks,
            new_chunks=self._texts,
            tokens=tokens,
            requests=self._requests if is_sent else 0,
            cost=tokens * plan.price / 1e6 if plan.price and is_sent else None,
            seconds=seconds,
            destination=plan.destination,
            model=plan.fingerprint.embedder,
        )


def _spent(store: SqliteStore, model: str) -> ModelUsage | None:
    usage = store.usage() if store.exists() else []
    return next((each for each in usage if each.model == model), None)


def _to_embed(
    store: SqliteStore, plan: Ingest, inputs: Sequence[str], asked: set[bytes]
) -> list[str]:
    """Return the texts that neither index nor cache know, nor a document before; note them."""
    wanted = {vectors.input_hash(text): text for text in inputs}
    known = store.known_vectors(wanted) if store.exists() else {}
    missing = {key: text for key, text in wanted.items() if key not in known and key not in asked}
    if missing and plan.vault:
        made_of = plan.fingerprint.embedder, plan.fingerprint.dimensions
        places = {cache_key(*made_of, text): key for key, text in missing.items()}
        for place in plan.vault.get(list(places)):
            missing.pop(places[place], None)
    asked.update(missing)
    return list(missing.values())
