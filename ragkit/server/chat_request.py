"""What a chat request asks of ragkit: a question, what was said before it, and how to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ragkit.server import reading
from ragkit.server.failures import Refusal
from ragkit.server.sources import without_sources
from ragkit.types import Filters, Message, WebPolicy, WebSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A chat request, read. `web` is None where the request leaves it to the server's setting.

    `max_tokens` is 0 where there is no limit, `limit` where the server's setting holds.
    """

    model: str
    question: str
    history: tuple[Message, ...]
    web: WebPolicy | None
    web_options: WebSearch | None
    filters: Filters
    limit: int
    max_tokens: int
    streams: bool
    includes_usage: bool
    tells_events: bool
    lists_sources: bool
    conversation: str


def read_chat(body: Mapping[str, Any], *, lists_sources: bool) -> ChatRequest:
    """Return what a body that fits its schema asks. Raises Refusal.

    What the system says is no part of the question; fields that ragkit doesn't know, and a
    temperature, change nothing.
    """
    _refuse_formats(body)
    own = {name: value for name, value in (body.get("ragkit") or {}).items() if value is not None}
    said = _said(body["messages"])
    if not said or said[-1].role != "user" or not said[-1].content.strip():
        raise Refusal(400, "the last message is no question of a user", "invalid_value", "messages")
    options = body.get("web_search_options") or {}
    return ChatRequest(
        model=body["model"],
        question=said[-1].content.strip(),
        history=tuple(said[:-1]),
        web=_web(body.get("web_search"), options),
        web_options=_web_options(options),
        filters=reading.filters(own.get("filters")),
        limit=own.get("limit", 0),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens") or 0,
        streams=body.get("stream", False),
        includes_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        tells_events=own.get("events", False),
        lists_sources=own.get("sources", lists_sources),
        conversation=own.get("conversation", ""),
    )


def _refuse_formats(body: Mapping[str, Any]) -> None:
    form = body.get("response_format")
    kind = form.get("type", "text") if isinstance(form, Mapping) else "text"
    if kind != "text":
        raise Refusal(
            400,
            f"ragkit's answers are sentences of text, not {str(kind)[:80]}",
            "unsupported_value",
            "response_format",
            hint="leave it out, or ask a model of the endpoint",
        )


def _said(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return what user and assistant said, in order; tools and systems have no part in it."""
    said = []
    for at, message in enumerate(messages):
        if message["role"] == "user":
            said.append(Message("user", _text(message.get("content"), at)))
        elif message["role"] == "assistant":
            content = without_sources(_text(message.get("content"), at))
            said.append(Message("assistant", content))
    return said


def _text(content: object, at: int) -> str:
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    assert isinstance(content, list), "the schema says so"
    pieces = []
    for place, part in enumerate(content):
        if part["type"] != "text":
            raise Refusal(
                400,
                f"a part of the type {part['type'][:80]!r} can't be read; ragkit reads text",
                "unsupported_value",
                f"messages[{at}].content[{place}].type",
            )
        pieces.append(part.get("text") or "")
    return "\n".join(pieces)


def _web(search: bool | None, options: Mapping[str, Any]) -> WebPolicy | None:
    """Return the policy a request asks for: its mode, else what its switch says."""
    if search is False:
        return "never"
    mode: WebPolicy | None = options.get("mode")
    if mode is not None:
        return mode
    return "auto" if search else None


def _web_options(options: Mapping[str, Any]) -> WebSearch | None:
    """Return the options of a request; None where the server's settings hold."""
    place = ((options.get("user_location") or {}).get("approximate") or {}).get("country")
    told = WebSearch(
        context_size=options.get("search_context_size") or "",
        country=place or "",
        safesearch=options.get("safesearch") or "",
        accept_language=options.get("accept_language") or "",
    )
    return told if told != WebSearch() else None
