"""What goes wrong around a server: clients that leave, endpoints that die, too many at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.cli.conftest import FERRY
from tests.server.conftest import QUESTION, SENTENCE
from tests.server.loopback import Caller
from tests.server.serving import Running, environment, running, settings
from tests.server.test_tasks import TITLE
from tests.tempico import CHAT_MODEL, Fault, TempicoServer

LEAVING_SECONDS = 2.0  # in which a client that leaves ends what it began
ENDLESS = "and so on, " * 3000  # 30,000 characters without the end of a sentence


def chat(model: str = "ragkit", *, stream: bool = True, **ragkit: Any) -> dict[str, Any]:
    asked = [{"role": "user", "content": QUESTION}]
    return {"model": model, "messages": asked, "stream": stream, "ragkit": ragkit}


def ask(server: Running, body: object) -> Caller:
    """Send a chat request over a connection that the test holds in its hand."""
    content = json.dumps(body).encode()
    where = urlsplit(server.address)
    assert where.port
    caller = Caller(where.port)
    caller.say(
        f"POST /v1/chat/completions HTTP/1.1\nHost: {where.netloc}\n"
        f"Content-Type: application/json\nContent-Length: {len(content)}",
        content,
    )
    return caller


def within(seconds: float, holds: Callable[[], object]) -> bool:
    """Whether something holds before the time is over."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def slow(tempico: TempicoServer) -> Iterator[TempicoServer]:
    """The endpoint, with an answer that takes minutes."""
    tempico.reply = lambda body: f"{SENTENCE} [1]. But {ENDLESS}"
    tempico.piece_seconds = 0.03
    tempico.left.clear()
    yield tempico
    tempico.piece_seconds = 0.0


# --- clients that leave -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        (chat(events=True), b'"event":"sentence"'),
        (chat(CHAT_MODEL), SENTENCE[:9].encode()),
    ],
    ids=["an answer", "a model of the endpoint"],
)
def test_a_client_that_leaves_in_the_middle(
    api: Running, slow: TempicoServer, body: object, mark: bytes
) -> None:
    """The endpoint writes no more of what nobody reads, and the place is free for others."""
    with ask(api, body) as caller:
        caller.read_until(mark)
        assert api.service.answers.slots.in_use == 1
        assert not slow.left
    assert within(LEAVING_SECONDS, lambda: slow.left)
    assert within(LEAVING_SECONDS, lambda: not api.service.answers.slots.in_use)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_before_there_is_anything(
    api: Running, slow: TempicoServer, stream: bool
) -> None:
    slow.reply = lambda body: ENDLESS
    with ask(api, chat(stream=stream)):
        assert within(10, lambda: slow.requests_to("/chat/completions"))
        assert not slow.left
    assert within(LEAVING_SECONDS, lambda: slow.left)
    assert within(LEAVING_SECONDS, lambda: not api.service.answers.slots.in_use)


# --- an endpoint that dies ----------------------------------------------------------------------


@pytest.mark.parametrize("model", ["ragkit", CHAT_MODEL])
def test_an_endpoint_that_dies_ends_the_stream_with_an_error(
    api: Running, tempico: TempicoServer, model: str
) -> None:
    """The last event is the error, so that nobody takes the half for the whole."""
    said = json.dumps({"choices": [{"index": 0, "delta": {"content": f"{SENTENCE} [1]. And"}}]})
    broken = Fault(pieces=[f"data: {said}\n\n".encode()], content_type="text/event-stream")
    tempico.fail("/chat/completions", broken)
    reply = httpx.post(f"{api.base_url}/chat/completions", json=chat(model), timeout=30)
    assert SENTENCE in reply.text
    last = reply.text.strip().split("\n\n")[-1]
    error = json.loads(last.removeprefix("data: "))["error"]
    assert error["message"]
    assert error["type"] == "server_error"
    assert "[DONE]" not in reply.text


# --- too many at once ---------------------------------------------------------------------------


