"""What became of the quotes of an answer, as the index knows their documents now."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ragkit.types.documents import Lines, Span

QuoteStatus = Literal["current", "moved", "changed", "gone", "altered"]


@dataclass(frozen=True, slots=True)
class QuotePlace:
    """A piece of a document as the index holds it now: where it stands, and its words."""

    uri: str
    title: str
    heading_path: tuple[str, ...]
    page: int | None
    lines: Lines | None
    span: Span
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "uri": self.uri,
            "title": self.title,
            "heading_path": list(self.heading_path),
            "page": self.page,
            "lines": self.lines.to_dict() if self.lines else None,
            "span": self.span.to_dict(),
            "text": self.text,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteCheck:
    """What became of one quote. `marker`, `uri`, `span` and `quote` are those of the answer.

    `status` is "current" where the quote stands at its span of the stored document, "moved" where
    it stands, verbatim, at another place; "changed" where the document is there without it; "gone"
    where the document isn't there; "altered" where the answer itself isn't as ragkit wrote it.
    `same_version` says whether the stored document is the very version that was quoted. `place` is
    where the quote stands; of a changed one it is the passage most like it, and `similarity`, from
    0 to 1, says how like. `elsewhere` are the uris of other documents that hold a changed or gone
    quote, verbatim. `reason` says it in words.
    """

    status: QuoteStatus
    marker: int | None = None
    uri: str = ""
    span: Span | None = None
    quote: str = ""
    same_version: bool = False
    place: QuotePlace | None = None
    similarity: float | None = None
    elsewhere: tuple[str, ...] = ()
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {
            "marker": self.marker,
            "status": self.status,
            "reason": self.reason,
            "uri": self.uri,
            "span": self.span.to_dict() if self.span else None,
            "quote": self.quote,
            "same_version": self.same_version,
            "place": self.place.to_dict() if self.place else None,
            "similarity": self.similarity,
            "elsewhere": list(self.elsewhere),
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of an answer's quotes; one that a marker of its text lacks counts as altered."""

    question: str
    citations: tuple[QuoteCheck, ...]

    @property
    def counts(self) -> dict[QuoteStatus, int]:
        """How many quotes there are of each status; statuses without any are 0."""
        counted = Counter(each.status for each in self.citations)
        return {status: counted[status] for status in get_args(QuoteStatus)}

    @property
    def holds(self) -> bool:
        """Whether every quote still stands in the index, at its place or at another."""
        return all(each.status in ("current", "moved") for each in self.citations)

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "citations": [each.to_dict() for each in self.citations],
        }
