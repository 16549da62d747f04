"""Words as they are compared: stems, common synonyms, names, and what is denied."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ragkit.citations.facts import CARDINALS, numbers
from ragkit.text import STOP_WORDS

Tokens = Callable[[str], list[str]]
Kind = Literal["", "name", "number"]

# Words that say the same in most sentences. Few and common ones alone: what is in doubt counts as
# another word, and how many of those a sentence may have is the threshold's business.
_SYNONYMS = """
begin start commence launch
end finish conclude complete
show demonstrate reveal indicate suggest
find discover detect identify
use utilise utilize employ
help aid assist
buy purchase acquire
build construct erect
make create produce generate
get receive obtain gain
need require
allow permit enable
forbid prohibit ban
happen occur
try attempt
keep retain maintain preserve
choose select
ask request
answer reply respond response
say state
think believe consider
give grant provide supply
become grow
increase raise rise
reduce decrease lower diminish
locate situate place
call name term
live reside
move shift transfer
study investigate examine explore analyse analyze assess evaluate
link associate connect relate correlate
lead head
big large great
small little
quick fast rapid
important significant major key
main primary principal chief
near close
many numerous
various several different
about approximately roughly
whole entire
enough sufficient
often frequently
mainly primarily mostly chiefly largely
almost nearly
first initial initially original originally
later subsequently
also additionally
common widespread
part portion
area region zone
city town
country nation
kid child
people person individual
car automobile vehicle
job occupation
work labor labour
method approach technique
effect impact influence
result outcome
problem difficulty
goal aim objective purpose
rule regulation
price cost
role function
group team
example instance
risk hazard
illness disease
film movie
author writer
ship vessel
doctor physician
earnings income
yearly annual
"""

# Words of speech that say nothing of the subject, besides the stop words of a question.
_FUNCTION_WORDS = """
although though even however nevertheless nonetheless moreover furthermore therefore thus hence
since despite notwithstanding whereas throughout within among amongst upon toward towards onto
across along around via per versus too yet still thereby therein whether either neither rather quite
rather perhaps likewise meanwhile instead besides unless except like became become becomes
"""

# What lies on opposite sides, words of one side between them.
_ANTONYMS = """
increase rise grow gain climb raise / decrease decline fall reduce drop shrink lower diminish
above / below beneath
before prior / after following
allow permit / forbid prohibit ban
include contain / exclude omit
more / less fewer
most / least
open / close shut
accept / reject refuse
begin start / end stop cease
succeed / fail
win / lose
true / false
always / never
high higher highest / low lower lowest
large larger largest / small smaller smallest
old older oldest / young younger youngest
long longer longest / short shorter shortest
early earlier / late later
first / last
major / minor
north northern / south southern
east eastern / west western
left / right
inside within / outside
up / down
over / under
maximum / minimum
positive / negative
present / absent
rich / poor
strong stronger / weak weaker
hot warm / cold cool
public / private
legal / illegal
majority / minority
often frequently / rarely seldom
best / worst
better / worse
support favor favour / oppose
import / export
buy / sell
arrive / depart
add / remove
male / female
gain / loss
profit / deficit
internal / external
rural / urban
northeast / southwest
northwest / southeast
all every / none
encourage promote / discourage inhibit prevent
activate / suppress
upregulate / downregulate
sensitive / resistant
necessary / unnecessary
with / without
"""
_NEGATION = re.compile(
    r"\b(?:not(?! only\b)|no(?!\.\s?\d)|never|nobody|nothing|neither|nor|without|cannot|none)\b"
    r"|n['’]t\b",
    re.IGNORECASE,
)
# Where a source denies in another way, a "not" of the sentence may be its wording.
_DENIAL = re.compile(
    r"\b(?:lack|fail|refus|reject|den[iy]|prevent|avoid|absen|few\b|rare|scarce|only\b|except"
    r"|unless|instead|rather|free of|little\b|un\w{4}|in[a-z]\w{4}|im[pm]\w{3}|ir[r]\w{3}"
    r"|dis\w{4}|non)",
    re.IGNORECASE,
)
_PREFIX = re.compile(r"(?:un|non-?|in|im|ir|il|dis)(?=[a-z]{4})")
# How far behind a "not" the word that it denies is looked for.
_DENIED_CHARACTERS = 60

_WORD = re.compile(r"\d+(?:[.,·]\d+)*\w*|\w+(?:['’]\w+)*")
# Names that small letters would make a stop word: the US, the WHO, T cells.
_LOOKS_LIKE_STOP = re.compile(r"US|WHO|IT|[B-HJ-Z]")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;…]|\n|^\s*[-*+•>#|]+)[\s\"“”‘’'„«(\[*_]*\Z")


@dataclass(frozen=True, slots=True)
class Word:
    """A word that says something: its stem, one for all of its synonyms, and where it stands."""

    stem: str
    text: str
    start: int
    kind: Kind = ""


class Wording:
    """Reads texts as words. `tokens` cuts and stems; each word is stemmed once."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._stop, self._group, self._side = _tables(tokens)
        self._stems: dict[str, tuple[str, ...]] = {}

    def _stem(self, word: str) -> str:
        return " ".join(self._tokens(word))

    def _stems_of(self, word: str) -> tuple[str, ...]:
        """Return the stems of a word, none for one that says nothing by itself."""
        found = self._stems.get(word)
        if found is None:
            value = _value(word)
            stems = [value] if value else self._tokens(word)
            if word.isascii() and word.isalnum():
                stems = stems[:1]  # the parts of a CamelCase word come after it
            stop = frozenset[str]() if _LOOKS_LIKE_STOP.fullmatch(word) else self._stop
            found = tuple(self._group.get(s, s) for s in stems if s not in stop)
            self._stems[word] = found
        return found

    def words(self, text: str, names: frozenset[str] = frozenset()) -> list[Word]:
        """Return the words that say something. `names` are words known to be names anywhere."""
        found = []
        for match in _WORD.finditer(text):
            written = match[0]
            for stem in self._stems_of(written):
                found.append(Word(stem, written, match.start(), _kind(match, text, names)))
        return found

    def stems(self, text: str) -> frozenset[str]:
        """Return the stems of all words that say something."""
        return frozenset(s for match in _WORD.finditer(text) for s in self._stems_of(match[0]))

    # --- negation ------------------------------------------------------------------------------

    def contradicts(self, claim: str, source: str) -> bool:
        """Whether one text denies what the other says, or says the contrary of it."""
        if claim == source:
            return False
        here, there = self._signs(claim), self._signs(source)
        if any(signs.isdisjoint(there[base]) for base, signs in here.items() if base in there):
            return True
        if self._prefixed(claim, here, there) or self._prefixed(source, there, here):
            return True
        denials = len(_NEGATION.findall(claim))
        return denials > 0 and not _NEGATION.search(source) and not _DENIAL.search(source)

    def _signs(self, text: str) -> dict[str, set[bool]]:
        """Return for each word whether it is affirmed, denied or both; antonyms are one word."""
        denied = set(self._denied(text))
        signs: dict[str, set[bool]] = {}
        for match in _WORD.finditer(text):
            stem = self._stem_of_any(match[0])
            base, side = self._side.get(stem, (self._group.get(stem, stem), True))
            if base == stem and stem in self._stop:
                continue
            signs.setdefault(base, set()).add(side == (match.start() not in denied))
        return signs

    def _stem_of_any(self, word: str) -> str:
        key = f" {word}"  # stop words too: kept apart from those of _stems_of
        found = self._stems.get(key)
        if found is None:
            found = self._stems[key] = (self._stem(word),)
        return found[0]

    def _denied(self, text: str) -> Iterator[int]:
        """Yield the places of the first word after each negation: "may not land" denies landing."""
        for match in _NEGATION.finditer(text):
            for word in _WORD.finditer(text, match.end(), match.end() + _DENIED_CHARACTERS):
                if self._stems_of(word[0]) or self._stem_of_any(word[0]) in self._side:
                    yield word.start()
                    break

    def _prefixed(self, text: str, here: dict[str, set[bool]], there: dict[str, set[bool]]) -> bool:
        """Whether a word such as "impossible" stands against the other text's "possible"."""
        for match in _WORD.finditer(text.lower()):
            prefix = _PREFIX.match(match[0])
            if prefix is None:
                continue
            whole = self._stem_of_any(match[0])
            bare = self._stem_of_any(match[0][prefix.end() :])
            if bare not in there or whole in there or bare in here:
                continue
            if there[bare].isdisjoint(not sign for sign in here.get(whole, ())):
                return True
        return False


