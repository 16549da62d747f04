"""From the cells of a sheet to its tables: where they are, their titles, headers and rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ragkit.parsing.structure import Writer
from ragkit.parsing.tabular import SAMPLE_ROWS, is_header, is_value

MAX_CUTS = 8  # of regions in regions
MAX_HEADERS = 3  # rows of one table's header
LIST_CHARACTERS = 60  # a column alone with a longer cell is a text, not a table


class Merge(NamedTuple):
    """A range of merged cells by the numbers of its first and last row and column, from 0."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Sheet:
    """A sheet as it was read: cleaned texts by row; `left` is the number of their first column.

    `notes` are texts beside the cells: comments, titles of charts.
    """

    name: str
    rows: list[list[str]] = field(default_factory=list)
    left: int = 0
    merges: Sequence[Merge] = ()
    notes: Sequence[str] = ()


def write_sheet(writer: Writer, sheet: Sheet) -> None:
    """Write a sheet as a page: its name as a heading, its tables from the top, its notes."""
    writer.begin_page(len(writer.pages) + 1)
    grid = _Grid(sheet)
    if any(grid.masks) or sheet.notes:
        writer.title(2, sheet.name)
    below_table = False
    for table in _tables(grid):
        table.write(writer, apart=below_table and not table.headers)
        below_table = True
    for note in sheet.notes:
        writer.write("footnote", note)


class _Grid:
    """The cells of a sheet. `masks` has a bit for each column of a row that holds something."""

    def __init__(self, sheet: Sheet) -> None:
        self.rows = sheet.rows
        self.masks = [_mask(row) for row in sheet.rows]
        self.spans: dict[int, list[tuple[int, int]]] = {}  # of columns merged, by row
        for merge in sheet.merges:
            self._merge(merge, sheet.left)

    def _merge(self, merge: Merge, offset: int) -> None:
        """Let a merged cell stand in each of its rows; its columns are no gap in a table."""
        left, right = merge.left - offset, merge.right - offset
        if left < 0 or merge.top >= len(self.rows) or left >= len(self.rows[merge.top]):
            return
        text = self.rows[merge.top][left]
        if not text:
            return
        right = min(right, len(self.rows[merge.top]) - 1)
        for number in range(merge.top, min(merge.bottom + 1, len(self.rows))):
            if self.masks[number]:  # rows that hold nothing else stay empty
                self.rows[number][left] = text
                self.masks[number] |= (1 << (right + 1)) - (1 << left)
                if right > left:
                    self.spans.setdefault(number, []).append((left, right))


def _mask(row: Sequence[str]) -> int:
    mask = 0
    bit = 1
    for cell in row:
        if cell:
            mask |= bit
        bit <<= 1
    return mask


# --- regions -----------------------------------------------------------------------------------


class _Region(NamedTuple):
    """Rows from `top` up to `bottom`, the last excluded, and a mask of columns."""

    top: int
    bottom: int
    columns: int


def _regions(grid: _Grid) -> Iterator[_Region]:
    """Yield the parts of a sheet that nothing joins, in reading order."""
    everything = _Region(0, len(grid.rows), -1)
    stack = [(everything, 0)]
    while stack:
        region, cuts = stack.pop()
        parts = _cut(grid, region) if cuts < MAX_CUTS else [region]
        if len(parts) == 1 and parts[0] == region:
            yield region
        else:
            stack += [(part, cuts + 1) for part in reversed(parts)]


def _cut(grid: _Grid, region: _Region) -> list[_Region]:
    """Cut a region at empty rows, else where tables stand beside or askew to each other."""
    bands = list(_bands(grid, region))
    if len(bands) != 1 or bands[0] != region:
        return bands
    return _askew(grid, region) or _beside(grid, region) or [region]


def _bands(grid: _Grid, region: _Region) -> Iterator[_Region]:
    top, columns = region.top, 0
    for number in range(region.top, region.bottom):
        mask = grid.masks[number] & region.columns
        if not mask and columns:
            yield _Region(top, number, columns)
            columns = 0
        elif mask and not columns:
            top = number
        columns |= mask
    if columns:
        yield _Region(top, region.bottom, columns)


def _askew(grid: _Grid, region: _Region) -> list[_Region]:
    """Cut where the rows above and those below have no column in common."""
    below = [0]
    for number in range(region.bottom - 1, region.top - 1, -1):
        below.append(below[-1] | grid.masks[number] & region.columns)
    above = 0
    for number in range(region.top, region.bottom - 1):
        above |= grid.masks[number] & region.columns
        rest = below[region.bottom - number - 1]
        if not above & rest:
            return [
                _Region(region.top, number + 1, above),
                _Region(number + 1, region.bottom, rest),
            ]
    return []


def _beside(grid: _Grid, region: _Region) -> list[_Region]:
    """Cut at empty columns between tables that have a header each.

    An empty column inside of a form or a table is but a gap: what stands beside belongs together.
    """
    parts: list[_Region] = []
    tables = 0
    for columns in _runs(region.columns):
        part = _trimmed(grid, region, columns)
        is_table = part.bottom - part.top > 1 and _has_header(grid, part)
        if parts and not (is_table and tables and _apart(grid, parts[-1], part)):
            last = parts.pop()
            part = _Region(
                min(last.top, part.top), max(last.bottom, part.bottom), last.columns | columns
            )
        parts.append(part)
        tables += is_table
    return parts if len(parts) > 1 else []


def _runs(columns: int) -> Iterator[int]:
    """Yield the runs of neighbouring columns in a mask."""
    while columns:
        low = columns & -columns
        run = columns & ~(columns + low)
        yield run
        columns &= ~run


