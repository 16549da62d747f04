"""The bytes between ragkit and its parser processes: frames, jobs, and what became of them.

Everything is JSON or raw bytes: a reply may come from a process that a file has taken over, so
nothing of it is ever executed or unpickled, and it is checked while it is read.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO, cast, get_args

from ragkit.errors import DocumentError, ParseError, SkippedDocument, UnsupportedFormat
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.structure import Parsed
from ragkit.types import Block, BlockKind, Heading, Page, Span


class WornOut(ParseError):
    """A parser process died or ran out of memory: of this file, or of those before it."""


_LENGTH = struct.Struct(">Q")
_KINDS: tuple[BlockKind, ...] = get_args(BlockKind)
_ERRORS: dict[str, type[DocumentError]] = {
    each.__name__: each for each in (ParseError, SkippedDocument, UnsupportedFormat, WornOut)
}


class BrokenFrame(EOFError):
    """The other side is gone, or what it sent makes no sense."""


class FrameTooLong(BrokenFrame):
    """A frame is longer than allowed."""


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    stream.write(_LENGTH.pack(len(payload)))
    stream.write(payload)
    stream.flush()


def read_frame(stream: BinaryIO, *, max_bytes: int) -> bytes:
    """Return the next frame. Raises BrokenFrame where the stream ends or the frame is too long."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise BrokenFrame("the stream has ended")
    (length,) = _LENGTH.unpack(head)
    if length > max_bytes:
        raise FrameTooLong(f"a frame of {length:,} bytes")
    payload = stream.read(length)
    if len(payload) < length:
        raise BrokenFrame("the stream has ended within a frame")
    return payload


def pack_job(uri: str, name: str) -> bytes:
    return json.dumps([uri, name]).encode()


def unpack_job(payload: bytes) -> tuple[str, str]:
    uri, name = json.loads(payload)
    return uri, name


def pack_options(options: ParseOptions) -> bytes:
    return json.dumps({name: getattr(options, name) for name in options.__slots__}).encode()


def unpack_options(payload: bytes) -> ParseOptions:
    return ParseOptions(**json.loads(payload))


def pack_parsed(parsed: Parsed) -> bytes:
    places = [
        [[p.number, p.span.start, p.span.end] for p in parsed.pages],
        [[h.level, h.title, h.span.start, h.span.end] for h in parsed.headings],
        [[_KINDS.index(b.kind), b.span.start, b.span.end] for b in parsed.blocks],
    ]
    facts = [parsed.title, parsed.media_type, dict(parsed.metadata), list(parsed.warnings)]
    return json.dumps(["parsed", parsed.text, facts, places], ensure_ascii=False).encode()


def pack_error(error: DocumentError) -> bytes:
    known = type(error).__name__
    return json.dumps(
        [
            "error",
            known if known in _ERRORS else "ParseError",
            str(error).encode(errors="replace").decode(),
            error.hint,
            error.code,
        ]
    ).encode()


def unpack_reply(payload: bytes, uri: str) -> Parsed:
    """Return what a parser process found, or raise the DocumentError that it met.

    Raises BrokenFrame for a reply that makes no sense.
    """
    try:
        reply = json.loads(payload)
        if reply[0] == "parsed":
            return _parsed(reply)
        _, kind, message, hint, code = map(str, reply)
        error = _ERRORS[kind](uri, message, hint=hint, code=code)
    except (ValueError, TypeError, LookupError) as exc:
        raise BrokenFrame(f"the reply can't be read: {exc}") from exc
    raise error


def _parsed(reply: list[Any]) -> Parsed:
    _, text, (title, media_type, metadata, warnings), (pages, headings, blocks) = reply
    size = len(text)
    return Parsed(
        text=_text(text),
        title=_text(title),
        media_type=_text(media_type),
        metadata={_text(name): _text(value) for name, value in metadata.items()},
        pages=tuple(Page(int(n), _span(a, b, size)) for n, a, b in pages),
        headings=tuple(Heading(int(n), _text(t), _span(a, b, size)) for n, t, a, b in headings),
        blocks=tuple(Block(_KINDS[kind], _span(a, b, size)) for kind, a, b in blocks),
        warnings=tuple(_text(warning) for warning in warnings),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value


def _span(start: object, end: object, size: int) -> Span:
    first, last = cast(int, start), cast(int, end)
    if not 0 <= first <= last <= size:
        raise ValueError("a span outside the text")
    return Span(first, last)
