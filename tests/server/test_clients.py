"""OpenAI's and LangChain's own clients, unmodified: only the base URL is another."""

from __future__ import annotations

import base64
import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.server.conftest import GUESS, QUESTION, SENTENCE, SHOWN, UNANSWERABLE
from tests.server.serving import Running
from tests.tempico import (
    CHAT_MODEL,
    DIMENSIONS,
    EMBEDDING_MODEL,
    Fault,
    TempicoServer,
    embedding_of,
)

JAVASCRIPT = Path(__file__).with_name("openai_client.mjs")
JAVASCRIPT_CLIENT = "openai@7.57.0"


@pytest.fixture
def client(api: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=api.base_url, api_key="none", max_retries=0)


# --- OpenAI's for Python ------------------------------------------------------------------------


def test_models_are_listed_and_told_of(client: openai.OpenAI) -> None:
    """ragkit's own, those of collections and presets, and the endpoint's with what they can do."""
    listed = {model.id: model for model in client.models.list()}
    assert list(listed) == [
        "ragkit",
        "ragkit/rules",
        "ragkit/default",
        CHAT_MODEL,
        EMBEDDING_MODEL,
    ]
    one = client.models.retrieve("ragkit/default")
    assert one == listed["ragkit/default"]
    assert one.model_extra == {
        "capabilities": ["chat"],
        "context_window": 262_144,
        "max_output_tokens": 1024,
    }
    upstream = listed[EMBEDDING_MODEL].model_extra
    assert upstream == {"capabilities": ["embeddings"], "context_window": 2048}


def test_an_answer_with_its_citations(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="ragkit", messages=[{"role": "user", "content": QUESTION}]
    )
    (choice,) = reply.choices
    assert choice.finish_reason == "stop"
    text, _, listed = (choice.message.content or "").partition("\n\n---\n")
    assert text == SHOWN
    assert listed.startswith("**Sources**\n\n- \\[1\\] harbour.md · Harbour office › Lost property")
    (annotation,) = [each.model_dump() for each in choice.message.annotations or ()]
    assert annotation["type"] == "file_citation"
    assert text[annotation["start_index"] : annotation["end_index"]] == "[1]"
    assert annotation["file_citation"]["quote"].startswith(SENTENCE)
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    told = (reply.model_extra or {})["ragkit"]
    assert (told["state"], told["text"]) == ("grounded", text)
    assert told["hits"]


