"""Ingest: from files, pages and bytes to chunks with vectors."""

from __future__ import annotations

from ragkit.indexing.reading import Loaded, Source
from ragkit.indexing.run import Ingest, ingest

__all__ = ["Ingest", "Loaded", "Source", "ingest"]
