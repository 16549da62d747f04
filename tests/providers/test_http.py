"""The HTTP client: what it sends, what it tries again, how long it waits, what it says."""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from ragkit.errors import (
    BadProviderResponse,
    ConfigError,
    ModelNotFound,
    ProviderAuthError,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from ragkit.providers import http as http_module
from ragkit.providers.failures import TRANSIENT_STATUSES, RequestRefused
from ragkit.providers.http import HttpClient, Timeouts
from ragkit.providers.sse import Event
from tests.tempico import EMBEDDING_MODEL, Fault, TempicoServer, html_page, sse

Connect = Callable[..., HttpClient]
BODY = {"model": EMBEDDING_MODEL, "input": ["a text"]}
NOON = 1_700_000_000.0  # a Unix time; what the clients here take for now


def data_of(events: Iterator[Event]) -> Iterator[str]:
    return (event.data for event in events)


# What is sent


def test_bearer_key_is_the_only_key_sent(server: TempicoServer, client: HttpClient) -> None:
    """By default the key goes out as a Bearer token and in no other header."""
    client.get_json("/models")
    [request] = server.requests
    assert request.headers["authorization"] == f"Bearer {server.key}"
    assert "x-api-key" not in request.headers


def test_x_api_key_is_the_only_key_sent(server: TempicoServer, connect: Connect) -> None:
    """With auth "x-api-key" the key goes out in that header and in no other."""
    connect(auth="x-api-key").get_json("/models")
    [request] = server.requests
    assert request.headers["x-api-key"] == server.key
    assert "authorization" not in request.headers


def test_no_key_sends_no_header(server: TempicoServer, connect: Connect) -> None:
    """Without a key no header speaks of one, and the error asks for it by its name."""
    with pytest.raises(ProviderAuthError, match="none was sent") as caught:
        connect(api_key="", key_name="TEMPICO_API_KEY").get_json("/models")
    assert caught.value.hint == "set TEMPICO_API_KEY"
    assert not {"authorization", "x-api-key"} & server.requests[0].headers.keys()


def test_netrc_never_overrides_the_key(
    server: TempicoServer, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc entry for the host changes nothing."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    connect().get_json("/models")
    assert server.requests[0].headers["authorization"] == f"Bearer {server.key}"


def test_proxy_of_the_environment_is_used(
    server: TempicoServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request to another machine goes through HTTP_PROXY."""
    monkeypatch.setenv("HTTP_PROXY", server.base_url.removesuffix("/v1"))
    with pytest.raises(ProviderError):
        connect(base_url="http://api.corp.internal/v1").get_json("/models")
    assert server.requests[0].path == "http://api.corp.internal/v1/models"


def test_proxy_is_not_used_for_this_machine(
    server: TempicoServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server on loopback is asked directly: the key must not leave the machine in the clear."""
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")
    assert connect().get_json("/models")["object"] == "list"


def test_unusable_proxy_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy setting that can't work is told when the client is made, naming the variables."""
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy")
    with pytest.raises(ConfigError) as caught:
        HttpClient(base_url="https://api.example.com/v1")
    assert "HTTPS_PROXY" in caught.value.hint


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_is_not_followed(server: TempicoServer, client: HttpClient, status: int) -> None:
    """A redirect is an error that names its target; the key goes nowhere else."""
    with TempicoServer() as other:
        target = f"{other.base_url}/embeddings"
        server.fail("/embeddings", Fault(status=status, headers={"location": target}))
        with pytest.raises(ProviderError, match="redirect to http://127"):
            client.post_json("/embeddings", BODY)
        assert other.requests == []
    assert len(server.requests) == 1


def test_lone_surrogate_becomes_a_question_mark(server: TempicoServer, client: HttpClient) -> None:
    """Text that no encoding can carry, as bad files give, doesn't stop a request."""
    client.post_json("/embeddings", {**BODY, "input": ["a\ud800b"]})
    assert server.requests[0].body["input"] == ["a?b"]


# Where it may be sent


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.tempico.com/v1",
        "http://127.0.0.1:8080/v1",
        "http://[::1]:8080",
        "http://localhost:11434/v1",
        "http://192.168.1.5/v1",
        "http://10.0.0.1",
        "http://ollama:11434/v1",
        "http://nas.local/v1",
    ],
)
def test_private_or_encrypted_address_is_accepted(base_url: str) -> None:
    """Https goes anywhere, plain http to this machine and private networks."""
    with HttpClient(base_url=f" {base_url}/ ") as client:
        assert client.base_url == base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "http://api.tempico.com/v1",
        "http://8.8.8.8/v1",
        "http://100.64.0.1",
        "http://localhost.evil.com",
    ],
)
def test_plain_http_over_the_internet_has_to_be_allowed(base_url: str) -> None:
    """Plain http to a public address is refused, and the error says how to allow it."""
    with pytest.raises(ConfigError, match="unencrypted") as caught:
        HttpClient(base_url=base_url)
    assert "allow_http" in caught.value.hint
    with HttpClient(base_url=base_url, allow_http=True) as client:
        assert client.base_url == base_url


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.tempico.com/v1",
        "ftp://api.tempico.com",
        "https://",
        "https://[::1",
        "https://host:port/v1",
        "https://host/v1?key=hunter2hunter2",
        "https://someone:hunter2hunter2@host/v1",
        "https://ho st/v1",
    ],
)
def test_unusable_address_is_a_config_error(base_url: str) -> None:
    """What is no address of an endpoint is refused; a password in it is not shown."""
    with pytest.raises(ConfigError) as caught:
        HttpClient(base_url=base_url)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("key", ["secret\n", "sec ret", "“secret”", "secret\x00"])