def test_a_streamed_answer_is_the_whole_one_in_pieces(client: openai.OpenAI) -> None:
    """The same text, one id, the role first, the end with its reason, usage where asked for."""
    whole = client.chat.completions.create(
        model="ragkit", messages=[{"role": "user", "content": QUESTION}]
    )
    chunks = list(
        client.chat.completions.create(
            model="ragkit",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert len({(each.id, each.created, each.model, each.object) for each in chunks}) == 1
    *pieces, last, usage = chunks
    assert pieces[0].choices[0].delta.role == "assistant"
    text = "".join(each.choices[0].delta.content or "" for each in pieces)
    assert text == whole.choices[0].message.content
    assert last.choices[0].finish_reason == "stop"
    assert (last.model_extra or {})["ragkit"]["state"] == "grounded"
    assert (usage.choices, usage.usage) == ([], whole.usage)
    assert all(each.usage is None for each in chunks[:-1])


def test_a_follow_up_is_understood_by_the_history(
    client: openai.OpenAI, tempico: TempicoServer
) -> None:
    """The question is written anew by what was said before, and what is looked for is that."""
    meant = "How long are umbrellas kept?"

    def reply(body: dict[str, object]) -> str:
        asked = json.dumps(body["messages"])
        return meant if "rewrite the last question" in asked else f"{SENTENCE} [1]."

    tempico.reply = reply
    answer = client.chat.completions.create(
        model="ragkit",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is found on board?"},
            {"role": "assistant", "content": "Umbrellas and bags [1]."},
            {"role": "user", "content": "And how long are they kept?"},
        ],
    )
    assert (answer.model_extra or {})["ragkit"]["standalone"] == meant


@pytest.mark.parametrize(
    ("extra", "searched", "state"),
    [
        ({}, True, "web"),
        ({"web_search": True}, True, "web"),
        ({"web_search": False}, False, "not_found"),
        ({"web_search_options": {"mode": "never"}}, False, "not_found"),
    ],
)
def test_the_web_is_searched_where_the_request_lets_it(
    client: openai.OpenAI,
    tempico: TempicoServer,
    extra: dict[str, object],
    searched: bool,
    state: str,
) -> None:
    reply = client.chat.completions.create(
        model="ragkit", messages=[{"role": "user", "content": UNANSWERABLE}], extra_body=extra
    )
    assert (reply.model_extra or {})["ragkit"]["state"] == state
    sent = [each.body["web_search"] for each in tempico.requests_to("/chat/completions")]
    assert sent == ([True] if searched else [])
    content = reply.choices[0].message.content or ""
    if searched:
        assert content.startswith(f"From the web (unproven):\n\n{GUESS}")
        (annotation,) = reply.choices[0].message.annotations or ()
        assert annotation.url_citation.url == "https://example.org/wf6"
    else:
        assert content.startswith("Your documents don't hold the answer.")


def test_the_web_is_always_searched_with_the_options_of_the_request(
    client: openai.OpenAI, tempico: TempicoServer
) -> None:
    options = {"mode": "always", "search_context_size": "high", "safesearch": "moderate"}
    reply = client.chat.completions.create(
        model="ragkit",
        messages=[{"role": "user", "content": QUESTION}],
        extra_body={"web_search_options": options},
    )
    local, web = tempico.requests_to("/chat/completions")
    assert local.body["web_search"] is False
    assert web.body["web_search_options"] == {
        "search_context_size": "high",
        "safesearch": "moderate",
    }
    content = reply.choices[0].message.content or ""
    assert content.startswith(f"{SHOWN}\n\nFrom the web (unproven):\n\n{GUESS}")


def test_a_model_of_a_preset_looks_at_its_documents_alone(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="ragkit/rules", messages=[{"role": "user", "content": QUESTION}]
    )
    hits = (reply.model_extra or {})["ragkit"]["hits"]
    assert {hit["uri"].rpartition("/")[2] for hit in hits} == {"ferry.md"}


def test_a_model_of_the_endpoint_is_passed_through(
    client: openai.OpenAI, tempico: TempicoServer
) -> None:
    """Without retrieval: the request goes as it is, and the reply comes as it is."""
    tempico.reply = lambda body: "Ahoy."
    messages = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Hi"},
    ]
    reply = client.chat.completions.create(
        model=CHAT_MODEL,
        messages=messages,  # type: ignore[arg-type]
        temperature=0.7,
        extra_body={"web_search": False},
    )
    assert reply.choices[0].message.content == "Ahoy."
    (sent,) = tempico.requests
    assert sent.body["messages"] == messages
    assert (sent.body["temperature"], sent.body["web_search"]) == (0.7, False)
    stream = client.chat.completions.create(
        model=CHAT_MODEL,
        messages=messages,  # type: ignore[arg-type]
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
    assert (text, chunks[-1].choices) == ("Ahoy.", [])
    assert chunks[-1].usage


def test_hidden_tasks_search_and_cite_nothing(
    client: openai.OpenAI, tempico: TempicoServer
) -> None:
    """Open WebUI's prompts for titles go to the chat model as they are, and not to the web."""
    tempico.reply = lambda body: '{"title": "Lost umbrellas"}'
    prompt = '### Task:\nGenerate a title.\nJSON: { "title": "x" }\n### Chat History:\nUSER: Hi'
    reply = client.chat.completions.create(
        model="ragkit", messages=[{"role": "user", "content": prompt}]
    )
    assert reply.choices[0].message.content == '{"title": "Lost umbrellas"}'
    (sent,) = tempico.requests
    assert (sent.path, sent.body["web_search"]) == ("/chat/completions", False)
    assert sent.body["messages"][-1]["content"] == prompt


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_are_those_of_the_endpoint(client: openai.OpenAI, encoding: str) -> None:
    """One text or several, as numbers or as bytes: the same vectors."""
    texts = ["the ferry", "the harbour"]
    reply = client.embeddings.create(
        model=EMBEDDING_MODEL,
        input=texts,
        encoding_format=encoding,  # type: ignore[arg-type]
    )
    assert [each.index for each in reply.data] == [0, 1]
    for text, made in zip(texts, reply.data, strict=True):
        told: object = made.embedding
        if isinstance(told, str):
            raw = base64.b64decode(told)
            told = struct.unpack(f"<{len(raw) // 4}f", raw)
        assert np.allclose(told, embedding_of(text), atol=1e-6)
    assert reply.usage.total_tokens > 0


def test_embeddings_of_fewer_dimensions(client: openai.OpenAI) -> None:
    (made,) = client.embeddings.create(
        model=EMBEDDING_MODEL, input="the ferry", dimensions=256
    ).data
    assert len(made.embedding) == 256
    assert np.isclose(np.linalg.norm(made.embedding), 1)


def test_token_ids_are_refused_with_the_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model=EMBEDDING_MODEL, input=[[1, 2, 3]])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (401, openai.InternalServerError),  # it is the server's key that is wrong
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
def test_errors_of_the_endpoint_are_errors_of_the_client(
    client: openai.OpenAI, tempico: TempicoServer, status: int, error: type[Exception]
) -> None:
    tempico.fail(
        "/chat/completions",
        Fault(status=status, headers={"x-should-retry": "false"}, message="made to fail"),
    )
    with pytest.raises(error):
        client.chat.completions.create(
            model=CHAT_MODEL, messages=[{"role": "user", "content": "Hi"}]
        )


