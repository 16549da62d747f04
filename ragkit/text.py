"""What ragkit knows of text as such: cleaning, sentences, stop words, and length in tokens."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from ragkit.types import Span

# Line and page separators that no editor counts as lines: a space keeps words apart.
_SEPARATORS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")

# Characters that a reader can't see and an attacker can use: controls, soft hyphen, zero-width,
# bidi controls (CVE-2021-42574), interlinear annotation, variation selectors' supplement and tag
# characters (hidden prompts), lone surrogates are replaced below.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
# Beside those, what may be meant to be seen (a joiner, an emoji's look) and can carry a message.
_UNSEEN = re.compile(
    f"{_INVISIBLE.pattern}|[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    r"""Return the text as ragkit stores it: NFC, `\n` line ends, nothing invisible in it."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _SURROGATES.sub("\ufffd", text)
    text = _SEPARATORS.sub(" ", text)
    text = _INVISIBLE.sub("", text)
    return unicodedata.normalize("NFC", text)


def visible(text: str) -> str:
    """Return the text without characters that nobody sees, for a prompt or a comparison."""
    return text if text.isascii() and text.isprintable() else _UNSEEN.sub("", text)


# --- sentences ---------------------------------------------------------------------------------

_SENTENCE_END = re.compile(
    r"""
    (?P<end> (?<![.!?]) [.!?]++ ["'”’)\]*_]{0,3}+ )   # the end of a sentence, and then
        (?= \s+ ["'“‘(\[*_]{0,3} (?: [^\W_a-zß-öø-ÿ] | [$€£\#>-] ) )   # no small letter
    | [。！？．؟।]+ ["'”’」』)]*
    | ^ \#{1,6} [ ] [^\n]* \n                         # a heading's line
    | \n (?= [ \t]* (?: (?: [-*+•] | \d{1,3}[.)] ) [ \t] | \| | \#{1,6}[ ] | \n ) )
    """,
    re.VERBOSE | re.MULTILINE,
)

_SENTENCE_OR_LINE_END = re.compile(rf"\n | {_SENTENCE_END.pattern}", re.VERBOSE | re.MULTILINE)

# A full stop after these ends no sentence.
_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st vs etc eg ie cf al approx no nos fig figs vol pp p ed eds inc ltd "
    "co corp dept est min max tel ext art sec ch jan feb mar apr jun jul aug sep sept oct nov dec "
    "rev gen col lt capt sgt hon messrs ca resp incl excl ref para u.s u.k e.g i.e a.m p.m".split()
)
_LAST_WORD = re.compile(r"[\w.]+$")


def sentences(text: str, *, line_blocks: bool = False) -> list[Span]:
    """Return the spans of the sentences, table rows, list items and headings, trimmed.

    `line_blocks` says that every line is a block of its own (a paragraph, a table row), as in
    text taken out of PDF and HTML; otherwise a sentence may run over a line end.
    """
    spans = []
    start = 0
    for cut in _cuts(text, line_blocks):
        if span := _trimmed(text, start, cut):
            spans.append(span)
        start = cut
    if span := _trimmed(text, start, len(text)):
        spans.append(span)
    return spans


def _cuts(text: str, line_blocks: bool) -> Iterator[int]:
    for match in (_SENTENCE_OR_LINE_END if line_blocks else _SENTENCE_END).finditer(text):
        if match["end"] and match["end"].startswith(".") and _abbreviated(text, match.start()):
            continue
        yield match.end()


def _abbreviated(text: str, stop: int) -> bool:
    """Whether the full stop at `stop` belongs to an abbreviation or an initial."""
    word = _LAST_WORD.search(text, max(0, stop - 12), stop)
    if not word:
        return False
    last = word[0].lower().strip(".")
    if last in _ABBREVIATIONS:
        # "p.m. The": an abbreviation that ends a sentence too is followed by a capital after a
        # time or a unit; only titles and references are sure to go on.
        following = text[stop + 1 : stop + 4].lstrip()
        return not (last in {"a.m", "p.m", "etc", "inc", "ltd", "co"} and following[:1].isupper())
    return len(last) == 1 and last.isalpha() and word[0][0].isupper()


def _trimmed(text: str, start: int, end: int) -> Span | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    start += len(piece) - len(piece.lstrip())
    return Span(start, start + len(stripped))


# --- length ------------------------------------------------------------------------------------

_WORDS = re.compile(r"[A-Za-zÀ-ɏ]+")
_DIGITS = re.compile(r"\d+")
_MARKS = re.compile(r"[!-/:-@\[-`{-~\u2000-\u206f\u20a0-\u20cf\u2190-\u27bf]")
_WIDE = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]"
)
_OTHER = re.compile(
    r"[^\x00-\u024f\u2000-\u2bff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\uffef\s]"
)


def estimate_tokens(text: str) -> int:
    """Return about how many tokens a model's tokenizer makes of the text.

    Counted by class of character, as no tokenizer is to be had offline; characters divided by
    four is off by half and more on tables, Chinese, Thai and Hindi.
    """
    if text.isascii():
        return _estimate_ascii(text.encode())
    words = _WORDS.findall(text)
    tokens = len(words) + sum(len(word) // 8 for word in words)
    tokens += sum(1 + len(digits) // 4 for digits in _DIGITS.findall(text))
    tokens += len(_MARKS.findall(text)) + len(_WIDE.findall(text))
    return tokens + (len(_OTHER.findall(text)) + 1) // 2


def _estimate_ascii(raw: bytes) -> int:
    """Count as above, four times as fast: by translating what isn't of a class to spaces."""
    words = raw.translate(_ONLY_LETTERS).split()
    tokens = len(words) + sum([length >> 3 for length in map(len, words)])
    tokens += sum([1 + (length >> 2) for length in map(len, raw.translate(_ONLY_DIGITS).split())])
    return tokens + len(raw.translate(None, _NO_MARKS))


_ASCII = bytes(range(256))
_ONLY_LETTERS = bytes(c if c < 128 and chr(c).isalpha() else 32 for c in _ASCII)
_ONLY_DIGITS = bytes(c if c < 128 and chr(c).isdigit() else 32 for c in _ASCII)
_NO_MARKS = bytes(c for c in _ASCII if c > 127 or not _MARKS.match(chr(c)))

# --- words -------------------------------------------------------------------------------------

# What a question is made of besides its subject.
STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are aren't as at be because been before being
    below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't
    down during each few for from further get gets give given had hadn't has hasn't have haven't
    having he her here hers herself him himself his how how's i i'd i'll i'm i've if in into is
    isn't it it's its itself just let's many may me might more most much must my myself no nor not
    of off on once only or other ought our ours ourselves out over own please same shall she should
    shouldn't so some such tell than that that's the their theirs them themselves then there there's
    these they they're this those through to too under until up us very was wasn't we we're were
    weren't what what's when where where's which while who who's whom whose why will with won't
    would wouldn't you you're your yours yourself yourselves
    """.split()
)
