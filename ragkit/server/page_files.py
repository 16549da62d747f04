"""The page at `/` and its files, read once; a browser keeps them until they change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from ragkit.server.failures import Refusal

_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page, as it is sent."""

    content: bytes
    content_type: str
    tag: str


def read_files(folder: Path = _FOLDER) -> dict[str, PageFile]:
    """Return the files of the page by name."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            files[path.name] = PageFile(content, _TYPES[path.suffix], tag)
    return files


async def page(request: Request) -> Response:
    """Return the page."""
    return _sent(request, "index.html")


async def asset(request: Request) -> Response:
    """Return a file of the page."""
    return _sent(request, request.path_params["name"])


def _sent(request: Request, name: str) -> Response:
    file = request.app.state.page_files.get(name)
    if not isinstance(file, PageFile):
        raise Refusal(404, "there is no such file", "not_found")
    headers = {"etag": file.tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == file.tag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.content_type, headers=headers)
