"""Spreadsheets: XLSX, XLSM, XLSB and XLS by python-calamine, ODS by a reader of our own."""

from __future__ import annotations

import datetime
import io
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
)

from ragkit.errors import ParseError
from ragkit.parsing import delimited
from ragkit.parsing.archive import Archive
from ragkit.parsing.odf.sheets import read_properties, read_sheets
from ragkit.parsing.ooxml.package import is_encrypted_package
from ragkit.parsing.sheets.tables import Merge, Sheet, write_sheet
from ragkit.parsing.sheets.xlsx_parts import MAX_DENSE_CELLS, Cell, XlsxParts
from ragkit.parsing.structure import Parsed, Writer
from ragkit.text import clean

MAX_CELLS = 3_000_000  # of a workbook, those that hold nothing between others included

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ODS = "application/vnd.oasis.opendocument.spreadsheet"
_XLSB_USED_RANGE = 148  # BrtWsDim, [MS-XLSB] 2.4.853
# Names that programs give to sheets: they say nothing of the file.
_NO_TITLE = re.compile(
    r"(?:Sheet|Tabelle|Feuil|Feuille|Hoja|Foglio|Planilha|Blad|Ark|Arkusz|List|Лист|シート|工作表)"
    r" ?\d+",
    re.IGNORECASE,
)


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a workbook; each sheet is a page, its tables are rows below their header.

    Raises ParseError "encrypted", "corrupt", "too-large" or "forbidden-xml".
    """
    if not data.startswith((_ZIP, _OLE)):
        return delimited.parse(data, uri, media_type)  # what many programs export as .xls
    workbook = _read_ods(data, uri) if media_type == _ODS else _Workbook(data, uri).read()
    writer = Writer()
    for sheet in workbook.sheets:
        write_sheet(writer, sheet)
    first = next(iter(writer.headings), None)
    title = workbook.title or (first.title if first else "")
    if _NO_TITLE.fullmatch(title):
        title = ""
    return Parsed(
        text=writer.text(),
        title=title,
        media_type=media_type,
        metadata=workbook.metadata,
        pages=tuple(writer.pages),
        headings=tuple(writer.headings),
        blocks=tuple(writer.blocks),
        warnings=tuple(workbook.warnings),
    )


class _Contents:
    """What was read of a workbook."""

    def __init__(self) -> None:
        self.sheets: list[Sheet] = []
        self.title = ""
        self.metadata: dict[str, str] = {}
        self.warnings: list[str] = []


def _read_ods(data: bytes, uri: str) -> _Contents:
    contents = _Contents()
    contents.sheets, contents.warnings = read_sheets(data, uri, MAX_CELLS)
    try:
        contents.title, contents.metadata = read_properties(data, uri)
    except ParseError as error:
        contents.warnings.append(f"title and author could not be read: {error}")
    return contents


class _Workbook:
    """Reads a workbook of Excel sheet by sheet: one is in memory at a time, and dense."""

    def __init__(self, data: bytes, uri: str) -> None:
        self._uri = uri
        self._contents = _Contents()
        self._parts: XlsxParts | None = None
        self._cells_left = MAX_CELLS
        if is_encrypted_package(data):
            raise _encrypted(uri)
        if data.startswith(_ZIP):
            if "xl/workbook.bin" in Archive(data, uri):
                _check_binary_sheets(data, uri)
            else:
                self._parts = XlsxParts(data, uri)
                data = self._parts.data
        with _damage(uri):
            self._workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))

    def read(self) -> _Contents:
        contents = self._contents
        for number, sheet in enumerate(self._workbook.sheets_metadata):
            try:
                contents.sheets.append(self._sheet(number, sheet.name))
            except ParseError as error:
                contents.warnings.append(f"the sheet {clean(sheet.name)!r} was left out: {error}")
                contents.sheets.append(Sheet(clean(sheet.name)))  # its page keeps its number
            if sheet.visible != SheetVisibleEnum.Visible:
                contents.warnings.append(f"the sheet {clean(sheet.name)!r} is hidden in the file")
        if self._cells_left < 0:
            contents.warnings.append(f"only the first {MAX_CELLS:,} cells were read")
        if self._parts:
            contents.title, contents.metadata = self._parts.properties()
            contents.warnings += self._parts.warnings
        return contents

    def _sheet(self, number: int, name: str) -> Sheet:
        notes = self._parts.notes(name) if self._parts else []
        found = Sheet(" ".join(clean(name).split()), notes=notes)
        if self._cells_left < 0:
            return found
        with _damage(self._uri):
            sheet = self._workbook.get_sheet_by_index(number)
            if sheet.start is None:
                return found
            self._read_rows(sheet, found, name)
            if not (self._parts and self._parts.is_compacted(name)):
                ranges = sheet.merged_cell_ranges or []
                found.merges = [Merge(*first, *last) for first, last in ranges]
        return found

    def _read_rows(self, sheet: CalamineSheet, found: Sheet, name: str) -> None:
        overlay = self._parts.overlay(name) if self._parts else {}
        found.left = sheet.start[1] if sheet.start else 0
        for values in sheet.iter_rows():
            row = [_TEXTS.get(type(value), _other)(value) for value in values]
            found.rows.append(row if any(row) else [])
            self._cells_left -= len(row) if any(row) else 0
            if self._cells_left < 0:
                break
        _overlay(found, overlay, sheet)


def _overlay(found: Sheet, overlay: dict[Cell, str], sheet: CalamineSheet) -> None:
    """Write over cells what python-calamine doesn't tell: percentages and errors."""
    for (number, column), text in overlay.items():
        place = column - found.left
        if number >= len(found.rows) or not 0 <= place < sheet.width:
            continue
        row = found.rows[number]
        if not row and text != "%":
            row = found.rows[number] = [""] * sheet.width
        if text != "%":
            row[place] = row[place] or text
        elif row:
            row[place] = _percent(row[place])


