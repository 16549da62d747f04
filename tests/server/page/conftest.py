"""A browser, and a server over documents that a chat model knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from ragkit.index import Index
from tests.server.page import library
from tests.server.page.browsing import Visit, chromium, visiting
from tests.server.serving import Running, environment, running, settings
from tests.tempico import TempicoServer


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. It ends with the module: while it runs, no test can have an event loop."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, endpoint: TempicoServer) -> Iterator[Running]:
    """The server over the documents of library.py; conversations are kept."""
    folder = tmp_path_factory.mktemp("page")
    chosen = settings(endpoint)
    environ = environment(folder, endpoint)
    index = Index.open(folder / "index.db", chosen, environ=environ)
    assert not index.ingest(library.write(folder / "docs")).failed
    with running(folder / "index.db", chosen, environ, index=index) as server:
        yield server


@pytest.fixture
def answering(tempico: TempicoServer) -> TempicoServer:
    """The endpoint, whose chat model knows the documents."""
    tempico.reply = library.reply
    return tempico


@pytest.fixture
def visit(browser: Browser, served: Running, answering: TempicoServer) -> Iterator[Visit]:
    with visiting(browser, served.address) as visit:
        yield visit
