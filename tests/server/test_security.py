"""Who gets past the guard, and what every reply carries."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ragkit.access_keys import FILE, AccessKeys
from ragkit.errors import IndexBusy, QueryError, StorageFull
from ragkit.server.rules import MIB, Rules
from ragkit.server.security import CONTENT_SECURITY_POLICY, Guard

from .loopback import Caller, ask, parsed, served

Environ = dict[str, str]
JSON = {"content-type": "application/json"}
PAGE = "https://notes.example.org"


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    return {"HOME": str(tmp_path)}


@pytest.fixture
def keys(environ: Environ) -> AccessKeys:
    return AccessKeys(environ)


class App:
    """An app that says what it got; what it is to do instead can be put into `act`."""

    def __init__(self) -> None:
        self.requests = 0
        self.act: Callable[[Request], Any] = lambda _request: None
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.requests += 1
        acted = self.act(request)
        if acted is not None:
            await acted(scope, receive, send)
            return
        body = await request.body()
        told = {
            "bytes": len(body),
            "request_id": request.state.request_id,
            "key_name": request.state.key_name,
            "scopes": list(request.state.scopes),
        }
        await JSONResponse(told, headers=self.headers)(scope, receive, send)


@pytest.fixture
def app() -> App:
    return App()


def guarded(app: ASGIApp, keys: AccessKeys, **rules: Any) -> Guard:
    return Guard(app, Rules(**rules), keys)


def refused(reply: httpx.Response) -> tuple[int, str]:
    """Return the status and code of an error, which has to be of OpenAI's shape."""
    error = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code", "hint"}
    assert error["message"]
    return reply.status_code, error["code"]


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:1", "127.0.0.1:9", "[::1]:8484", "[::1]", "nas", "nas:1", "box:81"],
)
def test_its_own_names(app: App, keys: AccessKeys, host: str) -> None:
    """This machine's names go with any port, a name of the settings too, or with its own one."""
    guard = guarded(app, keys, hosts=frozenset({*Rules().hosts, "nas", "box:81"}))
    assert ask(guard, "GET", "/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "localhost.evil.com",
        "evil.com:8484",
        "127.0.0.1.nip.io",
        "localhost@evil.com",
        "localhost:8484/x",
        "localhost, evil.com",
        "box:82",
        "box",
        "",
    ],
)
def test_a_name_that_is_not_its_own(app: App, keys: AccessKeys, host: str) -> None:
    """A page whose name was made to point at this machine gets 421, and the app isn't asked."""
    guard = guarded(app, keys, hosts=frozenset({*Rules().hosts, "box:81"}))
    for path in ("/", "/v1/models"):
        assert refused(ask(guard, "GET", path, headers={"host": host})) == (421, "host")
    assert app.requests == 0


def test_no_name_at_all(app: App, keys: AccessKeys) -> None:
    """A request without Host, as HTTP/1.0 allows it, is one to an unknown name."""
    with served(guarded(app, keys)) as port, Caller(port) as caller:
        caller.say("GET /v1/models HTTP/1.0")
        assert parsed(caller.rest())[0] == 421


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["https://evil.com", "null", "", "http://localhost", "https://localhost:8484", "http://nas"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_of_somebody_else(app: App, keys: AccessKeys, method: str, origin: str) -> None:
    """Pages from elsewhere, from another port, or without an origin of their own get 403."""
    guard = guarded(app, keys, origins=frozenset({PAGE}))
    reply = ask(guard, method, "/v1/models", headers={"origin": origin, **JSON})
    assert refused(reply) == (403, "origin")
    assert "access-control-allow-origin" not in reply.headers
    assert app.requests == 0


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8484", "http://localhost:8484"),
        ("localhost:80", "http://localhost"),
        ("LOCALHOST:8484", "http://localhost:8484"),
    ],
)
def test_its_own_page(app: App, keys: AccessKeys, host: str, origin: str) -> None:
    """The page that the server itself gave out may ask, and needs no CORS for it."""
    reply = ask(
        guarded(app, keys), "POST", "/v1/search", headers={"host": host, "origin": origin, **JSON}
    )
    assert reply.status_code == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_a_page_that_is_named(app: App, keys: AccessKeys) -> None:
    """A page of the setting server_origins may ask and read, by its exact name alone."""
    guard = guarded(app, keys, origins=frozenset({PAGE}))
    reply = ask(guard, "POST", "/v1/search", headers={"origin": PAGE, **JSON})
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "origin" in reply.headers["vary"].lower()
    assert "access-control-allow-credentials" not in reply.headers
    plain = ask(guard, "GET", "/v1/models")
    assert "access-control-allow-origin" not in plain.headers
    assert plain.headers["vary"] == "Origin"


