"""Ingests and reindexes: what they may do, how far they are, what came of them; the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ragkit.types.models import Usage


@dataclass(frozen=True, slots=True)
class Failure:
    """A document that was left out, with a stable code and a sentence for people."""

    uri: str
    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {"uri": self.uri, "code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True)
class Move:
    """A document whose file was renamed or moved."""

    source: str
    target: str

    def to_dict(self) -> dict[str, str]:
        return {"from": self.source, "to": self.target}


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did, by uri. `skipped` are files that ragkit doesn't read; not errors.

    `kept` are documents whose files are gone, but which were not removed because too many would
    go at once. `chunks_embedded` counts those for which a vector was computed in this run.
    `stopped` says why it ended early: "interrupted", "max-tokens" or "declined"; a second run goes
    on from there.
    """

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    moved: tuple[Move, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    skipped: tuple[Failure, ...] = ()
    kept: tuple[str, ...] = ()
    chunks: int = 0
    chunks_embedded: int = 0
    usage: Usage = Usage()
    stopped: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "added": list(self.added),
            "updated": list(self.updated),
            "moved": [m.to_dict() for m in self.moved],
            "removed": list(self.removed),
            "unchanged": list(self.unchanged),
            "failed": [f.to_dict() for f in self.failed],
            "skipped": [f.to_dict() for f in self.skipped],
            "kept": list(self.kept),
            "chunks": self.chunks,
            "chunks_embedded": self.chunks_embedded,
            "usage": self.usage.to_dict(),
            "stopped": self.stopped,
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an ingest would do and cost, found out without a request.

    `tokens` are those that would be sent, by estimate, corrected by what this model billed before.
    `cost` is in the currency of the configured price, None where no price is configured; `seconds`
    is None where nothing is known of the model's speed.
    """

    files: int
    added: int
    updated: int
    moved: int
    unchanged: int
    failed: int
    skipped: int
    chunks: int
    new_chunks: int
    tokens: int
    requests: int
    cost: float | None
    seconds: float | None
    destination: str
    model: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """How far an ingest may go. Once `stop` says so it ends within a second; 0 is no limit.

    Before more tokens are sent than the setting `confirm_tokens` allows, `confirm` is asked, with
    the estimate; without it such a run is refused.
    """

    max_tokens: int = 0
    max_cost: float = 0.0
    confirm: Callable[[Estimate], bool] | None = None
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an ingest stands: an event for a callback. `uri` is the file just dealt with.

    `chunks` counts those that are in the index, `chunks_found` all of the documents read so far.
    `tokens` are those embedded in this run, by estimate.
    """

    uri: str
    files: int
    files_total: int
    chunks: int
    failures: int
    chunks_embedded: int = 0
    tokens: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    chunks_found: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"event": "progress", **{name: getattr(self, name) for name in self.__slots__}}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know before or while it happens, as one sentence."""

    text: str

    def to_dict(self) -> dict[str, Any]:
        return {"event": "notice", "text": self.text}


IngestEvent = Progress | Notice


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decides how an index's vectors and chunks come out; two that differ don't mix.

    `embedder` and `dimensions` name the model's space, the templates the words put around each
    text before it is embedded, and the rest the chunker.
    """

    embedder: str
    dimensions: int
    document_template: str
    query_template: str
    chunker: str
    chunk_tokens: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the same queries found before and after a reindex, by vectors alone.

    The queries are headings and sentences of the documents: `found_before` and `found_after` count
    those whose own document is among the first 5. `overlap` is the share of the passages that were
    among the first 10 and still are. What belongs to the old side is None where its embedder could
    not be asked.
    """

    queries: int
    found_before: int | None
    found_after: int
    overlap: float | None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What a reindex or its rollback did: nothing was to do where `before` equals `after`.

    Searches use the new set once `swapped` is true. `stopped` says why they don't yet:
    "interrupted", "max-tokens", "declined" or "min-found"; so does `failed`, with the documents
    that got no vectors. A second run goes on from there. `documents` and `chunks` count those of
    the new set.
    """

    before: Fingerprint
    after: Fingerprint
    documents: int = 0
    chunks: int = 0
    chunks_embedded: int = 0
    comparison: Comparison | None = None
    failed: tuple[Failure, ...] = ()
    usage: Usage = Usage()
    swapped: bool = False
    stopped: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "documents": self.documents,
            "chunks": self.chunks,
            "chunks_embedded": self.chunks_embedded,
            "comparison": self.comparison.to_dict() if self.comparison else None,
            "failed": [f.to_dict() for f in self.failed],
            "usage": self.usage.to_dict(),
            "swapped": self.swapped,
            "stopped": self.stopped,
        }


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What was done to an index, in the words of each step; sizes are in bytes.

    `interrupted` work goes on with the next call.
    """

    steps: tuple[str, ...]
    size_before: int
    size_after: int
    interrupted: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "steps": list(self.steps),
            "size_before": self.size_before,
            "size_after": self.size_after,
            "interrupted": self.interrupted,
        }


@dataclass(frozen=True, slots=True)
class VectorIndexInfo:
    """How the vector index of a large index stands.

    It was trained on `trained_on` vectors, which lie in `cells` as codes of `code_bytes`; `recall`
    is the share of the ten nearest that was found then, by a scan. `holes` are codes of vectors
    that are gone. While it isn't `ready` searches scan all vectors.
    """

    ready: bool
    cells: int
    code_bytes: int
    trained_on: int
    recall: float
    holes: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Stats:
    """What an index holds. Sizes are in bytes, those of its parts {} unless asked for.

    `generation` counts the changes. A small index has no vector index.
    """

    path: str
    documents: int
    chunks: int
    characters: int
    vectors: int
    collections: Mapping[str, int]
    media_types: Mapping[str, int]
    size_bytes: int
    schema_version: int
    sqlite_version: str
    fingerprint: Fingerprint | None
    generation: int = 0
    vector_index: VectorIndexInfo | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["collections"] = dict(self.collections)
        plain["media_types"] = dict(self.media_types)
        plain["sizes"] = dict(self.sizes)
        plain["vector_index"] = self.vector_index.to_dict() if self.vector_index else None
        plain["fingerprint"] = self.fingerprint.to_dict() if self.fingerprint else None
        return plain
