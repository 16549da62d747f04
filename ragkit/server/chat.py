"""`POST /v1/chat/completions`: ragkit's own answers, and the endpoint's models passed through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from enum import Enum, auto
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ragkit.cancelling import Cancellation
from ragkit.errors import ProviderError
from ragkit.server import reading, replies, schemas
from ragkit.server.chat_request import ChatRequest, read_chat
from ragkit.server.completions import Body, Completion, Transcript, event_of, usage_of
from ragkit.server.failures import Refusal, refusal_of, refusal_of_upstream
from ragkit.server.presets import is_own, narrowed
from ragkit.server.running import Answers, Stream, attended
from ragkit.server.service import Service, service
from ragkit.server.tasks import is_task, plain_reply
from ragkit.types import (
    Answer,
    AnswerEvent,
    Done,
    Filters,
    Removed,
    Retrieved,
    Sentence,
    Usage,
)

T = TypeVar("T")

_READER = reading.Reader(schemas.CHAT_REQUEST)


class _Ping(Enum):
    """Stands for the time in which nothing came."""

    PING = auto()


PING = _Ping.PING
Told = AnswerEvent | _Ping


async def chat_completions(request: Request) -> Response:
    """Answer a chat request; the model's name says who does."""
    body = await _READER.read(request)
    served = service(request)
    if not is_own(body["model"]):
        return await attended(request.receive, _passed_on(served, body))
    asked = read_chat(body, lists_sources=served.settings.server_sources)
    if is_task(asked.question):
        return await attended(request.receive, _task(served, body, asked))
    filters = await served.quick.run(served.filters_of, asked.model)
    terms = _terms(served, asked, narrowed(asked.model, filters, asked.filters))
    return await attended(request.receive, _answered(served, asked, terms))


# --- ragkit's own answers -----------------------------------------------------------------------


class _Telling:
    """An answer's events, begun on a thread, with the conversation that they belong to."""

    def __init__(self, served: Service, asked: ChatRequest, terms: Mapping[str, Any]) -> None:
        self._index = served.index
        self._asked = asked
        self._terms = terms
        self.conversation = ""
        self.turn = 0

    def __call__(self) -> Iterator[AnswerEvent]:
        asked = self._asked
        if not asked.conversation:
            yield from self._index.ask_stream(asked.question, history=asked.history, **self._terms)
            return
        stored = None if asked.conversation == "new" else asked.conversation
        chat = self._index.converse(stored)
        for event in chat.ask_stream(asked.question, **self._terms):
            if isinstance(event, Done):  # the turn has been stored
                self.conversation, self.turn = chat.id, len(chat.turns)
            yield event

    def whole(self, answer: Answer) -> Body:
        """Return the `ragkit` object of a reply."""
        return {**answer.to_dict(), "conversation": self.conversation, "turn": self.turn}


def _terms(served: Service, asked: ChatRequest, filters: Filters) -> dict[str, Any]:
    return {
        "limit": asked.limit or served.settings.limit,
        "filters": filters,
        "web": asked.web,
        "web_options": asked.web_options,
    }


async def _answered(served: Service, asked: ChatRequest, terms: Mapping[str, Any]) -> Response:
    told = _Telling(served, asked, terms)
    events = _on_thread(served.answers, told)
    if not asked.streams:
        return replies.Json(await _whole(events, asked, told))
    begun = await _begun(events, at_once=asked.tells_events)
    return replies.stream(_chunks(begun, asked, told))


async def _whole(events: Stream[Told], asked: ChatRequest, told: _Telling) -> Body:
    transcript = Transcript(asked.max_tokens)
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Sentence):
                transcript.add(event)
            elif isinstance(event, Done):
                answer = event.answer
    transcript.end(answer, lists_sources=asked.lists_sources)
    message = {"content": transcript.text, "annotations": transcript.annotations}
    return Completion(asked.model).whole(
        message,
        finish=transcript.finish_reason,
        usage=usage_of(answer.usage),
        ragkit=told.whole(answer),
    )


async def _begun(events: Stream[Any], *, at_once: bool) -> AsyncGenerator[Any]:
    """Return the events once there is something to send: what fails before has its own status.

    A retrieval that takes long begins the reply, so that the client doesn't give up.
    """
    first = []
    async for event in events:
        first.append(event)
        if at_once or event is PING or isinstance(event, Sentence | Done):
            break
    return _chained(first, events)


async def _chained(first: Sequence[Any], rest: Stream[Any]) -> AsyncGenerator[Any]:
    async with aclosing(rest):
        for event in first:
            yield event
        async for event in rest:
            yield event


async def _chunks(
    events: AsyncGenerator[Told], asked: ChatRequest, told: _Telling
) -> AsyncIterator[bytes]:
    """Yield an answer as chunks. An error ends the stream, without [DONE]."""
    completion, transcript = Completion(asked.model), Transcript(asked.max_tokens)
    yield replies.event(completion.chunk({"role": "assistant", "content": ""}))
    try:
        async with aclosing(events):
            async for event in events:
                if event is PING:
                    yield replies.PING
                elif isinstance(event, Done):
                    for last in _last(completion, transcript, event.answer, asked, told):
                        yield last
                elif chunk := _chunk(completion, transcript, event, asked):
                    yield replies.event(chunk)
    except Exception as error:  # noqa: BLE001 - the edge: a stream can only end with an error
        yield replies.event(refusal_of(error).to_dict())
        return
    yield replies.DONE


