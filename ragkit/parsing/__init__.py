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
    "application/epub+zip": "epub",
    "application/json": "json_records",
    "application/json5": "code",
    "application/mbox": "mail",
    "application/pdf": "pdf",
    "application/rtf": "rtf",
    "application/sql": "code",
    "application/toml": "code",
    "application/vnd.ms-excel": "sheets",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": "sheets",
    "application/vnd.oasis.opendocument.presentation": "odf",
    "application/vnd.oasis.opendocument.spreadsheet": "sheets",
    "application/vnd.oasis.opendocument.text": "odf",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheets",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/x-ipynb+json": "notebook",
    "application/x-ndjson": "json_records",
    "application/x-subrip": "subtitles",
    "application/xml": "code",
    "application/yaml": "code",
    "message/rfc822": "mail",
    "text/asciidoc": "asciidoc",
    "text/csv": "delimited",
    "text/html": "html",
    "text/markdown": "markdown",
    "text/plain": "plain",
    "text/tab-separated-values": "delimited",
    "text/vtt": "subtitles",
    "text/x-rst": "rst",
    "text/x-tex": "latex",
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
