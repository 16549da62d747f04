"""Pictures of pages, as an index gives them: for its own documents, by processes that wait."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragkit.errors import DocumentError, DocumentNotFound, QueryError
from ragkit.index import Index
from ragkit.pictures import Pictures
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Span
from tests.documents import FERRY
from tests.pdfs import column, make_pdf

FIRST = "The morning ferry leaves at seven from the north quay."
SECOND = "Dogs need a muzzle below deck, and a leash on the sun deck."
PDF = make_pdf([column(FIRST), column(SECOND)])
URI = "upload:timetable.pdf"


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index of a PDF whose bytes are kept."""
    store = SqliteStore(tmp_path / "index.db")
    with Index(store, embedder=HashEmbedder(64), settings=Settings()) as made:
        made.ingest_bytes(PDF, uri=URI, keep=True)
        yield made


def is_png(data: bytes, width: int) -> bool:
    return data[:8] == b"\x89PNG\r\n\x1a\n" and int.from_bytes(data[16:20], "big") == width


def wait_for(condition: Callable[[], bool]) -> None:
    due = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < due
        time.sleep(0.02)


def pids(index: Index) -> list[int]:
    pool = index._pictures._pool
    return [worker._process.pid for worker in pool._all] if pool else []


def test_a_page_of_a_document(index: Index) -> None:
    """As PNG, of the width that was asked for."""
    assert is_png(index.page_image(URI, 1), 1200)
    assert is_png(index.page_image("timetable.pdf", 2, width=300), 300)


def test_what_of_a_span_is_on_the_page_is_highlighted(index: Index) -> None:
    """A passage may run over two pages; one of another page changes nothing."""
    text = index.get(URI).text
    at = text.index("Dogs")
    whole, second = Span(0, len(text)), Span(at, at + 4)
    plain = [index.page_image(URI, page, width=300) for page in (1, 2)]
    assert index.page_image(URI, 1, span=whole, width=300) != plain[0]
    all_of_it = index.page_image(URI, 2, span=whole, width=300)
    assert all_of_it == index.page_image(URI, 2, span=index.get(URI).pages[1].span, width=300)
    assert all_of_it != plain[1]
    assert index.page_image(URI, 1, span=second, width=300) == plain[0]
    assert index.page_image(URI, 2, span=second, width=300) != plain[1]
    assert index.page_image(URI, 2, span=Span(at, at), width=300) == plain[1]
    assert index.page_image(URI, 2, span=Span(10**6, 10**7), width=300) == plain[1]


@pytest.mark.parametrize("page", [0, 3, -1, 10**9])
def test_a_page_that_is_not_there(index: Index, page: int) -> None:
    """It is the question's fault, not the document's."""
    with pytest.raises(QueryError) as error:
        index.page_image(URI, page)
    assert error.value.code == "no-page"


@pytest.mark.parametrize("width", [0, 49, 4001])
def test_a_width_that_can_not_be(index: Index, width: int) -> None:
    """It is refused before anything is drawn."""
    with pytest.raises(QueryError, match="pixels wide"):
        index.page_image(URI, 1, width=width)


def test_what_has_no_pages(index: Index) -> None:
    """Only pages of PDFs are drawn."""
    index.ingest_bytes(FERRY.encode(), uri="upload:ferry.md", keep=True)
    with pytest.raises(DocumentError) as error:
        index.page_image("upload:ferry.md", 1)
    assert error.value.code == "no-pages"
    with pytest.raises(DocumentNotFound):
        index.page_image("upload:other.pdf", 1)


def test_what_is_no_more_as_it_was_is_not_drawn(index: Index, tmp_path: Path) -> None:
    """The quote would be looked for in another text."""
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf([column(SECOND)]))
    index.ingest(path)
    assert is_png(index.page_image("a.pdf", 1, width=100), 100)
    path.write_bytes(make_pdf([column("Something else.")]))
    with pytest.raises(DocumentError) as error:
        index.page_image("a.pdf", 1)
    assert error.value.code == "changed"


def test_one_process_draws_many_pages_and_ends_with_the_index(index: Index) -> None:
    """Starting one takes longer than drawing."""
    seen = set()
    for page in (1, 2, 1):
        index.page_image(URI, page, width=100)
        seen.update(pids(index))
    (pid,) = seen
    index.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_idle_processes_end(index: Index) -> None:
    """And another picture starts them again."""
    index._pictures = Pictures(Settings(), idle_seconds=0.1)
    index.page_image(URI, 1, width=100)
    wait_for(lambda: not pids(index))
    assert is_png(index.page_image(URI, 1, width=100), 100)
    index.close()


def test_threads_share_the_processes(index: Index) -> None:
    """Two at most, however many pages are asked for at once."""
    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(index.page_image, URI, 1 + n % 2, width=100) for n in range(24)]
        assert len({job.result() for job in jobs}) == 2
    assert 1 <= len(pids(index)) <= 2
    assert threading.active_count() < 60


def test_without_isolation_no_process_is_started(tmp_path: Path) -> None:
    """Who trusts the files may have them drawn here."""
    store = SqliteStore(tmp_path / "index.db")
    settings = Settings(isolation="none")
    with Index(store, embedder=HashEmbedder(64), settings=settings) as index:
        index.ingest_bytes(PDF, uri=URI, keep=True)
        assert is_png(index.page_image(URI, 1, width=100), 100)
        assert pids(index) == []
