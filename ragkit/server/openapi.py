"""The OpenAPI document: the routes, with the schemas that requests are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ragkit.server import schemas
from ragkit.server.schemas import Schema

JSON = "application/json"
STREAM = "text/event-stream"

# What any request may be answered with, before a route sees it.
_ALWAYS = {
    400: "A field is missing or wrong.",
    401: "A key is needed, or this one is not known.",
    403: "The key may not do this, or a foreign web page asks.",
    421: "The server is not called by this name.",
    429: "Too many requests; Retry-After says when to come back.",
    500: "A fault of the index or of ragkit.",
    503: "The index is busy or not there, or the endpoint is down.",
}
_OF_BODIES = {
    413: "The body is too large.",
    415: "The body is not JSON.",
}
_OF_THE_ENDPOINT = {
    404: "There is no such model.",
    502: "The endpoint refused or gave no sense.",
    504: "The endpoint did not answer in time.",
}
_OF_ONE = {404: "There is no such thing."}
_OF_WRITING = {507: "The disk is full."}


@dataclass(frozen=True, slots=True)
class Operation:
    """A route as it is documented. `answers` are its own statuses, with the schema of each."""

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, tuple[str, Schema | None]]
    request: Schema | None = None
    request_type: str = JSON
    faults: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[Schema, ...] = ()
    is_open: bool = False
    streams: bool = False  # where the request asks for it

    def to_dict(self) -> dict[str, Any]:
        """Return the operation object."""
        told: dict[str, Any] = {
            "operationId": self.name,
            "summary": self.summary,
            "parameters": [*_path_parameters(self.path), *self.parameters],
            "responses": self._responses(),
        }
        if self.request is not None:
            content = {self.request_type: {"schema": self.request}}
            told["requestBody"] = {"required": True, "content": content}
        if self.is_open:
            told["security"] = []
        return told

    def _responses(self) -> dict[str, Any]:
        faults = {**_ALWAYS, **self.faults}
        if self.request is not None:
            faults |= _OF_BODIES
        errors = {
            str(status): {
                "description": words,
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            }
            for status, words in sorted(faults.items())
        }
        answers = {str(status): _answer(*each) for status, each in self.answers.items()}
        if self.streams:
            answers["200"]["content"][STREAM] = {}
        return {**answers, **errors}


def _answer(content_type: str, schema: Schema | None) -> dict[str, Any]:
    content = {content_type: {"schema": schema} if schema else {}} if content_type else {}
    return {"description": "It went well.", "content": content}


def _path_parameters(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.replace(".", "/").split("/") if part.startswith("{")]
    whole = {"page": schemas.integer(1, 10**6)}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": whole.get(name, schemas.text(minLength=1)),
        }
        for name in names
    ]


def _query(name: str, schema: Schema, words: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": words}


def _json(schema: Schema, status: int = 200) -> dict[int, tuple[str, Schema | None]]:
    return {status: (JSON, schema)}


_UPLOAD_FORM = schemas.obj(
    ("file",),
    file=schemas.array(schemas.text(format="binary"), minItems=1),
    collection=schemas.text(maxLength=200),
)
_FILTER_PARAMETERS = (
    _query("collection", schemas.array(schemas.STRING), "Only documents of these collections."),
    _query("type", schemas.array(schemas.STRING), "Only these kinds, such as application/pdf."),
    _query("path", schemas.array(schemas.STRING), "Only paths that match these globs."),
)
_FROM = _query("start", schemas.integer(0), "Where the marked text begins in the document's.")
_TO = _query("end", schemas.integer(0), "Where it ends.")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "get",
        "/healthz",
        "health",
        "Whether the server runs.",
        _json(schemas.obj(status=schemas.STRING)),
        is_open=True,
    ),
    Operation(
        "get",
        "/openapi.json",
        "openapi",
        "This document.",
        _json(schemas.ANY_OBJECT),
        is_open=True,
    ),
    Operation("get", "/v1/index", "getIndex", "What is served, and by whom.", _json(schemas.INDEX)),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        "ragkit's own models, the index's embedder, and the endpoint's models.",
        _json(schemas.listed(schemas.MODEL)),
    ),
    Operation(
        "get",
        "/v1/models/{model}",
        "getModel",
        "One model.",
        _json(schemas.MODEL),
        faults=_OF_ONE,
    ),
    Operation(
        "post",
        "/v1/chat/completions",
        "createChatCompletion",
        "An answer from the documents, cited; or a model of the endpoint, passed through."
        " With stream: true a stream of chunks.",
        {200: (JSON, schemas.COMPLETION)},
        request=schemas.CHAT_REQUEST,
        faults={**_OF_THE_ENDPOINT, 422: "The endpoint can't read the request."},
        streams=True,
    ),
    Operation(
        "post",
        "/v1/embeddings",
        "createEmbeddings",
        "Vectors of texts.",
        _json(schemas.EMBEDDINGS),
        request=schemas.EMBEDDINGS_REQUEST,
        faults=_OF_THE_ENDPOINT,
    ),
    Operation(
        "post",
        "/v1/search",
        "search",
        "The passages that match a query best.",
        _json(schemas.SEARCH),
        request=schemas.SEARCH_REQUEST,
        faults=_OF_THE_ENDPOINT,
    ),
    Operation(
        "post",
        "/v1/verify",
        "verify",
        "What became of the quotes of an answer.",
        _json(schemas.ANY_OBJECT),
        request=schemas.VERIFY_REQUEST,
    ),
    Operation(
        "get",
        "/v1/documents",
        "listDocuments",
        "The documents, by uri.",
        _json(schemas.listed(schemas.DOCUMENT_INFO, has_more=schemas.FLAG)),
        parameters=(
            *_FILTER_PARAMETERS,
            _query("after", schemas.STRING, "The uri that the page before ended with."),
            _query("limit", schemas.integer(1, 1_000), "How many to list, 100 by default."),
        ),
    ),
    Operation(
        "post",
        "/v1/documents",
        "upload",
        "Take in files: they are kept at once, and ingested one after the other.",
        _json(schemas.listed(schemas.UPLOAD), 202),
        request=_UPLOAD_FORM,
        request_type="multipart/form-data",
        faults=_OF_WRITING,
    ),
    Operation(
        "get",
        "/v1/documents/{id}",
        "getDocument",
        "A whole document: text, structure, and the spans of its chunks.",
        _json(schemas.DOCUMENT),
        faults=_OF_ONE,
    ),
    Operation(
        "delete",
        "/v1/documents/{id}",
        "deleteDocument",
        "Take a document out of the index.",
        _json(schemas.DELETED),
        faults={**_OF_ONE, **_OF_WRITING},
        parameters=(
            _query(
                "exclude",
                schemas.FLAG,
                "Whether its file is passed by from now on, where it would come back.",
            ),
        ),
    ),
    Operation(
        "get",
        "/v1/documents/{id}/original",
        "getOriginal",
        "The bytes that a document was read from.",
        {200: ("application/octet-stream", None)},
        faults={**_OF_ONE, 422: "The bytes are not there any more, or others than then."},
    ),
    Operation(
        "get",
        "/v1/documents/{id}/pages/{page}.png",
        "getPage",
        "The picture of a page of a PDF.",
        {200: ("image/png", None)},
        faults={**_OF_ONE, 422: "The document has no pages, or its bytes are not there."},
        parameters=(_FROM, _TO),
    ),
    Operation(
        "get",
        "/v1/uploads",
        "listUploads",
        "The uploads of the last day, the newest first.",
        _json(schemas.listed(schemas.UPLOAD)),
    ),
    Operation(
        "get",
        "/v1/uploads/{id}",
        "getUpload",
        "How an upload stands.",
        _json(schemas.UPLOAD),
        faults=_OF_ONE,
    ),
    Operation(
        "get",
        "/v1/uploads/{id}/events",
        "watchUpload",
        "A stream that tells how an upload stands whenever that changes.",
        {200: (STREAM, None)},
        faults=_OF_ONE,
    ),
    Operation(
        "get",
        "/v1/conversations",
        "listConversations",
        "The conversations that are kept.",
        _json(schemas.listed(schemas.CONVERSATION_INFO)),
    ),
    Operation(
        "get",
        "/v1/conversations/{id}",
        "getConversation",
        "A conversation with its turns.",
        _json(schemas.CONVERSATION),
        faults=_OF_ONE,
    ),
    Operation(
        "delete",
        "/v1/conversations/{id}",
        "deleteConversation",
        "Take out a conversation.",
        _json(schemas.DELETED),
        faults={**_OF_ONE, **_OF_WRITING},
    ),
)


def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation.to_dict()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ragkit",
            "version": _version(),
            "description": "Search and cited answers over one's own documents.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Error": schemas.ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
        # None at all where the server runs for its own machine and no key was made.
        "security": [{}, {"bearer": []}, {"key": []}],
    }


def _version() -> str:
    try:
        return version("ragkit")
    except PackageNotFoundError:
        return "0"