def test_more_searches_than_may_wait(api: Running, tempico: TempicoServer) -> None:
    """Of fifty at once each is answered, or told when to come back; then there is room again."""
    chosen = settings(tempico, server_waiting=5)
    folder = api.index.path.parent
    with (
        running(api.index.path, chosen, environment(folder, tempico)) as server,
        httpx.Client(base_url=server.address, timeout=30) as client,
    ):

        def search(number: int) -> httpx.Response:
            query = {"query": f"umbrellas {number}", "mode": "semantic"}
            return client.post("/v1/search", json=query)

        assert search(0).status_code == 200
        tempico.latency_seconds = 0.1
        try:
            with ThreadPoolExecutor(50) as pool:
                replies = list(pool.map(search, range(1, 51)))
        finally:
            tempico.latency_seconds = 0.0
        assert {reply.status_code for reply in replies} == {200, 429}
        refused = [reply for reply in replies if reply.status_code == 429]
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        assert search(51).status_code == 200


def test_more_answers_than_may_be_under_way(api: Running, slow: TempicoServer) -> None:
    """Answers have no queue: the client is told when to come back, and then finds a place."""
    chosen = settings(slow, server_answers=1)
    environ = environment(api.index.path.parent, slow)
    with running(api.index.path, chosen, environ) as server:
        with ask(server, chat(events=True)) as caller:
            caller.read_until(b'"event":"sentence"')
            reply = httpx.post(f"{server.base_url}/chat/completions", json=chat(), timeout=30)
            assert (reply.status_code, reply.json()["error"]["code"]) == (429, "busy")
            assert int(reply.headers["retry-after"]) >= 1
        assert within(LEAVING_SECONDS, lambda: not server.service.answers.slots.in_use)
        slow.piece_seconds = 0.0
        reply = httpx.post(f"{server.base_url}/chat/completions", json=chat(), timeout=30)
        assert reply.status_code == 200


# --- names that are no ids ----------------------------------------------------------------------


@pytest.mark.parametrize("rest", ["", "/original", "/pages/1.png"])
@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2fetc%2fpasswd",
        "..%5c..%5cboot.ini",
        "index.db%00.md",
        "ferry.md",
        "%2e%2e",
        "file:%2F%2F%2Fetc%2Fpasswd",
    ],
)
def test_a_path_is_no_id(api: Running, name: str, rest: str) -> None:
    """Documents are had by their ids alone, and no file by its name."""
    with Caller(urlsplit(api.address).port or 0) as caller:
        caller.say(
            f"GET /v1/documents/{name}{rest} HTTP/1.1\n"
            f"Host: {urlsplit(api.address).netloc}\nConnection: close"
        )
        assert caller.rest().startswith(b"HTTP/1.1 404 ")


# --- a server of its own ------------------------------------------------------------------------


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[httpx.Client]:
    """A server without an endpoint, and without an index yet; uploads are 1 MB at most."""
    chosen = settings(server_upload_mb=1, keep_conversations=True)
    with (
        running(tmp_path / "index.db", chosen, environment(tmp_path)) as server,
        httpx.Client(base_url=server.address, timeout=30) as client,
    ):
        yield client


def uploaded(client: httpx.Client, *files: tuple[str, bytes], **data: str) -> list[dict[str, Any]]:
    """Upload files, wait until all are in, and return how they stand."""
    sent = client.post("/v1/documents", files=[("file", each) for each in files], data=data)
    assert sent.status_code == 202, sent.text
    ended = []
    for each in sent.json()["data"]:
        *changes, done, rest = client.get(f"/v1/uploads/{each['id']}/events").text.split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        ended.append(json.loads(changes[-1].removeprefix("data: ")))
    return ended


def test_before_there_is_an_index(alone: httpx.Client) -> None:
    """Everything can be looked at, questions say what to do, and an upload makes the index."""
    for path in ("index", "models", "documents", "uploads", "conversations"):
        assert alone.get(f"/v1/{path}").status_code == 200, path
    for path in ("documents/abc", "conversations/abc", "uploads/abc", "models/abc"):
        assert alone.get(f"/v1/{path}").status_code in (404, 503), path
    for path, body in (("search", {"query": "dogs"}), ("chat/completions", chat(stream=False))):
        reply = alone.post(f"/v1/{path}", json=body)
        assert (reply.status_code, reply.json()["error"]["code"]) == (503, "index-not-found")
        assert "ragkit ingest" in reply.json()["error"]["hint"]
    (done,) = uploaded(alone, ("ferry.md", FERRY.encode()))
    assert (done["state"], done["result"]) == ("done", "added")
    hits = alone.post("/v1/search", json={"query": "dogs on a lead"}).json()["hits"]
    assert hits[0]["document_id"] == done["document_id"]


