"""Single pages of the web: their addresses, what is refused, what comes back, and in what time."""

from __future__ import annotations

import gzip
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import DocumentError
from ragkit.providers.page_address import page_address, page_name
from ragkit.providers.pages import MAX_REDIRECTS, PageReader, page_uri
from ragkit.providers.public_address import why_not_public
from ragkit.types import WebPage

HTML = b"<!doctype html><title>Ferries</title><p>The last ferry leaves at ten."
PUBLIC = "93.184.215.14"  # nothing is sent to it


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's table says for the path, and notes what was asked."""

    protocol_version = "HTTP/1.1"
    server: PageServer

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.close_connection = True
        with suppress(OSError):  # the client has gone, as it should
            self.server.answers[self.path](self)

    def log_message(self, format: str, *args: Any) -> None:
        pass


Answer = Callable[[Handler], None]


class PageServer(ThreadingHTTPServer):
    """A web server on loopback; `stopping` ends answers that never end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()
        self.port = int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # handshakes that a client broke off

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def page(body: bytes = HTML, status: int = 200, **headers: str) -> Answer:
    """Answer with a body; an underscore in a header's name stands for a hyphen."""

    def answer(handler: Handler) -> None:
        fields = {"Content-Type": "text/html", "Content-Length": str(len(body))}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        handler.send_response(status)
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(location: str, status: int = 302) -> Answer:
    return page(b"moved", status, Location=location)


def raw(data: bytes) -> Answer:
    """Answer with these very bytes, and close."""
    return lambda handler: handler.connection.sendall(data)


def dripping(start: bytes, drip: bytes = b"x") -> Answer:
    """Send a start, and then a drip every few milliseconds for ever."""

    def answer(handler: Handler) -> None:
        handler.connection.sendall(start)
        while not handler.server.stopping.wait(0.01):
            handler.connection.sendall(drip)

    return answer


def reset(handler: Handler) -> None:
    """Break the connection instead of answering."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def in_turn(*answers: Answer) -> Answer:
    """Answer otherwise each time."""
    left = iter(answers)

    def answer(handler: Handler) -> None:
        next(left)(handler)

    return answer


@pytest.fixture
def server() -> Iterator[PageServer]:
    with PageServer() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.stopping.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def sleeps() -> list[float]:
    """What the reader of this test slept, in seconds."""
    return []


@pytest.fixture
def reader(sleeps: list[float]) -> PageReader:
    """Reads from loopback too, and never really sleeps."""
    return PageReader(allow_private=True, timeout_seconds=10, sleep=sleeps.append)


def names(**addresses: str | list[str]) -> Callable[..., list[tuple[Any, ...]]]:
    """Resolve `name.test` by a table, as socket.getaddrinfo does by the network."""

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        found = addresses[host.removesuffix(".test")]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ([found] if isinstance(found, str) else found)
        ]

    return resolve


def failure(reader: PageReader, url: str) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        reader.fetch(url)
    return caught.value


# --- addresses as text ---


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("HTTPS://Example.ORG", "https://example.org/"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("http://example.org:80/a#part", "http://example.org/a"),
        ("http://example.org:443/a", "http://example.org:443/a"),
        ("http://example.org./", "http://example.org/"),
        ("https://example.org/?b=2&a=1", "https://example.org/?b=2&a=1"),
        ("https://example.org/%7euser/%c3%a4", "https://example.org/~user/%C3%A4"),
        ("https://example.org/%2Fa%20b", "https://example.org/%2Fa%20b"),
        ("https://example.org/ä b", "https://example.org/%C3%A4%20b"),
        ("https://example.org/100%?p=5%", "https://example.org/100%25?p=5%25"),
        ("https://example.org/a/./b/../c/..", "https://example.org/a/"),
        ("https://example.org/%2e%2e/a", "https://example.org/a"),
        ("https://example.org/a?b=../c", "https://example.org/a?b=../c"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://straße.de/", "https://xn--strae-oqa.de/"),
        ("http://[2001:DB8:0:0::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://0177.0.0.1/", "http://127.0.0.1/"),
        ("http://１２７.0.0.1/", "http://127.0.0.1/"),
        ("  https://example.org/a  ", "https://example.org/a"),
        ("https://my_host.example/", "https://my_host.example/"),
    ],
)
def test_a_page_has_one_uri(url: str, uri: str) -> None:
    """Spellings of one address give one uri, and the uri gives itself."""
    assert page_uri(url) == uri
    assert page_uri(uri) == uri


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org/a",
        "//example.org/a",
        "http:example.org",
        "http:///a",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://example.org:99999/",
        "https://example.org:8o/",
        "https://exa mple.org/",
        "https://a..b/",
        "https://" + "a" * 64 + ".org/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://[::1]x/",
        "https://127%2e0.0.1/",
        "https://1.2.3.4.5/",
        "https://1.2.3.256/",
        "https://example.org\\@127.0.0.1/",
        "https://example.org/a\nb",
        "https://example.org/\udc80",
        "https://example.org/" + "a" * 9_000,
    ],
)
def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    """Other schemes, broken hosts and ports, controls: the code is "bad-url"."""
    with pytest.raises(DocumentError) as caught:
        page_uri(url)
    assert caught.value.code == "bad-url"
    assert caught.value.hint


@pytest.mark.parametrize("port", [0, 22, 25, 6667])
def test_ports_of_other_services_are_refused(port: int) -> None:
    """A link can't make ragkit speak to a mail server, as browsers have it too."""
    with pytest.raises(DocumentError, match="port") as caught:
        page_uri(f"http://example.org:{port}/")
    assert caught.value.code == "bad-url"


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:s3cret@example.org/",
        "https://ada:s3/cret@example.org/",
        "https://s3cret@example.org/",
        "http:ada:s3cret@example.org/",
        "ftp://ada:s3cret@example.org/",
        "ada:s3cret@example.org",
    ],
)
def test_credentials_are_refused_and_not_shown(url: str) -> None:
    """A password in an address goes nowhere: not out, not into the error, not into its uri."""
    with pytest.raises(DocumentError) as caught:
        page_uri(url)
    error = caught.value
    assert error.code == "bad-url"
    assert not {word for word in ("s3", "cret") if word in f"{error} {error.uri} {error.hint}"}


