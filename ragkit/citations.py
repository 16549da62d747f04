"""Ties each sentence of an answer to words that stand in a source, or says why it can't be.

What is proven is the quote: it is cut out of the stored text. What is checked is the sentence:
its words, numbers, names, negation and quotations against the passage that it cites.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragkit.chunking import is_prose, page_at, path_at
from ragkit.text import STOP_WORDS, sentences, visible
from ragkit.types import Chunk, Citation, Heading, Lines, Page, Span

Tokens = Callable[[str], list[str]]

# A sentence must share this much of its words with what it quotes.
MIN_COVERAGE = 0.4
# A sentence that cites nothing, or the wrong passage, is given another only where it shares this.
MIN_COVERAGE_UNCITED = 0.6
# A second passage is cited beside the first if it adds at least this much.
_MIN_CONTRIBUTION = 0.12
# Another sentence joins a quote if it adds at least this much.
_MIN_EXTENSION = 0.15
_MAX_QUOTE_SENTENCES = 3
# Only where the words agree this far does a missing or an added "not" mean a contradiction.
_NEGATION_COVERAGE = 0.75
# How far behind a "not" the word that it denies is looked for.
_DENIED_CHARACTERS = 60
_QUOTED_WORDS = 5

_MARKER = re.compile(r"\s?(?:\[|【)(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)(?:\]|】)(?!\()")
_CODE = re.compile(r"```[\s\S]*?```|`[^`\n]+`")
_CODE_OR_MARKER = re.compile(f"{_CODE.pattern}|{_MARKER.pattern}")
# What may become a marker when more of the reply has come.
_BEGUN_MARKER = re.compile(r"[\[【][\d\s,;]*\Z")
# A word, or a character of the scripts that put no spaces between words.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")
_BEGUN_HEADING = re.compile(r"#{1,6} [^\n]*")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?|(?<=[A-Za-z])\d+|\d+")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)(?<![\"“'(\[*_#>-])\b[A-Z][\w’'-]+")
_NEGATION = re.compile(
    r"\b(?:not|no(?!\.\s?\d)|never|nobody|nothing|neither|nor|without|cannot)\b|n['’]t\b", re.I
)
_QUOTATION = re.compile(r"[\"“„«]([^\"“”„«»]*)[\"“”»]")
_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_NUMBER_WORDS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
    if value > 1
}


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as it was given to an answerer, under the number by which it may be cited.

    `headings` and `pages` are those of its whole document, `document_hash` names its version.
    """

    number: int
    chunk: Chunk
    document_hash: str
    headings: tuple[Heading, ...] = ()
    pages: tuple[Page, ...] = ()

    @property
    def surroundings(self) -> str:
        """The passage with its title and headings: what a sentence about it may draw on."""
        return "\n".join((self.chunk.title, *self.chunk.heading_path, self.chunk.text))

    def sentences(self) -> list[Span]:
        """Return the spans of its sentences; a line is one where it is a row, code or a block."""
        return sentences(self.chunk.text, line_blocks=not is_prose(self.chunk.media_type))

    def heading_path(self, offset: int) -> tuple[str, ...]:
        """Return the headings above a place in the chunk, which may hold several sections."""
        if not self.headings:
            return self.chunk.heading_path
        return path_at(self.headings, self.chunk.span.start + offset)

    def page(self, offset: int) -> int | None:
        """Return the page of a place in the chunk, which may run over several."""
        if not self.pages:
            return self.chunk.page
        return page_at(self.pages, self.chunk.span.start + offset)


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of a passage: `passage.chunk.text[span]`."""

    passage: Passage
    span: Span

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.span.start : self.span.end]

    @property
    def above(self) -> tuple[str, ...]:
        """Its document's title and the headings above it."""
        return (self.passage.chunk.title, *self.passage.heading_path(self.span.start))

    @property
    def in_context(self) -> str:
        """The quote behind its document's title and the heading above it, as a reader sees it."""
        title, *path = self.above
        place = " › ".join(dict.fromkeys(part for part in (title, *path[-1:]) if part))
        return f"{place}: {self.text}" if place else self.text


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence without its markers, the quotes that carry it, or the reason why none do."""

    text: str
    quotes: tuple[Quote, ...]
    reason: str = ""
    foreign: tuple[int, ...] = ()


# --- the model's text --------------------------------------------------------------------------


def split_markers(text: str) -> tuple[str, list[int]]:
    """Return a text without its citation markers ([1], [1][3], [1, 3]), and their numbers.

    Links ([1](...)) and code (`rows[1]`) are left as they are.
    """
    cited: list[int] = []

    def take(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        cited.extend(int(number) for number in re.findall(r"\d+", match[1]))
        return ""

    while (without := _CODE_OR_MARKER.sub(take, text)) != text:  # [[1]2] leaves [2]
        text = without
    return text, list(dict.fromkeys(cited))


class SentenceSplitter:
    """Cuts a reply that comes in pieces into sentences; joined they give the reply again.

    Markers stay with the sentence before them, code blocks are one piece, and what is too short
    to be checked alone ("Yes.") goes with the next one.
    """

    _MIN_WORDS = 3

    def __init__(self) -> None:
        self._buffer = ""

    def push(self, piece: str) -> Iterator[str]:
        """Take a piece and yield the sentences that are complete now."""
        self._buffer += piece
        while cut := self._next_cut():
            yield self._buffer[:cut]
            self._buffer = self._buffer[cut:]

    def flush(self) -> Iterator[str]:
        """Yield what is left at the end of the reply."""
        if self._buffer.strip():
            yield self._buffer
        self._buffer = ""

    def _next_cut(self) -> int:
        """Return where the first complete sentence ends, white space included; 0 if none is."""
        text = self._buffer
        start = len(text) - len(text.lstrip())
        if text.startswith("```", start):
            close = text.find("\n```", start + 3)
            end = text.find("\n", close + 4) if close >= 0 else -1
            return end + 1
        code = text.find("\n```") + 1
        prose = text[:code] if code else _BEGUN_MARKER.sub("", text)
        unmarked = _MARKER.sub(_blank, prose)
        if _BEGUN_HEADING.fullmatch(unmarked):
            return 0
        for span in sentences(unmarked):
            following = unmarked[span.end :].lstrip()
            end = len(unmarked) - len(following)
            words = len(_WORD.findall(prose, start, span.end))
            if following and (words >= self._MIN_WORDS or "\n" in prose[span.end : end]):
                return end
        return code


def _blank(match: re.Match[str]) -> str:
    """White space in a marker's place: "5 euros.[1] Dogs" are two sentences."""
    return re.sub(r"\S", " ", match[0])


