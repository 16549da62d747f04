"""Answers without a chat model: the sentences of the documents that answer best, as they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.citations import Passage, Quote

MODEL_NAME = "extractive"
MAX_SENTENCES = 3
# Another sentence is shown if its score is at least this share of the best one's.
_MARGIN = 0.9
# What a number is worth in an answer to a question that asks for one. Chosen on the sample
# corpus and the dev half of SQuAD 2.0; scores of sentences lie between .2 and .8.
_NUMBER_BONUS = 0.1
_MIN_WORDS = 3

_ASKS_NUMBER = re.compile(
    r"\b(?:how (?:much|many|long|often|far|high|fast|big|large|old|late|early)|what time|when|"
    r"which year|what year|price|cost|fee|fare|rate|number|date|limit|maximum|minimum|per)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that might answer, and how well it matches the question; higher is better."""

    quote: Quote
    score: float


def quotable(passage: Passage) -> list[Quote]:
    """Return the sentences of a passage that can stand alone: no headings, rules or fragments."""
    titles = {heading.title.casefold() for heading in passage.headings}
    titles.update(title.casefold() for title in passage.chunk.heading_path)
    found = []
    for span in passage.sentences():
        quote = Quote(passage, span)
        bare = quote.text.strip("#=- \n").casefold()
        if bare not in titles and len(re.findall(r"\w+", quote.text)) >= _MIN_WORDS:
            found.append(quote)
    return found


def choose(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the sentences that answer best: the best one's passage first, in reading order."""
    worth = {id(item): item.score + _bonus(question, item.quote) for item in candidates}
    ranked = sorted(
        candidates,
        key=lambda item: (-worth[id(item)], item.quote.passage.number, item.quote.span.start),
    )
    chosen: list[Candidate] = []
    seen: set[str] = set()
    for candidate in ranked:
        words = " ".join(candidate.quote.text.lower().split())
        best = worth[id(ranked[0])]
        good = worth[id(candidate)] >= best - (1 - _MARGIN) * abs(best)
        if good and words not in seen and len(chosen) < MAX_SENTENCES:
            chosen.append(candidate)
            seen.add(words)
    return sorted(
        chosen,
        key=lambda item: (
            item.quote.passage != chosen[0].quote.passage,
            item.quote.passage.number,
            item.quote.span.start,
        ),
    )


def _bonus(question: str, quote: Quote) -> float:
    return _NUMBER_BONUS if _ASKS_NUMBER.search(question) and re.search(r"\d", quote.text) else 0.0
