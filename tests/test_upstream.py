"""What stands behind an index: chat requests are passed on as they are, and texts embedded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragkit import Index, Settings, SqliteStore, config
from ragkit.errors import (
    BadProviderResponse,
    ConfigError,
    ModelNotFound,
    ProviderError,
    ProviderUnavailable,
    QueryError,
)
from ragkit.providers.local import MiniLM
from ragkit.testing import HashEmbedder, ScriptedChat
from ragkit.types import Usage
from tests.documents import FERRY
from tests.tempico import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    Fault,
    TempicoServer,
    embedding_of,
    sse,
)

REQUEST = {
    "model": CHAT_MODEL,
    "messages": [{"role": "user", "content": "When does it leave?"}],
    "tools": [{"type": "function", "function": {"name": "look"}}],
    "odd": {"field": [1]},
}
REPLY = "It leaves at nine in the morning."
TEXTS = ["the ferry leaves at nine", "bread is baked"]


@pytest.fixture
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        running.reply = lambda body: REPLY
        yield running


def opened(tmp_path: Path, server: TempicoServer | None = None, **overrides: Any) -> Index:
    """Return an index, with the endpoint of a server or with none."""
    environ = {"HOME": str(tmp_path)}
    if server is not None:
        environ |= {"TEMPICO_BASE_URL": server.base_url, "TEMPICO_API_KEY": server.key}
    settings = config.resolve(overrides, environ=environ, cwd=tmp_path)
    return Index.open(tmp_path / "index.db", settings, environ=environ)


@pytest.fixture
def index(tmp_path: Path, server: TempicoServer) -> Iterator[Index]:
    """An index that isn't there yet, with an endpoint."""
    with opened(tmp_path, server) as made:
        yield made


# --- chat --------------------------------------------------------------------------------------


def test_a_request_is_passed_on_as_it_stands(server: TempicoServer, index: Index) -> None:
    """Fields that ragkit doesn't know go along, and the reply comes back with all of its own."""
    given = {**REQUEST, "stream": True, "stream_options": {"include_usage": True}}
    server.fail("/chat/completions", Fault(edit=lambda reply: {**reply, "system_fingerprint": "f"}))
    reply = index.upstream.complete(given)
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": REPLY}
    assert (reply["usage"]["completion_tokens"], reply["system_fingerprint"]) == (7, "f")
    [request] = server.requests
    assert request.body == {**REQUEST, "stream": False}


def test_a_stream_is_passed_on_chunk_by_chunk(server: TempicoServer, index: Index) -> None:
    """The chunks come as the endpoint wrote them, up to the end mark, which isn't one."""
    chunks = list(index.upstream.complete_stream(REQUEST))
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in chunks) == REPLY
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    [request] = server.requests
    assert request.body == {**REQUEST, "stream": True}


def test_the_usage_of_a_stream_comes_if_asked_for(server: TempicoServer, index: Index) -> None:
    """It is the last chunk, without choices; nobody who didn't ask for it gets it."""
    asking = {**REQUEST, "stream_options": {"include_usage": True}}
    *_, last = index.upstream.complete_stream(asking)
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 7)
    assert all("usage" not in chunk for chunk in index.upstream.complete_stream(REQUEST))


def test_a_server_that_cannot_stream(server: TempicoServer, index: Index) -> None:
    """Its whole reply comes as one chunk: who reads deltas isn't left with an empty answer."""
    server.ignores_streaming = True
    [chunk] = index.upstream.complete_stream(REQUEST)
    assert chunk["object"] == "chat.completion.chunk"
    assert chunk["choices"] == [
        {
            "index": 0,
            "delta": {"role": "assistant", "content": REPLY},
            "finish_reason": "stop",
        }
    ]