def test_a_named_page_can_read_its_refusals(app: App, keys: AccessKeys) -> None:
    """An error is no less readable for a page that may ask."""
    keys.add("ci")
    reply = ask(
        guarded(app, keys, origins=frozenset({PAGE})), "GET", "/v1/models", headers={"origin": PAGE}
    )
    assert refused(reply) == (401, "invalid_api_key")
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert "x-request-id" in reply.headers["access-control-expose-headers"]


def test_the_question_before_a_request(app: App, keys: AccessKeys) -> None:
    """A preflight of a named page is answered without a key, with the headers that it asks for."""
    keys.add("ci")
    guard = guarded(app, keys, origins=frozenset({PAGE}))
    asked = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type, x-stainless-os",
    }
    reply = ask(guard, "OPTIONS", "/v1/chat/completions", headers=asked)
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["access-control-allow-origin"] == PAGE
    assert reply.headers["access-control-allow-methods"] == "GET, POST, DELETE"
    assert reply.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
    assert app.requests == 0


# --- bodies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
        "application/jsonp",
        None,
    ],
)
def test_only_json(app: App, keys: AccessKeys, method: str, media_type: str | None) -> None:
    """What a web page may send without being asked first gets 415 (CSRF)."""
    headers = {} if media_type is None else {"content-type": media_type}
    reply = ask(guarded(app, keys), method, "/v1/search", content=b"{}", headers=headers)
    assert refused(reply) == (415, "content_type")
    assert app.requests == 0


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_in_other_spellings(app: App, keys: AccessKeys, media_type: str) -> None:
    """Parameters and capitals don't make it something else."""
    reply = ask(
        guarded(app, keys),
        "POST",
        "/v1/search",
        content=b"{}",
        headers={"content-type": media_type},
    )
    assert reply.status_code == 200


def test_forms_are_for_uploads(app: App, keys: AccessKeys) -> None:
    """A form is taken where files come in, and nowhere else."""
    guard = guarded(app, keys)
    assert ask(guard, "POST", "/v1/documents", files={"file": b"x"}).status_code == 200
    assert ask(guard, "POST", "/v1/documents/", files={"file": b"x"}).status_code == 415


def test_delete_has_no_body(app: App, keys: AccessKeys) -> None:
    """DELETE needs no content-type, and no body is taken with it."""
    guard = guarded(app, keys)
    assert ask(guard, "DELETE", "/v1/documents/a").status_code == 200
    assert refused(ask(guard, "DELETE", "/v1/documents/a", content=b"x")) == (400, "body")


def test_a_body_that_is_too_large(app: App, keys: AccessKeys) -> None:
    """5 MB get 413; the limit itself is let through, and uploads have one of their own."""
    guard = guarded(app, keys, upload_bytes=6 * MIB)
    large = bytes(5 * MIB)
    assert refused(ask(guard, "POST", "/v1/search", content=large, headers=JSON)) == (
        413,
        "too_large",
    )
    whole = ask(guard, "POST", "/v1/search", content=large[: 4 * MIB], headers=JSON)
    assert whole.json()["bytes"] == 4 * MIB
    assert ask(guard, "POST", "/v1/documents", files={"file": large}).status_code == 200
    assert ask(guard, "POST", "/v1/documents", files={"file": large + large}).status_code == 413
    assert app.requests == 2


def test_a_large_body_over_a_connection(app: App, keys: AccessKeys) -> None:
    """The client has sent it all when the refusal comes, and can read it; then it's closed."""
    with served(guarded(app, keys)) as port:
        reply = httpx.post(
            f"http://127.0.0.1:{port}/v1/search", content=bytes(20 * MIB), headers=JSON
        )
    assert refused(reply) == (413, "too_large")
    assert reply.headers["connection"] == "close"
    assert app.requests == 0


