"""Answers without a chat model: the sentences of the documents that answer best, as they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragkit import duplicates
from ragkit.citations import Passage, Quote
from ragkit.text import STOP_WORDS
from ragkit.types import Span

MODEL_NAME = "extractive"
MAX_SENTENCES = 3

# What a sentence is worth: its score, these shares of how near its tokens are to the question's
# and of its passage's score, and a bonus where it holds the kind of thing that was asked for.
# Chosen together on the dev half of SQuAD 2.0 (220 questions), SciFact's train claims (160) and the
# sample corpus (30): share whose best sentence is right, with the score alone .777, .550 and .733;
# with the shares .814, .575 and .700; with the bonus too .818, .606 and .700.
_NEAR_WEIGHT = 0.3
_FOUND_WEIGHT = 0.05
_KIND_BONUS = 0.05
# Another sentence is shown if it is worth at least this share of the best one; then the text shown
# holds the answer for .87 of the same questions of SQuAD 2.0 with 1.3 sentences (.84 with .98).
_MARGIN = 0.94
# For each of the things that a question asks for, the best sentence is shown that scores so.
_LEAST_FOR_PART = 0.4
_MIN_WORDS = 3
# With what has to be read with it, a sentence is quoted as at most so many.
_MAX_RUN = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that might answer, with what speaks for it; higher is better throughout.

    `score` says how well it matches the question, `by_part` how well it does each of the things
    asked for, where there are several (`parts`). `found` is its passage's score in the search and
    `near` how near its token vectors, in their passage, are to the question's; 0 where not read.
    """

    quote: Quote
    score: float
    found: float = 0.0
    near: float = 0.0
    by_part: tuple[float, ...] = ()


# --- which sentences may answer ------------------------------------------------------------------

_ROW = re.compile(r"\s*\|")
_RULE = re.compile(r"[\s|:=+-]+")
_LEADERS = re.compile(r"(?:\.\s?){4,}\s*\d*$")  # a line of a table of contents


def quotable(passage: Passage) -> list[Quote]:
    """Return the sentences of a passage that can answer alone.

    Those are no headings, rules or fragments, no questions, no lines that only lead to what comes
    after them, and no header of a table.
    """
    titles = {heading.title.casefold() for heading in passage.headings}
    titles.update(title.casefold() for title in passage.chunk.heading_path)
    spans = passage.sentences()
    headers = set(_headers(passage.chunk.text, spans).values())
    found = []
    for span in spans:
        quote = Quote(passage, span)
        bare = quote.text.strip("#=-* \n").casefold()
        is_fragment = len(re.findall(r"\w+", bare)) < _MIN_WORDS
        leads = bare.endswith(("?", ":")) or _LEADERS.search(bare)
        if not (bare in titles or is_fragment or leads or span in headers):
            found.append(quote)
    return found


def _headers(text: str, spans: Sequence[Span]) -> dict[Span, Span]:
    """Return the header of each table row's table, where the text holds it.

    The first row is one if a rule follows it, or if it has no digits and the row has some.
    """
    headers = {}
    first: Span | None = None
    has_rule = False
    for span in spans:
        row = text[span.start : span.end]
        if not _ROW.match(row):
            first, has_rule = None, False
        elif first is None:
            first = span
        elif _RULE.fullmatch(row):
            has_rule = True
        elif has_rule or (_has_digit(row) and not _has_digit(text[first.start : first.end])):
            headers[span] = first
    return headers


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))


# --- what is asked for ---------------------------------------------------------------------------