def test_an_error_keeps_the_endpoints_words(server: TempicoServer, index: Index) -> None:
    """Its status, code and the field that it complains of can be told on."""
    error = {"message": "too hot", "type": "invalid_request_error", "param": "temperature"}
    body = b'{"error": {"message": "too hot", "param": "temperature", "code": "out_of_range"}}'
    server.fail("/chat/completions", Fault(status=400, body=body))
    with pytest.raises(ProviderError, match="too hot") as caught:
        index.upstream.complete(REQUEST)
    told = caught.value
    assert (told.status, told.reported_code, told.reported_param) == (
        400,
        "out_of_range",
        "temperature",
    )
    server.fail("/chat/completions", Fault(edit=lambda _reply: {"error": error}))
    with pytest.raises(ProviderError, match="too hot") as caught:
        index.upstream.complete(REQUEST)
    assert (caught.value.reported_code, caught.value.reported_param) == ("", "temperature")
    with pytest.raises(ModelNotFound) as unknown:
        index.upstream.complete({**REQUEST, "model": "no-such-model"})
    assert unknown.value.reported_code == "model_not_found"


def test_an_error_in_the_middle_of_a_stream(server: TempicoServer, index: Index) -> None:
    """What came before it was passed on; then it is raised, as is the end of a cut-off stream."""
    piece = 'data: {"choices": [{"delta": {"content": "It"}}]}\n\n'
    server.fail("/chat/completions", sse(piece, 'data: {"error": {"message": "burnt"}}\n\n'))
    chunks = index.upstream.complete_stream(REQUEST)
    assert next(chunks)["choices"][0]["delta"] == {"content": "It"}
    with pytest.raises(ProviderError, match="burnt"):
        next(chunks)
    server.fail("/chat/completions", sse(piece))
    chunks = index.upstream.complete_stream(REQUEST)
    next(chunks)
    with pytest.raises(ProviderUnavailable, match="cut off"):
        next(chunks)


def test_a_reply_that_is_no_completion(server: TempicoServer, index: Index) -> None:
    """JSON of another kind is an error and no reply, and so are the events of a stream."""
    server.fail("/chat/completions", Fault(edit=lambda _reply: {"data": []}))
    with pytest.raises(BadProviderResponse, match="no chat completion"):
        index.upstream.complete(REQUEST)
    piece = 'data: {"choices": [{"delta": {"content": "It"}}]}\n\n'
    server.fail("/chat/completions", sse(piece, piece, "data: [DONE]\n\n"))
    with pytest.raises(BadProviderResponse, match="no chat completion"):
        index.upstream.complete(REQUEST)


def test_a_bad_moment_is_waited_out(server: TempicoServer, index: Index) -> None:
    """A request is tried again like any other, until its first chunk has come."""
    server.fail("/chat/completions", Fault(status=503, headers={"retry-after": "0.01"}))
    assert index.upstream.complete(REQUEST)["choices"]
    assert len(server.requests) == 2


def test_without_an_endpoint(tmp_path: Path) -> None:
    """There is nobody to pass a request on to; the error says what to set, before any chunk."""
    with opened(tmp_path) as index:
        with pytest.raises(ConfigError, match="no key") as caught:
            index.upstream.complete_stream(REQUEST)
        assert "TEMPICO_API_KEY" in caught.value.hint
        with pytest.raises(ConfigError, match="no key"):
            index.upstream.embed_texts(["a"], model=EMBEDDING_MODEL)
        assert (index.upstream.chat_model, index.upstream.has_web_search) == ("", False)


# --- embeddings --------------------------------------------------------------------------------


def test_texts_are_embedded_by_the_index_s_model(server: TempicoServer, index: Index) -> None:
    """As they are, in no template; with what the endpoint billed."""
    made = index.upstream.embed_texts(TEXTS)
    assert (made.model, made.usage) == (
        EMBEDDING_MODEL,
        Usage(requests=1, embedding_tokens=8),
    )
    assert np.allclose(made.vectors, [embedding_of(text) for text in TEXTS], atol=1e-6)
    assert server.texts == TEXTS


def test_an_index_keeps_its_embedder(tmp_path: Path, server: TempicoServer) -> None:
    """A key changes nothing for an index that was built without: its texts stay here."""
    (tmp_path / "ferry.md").write_text(FERRY)
    with opened(tmp_path) as index:
        index.ingest(tmp_path / "ferry.md")
    with opened(tmp_path, server) as index:
        made = index.upstream.embed_texts(TEXTS)
        assert (index.upstream.embedder_name, made.model) == (MiniLM.name, MiniLM.name)
        assert np.array_equal(made.vectors, MiniLM().embed(TEXTS, kind="document"))
        assert made.usage == Usage()
        assert np.array_equal(
            index.upstream.embed_texts(TEXTS, model=MiniLM.name).vectors, made.vectors
        )
        assert server.texts == []
        beside = index.upstream.embed_texts(TEXTS, model=EMBEDDING_MODEL)
        assert (beside.model, beside.vectors.shape, server.texts) == (
            EMBEDDING_MODEL,
            (2, 768),
            TEXTS,
        )


