"""Checks the quotes of an answer against the index again, with no model and no network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from ragkit.chunking import has_lines, is_prose, page_at, path_at
from ragkit.citations import split_markers
from ragkit.errors import ConfigError
from ragkit.store import SqliteStore
from ragkit.text import sentences
from ragkit.types import Answer, Document, Lines, QuoteCheck, QuotePlace, Span, Verification

# Words and marks, in scripts without spaces each character: what two texts are compared by.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|\w+|[^\w\s]")
# Around so many sentences of a document, those with most words of the quote, it is looked for.
_BEGINNINGS = 5
# Of longer ones only so many words are compared: difflib takes the square of their number.
_COMPARED_WORDS = 500
# Another document is looked for by the first and the last words of the quote, so many characters.
_SOUGHT_CHARACTERS = 60
# So many chunks are looked at for it, and so many documents named.
_SOUGHT_CHUNKS = 20
_MOST_ELSEWHERE = 5


@dataclass(frozen=True, slots=True)
class _Cited:
    """What a citation says of its quote."""

    marker: int
    uri: str
    span: Span
    quote: str
    document_hash: str


def verify(store: SqliteStore, answer: Answer | Mapping[str, Any]) -> Verification:
    """Say of each quote of an answer whether it still stands in the index.

    `answer` is an Answer or what its `to_dict()` gave. Raises ConfigError for what is no answer.
    """
    body = answer.to_dict() if isinstance(answer, Answer) else answer
    text, entries = _parts(body)
    read = [_cited(entry) for entry in entries]
    with store.snapshot():
        documents = _Documents(store, [each for each in read if isinstance(each, _Cited)])
        checks = [
            _check(each, documents) if isinstance(each, _Cited) else each
            for each in _told_apart(read)
        ]
    question = body.get("question")
    return Verification(
        question=question if isinstance(question, str) else "",
        citations=(*checks, *_without_citation(text, checks)),
    )


# --- the answer itself -------------------------------------------------------------------------


def _parts(body: Mapping[str, Any]) -> tuple[str, list[object]]:
    """Return an answer's text and its citations. Raises ConfigError for what is no answer."""
    text, entries = body.get("text"), body.get("citations")
    if not isinstance(text, str) or not isinstance(entries, list):
        lacking = "text" if not isinstance(text, str) else "list of citations"
        raise ConfigError(
            f"this is no answer of ragkit: it has no {lacking}",
            hint='an answer is what this prints: ragkit ask --json "QUESTION"',
        )
    return text, entries


def _fault(entry: object) -> str:
    """Return what keeps a citation from being checked; "" where nothing does."""
    if not isinstance(entry, Mapping):
        return "the citation is no object"
    for name in ("uri", "quote", "document_hash"):
        if not _is_text(entry.get(name)):
            return f"its {name} is no text" if name in entry else f"it has no {name}"
    for name, number in (("marker", entry.get("marker")), *_ends(entry.get("span"))):
        if type(number) is not int or number < 0:
            return f"its {name} is no number from 0 on"
    span, length = Span(**entry["span"]), len(entry["quote"])
    if not length:
        return "its quote is empty"
    if span.end - span.start != length:
        return f"its quote has {length} characters, its span {span.end - span.start}"
    return ""


def _ends(span: object) -> tuple[tuple[str, object], ...]:
    known = span if isinstance(span, Mapping) and set(span) == {"start", "end"} else {}
    return (("span's start", known.get("start")), ("span's end", known.get("end")))


def _is_text(value: object) -> bool:
    """Whether a value is a string, and holds no half of a character, which no file holds."""
    return isinstance(value, str) and not any("\ud800" <= each <= "\udfff" for each in value)


def _cited(entry: Any) -> _Cited | QuoteCheck:
    """Return what a citation says, or what is wrong with it."""
    if fault := _fault(entry):
        return _altered(entry, fault)
    return _Cited(
        marker=entry["marker"],
        uri=entry["uri"],
        span=Span(**entry["span"]),
        quote=entry["quote"],
        document_hash=entry["document_hash"],
    )