def test_key_that_no_header_can_carry_is_a_config_error(key: str) -> None:
    """Such a key is refused by the name of its variable, and not shown."""
    with pytest.raises(ConfigError, match="TEMPICO_API_KEY") as caught:
        HttpClient(base_url="https://host/v1", api_key=key, key_name="TEMPICO_API_KEY")
    assert "secret" not in f"{caught.value} {caught.value.hint}"


# What is tried again


@pytest.mark.parametrize("status", sorted(TRANSIENT_STATUSES))
def test_transient_status_is_tried_again(
    server: TempicoServer, client: HttpClient, sleeps: list[float], status: int
) -> None:
    """A status that passes by itself costs waiting, not the request."""
    server.fail("/embeddings", Fault(status=status), times=2)
    assert client.post_json("/embeddings", BODY)["data"]
    assert len(server.requests) == 3
    assert sleeps == [0.5, 1.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 418, 422, 501])
def test_lasting_status_is_asked_once(
    server: TempicoServer, client: HttpClient, status: int
) -> None:
    """A status that stays makes one request and an error that knows the status."""
    server.fail("/embeddings", Fault(status=status, headers={"x-request-id": "req-7"}), times=9)
    with pytest.raises(ProviderError, match="made to fail") as caught:
        client.post_json("/embeddings", BODY)
    assert (caught.value.status, caught.value.request_id) == (status, "req-7")
    assert len(server.requests) == 1


@pytest.mark.parametrize("ending", ["reset", "cut", "silent"])
def test_broken_connection_is_tried_again(
    server: TempicoServer, client: HttpClient, ending: str
) -> None:
    """A reply that breaks off, however it does, is asked for again."""
    server.fail("/embeddings", Fault(ending=ending), times=2)
    assert client.post_json("/embeddings", BODY)["data"]
    assert len(server.requests) == 3


def test_backoff_doubles_up_to_half_a_minute(
    server: TempicoServer, connect: Connect, sleeps: list[float]
) -> None:
    """Waits are drawn from 0 to 0.5, 1, 2 ... seconds, and never from more than 30."""
    server.fail("/embeddings", Fault(status=503), times=9)
    with pytest.raises(ProviderUnavailable):
        connect(attempts=9).post_json("/embeddings", BODY)
    assert sleeps == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_backoff_has_full_jitter(
    server: TempicoServer, connect: Connect, sleeps: list[float]
) -> None:
    """The wait is any part of the longest one, down to nothing."""
    server.fail("/embeddings", Fault(status=503), times=3)
    dice = iter([0.0, 0.25, 0.5])
    connect(random=lambda: next(dice)).post_json("/embeddings", BODY)
    assert sleeps == [0.0, 0.25, 1.0]


