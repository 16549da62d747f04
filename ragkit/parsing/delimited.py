"""CSV, TSV and their like: the file's own lines, a header, and a record a block."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, split_lines
from ragkit.parsing.tabular import SAMPLE_ROWS, is_header
from ragkit.text import clean
from ragkit.types import Block, Span

DELIMITERS = ",;\t|"
SAMPLE_CHARACTERS = 65_536  # of the head, by which the delimiter is told
LEADING_LINES = 20  # of titles and comments above a header
TITLE_CHARACTERS = 200
QUOTED_LINES = 1_000  # a quoted field that runs over more of them was opened by a stray quote
QUOTED_CHARACTERS = 100_000

_SEPARATOR_LINE = re.compile(r"sep=(.)$", re.IGNORECASE)  # Excel's own


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read delimited text. The text keeps the lines of the file."""
    decoded = decode(data)
    text = clean(decoded.text)
    lines = split_lines(text)
    delimiter = _delimiter(lines, media_type)
    records = list(_Records(lines, delimiter).run())
    leading, header = _head(records, delimiter)
    blocks = [Block("paragraph", Span(r.start, r.end)) for r in records[:leading]]
    if header:
        blocks.append(Block("table_header", Span(records[leading].start, records[leading].end)))
    rows = records[leading + header :]
    blocks += [Block("table_row", Span(r.start, r.end)) for r in rows]
    return Parsed(
        text=text,
        title=_title(records[:leading]),
        media_type=media_type,
        blocks=tuple(blocks),
        warnings=decoded.warnings,
    )


class _Records:
    """Finds the records: lines, joined where a quoted field runs over their ends.

    A quote counts where a field begins, and only if it is closed again.
    """

    def __init__(self, lines: list[Line], delimiter: str) -> None:
        self._lines = lines
        mark = re.escape(delimiter) if delimiter else "(?!)"
        other = f"[^{mark}]" if delimiter else "[^\x00]"
        quoted = r'"(?:[^"]++|"")*+"'
        fields = rf'(?:(?:\ *{quoted}{other}*+|(?!\ *"){other}*+)(?:{mark}|$))*+'
        self._closed = re.compile(fields)
        # A line inside a quoted field on which the field ends; what follows is whole.
        self._closing = re.compile(rf'(?:[^"]++|"")*+"\ *(?:{mark}{fields}|$)')
        self._scanned = (0, 0)  # from, to: no line in between closes a quote

    def run(self) -> Iterator[Line]:
        lines = self._lines
        number = 0
        while number < len(lines):
            line = lines[number]
            last = number
            if '"' in line.text and not self._closed.fullmatch(line.text):
                last = self._last_line(number)
            if last > number:
                end = lines[last].end
                joined = "\n".join(between.text for between in lines[number : last + 1])
                yield Line(line.start, end, joined)
            elif not line.blank:
                yield line
            number = last + 1

    def _last_line(self, opening: int) -> int:
        """Return the line on which the open quote is closed, or the line itself for none."""
        limit = min(len(self._lines), opening + QUOTED_LINES)
        start, stop = self._scanned
        at = stop if start <= opening < stop else opening + 1
        while at < limit and not self._closes(at):
            at += 1
        self._scanned = (opening, at)
        if at >= limit or self._lines[at].end - self._lines[opening].start > QUOTED_CHARACTERS:
            return opening
        return at

    def _closes(self, number: int) -> bool:
        text = self._lines[number].text
        return '"' in text and self._closing.fullmatch(text) is not None


# --- delimiter ---------------------------------------------------------------------------------


def _delimiter(lines: list[Line], media_type: str) -> str:
    """Return what parts the fields, "" where nothing does.

    That which cuts most records into the same number of fields, and of those into the most.
    """
    if lines and (named := _SEPARATOR_LINE.match(lines[0].text.strip("\ufeff "))):
        return named[1] if named[1] in DELIMITERS else ""
    sample = _sample(lines)
    best, best_score = "", (0.5, 1.0)
    for mark in DELIMITERS:
        texts = [record.text for record in _Records(sample, mark).run()][:SAMPLE_ROWS]
        counts = Counter(len(_fields(text, mark)) for text in texts)
        wide = [(records, count) for count, records in counts.items() if count > 1]
        if not wide:
            continue
        records, count = max(wide)
        share = records / len(texts)
        # Words hold commas: a tab or semicolon that is nearly as regular is the delimiter.
        share += {"\t": 0.1, ";": 0.02, "|": 0.02}.get(mark, 0.0)
        if media_type == "text/tab-separated-values" and mark == "\t":
            share += 1
        if (share, float(count)) > best_score:
            best, best_score = mark, (share, float(count))
    return best or _sparse(sample)


def _sparse(sample: list[Line]) -> str:
    """Return the delimiter of a file whose records differ in length, "" for a single column."""
    texts = [line.text for line in sample if not line.blank]
    for mark in "\t;|,":
        if texts and sum(mark in text for text in texts) == len(texts):
            return mark
    return ""


def _sample(lines: list[Line]) -> list[Line]:
    size = 0
    for number, line in enumerate(lines[: SAMPLE_ROWS * 10]):
        size += len(line.text)
        if size > SAMPLE_CHARACTERS:
            return lines[: number + 1]
    return lines[: SAMPLE_ROWS * 10]


def _fields(record: str, delimiter: str) -> list[str]:
    """Return the fields of a record without their quotes."""
    if not delimiter:
        return [record.strip().strip('"')]
    if '"' not in record:
        return record.split(delimiter)
    mark = re.escape(delimiter)
    pattern = rf'(?:\ *"((?:[^"]++|"")*+)"[^{mark}]*+|([^{mark}]*+))(?:{mark}|$)'
    fields: list[str] = []
    for match in re.finditer(pattern, record):
        if match.start() == len(record) and fields and not record.endswith(delimiter):
            break
        fields.append(match[2] if match[1] is None else match[1].replace('""', '"'))
    return fields


# --- head --------------------------------------------------------------------------------------


def _head(records: list[Line], delimiter: str) -> tuple[int, int]:
    """Return the number of lines above the table, and of header records: 0 or 1."""
    sample = [_fields(record.text, delimiter) for record in records[: LEADING_LINES + SAMPLE_ROWS]]
    usual = _usual_width(sample)
    leading = 0
    for record, fields in zip(records[:LEADING_LINES], sample, strict=False):
        if _SEPARATOR_LINE.match(record.text) or _is_above(record.text, fields, usual):
            leading += 1
        else:
            break
    if leading >= len(records) or (leading == LEADING_LINES and usual > 1):
        leading = 0
    return leading, int(leading < len(sample) and is_header(sample[leading], sample[leading + 1 :]))


def _usual_width(sample: list[list[str]]) -> int:
    widths = Counter(len(fields) for fields in sample)
    return max(widths.items(), key=lambda item: (item[1], item[0]))[0] if widths else 0


def _is_above(line: str, fields: list[str], usual: int) -> bool:
    """Whether a line stands above the table: a comment, or a title in the first field."""
    if line.startswith("#"):
        return len(fields) != usual or usual < 2
    return usual > 1 and sum(1 for field in fields if field.strip()) < 2


def _title(leading: list[Line]) -> str:
    for record in leading:
        words = " ".join(record.text.strip(DELIMITERS + ' "').split())
        if not record.text.startswith("#") and not _SEPARATOR_LINE.match(record.text):
            return words if len(words) <= TITLE_CHARACTERS else ""
    return ""
