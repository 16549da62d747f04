"""What was given to an answerer, the pieces of it that are quoted, and a checked sentence."""

from __future__ import annotations

from dataclasses import dataclass

from ragkit.chunking import is_prose, page_at, path_at
from ragkit.text import sentences
from ragkit.types import Chunk, Heading, Page, Span


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as it was given to an answerer, under the number by which it may be cited.

    `headings` and `pages` are those of its whole document, `document_hash` names its version.
    """

    number: int
    chunk: Chunk
    document_hash: str
    headings: tuple[Heading, ...] = ()
    pages: tuple[Page, ...] = ()

    @property
    def surroundings(self) -> str:
        """The passage with its title and headings: what a sentence about it may draw on."""
        return "\n".join((self.chunk.title, *self.chunk.heading_path, self.chunk.text))

    def sentences(self) -> list[Span]:
        """Return the spans of its sentences; a line is one where it is a row, code or a block."""
        return sentences(self.chunk.text, line_blocks=not is_prose(self.chunk.media_type))

    def heading_path(self, offset: int) -> tuple[str, ...]:
        """Return the headings above a place in the chunk, which may hold several sections."""
        if not self.headings:
            return self.chunk.heading_path
        return path_at(self.headings, self.chunk.span.start + offset)

    def page(self, offset: int) -> int | None:
        """Return the page of a place in the chunk, which may run over several."""
        if not self.pages:
            return self.chunk.page
        return page_at(self.pages, self.chunk.span.start + offset)


@dataclass(frozen=True, slots=True)
class Quote:
    """A piece of a passage: `passage.chunk.text[span]`."""

    passage: Passage
    span: Span

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.span.start : self.span.end]

    @property
    def above(self) -> tuple[str, ...]:
        """Its document's title and the headings above it."""
        return (self.passage.chunk.title, *self.passage.heading_path(self.span.start))

    @property
    def in_context(self) -> str:
        """The quote behind its document's title and the heading above it, as a reader sees it."""
        title, *path = self.above
        place = " › ".join(dict.fromkeys(part for part in (title, *path[-1:]) if part))
        return f"{place}: {self.text}" if place else self.text


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence without its markers, the quotes that carry it, or the reason why none do."""

    text: str
    quotes: tuple[Quote, ...]
    reason: str = ""
    foreign: tuple[int, ...] = ()