def _altered(entry: object, reason: str) -> QuoteCheck:
    """Return the check of a citation that can't be checked, with what of it can be read."""
    known = entry if isinstance(entry, Mapping) else {}
    marker, uri, quote = known.get("marker"), known.get("uri"), known.get("quote")
    return QuoteCheck(
        status="altered",
        marker=marker if type(marker) is int else None,
        uri=uri if isinstance(uri, str) else "",
        quote=quote if isinstance(quote, str) else "",
        reason=reason,
    )


def _told_apart(read: Sequence[_Cited | QuoteCheck]) -> list[_Cited | QuoteCheck]:
    """Return the citations, as altered those whose number an earlier one has."""
    seen: set[int] = set()
    told: list[_Cited | QuoteCheck] = []
    for each in read:
        if isinstance(each, _Cited) and each.marker in seen:
            reason = f"another citation is numbered [{each.marker}] too"
            told.append(_checked(each, status="altered", reason=reason))
        else:
            told.append(each)
        seen.update([each.marker] if each.marker is not None else [])
    return told


def _without_citation(text: str, checks: Sequence[QuoteCheck]) -> list[QuoteCheck]:
    """Return an altered one for each marker of the text that no citation has."""
    there = {each.marker for each in checks}
    return [
        QuoteCheck(
            status="altered", marker=marker, reason=f"the text cites [{marker}], which isn't there"
        )
        for marker in split_markers(text)[1]
        if marker not in there
    ]


# --- the documents -----------------------------------------------------------------------------


class _Documents:
    """The documents that an answer quotes, each read once."""

    def __init__(self, store: SqliteStore, cited: Sequence[_Cited]) -> None:
        self.store = store
        self._known = store.sources(
            uris={each.uri for each in cited}, hashes={each.document_hash for each in cited}
        )
        self._documents: dict[str, Document] = {}
        self._sentences: dict[str, list[tuple[Span, Counter[str]]]] = {}

    def quoted(self, cited: _Cited) -> list[Document]:
        """Return where a quote should stand: the document cited, and others of its version.

        A renamed document, or a copy, has the version's hash and another uri.
        """
        there = [each.id for each in self._known if each.uri == cited.uri]
        same = [each.id for each in self._known if each.content_hash == cited.document_hash]
        return [self.get(id_) for id_ in dict.fromkeys(there + same)]

    def get(self, id_: str) -> Document:
        if id_ not in self._documents:
            self._documents[id_] = self.store.get(id_)
        return self._documents[id_]

    def sentences(self, document: Document) -> list[tuple[Span, Counter[str]]]:
        """Return the document's sentences with their words."""
        if document.id not in self._sentences:
            text = document.text
            spans = sentences(text, line_blocks=not is_prose(document.media_type))
            self._sentences[document.id] = [
                (span, Counter(_words(text[span.start : span.end]))) for span in spans
            ]
        return self._sentences[document.id]

    def elsewhere(self, quote: str, without: Sequence[Document]) -> tuple[str, ...]:
        """Return the uris of other documents that hold a quote, found by its words."""
        numbers = [
            number
            for number, _ in self.store.lexical(_ends_of(quote), limit=_SOUGHT_CHUNKS, allowed=None)
        ]
        found = self.store.found(numbers)
        ids = dict.fromkeys(found[number].chunk.document_id for number in numbers)
        known = {document.id for document in without}
        holders = [self.get(id_) for id_ in ids if id_ not in known]
        return tuple(each.uri for each in holders if quote in each.text)[:_MOST_ELSEWHERE]


