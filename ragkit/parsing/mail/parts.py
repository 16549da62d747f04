"""The parts of a message (RFC 5322, MIME): headers, encoded words, multiparts, bodies, names.

The standard library's parser goes down a function call for each multipart, and its newer policies
need minutes for a header of 50,000 addresses; so the bytes are cut here, and the library is asked
for what it knows of one part at a time.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime

from ragkit.parsing.encoding import decode
from ragkit.text import clean

MAX_DEPTH = 30  # multiparts and messages within each other; a chain of forwards has a few
MAX_PARTS = 1_000  # of one multipart
PARAMETER_CHARACTERS = 4_000  # the library's reading of parameters is quadratic in their number
VALUE_CHARACTERS = 1_000
ADDRESSES = 20  # shown of a header, the others are counted

_HEADER = re.compile(r"^([!-9;-~]+)[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_FIRST_HEADER = re.compile(rb"(?:>?From [^\n]*\n|[!-9;-~]{1,80}[ \t]*:)")
_HEAD_END = re.compile(rb"\n\r?\n|\Z")
_ENCODED_WORD = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]*)?\?([bBqQ])\?([^?\n]*)\?=")
_BETWEEN_WORDS = re.compile(r"(?<=\?=)[ \t\n]+(?==\?[\w.:+-]{1,40}(?:\*[\w-]*)?\?[bBqQ]\?)")
_ADDRESS = re.compile(
    r"(?:\"[^\"\\]*(?:\\.[^\"\\]*){0,20}\"|<[^<>,]{0,320}>|\([^()]{0,500}\)|[^,;\"<(]|[\"<(])+"
)
# Their text can be read as UTF-8 and isn't, so what is declared comes first.
_DECLARED_FIRST = ("iso2022", "hz", "utf-7", "utf-16", "utf-32")
# ASCII says nothing of bytes that aren't, and the others are Python's codecs for other ends.
_NO_CHARSETS = frozenset(
    "ascii base64 bz2 hex quopri rot13 uu zlib idna punycode unicode_escape raw-unicode-escape "
    "raw_unicode_escape unicode-escape mbcs oem undefined".split()
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message: its headers by lower-case name, and where its body lies in `data`."""

    data: bytes
    start: int
    end: int
    headers: dict[str, str]
    fields: Message  # those of the headers that have parameters

    @property
    def content_type(self) -> str:
        return self.fields.get_content_type()

    @property
    def name(self) -> str:
        """The file name that the sender gave; nothing to be opened or written."""
        try:
            name = self.fields.get_filename("")
        except (LookupError, ValueError, TypeError):
            return ""
        return words(decoded_words(name))[:VALUE_CHARACTERS]

    @property
    def is_attachment(self) -> bool:
        return self.fields.get_content_disposition() == "attachment"

    def parameter(self, name: str) -> str:
        value = self.fields.get_param(name, "")
        return value if isinstance(value, str) else str(value[2])

    @property
    def transfer_encoding(self) -> str:
        return str(self.fields.get("content-transfer-encoding", "")).strip().lower()

    def size(self) -> int:
        """About how many bytes the part has when it is decoded."""
        length = self.end - self.start
        return length * 3 // 4 if self.transfer_encoding == "base64" else length

    def message(self) -> Part:
        """Return the message that the part is."""
        if self.transfer_encoding in ("base64", "quoted-printable"):
            content = self.content()
            return read_part(content, 0, len(content))
        return read_part(self.data, self.start, self.end)

    def content(self) -> bytes:
        """Undo the transfer encoding; what is damaged in it is left as it is."""
        bare = Message()
        bare["content-transfer-encoding"] = self.transfer_encoding
        raw = self.data[self.start : self.end]
        bare.set_payload(raw.decode("ascii", "surrogateescape"))
        try:
            found = bare.get_payload(decode=True)
        except (ValueError, binascii.Error):
            return raw
        return found if isinstance(found, bytes) else raw

    def text(self) -> tuple[str, tuple[str, ...]]:
        """Return the decoded text, not cleaned, and what was lost on the way."""
        return decoded_text(self.content(), self.parameter("charset"))


def read_part(data: bytes, start: int, end: int, *, default_type: str = "") -> Part:
    """Read the headers of what lies between two places; what has none is all body."""
    body = start
    if _FIRST_HEADER.match(data, start, end):
        found = _HEAD_END.search(data, start, end)
        body = found.end() if found else end
    elif data.startswith((b"\n", b"\r\n"), start):
        body = min(end, start + (2 if data[start : start + 1] == b"\r" else 1))
    head = decode(data[start:body]).text.replace("\r\n", "\n").replace("\r", "\n")
    headers: dict[str, str] = {}
    for match in _HEADER.finditer(head):
        headers.setdefault(match[1].lower(), match[2].strip())
    fields = Message()
    fields.set_default_type(default_type or "text/plain")
    for name in ("content-type", "content-disposition", "content-transfer-encoding"):
        if name in headers:
            fields[name] = headers[name][:PARAMETER_CHARACTERS].replace("\n", " ")
    return Part(data, body, end, headers, fields)


