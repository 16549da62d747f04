"""Conversations: follow-ups are understood by what was said before, and turns are kept.

What is retrieved, judged and answered is a question that stands for itself; the history goes to
the chat model that rewrites it, and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ragkit import understanding
from ragkit.citations import split_markers
from ragkit.errors import IndexStateError
from ragkit.ports import ChatModel
from ragkit.store import Conversations
from ragkit.text import clean, estimate_tokens
from ragkit.types import (
    Answer,
    AnswerEvent,
    Conversation,
    Done,
    Filters,
    Message,
    Retrieved,
    Step,
    Turn,
    Usage,
    WebPolicy,
    WebSearch,
)

# Characters; what is longer brings its own subject, and would be dear to have written again.
_LONGEST_FOLLOW_UP = 2_000


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question as it was asked and as it is looked for, how that came about, and its cost."""

    asked: str
    question: str
    step: Step
    usage: Usage = Usage()
    notice: str = ""

    def told(self, events: Iterator[AnswerEvent]) -> Iterator[AnswerEvent]:
        """Yield the events of the answer to the question with what was done to the one asked."""
        for event in events:
            if isinstance(event, Retrieved):
                yield replace(event, steps=(self.step, *event.steps))
            elif isinstance(event, Done):
                yield Done(self._answer(event.answer))
            else:
                yield event

    def _answer(self, answer: Answer) -> Answer:
        return replace(
            answer,
            question=self.asked,
            standalone=self.question if self.question != self.asked else "",
            steps=(self.step, *answer.steps),
            usage=self.usage + answer.usage,
            notices=(*([self.notice] if self.notice else []), *answer.notices),
        )


