"""Web pages as documents, from a server on loopback into an index."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ragkit.errors import DocumentNotFound
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from tests.pdfs import column, make_pdf

GERMAN = "Die Fähre fährt über die Förde, und die Gäste grüßen von der Höhe herüber."


class Site:
    """A web site: its pages by path, each a content type and bytes."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[str, bytes]] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = site.pages.get(self.path, ("", b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    settings = Settings(allow_private_addresses=True, isolation="none")
    store = SqliteStore(tmp_path / "index.db")
    with Index(store, embedder=HashEmbedder(), settings=settings) as opened:
        yield opened


def test_a_page_is_a_document(index: Index, site: Site) -> None:
    """Read once, updated when it has changed, and found under any spelling of its address."""
    site.pages["/tides.html"] = ("text/html", b"<h1>Tides</h1><p>High water at nine.</p>")
    url = f"{site.url}/tides.html"
    assert index.ingest(url, f"{url}#top", f"{site.url}/./tides.html").added == (url,)
    assert index.ingest(url).unchanged == (url,)
    site.pages["/tides.html"] = ("text/html", b"<h1>Tides</h1><p>High water at ten.</p>")
    assert index.ingest(url).updated == (url,)
    for spelled in (url, url.upper().replace("/TIDES.HTML", "/tides.html"), f"{url}#x"):
        assert "ten" in index.get(spelled).text
    index.remove(f"{site.url}/./tides.html")
    with pytest.raises(DocumentNotFound):
        index.get(url)


def test_a_page_that_is_gone_keeps_its_document(index: Index, site: Site) -> None:
    """A server may be mistaken for a day; the failure is told."""
    site.pages["/a"] = ("text/plain", b"The pilot boards at the outer buoy.")
    index.ingest(f"{site.url}/a")
    site.pages.clear()
    report = index.ingest(f"{site.url}/a")
    assert [failure.code for failure in report.failed] == ["vanished"]
    assert "pilot" in index.get(f"{site.url}/a").text


@pytest.mark.parametrize("charset", ["", ";charset=ISO-8859-1", ";charset=punycode"])
def test_a_charset_harms_no_pdf(index: Index, site: Site, charset: str) -> None:
    """Servers name one for everything; bytes that are no text stay as they are."""
    site.pages["/a.pdf"] = (
        f"application/pdf{charset}",
        make_pdf([column("Greetings aus dem Hafen")]),
    )
    assert index.ingest(f"{site.url}/a.pdf").added
    assert "aus dem Hafen" in index.get(f"{site.url}/a.pdf").text


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("shift_jis", "日本語".encode("shift_jis"), "日本語"),
        ("punycode", b"maana-pta", "maana-pta"),
        ("unicode_escape", b"a\\u0041", "a\\u0041"),
        ("utf-8", GERMAN.encode("cp1252"), GERMAN),
    ],
)
def test_the_servers_charset_is_believed_of_text(
    index: Index, site: Site, charset: str, data: bytes, text: str
) -> None:
    """If it is one that texts are written in, and fits the bytes."""
    site.pages["/a.txt"] = (f"text/plain; charset={charset}", data)
    index.ingest(f"{site.url}/a.txt")
    assert index.get(f"{site.url}/a.txt").text == text