def subparts(part: Part) -> list[Part]:
    """Cut a multipart at its boundary; empty where that never appears."""
    boundary = part.parameter("boundary").rstrip()
    if not boundary:
        return []
    mark = re.compile(
        rb"^--" + re.escape(boundary.encode("utf-8", "replace")) + rb"(--)?[ \t]*\r?$", re.MULTILINE
    )
    default = "message/rfc822" if part.content_type == "multipart/digest" else ""
    parts: list[Part] = []
    start = -1
    for match in mark.finditer(part.data, part.start, part.end):
        if start >= 0 and len(parts) <= MAX_PARTS:
            end = max(start, match.start() - 1)  # the line end belongs to the boundary
            parts.append(read_part(part.data, start, end, default_type=default))
        start = -1 if match[1] else min(match.end() + 1, part.end)
    if start >= 0:  # the closing boundary is missing
        parts.append(read_part(part.data, start, part.end, default_type=default))
    return parts


# --- text --------------------------------------------------------------------------------------


def decoded_text(data: bytes, charset: str) -> tuple[str, tuple[str, ...]]:
    """Decode text with the charset that a message declares, or without where it is no such."""
    codec = _codec(charset)
    try:
        if codec.startswith(_DECLARED_FIRST):
            return data.decode(codec, "replace"), ()
        if codec and not _is_utf8(data):
            return data.decode(codec), ()
    except UnicodeError:
        pass
    found = decode(data)
    return found.text, found.warnings


def _codec(charset: str) -> str:
    """Return Python's name for a declared charset; "" for none, an unknown one, and ASCII."""
    try:
        name = codecs.lookup(charset.strip(" \t'\"").lower()).name
    except (LookupError, ValueError):
        return ""
    if name in _NO_CHARSETS:
        return ""
    return "cp1252" if name == "iso8859-1" else name  # as all mail programs read it


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def decoded_words(value: str) -> str:
    """Put text in the place of encoded words; those that can't be read stay as they are."""
    value = _BETWEEN_WORDS.sub("", value)
    pieces: list[str] = []
    pending, charset = b"", ""
    at = 0
    for match in _ENCODED_WORD.finditer(value):
        content = _word_bytes(match[2], match[3])
        goes_on = match.start() == at and match[1].lower() == charset
        if not goes_on or content is None:
            pieces += [_word_text(pending, charset), value[at : match.start()]]
            pending = b""
        if content is None:
            pieces.append(match[0])
        pending, charset = pending + (content or b""), match[1].lower()
        at = match.end()
    return "".join([*pieces, _word_text(pending, charset), value[at:]])


def _word_text(content: bytes, charset: str) -> str:
    if _codec(charset) or _is_utf8(content):
        return decoded_text(content, charset)[0]
    return content.decode("cp1252", "replace")  # a few letters are too little to guess by


def _word_bytes(encoding: str, content: str) -> bytes | None:
    if not content.isascii():
        return None
    if encoding in "qQ":
        return binascii.a2b_qp(content.replace("_", " ").encode(), header=True)
    padded = content.rstrip("=")
    try:
        return binascii.a2b_base64(padded + "=" * (-len(padded) % 4))
    except binascii.Error:
        return None


def words(text: str) -> str:
    """Return a text cleaned and on one line."""
    return " ".join(clean(text).split())


# --- headers -----------------------------------------------------------------------------------


def header(part: Part, name: str) -> str:
    """Return a header as it is to be read, or ""."""
    return words(decoded_words(part.headers.get(name, "")[:VALUE_CHARACTERS]))


def addresses(part: Part, name: str) -> str:
    """Return the addresses of a header, the first of them and how many more there are."""
    value = part.headers.get(name, "")
    shown: list[str] = []
    more = 0
    for address in _split_addresses(value):
        if len(shown) < ADDRESSES:
            shown.append(words(decoded_words(address[:VALUE_CHARACTERS])))
        else:
            more += 1
    listed = ", ".join(address for address in shown if address)
    return f"{listed} and {more:,} more" if more else listed


def _split_addresses(value: str) -> Iterator[str]:
    for match in _ADDRESS.finditer(value):
        if match[0].strip():
            yield match[0]


def iso_date(part: Part) -> str:
    """Return the date as ISO 8601 has it, or "" where it can't be read."""
    try:
        return parsedate_to_datetime(header(part, "date")[:100]).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