def test_a_large_body_without_a_length(app: App, keys: AccessKeys) -> None:
    """What comes is counted: a body in pieces is cut off at the limit, not read to its end."""
    piece = b"1000\r\n" + bytes(4096) + b"\r\n"
    guard = guarded(app, keys, body_bytes=MIB, linger_seconds=0.1)
    with served(guard) as port, Caller(port) as caller:
        caller.say(
            "POST /v1/search HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
            "Transfer-Encoding: chunked",
            piece * 300,
        )
        status, headers, body = parsed(caller.rest())  # the end of the body was never sent
    assert (status, body["error"]["code"]) == (413, "too_large")
    assert headers["connection"] == "close"


def test_a_promise_of_too_much(app: App, keys: AccessKeys) -> None:
    """A client that waits to be told to go on is told not to, before it sends anything."""
    with served(guarded(app, keys)) as port, Caller(port) as caller:
        caller.say(
            "POST /v1/search HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
            "Expect: 100-continue\nContent-Length: 99999999999"
        )
        assert caller.read_until(b"\r\n").startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come(app: App, keys: AccessKeys) -> None:
    """A request that stops half way is not waited for for ever."""
    guard = guarded(app, keys, idle_seconds=0.1, linger_seconds=0.1)
    with served(guard) as port, Caller(port) as caller:
        caller.say(
            "POST /v1/search HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
            "Content-Length: 10",
            b"{",
        )
        status, _, body = parsed(caller.rest())
    assert (status, body["error"]["code"]) == (408, "timeout")


def test_a_refused_body_ends_the_connection(app: App, keys: AccessKeys) -> None:
    """A refusal that comes before the body is sent is read by the client, whole."""
    keys.add("ci")
    with served(guarded(app, keys)) as port:
        reply = httpx.post(
            f"http://127.0.0.1:{port}/v1/search", content=bytes(3 * MIB), headers=JSON
        )
    assert refused(reply) == (401, "invalid_api_key")


# --- keys ---------------------------------------------------------------------------------------


def test_no_key_is_needed_where_there_is_none(app: App, keys: AccessKeys) -> None:
    """On this machine all is open; a key that a client sends all the same is passed over."""
    guard = guarded(app, keys)
    for headers in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer x"}):
        told = ask(guard, "GET", "/v1/models", headers=headers).json()
        assert (told["key_name"], told["scopes"]) == ("", ["read", "write"])


@pytest.mark.parametrize(
    "form", ["Authorization: Bearer {}", "authorization: bearer {}", "X-Api-Key: {}"]
)
def test_a_key_opens(app: App, keys: AccessKeys, form: str) -> None:
    """A key counts in either header, and the app is told whose it is."""
    _, secret = keys.add("ci", ["read"])
    name, _, value = form.format(secret).partition(": ")
    told = ask(guarded(app, keys), "GET", "/v1/models", headers={name: value}).json()
    assert (told["key_name"], told["scopes"]) == ("ci", ["read"])


def test_the_same_key_twice(app: App, keys: AccessKeys) -> None:
    """Some clients send their key in both headers."""
    _, secret = keys.add("ci")
    both = {"authorization": f"Bearer {secret}", "x-api-key": secret}
    assert ask(guarded(app, keys), "GET", "/v1/models", headers=both).status_code == 200
    both["x-api-key"] = "other"
    reply = ask(guarded(app, keys), "GET", "/v1/models", headers=both)
    assert refused(reply) == (401, "invalid_api_key")
    assert "two different keys" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer "},
        {"authorization": "Bearer rk-wrong"},
        {"authorization": "Basic {}"},
        {"authorization": "{}"},
        {"x-api-key": "\xff"},
    ],
)
def test_no_key_or_a_wrong_one(app: App, keys: AccessKeys, headers: dict[str, str]) -> None:
    """401, with the header that says how to come in."""
    _, secret = keys.add("ci")
    sent = {name: value.format(secret).encode("latin-1") for name, value in headers.items()}
    reply = ask(guarded(app, keys), "GET", "/v1/models", headers=sent)
    assert refused(reply) == (401, "invalid_api_key")
    assert reply.json()["error"]["type"] == "authentication_error"
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert secret not in reply.text
    assert app.requests == 0


@pytest.mark.parametrize("path", ["/", "/assets/page.js", "/healthz", "/openapi.json"])
def test_what_is_open(app: App, keys: AccessKeys, path: str) -> None:
    """The page and what describes the server can be had without a key, and only be had."""
    keys.add("ci")
    guard = guarded(app, keys)
    assert ask(guard, "GET", path).status_code == 200
    assert ask(guard, "HEAD", path).status_code == 200
    assert ask(guard, "POST", path, headers=JSON).status_code == 401