def test_six_tries_and_no_more(server: TempicoServer, client: HttpClient) -> None:
    """A request is given up after 6 tries, with the error of the last."""
    server.fail("/embeddings", Fault(status=503), times=5)
    server.fail("/embeddings", Fault(status=502))
    with pytest.raises(ProviderUnavailable) as caught:
        client.post_json("/embeddings", BODY)
    assert caught.value.status == 502
    assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("status", "wish", "requests"), [(400, "true", 2), (503, "false", 1), (503, "perhaps", 2)]
)
def test_x_should_retry_wins(
    server: TempicoServer, client: HttpClient, status: int, wish: str, requests: int
) -> None:
    """An endpoint that says whether to try again is believed, against its status."""
    server.fail("/embeddings", Fault(status=status, headers={"x-should-retry": wish}))
    try:
        client.post_json("/embeddings", BODY)
    except ProviderError as error:
        assert error.status == status
    assert len(server.requests) == requests


def test_exhausted_quota_is_not_tried_again(server: TempicoServer, client: HttpClient) -> None:
    """A 429 for want of money ends at once: no wait mends it."""
    server.fail("/embeddings", Fault(status=429, code="insufficient_quota"), times=9)
    with pytest.raises(RateLimited) as caught:
        client.post_json("/embeddings", BODY)
    assert "balance" in caught.value.hint
    assert len(server.requests) == 1


def test_refusal_dressed_as_server_error_is_not_tried_again(
    server: TempicoServer, client: HttpClient
) -> None:
    """Status 500 with a text that blames the input is a refusal; other 500s are tried again."""
    server.fail("/embeddings", Fault(status=500, message="unsupported value: NaN"))
    with pytest.raises(RequestRefused):
        client.post_json("/embeddings", BODY, blame_input=re.compile("NaN"))
    assert len(server.requests) == 1


# How long it waits

WAITS = {
    "seconds": ({"retry-after": "2"}, 2.25),
    "a fraction": ({"retry-after": "0.5"}, 0.75),
    "the longest": ({"retry-after": "120"}, 120.25),
    "milliseconds": ({"retry-after-ms": "1500"}, 1.75),
    "milliseconds win": ({"retry-after-ms": "100", "retry-after": "9"}, 0.35),
    "0 is the backoff": ({"retry-after": "0"}, 0.5),
    "negative": ({"retry-after": "-1"}, 0.5),
    "nan": ({"retry-after": "nan"}, 0.5),
    "inf": ({"retry-after": "inf"}, 0.5),
    "junk": ({"retry-after": "soon"}, 0.5),
    "empty": ({"retry-after": ""}, 0.5),
    "a junk date": ({"retry-after": "Mon, 99 Foo 99999 99:99:99 GMT"}, 0.5),
    "junk milliseconds": ({"retry-after-ms": "x", "retry-after": "3"}, 3.25),
}


@pytest.mark.parametrize(("headers", "seconds"), WAITS.values(), ids=WAITS)
def test_retry_after_is_honoured(
    server: TempicoServer,
    client: HttpClient,
    sleeps: list[float],
    headers: dict[str, str],
    seconds: float,
) -> None:
    """The endpoint's wish is met exactly, plus up to 0.25 s; nonsense is the plain backoff."""
    server.fail("/embeddings", Fault(status=429, headers=headers))
    client.post_json("/embeddings", BODY)
    assert sleeps == pytest.approx([seconds])


@pytest.mark.parametrize("ahead", [30, -30])
def test_retry_after_as_a_date_counts_from_the_servers_clock(
    server: TempicoServer, connect: Connect, sleeps: list[float], ahead: int
) -> None:
    """A date means the time from the reply's own Date to it; one in the past is no wish."""
    server.fail(
        "/embeddings", Fault(status=503, headers={"retry-after": formatdate(time.time() + ahead)})
    )
    connect(wall_clock=lambda: NOON).post_json("/embeddings", BODY)
    assert sleeps == pytest.approx([ahead + 0.25 if ahead > 0 else 0.5], abs=1.1)


@pytest.mark.parametrize("status", [429, 503])
def test_long_retry_after_ends_the_request(
    server: TempicoServer, connect: Connect, sleeps: list[float], status: int
) -> None:
    """Who is asked to wait an hour doesn't: the error says until when, and that work is kept."""
    server.fail("/embeddings", Fault(status=status, headers={"retry-after": "3600"}))
    until = time.strftime("%H:%M", time.localtime(NOON + 3600))
    with pytest.raises(RateLimited, match=f"rate limited until {until}") as caught:
        connect(wall_clock=lambda: NOON).post_json("/embeddings", BODY)
    assert caught.value.retry_after == 3600
    assert caught.value.hint == f"run again after {until}; finished work is kept"
    assert (sleeps, len(server.requests)) == ([], 1)


