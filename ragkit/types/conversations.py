"""Conversations that an index keeps: questions that follow one another, with their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a conversation and its answer; `asked_at` is ISO 8601 in UTC.

    `standalone` is the question as it was looked for, "" where it stood for itself. `answer` is
    what `Answer.to_dict()` gave then, without the hits: passages that were looked at aren't kept.
    """

    question: str
    standalone: str
    answer: Mapping[str, Any]
    asked_at: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "question": self.question,
            "standalone": self.standalone,
            "answer": dict(self.answer),
            "asked_at": self.asked_at,
        }


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """A conversation's line of the list. The title is its first question."""

    id: str
    title: str
    created_at: str
    updated_at: str
    turns: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole conversation, its turns in the order they were asked."""

    id: str
    title: str
    created_at: str
    updated_at: str
    turns: tuple[Turn, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "title": self.title,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "turns": [turn.to_dict() for turn in self.turns],
        }
