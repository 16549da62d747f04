"""Answers in the shape of OpenAI's chat completions: text, annotations, chunks, usage."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ragkit.server import sources
from ragkit.text import estimate_tokens
from ragkit.types import Answer, AnswerEvent, Citation, Done, Removed, Retrieved, Sentence, Usage

FinishReason = Literal["stop", "length"]
Body = dict[str, Any]

_MARKER = re.compile(r"\[(\d+)\]")
# What stands above the sentences of an answer, by where they come from.
_HEADINGS = {"documents": "", "model": sources.MODEL_HEADING, "web": sources.WEB_HEADING}


@dataclass(slots=True)
class Transcript:
    """An answer's text as a client gets it, piece by piece, with what proves it and where.

    Sentences of the documents come as they are, those of the web or the model alone under a
    heading that says so. Past `max_tokens`, by estimate, no further sentence is shown; 0 is no
    limit.
    """

    max_tokens: int = 0
    text: str = ""
    finish_reason: FinishReason = "stop"
    annotations: list[Body] = field(default_factory=list)
    _origin: str = ""
    _gap: str = ""

    def add(self, sentence: Sentence) -> str:
        """Take in a sentence and return what is to be shown of it now.

        White space after a sentence waits for the next one.
        """
        told, gap = sentence.text, self._gap
        if sentence.origin != self._origin:
            told = told.lstrip()
            heading = _HEADINGS[sentence.origin]
            gap = ("\n\n" if self._origin else "") + (heading + "\n\n" if heading else "")
        shown = told.rstrip()
        if not self._fits(gap + shown):
            return ""
        if sentence.origin == "documents":
            self._annotate(shown, len(self.text) + len(gap), sentence.citations)
        self._origin, self._gap = sentence.origin, told[len(shown) :]
        return self._shown(gap + shown)

    def end(self, answer: Answer, *, lists_sources: bool) -> str:
        """Take in the end of an answer and return what is to be shown after its sentences."""
        piece = ""
        if answer.state == "not_found":
            piece = ("\n\n" if self.text else "") + sources.NOT_FOUND
        if lists_sources:
            piece += sources.sources(answer)
        whole = len(self.text) + len(piece)
        self.annotations += [
            {
                "type": "url_citation",
                "url_citation": {
                    "url": each.url,
                    "title": each.title,
                    "start_index": whole,
                    "end_index": whole,
                },
            }
            for each in answer.web_sources
        ]
        return self._shown(piece) if self.finish_reason == "stop" else ""

    def _fits(self, piece: str) -> bool:
        if self.max_tokens and estimate_tokens(self.text + piece) > self.max_tokens:
            self.finish_reason = "length"
        return self.finish_reason == "stop"

    def _shown(self, piece: str) -> str:
        self.text += piece
        return piece

    def _annotate(self, shown: str, start: int, citations: tuple[Citation, ...]) -> None:
        by_marker = {str(each.marker): each for each in citations}
        for match in _MARKER.finditer(shown):
            cited = by_marker.get(match[1])
            if cited is not None:
                self.annotations.append(_file_citation(cited, start + match.start(), match[0]))


def _file_citation(cited: Citation, start: int, marker: str) -> Body:
    return {
        "type": "file_citation",
        "text": marker,
        "start_index": start,
        "end_index": start + len(marker),
        "file_citation": {
            "index": cited.marker,
            "file_id": cited.document_id,
            "filename": sources.file_name(cited.uri),
            "quote": cited.quote,
        },
    }


class Completion:
    """One reply: its id, its time, and the objects that it is sent as."""

    def __init__(self, model: str, *, clock: Callable[[], float] = time.time) -> None:
        self.id = "chatcmpl-" + secrets.token_hex(12)
        self.created = int(clock())
        self.model = model

    def whole(self, message: Mapping[str, Any], *, finish: str, usage: Body, **more: Any) -> Body:
        """Return the object of a reply that isn't streamed."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", **message},
            "finish_reason": finish,
            "logprobs": None,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage, **more}

    def chunk(self, delta: Mapping[str, Any], *, finish: str | None = None, **more: Any) -> Body:
        """Return a chunk of a stream."""
        choice = {"index": 0, "delta": dict(delta), "finish_reason": finish, "logprobs": None}
        return {**self._head("chat.completion.chunk"), "choices": [choice], "usage": None, **more}

    def usage_chunk(self, usage: Body) -> Body:
        """Return the chunk with the usage, which comes last where it was asked for."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": usage}

    def _head(self, kind: str) -> Body:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def usage_of(usage: Usage) -> Body:
    """Return what an answer cost, as OpenAI says it."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def event_of(event: AnswerEvent) -> Body:
    """Return an event of an answer, for clients that asked to be told of each step."""
    if isinstance(event, Retrieved):
        return {
            "event": "retrieved",
            "hits": [hit.to_dict() for hit in event.hits],
            "gate": event.gate.to_dict(),
            "standalone": _standalone(event),
        }
    if isinstance(event, Sentence):
        return {
            "event": "sentence",
            "text": event.text,
            "origin": event.origin,
            "citations": [each.to_dict() for each in event.citations],
        }
    if isinstance(event, Removed):
        return {"event": "removed", **event.to_dict()}
    assert isinstance(event, Done)
    return {"event": "done", **event.answer.to_dict()}


def _standalone(event: Retrieved) -> str:
    """Return a follow-up as it was looked for; "" where the question stood for itself."""
    for step in event.steps:
        if step.name == "standalone":
            return str(step.details.get("question", ""))
    return ""
