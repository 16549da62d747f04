"""A server that can fail, and clients that never really sleep."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ragkit.providers.http import HttpClient
from tests.tempico import TempicoServer


@pytest.fixture
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        yield running


@pytest.fixture
def sleeps() -> list[float]:
    """What the clients of this test slept, in seconds."""
    return []


@pytest.fixture
def connect(server: TempicoServer, sleeps: list[float]) -> Iterator[Callable[..., HttpClient]]:
    """Makes clients of the server. They note their sleeps, and their dice always show 1."""
    with ExitStack() as clients:

        def new_client(**options: Any) -> HttpClient:
            defaults: dict[str, Any] = {
                "base_url": server.base_url,
                "api_key": server.key,
                "sleep": sleeps.append,
                "random": lambda: 1.0,
            }
            return clients.enter_context(HttpClient(**{**defaults, **options}))

        yield new_client


@pytest.fixture
def client(connect: Callable[..., HttpClient]) -> HttpClient:
    return connect()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem".split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both
