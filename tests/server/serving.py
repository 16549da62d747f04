"""The server as it runs, on a port of this machine, for the time of a test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ragkit.access_keys import AccessKeys
from ragkit.index import Index
from ragkit.server.app import make_app
from ragkit.server.rules import Rules
from ragkit.server.service import Service
from ragkit.settings import Settings
from tests.tempico import TempicoServer


@dataclass(frozen=True)
class Running:
    """A server that runs: where, and what it serves."""

    address: str
    index: Index
    service: Service

    @property
    def base_url(self) -> str:
        return f"{self.address}/v1"


def environment(folder: Path, tempico: TempicoServer | None = None) -> dict[str, str]:
    """Return an environment without a home of its own, with an endpoint's key if there is one."""
    key = {"TEMPICO_API_KEY": tempico.key} if tempico else {}
    return {
        "XDG_CONFIG_HOME": str(folder / "config"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        **key,
    }


def settings(tempico: TempicoServer | None = None, **more: object) -> Settings:
    """Return settings for an endpoint on this machine, or for none."""
    endpoint = {"base_url": tempico.base_url} if tempico else {}
    return Settings(**{**endpoint, **more})  # type: ignore[arg-type]


@contextmanager
def running(
    path: Path, chosen: Settings, environ: Mapping[str, str], *, index: Index | None = None
) -> Iterator[Running]:
    """Serve an index until the block ends."""
    index = index or Index.open(path, chosen, environ=environ)
    service = Service(index, chosen, keys=AccessKeys(environ))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = make_app(service, Rules.of(chosen, port=port))
        server = uvicorn.Server(
            uvicorn.Config(app, lifespan="on", log_config=None, timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            assert server.started, "the server did not start"
            yield Running(f"http://127.0.0.1:{port}", index, service)
        finally:
            server.should_exit = True
            thread.join(30)