def test_rate_limit_that_lasts_says_what_was_asked(
    server: TempicoServer, client: HttpClient
) -> None:
    """When the tries are used up, the error holds the wait that the endpoint last asked for."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "7"}), times=6)
    with pytest.raises(RateLimited) as caught:
        client.post_json("/embeddings", BODY)
    assert (caught.value.retry_after, caught.value.status) == (7.0, 429)


# Time-outs


def test_server_that_never_answers_times_out(server: TempicoServer, connect: Connect) -> None:
    """Silence is a time-out, and tried again."""
    server.fail("/embeddings", Fault(ending="hang"), times=2)
    client = connect(attempts=2, timeouts=Timeouts(read=0.1))
    with pytest.raises(ProviderTimeout):
        client.post_json("/embeddings", BODY)
    assert len(server.requests) == 2


@pytest.mark.parametrize("headers", [{"content-length": "1000"}, {}])
def test_drip_ends_at_the_total_deadline(
    server: TempicoServer, connect: Connect, headers: dict[str, str]
) -> None:
    """A reply that comes a byte at a time is ended by the total deadline, length told or not."""
    drip = Fault(pieces=[b" "] * 1000, pause_seconds=0.03, headers=headers)
    server.fail("/embeddings", drip)
    client = connect(attempts=1, timeouts=Timeouts(read=5, total=0.3))
    started = time.monotonic()
    with pytest.raises(ProviderTimeout):
        client.post_json("/embeddings", BODY)
    assert 0.25 < time.monotonic() - started < 2


def test_total_deadline_counts_from_the_request(server: TempicoServer, connect: Connect) -> None:
    """The wait for the headers is part of the total."""
    server.fail("/models", Fault(ending="hang"))
    started = time.monotonic()
    with pytest.raises(ProviderTimeout):
        connect(attempts=1, timeouts=Timeouts(total=0.2)).get_json("/models")
    assert time.monotonic() - started < 2


def test_connect_that_hangs_times_out(connect: Connect) -> None:
    """A host that takes no connection is given up after the connect time-out."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # they fill the queue that nobody empties
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        client = connect(
            base_url=f"http://127.0.0.1:{port}", attempts=2, timeouts=Timeouts(connect=0.1)
        )
        with pytest.raises(ProviderTimeout, match="connect"):
            client.get_json("/models")
        for one in waiting:
            one.close()


# Connections that fail


def test_refused_connection_names_host_and_port(connect: Connect, sleeps: list[float]) -> None:
    """A closed port is tried again, then told in one line with host and port."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(ProviderUnavailable, match=f"can't connect to 127.0.0.1:{port}"):
            connect(base_url=f"http://127.0.0.1:{port}").get_json("/models")
    assert len(sleeps) == 5


def test_unknown_host_is_told_as_such(
    connect: Connect, sleeps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that has no address is tried again, then told as that."""

    def fail(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ProviderUnavailable, match=r"no\.invalid:443 can't be resolved"):
        connect(base_url="https://no.invalid").get_json("/models")
    assert len(sleeps) == 5


def test_self_signed_certificate_is_refused_once(
    connect: Connect, sleeps: list[float], certificate: Path
) -> None:
    """A certificate that nobody vouches for ends the request: no second try, no way around it."""
    with TempicoServer(certificate=certificate) as secure:
        with pytest.raises(ProviderError, match="no secure connection") as caught:
            connect(base_url=secure.base_url).get_json("/models")
        assert (sleeps, secure.requests) == ([], [])
    assert "SSL_CERT_FILE" in caught.value.hint


