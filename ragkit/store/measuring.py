"""How large the parts of an index file are."""

from __future__ import annotations

from collections import Counter

import apsw

from ragkit.db import fetch

# The beginning of a table's name, the longer one first, and the part that it belongs to.
_PARTS = {
    "vector_cells": "vector index",
    "vectors": "vectors",
    "token_vectors": "token vectors",
    "words": "words",
    "texts": "texts",
    "chunks": "chunks",
    "sqlite_autoindex_chunks": "chunks",
}


def sizes(connection: apsw.Connection) -> dict[str, int]:
    """Return the bytes of each part, the largest first. Every page is read for it."""
    found: Counter[str] = Counter()
    for name, size in fetch(connection, "SELECT name, pgsize FROM dbstat WHERE aggregate = TRUE"):
        part = next((part for start, part in _PARTS.items() if name.startswith(start)), "the rest")
        found[part] += size
    found["free"] = connection.pragma("freelist_count") * connection.pragma("page_size")
    return {part: size for part, size in found.most_common() if size}
