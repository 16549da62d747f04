"""The address of a page: one spelling of it, the parts that a connection needs, a file name."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urljoin, urlsplit

import idna

from ragkit.errors import DocumentError

MAX_URL_CHARACTERS = 8_192
MAX_NAME_CHARACTERS = 200
MAX_SHOWN_CHARACTERS = 200

_PORTS = {"http": 80, "https": 443}
# A link must not make us speak to a mail server: https://fetch.spec.whatwg.org/#port-blocking
_FORBIDDEN_PORTS = frozenset(
    int(port)
    for port in "0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104"
    " 109 110 111 113 115 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530"
    " 531 532 540 548 554 556 563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190"
    " 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080".split()
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]*))?")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NOT_IN_PATHS = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_NOT_IN_QUERIES = re.compile(r"%[0-9A-Fa-f]{2}|[^A-Za-z0-9\-._~!$&'()*+,;=:@/?]")
# Greedy, so that a password with a slash in it is hidden too.
_CREDENTIALS = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:)?.*@")

# The suffixes that fit a type, the usual one first.
_SUFFIXES = {
    "text/html": "html htm xhtml xht shtml",
    "application/xhtml+xml": "xhtml html htm xht shtml",
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "text/markdown": "md markdown mdown mkd mdx",
    "text/x-markdown": "md markdown mdown mkd mdx",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv tab",
    "text/x-rst": "rst rest",
    "text/vtt": "vtt",
    "text/css": "css",
    "text/javascript": "js mjs",
    "application/javascript": "js mjs",
    "application/json": "json geojson ipynb",
    "application/ld+json": "json jsonld",
    "application/x-ndjson": "ndjson jsonl",
    "application/x-ipynb+json": "ipynb",
    "application/yaml": "yaml yml",
    "application/toml": "toml",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/rss+xml": "xml rss",
    "application/atom+xml": "xml atom",
    "image/svg+xml": "svg",
    "message/rfc822": "eml",
    "application/rtf": "rtf",
    "text/rtf": "rtf",
    "application/msword": "doc dot",
    "application/vnd.ms-excel": "xls",
    "application/vnd.ms-powerpoint": "ppt pps",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx docm dotx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx pptm ppsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx xlsm",
    "application/vnd.oasis.opendocument.text": "odt ott",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/vnd.oasis.opendocument.spreadsheet": "ods",
    "application/epub+zip": "epub",
    "application/zip": "zip",
}
# Servers say these of whatever they don't know, so a suffix says more: README.md, code.py, map.svg.
_VAGUE = frozenset({"text/plain", "text/xml", "application/xml", "application/zip"})


@dataclass(frozen=True, slots=True)
class PageAddress:
    """The address of a page, normalised. `target` is its path and query; IPv6 is in brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Return the host as a request names it, with the port unless that is the usual one."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def host_name(self) -> str:
        """Return the host as it is looked up: a name, or an IP address without brackets."""
        return self.host.strip("[]")

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def redirected(self, location: str) -> PageAddress:
        """Return the address that a Location header leads to. Raises DocumentError."""
        # Bytes that aren't ASCII are sent as they are by some servers; they are percent-encoded.
        plain = "".join(c if c < "\x80" else f"%{ord(c):02X}" for c in location)
        try:
            return page_address(urljoin(self.url, plain.strip()))
        except ValueError as exc:
            raise _bad(plain, str(exc)) from exc


def page_uri(url: str) -> str:
    """Return the one spelling of a page's address, without a fragment; pages are known by it.

    Raises DocumentError with the code "bad-url".
    """
    return page_address(url).url


def page_address(url: str) -> PageAddress:
    """Take the address of a page apart. Raises DocumentError with the code "bad-url"."""
    url = url.strip()
    if not url.isprintable() or len(url) > MAX_URL_CHARACTERS:
        raise _bad(url, "it is too long, or holds characters that no address has")
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        raise _bad(url, str(exc)) from exc
    if parts.scheme not in _PORTS:
        raise _bad(url, "only http:// and https:// are read")
    if "@" in parts.netloc:
        raise _bad(url, "it holds a user name or password", "leave out what stands before the @")
    match = _AUTHORITY.fullmatch(parts.netloc)
    host = _host(match["host"]) if match else ""
    if not match or not host:
        raise _bad(url, "it names no host, or one that can't be")
    port = int(match["port"] or _PORTS[parts.scheme]) if len(match["port"] or "") < 6 else 0
    if port in _FORBIDDEN_PORTS or port > 65_535:
        raise _bad(url, "web pages aren't served on this port", "check the number after the host")
    target = _without_dots(_encoded(parts.path, _NOT_IN_PATHS))
    if parts.query:
        target += "?" + _encoded(parts.query, _NOT_IN_QUERIES)
    return PageAddress(parts.scheme, host, port, target)


def page_name(address: PageAddress, content_type: str) -> str:
    """Return a file name for a page, with a suffix that fits its type.

    A suffix that contradicts the type gets the right one behind it: what `index.php` and
    `README.md` of a code host serve is HTML.
    """
    segment = unquote(address.target.partition("?")[0].rpartition("/")[2], errors="replace")
    name = "".join(c if c.isprintable() and c not in "/\\" else "_" for c in segment)
    name = name.strip(" ")[-MAX_NAME_CHARACTERS:]
    if not name.strip("."):
        name = "index"
    fitting = _SUFFIXES.get(content_type, "").split()
    suffix = PurePosixPath(name.lower()).suffix[1:]
    if not fitting or suffix in fitting or (suffix and content_type in _VAGUE):
        return name
    return f"{name.rstrip('.')}.{fitting[0]}"


def _bad(
    url: str, reason: str, hint: str = "it looks like https://example.org/page"
) -> DocumentError:
    shown = "".join(c if c.isprintable() else "\ufffd" for c in url[:MAX_URL_CHARACTERS])
    shown = _CREDENTIALS.sub(r"\g<scheme>//[hidden]@", shown)[:MAX_SHOWN_CHARACTERS]
    message = f"this is not the address of a page: {reason}"
    return DocumentError(shown, message, hint=hint, code="bad-url")


def _host(host: str) -> str:
    """Return a host in its one spelling, "" where it can't be one."""
    try:
        if host.startswith("["):
            return f"[{IPv6Address(host[1:-1]).compressed}]"
        if not host.isascii():
            host = idna.encode(host[:MAX_URL_CHARACTERS], uts46=True).decode("ascii")
        host = host.lower().removesuffix(".")
        if not _HOST.fullmatch(host):
            return ""
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            # 2130706433 and 0x7f.1 are spellings of 127.0.0.1 that the resolver would take too.
            return socket.inet_ntoa(socket.inet_aton(host))
    except (ValueError, OSError):  # idna's errors are ValueErrors
        return ""
    return host


def _encoded(text: str, unwanted: re.Pattern[str]) -> str:
    """Percent-encode what has to be, decode what needn't be, and write the rest in capitals."""

    def one_way(match: re.Match[str]) -> str:
        found = match[0]
        if len(found) == 1:
            return quote(found, safe="")
        character = chr(int(found[1:], 16))
        return character if character in _UNRESERVED else found.upper()

    return unwanted.sub(one_way, text)


def _without_dots(path: str) -> str:
    """Resolve `.` and `..`, as RFC 3986 section 5.2.4 does."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            kept[-1:] = []
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
