"""What an ingest would send and cost: everything of one but the requests and the writing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from ragkit import sources, vectors
from ragkit.cache import cache_key
from ragkit.indexing.changes import Changes
from ragkit.indexing.embedding import BATCH_TEXTS, BATCH_TOKENS, IN_FLIGHT
from ragkit.indexing.plan import Ingest
from ragkit.indexing.reading import Source
from ragkit.indexing.tally import Tally
from ragkit.ports import Embedder
from ragkit.sources import SourceFile
from ragkit.store import SqliteStore
from ragkit.text import estimate_tokens
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
    added = updated = chunks = tokens = requests = batch_texts = batch_tokens = 0
    with closing(changes.prepared()) as documents:
        for prepared in documents:
            added += prepared.is_new
            updated += not prepared.is_new
            chunks += len(prepared.chunks)
            for text in _to_embed(store, plan, prepared.inputs, asked):
                cost = estimate_tokens(text)
                tokens += cost
                batch_texts += 1
                batch_tokens += cost
                if batch_texts > getattr(
                    embedder, "batch_texts", BATCH_TEXTS
                ) or batch_tokens > getattr(embedder, "batch_tokens", BATCH_TOKENS):
                    requests += 1
                    batch_texts, batch_tokens = 1, cost
    requests += bool(batch_texts)
    spent = _spent(store, plan.fingerprint.embedder)
    tokens = round(tokens * (spent.tokens_per_estimated if spent else 1.0))
    in_flight = getattr(embedder, "in_flight", IN_FLIGHT)
    is_sent = bool(plan.destination)
    return Estimate(
        files=len(reads),
        added=added,
        updated=updated,
        moved=len(tally.moved),
        unchanged=len(tally.unchanged),
        failed=len(tally.failed),
        skipped=len(tally.skipped),
        chunks=chunks,
        new_chunks=len(asked),
        tokens=tokens,
        requests=requests if is_sent else 0,
        cost=tokens * plan.price / 1e6 if plan.price and is_sent else None,
        seconds=requests * spent.seconds_per_request / in_flight if spent else None,
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
