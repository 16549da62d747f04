"""What a chat model may add to a search: other words for the question, and a judged order.

Each is one call, and help only: where there is none to be had, or the reply is of no use, the
search goes on without it and says so. A follow-up that no chat model rewrites is joined with the
words of the question before it.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragkit.errors import ProviderError
from ragkit.ports import ChatModel
from ragkit.prompts import order_messages, rewriting_messages, standalone_messages
from ragkit.text import STOP_WORDS, clean
from ragkit.types import ChatDelta, ChatEnd, Message, Usage

MAX_QUERIES = 3
# How many passages a chat model orders in one call, and how much it reads of each: some 400 tokens.
JUDGED_DEPTH = 20
_JUDGED_CHARACTERS = 1_600
_LONGEST_QUERY = 300  # characters; a longer line is talk, and no search query

_QUOTED = re.compile(r"""(["“„«]).{2,}["”“»]""", re.DOTALL)
_IDENTIFIER = re.compile(
    r"[\w.:/\\#@+~-]*(?:[\d_/\\#@]|[a-z][A-Z]|\w[.:]\w)[\w.:/\\#@+~-]*", re.ASCII
)
_ORDER = re.compile(r"[\s\[(]*\d+(?:[\])\s]*[,;>\s][\s\[(]*\d+)*[\s\]).]*")
_BULLET = re.compile(r"^(?:[-*•]|\d[.)])\s+")

# How a question begins, ends or points that leans on the one before it. English only: a follow-up
# in another language is joined where it is a fragment of a word or two.
_LEANING_STARTS = re.compile(r"(?:and|but|or|so|then|also|what about|how about)\b", re.IGNORECASE)
_LEANING_ENDS = frozenset("there then too instead one ones".split())
_PRONOUNS = frozenset(
    "it its he him his she her hers they them their theirs this these that those".split()
)
_EXPLETIVE = re.compile(r"\b(?:is|was|would|will|be)\s+it\s+\w+\s+(?:to|that|if)\b", re.IGNORECASE)
_MEASURE = re.compile(
    r"\bhow\s+(?:long|much|many|often|far|big|large|old|late|early|high|fast)\b", re.IGNORECASE
)
_ASKING = frozenset("who whom whose what which when where why how".split())
_VERBS = frozenset(
    "is are was were do does did can could may might must shall should will would has have had"
    " isn't aren't don't doesn't didn't can't won't".split()
)
_SPOKEN = re.compile(r"[^\W_]+(?:[-.,:/'’][^\W_]+)*")
# A pronoun with so many telling words before it points at one of them.
_ANTECEDENT_WORDS = 3
# A fragment with fewer telling words is a follow-up, and so is a clause with none but its subject.
_FRAGMENT_WORDS = 3
_CLAUSE_WORDS = 2
# How many words a follow-up is joined with. Its own come first in the next one's, so that after
# several follow-ups the oldest are left out; whole questions have up to eight.
_JOINED_WORDS = 8

RandomTag = Callable[[], str]


def _random_tag() -> str:
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Rewording:
    """Search queries that a chat model wrote for a question, and what that cost."""

    queries: tuple[str, ...]
    usage: Usage
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The places of passages, from 0, in the order that a chat model gave them; its cost."""

    order: tuple[int, ...]
    usage: Usage
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Restatement:
    """A question as a chat model rewrote it, "" where its reply was of no use; the cost."""

    text: str
    usage: Usage
    notice: str = ""


def means_itself(query: str) -> bool:
    """Whether a query is a quoted phrase or an identifier, which no other words could replace."""
    query = query.strip()
    return bool(_QUOTED.fullmatch(query) or _IDENTIFIER.fullmatch(query.strip("?!.,;")))


def is_latin(text: str) -> bool:
    """Whether most letters of a text are of the Latin alphabet; a text without letters is, too."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(c.isascii() or unicodedata.name(c, "").startswith("LATIN") for c in letters)
    return 2 * latin >= len(letters)


def reword(chat: ChatModel, question: str, *, random_tag: RandomTag = _random_tag) -> Rewording:
    """Ask for up to three search queries: the parts of a compound question, or other words."""
    try:
        reply, usage = _reply(
            chat, rewriting_messages(question, most=MAX_QUERIES, tag=random_tag())
        )
    except ProviderError as exc:
        return Rewording((), Usage(), f"the question was not reworded: {exc}")
    lines = [_BULLET.sub("", line.strip()) for line in reply.splitlines() if line.strip()]
    if not lines or len(lines) > MAX_QUERIES or max(map(len, lines)) > _LONGEST_QUERY:
        return Rewording(
            (), usage, f"{chat.name} wrote no search queries; the question stands alone"
        )
    distinct = {line.casefold(): line for line in reversed(lines)}
    distinct.pop(question.strip().casefold(), None)
    return Rewording(tuple(reversed(distinct.values())), usage)


def judge(
    chat: ChatModel,
    question: str,
    passages: Sequence[tuple[str, str]],
    *,
    random_tag: RandomTag = _random_tag,
) -> Judgement:
    """Ask for the order of passages, (source, text) each, by how well they answer the question.

    Passages that the reply leaves out follow in the order that they had.
    """
    as_it_was = tuple(range(len(passages)))
    numbered = [
        (number, source, text[:_JUDGED_CHARACTERS])
        for number, (source, text) in enumerate(passages, start=1)
    ]
    try:
        reply, usage = _reply(chat, order_messages(question, numbered, tag=random_tag()))
    except ProviderError as exc:
        return Judgement(as_it_was, Usage(), f"the passages were not reranked: {exc}")
    named = [int(number) - 1 for number in re.findall(r"\d+", reply)]
    if not _ORDER.fullmatch(reply) or not set(named) <= set(as_it_was):
        notice = f"{chat.name} gave no order of the passages; they stand as they were"
        return Judgement(as_it_was, usage, notice)
    return Judgement(tuple(dict.fromkeys([*named, *as_it_was])), usage)


# --- follow-ups --------------------------------------------------------------------------------


def is_follow_up(question: str) -> bool:
    """Whether a question leans on the one before it: "and for dogs?", "how much is it then?".

    A guess by its words: how it begins and ends, pronouns, and how few words it has.
    """
    spoken = [word.lower().replace("’", "'") for word in _SPOKEN.findall(question)]
    if not spoken or not is_latin(question) or means_itself(question):
        return False
    if _LEANING_STARTS.match(question.strip()) or spoken[-1] in _LEANING_ENDS:
        return True
    if _points_back(question):
        return True
    words = _telling(question)
    is_clause = bool(_VERBS & set(spoken)) or (spoken[0] in _ASKING and len(spoken) > 2)
    if not is_clause:
        return len(words) < _FRAGMENT_WORDS
    return len(words) < _CLAUSE_WORDS and not any(map(_is_name, words))


def _points_back(question: str) -> bool:
    """Whether a pronoun stands in a question where no word of its own could be meant by it."""
    if _EXPLETIVE.search(question):  # "is it possible to", where "it" is nothing
        return False
    before = 0
    for word in (word.lower() for word in _SPOKEN.findall(_MEASURE.sub(" ", question))):
        # "that" after a telling word begins a clause: "bags that are found".
        if word in _PRONOUNS and before < (1 if word == "that" else _ANTECEDENT_WORDS):
            return True
        before += word not in STOP_WORDS and word not in _LEANING_ENDS
    return False


def join(question: str, last: str) -> str:
    """Return a follow-up with the telling words of the question before it.

    Where both have words with digits, those of the follow-up replace the others: "and E-560?".
    """
    own = {word.lower() for word in _SPOKEN.findall(question)}
    has_code = any(map(_has_digit, own))
    words = [
        word
        for word in _telling(last)
        if word.lower() not in own and not (has_code and _has_digit(word))
    ]
    return " ".join([question, *words[:_JOINED_WORDS]])


def restate(
    chat: ChatModel,
    question: str,
    history: Sequence[Message],
    *,
    random_tag: RandomTag = _random_tag,
) -> Restatement:
    """Ask for a question that says the same without the conversation before it.

    A reply that isn't one line, is too long, or has lost a number or code of the question is of no
    use.
    """
    try:
        reply, usage = _reply(chat, standalone_messages(question, history, tag=random_tag()))
    except ProviderError as exc:
        return Restatement("", Usage(), f"the follow-up was not rewritten: {exc}")
    lines = [line.strip() for line in clean(reply).splitlines() if line.strip()]
    codes = {word.lower() for word in _SPOKEN.findall(question) if _has_digit(word)}
    if len(lines) == 1 and len(lines[0]) <= max(_LONGEST_QUERY, 2 * len(question)):
        text = _BULLET.sub("", lines[0])
        if all(code in text.lower() for code in codes):
            return Restatement(text, usage)
    return Restatement("", usage, f"{chat.name} did not rewrite the follow-up as one question")


def _telling(question: str) -> list[str]:
    """Return the words that say what a question is about, as they are spelled."""
    without = _MEASURE.sub(" ", question)
    return [
        word
        for word in _SPOKEN.findall(without)
        if word.lower().replace("’", "'") not in STOP_WORDS | _LEANING_ENDS
    ]


def _is_name(word: str) -> bool:
    return word[0].isupper() or _has_digit(word)


def _has_digit(word: str) -> bool:
    return any(character.isdigit() for character in word)


def _reply(chat: ChatModel, messages: Sequence[Message]) -> tuple[str, Usage]:
    """Return a whole reply and what it cost. Raises ProviderError."""
    pieces: list[str] = []
    usage = Usage()
    for event in chat.stream(messages, web=None):
        if isinstance(event, ChatDelta):
            pieces.append(event.text)
        elif isinstance(event, ChatEnd):
            usage += event.usage
    return "".join(pieces), usage