@lru_cache(maxsize=4)
def _tables(
    tokens: Tokens,
) -> tuple[frozenset[str], Mapping[str, str], Mapping[str, tuple[str, bool]]]:
    """Return stop words, synonyms by their group, and antonyms by their line and side, stemmed."""
    stop = frozenset(tokens(f"{' '.join(STOP_WORDS)} {_FUNCTION_WORDS}"))
    group: dict[str, str] = {}
    for line in _SYNONYMS.split("\n"):
        stems = [" ".join(tokens(word)) for word in line.split()]
        group.update(dict.fromkeys(stems, stems[0] if stems else ""))
    sides: dict[str, tuple[str, bool]] = {}
    for line in filter(None, _ANTONYMS.split("\n")):
        for side, words in enumerate(line.split(" / ")):
            for word in words.split():
                sides.setdefault(" ".join(tokens(word)), (line, side == 0))
    return stop, group, sides


def _value(word: str) -> str:
    """Return a number in one form, "" for another word: 1,234.50 is 1234.5, and two is 2."""
    if word[0].isdecimal():  # "¹" is a digit, and no number
        return min(numbers(word), key=len)
    return CARDINALS.get(word.lower(), "")


def _kind(match: re.Match[str], text: str, names: frozenset[str]) -> Kind:
    written = match[0]
    if not written.isalpha() and any(character.isdigit() for character in written):
        return "name" if written[0].isalpha() else "number"
    if written.lower() in CARDINALS:
        return "number"
    if not written[0].isupper():
        return ""
    if written in names or written[1:] != written[1:].lower():
        return "name"
    return "" if starts_sentence(text, match.start()) else "name"


def starts_sentence(text: str, at: int) -> bool:
    """Whether a capital at this place may be that of a sentence."""
    return bool(_SENTENCE_START.search(text, max(0, at - 12), at)) or at == 0


def names(words: Iterable[Word]) -> frozenset[str]:
    """Return the names among some words, as written."""
    return frozenset(word.text for word in words if word.kind == "name")
