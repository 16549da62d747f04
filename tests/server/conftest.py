"""A server over two notes, with an endpoint behind it that knows one answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from ragkit.index import Index
from tests.cli.conftest import FERRY, HARBOUR
from tests.server.serving import Running, environment, running, settings
from tests.tempico import TempicoServer

QUESTION = "How long are umbrellas that are found on board kept?"
SENTENCE = "Umbrellas and bags that are found on board are kept for ninety days"
SHOWN = f"{SENTENCE}. [1]"  # as ragkit prints it
UNANSWERABLE = "What is the boiling point of tungsten hexafluoride?"
GUESS = "It boils at 17 degrees."


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the level of a fresh Python; a call of the command line may have set another."""
    caplog.set_level(logging.WARNING)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[TempicoServer]:
    with TempicoServer() as server:
        yield server


@pytest.fixture
def tempico(endpoint: TempicoServer) -> TempicoServer:
    """An endpoint that answers the question, guesses from the web, and was asked nothing yet."""
    endpoint.reply = lambda body: GUESS if body.get("web_search") else f"{SENTENCE} [1]."
    endpoint.web_sources = [("https://example.org/wf6", "Tungsten hexafluoride")]
    endpoint.requests.clear()
    endpoint.refuses_web_search = False
    endpoint.piece_seconds = 0.0
    return endpoint


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, endpoint: TempicoServer) -> Iterator[Running]:
    """The server; its index is made once, by the endpoint's embedder."""
    folder = tmp_path_factory.mktemp("served")
    for name, text in (("harbour", HARBOUR), ("ferry", FERRY)):
        (folder / "docs").mkdir(exist_ok=True)
        (folder / "docs" / f"{name}.md").write_text(text)
    chosen = settings(endpoint, presets="rules: path=ferry.md")
    environ = environment(folder, endpoint)
    index = Index.open(folder / "index.db", chosen, environ=environ)
    assert not index.ingest(folder / "docs").failed
    with running(folder / "index.db", chosen, environ, index=index) as server:
        yield server


@pytest.fixture
def api(served: Running, tempico: TempicoServer) -> Running:
    """The server, with an endpoint that was asked nothing yet."""
    assert tempico.requests == []
    return served