def test_certificate_of_your_own_is_accepted(
    connect: Connect, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that SSL_CERT_FILE vouches for is good, and time-outs hold over TLS too."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with TempicoServer(certificate=certificate) as secure:
        secure.fail("/chat/completions", sse("data: a\n\n", ending="hang"))
        client = connect(base_url=secure.base_url, api_key=secure.key, timeouts=Timeouts(idle=0.15))
        assert client.get_json("/models")["data"]
        items = client.stream("/chat/completions", BODY, read=data_of)
        assert next(items) == "a"
        with pytest.raises(ProviderTimeout):
            next(items)
        assert client.get_json("/models")["data"]


def test_https_to_a_plain_port_is_refused_once(
    server: TempicoServer, connect: Connect, sleeps: list[float]
) -> None:
    """Https to a server that speaks http ends at once, and doesn't fall back to http."""
    with pytest.raises(ProviderError, match="no secure connection"):
        connect(base_url=server.base_url.replace("http:", "https:")).get_json("/models")
    assert (sleeps, server.requests) == ([], [])


def request_errors(root: type[httpx.RequestError]) -> Iterator[type[httpx.RequestError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from request_errors(kind)


@pytest.mark.parametrize("kind", list(request_errors(httpx.RequestError)), ids=lambda k: k.__name__)
def test_every_exception_of_httpx_becomes_ours(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, kind: type[httpx.RequestError]
) -> None:
    """Nothing of httpx gets out, with its cause kept."""

    def fail(*args: object, **options: object) -> None:
        raise kind("as it happens")

    client = connect()
    monkeypatch.setattr(httpx.Client, "send", fail)
    with pytest.raises(ProviderError) as caught:
        client.get_json("/models")
    assert isinstance(caught.value.__cause__, kind)


# Replies that are not of the contract


BODIES = {
    "an HTML page": html_page(),
    "nothing": Fault(body=b""),
    "text": Fault(body=b"ok"),
    "a list": Fault(body=b"[1]"),
    "half an object": Fault(body=b'{"data": ['),
    "bytes": Fault(body=b"\xff\xfe\x00\xd8"),
    "a bottomless list": Fault(body=b"[" * 100_000),
    "layered compression": Fault(
        body=gzip.compress(gzip.compress(b"{}")), headers={"content-encoding": "gzip, gzip"}
    ),
}


@pytest.mark.parametrize("fault", BODIES.values(), ids=BODIES)
def test_body_that_is_no_json_object_is_an_error(
    server: TempicoServer, client: HttpClient, fault: Fault
) -> None:
    """A success without a JSON object is a bad response, and asked for once."""
    server.fail("/models", fault, times=9)
    with pytest.raises(BadProviderResponse):
        client.get_json("/models")
    assert len(server.requests) == 1


def test_compressed_reply_is_read(server: TempicoServer, client: HttpClient) -> None:
    """A reply may be compressed with gzip."""
    body = gzip.compress(b'{"data": []}')
    server.fail("/models", Fault(body=body, headers={"content-encoding": "gzip"}))
    assert client.get_json("/models") == {"data": []}


def test_compression_bomb_stops_at_the_size_limit(
    server: TempicoServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small reply that unpacks to more than the limit is refused while it is unpacked."""
    monkeypatch.setattr(http_module, "MAX_RESPONSE_BYTES", 2**20)
    body = gzip.compress(b" " * 3 * 2**20)
    server.fail("/models", Fault(body=body, headers={"content-encoding": "gzip"}))
    with pytest.raises(BadProviderResponse, match="more than 1 MB"):
        client.get_json("/models")


def test_compressed_error_is_told_unless_it_is_layered(
    server: TempicoServer, client: HttpClient
) -> None:
    """An error may be compressed; one in layers, which could be a bomb, isn't unpacked."""
    once = gzip.compress(b"too bad")
    server.fail("/models", Fault(status=418, body=once, headers={"content-encoding": "gzip"}))
    twice = Fault(status=418, body=gzip.compress(once), headers={"content-encoding": "gzip, gzip"})
    server.fail("/models", twice)
    with pytest.raises(ProviderError, match="418: too bad"):
        client.get_json("/models")
    with pytest.raises(ProviderError, match="418: nothing more"):
        client.get_json("/models")


def test_error_with_status_200_is_raised(server: TempicoServer, client: HttpClient) -> None:
    """An error object in a reply that claims success is an error."""
    server.fail("/models", Fault(status=200, message="no such luck"))
    with pytest.raises(ProviderError, match="no such luck"):
        client.get_json("/models")


def test_overload_with_status_200_is_tried_again(server: TempicoServer, client: HttpClient) -> None:
    """An error object whose code speaks of overload is tried again, whatever the status."""
    server.fail("/models", Fault(status=200, code="overloaded_error"))
    assert client.get_json("/models")["data"]
    assert len(server.requests) == 2


ERROR_BODIES = {
    "OpenAI's shape": (b'{"error": {"message": "too bad"}}', "too bad"),
    "a bare string": (b'{"error": "too bad"}', "too bad"),
    "FastAPI's shape": (b'{"detail": [{"loc": ["body", "x"], "msg": "too bad"}]}', "too bad"),
    "vLLM's shape": (b'{"object": "error", "message": "too bad"}', "too bad"),
    "text": (b"too\x1b[31m bad\n", r"too \[31m bad"),
    "HTML": (b"<html>oh dear</html>", "an HTML page"),
    "nothing": (b"", "nothing more"),
    "null": (b"null", "null"),
    "bytes": (b"\xff\xfe", "\ufffd"),
}


@pytest.mark.parametrize(("body", "said"), ERROR_BODIES.values(), ids=ERROR_BODIES)
def test_error_body_of_any_shape_is_told(
    server: TempicoServer, client: HttpClient, body: bytes, said: str
) -> None:
    """What the server said is in the message, on one line, whatever shape it came in."""
    server.fail("/models", Fault(status=418, body=body))
    with pytest.raises(ProviderError, match=said) as caught:
        client.get_json("/models")
    assert str(caught.value).isprintable()


# What errors say


def test_wrong_key_is_told_by_its_header_and_name(server: TempicoServer, connect: Connect) -> None:
    """The error says which header carried the key and which variable to fix; not the key."""
    client = connect(api_key="tk-wrong-0123456789", auth="x-api-key", key_name="TEMPICO_API_KEY")
    with pytest.raises(ProviderAuthError, match="sent as x-api-key") as caught:
        client.get_json("/models")
    assert "TEMPICO_API_KEY" in caught.value.hint
    assert "tk-wrong" not in str(caught.value)
    assert len(server.requests) == 1


def test_unknown_model_is_told_with_the_command_to_run(
    server: TempicoServer, client: HttpClient
) -> None:
    """A model that the endpoint doesn't have is named, with how to list those it has."""
    with pytest.raises(ModelNotFound, match="no-such-model") as caught:
        client.post_json("/embeddings", {"model": "no-such-model", "input": ["a"]})
    assert "ragkit models" in caught.value.hint


def test_unknown_path_points_at_the_base_url(client: HttpClient) -> None:
    """A 404 that is not about a model is about the base URL."""
    with pytest.raises(ProviderError) as caught:
        client.get_json("/nowhere")
    assert "base URL" in caught.value.hint
    assert not isinstance(caught.value, ModelNotFound)


KEY = "tk+/=secret%0123456789"
ENCODED_KEYS = {
    "as it is": KEY,
    "percent-encoded": quote(KEY, safe=""),
    "base64": base64.b64encode(KEY.encode()).decode(),
}


@pytest.mark.parametrize("form", ENCODED_KEYS.values(), ids=ENCODED_KEYS)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 413, 422, 429, 500])
def test_key_that_a_server_echoes_is_not_shown(
    server: TempicoServer, connect: Connect, status: int, form: str
) -> None:
    """No error shows the key, in any encoding, even where the server's text is cut within it."""
    for padding in ("", "x" * 485):
        fault = Fault(
            status=status,
            message=f"{padding}{form} is not good",
            code=form,
            headers={"location": f"/?key={form}", "x-request-id": form},
        )
        server.fail("/models", fault)
        client = connect(api_key=KEY, attempts=1)
        with pytest.raises(ProviderError) as caught:
            client.get_json("/models")
        error = caught.value
        shown = f"{error!r} {error.hint} {error.code} {error.request_id} {client!r} {vars(error)}"
        assert form not in shown
        assert form[:6] not in shown
        assert len(str(error)) < 800


def test_body_that_echoes_the_key_is_not_shown(server: TempicoServer, connect: Connect) -> None:
    """A reply that isn't JSON is quoted without the key too."""
    server.fail("/models", Fault(body=b"you sent " + KEY.encode()))
    with pytest.raises(BadProviderResponse, match=r"you sent \[key\]"):
        connect(api_key=KEY).get_json("/models")


# Streams


def test_stream_yields_what_the_reader_makes_of_events(
    server: TempicoServer, client: HttpClient
) -> None:
    """The reader sees each event, and what it yields comes out."""
    server.fail("/chat/completions", sse("data: a\n\n", "data: b\n\n"))
    assert list(client.stream("/chat/completions", BODY, read=data_of)) == ["a", "b"]


def test_json_instead_of_a_stream_is_one_event(server: TempicoServer, client: HttpClient) -> None:
    """A body that is JSON comes as one event, even when its Content-Type says it's a stream."""
    server.fail("/chat/completions", sse(' {"a":', " 1}\n\n"))
    [data] = client.stream("/chat/completions", BODY, read=data_of)
    assert json.loads(data) == {"a": 1}


def test_html_instead_of_a_stream_is_an_error(server: TempicoServer, client: HttpClient) -> None:
    """The page of a captive portal is a bad response, not an empty answer."""
    server.fail("/chat/completions", html_page())
    with pytest.raises(BadProviderResponse, match="HTML page"):
        list(client.stream("/chat/completions", BODY, read=data_of))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503),
        Fault(ending="silent"),
        sse(b"", headers={"content-length": "10"}),
        sse(": just a comment\n\n", headers={"content-length": "100"}),
    ],
)
def test_stream_is_tried_again_before_its_first_item(
    server: TempicoServer, client: HttpClient, fault: Fault
) -> None:
    """A stream that fails before it gave anything is asked for up to three times."""
    server.fail("/chat/completions", fault, times=2)
    server.fail("/chat/completions", sse("data: a\n\n"))
    assert list(client.stream("/chat/completions", BODY, read=data_of)) == ["a"]
    assert len(server.requests) == 3


