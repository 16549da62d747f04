"""Words to search by: how a text is written for the word index, and what a query asks of it.

Both go through `lexical_form`; what stemming, case and accents do is the index's own business.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator

from ragkit.text import STOP_WORDS, clean

# Names what `indexed_form` does: a change rebuilds the word index.
LEXICAL_FORM = 2

_MAX_TERMS = 64

# --- one spelling of everything -----------------------------------------------------------------

# The tokenizer cuts words at combining marks. Where marks are vowels they become characters of
# private use instead, which it takes for letters; elsewhere they are written or not, and go.
_PRIVATE = 0xF0000
_VOWEL_SCRIPTS = re.compile(
    "[\u0900-\u109f\u1700-\u17ff\u1900-\u1cff\ua800-\uabff\U00011000-\U00011fff]"
)
_SPELLINGS = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i",
}  # fmt: skip
# What queries are read by. Other signs become spaces: the tokenizer takes some of them for letters,
# such as the bullets of symbol fonts and what came into Unicode after its tables were made.
_KEPT = frozenset("‐–−’“”„«»")
_TRADEMARKS = "™℠"  # become spaces first: else they would end a word as letters


class _Spelling(dict[int, str | None]):
    """What each character is written as, worked out when it is first met."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        kind = unicodedata.category(character)
        if kind[0] in "LN" or character in _KEPT or code < 128:
            self[code] = _SPELLINGS.get(character, character)
        elif kind[0] != "M":
            self[code] = " "
        elif _VOWEL_SCRIPTS.match(character):
            self[code] = chr(code + _PRIVATE)
        else:
            self[code] = None
        return self[code]


_SPELLING = _Spelling()


def _spelled(text: str) -> str:
    """Return the text with one spelling of what can be written in several ways: ﬁ, Ａ, ß, ①."""
    if text.isascii():
        return text
    for sign in _TRADEMARKS:
        text = text.replace(sign, " ")
    return unicodedata.normalize("NFKC", text).translate(_SPELLING)


def _as_written(spelled: str) -> str:
    """Return a spelled text with its vowel marks again."""
    if spelled.isascii():
        return spelled
    return "".join(chr(ord(c) - _PRIVATE) if ord(c) >= _PRIVATE else c for c in spelled)


# --- scripts without spaces ---------------------------------------------------------------------

# Chinese, Japanese, Korean (whose particles stick to the nouns); Thai, Lao, Burmese, Khmer.
_UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U000323af"
    "\u0e01-\u0e2e\u0e30-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"
    "\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u17d7\u17dc"
)
_MARK = f"[{chr(_PRIVATE)}-\U0010fffd]"
_RUN = re.compile(f"(?:[{_UNSPACED}]{_MARK}*)+")
_RUN_BEGINS = re.compile(f"[{_UNSPACED}]")  # asked first: most texts hold no run, and it is fast
_SYLLABLE = re.compile(f"[^{_MARK[1:-1]}]{_MARK}*")
# A longer run is a sentence, and hardly stands in a text as it is.
_LONGEST_WHOLE_RUN = 16


def _pairs(run: str) -> list[str]:
    """Return the overlapping pairs of syllables in a run, or the run where it is but one."""
    syllables = _SYLLABLE.findall(run)
    return [first + second for first, second in itertools.pairwise(syllables)] or [run]


def _paired(spelled: str) -> str:
    if spelled.isascii() or not _RUN_BEGINS.search(spelled):
        return spelled
    return _RUN.sub(lambda run: f" {' '.join(_pairs(run[0]))} ", spelled)


# --- the forms ----------------------------------------------------------------------------------

# By itself five times as fast as with its word, and again four times by beginning with the capital.
_HUMP = re.compile(r"[A-Z](?:[A-Z][a-z]|(?<=[a-z0-9][A-Z]))")
_NO_WORD = re.compile(r"\W")
_CAMEL_CUT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])(?![A-Z]s\b)")


def phrase_form(text: str) -> str:
    """Return the words of a text in one spelling, scripts without spaces in pairs of syllables."""
    return _paired(_spelled(text))


def lexical_form(text: str) -> str:
    """Return the text as the word index sees it, at index and at query time alike.

    The parts of its CamelCase words come after it, so that phrases stay what they are.
    """
    spelled = _spelled(text)
    parts = _camel_parts(spelled)
    return "\n".join([_paired(spelled), *parts]) if parts else _paired(spelled)


def indexed_form(text: str) -> str:
    """Return what the index holds of a text: its lexical form, and the last syllables of runs.

    With those every syllable begins a token, so that a single one is found as a prefix.
    """
    form = lexical_form(text)
    if text.isascii() or not _RUN_BEGINS.search(form):
        return form
    ends = [_SYLLABLE.findall(run[0])[-1] for run in _RUN.finditer(_spelled(text))]
    return "\n".join([form, " ".join(ends)]) if ends else form


def is_syllable(term: str) -> bool:
    """Whether a term is a single syllable of a script without spaces."""
    spelled = _spelled(term)
    return bool(_RUN.fullmatch(spelled)) and len(_SYLLABLE.findall(spelled)) == 1


def _camel_parts(text: str) -> list[str]:
    """Return the parts of each CamelCase word, in one string a word."""
    found = []
    end = 0
    for hump in _HUMP.finditer(text):
        if hump.start() < end:  # another of the same word
            continue
        start = hump.start()
        while start > end and (text[start - 1].isalnum() or text[start - 1] == "_"):
            start -= 1
        after = _NO_WORD.search(text, hump.end())
        end = after.start() if after else len(text)
        parts = _CAMEL_CUT.sub(" ", text[start:end])
        if " " in parts:
            found.append(parts)
    return found


