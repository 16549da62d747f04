"""Reads single pages of the web, from links that nobody vouches for.

A link can lead into the network that this machine stands in, to a server that never ends its
answer, or to one that answers without end. So every address is checked, at every redirect, before
anything is sent to it; the whole takes a limited time and a limited number of bytes; and nothing
goes out that tells who asks: no cookies, no keys, no credentials.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from ragkit.errors import DocumentError
from ragkit.providers.page_address import PageAddress, page_address, page_name, page_uri
from ragkit.providers.page_connection import Deadline, PageFailure, Reply, exchange, in_time
from ragkit.providers.public_address import why_not_public
from ragkit.providers.transport import tls_context
from ragkit.types import WebPage

__all__ = ["PageReader", "page_uri"]

Resolve = Callable[..., Iterable[tuple[Any, ...]]]  # called and answering as socket.getaddrinfo

TIMEOUT_SECONDS = 20.0
MAX_BYTES = 100 * 1024 * 1024
MAX_REDIRECTS = 5
RETRY_PAUSE_SECONDS = 0.5
UNPACKED_PIECE_BYTES = 256 * 1024

_PAGE = (HTTPStatus.OK, HTTPStatus.NON_AUTHORITATIVE_INFORMATION)
_NOTHING = (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT)
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (502, 503, 504)
_GONE = (404, 410)
_ENCODINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_CHARSET = re.compile(r""";\s*charset\s*=\s*["']?([A-Za-z0-9_.:+-]+)""", re.IGNORECASE)
_HINTS = {
    401: "the page needs a log-in; save it with a browser and ingest the file",
    403: "the server doesn't let programs read it; save it with a browser and ingest the file",
    407: "a proxy is in between and wants a log-in",
    429: "the server asks to come less often; try again later",
}