def _check_binary_sheets(data: bytes, uri: str) -> None:
    """Refuse an XLSB whose parts are too large, or a sheet of which would be, made dense."""
    archive = Archive(data, uri)
    for name in archive.names():
        if not name.endswith(".bin"):
            continue
        part = archive.read(name)
        if name.startswith("xl/worksheets/") and _used_cells(part) > MAX_DENSE_CELLS:
            message = f"{name} uses a range of more than {MAX_DENSE_CELLS:,} cells"
            raise ParseError(uri, message, hint="save it as .xlsx", code="too-large")


def _used_cells(part: bytes) -> int:
    """Return the size of the used range that a binary sheet states in one of its first records."""
    at = 0
    for _ in range(10):
        kind, at = _variable(part, at, 2)
        size, at = _variable(part, at, 4)
        if kind == _XLSB_USED_RANGE and len(part) >= at + 16:
            top, bottom, left, right = map(int, struct.unpack_from("<4I", part, at))
            return max(bottom - top + 1, 0) * max(right - left + 1, 0)
        at += size
    return 0


def _variable(part: bytes, at: int, most: int) -> tuple[int, int]:
    """Read a number of up to `most` bytes, 7 bits of each; a record's type keeps its high bits."""
    number = 0
    for place in range(most):
        byte = part[at] if at < len(part) else 0
        at += 1
        number |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            break
    return number, at


@contextmanager
def _damage(uri: str) -> Iterator[None]:
    """Turn what python-calamine raises into a ParseError."""
    try:
        yield
    except PasswordError as exc:
        raise _encrypted(uri) from exc
    except (CalamineError, OSError, ValueError, OverflowError) as exc:
        message = f"the file is damaged: {exc}"
        raise ParseError(uri, message, hint="open and save it again", code="corrupt") from exc
    except BaseException as exc:
        if type(exc).__name__ != "PanicException":  # a BaseException without a name to import
            raise
        raise ParseError(uri, f"the file is damaged: {exc}", code="corrupt") from exc


def _encrypted(uri: str) -> ParseError:
    return ParseError(
        uri,
        "the file is encrypted and needs a password",
        hint="save a copy without the password",
        code="encrypted",
    )


# --- values ------------------------------------------------------------------------------------


def _string(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value.strip()
    return clean(value).strip()


def _number(value: float) -> str:
    """Write a number without what floats add to it: 15 digits are all that Excel keeps."""
    return format(value, ".0f" if value.is_integer() and abs(value) < 1e15 else ".15g")


def _percent(text: str) -> str:
    try:
        return f"{_number(round(float(text) * 100, 10))}%"
    except ValueError:
        return text


def _datetime(value: datetime.datetime) -> str:
    value = _whole_seconds(value)
    pattern = "%H:%M:%S" if value.second else "%H:%M"
    day = value.date().isoformat()
    return f"{day} {value.strftime(pattern)}" if value.time() != datetime.time() else day


def _whole_seconds(value: datetime.datetime) -> datetime.datetime:
    """Round to seconds: 12:00 is stored as a fraction of a day, and read as 11:59:59.999997."""
    try:
        return (value + datetime.timedelta(microseconds=500_000)).replace(microsecond=0)
    except OverflowError:
        return value


def _time(value: datetime.time) -> str:
    return value.strftime("%H:%M:%S" if value.second else "%H:%M")


def _duration(value: datetime.timedelta) -> str:
    seconds = round(value.total_seconds())
    sign = "-" if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), 3600)
    return f"{sign}{hours}:{rest // 60:02}:{rest % 60:02}"


def _other(value: object) -> str:
    return _string(str(value))


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: _string,
    float: _number,
    int: str,
    bool: lambda value: "TRUE" if value else "FALSE",
    datetime.datetime: _datetime,
    datetime.date: datetime.date.isoformat,
    datetime.time: _time,
    datetime.timedelta: _duration,
}
