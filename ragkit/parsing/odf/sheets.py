"""OpenDocument spreadsheets, by expat over content.xml.

Not by python-calamine, which writes out every repeated row: four lines of XML keep it busy for
minutes. Here an empty cell costs nothing however often it is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ragkit.errors import ParseError
from ragkit.parsing.archive import Archive
from ragkit.parsing.sheets.tables import Merge, Sheet
from ragkit.parsing.xml_events import stream, tree
from ragkit.text import clean

MAX_REPEATS = 1_000  # of a row or cell that holds something
MAX_REPEATED_CELLS = 200_000  # of a file
MAX_GAP = 2  # empty rows that are kept between others: they part tables
MAX_COLUMNS = 16_384

_PROPERTIES = {
    "meta:initial-creator": "author",
    "dc:creator": "author",
    "dc:date": "date",
    "meta:creation-date": "date",
    "dc:description": "description",
    "dc:subject": "subject",
    "meta:keyword": "keywords",
}
_DURATION = re.compile(r"PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S$")


def read_sheets(data: bytes, uri: str, max_cells: int) -> tuple[list[Sheet], list[str]]:
    """Read the sheets that the cells allow for, and say what was left out."""
    archive = Archive(data, uri)
    manifest = archive.find("META-INF/manifest.xml") or b""
    if b"encryption-data" in manifest:
        raise ParseError(
            uri,
            "the file is encrypted and needs a password",
            hint="save a copy without the password",
            code="encrypted",
        )
    content = archive.find("content.xml")
    if content is None:
        raise ParseError(uri, "the file is damaged: it has no content.xml", code="corrupt")
    reader = _Reader(max_cells)
    stream(content, reader, uri, part="content.xml")
    return reader.sheets, reader.warnings()


def read_properties(data: bytes, uri: str) -> tuple[str, dict[str, str]]:
    """Return title and metadata as meta.xml has them."""
    title = ""
    metadata: dict[str, str] = {}
    meta = Archive(data, uri).find("meta.xml")
    for part in tree(meta, uri, part="meta.xml").children if meta else ():
        for node in part.children:
            value = " ".join(clean(node.text).split())
            if value and node.name == "dc:title":
                title = title or value
            elif value and (key := _PROPERTIES.get(node.name)):
                if key == "keywords" and key in metadata:
                    metadata[key] += f", {value}"
                metadata.setdefault(key, value[:10] if key == "date" else value)
    return title, metadata


class _Reader:
    """Takes the sheets from the events. Rows and cells are numbered as they come."""

    def __init__(self, max_cells: int) -> None:
        self.sheets: list[Sheet] = []
        self._max_cells = max_cells
        self._cells_left = max_cells
        self._repeats_left = MAX_REPEATED_CELLS
        self._row: list[str] = []
        self._empty_rows = 0
        self._row_repeats = 1
        self._attributes: Mapping[str, str] | None = None  # of the open cell
        self._paragraphs: list[str] = []
        self._note: list[str] | None = None
        self._merges: list[Merge] = []
        self._notes: list[str] = []
        self._hidden = 0  # open elements that are no part of a cell: tracked changes and the like

    def warnings(self) -> list[str]:
        said = []
        if self._cells_left < 0:
            said.append(f"only the first {self._max_cells:,} cells were read")
        if self._repeats_left <= 0:
            said.append("cells that are repeated very often were read once")
        return said

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table:tracked-changes" or self._hidden:
            self._hidden += 1
        elif name == "table:table":
            self._merges, self._notes = [], []
            self._empty_rows = 0
            label = clean(attributes.get("table:name", ""))
            self.sheets.append(Sheet(label, [], 0, self._merges, self._notes))
        elif name == "table:table-row":
            self._row = []
            self._row_repeats = _count(attributes, "table:number-rows-repeated")
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._attributes = attributes
            self._paragraphs = []
        elif name == "office:annotation":
            self._note = []
        elif name == "text:p":
            (self._paragraphs if self._note is None else self._note).append("")
        elif name == "text:s":
            self.text(" " * min(_count(attributes, "text:c"), 100))
        elif name in ("text:tab", "text:line-break"):
            self.text(" ")

    def text(self, text: str) -> None:
        pieces = self._paragraphs if self._note is None else self._note
        if pieces and not self._hidden:
            pieces[-1] += text

    def end(self, name: str) -> None:
        if self._hidden:
            self._hidden -= 1
        elif name == "office:annotation" and self._note is not None:
            words = clean(" ".join(self._note)).strip()
            if words:
                self._notes.append(f"Comment: {words}")
            self._note = None
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._end_cell()
        elif name == "table:table-row":
            self._end_row()

    def _end_cell(self) -> None:
        attributes = self._attributes or {}
        self._attributes = None
        text = clean(_value(attributes, self._paragraphs)).strip()
        self._paragraphs = []
        repeats = _count(attributes, "table:number-columns-repeated")
        if text:
            repeats = self._allowed(repeats)
            columns = _count(attributes, "table:number-columns-spanned")
            rows = _count(attributes, "table:number-rows-spanned")
            if (columns > 1 or rows > 1) and self.sheets:
                top, left = (
                    len(self.sheets[-1].rows) + min(self._empty_rows, MAX_GAP),
                    len(self._row),
                )
                self._merges.append(Merge(top, left, top + rows - 1, left + columns - 1))
        room = max(MAX_COLUMNS - len(self._row), 0)
        self._row += [text] * min(repeats, room)

    def _end_row(self) -> None:
        while self._row and not self._row[-1]:
            self._row.pop()
        if not self.sheets or self._cells_left < 0:
            return
        if not self._row:
            self._empty_rows += self._row_repeats
            return
        rows = self.sheets[-1].rows
        rows += [[] for _ in range(min(self._empty_rows, MAX_GAP))]
        self._empty_rows = 0
        self._cells_left -= len(self._row)
        rows.append(self._row)
        repeats = self._row_repeats
        if repeats > 1:
            repeats = self._allowed(repeats, len(self._row))
            rows += [list(self._row) for _ in range(repeats - 1)]

    def _allowed(self, repeats: int, cells: int = 1) -> int:
        """Return how often something is repeated that is to be, within the limits of a file."""
        if repeats == 1:
            return 1
        allowed = min(repeats, MAX_REPEATS, 1 + max(self._repeats_left, 0) // cells)
        self._repeats_left -= (repeats - 1) * cells
        return max(allowed, 1)


def _count(attributes: Mapping[str, str], name: str) -> int:
    value = attributes.get(name, "1")
    return max(int(value), 1) if value.isascii() and value.isdigit() and len(value) < 10 else 1


def _value(attributes: Mapping[str, str], paragraphs: list[str]) -> str:
    """Return what a cell says: dates and times as ISO has them, the rest as it is shown."""
    kind = attributes.get("office:value-type", "")
    if kind == "date" and (value := attributes.get("office:date-value", "")):
        day, _, time = value.partition("T")
        return f"{day} {time}" if time.strip("0:.") else day
    if kind == "time" and (match := _DURATION.match(attributes.get("office:time-value", ""))):
        return f"{match[1]}:{match[2]}:{match[3]}"
    return " ".join(paragraphs)
