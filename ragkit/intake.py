"""How sources are read: files within what limits, and web pages."""

from __future__ import annotations

import os
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from ragkit import credentials
from ragkit.errors import DocumentError
from ragkit.indexing import Loaded, Source
from ragkit.parsing import ParseOptions, media_type
from ragkit.parsing.encoding import known_codec
from ragkit.settings import Settings

if TYPE_CHECKING:
    from ragkit.types import WebPage

MAX_PARSE_WORKERS = 8  # more processes than that wait for the embedder anyhow
_TEXT_KINDS = ("text/", "application/json", "application/x-ndjson", "application/xml")
BYTE_ORDER_MARKS = (BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE)


def parse_options(settings: Settings) -> ParseOptions:
    """Return how files are parsed, within what limits. Raises ConfigError, see `credentials`."""
    credentials.refuse_unsafe_project(settings)
    return ParseOptions(
        seconds=settings.parse_seconds,
        memory_bytes=settings.parse_memory_mb * 1_000_000,
        text_characters=settings.max_text_mb * 1_000_000,
        keep_running=settings.keep_page_headers,
    )


def parse_workers(settings: Settings) -> int:
    """Return how many processes parse files; 0 where this one does."""
    if settings.isolation == "none":
        return 0
    return settings.parse_workers or min(os.cpu_count() or 1, MAX_PARSE_WORKERS)


def web_pages(urls: Sequence[str], settings: Settings) -> list[Source]:
    """Return web pages as sources, read when their turn comes. Raises DocumentError."""
    from ragkit.providers.pages import PageReader, page_uri  # noqa: PLC0415 - httpx takes 0.1 s

    credentials.refuse_unsafe_project(settings)
    reader = PageReader(
        max_bytes=settings.max_file_mb * 1_000_000, allow_private=settings.allow_private_addresses
    )

    def load(url: str) -> Loaded:
        page = reader.fetch(url)
        return Loaded(page.name, _in_utf8(page))

    return [Source(page_uri(url), partial(load, url)) for url in urls]


def page_address(url: str) -> str:
    """Return a web page's uri; what isn't an address is returned as it is, and not found."""
    from ragkit.providers.page_address import page_uri  # noqa: PLC0415 - as above

    try:
        return page_uri(url)
    except DocumentError:
        return url


def _in_utf8(page: WebPage) -> bytes:
    """Return a page's bytes; text in the encoding that the server named, if it can be, in UTF-8.

    What servers say of PDFs and office files is not believed: a charset would destroy them.
    """
    is_text = page.content_type.startswith("text/") or page.content_type.endswith(
        ("/json", "+json", "/xml", "+xml")
    )
    codec = known_codec(page.charset) if is_text and page.charset else ""
    if not codec or not media_type(page.data, page.name).startswith(_TEXT_KINDS):
        return page.data
    if page.data.startswith(BYTE_ORDER_MARKS):
        return page.data
    try:
        return page.data.decode(codec).encode("utf-8-sig")
    except ValueError:
        return page.data
