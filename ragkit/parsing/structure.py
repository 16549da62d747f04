"""What every parser returns, and how headings and blocks are collected on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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

    def parsed(
        self,
        media_type: str,
        *,
        title: str = "",
        metadata: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
    ) -> Parsed:
        """Return the text with what was found; without a title the first heading is it."""
        return Parsed(
            text=self._text,
            title=title or (self.headings[0].title if self.headings else ""),
            media_type=media_type,
            metadata=metadata or {},
            headings=tuple(self.headings),
            blocks=tuple(self.blocks),
            warnings=tuple(warnings),
        )


# Blocks that follow each other without a blank line between them.
_TIGHT = frozenset(
    (("list_item", "list_item"), ("table_header", "table_row"), ("table_row", "table_row"))
)


class Writer:
    """Writes a text block by block, for parsers whose text isn't the file's own.

    Texts are to be cleaned before they come here: `write`, `table` and the like keep them as
    they are, so that spans are right.
    """

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self.blocks: list[Block] = []
        self.pages: list[Page] = []
        self.length = 0
        self._pieces: list[str] = []
        self._last: BlockKind | None = None  # the kind of the last block, None behind a heading

    # --- by kind -------------------------------------------------------------------------------

    def write(self, kind: BlockKind, text: str) -> None:
        """Add a block behind a blank line, or close behind its like. Nothing for white space."""
        if text.strip():
            self.block(kind, text, gap="\n" if (self._last, kind) in _TIGHT else "\n\n")
            self._last = kind

    def title(self, level: int, title: str) -> None:
        """Add a heading as Markdown has it. Nothing for white space."""
        words = " ".join(title.split())
        if words:
            self.heading(level, words, f"{'#' * min(level, 6)} {words}", gap="\n\n")

    def code(self, code: str, language: str = "") -> None:
        """Add a fenced block of code. Nothing for white space."""
        code = code.strip("\n").rstrip()
        if code:
            longest = max((len(run) for run in re.findall("`{3,}", code)), default=2)
            fence = "`" * (longest + 1)
            self.write("code", f"{fence}{language}\n{code}\n{fence}")

    def table(self, rows: Sequence[Sequence[str]], *, headers: int) -> None:
        """Add a table, a line a row, of which the first `headers` are its header.

        White space in a cell becomes one space, empty cells at the end of a row and rows of
        empty cells are left out.
        """
        lines = [_row(cells) for cells in rows]
        header = "\n".join(line for line in lines[:headers] if line)
        body = [line for line in lines[headers:] if line]
        if body:
            self.write("table_header", header)
        else:
            body = header.split("\n")
        for line in body:
            self.write("table_row", line)

    def begin_page(self, number: int) -> None:
        """Begin a page (or slide, or sheet): what is added from here on stands on it."""
        self._last = None
        at = self.length
        self.pages.append(Page(number, Span(at, at)))

    # --- as told -------------------------------------------------------------------------------

    def append(self, text: str, *, gap: str) -> Span:
        """Add a text behind a gap, which is left out where the text begins."""
        if self.length:
            self._pieces.append(gap)
            self.length += len(gap)
        start = self.length
        self._pieces.append(text)
        self.length += len(text)
        if self.pages:
            page = self.pages[-1]
            first = page.span.start if page.span.end > page.span.start else start
            self.pages[-1] = Page(page.number, Span(first, self.length))
        return Span(start, self.length)

    def heading(self, level: int, title: str, text: str, *, gap: str) -> None:
        self.headings.append(Heading(level, title, self.append(text, gap=gap)))
        self._last = None

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

    def parsed(
        self,
        media_type: str,
        *,
        title: str = "",
        metadata: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
    ) -> Parsed:
        """Return what was written; without a title of the file's own the first heading is it."""
        first = self.headings[0].title if self.headings else ""
        return Parsed(
            text=self.text(),
            title=" ".join(title.split()) or first,
            media_type=media_type,
            metadata=metadata or {},
            pages=tuple(self.pages),
            headings=tuple(self.headings),
            blocks=tuple(self.blocks),
            warnings=tuple(warnings),
        )


def _row(cells: Sequence[str]) -> str:
    texts = [" ".join(cell.split()) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return f"| {' | '.join(texts)} |" if texts else ""


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    end = start + len(piece.rstrip())
    start += len(piece) - len(piece.lstrip())
    return Span(min(start, end), end)