@cache
def _headers() -> Mapping[str, str]:
    """Return what every request says; it takes 20 ms to find out the version."""
    return {
        "user-agent": f"ragkit/{version('ragkit')}",
        "accept": "text/html, application/xhtml+xml, application/pdf, text/*;q=0.9, */*;q=0.5",
        "accept-encoding": "gzip, deflate",
    }


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that was read to its end. `data` is empty unless it is a page."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class PageReader:
    """Reads one page at a time; threads may share it. `timeout_seconds` bounds all of a fetch.

    Addresses that aren't public are refused unless `allow_private`; `check_ip` says what is wrong
    with one, in a word. Certificates are checked against `tls`, by default the usual authorities.
    """

    def __init__(
        self,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_BYTES,
        allow_private: bool = False,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = socket.getaddrinfo,
        check_ip: Callable[[str], str] = why_not_public,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes
        self._check_ip = (lambda ip: "") if allow_private else check_ip
        self._tls = tls
        self._resolve = resolve
        self._clock = clock
        self._sleep = sleep

    def fetch(self, url: str) -> WebPage:
        """Read a page, following redirects.

        Raises DocumentError with the code "bad-url", "forbidden-address", "vanished",
        "unreadable", "timeout", "too-large" or "empty", and ConfigError where the certificate
        authorities can't be read.
        """
        asked = page_address(url)
        deadline = Deadline(self._timeout_seconds, clock=self._clock)
        try:
            return self._page(asked, deadline)
        except TimeoutError as exc:
            message = f"the page took longer than {self._timeout_seconds:g} s"
            hint = "try again later"
            raise DocumentError(asked.url, message, hint=hint, code="timeout") from exc
        except PageFailure as exc:
            raise DocumentError(asked.url, str(exc), hint=exc.hint, code=exc.code) from exc

    def _page(self, asked: PageAddress, deadline: Deadline) -> WebPage:
        address = asked
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._answer(address, deadline)
            location = answer.headers.get("location", "")
            if answer.status not in _REDIRECTS or not location:
                return _web_page(asked, address, answer)
            address = _next_address(address, location)
        raise PageFailure(
            f"the page redirects more than {MAX_REDIRECTS} times",
            hint="open it with a browser, and give the address where it ends",
        )

    def _answer(self, address: PageAddress, deadline: Deadline) -> _Answer:
        """Ask for a page, and a second time where the server or the line failed for a moment."""
        try:
            answer = self._answer_once(address, deadline)
        except PageFailure as exc:
            if not exc.passing:
                raise
        else:
            if answer.status not in _PASSING:
                return answer
        self._sleep(min(RETRY_PAUSE_SECONDS, deadline.left()))
        return self._answer_once(address, deadline)

    def _answer_once(self, address: PageAddress, deadline: Deadline) -> _Answer:
        ips = self._checked_ips(address, deadline)
        if address.scheme == "https" and self._tls is None:
            self._tls = tls_context()
        with exchange(address, ips, headers=_headers(), tls=self._tls, deadline=deadline) as reply:
            data = self._body(reply) if reply.status in _PAGE else b""
        return _Answer(reply.status, reply.headers, data)

    def _checked_ips(self, address: PageAddress, deadline: Deadline) -> list[str]:
        """Look up the IP addresses of a host; one that is forbidden forbids them all."""
        host = address.host_name
        try:
            found = in_time(
                lambda: list(self._resolve(host, address.port, type=socket.SOCK_STREAM)), deadline
            )
        except TimeoutError:
            raise
        except (OSError, UnicodeError) as exc:
            said = getattr(exc, "strerror", None) or str(exc)
            raise PageFailure(
                f"the name {host} can't be resolved: {said}",
                hint="check the address and the network; pages are read without a proxy",
            ) from exc
        ips = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        for ip in ips:
            if kind := self._check_ip(ip):
                shown = ip if ip == host else f"{host} ({ip})"
                raise PageFailure(
                    f"{shown} is a {kind} address; only pages of the public web are read",
                    hint="where you trust the link, set allow_private_addresses",
                    code="forbidden-address",
                )
        return ips

    def _body(self, reply: Reply) -> bytes:
        """Read and unpack a body, as far as the limit."""
        declared = reply.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            raise self._too_large()
        encoding = _ENCODINGS.get(reply.headers.get("content-encoding", "").lower())
        if encoding is None:
            raise PageFailure(
                "the server packed the page in a way that wasn't asked for",
                hint="save it with a browser and ingest the file",
            )
        data = bytearray()
        for piece in _unpacked(self._counted(reply.body), encoding):
            data += piece
            if len(data) > self._max_bytes:
                raise self._too_large()
        return bytes(data)

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on what comes over the line, as far as the limit: it may unpack to nothing."""
        size = 0
        for piece in pieces:
            size += len(piece)
            if size > self._max_bytes:
                raise self._too_large()
            yield piece

    def _too_large(self) -> PageFailure:
        message = f"the page has more than {self._max_bytes:,} bytes, which is the limit"
        return PageFailure(message, hint="save it and split it into parts", code="too-large")


def _web_page(asked: PageAddress, address: PageAddress, answer: _Answer) -> WebPage:
    """Return the page of an answer. Raises PageFailure where it holds none."""
    if answer.status not in (*_PAGE, *_NOTHING):
        raise _refused(address, answer.status)
    if not answer.data:
        raise PageFailure("the page is empty", code="empty")
    declared = answer.headers.get("content-type", "")
    content_type = re.split("[;,]", declared)[0].strip().lower()
    charset = _CHARSET.search(declared)
    return WebPage(
        uri=asked.url,
        url=address.url,
        data=answer.data,
        content_type=content_type,
        charset=charset[1].lower() if charset else "",
        name=page_name(address, content_type),
    )


def _refused(address: PageAddress, status: int) -> PageFailure:
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    if status in _GONE:
        return PageFailure(
            f"{address.authority} has no such page any more ({phrase})",
            hint="check the address",
            code="vanished",
        )
    hint = _HINTS.get(status, "try again later" if status >= 500 else "check the address")
    return PageFailure(f"{address.authority} answered {phrase}", hint=hint)


def _next_address(address: PageAddress, location: str) -> PageAddress:
    """Return where a redirect leads, unless it mustn't be followed."""
    try:
        target = address.redirected(location)
    except DocumentError as exc:
        raise PageFailure(
            f"the page redirects to where pages can't be read ({exc.uri}): {exc}",
            hint="open it with a browser, and give the address where it ends",
        ) from exc
    if address.scheme == "https" and target.scheme == "http":
        raise PageFailure(
            f"the page redirects from https to plain http ({target.url})",
            hint="where you trust that address, give it instead",
        )
    return target


def _unpacked(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Unpack a body into pieces that stay small, however much comes out of it."""
    if not encoding:
        yield from pieces
        return
    unpacker = None
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if unpacker is None or unpacker.eof:
                    if unpacker and rest[0] != _GZIP_START:
                        return  # some servers put zeros behind
                    unpacker = zlib.decompressobj(_window(encoding, rest[0]))
                yield unpacker.decompress(rest, UNPACKED_PIECE_BYTES)
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if unpacker:
            yield unpacker.flush()
    except zlib.error as exc:
        raise PageFailure(f"the page can't be unpacked: {exc}", hint="try again later") from exc
    if unpacker and not unpacker.eof:
        raise PageFailure("the page broke off", hint="try again later", passing=True)


_GZIP_START = 0x1F


def _window(encoding: str, first: int) -> int:
    """Return zlib's name for a packing; "deflate" is sent with zlib's header and without."""
    if encoding == "gzip":
        return zlib.MAX_WBITS | 16
    return zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