def test_stream_is_given_up_after_three_tries(server: TempicoServer, client: HttpClient) -> None:
    """Who waits for an answer is told after three tries, not six."""
    server.fail("/chat/completions", Fault(status=503), times=9)
    with pytest.raises(ProviderUnavailable):
        list(client.stream("/chat/completions", BODY, read=data_of))
    assert len(server.requests) == 3


def test_stream_is_not_tried_again_after_its_first_item(
    server: TempicoServer, client: HttpClient
) -> None:
    """What was given is given once: a stream that breaks later is an error."""
    server.fail("/chat/completions", sse("data: a\n\n", headers={"content-length": "100"}))
    items = client.stream("/chat/completions", BODY, read=data_of)
    assert next(items) == "a"
    with pytest.raises(ProviderUnavailable):
        next(items)
    assert len(server.requests) == 1


def test_stream_that_stalls_is_a_timeout(server: TempicoServer, connect: Connect) -> None:
    """Silence between pieces ends a stream; what came before it stands."""
    server.fail("/chat/completions", sse("data: a\n\n", "data: b\n\n", ending="hang"))
    client = connect(timeouts=Timeouts(first=9, idle=0.15))
    items = client.stream("/chat/completions", BODY, read=data_of)
    assert [next(items), next(items)] == ["a", "b"]
    started = time.monotonic()
    with pytest.raises(ProviderTimeout):
        next(items)
    assert time.monotonic() - started < 2


