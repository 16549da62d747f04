"""The citations of an answer: numbers for its quotes, and their places in the documents."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.citations.passages import Quote
from ragkit.types import Citation, Lines, Span


class Numbering:
    """Gives each quote its number in the answer: the same quote, the same number."""

    def __init__(self) -> None:
        self._markers: dict[tuple[str, Span], int] = {}
        self.citations: list[Citation] = []

    def cite(self, quotes: Sequence[Quote]) -> tuple[Citation, ...]:
        """Return the citations of some quotes, numbering those not seen before."""
        cited = []
        for quote in quotes:
            key = (quote.passage.chunk.id, quote.span)
            if key not in self._markers:
                self._markers[key] = len(self._markers) + 1
                self.citations.append(_citation(self._markers[key], quote))
            cited.append(self.citations[self._markers[key] - 1])
        return tuple(cited)


def _citation(marker: int, quote: Quote) -> Citation:
    chunk = quote.passage.chunk
    lines = chunk.lines
    if lines is not None:
        first = lines.start + chunk.text.count("\n", 0, quote.span.start)
        lines = Lines(first, first + quote.text.count("\n"))
    return Citation(
        marker=marker,
        uri=chunk.uri,
        title=chunk.title,
        heading_path=quote.passage.heading_path(quote.span.start),
        page=quote.passage.page(quote.span.start),
        lines=lines,
        span=Span(chunk.span.start + quote.span.start, chunk.span.start + quote.span.end),
        quote=quote.text,
        document_hash=quote.passage.document_hash,
        document_id=chunk.document_id,
    )


def with_markers(text: str, citations: Sequence[Citation]) -> str:
    """Return a sentence with its markers at its end, before its closing white space."""
    body = text.rstrip()
    marks = "".join(f"[{citation.marker}]" for citation in citations)
    # Behind a closing fence they would keep the code block open.
    gap = "\n" if body.endswith("```") else " "
    return f"{body}{gap}{marks}{text[len(body) :]}" if marks else text
