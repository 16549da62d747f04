"""JSON, GeoJSON and JSON lines as readable text: `key.path: value`, a record a block."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import TypeAlias, Union

from ragkit.errors import ParseError
from ragkit.parsing.embedded import write_markdown
from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Parsed, Writer
from ragkit.text import clean

MAX_DEPTH = 100  # of lists and objects in each other
LONG_CHARACTERS = 200  # a longer string is a text, a shorter one a value
TITLE_CHARACTERS = 200
MAX_SECTIONS = 100  # a larger object of objects is a list, its keys no headings
MAX_NUMBERS = 32  # a longer list is a vector or an outline: nobody searches for its numbers
ENCODED_CHARACTERS = 300
BAD_LINES_NAMED = 5

_TITLES = ("title", "name", "headline", "heading", "subject", "question", "label")
_ENCODED = re.compile(rf"(?:data:[\w/+.;=-]+,)?[A-Za-z0-9+/_\r\n-]{{{ENCODED_CHARACTERS},}}=*$")
_VISIBLE = re.compile(r"[^ \t\r\n]")
_LINE = re.compile(r"[^\s][^\n]*")
_MARKDOWN_HEADING = re.compile(r"#{1,6} \S")

Value: TypeAlias = Union[str, bool, "list[Value]", "dict[str, Value]", None]


class Number(str):
    """A number as the file has it: nothing rounded, and no limit on its digits."""

    __slots__ = ()


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read JSON, or a JSON value a line. The text is our own; every string is in it as it is."""
    decoded = decode(data)
    source = decoded.text.lstrip("\ufeff")
    title = ""
    records = _Records(uri)
    warnings: list[str] = []
    if media_type == "application/x-ndjson" or _is_lines(source, uri):
        warnings = _write_lines(records, source, uri)
    else:
        value = _cut_list(source, uri, warnings) or load(source, uri)
        records.document(value)
        title = _title(value) if isinstance(value, dict) else ""
    return records.writer.parsed(
        media_type, title=title, warnings=[*decoded.warnings, *warnings, *records.warnings()]
    )


# --- reading -----------------------------------------------------------------------------------


def load(source: str, uri: str) -> Value:
    """Read a JSON text. ParseError "corrupt" names the line and column, "too-deep" the limit."""
    try:
        value: Value = _DECODER.decode(source)
    except RecursionError as exc:
        raise _too_deep(uri) from exc
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        hint = "JSON with comments is read as .jsonc or .json5, a value a line as .jsonl"
        raise ParseError(uri, f"this is no valid JSON: {exc.msg} at {place}", hint=hint) from exc
    return value


_DECODER = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=Number)


def _is_lines(source: str, uri: str) -> bool:
    """Whether a file that calls itself JSON holds a value a line: its first two lines are one."""
    lines = (line[0] for line in itertools.islice(_LINE.finditer(source), 2))
    return [_loaded(line, uri) is not None for line in lines] == [True, True]


def _cut_list(source: str, uri: str, warnings: list[str]) -> Value:
    """Return the whole values of a list that the end of the file cuts; None for other files."""
    at = _skip(source, 0)
    if source[at : at + 1] != "[" or source.rstrip().endswith("]"):
        return None
    values: list[Value] = []
    while source[at : at + 1] in ("[", ","):
        at = _skip(source, at + 1)
        try:
            value, at = _DECODER.raw_decode(source, at)
        except RecursionError as exc:
            raise _too_deep(uri) from exc
        except json.JSONDecodeError:
            break
        values.append(value)
        at = _skip(source, at)
    if not values:
        return None
    warnings.append(f"the file is cut off: the first {len(values):,} values of its list were read")
    return values


def _skip(source: str, at: int) -> int:
    """Return the place of the next character that isn't white space."""
    found = _VISIBLE.search(source, at)
    return found.start() if found else len(source)


def _loaded(source: str, uri: str) -> Value:
    """Read a JSON text, None if it is none."""
    try:
        return load(source, uri)
    except ParseError:
        return None


def _write_lines(records: _Records, source: str, uri: str) -> list[str]:
    """Write a value a line; return what to say of the lines that were left out."""
    good = 0
    bad: list[str] = []
    number, counted = 1, 0
    for match in _LINE.finditer(source):
        try:
            records.item(load(match[0], uri))
            good += 1
        except ParseError as error:
            number += source.count("\n", counted, match.start())
            counted = match.start()
            bad.append(f"line {number:,} was left out: {error}")
    if bad and not good:
        value = _loaded(source, uri)  # laid out over lines, though its name says otherwise
        if value is None:
            raise ParseError(uri, f"no line is valid JSON; {bad[0]}")
        records.document(value)
        return []
    more = len(bad) - BAD_LINES_NAMED
    return bad[:BAD_LINES_NAMED] + ([f"{more:,} more lines were left out"] if more > 0 else [])


