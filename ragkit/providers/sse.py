"""Reads Server-Sent Events from bytes that arrive cut anywhere.

The rules are those of https://html.spec.whatwg.org/multipage/server-sent-events.html, with one
difference: an event that the end of the stream cuts off is given too, marked incomplete, because
servers exist that forget the last blank line. Whether it was whole is for its reader to tell.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Not str.splitlines(): it also splits at U+2028 and U+0085, which stand raw inside JSON strings.
_LINE_END = re.compile(rb"\r\n|\n|\r")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its `data` lines joined, and its name, "" where it has none.

    `complete` is false where the stream ended before the blank line that ends an event.
    """

    data: str
    name: str = ""
    complete: bool = True


def read_events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a stream as soon as the byte that ends each has come."""
    name = ""
    data: list[str] = []
    for line in _read_lines(chunks):
        if line:
            field, value = _parse_line(line)
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            continue
        if data:
            yield Event("\n".join(data), name)
        name, data = "", []
    if data:
        yield Event("\n".join(data), name, complete=False)


def _parse_line(line: str) -> tuple[str, str]:
    """Split `field: value`; a comment, which starts with a colon, has the field ""."""
    field, _, value = line.partition(":")
    return field, value.removeprefix(" ")


def _read_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Yield lines without their ends, and what follows the last end if anything does.

    A line is decoded only when all of it is there, so no character is ever cut.
    """
    is_first = True
    for line in _split_lines(chunks):
        whole = line.removeprefix(BYTE_ORDER_MARK) if is_first else line
        is_first = False
        yield whole.decode("utf-8", errors="replace")


def _split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    pending: list[bytes] = []  # the pieces of a line whose end has not come yet
    ended_with_cr = False
    for chunk in chunks:
        if not chunk:
            continue
        # A CR ends its line at once; the LF of a CRLF that was cut in two ends nothing.
        rest = chunk[1:] if ended_with_cr and chunk.startswith(b"\n") else chunk
        ended_with_cr = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(rest)
        pending.append(first)
        for piece in others:
            yield b"".join(pending)
            pending = [piece]
    if last := b"".join(pending):
        yield last
