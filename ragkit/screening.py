"""Passages as an answerer may read them: without what gives orders to the assistant.

Spans still hold, so that a quote out of a screened passage is a quote out of the stored text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ragkit.chunking import is_prose
from ragkit.citations import Checked, Passage, Quote
from ragkit.injection import LEFT_OUT, instructions, masked
from ragkit.text import STOP_WORDS
from ragkit.types import Span

# Of the places in one document so many are named.
_MOST_PLACES = 5
# A shorter word alone doesn't tell that a sentence was taken from an order.
_TELLING_CHARACTERS = 4
_WORD = re.compile(r"\w+(?:[-.]\w+)*")

REASON = "it says what only a sentence that gives orders to the assistant says"


@dataclass(frozen=True, slots=True)
class _Screened:
    """A passage as it is stored but for its titles, as it may be read, and what was left out."""

    stored: Passage
    shown: Passage
    orders: tuple[Span, ...]


class Screen:
    """Keeps the orders in some passages from answerers, and their words from answers.

    `passages` are the given ones, in their order, with a note in place of each order. `question`
    is what the user asked: its words are never an order's alone.
    """

    def __init__(self, passages: Sequence[Passage], *, question: str = "") -> None:
        screened = [_screened(passage) for passage in passages]
        self.passages = tuple(each.shown for each in screened)
        self._by_id = {each.stored.chunk.id: each for each in screened}
        self._tainted = _telling(
            each.stored.chunk.text[span.start : span.end]
            for each in screened
            for span in each.orders
        )
        if self._tainted:
            honest = (question, *(each.shown.surroundings for each in screened))
            self._tainted -= _telling(honest)

    def quote(self, quote: Quote) -> Quote | None:
        """Return a quote as it stands in the stored text, None if it touches an order."""
        each = self._by_id.get(quote.passage.chunk.id)
        if each is None:
            return quote
        if any(s.start < quote.span.end and quote.span.start < s.end for s in each.orders):
            return None
        return Quote(each.stored, quote.span)

    def judged(self, checked: Checked) -> Checked:
        """Return a checked sentence with stored quotes, or with the reason why it can't be shown.

        `checked` is against `passages`.
        """
        if not self._tainted.isdisjoint(_telling([checked.text])):
            return replace(checked, quotes=(), reason=REASON)
        quotes = [self.quote(quote) for quote in checked.quotes]
        if None in quotes:
            return replace(checked, quotes=(), reason=REASON)
        return replace(checked, quotes=tuple(quote for quote in quotes if quote))

    def repeats_code(self, text: str) -> bool:
        """Whether a text from elsewhere holds a word with a digit that only an order has."""
        words = _telling([text]) & self._tainted
        return any(re.search(r"\d", word) for word in words)

    def notices(self) -> list[str]:
        """Return a sentence for each document with orders in it: which it is, and where."""
        places: dict[str, list[str]] = {}
        for each in self._by_id.values():
            found = [_place(each.stored, span) for span in each.orders]
            if found or each.shown.chunk.title == LEFT_OUT:
                places.setdefault(each.stored.chunk.uri, []).extend(filter(None, found))
        return [_notice(uri, list(dict.fromkeys(where))) for uri, where in places.items()]


def _screened(passage: Passage) -> _Screened:
    chunk = passage.chunk
    spans = instructions(chunk.text, line_blocks=not is_prose(chunk.media_type))
    titled = replace(
        passage,
        chunk=replace(
            chunk,
            title=_titled(chunk.title),
            heading_path=tuple(map(_titled, chunk.heading_path)),
        ),
        headings=tuple(
            heading if (title := _titled(heading.title)) == heading.title
            else replace(heading, title=title)
            for heading in passage.headings
        ),
    )  # fmt: skip
    shown = replace(titled, chunk=replace(titled.chunk, text=masked(chunk.text, spans)))
    return _Screened(titled, shown, tuple(spans))


@lru_cache(maxsize=4_096)  # every passage brings all headings of its document
def _titled(title: str) -> str:
    return LEFT_OUT if instructions(title) else title


def _telling(texts: Iterable[str]) -> set[str]:
    """Return the words that tell where a sentence was taken from."""
    words = (word for text in texts for word in _WORD.findall(text.lower()))
    return {w for w in words if len(w) >= _TELLING_CHARACTERS and w not in STOP_WORDS}


def _place(passage: Passage, span: Span) -> str:
    chunk = passage.chunk
    if chunk.lines is not None:
        return f"line {chunk.lines.start + chunk.text.count(chr(10), 0, span.start)}"
    page = passage.page(span.start)
    return "" if page is None else f"page {page}"


def _notice(uri: str, places: Sequence[str]) -> str:
    more = ", ..." if len(places) > _MOST_PLACES else ""
    where = ", ".join((uri, *places[:_MOST_PLACES])) + more
    return (
        f"left out: text in {where} that gives orders to the assistant; a document about such"
        " orders may lose its examples"
    )
