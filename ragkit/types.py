"""The values that ragkit takes and returns; `to_dict()` gives the JSON of every edge.

Offsets count characters (Unicode code points) of `Document.text`, from 0, end exclusive.
Lines and pages count from 1, both ends included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["hybrid", "semantic", "lexical"]
State = Literal["grounded", "partial", "not_found", "web"]
WebPolicy = Literal["auto", "never", "always"]
BlockKind = Literal[
    "paragraph", "list_item", "table_header", "table_row", "code", "footnote", "front_matter"
]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a document's text: `text[start:end]`."""

    start: int
    end: int

    def to_dict(self) -> dict[str, int]:
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of the source file that a piece touches, both included."""

    start: int
    end: int

    def to_dict(self) -> dict[str, int]:
        return {"start": self.start, "end": self.end}


@dataclass(frozen=True, slots=True)
class Page:
    """A page (or slide, or sheet) and the text that stands on it."""

    number: int
    span: Span


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: its level from 1, its words without markup, and where its line stands."""

    level: int
    title: str
    span: Span


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list item, table row, code block or the like, in reading order."""

    kind: BlockKind
    span: Span


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is stored: its whole text, and the structure found in it.

    `text` is the cleaned text; `content_hash` is that of the source's bytes, so it changes with
    every version. `blocks` cover the text but for headings and white space.
    """

    id: str
    uri: str
    title: str
    text: str
    media_type: str
    content_hash: str
    collection: str = "default"
    metadata: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    blocks: tuple[Block, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "uri": self.uri,
            "title": self.title,
            "media_type": self.media_type,
            "content_hash": self.content_hash,
            "collection": self.collection,
            "metadata": dict(self.metadata),
            "text": self.text,
            "pages": [{"number": p.number, "span": p.span.to_dict()} for p in self.pages],
            "headings": [
                {"level": h.level, "title": h.title, "span": h.span.to_dict()}
                for h in self.headings
            ],
            "blocks": [{"kind": b.kind, "span": b.span.to_dict()} for b in self.blocks],
        }


