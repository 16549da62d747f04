"""Routes about the documents themselves: search, list, read, upload, take out, verify."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ragkit.errors import DocumentNotFound, IndexNotFound
from ragkit.server import reading, replies, schemas
from ragkit.server.failures import Refusal
from ragkit.server.running import attended
from ragkit.server.service import Service, service
from ragkit.server.uploads import Upload
from ragkit.types import Filters, Span

_SEARCH = reading.Reader(schemas.SEARCH_REQUEST)
_VERIFY = reading.Reader(schemas.VERIFY_REQUEST)
MOST_LISTED = 1_000
_MOST_FILES = 100  # of one upload
_LOOK_SECONDS = 0.3  # between two looks at an upload that is watched


# --- searching ----------------------------------------------------------------------------------


async def search(request: Request) -> Response:
    """Return the passages that match a query best."""
    body = await _SEARCH.read(request)
    served = service(request)
    settings = served.settings

    def found() -> dict[str, Any]:
        report = served.index.search_explained(
            body["query"],
            limit=body.get("limit", settings.limit),
            mode=body.get("mode", settings.mode),
            filters=reading.filters(body.get("filters")),
            per_document=body.get("per_document"),
            exact=body.get("exact", False),
        )
        return {"object": "search", **report.to_dict()}

    return await attended(request.receive, _replied(served, found))


async def verify(request: Request) -> Response:
    """Check the quotes of an answer against the index again."""
    body = await _VERIFY.read(request)
    served = service(request)
    return replies.Json(await served.quick.run(lambda: served.index.verify(body).to_dict()))


async def _replied(served: Service, call: Callable[[], dict[str, Any]]) -> Response:
    return replies.Json(await served.quick.run(call))


# --- documents ----------------------------------------------------------------------------------


async def list_documents(request: Request) -> Response:
    """List the documents that pass the filters, by uri, page by page."""
    served, asked = service(request), request.query_params
    limit = reading.number(request, "limit", 100, most=MOST_LISTED)
    filters = Filters(
        paths=tuple(asked.getlist("path")),
        media_types=tuple(asked.getlist("type")),
        collections=tuple(asked.getlist("collection")),
    )

    def listed() -> dict[str, Any]:
        try:
            found = served.index.documents(filters, after=asked.get("after", ""), limit=limit + 1)
        except IndexNotFound:  # before the first upload or ingest
            found = []
        data = [{"object": "document", **each.to_dict()} for each in found[:limit]]
        return replies.listed(data, has_more=len(found) > limit)

    return await _replied(served, listed)


async def get_document(request: Request) -> Response:
    """Return a whole document with its structure and the spans of its chunks."""
    served, id_ = service(request), request.path_params["id"]

    def told() -> dict[str, Any]:
        _check_id(served, id_)
        return {
            "object": "document",
            **served.index.get(id_).to_dict(),
            "chunks": [
                {
                    "id": chunk.id,
                    "span": chunk.span.to_dict(),
                    "lines": chunk.lines.to_dict() if chunk.lines else None,
                    "page": chunk.page,
                    "heading_path": list(chunk.heading_path),
                }
                for chunk in served.index.chunks(id_)
            ],
            "has_original": served.index.has_original(id_),
        }

    return await _replied(served, told)


async def delete_document(request: Request) -> Response:
    """Take a document out of the index; `exclude` keeps it out of later ingests."""
    served, id_ = service(request), request.path_params["id"]
    exclude = reading.flag(request, "exclude")

    def removed() -> dict[str, Any]:
        _check_id(served, id_)
        info = served.index.remove(id_, exclude=exclude)
        return {
            "object": "document",
            "id": info.id,
            "uri": info.uri,
            "deleted": True,
            "returns": info.uri.startswith("file:") and not exclude,
        }

    reply = await _replied(served, removed)
    served.changed()
    return reply


async def get_original(request: Request) -> Response:
    """Return the bytes that a document was read from, to be saved, not to be shown."""
    served, id_ = service(request), request.path_params["id"]

    def read() -> Any:
        _check_id(served, id_)
        return served.index.original(id_)

    original = await served.quick.run(read)
    return Response(
        original.data,
        media_type="application/octet-stream",
        headers={"content-disposition": f"attachment; filename*=UTF-8''{_quoted(original.name)}"},
    )


async def get_page(request: Request) -> Response:
    """Return the picture of a page, with a span of the document's text marked on it."""
    served, id_ = service(request), request.path_params["id"]
    page = int(request.path_params["page"])
    start = reading.number(request, "start", 0, least=0, most=2**31)
    end = reading.number(request, "end", 0, least=0, most=2**31)

    def drawn() -> bytes:
        _check_id(served, id_)
        span = Span(start, end) if end > start else None
        return served.index.page_image(id_, page, span=span)

    png = await served.quick.run(drawn)
    return Response(png, media_type="image/png", headers={"cache-control": "private, max-age=600"})


