"""What an ingest or a reindex is to do, made of what an index has and what settings say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ragkit import config, retrieval
from ragkit.fingerprints import current, new_fingerprint, wanted_fingerprint
from ragkit.indexing import Ingest, tokens_allowed
from ragkit.intake import parse_options, parse_workers
from ragkit.ports import Embedder
from ragkit.store import SqliteStore
from ragkit.types import Fingerprint, IngestLimits
from ragkit.wiring import Given, Wiring


@dataclass(frozen=True, slots=True)
class Plans:
    """Makes the plans for one index. With `may_ask=False` no endpoint is asked for anything."""

    store: SqliteStore
    parts: Given | Wiring

    def stored(self) -> Fingerprint | None:
        """Return what the index was built with; None where it isn't there yet."""
        return self.store.fingerprint() if self.store.exists() else None

    def ingest(
        self,
        embedder: Embedder,
        *,
        collection: str | None,
        limits: IngestLimits | None = None,
        may_ask: bool = True,
    ) -> Ingest:
        """Return the plan of an ingest. Raises FingerprintMismatch, ConfigError."""
        settings = self.parts.settings
        stored = self.stored()
        if stored and may_ask:
            retrieval.check_embedder(stored, embedder)
        fingerprint = (
            current(stored) if stored else new_fingerprint(settings, embedder, may_ask=may_ask)
        )
        return replace(
            self._plan(embedder, fingerprint, limits),
            collection=collection,
            new_collection=settings.collection,
            parse_workers=parse_workers(settings),
            parse_options=parse_options(settings),
            max_file_bytes=settings.max_file_mb * 1_000_000,
        )

    def _plan(
        self, embedder: Embedder, fingerprint: Fingerprint, limits: IngestLimits | None
    ) -> Ingest:
        """Return what ingests and reindexes have in common: where texts go, and how many may."""
        limits = limits or IngestLimits()
        price = config.price(self.parts.settings, embedder.name)
        return Ingest(
            fingerprint=fingerprint,
            destination=self.parts.destination(embedder),
            vault=self.parts.vault(),
            max_tokens=tokens_allowed(limits, price),
            confirm_tokens=self.parts.settings.confirm_tokens,
            confirm=limits.confirm,
            price=price,
            stop=limits.stop,
        )

    def reindex(
        self, embedder: Embedder, limits: IngestLimits | None, *, may_ask: bool = True
    ) -> Ingest:
        """Return the plan of a reindex: what the index gets from the settings."""
        settings = self.parts.settings
        stored = self.store.fingerprint()
        fingerprint = (
            wanted_fingerprint(settings, stored, embedder, may_ask=may_ask)
            if stored
            else new_fingerprint(settings, embedder, may_ask=may_ask)
        )
        return self._plan(embedder, fingerprint, limits)