def _chunk(
    completion: Completion, transcript: Transcript, event: AnswerEvent, asked: ChatRequest
) -> Body | None:
    """Return the chunk of an event; None where the client is told nothing of it."""
    piece = transcript.add(event) if isinstance(event, Sentence) else ""
    if asked.tells_events and isinstance(event, Retrieved | Sentence | Removed):
        return completion.chunk({"content": piece} if piece else {}, ragkit=event_of(event))
    return completion.chunk({"content": piece}) if piece else None


def _last(
    completion: Completion,
    transcript: Transcript,
    answer: Answer,
    asked: ChatRequest,
    told: _Telling,
) -> Iterator[bytes]:
    piece = transcript.end(answer, lists_sources=asked.lists_sources)
    if piece:
        yield replies.event(completion.chunk({"content": piece}))
    delta = {"annotations": transcript.annotations} if transcript.annotations else {}
    whole = {"event": "done", **told.whole(answer)}
    yield replies.event(completion.chunk(delta, finish=transcript.finish_reason, ragkit=whole))
    if asked.includes_usage:
        yield replies.event(completion.usage_chunk(usage_of(answer.usage)))


# --- other models -------------------------------------------------------------------------------


async def _passed_on(served: Service, body: Mapping[str, Any]) -> Response:
    """Pass a request on to the endpoint as it stands, without retrieval."""
    upstream = served.index.upstream
    if not upstream.is_configured:
        raise Refusal(
            404,
            f"there is no model {body['model'][:200]!r}",
            "model_not_found",
            "model",
            hint="GET /v1/models lists them",
        )
    asked = {name: value for name, value in body.items() if name != "ragkit"}
    if served.settings.web == "never":
        asked.setdefault("web_search", False)  # endpoints search by default
    try:
        if not body.get("stream"):
            return replies.Json(await _one(served.answers, lambda: upstream.complete(asked)))
        chunks = _on_thread(served.answers, lambda: upstream.complete_stream(asked))
        return replies.stream(_relayed(await _begun(chunks, at_once=True)))
    except ProviderError as error:
        raise refusal_of_upstream(error) from error


async def _relayed(chunks: AsyncGenerator[Body | _Ping]) -> AsyncIterator[bytes]:
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield replies.PING if chunk is PING else replies.event(chunk)
    except Exception as error:  # noqa: BLE001 - as above
        yield replies.event(refusal_of_upstream(error).to_dict())
        return
    yield replies.DONE


async def _task(served: Service, body: Mapping[str, Any], asked: ChatRequest) -> Response:
    """Answer one of Open WebUI's hidden prompts: nothing is looked for, and nothing cited."""
    completion = Completion(asked.model)
    chat_model = served.index.upstream.chat_model
    if not chat_model:
        text, usage = plain_reply(asked.question), usage_of(Usage())
    else:
        upstream = served.index.upstream
        passed = {
            **{name: body[name] for name in ("messages", "temperature") if name in body},
            "model": chat_model,
            "max_tokens": asked.max_tokens or served.settings.max_answer_tokens,
            "web_search": False,
        }
        reply = await _one(served.answers, lambda: upstream.complete(passed))
        text = _content(reply)
        usage = reply.get("usage") or usage_of(Usage())
    if not asked.streams:
        return replies.Json(completion.whole({"content": text}, finish="stop", usage=usage))
    return replies.stream(_at_once(completion, text, usage if asked.includes_usage else None))


def _content(reply: Mapping[str, Any]) -> str:
    choices = reply.get("choices") or [{}]
    return str((choices[0].get("message") or {}).get("content") or "")


async def _at_once(completion: Completion, text: str, usage: Body | None) -> AsyncIterator[bytes]:
    yield replies.event(completion.chunk({"role": "assistant", "content": ""}))
    yield replies.event(completion.chunk({"content": text}))
    yield replies.event(completion.chunk({}, finish="stop"))
    if usage:
        yield replies.event(completion.usage_chunk(usage))
    yield replies.DONE


# --- threads ------------------------------------------------------------------------------------


def _on_thread(answers: Answers, begin: Callable[[], Iterator[T]]) -> Stream[T | _Ping]:
    """Run a generator on a thread of its own; a client that leaves ends what it waits for."""
    cancellation = Cancellation()

    def items() -> Iterator[T]:
        with cancellation.active():
            yield from begin()

    return answers.streamed(items, on_leave=cancellation.cancel, ping=PING)


async def _one(answers: Answers, call: Callable[[], T]) -> T:
    """Make one call on a thread of its own, as `_on_thread` does."""
    cancellation = Cancellation()

    def made() -> T:
        with cancellation.active():
            return call()

    return await answers.run(made, on_leave=cancellation.cancel)
