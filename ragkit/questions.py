"""What a question asks for, and whether a sentence has it or says the opposite. English."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

AnswerKind = Literal["number", "time", "name", "any"]

_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|much|long|often|far|high|fast|big|large|old|tall|deep|wide|heavy)\b"
    r"|\bwhat (?:percent\w*|number|amount|population|proportion|price|cost|fee|fare|rate)\b",
    re.IGNORECASE,
)
_ASKS_TIME = re.compile(
    r"\bwhen\b|\bhow (?:late|early)\b"
    r"|\b(?:what|which) (?:year|date|century|decade|day|month|time|season)\b",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\b(?:who|whom|whose|where)\b"
    r"|\b(?:what|which) (?:country|city|state|place|region|town|person|company)\b",
    re.IGNORECASE,
)

_NUMBER = re.compile(
    r"\d[\d.,]*|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred"
    r"|thousand|million|billion|half|third|quarter|once|twice)\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b\d{3,4}s?\b|\b\d{1,2}(?:st|nd|rd|th|[:.]\d{2})\b|\b\d{1,2} ?[ap]\.?m\b"
    r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|spring|summer|autumn|winter|century|centuries"
    r"|years?|months?|weeks?|days?|hours?|noon|midnight|today|daily|weekly)\b",
    re.IGNORECASE,
)
# A capital that doesn't begin a sentence.
_NAME = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w'’-]+", re.MULTILINE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

_DENIES = re.compile(
    r"\b(?:not|never|no|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t|unlike|except"
    r"|hardly|rarely|fail(?:s|ed|ing)?|lack(?:s|ed|ing)?|refus(?:e|es|ed|ing))\b",
    re.IGNORECASE,
)
_DENYING_FORM = re.compile(r"\b(?:un|non|dis)-?[a-z]{4,}", re.IGNORECASE)
_NO_DENYING_FORM = frozenset(
    "under united union unit units uniform unique universal universe university until unless unify"
    " unified understand understanding understood underground underlying display displayed"
    " discuss discussed discussion disease diseases discover discovered discovery district"
    " districts distance distant distinct distinguish distribute distributed distribution disaster"
    " discipline dispute disputed disk dish dishes disc discs discourse".split()
)

# General pairs of opposites, by their first meaning. An adjective's other forms are listed where
# questions use them: the highest, the most, increased.
_OPPOSITES = """
more less fewer; most least; many few; increase decrease decline reduce; increased decreased
declined reduced; increases decreases; increasing decreasing; higher lower; highest lowest; high
low; before after; first last; larger smaller; largest smallest; large small; bigger smaller;
biggest smallest; big small; north south; northern southern; northernmost southernmost; east west;
eastern western; northeast southwest; northwest southeast; maximum minimum; best worst; better
worse; good bad; rich poor; wealthy poor; allow forbid prohibit prevent; allowed forbidden
prohibited banned; early late; earlier later; earliest latest; older younger newer; oldest youngest
newest; old young new; longer shorter; longest shortest; long short; stronger weaker; strongest
weakest; strong weak; positive negative; always never; often seldom rarely; above below; over
under; public private; won lost; win lose; winner loser; winning losing; accept reject refuse;
accepted rejected refused; support oppose; supported opposed; supporters opponents; agree disagree;
agreed disagreed; legal illegal; possible impossible; able unable; begin end; began ended; beginning
end; start stop finish; started stopped finished; opened closed; open closed; opening closing; rise
fall; rose fell; rising falling; buy sell; bought sold; import export; gain lose; gained lost;
internal external; interior exterior; inner outer; inside outside; indoor outdoor; male female; men
women; man woman; boys girls; father mother; son daughter; husband wife; brother sister; king
queen; include exclude; included excluded; upper lower; top bottom; majority minority; left right;
simple complex; easy difficult hard; common rare uncommon; popular unpopular; cause prevent; causes
prevents; create destroy; created destroyed; build demolish; built demolished; arrive leave depart;
arrived left departed; front back rear; fast slow; faster slower; fastest slowest; quickly slowly;
cheap expensive; cheaper dearer; modern ancient; heavier lighter; heavy light; thick thin; wide
narrow; deep shallow; hot cold; warm cool; wet dry; day night; summer winter; closest farthest
furthest; nearest farthest furthest; near far; same different; similar different; true false;
religious secular; military civilian; rural urban; domestic foreign; natural artificial; temporary
permanent; guilty innocent; hire fire; hired fired; lead follow; attack defend; ally enemy; allies
enemies; friend enemy; success failure; successful unsuccessful; succeeded failed; full empty;
visible invisible; known unknown; dead alive; birth death; born died; married divorced; present
absent; frequent infrequent; likely unlikely; voluntary compulsory mandatory; optional compulsory
required mandatory; encourage discourage; encouraged discouraged; improve worsen; improved worsened;
connect disconnect; appear disappear; appeared disappeared; remove add; removed added; expand
shrink contract; expanded shrank contracted; widely rarely; major minor; primary secondary; even
odd; love hate; loved hated; liked disliked; safe dangerous; solid liquid gas; acid base; input
output; teacher student; buyer seller; employer employee; landlord tenant; victory defeat;
liberal conservative; offense defense; offensive defensive; host guest; parent child
"""


def _pairs() -> Mapping[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for group in " ".join(_OPPOSITES.split()).split(";"):
        first, *others = group.split()
        for other in others:
            found[first].add(other)
            found[other].add(first)
    return {word: frozenset(others) for word, others in found.items()}


_OPPOSITE_OF = _pairs()


def asks_for(question: str) -> AnswerKind:
    """Return what kind of thing would answer a question."""
    if _ASKS_TIME.search(question):
        return "time"
    if _ASKS_NUMBER.search(question):
        return "number"
    return "name" if _ASKS_NAME.search(question) else "any"


def offers(kind: AnswerKind, question: str, text: str) -> bool:
    """Whether a text has something of a kind that the question doesn't say itself."""
    if kind == "any":
        return True
    said = _words(question)
    pattern = {"number": _NUMBER, "time": _TIME, "name": _NAME}[kind]
    return any(match[0].lower().strip(".,") not in said for match in pattern.finditer(text))


def denies(text: str) -> bool:
    """Whether a text says that something is not so."""
    return bool(_DENIES.search(text)) or any(
        match[0].lower() not in _NO_DENYING_FORM for match in _DENYING_FORM.finditer(text)
    )


def opposite(question: str, text: str) -> tuple[str, str] | None:
    """Return a word of the question and its opposite in a text that lacks the word itself."""
    asked, said = _words(question), _words(text)
    for word in sorted(asked - said):
        if others := sorted(_OPPOSITE_OF.get(word, frozenset()) & (said - asked)):
            return word, others[0]
    return None


def _words(text: str) -> frozenset[str]:
    return frozenset(match[0].lower() for match in _WORD.finditer(text))