def _ends_of(quote: str) -> list[str]:
    """Return the first and the last words of a quote: where a chunk ends within it, one is whole.

    In a script without spaces they are cut anywhere.
    """
    size = min(_SOUGHT_CHARACTERS, (len(quote) + 1) // 2)
    first, last = quote[:size], quote[-size:]
    return [first.rpartition(" ")[0] or first, last.partition(" ")[2] or last]


# --- a quote -----------------------------------------------------------------------------------


def _check(cited: _Cited, documents: _Documents) -> QuoteCheck:
    """Return what became of a quote."""
    candidates = documents.quoted(cited)
    for document in candidates:
        if span := _standing(cited, document.text):
            return _stands(cited, document, span)
    if not candidates:
        elsewhere = documents.elsewhere(cited.quote, [])
        reason = "the document is not in the index any more"
        return _checked(cited, status="gone", reason=reason, elsewhere=elsewhere)
    document = candidates[0]
    if any(each.content_hash == cited.document_hash for each in candidates):
        reason = (
            "the version that it cites doesn't hold these words: the answer was altered, or the"
            " document is read otherwise by now"
        )
        return _checked(cited, status="altered", same_version=True, reason=reason)
    elsewhere = documents.elsewhere(cited.quote, candidates)
    like = _most_like(cited.quote, document, documents)
    return _checked(
        cited,
        status="changed",
        place=like and _place(document, like[0]),
        similarity=like and like[1],
        elsewhere=elsewhere,
        reason=(
            "the document holds these words with other white space"
            if like and like[1] == 1.0
            else "the document doesn't hold these words any more"
        ),
    )


def _checked(cited: _Cited, **fields: Any) -> QuoteCheck:
    return QuoteCheck(
        marker=cited.marker, uri=cited.uri, span=cited.span, quote=cited.quote, **fields
    )


def _standing(cited: _Cited, text: str) -> Span | None:
    """Return where the quote stands: at its span, else at the place nearest to it."""
    start, length = cited.span.start, len(cited.quote)
    before = text.rfind(cited.quote, 0, start + length)  # finds it at its span, too
    after = text.find(cited.quote, start) if before != start else -1
    places = [place for place in (before, after) if place >= 0]
    if not places:
        return None
    nearest = min(places, key=lambda place: abs(place - start))
    return Span(nearest, nearest + length)


def _stands(cited: _Cited, document: Document, span: Span) -> QuoteCheck:
    same_version = document.content_hash == cited.document_hash
    is_current = span == cited.span
    reasons = []
    if document.uri != cited.uri:
        reasons.append(f"the version that was quoted is at {document.uri} now")
    if not same_version:
        reasons.append("the document has changed at other places")
    elif not is_current:
        reasons.append("the document is read otherwise by now")
    return _checked(
        cited,
        status="current" if is_current else "moved",
        same_version=same_version,
        place=_place(document, span),
        reason="; ".join(reasons),
    )


def _place(document: Document, span: Span) -> QuotePlace:
    text = document.text[span.start : span.end]
    first = 1 + document.text.count("\n", 0, span.start)
    return QuotePlace(
        uri=document.uri,
        title=document.title,
        heading_path=path_at(document.headings, span.start),
        page=page_at(document.pages, span.start),
        lines=Lines(first, first + text.count("\n")) if has_lines(document.media_type) else None,
        span=span,
        text=text,
    )


# --- what changed ------------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _most_like(quote: str, document: Document, documents: _Documents) -> tuple[Span, float] | None:
    """Return the run of sentences most like a quote, with its similarity; None if none is.

    The similarity is that of difflib, over words: twice those in common by those of both.
    """
    parts = documents.sentences(document)
    wanted = Counter(_words(quote))
    shared = [(wanted & words).total() for _, words in parts]
    best = sorted(range(len(parts)), key=lambda i: (-shared[i], i))[:_BEGINNINGS]
    length = len(sentences(quote, line_blocks=not is_prose(document.media_type)))
    runs = {
        (first, first + count)
        for middle in best
        if shared[middle]
        for count in (length - 1, length, length + 1)
        for first in range(middle - count + 1, middle + 1)
        if count > 0 and first >= 0 and first + count <= len(parts)
    }
    spans = [Span(parts[first][0].start, parts[end - 1][0].end) for first, end in sorted(runs)]
    return _most_similar(quote, document.text, spans)


def _most_similar(quote: str, text: str, spans: Sequence[Span]) -> tuple[Span, float] | None:
    matcher = SequenceMatcher(autojunk=False, b=_words(quote)[:_COMPARED_WORDS])
    bounds = []
    for span in spans:
        matcher.set_seq1(_words(text[span.start : span.end])[:_COMPARED_WORDS])
        bounds.append((matcher.quick_ratio(), span))
    found: tuple[Span, float] | None = None
    for most, span in sorted(bounds, key=lambda item: (-item[0], item[1].start)):
        if found and most <= found[1]:
            break
        matcher.set_seq1(_words(text[span.start : span.end])[:_COMPARED_WORDS])
        if not found or matcher.ratio() > found[1]:
            found = (span, matcher.ratio())
    return found
