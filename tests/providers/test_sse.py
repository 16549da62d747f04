"""The decoder of Server-Sent Events: bytes cut anywhere in, events out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ragkit.providers.sse import Event, read_events

STREAMS = {
    "LF": (b"data: a\n\ndata: b\n\n", [Event("a"), Event("b")]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [Event("a"), Event("b")]),
    "lone CR": (b"data: a\r\rdata: b\r\r", [Event("a"), Event("b")]),
    "mixed ends": (b"data: a\r\n\ndata: b\r\rdata: c\n\r\n", [Event("a"), Event("b"), Event("c")]),
    "comment": (b": keep-alive\n\n:\ndata: a\n: more\n\n", [Event("a")]),
    "no space after the colon": (b"data:a\n\n", [Event("a")]),
    "only the first space goes": (b"data:  a \n\n", [Event(" a ")]),
    "a colon in the value": (b'data: {"a": 1}\n\n', [Event('{"a": 1}')]),
    "several data lines": (b"data: a\ndata:\ndata: b\n\n", [Event("a\n\nb")]),
    "several data lines with CRLF": (b"data: a\r\ndata: b\r\n\r\n", [Event("a\nb")]),
    "named event": (b"event: error\ndata: a\n\ndata: b\n\n", [Event("a", "error"), Event("b")]),
    "event without data": (b"event: ping\n\ndata: a\n\n", [Event("a")]),
    "other fields": (b"id: 1\nretry: 10\nfoo\ndata: a\n\n", [Event("a")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [Event("a")]),
    "separators inside the text": (
        'data: {"a": "x\u2028y\u2029\x85\x0b\x0cz"}\n\n'.encode(),
        [Event('{"a": "x\u2028y\u2029\x85\x0b\x0cz"}')],
    ),
    "characters of 2 to 4 bytes": ("data: é€😀\n\n".encode(), [Event("é€😀")]),
    "no blank line at the end": (b"data: a\n", [Event("a", complete=False)]),
    "no line end at the end": (b"data: a", [Event("a", complete=False)]),
    "nothing": (b"", []),
    "only line ends": (b"\r\n\n\r", []),
}


@pytest.mark.parametrize(("stream", "events"), STREAMS.values(), ids=STREAMS)
def test_stream_is_read(stream: bytes, events: list[Event]) -> None:
    """A stream gives its events, whichever of the three line ends it uses."""
    assert list(read_events([stream])) == events


@pytest.mark.parametrize(("stream", "events"), STREAMS.values(), ids=STREAMS)
def test_cuts_between_bytes_change_nothing(stream: bytes, events: list[Event]) -> None:
    """The same events come out wherever the network cuts the bytes."""
    for at in range(len(stream) + 1):
        assert list(read_events([stream[:at], b"", stream[at:]])) == events
    assert list(read_events(bytes([byte]) for byte in stream)) == events


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_event_comes_as_soon_as_it_is_whole(end: bytes) -> None:
    """An event doesn't wait for the bytes after it: a stream may pause there for long."""

    def chunks() -> Iterator[bytes]:
        yield b"data: a" + end
        raise AssertionError("the decoder asked for more")

    assert next(read_events(chunks())) == Event("a")


def test_broken_utf8_is_replaced() -> None:
    """A byte that is no UTF-8 costs one character, not the stream."""
    assert list(read_events([b"data: a\xffb\n\n"])) == [Event("a\ufffdb")]


def test_long_line_in_many_pieces_is_read() -> None:
    """A line of 8 MB in pieces of 64 bytes is joined once, not once a piece."""
    pieces = [b"data: ", *[b"x" * 64] * 131_072, b"\n\n"]
    [event] = read_events(pieces)
    assert event.data == "x" * 64 * 131_072
