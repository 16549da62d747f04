"""What the index is made of: documents, their parts, and what finds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["hybrid", "semantic", "lexical"]
Effort = Literal["default", "thorough", "exact"]

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
class Original:
    """The bytes that a document was read from, and the name of the file that they were."""

    data: bytes = field(repr=False)
    name: str
    media_type: str


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
    list said of it: {"lexical": 11.2, "semantic": 0.61}. `also` are the uris of other documents
    that have the same text, or nearly: their chunks were found too, and left out.
    """

    chunk: Chunk
    score: float
    ranks: Mapping[str, int]
    scores: Mapping[str, float] = field(default_factory=dict)
    also: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        chunk = self.chunk
        return {
            "chunk_id": chunk.id,
            "document_id": chunk.document_id,
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
            "also_in": list(self.also),
        }


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