def _too_deep(uri: str) -> ParseError:
    message = f"lists and objects are nested more than {MAX_DEPTH} deep"
    return ParseError(uri, message, code="too-deep")


# --- writing -----------------------------------------------------------------------------------


class _Records:
    """Writes values. Recursion is as deep as the file's nesting, which has a limit."""

    def __init__(self, uri: str) -> None:
        self.writer = Writer()
        self._uri = uri
        self._keys: dict[str, str] = {}
        self._open: list[str] = []  # lines of the paragraph that is being written
        self._encoded = 0
        self._numbers = 0

    def document(self, value: Value) -> None:
        if isinstance(value, dict) and not (_is_map(value) and len(value) > MAX_SECTIONS):
            title = _title(value)
            self.writer.title(1, title)
            level = 2 if title else 1
            for key, below in value.items():
                if title and isinstance(below, str) and _clean(below) == title:
                    title = ""  # it stands in the heading
                elif _is_section(below):
                    self._flush()
                    self.writer.title(level, self._key(key))
                    self._value("", below, level, 1)
                else:
                    self._value(self._key(key), below, level, 1)
        else:
            self._value("", value, 0, 0)
        self._flush()

    def item(self, value: Value) -> None:
        """Write a value of a list of them."""
        if isinstance(value, dict):
            self._record("", value, 0, 1)
        else:
            self._value("", value, 0, 1)
            self._flush()

    def warnings(self) -> list[str]:
        """Say what was left out."""
        said = []
        if self._encoded:
            said.append(f"strings of encoded data were left out: {self._encoded:,}")
        if self._numbers:
            said.append(
                f"lists of more than {MAX_NUMBERS} numbers were left out: {self._numbers:,}"
            )
        return said

    def _value(self, path: str, value: Value, level: int, depth: int) -> None:
        """Write a value under its path; `level` is that of the last heading above it."""
        if depth > MAX_DEPTH:
            raise _too_deep(self._uri)
        words = _one_line(value)
        if words is not None:
            self._line(path, words)
        elif isinstance(value, dict):
            is_map = _is_map(value)
            for key, below in value.items():
                name = f"{path}.{self._key(key)}" if path else self._key(key)
                if is_map and isinstance(below, dict):
                    self._record(name, below, level, depth + 1)
                else:
                    self._value(name, below, level, depth + 1)
        elif isinstance(value, list):
            self._list(path, value, level, depth)
        else:
            self._text(path, str(value), level)

    def _list(self, path: str, values: list[Value], level: int, depth: int) -> None:
        if all(isinstance(value, Number) for value in values):
            self._numbers += 1
        elif all(isinstance(value, list) and _is_flat(value) for value in values):
            self._rows(path, values)
        else:
            for value in values:
                if isinstance(value, dict):
                    self._record(path, value, level, depth + 1)
                else:
                    self._value(path, value, level, depth + 1)
                    self._flush()

    def _rows(self, path: str, rows: list[Value]) -> None:
        """Write a list of lists of plain values as rows, long ones of numbers alone not."""
        if sum(len(row) for row in rows if isinstance(row, list)) > MAX_NUMBERS and all(
            isinstance(row, list) and all(isinstance(cell, Number) for cell in row) for row in rows
        ):
            self._numbers += 1
            return
        self._flush()
        if path:
            self.writer.write("paragraph", f"{path}:")
        texts = [
            [_clean(str(cell)) if isinstance(cell, str) else _one_line(cell) or "" for cell in row]
            for row in rows
            if isinstance(row, list)
        ]
        self.writer.table(texts, headers=0)

    def _record(self, path: str, record: dict[str, Value], level: int, depth: int) -> None:
        """Write an object of a list as a block of its own, with a heading if it has texts."""
        if depth > MAX_DEPTH:
            raise _too_deep(self._uri)
        self._flush()
        prefix = f"{path}." if path else ""
        long: list[str] = []  # keys of what is more than a line
        for key, value in record.items():
            words = _one_line(value)
            if words is None:
                long.append(key)
            elif words:
                self._open.append(f"{prefix}{self._key(key)}: {words}")
        if long:
            self._open.clear()
            self._long_record(prefix, record, long, level, depth)
        self._flush()

    def _long_record(
        self, prefix: str, record: dict[str, Value], long: list[str], level: int, depth: int
    ) -> None:
        title = _title(record) if any(map(_has_reading, record.values())) else ""
        if title:
            level += 1
            self.writer.title(level, title)
        for key in _reading_order(record, long):
            value = record[key]
            if title and isinstance(value, str) and _clean(value).strip() == title:
                title = ""  # once: it stands in the heading
            else:
                self._value(prefix + self._key(key), value, level, depth + 1)

    def _key(self, key: str) -> str:
        """Return a key cleaned: records have the same ones again and again."""
        name = self._keys.get(key)
        if name is None:
            name = self._keys[key] = " ".join(_clean(key).split())
        return name

    def _text(self, path: str, value: str, level: int) -> None:
        """Write a long string as paragraphs below its key; one that has a heading needs none."""
        text = _clean(value)
        if len(text) >= ENCODED_CHARACTERS and _ENCODED.match(text):
            self._encoded += 1
            return
        if path and not _MARKDOWN_HEADING.match(text.lstrip()):
            self._open.append(f"{path}:")
        self._flush()
        write_markdown(self.writer, text, below=level)

    def _line(self, path: str, text: str) -> None:
        if text:
            self._open.append(f"{path}: {text}" if path else text)

    def _flush(self) -> None:
        if self._open:
            self.writer.write("paragraph", "\n".join(self._open))
            self._open.clear()