def test_errors_of_requests_are_errors_of_the_client(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("ragkit/none")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model="ragkit/none", messages=[{"role": "user", "content": "Hi"}]
        )
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="ragkit", messages=[])
    assert refused.value.param == "messages"


def test_a_stream_that_breaks_ends_with_an_error(
    client: openai.OpenAI, tempico: TempicoServer
) -> None:
    """What was proven before stands; the client's own exception says that it isn't whole."""
    broken = (
        b'data: {"choices":[{"index":0,"delta":{"content":"%s [1]. And"}}]}\n\n' % SENTENCE.encode()
    )
    fault = Fault(pieces=[broken], content_type="text/event-stream")
    tempico.fail("/chat/completions", fault)
    stream = client.chat.completions.create(
        model="ragkit", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    text = ""
    with pytest.raises(openai.APIError):
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text == SHOWN


# --- OpenAI's for JavaScript --------------------------------------------------------------------


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with OpenAI's client for JavaScript, from the npm registry."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("NOT TESTED: node and npm are not installed")
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", JAVASCRIPT_CLIENT]
    done = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"NOT TESTED: npm could not install {JAVASCRIPT_CLIENT}: {done.stderr[-300:]}")
    shutil.copy(JAVASCRIPT, folder)
    return folder


def test_the_client_for_javascript(javascript: Path, api: Running) -> None:
    """Models, an answer, a stream, embeddings of both encodings, errors by their classes."""
    command = ["node", JAVASCRIPT.name, api.base_url, QUESTION, EMBEDDING_MODEL]
    done = subprocess.run(
        command, check=False, cwd=javascript, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "ragkit" in told["models"]
    assert told["one"] == "ragkit/default"
    assert told["answer"].startswith(SHOWN)
    assert told["streamed"] == told["answer"]
    assert told["state"] == "grounded"
    assert told["usage"] > 0
    for name in ("float", "base64"):
        assert np.allclose(told[name], embedding_of("the ferry"), atol=1e-6), name
    assert told["errors"] == ["NotFoundError", "BadRequestError", "BadRequestError"]


# --- LangChain's --------------------------------------------------------------------------------


def test_langchain_chats(api: Running) -> None:
    model = ChatOpenAI(base_url=api.base_url, api_key="none", model="ragkit")  # type: ignore[arg-type]
    assert str(model.invoke(QUESTION).content).startswith(SHOWN)
    streamed = "".join(str(chunk.content) for chunk in model.stream(QUESTION))
    assert streamed.startswith(SHOWN)


def test_langchain_embeds(api: Running) -> None:
    """With the switch that has it send text; without it the error names the switch."""
    options = {"base_url": api.base_url, "api_key": "none", "model": EMBEDDING_MODEL}
    embedder = OpenAIEmbeddings(**options, check_embedding_ctx_length=False)  # type: ignore[arg-type]
    vectors = embedder.embed_documents(["the ferry", "the harbour"])
    assert np.allclose(vectors[1], embedding_of("the harbour"), atol=1e-6)
    assert len(embedder.embed_query("dogs")) == DIMENSIONS
