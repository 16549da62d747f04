"""Ingest: from files, pages and bytes to chunks with vectors."""

from __future__ import annotations

from ragkit.indexing.embedding import Vault
from ragkit.indexing.estimating import estimate
from ragkit.indexing.plan import Ingest, tokens_allowed
from ragkit.indexing.reading import Loaded, Source
from ragkit.indexing.run import ingest

__all__ = ["Ingest", "Loaded", "Source", "Vault", "estimate", "ingest", "tokens_allowed"]
