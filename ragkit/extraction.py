"""Answers without a chat model: the sentences of the documents that answer best, as they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.citations import Passage, Quote
from ragkit.text import sentences
from ragkit.types import Span

MODEL_NAME = "extractive"
MAX_SENTENCES = 3
# Another sentence is shown if its score is at least this share of the best one's.
_MARGIN = 0.9
_SEMANTIC, _LEXICAL, _PASSAGE, _KIND = 0.5, 0.3, 0.15, 0.05
_MIN_WORDS = 3

_ASKS_NUMBER = re.compile(
    r"\b(?:how (?:much|many|long|often|far|high|fast|big|large|old|late|early)|what time|when|"
    r"which year|what year|price|cost|fee|fare|rate|number|date|limit|maximum|minimum|per)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that might answer, and what it is scored by.

    `coverage` is the weighted share of the question's words in it and in its headings, from 0 to
    1; `semantic` its score by the reranker, 0 without one; `place` that of its passage, from 1
    for the best down to 0.
    """

    quote: Quote
    coverage: float
    semantic: float
    place: float

    def score(self, *, asks_number: bool) -> float:
        fits = 1.0 if asks_number and re.search(r"\d", self.quote.text) else 0.0
        return (
            _SEMANTIC * self.semantic
            + _LEXICAL * self.coverage
            + _PASSAGE * self.place
            + _KIND * fits
        )


def candidates(passage: Passage) -> list[Span]:
    """Return the sentences of a passage that can stand alone: no headings, rules or fragments."""
    text = passage.chunk.text
    headings = {heading.casefold() for heading in passage.chunk.heading_path}
    found = []
    for span in sentences(text):
        piece = text[span.start : span.end]
        words = re.findall(r"\w+", piece)
        bare = piece.lstrip("# ").casefold()
        if len(words) >= _MIN_WORDS and bare not in headings and not piece.startswith("#"):
            found.append(span)
    return found


def choose(question: str, scored: Sequence[Candidate]) -> list[tuple[Candidate, float]]:
    """Return the sentences that answer best with their scores, in reading order."""
    asks_number = bool(_ASKS_NUMBER.search(question))
    ranked = sorted(
        ((candidate, candidate.score(asks_number=asks_number)) for candidate in scored),
        key=lambda item: (-item[1], item[0].quote.passage.number, item[0].quote.span.start),
    )
    if not ranked:
        return []
    chosen: list[tuple[Candidate, float]] = []
    seen: set[str] = set()
    for candidate, score in ranked:
        words = " ".join(candidate.quote.text.lower().split())
        if len(chosen) < MAX_SENTENCES and score >= _MARGIN * ranked[0][1] and words not in seen:
            chosen.append((candidate, score))
            seen.add(words)
    first = chosen[0][0].quote.passage.number
    return sorted(
        chosen,
        key=lambda item: (
            item[0].quote.passage.number != first,  # the best sentence's passage comes first
            item[0].quote.passage.number,
            item[0].quote.span.start,
        ),
    )
