"""What every parser returns, and how headings and blocks are collected on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ragkit.types import Block, BlockKind, Heading, Page, Span


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a file and the structure found in it; every span points into `text`.

    `title` is "" where the file has none. `blocks` are in reading order, overlap neither each
    other nor a heading, and together with the headings hold all that isn't white space.
    `warnings` say in a sentence each what may be missing or wrong.
    """

    text: str
    title: str
    media_type: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line of a text without its line end. A tuple: a file may have a million of them."""

    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text or self.text.isspace()


def split_lines(text: str) -> list[Line]:
    r"""Return the lines of a cleaned text, cut at `\n` only, as editors count them."""
    lines = []
    start = 0
    for piece in text.split("\n"):
        end = start + len(piece)
        lines.append(Line(start, end, piece))
        start = end + 1
    return lines


class Structure:
    """Collects the headings and blocks of a text, trimming each to what can be seen."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.headings: list[Heading] = []
        self.blocks: list[Block] = []

    def heading(self, level: int, title: str, start: int, end: int) -> None:
        self.headings.append(Heading(level, title, _trimmed(self._text, start, end)))

    def block(self, kind: BlockKind, start: int, end: int) -> None:
        """Add a block; a span of white space alone is no block. Code keeps its indentation."""
        span = _trimmed(self._text, start, end)
        if span.start == span.end:
            return
        if kind == "code":
            line_start = self._text.rfind("\n", 0, span.start) + 1
            span = Span(max(start, line_start), span.end)
        self.blocks.append(Block(kind, span))


class Writer:
    """Writes a text block by block, for parsers whose text isn't the file's own."""

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.blocks: list[Block] = []
        self.length = 0
        self._pieces: list[str] = []

    def append(self, text: str, *, gap: str) -> Span:
        """Add a text behind a gap, which is left out where the text begins."""
        if self.length:
            self._pieces.append(gap)
            self.length += len(gap)
        self._pieces.append(text)
        self.length += len(text)
        return Span(self.length - len(text), self.length)

    def heading(self, level: int, title: str, text: str, *, gap: str) -> None:
        self.headings.append(Heading(level, title, self.append(text, gap=gap)))

    def block(self, kind: BlockKind, text: str, *, gap: str) -> None:
        """Add a block. An indent belongs to the text, and to the block if it is code."""
        span = self.append(text, gap=gap)
        if kind != "code":
            span = Span(span.end - len(text.lstrip()), span.end)
        self.blocks.append(Block(kind, span))

    def extend_block(self, text: str, *, gap: str) -> None:
        """Add a text to the last block."""
        last = self.blocks[-1]
        span = self.append(text, gap=gap)
        self.blocks[-1] = Block(last.kind, Span(last.span.start, span.end))

    def text(self) -> str:
        return "".join(self._pieces)


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    end = start + len(piece.rstrip())
    start += len(piece) - len(piece.lstrip())
    return Span(min(start, end), end)