_ASKING = r"(?:what|which|who|whom|whose|when|where|why|how|by (?:what|when|which)|at what|in what)"
_YES_OR_NO = r"(?:is|are|was|were|can|could|do|does|did|may|must|should|has|have|will|would)"
_NEXT_QUESTION = re.compile(
    rf"(?<=[.?!])\s+(?=[A-Z])|[,;]?\s+(?:and|or|but)\s+(?={_ASKING}\b)|[,;]\s+(?={_ASKING}\b)",
    re.IGNORECASE,
)
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
# The kinds of things asked for: how a question asks for one, and what a sentence that has it holds.
_KINDS = [
    (re.compile(asks, re.IGNORECASE), re.compile(has))
    for asks, has in {
        r"\bhow (?:much|many|long|often|far|high|fast|big|large|old|late|early|soon|deep|tall|wide"
        r"|heavy|hot|cold)\b|\b(?:what|which) (?:number|amount|share|percentage|proportion)\b"
        r"|\b(?:price|cost|fee|fare|rate|limit|maximum|minimum|number|per)\b": (
            r"(?i)\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty"
            r"|forty|fifty|hundred|thousand|million|billion|half|third|quarter|once|twice)\b"
        ),
        r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|time)\b|\bdeadline\b": (
            r"(?i)\b(?:1\d|20)\d\d\b|\b\d{1,2}[:.]\d\d\b|\bcentur|"
            rf"\b{_MONTH} \d|\d {_MONTH}\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day"
            r"|\b\d+ (?:minute|hour|day|week|month|year)s?\b"
        ),
        r"\bwho[ms]?e?\b": r"(?<=[a-z,] )[A-Z][a-z]+",
        r"\bwhere\b|\b(?:what|which) (?:country|city|state|place|region|island|town|river)\b": (
            r"\b(?:in|at|on|near|to|from|of|into|between|through)(?: the)? [A-Z][a-z]+"
        ),
        r"\bwhy\b|\b(?:reason|cause|purpose)\b": (
            r"(?i)\b(?:because|since|so that|in order|due to|owing|as a result|reason|caus"
            r"|therefore|thus|after|for fear|to (?:avoid|prevent|ensure|reduce|keep|make))"
        ),
        rf"^{_YES_OR_NO}\b": (
            r"(?i)\b(?:may|must|can|cannot|not|no|yes|only|allowed|except|never|need)\b"
        ),
    }.items()
]
_QUESTION = re.compile(rf"\?|^(?:{_ASKING}|{_YES_OR_NO})\b", re.IGNORECASE)
# What a claim asks for: a finding that speaks for or against it.
_FINDING = re.compile(
    r"\b(?:we (?:found|show|demonstrat|conclude|report|observed|identif)|results?\b|conclu|suggest"
    r"|demonstrat|associated|significant|indicat|reveal|increase|reduc|decreas)",
    re.IGNORECASE,
)
_CLAIM_WORDS = 5  # less is a name or a few key words


def parts(question: str) -> list[str]:
    """Return the things that a question asks for, where there are several; else nothing.

    What is said and not asked ("I booked in May.") goes with each of them.
    """
    pieces = [piece.strip(" ,;") for piece in _NEXT_QUESTION.split(question)]
    asking = [piece for piece in pieces if _QUESTION.search(piece) and _tells(piece)]
    said = [piece for piece in pieces if not _QUESTION.search(piece)]
    return [" ".join((*said, piece)) for piece in asking] if len(asking) > 1 else []


def _tells(piece: str) -> bool:
    """Whether a part of a question names something, and isn't only a way of asking."""
    return any(word.lower() not in STOP_WORDS for word in re.findall(r"\w+", piece))


def _bonus(question: str, text: str) -> float:
    """Return what a sentence gains by holding the kind of thing that is asked for."""
    if not _QUESTION.search(question) and len(question.split()) >= _CLAIM_WORDS:
        return _KIND_BONUS if _FINDING.search(text) else 0.0
    asked = (has for asks, has in _KINDS if asks.search(question))
    return _KIND_BONUS if any(has.search(text) for has in asked) else 0.0


# --- the choice ----------------------------------------------------------------------------------