@pytest.mark.parametrize("path", ["/v1/models", "/assets", "/healthz/", "/x//", "/v1/index"])
def test_what_is_not_open(app: App, keys: AccessKeys, path: str) -> None:
    """All else takes a key, whether it exists or not."""
    keys.add("ci")
    assert ask(guarded(app, keys), "GET", path).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [
        ("GET", "/v1/documents", "read"),
        ("POST", "/v1/chat/completions", "read"),
        ("POST", "/v1/documents", "write"),
        ("POST", "/v1/documents/", "write"),
        ("DELETE", "/v1/documents/a", "write"),
        ("DELETE", "/v1/conversations/a", "write"),
        ("PUT", "/v1/documents/a", "write"),
        ("PATCH", "/v1/documents/a", "write"),
    ],
)
def test_scopes(app: App, keys: AccessKeys, method: str, path: str, needs: str) -> None:
    """A key for reading changes nothing; the refusal names the scope that is missing."""
    guard = guarded(app, keys)
    _, reader = keys.add("reader", ["read"])
    _, writer = keys.add("writer", ["write"])
    headers = {} if method in ("GET", "DELETE") else JSON
    for secret, scope in ((reader, "read"), (writer, "write")):
        reply = ask(guard, method, path, headers={"x-api-key": secret, **headers})
        if scope == needs:
            assert reply.status_code == 200
        else:
            assert refused(reply) == (403, "scope")
            assert needs in reply.json()["error"]["message"]


def test_a_removed_key_is_locked_out_at_once(app: App, keys: AccessKeys, environ: Environ) -> None:
    """A server that runs sees what another process does to the keys with its next request."""
    guard = guarded(app, AccessKeys(environ))
    _, secret = keys.add("ci")
    headers = {"x-api-key": secret}
    assert ask(guard, "GET", "/v1/models").status_code == 401
    assert ask(guard, "GET", "/v1/models", headers=headers).status_code == 200
    keys.remove("ci")
    assert ask(guard, "GET", "/v1/models", headers=headers).status_code == 401
    assert ask(guard, "GET", "/v1/models").status_code == 401  # and doesn't open by that


def test_a_server_for_others_needs_a_key(app: App, keys: AccessKeys) -> None:
    """Where others can reach the server nobody gets in without a key, though there is none."""
    reply = ask(guarded(app, keys, needs_key=True), "GET", "/v1/models")
    assert refused(reply) == (401, "invalid_api_key")


def test_damaged_keys_let_nobody_in(
    app: App, keys: AccessKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with what to do; where the file lies is told in the log alone."""
    _, secret = keys.add("ci")
    path = tmp_path / ".config" / "ragkit" / FILE
    path.write_text("{", encoding="utf-8")
    for headers in ({}, {"x-api-key": secret}):
        reply = ask(guarded(app, keys), "GET", "/v1/models", headers=headers)
        assert refused(reply) == (503, "config")
        assert FILE not in reply.text
    assert str(path) in caplog.text
    assert app.requests == 0


# --- pace ---------------------------------------------------------------------------------------


def test_too_many_requests(app: App, keys: AccessKeys) -> None:
    """A key that asks too often gets 429 and is told when to come back; other keys go on."""
    secrets = [keys.add(name)[1] for name in ("a", "b")]
    guard = guarded(app, keys, requests_per_minute=2.0)

    def status(secret: str) -> int:
        return ask(guard, "GET", "/v1/models", headers={"x-api-key": secret}).status_code

    assert [status(secrets[0]) for _ in range(3)] == [200, 200, 429]
    assert status(secrets[1]) == 200
    reply = ask(guard, "GET", "/v1/models", headers={"x-api-key": secrets[0]})
    assert refused(reply) == (429, "rate_limit_exceeded")
    assert reply.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(reply.headers["retry-after"]) <= 30
    assert ask(guard, "GET", "/healthz").status_code == 200


def test_too_many_requests_of_an_address(app: App, keys: AccessKeys) -> None:
    """Without keys it is the client's address that counts, whatever key it makes up."""
    guard = guarded(app, keys, requests_per_minute=1.0)
    assert ask(guard, "GET", "/v1/models").status_code == 200
    assert ask(guard, "GET", "/v1/models", headers={"x-api-key": "new"}).status_code == 429


# --- replies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/", {}), ("/v1/models", {}), ("/v1/models", {"host": "evil.com"}), ("/v1/boom", {})],
)
def test_headers_of_every_reply(
    app: App, keys: AccessKeys, path: str, headers: dict[str, str]
) -> None:
    """Pages, results, refusals and bugs come with the same protection."""

    def act(request: Request) -> None:
        if request.url.path == "/v1/boom":
            raise RuntimeError("boom")

    app.act = act
    app.headers = {"content-security-policy": "default-src *"}
    reply = ask(guarded(app, keys), "GET", path, headers=headers)
    assert reply.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cross-origin-opener-policy"] == "same-origin"
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert len(reply.headers["x-request-id"]) == 32
    assert reply.headers.get("cache-control") == ("no-store" if path != "/" else None)