def test_first_piece_may_take_longer_than_the_next(server: TempicoServer, connect: Connect) -> None:
    """A model may think long before it writes: only then does the idle time-out count."""
    slow_start = sse(b"", b"data: a\n\n", pause_seconds=0.3)
    server.fail("/chat/completions", slow_start)
    client = connect(timeouts=Timeouts(first=5, idle=0.1), stream_attempts=1)
    assert next(client.stream("/chat/completions", BODY, read=data_of)) == "a"


def test_keep_alive_comments_keep_a_stream_alive(server: TempicoServer, connect: Connect) -> None:
    """A comment is a sign of life, though not for longer than the stream's total."""
    server.fail("/chat/completions", sse(*[": wait\n\n"] * 100, pause_seconds=0.03))
    client = connect(timeouts=Timeouts(idle=0.2, stream_total=0.5), stream_attempts=1)
    started = time.monotonic()
    with pytest.raises(ProviderTimeout):
        list(client.stream("/chat/completions", BODY, read=data_of))
    assert 0.4 < time.monotonic() - started < 2


def test_abandoned_stream_leaves_nothing_behind(server: TempicoServer, client: HttpClient) -> None:
    """Closing a stream half way closes its connection and ends its thread."""
    server.fail("/chat/completions", sse("data: a\n\n", ending="hang"))
    items = client.stream("/chat/completions", BODY, read=data_of)
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name == "ragkit-watchdog"]
    assert client.get_json("/models")["data"]
