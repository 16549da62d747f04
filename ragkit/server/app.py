"""The app: its routes, what guards them, and what starts and stops with it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ragkit.errors import IndexNotFound, RagkitError
from ragkit.server import chat, library, models, openapi, page_files, replies
from ragkit.server.failures import Refusal, refusal_of
from ragkit.server.logs import AccessLog
from ragkit.server.rules import Rules
from ragkit.server.security import Guard
from ragkit.server.service import Service

_log = logging.getLogger(__name__)

# The longest that a stop waits for a warm-up that has only just begun.
WARM_UP_SECONDS = 10.0

_WORDS = {404: "there is nothing at this path", 405: "this path does not take that method"}


def make_app(served: Service, rules: Rules) -> Starlette:
    """Return the app that serves an index. It closes what it serves when it stops."""
    app = Starlette(
        routes=_routes(),
        middleware=[Middleware(AccessLog), Middleware(Guard, rules=rules, keys=served.keys)],
        exception_handlers={HTTPException: _not_routed, Refusal: _failed},
        lifespan=_lifespan,
    )
    app.state.service = served
    app.state.page_files = page_files.read_files()
    app.state.openapi = replies.encoded(openapi.document())
    return app


def _routes() -> list[Route]:
    return [
        Route("/", page_files.page),
        Route("/assets/{name}", page_files.asset),
        Route("/healthz", health),
        Route("/openapi.json", openapi_document),
        Route("/v1/index", library.get_index),
        Route("/v1/models", models.list_models),
        Route("/v1/models/{model:path}", models.get_model),
        Route("/v1/chat/completions", chat.chat_completions, methods=["POST"]),
        Route("/v1/embeddings", models.embeddings, methods=["POST"]),
        Route("/v1/search", library.search, methods=["POST"]),
        Route("/v1/verify", library.verify, methods=["POST"]),
        Route("/v1/documents", library.list_documents),
        Route("/v1/documents", library.upload, methods=["POST"]),
        Route("/v1/documents/{id}", library.get_document),
        Route("/v1/documents/{id}", library.delete_document, methods=["DELETE"]),
        Route("/v1/documents/{id}/original", library.get_original),
        Route("/v1/documents/{id}/pages/{page:int}.png", library.get_page),
        Route("/v1/uploads", library.list_uploads),
        Route("/v1/uploads/{id}", library.get_upload),
        Route("/v1/uploads/{id}/events", library.upload_events),
        Route("/v1/conversations", library.list_conversations),
        Route("/v1/conversations/{id}", library.get_conversation),
        Route("/v1/conversations/{id}", library.delete_conversation, methods=["DELETE"]),
    ]


async def health(_request: Request) -> Response:
    """Say that the server runs."""
    return replies.Json({"status": "ok"})


async def openapi_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    return Response(request.app.state.openapi, media_type="application/json")


async def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = _WORDS.get(error.status_code, str(error.detail))
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid_request")
    return Refusal(error.status_code, words, code, headers=error.headers or {}).response()


async def _failed(_request: Request, error: Exception) -> Response:
    return refusal_of(error).response()


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    served: Service = app.state.service
    warming = threading.Thread(target=_warm_up, args=[served], name="ragkit-warm-up", daemon=True)
    warming.start()
    served.uploads.start()
    try:
        yield
    finally:
        # A thread that is in a library's native code when the interpreter ends aborts the process.
        await asyncio.to_thread(warming.join, WARM_UP_SECONDS)
        await asyncio.to_thread(served.close)


def _warm_up(served: Service) -> None:
    """Load what the first question would load; where that fails the question says why."""
    try:
        served.index.warm_up()
    except IndexNotFound:
        return  # nothing was ingested yet
    except RagkitError as error:
        _log.warning("the index could not be prepared: %s", error)
