"""Answers, with what proves them, and the events of one that is being written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ragkit.types.documents import Hit, Lines, Span
from ragkit.types.models import Usage, WebSource
from ragkit.types.searching import Step

State = Literal["grounded", "partial", "not_found", "web"]

WebPolicy = Literal["auto", "never", "always"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A quote that stands, character for character, in the stored document.

    `marker` is the number printed in the answer. `document_hash` names the version quoted;
    `document_id` is "" in what was told before there was one.
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
    document_id: str = ""

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
            "document_id": self.document_id,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Citation:
        """Return the citation that `to_dict` told of."""
        lines = told["lines"]
        return cls(
            marker=told["marker"],
            uri=told["uri"],
            title=told["title"],
            heading_path=tuple(told["heading_path"]),
            page=told["page"],
            lines=Lines(lines["start"], lines["end"]) if lines else None,
            span=Span(told["span"]["start"], told["span"]["end"]),
            quote=told["quote"],
            document_hash=told["document_hash"],
            document_id=told.get("document_id", ""),
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """How likely it is that the documents hold the answer, from 0 to 1, and why."""

    probability: float
    reasons: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"probability": self.probability, "reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and everything needed to check it.

    `text` is what was shown, markers included; `web_text` is the part of it that came from the
    web, "" where none did. `removed` are sentences that were not shown, with the reason, and
    `unproven` those that were shown all the same, marked, because a setting says so.
    `foreign_markers` is how many citations of passages that were not given were taken out. `steps`
    are those of the search before it; `to_dict` leaves them out, as times differ from run to run.
    `standalone` is the question as it was looked for, "" where it stood for itself.
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
    steps: tuple[Step, ...] = ()
    unproven: tuple[Removed, ...] = ()
    foreign_markers: int = 0
    standalone: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "standalone": self.standalone,
            "state": self.state,
            "text": self.text,
            "citations": [c.to_dict() for c in self.citations],
            "web_text": self.web_text,
            "web_sources": [w.to_dict() for w in self.web_sources],
            "hits": [h.to_dict() for h in self.hits],
            "removed": [r.to_dict() for r in self.removed],
            "unproven": [r.to_dict() for r in self.unproven],
            "foreign_markers": self.foreign_markers,
            "gate": self.gate.to_dict(),
            "model": self.model,
            "usage": self.usage.to_dict(),
            "notices": list(self.notices),
        }


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The first event of an answer: what was found, how, and what the gate thinks of it."""

    hits: tuple[Hit, ...]
    gate: Gate
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that may be shown. `text` keeps its white space: join texts to get the answer.

    `citations` are those that this sentence shows for the first time or again.
    `origin` is "web" for what came from a web search, and "model" for what the chat model says and
    the documents don't hold up; nothing is proven of either.
    """

    text: str
    citations: tuple[Citation, ...] = ()
    origin: Literal["documents", "web", "model"] = "documents"


@dataclass(frozen=True, slots=True)
class Removed:
    """A sentence that the model wrote and the documents don't hold up, with the reason."""

    text: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        return {"text": self.text, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of an answer: the whole of it."""

    answer: Answer


AnswerEvent = Retrieved | Sentence | Removed | Done