def _trimmed(grid: _Grid, region: _Region, columns: int) -> _Region:
    top, bottom = region.top, region.bottom
    while not grid.masks[top] & columns:
        top += 1
    while not grid.masks[bottom - 1] & columns:
        bottom -= 1
    return _Region(top, bottom, columns)


def _has_header(grid: _Grid, region: _Region) -> bool:
    """Whether a region is a table with a name over each of its two or more columns."""
    first = _cells(grid, region, region.top)
    is_full = grid.masks[region.top] & region.columns == region.columns
    if len(first) < 2 or not is_full or any(map(is_value, first)):
        return False
    last = min(region.bottom, region.top + 1 + SAMPLE_ROWS)
    return is_header(first, [_cells(grid, region, n) for n in range(region.top + 1, last)])


def _apart(grid: _Grid, left: _Region, right: _Region) -> bool:
    """Whether two tables side by side are two: their rows differ, or their columns' names agree."""
    if (left.top, left.bottom) != (right.top, right.bottom):
        return True
    return bool(set(_cells(grid, left, left.top)) & set(_cells(grid, right, right.top)))


def _cells(grid: _Grid, region: _Region, number: int) -> list[str]:
    row = grid.rows[number]
    return [cell for column, cell in enumerate(row) if region.columns >> column & 1]


# --- tables ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Table:
    """A table: what stands above it, the rows of its header, and those of its data."""

    columns: int
    titles: list[str]
    headers: int
    rows: list[list[str]]

    def write(self, writer: Writer, *, apart: bool) -> None:
        """Write the table. `apart`: it has no header, and must not get that of the table above."""
        for title in self.titles:
            writer.write("paragraph", title)
        if self._is_text():
            for row in self.rows:
                writer.write("paragraph", " ".join(filter(None, row)))
            return
        rows = self.rows
        if apart:
            writer.write("paragraph", " | ".join(filter(None, rows[0])))
            rows = rows[1:]
        writer.table(rows, headers=self.headers)

    def _is_text(self) -> bool:
        texts = [[cell for cell in row if cell] for row in self.rows]
        if len(self.rows) == 1 and not self.headers:
            return len(texts[0]) == 1
        has_values = any(is_value(row[0]) for row in texts if row)
        if any(len(row) > 1 for row in texts) or (self.headers and has_values):
            return False
        long = any(len(row[0]) > LIST_CHARACTERS for row in texts if row)
        return len(texts) < 3 or long


def _tables(grid: _Grid) -> Iterator[_Table]:
    """Yield the tables; one that goes on below an empty row, without a header, is still one."""
    last: _Table | None = None
    for region in _regions(grid):
        table = _table(grid, region)
        if last and _goes_on(last, table):
            width = last.columns.bit_length()
            rows = _rows(grid, _Region(region.top, region.bottom, last.columns), width)
            last.rows += rows
            continue
        if last:
            yield last
        last = table
    if last:
        yield last


def _goes_on(above: _Table, table: _Table) -> bool:
    if not above.headers or table.headers or table.columns & ~above.columns:
        return False
    return any(sum(map(bool, row)) > 1 for row in table.rows)


def _rows(grid: _Grid, region: _Region, width: int) -> list[list[str]]:
    """Return the cells of a region, as wide as it is."""
    columns = [column for column in range(width) if region.columns >> column & 1]
    whole = len(columns) == width
    rows = []
    for number in range(region.top, region.bottom):
        row = grid.rows[number]
        if whole and len(row) == width:
            rows.append(row)
        else:
            rows.append([row[column] if column < len(row) else "" for column in columns])
    return rows


def _table(grid: _Grid, region: _Region) -> _Table:
    rows = _rows(grid, region, region.columns.bit_length())
    titles: list[str] = []
    is_wide = any(sum(map(bool, row)) > 1 for row in rows)
    while is_wide and len(rows) > 1 and sum(map(bool, rows[0])) == 1:
        titles.append(next(filter(None, rows[0])))
        rows = rows[1:]
    headers = _headers(rows, _has_spans(grid, region, region.bottom - len(rows)))
    columns = [c for c in range(region.columns.bit_length()) if region.columns >> c & 1]
    for number in range(headers):
        for left, right in grid.spans.get(region.bottom - len(rows) + number, ()):
            for place, column in enumerate(columns):
                if left < column <= right and not rows[number][place]:
                    rows[number][place] = (
                        rows[number][columns.index(left)] if left in columns else ""
                    )
    return _Table(region.columns, titles, headers, rows)


def _has_spans(grid: _Grid, region: _Region, number: int) -> bool:
    return any(region.columns >> left & 1 for left, _ in grid.spans.get(number, ()))


def _headers(rows: list[list[str]], spans: bool) -> int:
    """Return how many rows at the top are the header."""
    if _is_form(rows) or not is_header(rows[0], rows[1 : 1 + SAMPLE_ROWS]):
        return 0
    headers = 1
    while headers < min(MAX_HEADERS, len(rows) - 1):
        row, below = rows[headers], rows[headers + 1 : headers + 1 + SAMPLE_ROWS]
        if not (spans or _has_gap(rows[headers - 1], row)) or sum(map(bool, row)) < 2:
            break
        has_values = any(is_value(cell) for cells in below for cell in cells)
        if not has_values or any(map(is_value, row)) or not is_header(row, below):
            break
        headers += 1
        spans = False
    return headers


def _has_gap(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether names stand below empty cells of a row: it groups them."""
    return any(name and not group for group, name in zip(row[1:], below[1:], strict=False))


def _is_form(rows: list[list[str]]) -> bool:
    """Whether the first column is of labels: "Name: | Anna"."""
    labels = [row[0] for row in rows if row and row[0]]
    return len(labels) > 1 and sum(label.endswith(":") for label in labels) * 2 >= len(labels)
