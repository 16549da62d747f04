"""The bytes between ragkit and its parser processes: frames, jobs, and what became of them.

Everything is JSON, numbers or raw bytes. A reply may come from a process that a file has taken
over: nothing of it is ever executed or unpickled, and it is checked while it is read.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, TypeVar, get_args

from ragkit.errors import DocumentError, ParseError, SkippedDocument, UnsupportedFormat
from ragkit.parsing.options import ParseOptions
from ragkit.parsing.picture import CHANNELS, MAX_PIXELS, PageJob, Picture
from ragkit.parsing.structure import Parsed
from ragkit.types import Block, BlockKind, Heading, Page, Span


class WornOut(ParseError):
    """A parser process died or ran out of memory: of this file, or of those before it."""


MAX_FACTS_BYTES = 64_000_000  # titles, metadata and warnings
MAX_PLACES = 20_000_000  # pages, headings and blocks of a file
_PLACES_FREE = 100_000  # pages may hold no text at all
_PLACE_BYTES = 24
T = TypeVar("T")
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


@dataclass(frozen=True, slots=True)
class ParseJob:
    """A file to parse."""

    uri: str
    name: str


def pack_job(job: ParseJob | PageJob) -> bytes:
    kind = "parse" if isinstance(job, ParseJob) else "draw"
    return json.dumps({kind: {name: getattr(job, name) for name in job.__slots__}}).encode()


def unpack_job(payload: bytes) -> ParseJob | PageJob:
    ((kind, fields),) = json.loads(payload).items()
    return ParseJob(**fields) if kind == "parse" else PageJob(**fields)


def pack_options(options: ParseOptions) -> bytes:
    return json.dumps({name: getattr(options, name) for name in options.__slots__}).encode()


def unpack_options(payload: bytes) -> ParseOptions:
    return ParseOptions(**json.loads(payload))


def pack_parsed(parsed: Parsed) -> list[bytes]:
    """Return a text and its structure as frames: the facts, the text, and all places."""
    facts = {
        "title": parsed.title,
        "media_type": parsed.media_type,
        "metadata": dict(parsed.metadata),
        "warnings": list(parsed.warnings),
        "headings": [heading.title for heading in parsed.headings],
        "counts": [len(parsed.pages), len(parsed.headings), len(parsed.blocks)],
    }
    places = array("q")
    for page in parsed.pages:
        places.extend((page.number, page.span.start, page.span.end))
    for heading in parsed.headings:
        places.extend((heading.level, heading.span.start, heading.span.end))
    for block in parsed.blocks:
        places.extend((_KINDS.index(block.kind), block.span.start, block.span.end))
    return [json.dumps({"parsed": facts}).encode(), parsed.text.encode(), places.tobytes()]


def pack_picture(picture: Picture) -> list[bytes]:
    size = {"width": picture.width, "height": picture.height}
    return [json.dumps({"picture": size}).encode(), picture.pixels]


def pack_error(error: DocumentError) -> list[bytes]:
    known = type(error).__name__
    facts = {
        "kind": known if known in _ERRORS else "ParseError",
        "message": str(error),
        "hint": error.hint,
        "code": error.code,
    }
    return [json.dumps({"error": facts}).encode()]


def read_reply(stream: BinaryIO, *, max_characters: int) -> list[bytes]:
    """Return the frames of a reply. Raises BrokenFrame, and FrameTooLong for more than allowed."""
    head = read_frame(stream, max_bytes=MAX_FACTS_BYTES)
    if head.startswith(b'{"picture"'):
        return [head, read_frame(stream, max_bytes=CHANNELS * MAX_PIXELS)]
    if not head.startswith(b'{"parsed"'):
        return [head]
    text = read_frame(stream, max_bytes=4 * max_characters)
    most_places = min(len(text), MAX_PLACES) + _PLACES_FREE
    return [head, text, read_frame(stream, max_bytes=_PLACE_BYTES * most_places)]


def unpack_reply(frames: Sequence[bytes], uri: str) -> Parsed:
    """Return what a parser process found, or raise the DocumentError that it met.

    Raises BrokenFrame for a reply that makes no sense.
    """
    return _unpacked(frames, "parsed", lambda facts: _parsed(facts, *frames[1:]), uri)


def unpack_picture(frames: Sequence[bytes], uri: str) -> Picture:
    """Return the picture that a parser process drew; as `unpack_reply` does."""
    return _unpacked(frames, "picture", lambda facts: _picture(facts, *frames[1:]), uri)


def _unpacked(
    frames: Sequence[bytes], kind: str, unpack: Callable[[dict[str, Any]], T], uri: str
) -> T:
    try:
        reply = json.loads(frames[0])
        if kind in reply:
            return unpack(reply[kind])
        facts = reply["error"]
        error = _ERRORS[facts["kind"]](
            uri, _text(facts["message"]), hint=_text(facts["hint"]), code=_text(facts["code"])
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
        raise BrokenFrame(f"the reply can't be read: {type(exc).__name__}: {exc}") from exc
    raise error


def _picture(facts: dict[str, Any], pixels: bytes) -> Picture:
    return Picture(_whole(facts["width"]), _whole(facts["height"]), pixels)


def _parsed(facts: dict[str, Any], text_bytes: bytes, place_bytes: bytes) -> Parsed:
    text = _text(text_bytes.decode())
    places = array("q")
    places.frombytes(place_bytes)
    counts = [_whole(count) for count in facts["counts"]]
    if len(counts) != 3 or min(counts) < 0 or 3 * sum(counts) != len(places):
        raise ValueError("the places don't fit their counts")
    rows = iter(
        (places[at], _span(places[at + 1], places[at + 2], len(text)))
        for at in range(0, len(places), 3)
    )
    pages, headings, blocks = (list(islice(rows, count)) for count in counts)
    titles = [_text(title) for title in facts["headings"]]
    return Parsed(
        text=text,
        title=_text(facts["title"]),
        media_type=_text(facts["media_type"]),
        metadata={_text(name): _text(value) for name, value in facts["metadata"].items()},
        pages=tuple(Page(number, span) for number, span in pages),
        headings=tuple(
            Heading(level, title, span)
            for (level, span), title in zip(headings, titles, strict=True)
        ),
        blocks=tuple(Block(_kind(number), span) for number, span in blocks),
        warnings=tuple(_text(warning) for warning in facts["warnings"]),
    )


def _text(value: object) -> str:
    """Return a text if it is one that can be stored: no half characters, no NUL."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    if "\0" in value:
        raise ValueError("a NUL in a text")
    value.encode()
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{type(value).__name__} in place of a number")
    return value


def _kind(number: int) -> BlockKind:
    if not 0 <= number < len(_KINDS):
        raise ValueError("a block of no known kind")
    return _KINDS[number]


def _span(start: int, end: int, size: int) -> Span:
    if not 0 <= start <= end <= size:
        raise ValueError("a span outside the text")
    return Span(start, end)