# --- checking ----------------------------------------------------------------------------------


class Checker:
    """Checks sentences against the passages that were given. `tokens` cuts and stems words."""

    def __init__(self, passages: Sequence[Passage], *, question: str, tokens: Tokens) -> None:
        self._passages = {passage.number: passage for passage in passages}
        self._tokens = tokens
        self._stop = frozenset(tokens(" ".join(STOP_WORDS)))
        self._question = question

    def check(self, sentence: str) -> Checked:
        """Return the sentence with the quotes that carry it, or with the reason why none do."""
        text, cited = split_markers(sentence)
        bare = _LIST_MARK.sub("", text)
        given = [number for number in cited if number in self._passages]
        foreign = tuple(number for number in cited if number not in self._passages)
        words = self._words(bare)
        if not words:
            return Checked(text, (), "it says nothing that could be checked", foreign)
        reason = "it cites no passage" if not cited else "the passage it cites doesn't say so"
        if foreign and not given:
            reason = f"it cites [{foreign[0]}], which was not given"
        if given:
            quotes, coverage = self._quotes(words, [self._passages[number] for number in given])
            if coverage >= MIN_COVERAGE:
                reason = self._disagreement(bare, quotes, coverage)
                if not reason:
                    return Checked(text, quotes, "", foreign)
        others = [p for number, p in self._passages.items() if number not in given]
        quotes, coverage = self._quotes(words, others)
        if coverage >= MIN_COVERAGE_UNCITED and not self._disagreement(bare, quotes, coverage):
            return Checked(text, quotes, "", foreign)
        return Checked(text, (), reason, foreign)

    def _words(self, text: str) -> frozenset[str]:
        return frozenset(self._tokens(text)) - self._stop

    def _quotes(
        self, words: frozenset[str], passages: Sequence[Passage]
    ) -> tuple[tuple[Quote, ...], float]:
        """Return the quotes that cover the words best, and the share that they cover together."""
        best = sorted(
            ((self._best_quote(words, passage), passage) for passage in passages),
            key=lambda item: (-len(item[0][1]), item[1].number),
        )
        quotes: list[Quote] = []
        covered: frozenset[str] = frozenset()
        for (quote, matched), _ in best:
            gain = len(matched - covered) / len(words)
            if quote is not None and (not quotes or gain >= _MIN_CONTRIBUTION):
                quotes.append(quote)
                covered |= matched
        # Words of the headings above a quote count: "The fee is £5" stands under "Dogs".
        for quote in quotes:
            covered |= words & self._words("\n".join(quote.above))
        quotes.sort(key=lambda quote: quote.passage.number)
        return tuple(quotes), len(covered) / len(words)

    def _best_quote(
        self, words: frozenset[str], passage: Passage
    ) -> tuple[Quote | None, frozenset[str]]:
        """Return the run of sentences that shares most of the words, as short as it can be."""
        spans = passage.sentences()
        shared = [words & self._words(passage.chunk.text[span.start : span.end]) for span in spans]
        if not any(shared):
            return None, frozenset()
        first = max(range(len(spans)), key=lambda i: (len(shared[i]), -i))
        last = first
        matched = shared[first]
        while last - first + 1 < _MAX_QUOTE_SENTENCES:
            sides = [i for i in (first - 1, last + 1) if 0 <= i < len(spans)]
            side = max(sides, key=lambda i: len(shared[i] - matched), default=None)
            if side is None or len(shared[side] - matched) < _MIN_EXTENSION * len(words):
                break
            first, last = min(first, side), max(last, side)
            matched |= shared[side]
        return Quote(passage, Span(spans[first].start, spans[last].end)), matched

    def _disagreement(self, text: str, quotes: Sequence[Quote], coverage: float) -> str:
        """Return what of a sentence its passages contradict or don't hold; "" if nothing."""
        sources = "\n".join(quote.passage.surroundings for quote in quotes)
        missing = numbers(text) - numbers(sources)
        if missing:
            return f"{min(missing)} does not stand in the passage it cites"
        for quotation in _QUOTATION.findall(text):
            if len(quotation.split()) >= _QUOTED_WORDS and _plain(quotation) not in _plain(sources):
                return "its quotation does not stand in the passage it cites"
        known = self._words(f"{sources}\n{self._question}")
        for name in _NAME.findall(text.strip()):
            if not frozenset(self._tokens(name)) - self._stop <= known:
                return f"{name} does not stand in the passage it cites"
        if coverage >= _NEGATION_COVERAGE and self._contradicts(text, quotes):
            return "it says the opposite of the passage it cites"
        return ""

    def _contradicts(self, text: str, quotes: Sequence[Quote]) -> bool:
        """Whether a word is denied on one side and stands undenied on the other."""
        quoted = " ".join(quote.text for quote in quotes)
        here, there = self._denied(text), self._denied(quoted)
        return bool((here - there) & self._words(quoted) or (there - here) & self._words(text))

    def _denied(self, text: str) -> frozenset[str]:
        """Return the first word after each negation: "may not land" denies landing."""
        denied: set[str] = set()
        for match in _NEGATION.finditer(text):
            following = self._tokens(text[match.end() : match.end() + _DENIED_CHARACTERS])
            denied.update([word for word in following if word not in self._stop][:1])
        return frozenset(denied)