def test_several_files_with_hostile_names(alone: httpx.Client) -> None:
    """Each is a document of its own, under a name that is a path nowhere."""
    names = ["../../etc/cron.d/evil.md", "C:\\notes\\b.md", "<img src=x onerror=alert(1)>.md"]
    files = [(name, f"# Note\n\n{name} number {at}.".encode()) for at, name in enumerate(names)]
    ended = uploaded(alone, *files)
    assert [each["state"] for each in ended] == ["done"] * 3
    assert [each["filename"] for each in ended[:2]] == ["evil.md", "b.md"]
    uris = [each["uri"] for each in alone.get("/v1/documents").json()["data"]]
    assert len(uris) == 3
    assert all(uri.startswith("upload:") and ".." not in uri for uri in uris)


@pytest.mark.parametrize("size", [1_000_001, 2_000_000, 4_000_000])
def test_an_upload_that_is_too_large(alone: httpx.Client, size: int) -> None:
    """A little or a lot, the status is the same, and no file of the request is kept."""
    files = [("file", ("ferry.md", FERRY.encode())), ("file", ("big.txt", b"a" * size))]
    reply = alone.post("/v1/documents", files=files)
    assert reply.status_code == 413
    assert "server_upload_mb" in reply.json()["error"]["hint"]
    assert alone.get("/v1/uploads").json()["data"] == []


def test_a_document_that_is_taken_out(alone: httpx.Client) -> None:
    (done,) = uploaded(alone, ("ferry.md", FERRY.encode()))
    where = f"/v1/documents/{done['document_id']}"
    assert alone.get(where).status_code == 200
    assert alone.get(f"{where}/original").content == FERRY.encode()
    assert alone.delete(where).json()["deleted"]
    for gone in (where, f"{where}/original"):
        assert alone.get(gone).status_code == 404
    assert alone.delete(where).status_code == 404
    assert alone.get("/v1/index").json()["documents"] == 0


def test_a_conversation_is_kept_where_it_is_asked_for(alone: httpx.Client) -> None:
    """A new one has an id to go on with; without one nothing is stored."""
    uploaded(alone, ("ferry.md", FERRY.encode()))
    body = chat(stream=False)
    assert alone.post("/v1/chat/completions", json=body).json()["ragkit"]["conversation"] == ""
    assert alone.get("/v1/conversations").json()["data"] == []
    body["ragkit"] = {"conversation": "new"}
    first = alone.post("/v1/chat/completions", json=body).json()["ragkit"]
    body["ragkit"] = {"conversation": first["conversation"]}
    second = alone.post("/v1/chat/completions", json=body).json()["ragkit"]
    assert (second["conversation"], second["turn"]) == (first["conversation"], 2)
    where = f"/v1/conversations/{first['conversation']}"
    assert [turn["question"] for turn in alone.get(where).json()["turns"]] == [QUESTION] * 2
    assert alone.delete(where).json()["deleted"]
    assert alone.get(where).status_code == 404
    assert alone.post("/v1/chat/completions", json=body).status_code == 404


@pytest.mark.parametrize("stream", [True, False])
def test_hidden_tasks_without_a_chat_model(alone: httpx.Client, stream: bool) -> None:
    """They are answered at once, before there is an index too, and cite nothing."""
    body = {**chat(stream=stream), "messages": [{"role": "user", "content": TITLE}]}
    reply = alone.post("/v1/chat/completions", json=body)
    assert reply.status_code == 200
    if stream:
        *chunks, done, _ = reply.text.split("\n\n")
        choices = [json.loads(each.removeprefix("data: "))["choices"] for each in chunks]
        told = "".join(each[0]["delta"].get("content", "") for each in choices)
        assert done == "data: [DONE]"
    else:
        told = reply.json()["choices"][0]["message"]["content"]
    assert json.loads(told)["title"].startswith("What does the ferry cost")