def test_credentials_are_named_as_the_reason() -> None:
    """The error says what is wrong with an address that holds a password."""
    with pytest.raises(DocumentError, match="user name or password"):
        page_uri("https://ada:s3cret@example.org/")


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_has_a_stable_uri_or_none(text: str) -> None:
    """Whatever follows the scheme: the uri of a uri is itself, and it is plain ASCII."""
    try:
        uri = page_uri(f"https://{text}")
    except DocumentError:
        return
    assert page_uri(uri) == uri
    assert uri.isascii()
    assert " " not in uri


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_path_and_query_have_a_stable_uri(text: str) -> None:
    """Behind a good host only controls make an address bad."""
    url = f"https://example.org/a{text.strip()}"
    if url.isprintable():
        assert page_uri(page_uri(url)) == page_uri(url)


@pytest.mark.parametrize(
    ("target", "content_type", "name"),
    [
        ("/", "text/html", "index.html"),
        ("/a/", "", "index"),
        ("/docs/intro", "text/html", "intro.html"),
        ("/docs/intro.HTM?x=1.pdf", "text/html", "intro.HTM"),
        ("/index.php", "text/html", "index.php.html"),
        ("/ragkit/README.md", "text/html", "README.md.html"),
        ("/README.md", "text/plain", "README.md"),
        ("/notes", "text/plain", "notes.txt"),
        ("/notes", "text/markdown", "notes.md"),
        ("/paper", "application/pdf", "paper.pdf"),
        ("/paper.v2", "application/pdf", "paper.v2.pdf"),
        ("/api/things", "application/json", "things.json"),
        ("/nb.ipynb", "application/json", "nb.ipynb"),
        ("/report.docx", "application/octet-stream", "report.docx"),
        ("/report.docx", "application/zip", "report.docx"),
        ("/a%20b%2Fc%00", "text/html", "a b_c_.html"),
        ("/%C3%BCber", "text/html", "über.html"),
        ("/%ff", "text/html", "\ufffd.html"),
    ],
)
def test_the_name_tells_how_to_read_it(target: str, content_type: str, name: str) -> None:
    """The last part of the path, with a suffix that fits the type."""
    assert page_name(page_address(f"https://example.org{target}"), content_type) == name