@dataclass(frozen=True, slots=True)
class DocumentInfo:
    """A line of the list of documents: everything but the text."""

    id: str
    uri: str
    title: str
    media_type: str
    content_hash: str
    collection: str
    characters: int
    chunks: int
    updated_at: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is found and quoted as one: `text == document.text[span]`.

    `page` is None where the source has no pages, `lines` where it has no lines of its own.
    `ordinal` counts the chunks of a document from 0.
    """

    id: str
    document_id: str
    uri: str
    title: str
    collection: str
    ordinal: int
    span: Span
    lines: Lines | None
    page: int | None
    heading_path: tuple[str, ...]
    text: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. Scores compare within one search only; higher is better.

    `ranks` holds the chunk's place in each list that found it, from 1, and `scores` what that
    list said of it: {"lexical": 11.2, "semantic": 0.61}.
    """

    chunk: Chunk
    score: float
    ranks: Mapping[str, int]
    scores: Mapping[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        chunk = self.chunk
        return {
            "chunk_id": chunk.id,
            "uri": chunk.uri,
            "title": chunk.title,
            "collection": chunk.collection,
            "heading_path": list(chunk.heading_path),
            "page": chunk.page,
            "lines": chunk.lines.to_dict() if chunk.lines else None,
            "span": chunk.span.to_dict(),
            "text": chunk.text,
            "score": self.score,
            "ranks": dict(self.ranks),
            "scores": dict(self.scores),
        }


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that stands, character for character, in the stored document.

    `marker` is the number printed in the answer. `document_hash` names the version quoted.
    """

    marker: int
    uri: str
    title: str
    heading_path: tuple[str, ...]
    page: int | None
    lines: Lines | None
    span: Span
    quote: str
    document_hash: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "marker": self.marker,
            "uri": self.uri,
            "title": self.title,
            "heading_path": list(self.heading_path),
            "page": self.page,
            "lines": self.lines.to_dict() if self.lines else None,
            "span": self.span.to_dict(),
            "quote": self.quote,
            "document_hash": self.document_hash,
        }


@dataclass(frozen=True, slots=True)
class WebSource:
    """A page that the endpoint's web search gave as a source; ragkit has not read it."""

    url: str
    title: str

    def to_dict(self) -> dict[str, str]:
        return {"url": self.url, "title": self.title}


@dataclass(frozen=True, slots=True)
class Gate:
    """How likely it is that the documents hold the answer, from 0 to 1, and why."""

    probability: float
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"probability": self.probability, "reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked of an endpoint. Tokens are those it billed, 0 where it didn't say."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    embedding_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.embedding_tokens + other.embedding_tokens,
        )

    def to_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How much the embedding cache keeps. Times of use are ISO 8601 in UTC, None where empty."""

    path: str
    entries: int
    size_bytes: int
    max_bytes: int
    oldest_use: str | None
    newest_use: str | None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request for embeddings that was sent. `tokens` as billed, 0 where it wasn't said.

    `outcome` is "ok", or the code of the error that came.
    """

    model: str
    texts: int
    estimated_tokens: int
    tokens: int
    milliseconds: int
    outcome: str


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What the ingests of an index asked of a model, all requests added up."""

    model: str
    requests: int
    failed: int
    texts: int
    estimated_tokens: int
    tokens: int
    milliseconds: int

    @property
    def tokens_per_estimated(self) -> float:
        """How many tokens were billed for each that was estimated; 1.0 before anything was."""
        return self.tokens / self.estimated_tokens if self.tokens else 1.0

    @property
    def seconds_per_request(self) -> float:
        return self.milliseconds / max(1, self.requests - self.failed) / 1000

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and everything needed to check it.

    `text` is what was shown, markers included; `web_text` is the part of it that came from the
    web, "" where none did. `removed` are sentences that were not shown, with the reason.
    """

    question: str
    state: State
    text: str
    citations: tuple[Citation, ...]
    web_sources: tuple[WebSource, ...]
    removed: tuple[Removed, ...]
    hits: tuple[Hit, ...]
    gate: Gate
    model: str
    usage: Usage
    web_text: str = ""
    notices: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "state": self.state,
            "text": self.text,
            "citations": [c.to_dict() for c in self.citations],
            "web_text": self.web_text,
            "web_sources": [w.to_dict() for w in self.web_sources],
            "hits": [h.to_dict() for h in self.hits],
            "removed": [r.to_dict() for r in self.removed],
            "gate": self.gate.to_dict(),
            "model": self.model,
            "usage": self.usage.to_dict(),
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The first event of an answer: what was found, and what the gate thinks of it."""

    hits: tuple[Hit, ...]
    gate: Gate


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that may be shown. `text` keeps its white space: join texts to get the answer.

    `citations` are those that this sentence shows for the first time or again.
    `origin` is "web" for what came from a web search; nothing is proven of it.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    origin: Literal["documents", "web"] = "documents"


@dataclass(frozen=True, slots=True)
class Removed:
    """A sentence that the model wrote and ragkit does not show, with the reason."""

    text: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        return {"text": self.text, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of an answer: the whole of it."""

    answer: Answer


AnswerEvent = Retrieved | Sentence | Removed | Done


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
class Filters:
    """Which documents a search looks at; an empty field lets everything pass.

    `paths` are globs (`docs/**/*.md`, `*.pdf`), matched like those of .gitignore: without a
    slash against the name, else against the end of the path. `media_types` may end in `/*`.
    Within a field any match is enough; between the fields all have to match.
    """

    paths: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WebSearch:
    """The options of a web search, as the endpoint's contract names them; "" leaves one out."""

    context_size: str = ""
    country: str = ""
    safesearch: str = ""
    accept_language: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of a streamed reply."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatEnd:
    """The end of a reply. `sources` are those of a web search."""

    model: str
    finish_reason: str
    usage: Usage = Usage()
    sources: tuple[WebSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model that an endpoint lists. Numbers are 0 and `capabilities` empty where not told."""

    id: str
    owned_by: str = ""
    context_window: int = 0
    max_output_tokens: int = 0
    capabilities: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "owned_by": self.owned_by,
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens,
            "capabilities": list(self.capabilities),
        }


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
class Stats:
    """What an index holds. Sizes are in bytes."""

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

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        plain["collections"] = dict(self.collections)
        plain["media_types"] = dict(self.media_types)
        plain["fingerprint"] = self.fingerprint.to_dict() if self.fingerprint else None
        return plain


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page as it was read from the web.

    `uri` is the address that was asked for, normalised, and so the same at every reading; `url`
    is where redirects led to. `content_type` is in lower case and without parameters, `charset` ""
    where none was declared; `name` is a file name that tells how to read `data`.
    """

    uri: str
    url: str
    data: bytes
    content_type: str
    charset: str
    name: str
