"""What the OpenAPI document says is what the server does, whatever it is sent.

Requests that fit the document, and others that don't, are made from it and put to a server on
loopback: each is answered with a status, a content type and a body that the document names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    CheckFunction,
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import APIOperation

from ragkit.server import openapi
from ragkit.server.openapi import OPERATIONS, Operation
from tests.cli.conftest import FERRY, HARBOUR
from tests.pdfs import column, make_pdf
from tests.server.conftest import QUESTION
from tests.server.serving import Running, environment, running, settings
from tests.tempico import EMBEDDING_MODEL, TempicoServer

# Of each operation that takes something: 600 requests, which take ten seconds.
EXAMPLES = 40
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
GENERATION = {"with-security-parameters": False, "database": "none"}
SCHEMA = schemathesis.openapi.from_dict(
    openapi.document(), config=SchemathesisConfig.from_dict({"generation": GENERATION})
)


@dataclass(frozen=True)
class Served:
    """A server, and the ids of what it holds, by the beginning of their path."""

    running: Running
    ids: dict[str, str]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, endpoint: TempicoServer) -> Iterator[Served]:
    """A server over two notes and a PDF, with a conversation and uploads."""
    folder = tmp_path_factory.mktemp("contract")
    endpoint.reply = lambda body: "Ninety days [1]."
    chosen = settings(endpoint, keep_conversations=True, web="never")
    with running(folder / "index.db", chosen, environment(folder, endpoint)) as server:
        pdf = make_pdf([column("The ferry leaves at nine.", "Dogs pay nothing.")])
        files = [("harbour.md", HARBOUR.encode()), ("ferry.md", FERRY.encode()), ("it.pdf", pdf)]
        with httpx.Client(base_url=server.address, timeout=30) as client:
            sent = client.post("/v1/documents", files=[("file", each) for each in files])
            assert sent.status_code == 202, sent.text
            uploads = [each["id"] for each in sent.json()["data"]]
            for each in uploads:
                assert client.get(f"/v1/uploads/{each}/events").text.endswith("data: [DONE]\n\n")
            body = {
                "model": "ragkit",
                "messages": [{"role": "user", "content": QUESTION}],
                "ragkit": {"conversation": "new"},
            }
            answer = client.post("/v1/chat/completions", json=body).json()["ragkit"]
            document = client.get(f"/v1/uploads/{uploads[2]}").json()["document_id"]
        ids = {
            "/v1/documents": document,
            "/v1/uploads": uploads[0],
            "/v1/conversations": answer["conversation"],
            "/v1/models": "ragkit",
        }
        assert all(ids.values())
        yield Served(server, ids)


def test_the_document_is_served(library: Served) -> None:
    """Whoever asks for it gets the document that the requests here are made from."""
    reply = httpx.get(f"{library.running.address}/openapi.json")
    assert reply.json() == openapi.document()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_an_operation_keeps_its_contract(library: Served, operation: Operation) -> None:
    """No request makes the server fail or say what isn't documented; wrong ones are refused."""

    @given(case=_requests(SCHEMA[operation.path][operation.method], library, operation))
    @examples(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def kept(case: Case[Any]) -> None:
        reply = case.call(base_url=library.running.address, timeout=20)
        # In a form all is text, also what was a number or a list before: nothing there is wrong.
        is_json = case.media_type == "application/json"
        checks = [*CHECKS, negative_data_rejection] if case.body and is_json else CHECKS
        case.validate_response(reply, checks=checks)
        if reply.status_code >= 400:
            assert reply.json()["error"]["message"]

    kept()


def _requests(
    described: APIOperation[Any, Any, Any, Any], library: Served, operation: Operation
) -> st.SearchStrategy[Case[Any]]:
    """Return requests that fit, for what is there and what isn't, and such that don't fit."""
    kinds = [described.as_strategy(GenerationMode.POSITIVE)]
    place = operation.path.partition("/{")[0]
    # What is taken out is there for one request only, and the others need it.
    if place in library.ids and place != operation.path and operation.method != "delete":
        known = {"id": library.ids[place], "model": library.ids[place], "page": 1}
        names = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
        kinds.append(described.as_strategy(GenerationMode.POSITIVE, path_parameters=names))
    if operation.name in ("createChatCompletion", "createEmbeddings"):
        kinds.append(described.as_strategy(GenerationMode.POSITIVE).map(_of_a_model))
    if "{" in operation.path or operation.parameters or operation.request:
        kinds.append(described.as_strategy(GenerationMode.NEGATIVE))
    return st.one_of(kinds)


def _of_a_model(case: Case[Any]) -> Case[Any]:
    """Return the request for a model that is there, with a question that it can answer."""
    body: Any = case.body
    if "messages" in body:
        body |= {"model": "ragkit", "stream": bool(len(body["messages"]) % 2)}
        body["messages"].append({"role": "user", "content": QUESTION})
    else:
        body["model"] = EMBEDDING_MODEL
    return case
