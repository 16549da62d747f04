"""Pictures of pages: what is asked for, the pixels that come of it, and PNG."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

MAX_PIXELS = 4_000_000  # 12 MB as they come from a worker; a letter page of 200 points an inch
CHANNELS = 3
_PNG = b"\x89PNG\r\n\x1a\n"
# Of level 1 files are a fifth larger, of level 9 five times the work for 2 percent less.
_LEVEL = 6


@dataclass(frozen=True, slots=True)
class PageJob:
    """A page to draw, counted from 1, about so many pixels wide.

    `text` is what is known of the page's text; of it `text[start:end]` is to be highlighted.
    """

    uri: str
    page: int
    width: int
    text: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """Rows of red, green and blue, a byte each, from the top left corner on."""

    width: int
    height: int
    pixels: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1 or self.width * self.height > MAX_PIXELS:
            raise ValueError(f"a picture of {self.width} x {self.height}")
        if len(self.pixels) != CHANNELS * self.width * self.height:
            raise ValueError("the pixels don't fit the picture's size")


def png(picture: Picture) -> bytes:
    """Return a picture as a PNG file."""
    stride = CHANNELS * picture.width
    rows = bytearray()
    for at in range(0, len(picture.pixels), stride):
        rows.append(0)  # the row's filter: none
        rows += picture.pixels[at : at + stride]
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows, _LEVEL)
    return _PNG + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
