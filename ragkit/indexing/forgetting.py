"""Takes the vectors of a document's texts out of the embedding cache."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit import vectors
from ragkit.cache import VectorCache, cache_key
from ragkit.indexing.embedding import Vault
from ragkit.store import SqliteStore


def forget_texts(store: SqliteStore, vault: Vault | None, texts: Sequence[str]) -> str:
    """Take these texts' vectors out of the cache, and say in a sentence what was done.

    Those that a document of the index still has stay.
    """
    if not isinstance(vault, VectorCache):
        return "no embedding cache is in use; `ragkit cache clear` empties one from before"
    fingerprint = store.fingerprint()
    assert fingerprint is not None, "an index that has, or had, documents has a fingerprint"
    keys = {vectors.input_hash(text): text for text in texts}
    shared = store.known_vectors(keys)
    removed = vault.forget(
        cache_key(fingerprint.embedder, fingerprint.dimensions, text)
        for key, text in keys.items()
        if key not in shared
    )
    if vault.problem:
        return f"nothing was taken out of the embedding cache: {vault.problem}"
    kept = f"; {len(shared)} stay: other documents have the same text" if shared else ""
    return f"{removed} vectors were taken out of the embedding cache{kept}"