def test_the_app_may_say_how_long_to_keep(app: App, keys: AccessKeys) -> None:
    """no-store is for what the app says nothing about."""
    app.headers = {"cache-control": "no-cache"}
    reply = ask(guarded(app, keys), "GET", "/v1/models")
    assert reply.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("abc-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ('"', False)],
)
def test_request_ids(app: App, keys: AccessKeys, given: str, is_taken: bool) -> None:
    """A client's id is taken over where it is short and plain, and the app is told it."""
    reply = ask(guarded(app, keys), "GET", "/v1/models", headers={"x-request-id": given})
    assert (reply.headers["x-request-id"] == given) is is_taken
    assert reply.json()["request_id"] == reply.headers["x-request-id"]


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status", "code", "is_logged"),
    [
        (QueryError("no such mode"), 400, "query", False),
        (IndexBusy("process 1 is writing"), 503, "index-busy", True),
        (StorageFull("secret.txt: full"), 507, "storage", True),
        (OSError(28, "No space left"), 507, "storage", True),
        (RuntimeError("secret.txt"), 500, "internal", True),
    ],
)
def test_what_the_app_raises(
    app: App,
    keys: AccessKeys,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    code: str,
    is_logged: bool,
) -> None:
    """An error is answered in OpenAI's shape, and logged once where it is the server's own."""

    def act(_request: Request) -> None:
        raise error

    app.act = act
    reply = ask(guarded(app, keys), "GET", "/v1/models", headers={"x-request-id": "id-1"})
    assert refused(reply) == (status, code)
    assert ["id-1" in record.getMessage() for record in caplog.records] == [True] * is_logged
    assert not [record for record in caplog.records if "secret.txt" in record.getMessage()]
    assert status != 500 or "secret.txt" not in reply.text


def test_an_error_in_the_middle_of_a_stream(
    app: App, keys: AccessKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """It is too late for a status: the connection ends short, and the log says why."""

    async def pieces() -> Any:
        yield b"one"
        raise RuntimeError("boom")

    app.act = lambda _request: StreamingResponse(pieces())
    with served(guarded(app, keys)) as port, Caller(port) as caller:
        caller.say("GET /v1/stream HTTP/1.1\nHost: localhost\nX-Request-Id: id-1")
        got = caller.rest()
    assert b"one" in got
    assert not got.endswith(b"0\r\n\r\n")
    ours = [each for each in caplog.records if each.name == "ragkit.server.security"]
    assert [(each.levelname, "id-1" in each.getMessage()) for each in ours] == [("ERROR", True)]


def test_a_client_that_leaves_while_it_sends(
    app: App, keys: AccessKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no error of the server's, and the next client is served."""
    ended = threading.Event()
    guard = guarded(app, keys)

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await guard(scope, receive, send)
        finally:
            ended.set()

    with served(watched) as port:
        with Caller(port) as caller:
            caller.say(
                "POST /v1/search HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
                "Content-Length: 10",
                b"{",
            )
        assert ended.wait(10)
        assert httpx.get(f"http://127.0.0.1:{port}/v1/models").status_code == 200
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_there_are_no_web_sockets(app: App, keys: AccessKeys) -> None:
    """A WebSocket would pass by the checks of requests, so none is opened."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guarded(app, keys)({"type": "websocket", "path": "/"}, receive, send))
    assert [each["type"] for each in sent] == ["websocket.close"]
    assert app.requests == 0
