"""Ingest: from files, pages and bytes to chunks with vectors."""

from __future__ import annotations

from ragkit.indexing.embedding import Vault
from ragkit.indexing.estimating import estimate
from ragkit.indexing.optimizing import optimize
from ragkit.indexing.plan import Ingest, tokens_allowed
from ragkit.indexing.reading import Loaded, Source
from ragkit.indexing.reindexing import (
    SAMPLE,
    Reindex,
    estimate_reindex,
    forget_beside,
    reindex,
    remove_beside,
    rollback,
)
from ragkit.indexing.run import ingest

__all__ = [
    "SAMPLE",
    "Ingest",
    "Loaded",
    "Reindex",
    "Source",
    "Vault",
    "estimate",
    "estimate_reindex",
    "forget_beside",
    "ingest",
    "optimize",
    "reindex",
    "remove_beside",
    "rollback",
    "tokens_allowed",
]
