"""`GET /v1/models` and `POST /v1/embeddings`: ragkit's own models and the endpoint's."""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ragkit.errors import ModelNotFound
from ragkit.server import reading, replies, schemas
from ragkit.server.failures import Refusal
from ragkit.server.presets import own_models
from ragkit.server.service import Service, service
from ragkit.types import Model

_EMBEDDINGS = reading.Reader(schemas.EMBEDDINGS_REQUEST)
_OWNER = "ragkit"


async def list_models(request: Request) -> Response:
    """List what can be asked: ragkit's models, the index's embedder, and the endpoint's."""
    served = service(request)
    return replies.Json(replies.listed(await served.quick.run(_models, served)))


async def get_model(request: Request) -> Response:
    """Return one model."""
    served, wanted = service(request), request.path_params["model"]
    for model in await served.quick.run(_models, served):
        if model["id"] == wanted:
            return replies.Json(model)
    raise Refusal(
        404,
        f"there is no model {wanted[:200]!r}",
        "model_not_found",
        "model",
        hint="GET /v1/models lists them",
    )


def _models(served: Service) -> list[dict[str, Any]]:
    upstream = {model.id: model for model in served.upstream_models()}
    own = dict.fromkeys(own_models(served.presets, served.contents().collections))
    listed = [_own(name, served, upstream) for name in own]
    embedder = served.index.upstream.embedder_name
    if embedder not in upstream:
        listed.append(_object(Model(embedder, owned_by=_OWNER, capabilities=("embeddings",))))
    return listed + [_object(model) for model in upstream.values() if model.id not in own]


def _own(name: str, served: Service, upstream: dict[str, Model]) -> dict[str, Any]:
    """Return one of ragkit's models: it reads what its chat model reads."""
    settings = served.settings
    chat = upstream.get(served.index.upstream.chat_model)
    looked_at = settings.context_tokens + settings.history_tokens + settings.max_answer_tokens
    return _object(
        Model(
            name,
            owned_by=_OWNER,
            context_window=(chat.context_window if chat else 0) or looked_at,
            max_output_tokens=settings.max_answer_tokens,
            capabilities=("chat",),
        )
    )


def _object(model: Model) -> dict[str, Any]:
    """Return a model as it is listed, without what nobody told of it."""
    told = {name: value for name, value in model.to_dict().items() if value}
    return {"object": "model", "created": 0, "owned_by": "", **told}


async def embeddings(request: Request) -> Response:
    """Embed texts with the index's own model or one of the endpoint's."""
    raw = reading.parsed(await request.body())
    _refuse_token_ids(raw)
    body = _EMBEDDINGS.checked(raw)
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    served = service(request)
    try:
        made = await served.quick.run(
            lambda: served.index.upstream.embed_texts(
                texts, model=body["model"], dimensions=body.get("dimensions", 0)
            )
        )
    except ModelNotFound as error:
        raise Refusal(404, str(error), "model_not_found", "model", hint=error.hint) from error
    encoded = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": at, "embedding": _written(vector, encoded=encoded)}
        for at, vector in enumerate(made.vectors)
    ]
    tokens = made.usage.embedding_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return replies.Json(replies.listed(data, model=made.model, usage=usage))


def _written(vector: Any, *, encoded: bool) -> str | list[float]:
    """Return a float32 vector as JSON has it: numbers, or its little-endian bytes in base64."""
    if encoded:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    numbers: list[float] = vector.tolist()
    return numbers


def _refuse_token_ids(body: object) -> None:
    """Raise Refusal for lists of token ids, which mean nothing to another model's tokenizer."""
    told = body.get("input") if isinstance(body, dict) else None
    if isinstance(told, list) and any(_is_ids(each) for each in told):
        raise Refusal(
            400,
            "input holds token ids; ragkit embeds text",
            "unsupported_value",
            "input",
            hint="send strings; in LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False)",
        )


def _is_ids(item: object) -> bool:
    return isinstance(item, int | list)