def stand_alone(
    question: str,
    history: Sequence[Message],
    *,
    chat: ChatModel | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Standalone:
    """Return a question so that it is understood without the history.

    The chat model rewrites it. Without one, or where its reply is of no use, what looks like a
    follow-up is joined with the telling words of the question before it.
    """
    since = clock()
    asked = clean(question).strip()
    if chat is None or understanding.means_itself(asked) or len(asked) > _LONGEST_FOLLOW_UP:
        text, by = _joined(asked, history)
        step = _step(asked, text, since, clock, by=by)
        return Standalone(asked, text, step)
    restated = understanding.restate(chat, asked, history)
    text, by = (restated.text, "chat") if restated.text else _joined(asked, history)
    cost = {
        "model": chat.name,
        "prompt_tokens": restated.usage.prompt_tokens,
        "completion_tokens": restated.usage.completion_tokens,
    }
    notice = {"notice": restated.notice} if restated.notice else {}
    step = _step(asked, text, since, clock, by=by, **cost, **notice)
    return Standalone(asked, text, step, restated.usage, restated.notice)


def _joined(question: str, history: Sequence[Message]) -> tuple[str, str]:
    """Return the question with what the ones before it were about, and how it was done."""
    if not understanding.is_follow_up(question):
        return question, ""
    subject = ""
    for message in history:
        if message.role == "user":
            said = clean(message.content).strip()
            leans = subject and understanding.is_follow_up(said)
            subject = understanding.join(said, subject) if leans else said
    return (understanding.join(question, subject), "words") if subject else (question, "")


def _step(
    asked: str, question: str, since: float, clock: Callable[[], float], **details: object
) -> Step:
    kept = {"skipped": "the question stands for itself"} if question == asked else {}
    said = {} if kept else {"asked": asked, "question": question}
    return Step("standalone", 1000 * (clock() - since), {**kept, **said, **details})


# --- the history -------------------------------------------------------------------------------


def within_budget(history: Sequence[Message], tokens: int) -> list[Message]:
    """Return the newest turns that fit, oldest first; none is cut in two.

    Of a newest turn that alone is too long the question is kept, if that fits. What the system
    said is no part of a conversation.
    """
    turns: list[list[Message]] = []
    for message in history:
        if message.role == "system" or not message.content.strip():
            continue
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    kept: list[list[Message]] = []
    for turn in reversed(turns):
        size = _tokens(turn)
        if size > tokens:
            if not kept and _tokens(turn[:1]) <= tokens:
                kept.append(turn[:1])
            break
        kept.append(turn)
        tokens -= size
    return [message for turn in reversed(kept) for message in turn]


def _tokens(turn: Sequence[Message]) -> int:
    return sum(estimate_tokens(message.content) for message in turn)


def messages(turns: Sequence[Turn]) -> list[Message]:
    """Return turns as a history: questions as they were meant, answers without their markers."""
    said = []
    for turn in turns:
        said.append(Message("user", turn.standalone or turn.question))
        text, _ = split_markers(str(turn.answer.get("text", "")))
        said.append(Message("assistant", text))
    return said


# --- a conversation under way ------------------------------------------------------------------


class Ask(Protocol):
    """What answers a question: `Index.ask_stream`."""

    def __call__(
        self,
        question: str,
        *,
        history: Sequence[Message],
        limit: int,
        filters: Filters,
        web: WebPolicy | None,
        web_options: WebSearch | None,
    ) -> Iterator[AnswerEvent]:
        """Yield an answer as it comes."""
        ...


class Chat:
    """A conversation under way; `Index.converse` begins one, or goes on with a stored one.

    Each question is asked with what was said before, and stored with its answer once that is
    whole. Several threads may not share one.
    """

    def __init__(
        self, ask: Ask, store: Conversations, stored: Conversation | None, *, keeps: bool = True
    ) -> None:
        self._ask = ask
        self._store = store
        self._keeps = keeps
        self._id = stored.id if stored else ""
        self._turns = list(stored.turns) if stored else []
        self._unsaved: list[Turn] = []

    @property
    def id(self) -> str:
        """The id of the stored conversation, "" before anything was stored."""
        return self._id

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The questions and answers so far."""
        return tuple(self._turns)

    @property
    def unsaved(self) -> int:
        """How many turns could not be stored yet."""
        return len(self._unsaved)

    def ask(
        self,
        question: str,
        *,
        limit: int = 8,
        filters: Filters = Filters(),
        web: WebPolicy | None = None,
        web_options: WebSearch | None = None,
    ) -> Answer:
        """Answer a question, or a follow-up, as `Index.ask` does."""
        for event in self.ask_stream(
            question, limit=limit, filters=filters, web=web, web_options=web_options
        ):
            if isinstance(event, Done):
                return event.answer
        raise AssertionError("an answer ends with Done")

    def ask_stream(
        self,
        question: str,
        *,
        limit: int = 8,
        filters: Filters = Filters(),
        web: WebPolicy | None = None,
        web_options: WebSearch | None = None,
    ) -> Generator[AnswerEvent, None, None]:
        """Yield an answer as it comes. One that isn't listened to until Done leaves no turn.

        Where a turn can't be stored the answer has a notice of it; the next one tries again.
        """
        asked_at = self._store.now()
        history = messages(self._turns)
        events = self._ask(
            question,
            history=history,
            limit=limit,
            filters=filters,
            web=web,
            web_options=web_options,
        )
        for event in events:
            if isinstance(event, Done):
                yield Done(self._noted(event.answer, asked_at))
            else:
                yield event

    def _noted(self, answer: Answer, asked_at: str) -> Answer:
        told = answer.to_dict()
        del told["hits"]  # the text of passages would outlive their documents
        turn = Turn(answer.question, answer.standalone, told, asked_at)
        self._turns.append(turn)
        if not self._keeps:
            return answer
        self._unsaved.append(turn)
        try:
            self.save()
        except IndexStateError as exc:
            notice = f"this turn is not stored yet: {exc}"
            return replace(answer, notices=(*answer.notices, notice))
        return answer

    def save(self) -> None:
        """Store the turns that could not be stored before. Raises IndexBusy, StorageFull."""
        if self._unsaved:
            self._id = self._store.add(self._id, self._unsaved)
            self._unsaved.clear()
