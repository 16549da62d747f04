"""Another set of an index: where it is kept, what it still lacks, the stored documents cut anew."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ragkit.errors import DocumentNotFound
from ragkit.indexing.embedding import Text
from ragkit.indexing.estimating import Bill
from ragkit.indexing.inputs import Prepared, prepare, texts_of
from ragkit.indexing.plan import Ingest
from ragkit.ports import Embedder
from ragkit.store import Known, SqliteStore
from ragkit.types import Estimate, Fingerprint

NEXT = ".next"  # after the index's name: the set under way
PREVIOUS = ".previous"  # the index as it was before the last swap


def beside(store: SqliteStore, suffix: str) -> Path:
    """Return the place of a set beside an index."""
    return store.path.with_name(store.path.name + suffix)


def follow(shadow: SqliteStore, documents: dict[str, Known]) -> None:
    """Take out of the shadow what the index has no more, and give the rest its places."""
    by_id = {known.id: known for known in documents.values()}
    held = list(shadow.known().values())
    for known in held:
        if known.id not in by_id:
            shadow.remove(known.id)
    moved = [
        known for known in held if known.id in by_id and _place(known) != _place(by_id[known.id])
    ]
    # In two steps, since documents may have changed places: a uri is one document's only.
    for known in moved:
        _rename(shadow, by_id[known.id], f"moving:{known.id}")
    for known in moved:
        _rename(shadow, by_id[known.id], by_id[known.id].uri)


def _place(known: Known) -> tuple[str, str, int, int]:
    return known.uri, known.collection, known.size_bytes, known.mtime_ns


def _rename(shadow: SqliteStore, known: Known, uri: str) -> None:
    shadow.rename(
        known.id,
        uri,
        size_bytes=known.size_bytes,
        mtime_ns=known.mtime_ns,
        collection=known.collection,
    )


def pending_in(shadow: SqliteStore, documents: dict[str, Known]) -> list[Known]:
    """Return the documents, by uri, that the shadow doesn't hold in their present version."""
    held = {known.id: known.content_hash for known in shadow.known().values()}
    return [
        known for _, known in sorted(documents.items()) if held.get(known.id) != known.content_hash
    ]


def cut_anew(
    store: SqliteStore, pending: Iterable[Known], fingerprint: Fingerprint
) -> Generator[Prepared]:
    """Yield stored documents cut anew; one that was removed meanwhile is left out."""
    for known in pending:
        try:
            document = store.get(known.id)
        except DocumentNotFound:
            continue
        document = replace(document, uri=known.uri)  # that of the list, where each stands once
        yield prepare(
            document,
            fingerprint,
            size=known.size_bytes,
            mtime_ns=known.mtime_ns,
            is_new=False,
        )


def lenders(store: SqliteStore, wanted: Fingerprint) -> list[SqliteStore]:
    """Return the indexes here whose vectors are of the wanted space, this one first.

    With other chunks or templates alone, most texts may still be what they were.
    """
    found = []
    for each in (store, SqliteStore(beside(store, PREVIOUS))):
        fingerprint = each.fingerprint() if each.exists() else None
        if fingerprint and _space(fingerprint) == _space(wanted):
            found.append(each)
        elif each is not store:
            each.close()
    return found


def close_others(lending: Iterable[SqliteStore], store: SqliteStore) -> None:
    """Close what `lenders` opened."""
    for each in lending:
        if each is not store:
            each.close()


def _space(fingerprint: Fingerprint) -> tuple[str, int]:
    return fingerprint.embedder, fingerprint.dimensions


def known_vectors(stores: Iterable[SqliteStore], keys: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for store in stores:
        found |= store.known_vectors(key for key in keys if key not in found)
    return found


def estimate_set(
    store: SqliteStore, shadow: SqliteStore, embedder: Embedder, plan: Ingest
) -> Estimate:
    """Cut all that is pending and count what neither the sets here nor the cache know."""
    wanted = plan.fingerprint
    documents = store.known()
    is_begun = shadow.exists() and shadow.fingerprint() == wanted
    pending = pending_in(shadow, documents) if is_begun else list(documents.values())
    lending = lenders(store, wanted)
    stores = (shadow, *lending) if is_begun else lending
    seen: set[bytes] = set()
    bill = Bill(embedder)
    chunks = 0
    for prepared in cut_anew(store, pending, wanted):
        chunks += len(prepared.chunks)
        for text in _unknown(prepared, wanted, stores, plan, seen):
            bill.add(text.text)
    close_others(lending, store)
    return bill.estimate(
        store,
        plan,
        files=len(documents),
        updated=len(pending),
        unchanged=len(documents) - len(pending),
        chunks=chunks,
    )


def _unknown(
    prepared: Prepared,
    wanted: Fingerprint,
    stores: Sequence[SqliteStore],
    plan: Ingest,
    seen: set[bytes],
) -> list[Text]:
    """Return the texts that would have to be embedded, and note them as seen."""
    texts = {text.key: text for text in texts_of(prepared, wanted) if text.key not in seen}
    known = known_vectors(stores, list(texts))
    missing = [text for key, text in texts.items() if key not in known]
    if missing and plan.vault:
        cached = plan.vault.get([text.cache_key for text in missing])
        missing = [text for text in missing if text.cache_key not in cached]
    seen.update(text.key for text in missing)
    return missing
