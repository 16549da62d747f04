"""Finished paragraphs and tables of an office file, and how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ragkit.parsing.structure import Writer
from ragkit.text import clean

HEADING_CHARACTERS = 300  # a longer one is a paragraph in a heading's clothes
CELL_WORDS = 150  # a table with a longer cell is a layout
CELL_CHARACTERS = 2_000
SPAN_CELLS = 100  # what a cell may span; Word stops at 63
HEADER_ROWS = 10
# A longer text is not repeated in the cells that it spans: the text must not outgrow the file.
REPEATED_CHARACTERS = 200
_INDENT = "   "  # a level of a list; three, so that it is one below "1. " too

Kind = Literal["heading", "paragraph", "list_item", "code", "footnote"]


class Paragraph(NamedTuple):
    """A cleaned text of one or several lines. `level` is that of a heading (1) or list item (0)."""

    kind: Kind
    text: str
    level: int = 0


class Table(NamedTuple):
    """The texts of a table's cells, of which the first rows are its header."""

    rows: Sequence[Sequence[str]]
    headers: int


Content = Paragraph | Table


def text_lines(text: str) -> str:
    """Return a text cleaned, a space between words, without empty lines."""
    text = clean(text)
    if "\n" not in text:
        return " ".join(text.split())
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return "\n".join(line for line in lines if line)


def one_line(text: str) -> str:
    """Return a text cleaned, on one line."""
    return " ".join(clean(text).split())


# --- tables ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Cell:
    """A cell as it is read: what is in it, and how many columns it spans."""

    contents: list[Content] = field(default_factory=list)
    columns: int = 1
    continues_above: bool = False
    continues_left: bool = False  # only where files have cells for what another spans


@dataclass(slots=True)
class Row:
    cells: list[Cell] = field(default_factory=list)
    is_header: bool = False
    columns_before: int = 0


def table_contents(rows: list[Row]) -> list[Content]:
    """Return a table of data as such, and one for layout as what stands in its cells."""
    for row in rows:
        row.cells = [cell for cell in row.cells if not cell.continues_left]
    rows = [row for row in rows if row.cells]
    texts = [[flat(cell.contents) for cell in row.cells] for row in rows]
    if _is_layout(rows, texts):
        return [content for row in rows for cell in row.cells for content in cell.contents]
    headers = next((n for n, row in enumerate(rows) if not row.is_header), len(rows))
    headers = min(max(headers, 1), HEADER_ROWS)
    above: dict[int, str] = {}  # column -> the text of the cell that stands there
    filled = [
        _spanned(row, cells, above, repeat=n < headers)
        for n, (row, cells) in enumerate(zip(rows, texts, strict=True))
    ]
    return [Table(filled, headers)]


def _is_layout(rows: list[Row], texts: list[list[str]]) -> bool:
    if sum(map(len, texts)) == 1 or any(_is_long(text) for cells in texts for text in cells):
        return True
    return any(
        len(cell.contents) > 1
        and any(isinstance(c, Paragraph) and c.kind == "heading" for c in cell.contents)
        for row in rows
        for cell in row.cells
    )


def _is_long(text: str) -> bool:
    if len(text) <= CELL_WORDS:
        return False
    return len(text) > CELL_CHARACTERS or len(text.split()) > CELL_WORDS


def _spanned(row: Row, cells: list[str], above: dict[int, str], *, repeat: bool) -> list[str]:
    """Return the texts of a row: a cell over several rows stands in each of them.

    One over several columns is repeated in a header only, where it names each of the columns.
    """
    texts = [""] * min(row.columns_before, SPAN_CELLS)
    for cell, own in zip(row.cells, cells, strict=True):
        column = len(texts)
        text = above.get(column, "") if cell.continues_above and not own else own
        short = text if len(text) <= REPEATED_CHARACTERS else ""
        above[column] = short
        texts.append(text)
        if cell.columns > 1:
            texts += [short if repeat else ""] * (min(cell.columns, SPAN_CELLS) - 1)
    return texts


def flat(contents: Sequence[Content]) -> str:
    """Return contents on one line, as they stand in a cell."""
    if not contents:
        return ""
    texts = []
    for content in contents:
        if isinstance(content, Paragraph):
            texts.append(content.text)
        else:
            texts += [", ".join(cell for cell in row if cell) for row in content.rows]
    return " ".join(" ".join(texts).split())


# --- writing -----------------------------------------------------------------------------------


class ContentWriter:
    """Writes contents as they come; paragraphs of code in a row become one block."""

    def __init__(self) -> None:
        self.writer = Writer()
        self._code: list[str] = []

    def write(self, contents: Iterable[Content]) -> None:
        for content in contents:
            if isinstance(content, Paragraph) and content.kind == "code":
                self._code.append(content.text)
                continue
            self.flush()
            if isinstance(content, Table):
                self.writer.table(content.rows, headers=content.headers)
            else:
                self._paragraph(content)

    def flush(self) -> None:
        """End the open block of code."""
        if self._code:
            self.writer.code("\n".join(self._code))
            self._code.clear()

    def _paragraph(self, paragraph: Paragraph) -> None:
        kind, text, level = paragraph
        if kind == "heading" and len(text) <= HEADING_CHARACTERS:
            self.writer.title(level, text)
        elif kind == "list_item":
            indent = _INDENT * min(level, 8)
            self.writer.write(kind, indent + text.replace("\n", f"\n{indent}  "))
        elif kind == "footnote":
            self.writer.write("footnote", text)
        else:
            self.writer.write("paragraph", text)
