"""`ragkit models` lists what the endpoint offers and checks what is configured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tempico import CHAT_MODEL, EMBEDDING_MODEL, TempicoServer, model

from .conftest import Ragkit


@pytest.fixture
def endpoint(ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch) -> Iterator[TempicoServer]:
    """Start an endpoint with both default models, and configure it."""
    assert ragkit  # has cleared the environment
    with TempicoServer() as server:
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        yield server


def test_without_an_endpoint(ragkit: Ragkit) -> None:
    """It says what is used instead and how to configure one; that is no error."""
    call = ragkit("models")
    assert call.code == 0
    assert "embedded model" in call.out
    assert "export TEMPICO_API_KEY" in call.out
    assert ragkit("models", "--json").json == {"configured": False, "models": [], "checks": []}


def test_models_are_listed_and_checked(ragkit: Ragkit, endpoint: TempicoServer) -> None:
    """A line each, then ok for the configured ones."""
    call = ragkit("models")
    assert call.code == 0
    assert call.out.splitlines() == [
        "model\tcontext\tcan do",
        "kimi-k2.7-code:1t\t262144 tokens\tchat",
        "embeddinggemma:300m\t2048 tokens\tembeddings",
        "",
        "chat_model kimi-k2.7-code:1t: ok",
        "embedding_model embeddinggemma:300m: ok",
    ]


def test_an_endpoint_that_tells_only_names(ragkit: Ragkit, endpoint: TempicoServer) -> None:
    """What other servers leave out stays empty."""
    endpoint.lists_bare_models = True
    assert "kimi-k2.7-code:1t\t\t\n" in ragkit("models").out


def test_json(ragkit: Ragkit, endpoint: TempicoServer) -> None:
    """The models with all fields, and the checks."""
    body = ragkit("models", "--json").json
    assert body["models"][0]["max_output_tokens"] == 65536
    assert {check["setting"]: check["ok"] for check in body["checks"]} == {
        "chat_model": True,
        "embedding_model": True,
    }


def test_a_configured_model_that_is_missing(ragkit: Ragkit, endpoint: TempicoServer) -> None:
    """It is marked in the list, and an error names it and the variable to set."""
    endpoint.models = [model(EMBEDDING_MODEL, ["embeddings"])]
    call = ragkit("models")
    assert call.code == 3
    assert "chat_model kimi-k2.7-code:1t: missing" in call.out
    assert "doesn't list kimi-k2.7-code:1t (chat_model)" in call.err
    assert "RAGKIT_CHAT_MODEL" in call.err


def test_models_that_are_not_used_are_not_missed(
    ragkit: Ragkit, endpoint: TempicoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the embedded embedder the endpoint's embedding model is not needed."""
    endpoint.models = [model(CHAT_MODEL, ["chat"])]
    monkeypatch.setenv("RAGKIT_EMBEDDER", "local")
    assert ragkit("models").code == 0


def test_an_endpoint_that_is_not_there(ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable endpoint is one clear line and 3."""
    monkeypatch.setenv("TEMPICO_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr("ragkit.providers.throttle.BACKOFF_BASE_SECONDS", 0.01)  # it tries again
    call = ragkit("models")
    assert call.code == 3
    assert "127.0.0.1:9" in call.err