# --- addresses of machines ---


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "link-local"),
        ("100.64.0.1", "carrier-private"),
        ("100.100.100.200", "carrier-private"),
        ("168.63.129.16", "cloud-internal"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("192.0.0.192", "reserved"),
        ("192.0.2.1", "documentation"),
        ("198.18.0.1", "benchmarking"),
        ("198.51.100.1", "documentation"),
        ("203.0.113.1", "documentation"),
        ("224.0.0.251", "multicast"),
        ("239.255.255.250", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::1", "loopback"),
        ("::", "unspecified"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "site-local"),
        ("fd00:ec2::254", "private"),
        ("fc00::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "documentation"),
        ("3fff::1", "documentation"),
        ("4000::1", "reserved"),
        ("100::1", "reserved"),
        ("64:ff9b:1::8.8.8.8", "reserved"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::127.0.0.1", "loopback"),
        ("::10.0.0.1", "private"),
        ("::8.8.8.8", "reserved"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:7f00:1::", "loopback"),
        ("2002:c0a8:101::1", "private"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", "reserved"),
        ("2a00:1450::5efe:10.0.0.1", "private"),
    ],
)
def test_addresses_of_inner_networks_are_known(address: str, kind: str) -> None:
    """Whatever isn't the public internet, also where IPv6 wraps an IPv4 address."""
    assert why_not_public(address) == kind


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        PUBLIC,
        "100.63.255.255",
        "100.128.0.0",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.255",
        "2606:4700:4700::1111",
        "2a00:1450:4001:800::200e",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_public_addresses_pass(address: str) -> None:
    """The neighbours of the refused ranges, and wrapped addresses that are public."""
    assert why_not_public(address) == ""


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.1", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_refused_by_every_name(server: PageServer, host: str) -> None:
    """Loopback is refused however it is spelled, before anything is sent, with the way out."""
    error = failure(PageReader(timeout_seconds=5), server.url("/", host))
    assert error.code == "forbidden-address"
    assert "loopback" in str(error)
    assert "allow_private_addresses" in error.hint
    assert server.requests == []


def test_one_inner_address_forbids_the_name(server: PageServer) -> None:
    """A name with a public and an inner address is refused, whichever comes first."""
    for found in ([PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC]):
        reader = PageReader(resolve=names(mixed=found))
        error = failure(reader, server.url("/", "mixed.test"))
        assert error.code == "forbidden-address"
        assert "mixed.test (127.0.0.1)" in str(error)
    assert server.requests == []


def test_the_address_that_was_checked_is_the_one_asked(server: PageServer) -> None:
    """A name that changes between check and connection gains nothing: it is looked up once."""
    server.answers["/"] = page()
    answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])
    checked: list[str] = []

    def resolve(host: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        return names(rebinding=next(answers))(host, port, **options)

    def check(ip: str) -> str:
        checked.append(ip)
        return ""

    reader = PageReader(resolve=resolve, check_ip=check)
    assert reader.fetch(server.url("/", "rebinding.test")).data == HTML
    assert checked == ["127.0.0.1"]
    [(_, headers)] = server.requests
    assert headers["host"] == f"rebinding.test:{server.port}"


def test_every_hop_is_checked(server: PageServer) -> None:
    """A redirect to an inner address is refused, and the asked page is the one that failed."""
    url = server.url("/", "outer.test")
    server.answers["/"] = redirect(server.url("/secret", "inner.test"))
    reader = PageReader(
        resolve=names(outer="127.0.0.1", inner="127.0.0.9"),
        check_ip=lambda ip: "private" if ip == "127.0.0.9" else "",
    )
    error = failure(reader, url)
    assert (error.code, error.uri) == ("forbidden-address", url)
    assert [path for path, _ in server.requests] == ["/"]


def test_the_next_address_is_tried(server: PageServer, reader: PageReader) -> None:
    """Where one of a name's addresses doesn't answer, another one may."""
    server.answers["/"] = page()
    reader = PageReader(allow_private=True, resolve=names(two=["127.0.0.9", "127.0.0.1"]))
    assert reader.fetch(server.url("/", "two.test")).data == HTML


# --- what is asked and what comes back ---


def test_a_page_is_read(server: PageServer, reader: PageReader) -> None:
    """The page comes with its uri, its type, its character set and a name to read it by."""
    server.answers["/docs/intro?v=1"] = page(Content_Type='Text/HTML; Charset="UTF-8"')
    uri = server.url("/docs/intro?v=1")
    found = reader.fetch(f"{uri}#part")
    assert found == WebPage(uri, uri, HTML, "text/html", "utf-8", "intro.html")


def test_a_page_without_a_declared_type(server: PageServer, reader: PageReader) -> None:
    """What isn't declared is empty, not guessed."""
    server.answers["/a"] = raw(b"HTTP/1.0 200 OK\r\n\r\nplain words")
    found = reader.fetch(server.url("/a"))
    assert (found.data, found.content_type, found.charset, found.name) == (
        b"plain words",
        "",
        "",
        "a",
    )


def test_nothing_goes_out_that_tells_who_asks(
    server: PageServer,
    reader: PageReader,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """No key, no cookie, no .netrc entry, no proxy: the program's name and what it can read."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("TEMPICO_API_KEY", "sk-secret")
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answers["/"] = page(b"", 302, Location="/b", Set_Cookie="id=1")
    server.answers["/b"] = page()
    reader.fetch(server.url("/"))
    for _, headers in server.requests:
        assert headers["user-agent"] == f"ragkit/{version('ragkit')}"
        assert headers["accept-encoding"] == "gzip, deflate"
        assert headers["host"] == f"127.0.0.1:{server.port}"
        assert headers.keys() == {"host", "connection", "user-agent", "accept", "accept-encoding"}


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(HTML)),
        ("X-GZIP", gzip.compress(HTML)),
        ("gzip", gzip.compress(HTML[:20]) + gzip.compress(HTML[20:])),
        ("gzip", gzip.compress(HTML) + b"\0" * 40),
        ("deflate", zlib.compress(HTML)),
        ("deflate", _raw_deflate(HTML)),
        ("identity", HTML),
    ],
)
def test_packed_pages_are_unpacked(
    server: PageServer, reader: PageReader, encoding: str, packed: bytes
) -> None:
    """gzip, also in several parts, and deflate in both of its meanings."""
    server.answers["/"] = page(packed, Content_Encoding=encoding)
    assert reader.fetch(server.url("/")).data == HTML


def test_large_packed_pages_are_whole(server: PageServer, reader: PageReader) -> None:
    """What unpacks in many pieces comes complete and in order."""
    data = b"".join(b"line %d\n" % n for n in range(300_000))
    for encoding, packed in (("gzip", gzip.compress(data, 1)), ("deflate", zlib.compress(data))):
        server.answers["/"] = page(packed, Content_Encoding=encoding)
        assert reader.fetch(server.url("/")).data == data


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", HTML), ("br", HTML), ("gzip, gzip", gzip.compress(gzip.compress(HTML)))],
)
def test_what_cannot_be_unpacked_is_an_error(
    server: PageServer, reader: PageReader, encoding: str, body: bytes
) -> None:
    """Other packings, several layers, or bytes that are none: never read as if they were text."""
    server.answers["/"] = page(body, Content_Encoding=encoding)
    assert failure(reader, server.url("/")).code == "unreadable"


@pytest.mark.parametrize(
    "answer",
    [
        page(HTML, Content_Length="500"),
        page(gzip.compress(HTML)[:-9], Content_Encoding="gzip"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<html\r\n"),
    ],
)
def test_half_a_page_is_an_error(server: PageServer, reader: PageReader, answer: Answer) -> None:
    """A page that breaks off, even at the second try, is not taken for a whole one."""
    server.answers["/"] = answer
    assert failure(reader, server.url("/")).code == "unreadable"
    assert len(server.requests) == 2


# --- redirects ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: PageServer, reader: PageReader, status: int) -> None:
    """The uri stays that which was asked; url and name are those where it ended."""
    server.answers["/old"] = redirect("../new/page?x=1#part", status)
    server.answers["/new/page?x=1"] = page()
    found = reader.fetch(server.url("/old"))
    assert (found.uri, found.url) == (server.url("/old"), server.url("/new/page?x=1"))
    assert found.name == "page.html"


def test_redirect_with_raw_utf8(server: PageServer, reader: PageReader) -> None:
    """Bytes that a server should have encoded are encoded."""
    server.answers["/"] = raw(
        b"HTTP/1.1 302 Found\r\nLocation: /caf\xc3\xa9\r\nContent-Length: 0\r\n\r\n"
    )
    server.answers["/caf%C3%A9"] = page()
    assert reader.fetch(server.url("/")).url == server.url("/caf%C3%A9")


def test_redirects_end(server: PageServer, reader: PageReader) -> None:
    """Five are followed, a circle is not."""
    for n in range(MAX_REDIRECTS):
        server.answers[f"/{n}"] = redirect(f"/{n + 1}")
    server.answers[f"/{MAX_REDIRECTS}"] = page()
    assert reader.fetch(server.url("/0")).data == HTML
    server.answers[f"/{MAX_REDIRECTS}"] = redirect("/0")
    server.requests.clear()
    error = failure(reader, server.url("/0"))
    assert len(server.requests) == MAX_REDIRECTS + 1
    assert (error.code, error.uri) == ("unreadable", server.url("/0"))
    assert "redirects" in str(error)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "http://ada:s3cret@127.0.0.1/", "http://[::1/"],
)
def test_redirects_lead_to_pages_only(
    server: PageServer, reader: PageReader, location: str
) -> None:
    """Where a redirect leads to no page, the error says so, and shows no password."""
    server.answers["/"] = redirect(location)
    error = failure(reader, server.url("/"))
    assert (error.code, error.uri) == ("unreadable", server.url("/"))
    assert "redirects" in str(error)
    assert "s3cret" not in str(error)


# --- failures ---


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "vanished"),
        (410, "vanished"),
        (401, "unreadable"),
        (403, "unreadable"),
        (407, "unreadable"),
        (429, "unreadable"),
        (418, "unreadable"),
        (500, "unreadable"),
        (599, "unreadable"),
        (206, "unreadable"),
        (302, "unreadable"),
    ],
)
def test_other_answers_are_errors(
    server: PageServer, reader: PageReader, status: int, code: str
) -> None:
    """The message has the status, the hint what to do, and the server is asked once."""
    server.answers["/"] = page(b"sorry", status)
    error = failure(reader, server.url("/"))
    assert error.code == code
    assert str(status) in str(error)
    assert error.hint
    assert len(server.requests) == 1


@pytest.mark.parametrize("first", [page(b"", 502), page(b"", 503), page(b"", 504), reset, raw(b"")])
def test_what_fails_for_a_moment_is_asked_again(
    server: PageServer, reader: PageReader, sleeps: list[float], first: Answer
) -> None:
    """A gateway's error or a broken connection gets one more try, after a pause."""
    server.answers["/"] = in_turn(first, page())
    assert reader.fetch(server.url("/")).data == HTML
    assert sleeps == [0.5]


@pytest.mark.parametrize("answer", [page(b"", 503), reset])
def test_the_second_try_is_the_last(server: PageServer, reader: PageReader, answer: Answer) -> None:
    """A server that goes on failing is left alone."""
    server.answers["/"] = answer
    assert failure(reader, server.url("/")).code == "unreadable"
    assert len(server.requests) == 2


@pytest.mark.parametrize("answer", [page(b""), page(b"", 204), page(b"", Content_Encoding="gzip")])
def test_an_empty_page_is_an_error(server: PageServer, reader: PageReader, answer: Answer) -> None:
    """There is nothing to index in it."""
    server.answers["/"] = answer
    assert failure(reader, server.url("/")).code == "empty"


@pytest.mark.parametrize("noise", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200\0 OK\r\n\r\n"])
def test_what_is_no_http_is_an_error(server: PageServer, reader: PageReader, noise: bytes) -> None:
    """Another protocol's greeting is not a page."""
    server.answers["/"] = raw(noise)
    assert failure(reader, server.url("/")).code == "unreadable"


def test_no_server(reader: PageReader) -> None:
    """A refused connection says where, and is not tried again."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    error = failure(reader, f"http://127.0.0.1:{port}/")
    assert error.code == "unreadable"
    assert f"127.0.0.1:{port}" in str(error)
    assert "network" in error.hint


def test_unknown_name() -> None:
    """A name that can't be resolved is named."""

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    error = failure(PageReader(resolve=resolve), "https://nowhere.test/")
    assert error.code == "unreadable"
    assert str(error) == "the name nowhere.test can't be resolved: Name or service not known"


# --- limits ---


def test_a_page_at_the_limit_is_read(server: PageServer) -> None:
    """The limit itself is allowed, a byte more is not, with a declared length or without."""
    server.answers["/"] = page(b"x" * 1000)
    server.answers["/packed"] = page(gzip.compress(b"x" * 1000), Content_Encoding="gzip")
    server.answers["/open"] = raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
    for path in server.answers:
        reader = PageReader(allow_private=True, max_bytes=1000)
        assert len(reader.fetch(server.url(path)).data) == 1000
        error = failure(PageReader(allow_private=True, max_bytes=999), server.url(path))
        assert error.code == "too-large"
        assert "999" in str(error)


def test_a_declared_length_is_refused_at_once(server: PageServer) -> None:
    """Nothing of a body is waited for that can't fit."""
    server.answers["/"] = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b"")
    reader = PageReader(allow_private=True, max_bytes=1000, timeout_seconds=5)
    assert failure(reader, server.url("/")).code == "too-large"


def test_a_bomb_is_not_unpacked(server: PageServer) -> None:
    """A body that unpacks to 200 MB is given up at the limit, without taking the memory."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(200)) + packer.flush()
    server.answers["/"] = page(bomb, Content_Encoding="gzip")
    reader = PageReader(allow_private=True, max_bytes=2**20)
    assert failure(reader, server.url("/")).code == "too-large"


def test_bytes_that_unpack_to_nothing_count(server: PageServer) -> None:
    """An endless row of empty gzip parts ends at the limit too."""
    start = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    server.answers["/"] = dripping(start, gzip.compress(b"") * 100)
    reader = PageReader(allow_private=True, max_bytes=10_000, timeout_seconds=10)
    assert failure(reader, server.url("/")).code == "too-large"


@pytest.mark.parametrize(
    "answer",
    [
        dripping(b""),
        dripping(b"HTTP/1.1 200 OK\r\nX: "),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b""),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
    ],
    ids="start headers interim body silent-body chunks empty-parts".split(),
)
def test_everything_ends_at_the_deadline(server: PageServer, answer: Answer) -> None:
    """A server that drips, in its headers or its body, or is silent, ends at the deadline."""
    server.answers["/"] = answer
    started = time.monotonic()
    error = failure(PageReader(allow_private=True, timeout_seconds=0.2), server.url("/"))
    assert error.code == "timeout"
    assert "0.2 s" in str(error)
    assert time.monotonic() - started < 2


def test_redirects_and_retries_share_the_deadline(server: PageServer) -> None:
    """Many hops that each take a while end at the deadline as well; so does the pause."""

    def slow(handler: Handler) -> None:
        handler.server.stopping.wait(0.08)
        redirect("/")(handler)

    server.answers["/"] = slow
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(seconds)

    reader = PageReader(allow_private=True, timeout_seconds=0.2, sleep=sleep)
    assert failure(reader, server.url("/")).code == "timeout"
    assert slept == []
    server.answers["/down"] = page(b"", 503)
    assert failure(reader, server.url("/down")).code == "timeout"
    assert 0 < slept[0] <= 0.2


def test_a_silent_name_server_ends_at_the_deadline() -> None:
    """The look-up of a name counts like everything else."""
    answered = threading.Event()

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        answered.wait(5)
        return []

    error = failure(PageReader(timeout_seconds=0.1, resolve=resolve), "https://slow.test/")
    answered.set()
    assert error.code == "timeout"


def test_a_silent_connection_ends_at_the_deadline() -> None:
    """A server that takes the connection and never shakes hands is given up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        reader = PageReader(allow_private=True, timeout_seconds=0.2)
        assert failure(reader, f"https://127.0.0.1:{port}/").code == "timeout"


def test_no_connection_is_left_open(server: PageServer, reader: PageReader) -> None:
    """Whatever way a fetch ends, the server sees the connection close."""
    closed = threading.Event()

    def too_long(handler: Handler) -> None:
        page(b"", Content_Length="9999999999")(handler)
        if handler.connection.recv(1) == b"":
            closed.set()

    server.answers["/"] = too_long
    failure(reader, server.url("/"))
    assert closed.wait(5)


# --- https ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a key and a certificate for pages.test and 127.0.0.1."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    key, certificate = path.with_name("key.pem"), path.with_name("certificate.pem")
    subject = "subjectAltName=DNS:pages.test,IP:127.0.0.1"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    command += f" -subj /CN=pages.test -addext {subject} -keyout {key} -out {certificate}"
    made = subprocess.run(command.split(), capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this openssl can't make the certificate")
    path.write_bytes(key.read_bytes() + certificate.read_bytes())
    return path


@pytest.fixture
def secure_server(server: PageServer, certificate: Path) -> tuple[PageServer, list[str | None]]:
    """A server that speaks TLS, and the names that clients asked it for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked_for: list[str | None] = []
    context.sni_callback = lambda _, name, __: asked_for.append(name)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    return server, asked_for


@pytest.fixture
def secure_reader(certificate: Path) -> PageReader:
    """Trusts the server's certificate, and finds it by two names."""
    return PageReader(
        allow_private=True,
        timeout_seconds=10,
        tls=ssl.create_default_context(cafile=certificate),
        resolve=names(**{"pages": "127.0.0.1", "other": "127.0.0.1", "127.0.0.1": "127.0.0.1"}),
    )


def test_https_keeps_to_the_name(
    secure_server: tuple[PageServer, list[str | None]], secure_reader: PageReader
) -> None:
    """The connection goes to the checked address, server name, Host and certificate to the name."""
    server, asked_for = secure_server
    server.answers["/"] = page()
    url = server.url("/", "pages.test", "https")
    assert secure_reader.fetch(url).data == HTML
    assert asked_for == ["pages.test"]
    assert server.requests[0][1]["host"] == f"pages.test:{server.port}"
    assert secure_reader.fetch(server.url("/", scheme="https")).data == HTML


@pytest.mark.parametrize("trusted", [True, False])
def test_bad_certificates_are_refused(
    secure_server: tuple[PageServer, list[str | None]], secure_reader: PageReader, trusted: bool
) -> None:
    """A certificate for another name, or from nobody known, ends it, with what to do."""
    server, _ = secure_server
    server.answers["/"] = page()
    reader = PageReader(allow_private=True, resolve=names(pages="127.0.0.1"))
    error = (
        failure(secure_reader, server.url("/", "other.test", "https"))
        if trusted
        else failure(reader, server.url("/", "pages.test", "https"))
    )
    assert error.code == "unreadable"
    assert "certificate" in str(error)
    assert "SSL_CERT_FILE" in error.hint
    assert server.requests == []


def test_plain_http_where_https_was_asked(server: PageServer, secure_reader: PageReader) -> None:
    """A server that doesn't speak TLS is told as such."""
    error = failure(secure_reader, server.url("/", "pages.test", "https"))
    assert error.code == "unreadable"
    assert "secure connection" in str(error)


def test_https_never_falls_back(
    secure_server: tuple[PageServer, list[str | None]], secure_reader: PageReader
) -> None:
    """A redirect from https to http is refused."""
    server, _ = secure_server
    server.answers["/"] = redirect("http://pages.test/plain")
    error = failure(secure_reader, server.url("/", "pages.test", "https"))
    assert error.code == "unreadable"
    assert "plain http" in str(error)


def test_http_may_become_https(
    secure_server: tuple[PageServer, list[str | None]], secure_reader: PageReader
) -> None:
    """A redirect from http to https is followed."""
    server, _ = secure_server
    server.answers["/"] = page()
    with PageServer() as plain:
        thread = threading.Thread(target=plain.serve_forever, args=(0.01,))
        thread.start()
        plain.answers["/"] = redirect(server.url("/", "pages.test", "https"))
        found = secure_reader.fetch(plain.url("/", "pages.test"))
        plain.shutdown()
        thread.join()
    assert found.url == server.url("/", "pages.test", "https")
    assert found.data == HTML