@pytest.mark.parametrize("ignores", [False, True])
def test_fewer_dimensions_of_an_endpoint(
    server: TempicoServer, index: Index, ignores: bool
) -> None:
    """It is asked for them; where it gives all the same, the vectors are cut here."""
    server.ignores_dimensions = ignores
    made = index.upstream.embed_texts(TEXTS, dimensions=64)
    assert made.vectors.shape == (2, 64)
    assert np.allclose(
        made.vectors, [embedding_of(text, dimensions=64) for text in TEXTS], atol=1e-6
    )
    assert server.requests[0].body["dimensions"] == 64
    assert index.upstream.embed_texts(TEXTS, dimensions=768).vectors.shape == (2, 768)


def test_fewer_dimensions_of_a_model_here(tmp_path: Path) -> None:
    """The first of them are kept, and scaled to length 1."""
    with opened(tmp_path) as index:
        whole = index.upstream.embed_texts(TEXTS).vectors
        short = index.upstream.embed_texts(TEXTS, dimensions=100).vectors
        all_of_them = index.upstream.embed_texts(TEXTS, dimensions=384).vectors
    assert short.dtype == np.float32
    assert np.allclose(np.linalg.norm(short, axis=1), 1, atol=1e-6)
    expected = whole[:, :100] / np.linalg.norm(whole[:, :100], axis=1, keepdims=True)
    assert np.allclose(short, expected, atol=1e-6)
    assert np.array_equal(all_of_them, whole)


def test_more_dimensions_than_there_are(
    tmp_path: Path, server: TempicoServer, index: Index
) -> None:
    """The error names those that can be had; nothing is sent."""
    with pytest.raises(QueryError, match="no vectors of 769 dimensions") as caught:
        index.upstream.embed_texts(TEXTS, dimensions=769)
    assert caught.value.hint == "choose a number from 1 to 768"
    with pytest.raises(QueryError, match="-1"):
        index.upstream.embed_texts(TEXTS, dimensions=-1)
    with opened(tmp_path) as local, pytest.raises(QueryError) as caught:
        local.upstream.embed_texts(TEXTS, dimensions=385)
    assert caught.value.hint == "choose a number from 1 to 384"
    assert server.requests == []


def test_a_model_that_the_endpoint_lacks(index: Index) -> None:
    """A wrong name is the endpoint's error."""
    with pytest.raises(ModelNotFound):
        index.upstream.embed_texts(TEXTS, model="no-such-model")


# --- names -------------------------------------------------------------------------------------


def test_names_ask_nobody(server: TempicoServer, index: Index) -> None:
    """Who embeds, who writes, and whether it searches the web is known without a request."""
    upstream = index.upstream
    assert (upstream.chat_model, upstream.embedder_name) == (CHAT_MODEL, EMBEDDING_MODEL)
    assert upstream.has_web_search
    assert server.requests == []


def test_parts_that_were_handed_in(tmp_path: Path) -> None:
    """They are named and used; there is no endpoint beside them."""
    with Index(
        SqliteStore(tmp_path / "index.db"),
        embedder=HashEmbedder(64),
        chat=ScriptedChat("Nine."),
        settings=Settings(),
    ) as index:
        upstream = index.upstream
        assert (upstream.chat_model, upstream.has_web_search) == ("scripted", False)
        assert upstream.embed_texts(TEXTS, dimensions=8).vectors.shape == (2, 8)
        assert upstream.embed_texts(TEXTS, model=upstream.embedder_name).vectors.shape == (2, 64)
        with pytest.raises(ConfigError, match="as objects"):
            upstream.embed_texts(TEXTS, model=EMBEDDING_MODEL)
        with pytest.raises(ConfigError, match="as objects"):
            upstream.complete(REQUEST)
