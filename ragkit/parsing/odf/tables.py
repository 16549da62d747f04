"""Tables of OpenDocument: repeated, covered and spanned cells to rows of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from ragkit.types import BlockKind

CELL_WORDS = 150  # a table with a longer cell is a layout
MAX_REPEATS = 100  # of a row or a cell: spreadsheets repeat empty ones a million times
MAX_REPEATED_CHARACTERS = 1_000_000  # of a file: what repetition and spans may add to it

_CELL_MARKUP = " | "


@dataclass(slots=True)
class Piece:
    """A block as it was read, before it is written.

    `level` is that of a heading, or the number of a page. `rows` and `headers` are a table's.
    """

    kind: BlockKind | Literal["heading", "table", "page", "formula"]
    text: str = ""
    level: int = 0
    rows: Sequence[Sequence[str]] = ()
    headers: int = 0


@dataclass(slots=True)
class Cell:
    """A cell as the file has it: `columns` and `rows` are those that it spans."""

    pieces: list[Piece]
    columns: int = 1
    rows: int = 1
    repeats: int = 1
    covered: bool = False
    is_heading: bool = False


class Repetition:
    """What may still be added to a file's text by repeating pieces of it."""

    def __init__(self) -> None:
        self._left = MAX_REPEATED_CHARACTERS

    def of(self, text: str) -> str:
        """Return the text once more, "" where too much has been repeated."""
        return text if self.allows(text) else ""

    def allows(self, *texts: str) -> bool:
        """Whether cells may be repeated; counts them if so."""
        characters = sum(map(len, texts)) + len(_CELL_MARKUP) * len(texts)
        if characters > self._left:
            return False
        self._left -= characters
        return True


@dataclass(slots=True, eq=False)
class Table:
    """An open table. Rows come complete, cells spanned over several stand in each of them."""

    repetition: Repetition
    first_is_header: bool = False
    in_header: bool = False
    row: list[Cell] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    headers: int = 0
    pieces: list[Piece] = field(default_factory=list)  # of all cells, should this be a layout
    notes: list[Piece] = field(default_factory=list)
    _carried: dict[int, tuple[int, str]] = field(default_factory=dict)
    _is_layout: bool = False

    def add(self, cell: Cell) -> None:
        self.row.append(cell)

    def end_row(self, repeats: int) -> None:
        """Add the row of the cells that have come; a row without text of its own is none."""
        cells, self.row = self.row, []
        filled = [cell for cell in cells if cell.pieces]
        all_headings = bool(filled) and all(cell.is_heading for cell in filled)
        first = not self.rows and (self.first_is_header or all_headings)
        is_header = self.in_header or first
        texts = self._texts(cells, is_header=is_header)
        if not filled:
            return
        for cell in filled:
            self.pieces.extend(cell.pieces)
        if is_header and self.headers == len(self.rows):
            self.headers += 1
        self.rows.append(texts)
        for _ in range(min(repeats, MAX_REPEATS) - 1):
            if not self.repetition.allows(*texts):
                break
            self.rows.append(texts)

    def finished(self) -> list[Piece]:
        """Return the table, or what is in its cells where it is but a layout."""
        if self.row:
            self.end_row(1)
        columns = max((len(row) for row in self.rows), default=0)
        if self._is_layout or columns <= 1:
            return self.pieces + self.notes
        table = Piece("table", rows=self.rows, headers=self.headers)
        return [table, *self.notes]

    def _texts(self, cells: Sequence[Cell], *, is_header: bool) -> list[str]:
        """Return the texts of a row, as HTML tables have them.

        A cell over several rows stands in each of them, one over several columns is repeated in
        a header only, where it names each of the columns.
        """
        texts: list[str] = []
        spanned, spanning = 0, ""
        for cell in cells:
            if cell.covered:
                for _ in range(min(cell.repeats, MAX_REPEATS)):
                    texts.append(self._covered(len(texts), spanning if spanned else ""))
                    spanned = max(spanned - 1, 0)
                continue
            text = self._text_of(cell)
            spanned, spanning = cell.columns - 1, text if is_header else ""
            if cell.rows > 1:
                self._carried[len(texts)] = (cell.rows - 1, text)
            texts.append(text)
            for _ in range(min(cell.repeats, MAX_REPEATS) - 1):
                if self.repetition.allows(text):
                    texts.append(text)
        while texts and not texts[-1]:
            texts.pop()
        return texts

    def _covered(self, column: int, spanning: str) -> str:
        rows, text = self._carried.get(column, (0, ""))
        if rows:
            self._carried[column] = (rows - 1, text)
            return self.repetition.of(text)
        return self.repetition.of(spanning)

    def _text_of(self, cell: Cell) -> str:
        self.notes += [piece for piece in cell.pieces if piece.kind == "footnote"]
        cell.pieces = [piece for piece in cell.pieces if piece.kind != "footnote"]
        self._is_layout |= any(piece.kind in ("heading", "table") for piece in cell.pieces)
        if self._is_layout:  # tables in tables in tables: the outer ones are not to be joined
            return ""
        text = flat(cell.pieces)
        self._is_layout |= len(text.split()) > CELL_WORDS
        return text


def flat(pieces: Sequence[Piece]) -> str:
    """Return pieces on one line. An item alone needs no marker."""
    texts: list[str] = []
    for piece in pieces:
        if piece.kind == "table":
            texts += [" ".join(row) for row in piece.rows]
        else:
            texts.append(piece.text)
    text = " ".join(" ".join(texts).split())
    return text.removeprefix("- ") if len(pieces) == 1 else text