# --- queries ------------------------------------------------------------------------------------

_LETTER = f"(?:[^\\W_]|{_MARK})"
_TERM = re.compile(rf"{_LETTER}+(?:[-_.,/\\:'’&@+#=?%~‐–−]{{1,3}}{_LETTER}+)*[+#]*")
_PART = re.compile(rf"{_RUN.pattern}|(?:(?![{_UNSPACED}]){_LETTER})+")
_PHRASE = re.compile(r'"([^"]{2,200})"|“([^”]{2,200})”|„([^“”]{2,200})[“”]|«([^»]{2,200})»')
_POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)
_HYPHENATED = re.compile(r"[^\W\d_]+[-‐][^\W\d_]+")
_NUMBER = re.compile(r"(\d{1,3}(?:[,.'’]\d{3})+|\d+)(?:[.,](\d+))?")
_VERSION = re.compile(r"(v?)(\d+(?:\.\d+)+)", re.IGNORECASE)
_CODE = re.compile(r"([^\W\d_]+)[-_]?(\d+)")
_LONGEST_NUMBER = 15  # digits of one that may be grouped by thousands
# In a query of so few words a hyphenated one is a name to look for; in a longer one the phrase
# beside its parts makes them count too much: SciFact train nDCG@10 .702 with it, .705 without.
_FEW_WORDS = 3


def query_terms(query: str) -> list[str]:
    """Return the words and "quoted phrases" that a query is about, without stop words, in order.

    A compound such as `E-417` or `fare_table` comes whole and is followed by its other spellings
    and its parts. Where nothing but stop words stands in the query they are returned: better than
    no search.
    """
    text = _spelled(clean(query))
    phrases = [" ".join(filter(None, match.groups())) for match in _PHRASE.finditer(text)]
    words = [match[0] for match in _TERM.finditer(_PHRASE.sub(" ", text))]
    telling = [word for word in words if word.lower().replace("’", "'") not in STOP_WORDS]
    is_short = len(telling) <= _FEW_WORDS
    terms = [phrase.strip() for phrase in phrases if _TERM.search(phrase)]
    for word in telling:
        terms.extend(_spread(_POSSESSIVE.sub("", word), is_short))
    distinct: dict[str, str] = {}
    for term in terms or words:
        distinct.setdefault(term.lower(), term)
    return [_as_written(term) for term in distinct.values()][:_MAX_TERMS]


def plain_words(query: str) -> list[str]:
    """Return the words of letters alone that a query is about: those that can be misspelt.

    Words in quotation marks mean themselves, and those with capitals within are names of a sort.
    """
    text = _PHRASE.sub(" ", _spelled(clean(query)))
    is_shouted = text.isupper()
    parts = (part for match in _TERM.finditer(text) for part in _PART.findall(match[0]))
    return list(
        dict.fromkeys(
            part
            for part in parts
            if part.isalpha()
            and part.lower() not in STOP_WORDS
            and not _RUN.search(part)
            and (is_shouted or part[1:] == part[1:].lower())
        )
    )[:_MAX_TERMS]


def _spread(word: str, is_short: bool) -> Iterator[str]:
    """Yield a word, then its other spellings and its parts."""
    parts = _PART.findall(word)
    if len(parts) == 1 and _RUN.fullmatch(word):
        yield from _of_run(word)
        return
    if number := _NUMBER.fullmatch(word):
        yield from _of_number(word, number)
        return
    if not _HYPHENATED.fullmatch(word) or is_short:
        yield word
    yield from _other_spellings(word)
    if len(parts) > 1:
        for part in parts:
            if _RUN.fullmatch(part):
                yield from _of_run(part)
            elif len(part) > 1 and part.lower() not in STOP_WORDS:
                yield part
                yield from _camel(part)


def _of_run(run: str) -> Iterator[str]:
    if len(run) <= _LONGEST_WHOLE_RUN:
        yield run
    yield from _pairs(run)


def _of_number(word: str, number: re.Match[str]) -> Iterator[str]:
    """Yield 1,234.50 also as 1234.50, and the other way round; 12.00 also as 12."""
    yield word
    whole, decimals = re.sub(r"\D", "", number[1]), number[2]
    ending = f".{decimals}" if decimals else ""
    if 3 < len(whole) <= _LONGEST_NUMBER:
        yield whole + ending
        yield f"{int(whole):,}{ending}"
    if decimals and not decimals.strip("0"):
        yield whole
    if version := _VERSION.fullmatch(word):
        yield f"v{version[2]}"


def _other_spellings(word: str) -> Iterator[str]:
    """Yield v2.3.1 as 2.3.1, E-417 as E417, wi-fi as wifi; the other way round where it can be."""
    if version := _VERSION.fullmatch(word):
        yield version[2] if version[1] else f"v{word}"
    elif code := _CODE.fullmatch(word):
        yield code[1] + code[2] if code[1] + code[2] != word else f"{code[1]}-{code[2]}"
    elif _HYPHENATED.fullmatch(word):
        yield re.sub("[-‐]", "", word)
    yield from _camel(word) if word.isalnum() else ()


def _camel(word: str) -> Iterator[str]:
    """Yield the parts of a CamelCase word, side by side and one by one."""
    for parts in _camel_parts(word):
        yield parts
        yield from (part for part in parts.split() if part.lower() not in STOP_WORDS)
