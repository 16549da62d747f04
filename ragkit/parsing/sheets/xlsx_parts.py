"""What python-calamine doesn't say of an XLSX file, and what has to be checked before it reads.

It makes a sheet dense: two cells in opposite corners are 17 billion to it. So far-off rows and
columns are moved together first, see `_compact`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterator

from ragkit.errors import ParseError
from ragkit.parsing.archive import Archive
from ragkit.parsing.ooxml.content import Paragraph
from ragkit.parsing.ooxml.drawings import chart_contents
from ragkit.parsing.ooxml.package import Package
from ragkit.parsing.xml_events import Node
from ragkit.text import clean

MAX_DENSE_CELLS = 4_000_000  # of 32 bytes each
PERCENT_FORMATS = frozenset((9, 10))  # ECMA-376-1, 18.8.30

_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)")
_PLACE = re.compile(rb"(<(?:\w+:)?(?:row|c)\s(?:[^>]*?\s)?r=[\"'])([A-Z]*)(\d+)(?=[\"'])")
_VALUE_OR_CELL = re.compile(rb"<(?:\w+:)?v>(#[^<]{1,20})<|<(?:\w+:)?c[\s>]")
_LITERALS = re.compile(r'"[^"]*"|\\.')
_THREADED = re.compile(r"\[Threaded comment\].*?Comment:\s*", re.DOTALL)

Cell = tuple[int, int]  # row and column, from 0


class XlsxParts:
    """The parts of a workbook that are read beside its cells."""

    def __init__(self, data: bytes, uri: str) -> None:
        self.data = data  # what python-calamine is to read
        self.warnings: list[str] = []
        self._uri = uri
        self._package = Package(data, uri)
        self._archive = Archive(data, uri)
        self._workbook = self._package.main_part("xl/workbook.xml", "Excel")
        self._sheets = self._parts()
        self._compacted: set[str] = set()
        self._check()

    def properties(self) -> tuple[str, dict[str, str]]:
        return self._package.properties()

    def is_compacted(self, name: str) -> bool:
        """Whether the rows and columns of a sheet have other numbers than in the file."""
        return self._sheets.get(name, "") in self._compacted

    def overlay(self, name: str) -> dict[Cell, str]:
        """Return "%" for cells that show a percentage, and the text of those that hold an error."""
        part = self._sheets.get(name, "")
        if part not in self._archive or part in self._compacted:
            return {}
        data = Archive(self.data, self._uri).read(part)
        found: dict[Cell, str] = {}
        if styles := self._percent_styles():
            numbers = "|".join(map(str, styles)).encode()
            for match in _cells_with(rb"s", rb"(?:" + numbers + rb")").finditer(data):
                found[_cell(match)] = "%"
        has_errors = b't="e"' in data or b"t='e'" in data
        for match in _cells_with(rb"t", rb"e").finditer(data) if has_errors else ():
            value = _VALUE_OR_CELL.search(data, match.end())
            if value and value[1]:
                found[_cell(match)] = clean(value[1].decode("utf-8", "replace"))
        return found

    def notes(self, name: str) -> list[str]:
        """Return the texts of the charts and comments of a sheet."""
        part = self._sheets.get(name, "")
        texts = [
            text
            for drawing in self._package.related(part, "drawing")
            for text in self._drawn(drawing)
        ]
        threads = [
            text
            for thread in self._package.related(part, "threadedComment")
            if (root := self._package.tree(thread))
            for text in _threaded_comments(root, self._people())
        ]
        for comments in self._package.related(part, "comments"):
            if root := self._package.tree(comments):
                texts += _comments(root, with_threads=not threads)
        return texts + threads

    def _people(self) -> dict[str, str]:
        """Return the names of those who wrote threaded comments, by their id."""
        names: dict[str, str] = {}
        for part in self._package.related(self._workbook, "person"):
            for node in root.all("person") if (root := self._package.tree(part)) else ():
                name = " ".join(clean(node.attributes.get("displayName", "")).split())
                names[node.attributes.get("id", "")] = name
        return names

    # --- parts ---------------------------------------------------------------------------------

    def _parts(self) -> dict[str, str]:
        """Return the part of each sheet by the sheet's name."""
        root = self._package.tree(self._workbook)
        if root is None:
            raise ParseError(self._uri, f"the file is damaged: {'; '.join(self._package.warnings)}")
        relations = self._package.relations(self._workbook)
        found = {}
        for node in root.all("sheet"):
            relation = relations.get(node.attributes.get("r:id", ""))
            if relation:
                found[node.attributes.get("name", "")] = relation.part
        return found

    def _percent_styles(self) -> list[int]:
        """Return the numbers of the cell styles that show a percentage."""
        names = [
            n for n in self._archive.names() if n.endswith("styles.xml") and n.startswith("xl/")
        ]
        root = self._package.tree(names[0]) if names else None
        if root is None:
            return []
        formats = set(PERCENT_FORMATS)
        for node in root.all("numFmt"):
            if "%" in _LITERALS.sub("", node.attributes.get("formatCode", "")):
                formats.add(_number(node.attributes.get("numFmtId", "")))
        cells = root.first("cellXfs")
        styles = cells.all("xf") if cells else []
        return [
            n
            for n, xf in enumerate(styles)
            if _number(xf.attributes.get("numFmtId", "")) in formats
        ]

    def _drawn(self, drawing: str) -> Iterator[str]:
        """Yield the texts of boxes and the titles of charts; their data is in the cells."""
        if root := self._package.tree(drawing):
            for body in root.all("txBody"):
                words = " ".join(node.text for node in body.all("a:t"))
                if words.strip():
                    yield " ".join(clean(words).split())
        for part in self._package.related(drawing, "chart"):
            chart = self._package.tree(part)
            first = next(iter(chart_contents(chart)), None) if chart else None
            if isinstance(first, Paragraph):
                yield f"Chart: {first.text}"

    # --- limits --------------------------------------------------------------------------------

    def _check(self) -> None:
        """Read each part within its limits, and make sparse sheets dense enough."""
        replaced: dict[str, bytes] = {}
        for name in self._archive.names():
            if not name.lower().endswith((".xml", ".rels", ".bin")):
                continue
            data = self._archive.read(name)
            if _DTD.search(data, 0, 4096):
                message = f"{name}: it declares a document type or entities, which is not allowed"
                raise ParseError(self._uri, message, code="forbidden-xml")
            if name in self._sheets.values() and (compact := self._compact(name, data)):
                replaced[name] = compact
                self._compacted.add(name)
        if replaced:
            self.data = self._rebuilt(replaced)

    def _compact(self, name: str, data: bytes) -> bytes:
        """Return a sparse sheet with its far-off rows and columns moved together.

        A gap is kept as one empty row or column. b"" for a sheet that is dense enough.
        """
        rows: set[int] = set()
        columns: set[bytes] = set()
        for match in _PLACE.finditer(data):
            rows.add(int(match[3]))
            columns.add(match[2])
        columns.discard(b"")
        widths = {_column(letters) for letters in columns}
        if not rows or not widths or _area(rows, widths) <= MAX_DENSE_CELLS:
            return b""
        new_row, new_column = _ranks(rows), _ranks(widths)
        if (new_row(max(rows)) + 1) * (new_column(max(widths)) + 1) > MAX_DENSE_CELLS:
            self.warnings.append(f"{name} was left out: its cells are too far apart")
            return b"<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'/>"

        def renumber(match: re.Match[bytes]) -> bytes:
            letters = _letters(new_column(_column(match[2]))) if match[2] else b""
            return match[1] + letters + b"%d" % (new_row(int(match[3])) + 1)

        return _PLACE.sub(renumber, data)

    def _rebuilt(self, replaced: dict[str, bytes]) -> bytes:
        target = io.BytesIO()
        archive = Archive(self.data, self._uri)
        with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as rebuilt:
            for name in archive.names():
                if name in replaced:
                    rebuilt.writestr(name, replaced[name])
                elif name.lower().endswith((".xml", ".rels")):
                    rebuilt.writestr(name, archive.read(name))
        return target.getvalue()


