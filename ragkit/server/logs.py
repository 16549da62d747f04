"""The server's log: a line of JSON for each request, with nothing of what was asked or answered."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCESS = logging.getLogger("ragkit.server.access")


def set_up() -> None:
    """Send the lines to stderr, whatever becomes of the rest of the log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    ACCESS.handlers[:] = [handler]
    ACCESS.setLevel(logging.INFO)
    ACCESS.propagate = False


class AccessLog:
    """The outermost middleware: it notes each request when its reply has ended.

    Of the path it is the route that is told, so that no name or search gets into the log; of the
    key its name. `disconnected` says that the client left before the end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._app = app
        self._clock = clock
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        entry = _Entry(send)
        began_at, began = self._now(), self._clock()
        try:
            await self._app(scope, receive, entry.send)
        finally:
            state = scope.get("state", {})
            address, *_ = scope.get("client") or ("",)
            line = {
                "time": began_at.isoformat(timespec="milliseconds"),
                "request_id": state.get("request_id", ""),
                "method": scope["method"],
                "path": _route(scope),
                "status": entry.status,
                "milliseconds": round(1000 * (self._clock() - began), 1),
                "bytes": entry.size,
                "key": state.get("key_name", ""),
                "client": address,
            }
            if not entry.is_whole:
                line["disconnected"] = True
            ACCESS.info(json.dumps(line))


class _Entry:
    """What is seen of a reply as it goes by."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 499  # nginx's number for a client that left before there was any
        self.size = 0
        self.is_whole = False

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)


def _route(scope: Scope) -> str:
    """Return the path of the route, such as /v1/documents/{id}; "" where no route took it."""
    route: Any = scope.get("route")
    if route is not None:
        return str(route.path)
    return "" if scope.get("endpoint") is None else str(scope["path"])
