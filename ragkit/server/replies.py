"""How replies are written: JSON in ASCII, and streams of events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.responses import Response, StreamingResponse

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
PING_SECONDS = 15.0

_STREAM_HEADERS = {
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # a proxy in between would hold sentences back
}


def encoded(body: object) -> bytes:
    """Return JSON in ASCII: readers that cut streams at U+2028 and lone surrogates are safe."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


class Json(Response):
    """A reply of one JSON object."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return encoded(content)


def event(body: object) -> bytes:
    """Return one event of a stream."""
    return b"data: " + encoded(body) + b"\n\n"


def stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Return a reply that is a stream of events."""
    return StreamingResponse(
        events, media_type="text/event-stream; charset=utf-8", headers=_STREAM_HEADERS
    )


def listed(items: Iterable[Any], **more: Any) -> dict[str, Any]:
    """Return OpenAI's envelope for a list."""
    return {"object": "list", "data": list(items), **more}
