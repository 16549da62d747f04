"""Passes chat requests on to the endpoint as they are, and its replies back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ragkit.errors import BadProviderResponse
from ragkit.providers.chat_reply import read_chunks, read_objects
from ragkit.providers.http import HttpClient

_PATH = "/chat/completions"


class Relay:
    """Speaks to an endpoint in somebody else's words. Threads may share it.

    A request is the JSON of OpenAI's chat completions; what it says besides is passed on too.
    """

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the whole reply to a request. Raises ProviderError."""
        body = {**request, "stream": False}
        body.pop("stream_options", None)  # refused beside a stream that isn't one
        # As a stream of one object: a model may think in silence for longer than a plain reply may.
        read = partial(read_objects, error_in=self._http.error_in)
        objects = list(self._http.stream(_PATH, body, read=read))
        if len(objects) != 1 or "choices" not in objects[0]:
            raise BadProviderResponse(
                f"{self._http.base_url}{_PATH} answered no chat completion",
                hint="check the base URL, and that the model is one for chat",
            )
        return objects[0]

    def stream(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the chunks of a reply as they come. Raises ProviderError."""
        model = str(request.get("model", ""))
        read = partial(read_chunks, model=model, error_in=self._http.error_in)
        yield from map(_as_chunk, self._http.stream(_PATH, {**request, "stream": True}, read=read))


def _as_chunk(data: dict[str, Any]) -> dict[str, Any]:
    """Return a chunk as it is; of a whole reply, from a server that can't stream, make one."""
    choices = data.get("choices")
    if not isinstance(choices, list) or not any("message" in each for each in choices):
        return data
    deltas = [
        {**{name: value for name, value in each.items() if name != "message"}, "delta": message}
        for each in choices
        if (message := each.get("message")) is not None
    ]
    return {**data, "object": "chat.completion.chunk", "choices": deltas}
