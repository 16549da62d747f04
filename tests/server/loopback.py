"""Ways to put a request to an ASGI app: in memory, and over a real connection on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

BASE_URL = "http://localhost:8484"


def ask(app: ASGIApp, method: str, path: str, **options: Any) -> httpx.Response:
    """Return the reply to one request, made in memory as a client on this machine would."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50_000))
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
            return await client.request(method, path, **options)

    return asyncio.run(one())


@contextmanager
def served(app: ASGIApp) -> Iterator[int]:
    """Serve an app on a free port of loopback, and give the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
        assert not thread.is_alive()


class Caller:
    """A client that says byte for byte what a test wants said."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def say(self, head: str, body: bytes = b"") -> None:
        """Send a head, its lines divided by newlines, and what follows it."""
        self._socket.sendall(head.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read_until(self, mark: bytes) -> bytes:
        """Return what came, up to a mark in it."""
        got = b""
        while mark not in got:
            piece = self._socket.recv(65_536)
            assert piece, f"closed before {mark!r}: {got!r}"
            got += piece
        return got

    def rest(self) -> bytes:
        """Return all that comes until the server closes the connection."""
        got = b""
        while piece := self._socket.recv(65_536):
            got += piece
        return got

    def leave(self) -> None:
        self._socket.close()


def parsed(reply: bytes) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and JSON body of a reply that has a content-length."""
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), headers, json.loads(body) if body else None
