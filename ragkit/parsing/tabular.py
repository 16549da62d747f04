"""What tells the header of a table from its data, in spreadsheets and delimited files alike."""

from __future__ import annotations

import re
from collections.abc import Sequence

SAMPLE_ROWS = 100  # of data that a header is held against
SAMPLE_CELLS = 20_000
NAME_CHARACTERS = 100  # a longer cell is no name of a column

_NUMBER = re.compile(r"[-+(]?[$€£¥]? ?[-+]?\d[\d.,' \u00a0]*(?:[eE][-+]?\d+)?\)? ?[%$€£¥]?$")
_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[ T]\d.*)?$"
    r"|\d{1,2}:\d{2}(?::\d{2}.*)?$"
)
_VALUE = re.compile(r"(?:true|false|yes|no|null|none|nan|n/a|#n/a)$", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://|[\w.+-]+@[\w-]+\.\w|[\da-f]{8}-[\da-f]{4}-", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d$")


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date, a time or the like: no name of a column."""
    cell = cell.strip()
    return bool(_NUMBER.match(cell) or _DATE.match(cell) or _VALUE.match(cell))


def is_header(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row of a table names its columns.

    Where nothing speaks against it, it does: most tables of people have a header.
    """
    names = [cell.strip() for cell in first]
    if not any(names) or any(len(name) > NAME_CHARACTERS for name in names):
        return False
    if any(_ADDRESS.match(name) for name in names):
        return False
    sample = below[: max(3, min(SAMPLE_ROWS, SAMPLE_CELLS // len(names)))]
    if not sample:
        return False
    if _are_periods(names):
        return True
    for column, name in enumerate(names):
        cells = [row[column].strip() for row in sample if column < len(row)]
        cells = [cell for cell in cells if cell]
        if not name or not cells:
            continue
        values = sum(map(is_value, cells)) * 2 > len(cells)
        if is_value(name) and (values or len(cells) < 2):
            return False  # a value over values is one of them
        while cells and cells[0] == name:
            cells.pop(0)  # a merged cell, which stands in each of its rows
        if not values and name in cells and len(names) > 1:
            return False  # a word that comes again in its column is one too
    return True


def _are_periods(names: list[str]) -> bool:
    """Whether the row is of years or dates in order, behind a name or an empty corner."""
    periods = names[1:]
    if len(periods) < 2 or is_value(names[0]):
        return False
    if not all(_YEAR.match(period) or _DATE.match(period) for period in periods):
        return False
    return periods in (sorted(set(periods)), sorted(set(periods), reverse=True))