# --- kinds of values ---------------------------------------------------------------------------


def _clean(text: str) -> str:
    return text if text.isascii() and text.isprintable() else clean(text)


def _one_line(value: Value) -> str | None:
    """Return a plain value, or a list of them, as a line; None for texts and what is nested."""
    if isinstance(value, Number):
        return value
    if isinstance(value, str):
        return None if _is_text(value) else _clean(value).strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if not value:
        return ""
    if isinstance(value, dict) or not _is_flat(value):
        return None
    if len(value) > MAX_NUMBERS and all(isinstance(cell, Number) for cell in value):
        return None
    words = [_one_line(cell) for cell in value]
    return None if None in words else ", ".join(filter(None, words))


def _is_flat(values: list[Value]) -> bool:
    return not any(isinstance(value, (list, dict)) for value in values)


def _is_text(value: str) -> bool:
    """Whether a string is more than a value: long, of several lines, or with a heading."""
    return (
        len(value) > LONG_CHARACTERS
        or ("\n" in value and "\n" in value.strip())
        or (value[:1] == "#" and bool(_MARKDOWN_HEADING.match(value)))
    )


def _is_map(value: dict[str, Value]) -> bool:
    """Whether an object is a list of objects under another name: each has its key."""
    return len(value) > 1 and all(isinstance(below, dict) for below in value.values())


def _has_reading(value: Value) -> bool:
    """Whether a value is a text or a list of objects: what a heading may stand above."""
    if isinstance(value, str):
        return _is_text(value)
    return isinstance(value, list) and any(isinstance(below, dict) for below in value)


def _reading_order(record: dict[str, Value], long: list[str]) -> list[str]:
    """Return the keys with the long values last, or first where a text begins with a heading."""
    rest = [key for key in record if key not in long]
    values = (record[key] for key in long)
    headed = any(isinstance(v, str) and _MARKDOWN_HEADING.match(v.lstrip()) for v in values)
    return long + rest if headed else rest + long


def _is_section(value: Value) -> bool:
    """Whether a value at the top is worth a heading: it holds objects, or several values."""
    if isinstance(value, list):
        return any(isinstance(below, (dict, list)) for below in value)
    return isinstance(value, dict) and len(value) > 1


def _title(record: dict[str, Value]) -> str:
    """Return what an object is called, by itself or in its properties, as GeoJSON has it."""
    properties = record.get("properties")
    for fields in (record, properties if isinstance(properties, dict) else {}):
        for name in _names(fields):
            value = fields[name]
            if isinstance(value, str) and not isinstance(value, Number) and value.strip():
                words = _clean(value).strip()
                if len(words) <= TITLE_CHARACTERS and "\n" not in words:
                    return " ".join(words.split())
    return ""


def _names(fields: dict[str, Value]) -> Iterator[str]:
    """Yield the keys that may hold a title, the best first, however they are capitalised."""
    if len(fields) > 1_000:
        return
    lowered = {key.lower(): key for key in fields}
    for name in _TITLES:
        if name in lowered:
            yield lowered[name]