def _check_id(served: Service, id_: str) -> None:
    """Raise DocumentNotFound for what is no id: names and paths, which `Index` takes too."""
    if served.index.info(id_).id != id_:
        raise DocumentNotFound(id_, f"the index holds no document of the id {id_[:100]}")


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "replace"), safe="")


# --- uploads ------------------------------------------------------------------------------------


async def upload(request: Request) -> Response:
    """Take in files: they are kept at once, and ingested one after the other."""
    served = service(request)
    try:
        async with request.form(max_files=_MOST_FILES, max_fields=10) as form:
            files = [each for each in form.getlist("file") if isinstance(each, UploadFile)]
            collection = form.get("collection") or None
            taken = [
                await served.quick.run(_add, served, each, collection)
                for each in _checked(served, files, collection)
            ]
    except HTTPException as exc:  # starlette's, for what is no multipart
        raise Refusal(400, str(exc.detail), "invalid_multipart") from exc
    return replies.Json(replies.listed(map(_upload, taken)), status_code=202)


def _checked(served: Service, files: list[UploadFile], collection: object) -> list[UploadFile]:
    """Return the files; raises Refusal before any of them is taken in."""
    if not files:
        raise Refusal(400, "there is no file in the upload", "missing_required_parameter", "file")
    if isinstance(collection, UploadFile):
        raise Refusal(400, "a collection is a name, no file", "invalid_value", "collection")
    most = served.settings.server_upload_mb * 1_000_000
    for file in files:
        if file.size and file.size > most:
            raise Refusal(
                413,
                f"{(file.filename or 'a file')[:80]!r} has more than {most:,} bytes",
                "too_large",
                "file",
                hint="split it, or raise server_upload_mb",
            )
    return files


def _add(served: Service, file: UploadFile, collection: Any) -> Upload:
    return served.uploads.add(file.filename or "", file.file, collection=collection)


async def list_uploads(request: Request) -> Response:
    """List the uploads of the last day, the newest first."""
    served = service(request)
    return replies.Json(replies.listed(map(_upload, await served.quick.run(served.uploads.list))))


async def get_upload(request: Request) -> Response:
    """Return how an upload stands."""
    served = service(request)
    found = await served.quick.run(served.uploads.get, request.path_params["id"])
    return replies.Json(_upload(found))


async def upload_events(request: Request) -> Response:
    """Tell how an upload stands whenever that changes, until it is in or has failed."""
    served, id_ = service(request), request.path_params["id"]
    first = await served.quick.run(served.uploads.get, id_)
    return replies.stream(_changes(served, first))


async def _changes(served: Service, upload: Upload) -> AsyncIterator[bytes]:
    yield replies.event(_upload(upload))
    since_ping = 0.0
    while not upload.is_final:
        await asyncio.sleep(_LOOK_SECONDS)
        now = await served.quick.run(served.uploads.get, upload.id)
        since_ping += _LOOK_SECONDS
        if now != upload:
            yield replies.event(_upload(now))
        elif since_ping >= replies.PING_SECONDS:
            yield replies.PING
            since_ping = 0.0
        upload = now
    served.changed()
    yield replies.DONE


def _upload(upload: Upload) -> dict[str, Any]:
    return {"object": "upload", **upload.to_dict()}


# --- conversations ------------------------------------------------------------------------------


async def list_conversations(request: Request) -> Response:
    """List the conversations that are kept, that of the newest turn first."""
    served = service(request)

    def listed() -> dict[str, Any]:
        try:
            return replies.listed(each.to_dict() for each in served.index.conversations())
        except IndexNotFound:
            return replies.listed(())

    return await _replied(served, listed)


async def get_conversation(request: Request) -> Response:
    """Return a conversation with all of its turns."""
    served, id_ = service(request), request.path_params["id"]
    return await _replied(served, lambda: served.index.conversation(id_).to_dict())


async def delete_conversation(request: Request) -> Response:
    """Take out a conversation with all of its turns."""
    served, id_ = service(request), request.path_params["id"]

    def deleted() -> dict[str, Any]:
        info = served.index.delete_conversation(id_)
        return {"id": info.id, "object": "conversation", "deleted": True}

    return await _replied(served, deleted)


# --- the index ----------------------------------------------------------------------------------


async def get_index(request: Request) -> Response:
    """Say what is served: what the index holds, who embeds and writes, what may be done."""
    served = service(request)
    return await _replied(served, lambda: _index(served, request))


def _index(served: Service, request: Request) -> dict[str, Any]:
    index, settings, contents = served.index, served.settings, served.contents()
    return {
        "object": "index",
        "name": served.name,
        "documents": contents.documents,
        "chunks": contents.chunks,
        "collections": list(contents.collections),
        "media_types": list(contents.media_types),
        "presets": list(served.presets),
        "embedder": index.upstream.embedder_name,
        "destination": index.upstream.destination,
        "chat_model": index.upstream.chat_model or None,
        "web": settings.web,
        "has_web_search": index.upstream.has_web_search,
        "keeps_conversations": settings.keep_conversations,
        "max_upload_bytes": settings.server_upload_mb * 1_000_000,
        "scopes": list(request.state.scopes),
    }
