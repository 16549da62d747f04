"""Reads the reply to a chat request from its events, or from the one that holds all of it. Pure.

reliability.md B4 lists the odd streams that were seen; most of them are silent empty answers in
other clients.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ragkit.errors import (
    BadProviderResponse,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
)
from ragkit.providers.sse import Event
from ragkit.types import ChatDelta, ChatEnd, Usage, WebSource

END_MARK = "[DONE]"
MAX_TITLE_CHARS = 300

# A link in Markdown, or a bare URL; either may have one pair of brackets in it, as Wikipedia's do.
_URL = r"https?://(?:[^\s()<>\"\[\]]|\([^\s()<>\"]*\))+"
_LINK = re.compile(
    rf"\[(?P<title>[^\[\]\n]+)\]\((?P<target>{_URL})[^)\n]*\)|(?P<bare>{_URL})", re.I
)
_CLOSING_PUNCTUATION = ".,;:!?'*_`"


def read_reply(
    events: Iterator[Event],
    *,
    model: str,
    searches_web: bool,
    error_in: Callable[[object], ProviderError],
) -> Iterator[ChatDelta | ChatEnd]:
    """Yield the pieces of a reply, then its end.

    Raises what `error_in` makes of an error that the endpoint reports, BadProviderResponse for
    what is not of the contract, and ProviderUnavailable for a reply that was cut off.
    """
    reply = _Reply(model)
    for _, text in _read(events, reply, error_in):
        if text:
            yield ChatDelta(text)
    yield reply.end(searches_web=searches_web)


def read_chunks(
    events: Iterator[Event], *, model: str, error_in: Callable[[object], ProviderError]
) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a reply as they come. Raises as `read_reply` does."""
    for chunk, _ in _read(events, _Reply(model), error_in):
        yield chunk


def read_objects(
    events: Iterator[Event], *, error_in: Callable[[object], ProviderError]
) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a reply, whole or not. Raises `error_in` of one that's an error."""
    return _chunks(events, _Reply(""), error_in)


def _read(
    events: Iterator[Event], reply: _Reply, error_in: Callable[[object], ProviderError]
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each chunk with its text, and take note of them. Raises where the end is missing."""
    try:
        for chunk in _chunks(events, reply, error_in):
            yield chunk, reply.take(chunk)
    except (ProviderTimeout, ProviderUnavailable):
        if not reply.finish_reason:  # else the reply is whole, and only its farewell is missing
            raise
    if not reply.is_whole:
        raise ProviderUnavailable(
            f"the answer of {reply.model} was cut off",
            hint="ask again; the endpoint broke the stream",
        )


def _chunks(
    events: Iterator[Event], reply: _Reply, error_in: Callable[[object], ProviderError]
) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a stream up to its end mark. Raises on errors in it."""
    has_skipped = False
    for event in events:
        if event.data.strip() == END_MARK:
            reply.is_whole = True
            return
        chunk = _parsed(event)
        if chunk is None:
            if not event.complete:
                return  # cut in the middle
            if has_skipped or event.data.lstrip().startswith(("{", "[")):
                raise BadProviderResponse("the stream has an event that is not JSON")
            has_skipped = True  # some send one line of text to keep the connection alive
            continue
        if event.name == "error" or chunk.get("error") or chunk.get("object") == "error":
            raise error_in(chunk)
        yield chunk


def _parsed(event: Event) -> dict[str, Any] | None:
    try:
        data: object = json.loads(event.data)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


class _Reply:
    """What has come of a reply so far. `is_whole` once its end was seen."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.finish_reason = ""
        self.is_whole = False
        self._texts: list[str] = []
        self._usage = Usage(requests=1)
        self._sources: dict[str, WebSource] = {}

    def take(self, chunk: Mapping[str, Any]) -> str:
        """Take note of a chunk of a stream, or of a whole completion, and return its text."""
        if isinstance(chunk.get("usage"), dict):  # in the last chunk, or growing in each
            self._usage = read_usage(chunk["usage"])
        if isinstance(chunk.get("model"), str):
            self.model = chunk["model"] or self.model
        choice = _first_choice(chunk)
        message = choice.get("message")
        if isinstance(message, dict):
            self._finish(choice.get("finish_reason") or "stop")
        else:
            message = choice.get("delta")
            self._finish(choice.get("finish_reason"))
        if not isinstance(message, dict):
            return ""
        for source in _annotated_sources(message.get("annotations")):
            self._sources.setdefault(source.url, source)
        text = _text(message.get("content"))
        self._texts.append(text)
        return text

    def end(self, *, searches_web: bool) -> ChatEnd:
        sources = tuple(self._sources.values())
        if searches_web and not sources:
            sources = written_sources("".join(self._texts))
        return ChatEnd(self.model, self.finish_reason, self._usage, sources)

    def _finish(self, reason: object) -> None:
        if isinstance(reason, str) and reason:
            self.finish_reason = reason
            self.is_whole = True


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Read the tokens of one chat request; what is missing or odd is 0."""
    return Usage(
        requests=1,
        prompt_tokens=whole_number(usage.get("prompt_tokens")),
        completion_tokens=whole_number(usage.get("completion_tokens")),
    )


def whole_number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def written_sources(text: str) -> tuple[WebSource, ...]:
    """Return the URLs written in a text, each once, in order; a Markdown link gives its title."""
    sources: dict[str, WebSource] = {}
    for link in _LINK.finditer(text):
        url = (link["target"] or link["bare"]).rstrip(_CLOSING_PUNCTUATION)
        sources.setdefault(url, WebSource(url, link["title"] or ""))
    return tuple(sources.values())


def _first_choice(chunk: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the one choice; {} where there is none, as in Azure's first and vLLM's last chunk."""
    choices = chunk.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    return {}


def _text(content: object) -> str:
    """Return the text of a content: a string, or a list of parts some of which are text."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _annotated_sources(annotations: object) -> Iterator[WebSource]:
    """Yield the sources of OpenAI's `url_citation` items, nested or flat."""
    for annotation in annotations if isinstance(annotations, list) else []:
        if not isinstance(annotation, dict) or annotation.get("type") != "url_citation":
            continue
        citation = annotation.get("url_citation", annotation)
        url = citation.get("url") if isinstance(citation, dict) else None
        if isinstance(url, str) and re.fullmatch(r"https?://[^\s\x00-\x1f\x7f]+", url, re.I):
            title = citation.get("title")
            yield WebSource(
                url, " ".join(title.split())[:MAX_TITLE_CHARS] if isinstance(title, str) else ""
            )
