"""From the bytes of a file to its text and structure: a table of parsers by media type.

A parser is a pure function of bytes, so that it runs in a worker process as it is. Its module is
imported when the first file of its kind comes: PDFium takes 75 ms, and a folder of notes needs
none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from ragkit.errors import ParseError, UnsupportedFormat
from ragkit.parsing.media import BINARY, media_type
from ragkit.parsing.structure import Parsed

__all__ = ["Parsed", "media_type", "parse"]

# Module of ragkit.parsing by media type; what isn't here and isn't "text/..." can't be read.
_MODULES = {
    "application/pdf": "pdf",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/plain": "plain",
    "text/csv": "plain",
    "text/tab-separated-values": "plain",
    "application/json": "code",
    "application/sql": "code",
    "application/toml": "code",
    "application/xml": "code",
    "application/yaml": "code",
}

_ELSE = "convert it to PDF, HTML, Markdown or plain text"
_HINTS = {
    "application/gzip": "unpack it; archives are not read",
    "application/zip": "unpack it; archives are not read",
    "application/vnd.ms-outlook": "export the message as text or PDF",
    "message/rfc822": "export the message as text or PDF",
    "application/x-ipynb+json": "export the notebook: jupyter nbconvert --to markdown",
    "image/svg+xml": "pictures are not read",
}


def parse(data: bytes, *, uri: str, name: str) -> Parsed:
    """Read a file's bytes as what content and name say it is.

    Raises UnsupportedFormat for what no parser reads, and ParseError with the code "encrypted",
    "corrupt", "no-text" or "empty".
    """
    if not data.strip(b" \t\r\n\f\v\0"):
        raise _empty(uri)
    kind = media_type(data, name)
    parsed = _parser(kind, uri)(data, uri, kind)
    if not parsed.text.strip():
        raise _empty(uri)
    return parsed


def _empty(uri: str) -> ParseError:
    return ParseError(uri, "the file holds no text", code="empty")


def _parser(kind: str, uri: str) -> Callable[[bytes, str, str], Parsed]:
    module = _MODULES.get(kind) or ("code" if kind.startswith("text/") else "")
    if not module:
        raise _unsupported(kind, uri)
    found = import_module(f"ragkit.parsing.{module}")
    return cast(Callable[[bytes, str, str], Parsed], found.parse)


def _unsupported(kind: str, uri: str) -> UnsupportedFormat:
    if kind == BINARY or (kind.startswith(("image/", "application/x-")) and kind not in _HINTS):
        return UnsupportedFormat(uri, f"this is a binary file ({kind})", code="binary")
    message = f"files of type {kind} are not read yet"
    return UnsupportedFormat(uri, message, hint=_HINTS.get(kind, _ELSE))
