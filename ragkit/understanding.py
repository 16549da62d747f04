"""What a chat model may add to a search: other words for the question, and a judged order.

Each is one call, and help only: where there is none to be had, or the reply is of no use, the
search goes on without it and says so.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragkit.errors import ProviderError
from ragkit.ports import ChatModel
from ragkit.prompts import order_messages, rewriting_messages
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