def numbers(text: str) -> frozenset[str]:
    """Return the numbers of a text in one form: 1,234.50 and 1234.5 are the same, two is 2."""
    found = set()
    for match in _NUMBER.findall(text):
        plain = match.replace(",", "").lstrip("+-")
        whole, _, part = plain.partition(".")
        part = part.rstrip("0")
        # Digit by digit: int() takes 4,300 digits at most.
        whole = "".join(str(int(digit)) for digit in whole).lstrip("0") or "0"
        found.add(f"{whole}.{part}" if part else whole)
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _NUMBER_WORDS:
            found.add(_NUMBER_WORDS[word])
    return frozenset(found)


def _plain(text: str) -> str:
    """Fold what typesetting changes: white space, quotation marks, hyphens, case."""
    text = re.sub(r"[‐‑‒–—―]", "-", visible(text))
    text = re.sub(r"[“”„«»]", '"', re.sub(r"[‘’‚]", "'", text))
    return re.sub(r"\s+", " ", text).strip(" .,;:").lower()


# --- citations ---------------------------------------------------------------------------------


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
    )


def with_markers(text: str, citations: Sequence[Citation]) -> str:
    """Return a sentence with its markers at its end, before its closing white space."""
    body = text.rstrip()
    marks = "".join(f"[{citation.marker}]" for citation in citations)
    # Behind a closing fence they would keep the code block open.
    gap = "\n" if body.endswith("```") else " "
    return f"{body}{gap}{marks}{text[len(body) :]}" if marks else text