def choose(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the sentences that answer best: the best one's passage first, in reading order.

    Those are the best, then the best for each of the things asked for, then what is nearly as
    good. Of those that say the same there is only the best.
    """
    good = _good(question, candidates)
    for_parts = [
        _best_for_part(part, place, candidates) for place, part in enumerate(parts(question))
    ]
    picks = [*good[:1], *(item for item in for_parts if item is not None), *good[1:]]
    kept = duplicates.collapse([item.quote.text for item in picks])
    chosen = [picks[each.place] for each in kept][:MAX_SENTENCES]
    return sorted(
        chosen,
        key=lambda item: (
            item.quote.passage.number != chosen[0].quote.passage.number,
            item.quote.passage.number,
            item.quote.span.start,
        ),
    )


def _good(question: str, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best sentence and those that are nearly as good, best first."""
    worth = [_worth(question, item) for item in candidates]
    best = max(worth, default=0.0)
    least = best - (1 - _MARGIN) * abs(best)
    good = [(value, item) for value, item in zip(worth, candidates, strict=True) if value >= least]
    good.sort(key=lambda each: (-each[0], each[1].quote.passage.number, each[1].quote.span.start))
    return [item for _, item in good]


def _worth(question: str, item: Candidate) -> float:
    shares = _NEAR_WEIGHT * item.near + _FOUND_WEIGHT * item.found
    return item.score + shares + _bonus(question, item.quote.text)


def _best_for_part(part: str, place: int, candidates: Sequence[Candidate]) -> Candidate | None:
    """Return the best sentence for one of the things asked for; None where none is good enough."""
    matching = [
        item for item in candidates if item.by_part and item.by_part[place] >= _LEAST_FOR_PART
    ]
    return max(
        matching,
        key=lambda item: (
            _worth(part, replace(item, score=item.by_part[place])),
            -item.quote.passage.number,
            -item.quote.span.start,
        ),
        default=None,
    )


# --- what has to be read with them ---------------------------------------------------------------

# A sentence that begins so says what it says of something before it.
_POINTS_BACK = re.compile(
    r"[\"“(]?(?:it|its|this|that|these|those|they|their|them|he|she|his|her|such|both|neither"
    r"|however|but|so|therefore|thus|then|otherwise|instead|also|here|there)\b",
    re.IGNORECASE,
)
_LIST_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s")


def quotations(chosen: Sequence[Candidate]) -> list[tuple[Quote, ...]]:
    """Return what is shown of the sentences, each with what has to be read before it.

    A sentence that points back is quoted with the one before it, as one quote. A table's row comes
    with its header, and an item of a list with the line that leads to it, as quotes of their own.
    """
    shown: list[tuple[Quote, ...]] = []
    for quote in (item.quote for item in chosen):
        run = _whole(quote)
        last = shown[-1][-1] if shown else None
        if last and last.passage == run.passage and run.span.start < last.span.end:
            joined = Quote(last.passage, Span(last.span.start, max(last.span.end, run.span.end)))
            shown[-1] = (*shown[-1][:-1], joined)
        else:
            lead = _lead(quote)
            is_there = lead is not None and any(lead in quotes for quotes in shown)
            shown.append((run,) if lead is None or is_there else (lead, run))
    return shown


def _whole(quote: Quote) -> Quote:
    """Return a quote with the sentences of its paragraph without which it says too little."""
    text = quote.passage.chunk.text
    spans = quote.passage.sentences()
    first = last = spans.index(quote.span)
    while (
        first > 0
        and last - first + 1 < _MAX_RUN
        and _points_back(text, *spans[first - 1 : first + 1])
    ):
        first -= 1
    while (
        last + 1 < len(spans)
        and last - first + 1 < _MAX_RUN
        and _goes_on(text, *spans[last : last + 2])
    ):
        last += 1
    return Quote(quote.passage, Span(spans[first].start, spans[last].end))


def _points_back(text: str, before: Span, sentence: Span) -> bool:
    """Whether a sentence says what it says of something in the one before it."""
    if _are_apart(text, before, sentence):
        return False
    return bool(_POINTS_BACK.match(text, sentence.start)) or _goes_on(text, before, sentence)


def _goes_on(text: str, sentence: Span, after: Span) -> bool:
    """Whether a sentence goes on in what was taken for the next one: a line of a text in lines."""
    is_open = text[sentence.end - 1].isalnum() or text[sentence.end - 1] in ",-"
    return is_open and text[after.start].islower() and not _are_apart(text, sentence, after)


def _are_apart(text: str, before: Span, after: Span) -> bool:
    """Whether two sentences are of different paragraphs, or the first is a row or a heading."""
    is_row = _ROW.match(text, before.start) or text.startswith("#", before.start)
    return bool(is_row) or "\n\n" in text[before.end : after.start]


def _lead(quote: Quote) -> Quote | None:
    """Return the header above a table's row, or the line that leads to an item of a list."""
    text = quote.passage.chunk.text
    spans = quote.passage.sentences()
    if header := _headers(text, spans).get(quote.span):
        return Quote(quote.passage, header)
    if not _LIST_ITEM.match(quote.text):
        return None
    above = (span for span in reversed(spans) if span.end <= quote.span.start)
    nearest = next((span for span in above if not _LIST_ITEM.match(text, span.start)), None)
    if nearest is None or text[nearest.end - 1] != ":":
        return None
    return Quote(quote.passage, nearest)