def _cells_with(attribute: bytes, value: bytes) -> re.Pattern[bytes]:
    """Return what finds the cells that have an attribute, and the place of each."""
    quoted = rb"\s" + attribute + rb"=[\"']" + value + rb"[\"']"
    return re.compile(
        rb"<(?:\w+:)?c(?=[^>]*?"
        + quoted
        + rb")\s(?:[^>]*?\s)?r=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^>]*>"
    )


def _cell(match: re.Match[bytes]) -> Cell:
    return int(match[2]) - 1, _column(match[1])


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters[:8]:
        number = number * 26 + letter - 64
    return number - 1


def _letters(column: int) -> bytes:
    letters = b""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = b"%c" % (65 + rest) + letters
    return letters


def _area(rows: set[int], columns: set[int]) -> int:
    return (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)


def _ranks(numbers: set[int]) -> Callable[[int], int]:
    """Return what gives a number its place among the others, with one free where some miss."""
    places: dict[int, int] = {}
    place = -1
    last = None
    for number in sorted(numbers):
        place += 1 if last is None or number == last + 1 else 2
        places[number] = place
        last = number
    return places.__getitem__


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _comments(root: Node, *, with_threads: bool) -> Iterator[str]:
    """Yield the comments. A thread stands among them too, as a program of old times shows it."""
    authors = [clean(node.text).strip() for node in root.all("author")]
    for comment in root.all("comment"):
        number = _number(comment.attributes.get("authorId", ""))
        author = authors[number] if 0 <= number < len(authors) else ""
        is_thread = author.startswith("tc=")
        if is_thread and not with_threads:
            continue
        text = " ".join(node.text for node in comment.all("t"))
        place = comment.attributes.get("ref", "")
        yield from _comment(place, "" if is_thread else author, _THREADED.sub("", text))


def _threaded_comments(root: Node, people: dict[str, str]) -> Iterator[str]:
    for comment in root.all("threadedComment"):
        author = people.get(comment.attributes.get("personId", ""), "")
        text = " ".join(node.text for node in comment.all("text"))
        yield from _comment(comment.attributes.get("ref", ""), author, text)


def _comment(place: str, author: str, text: str) -> Iterator[str]:
    words = " ".join(clean(text).split())
    if words:
        by = f" by {author}" if author else ""
        yield f"Comment on {' '.join(clean(place).split())}{by}: {words}"
