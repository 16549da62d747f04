"""Jupyter notebooks: Markdown cells, code cells in the kernel's language, their text outputs."""

from __future__ import annotations

import re

from ragkit.errors import ParseError
from ragkit.parsing.embedded import write_markdown
from ragkit.parsing.encoding import decode
from ragkit.parsing.json_records import Value, load
from ragkit.parsing.structure import Parsed, Writer
from ragkit.text import clean

OUTPUT_CHARACTERS = 4_000  # of one output: a longer one is cut in its middle
OUTPUT_LINE_CHARACTERS = 500

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}$")
_PROGRESS = re.compile(r"[^\n]*\r(?!\n)")  # a terminal overwrites the line
# "<Figure size 640x480 with 1 Axes>" stands for a picture or an object: nothing to read.
_NO_TEXT = re.compile(r"<[^\n]{0,300}>")

_Fields = dict[str, Value]


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a notebook of nbformat 3 or 4. Pictures and HTML are left out of the outputs."""
    decoded = decode(data)
    notebook = load(decoded.text.lstrip("\ufeff"), uri)
    if not isinstance(notebook, dict):
        raise ParseError(uri, "this is no notebook: it holds no cells")
    metadata = _fields(notebook, "metadata")
    cells = _Cells(_language(metadata))
    for cell in _cells(notebook, uri):
        cells.write(cell)
    title = clean(_string(metadata.get("title")))
    warnings = [*decoded.warnings, *cells.warnings()]
    return cells.writer.parsed(
        media_type, title=title, metadata=_metadata(metadata), warnings=warnings
    )


def _cells(notebook: _Fields, uri: str) -> list[_Fields]:
    """Return the cells; nbformat 3 keeps them in worksheets."""
    lists = [notebook.get("cells")]
    worksheets = notebook.get("worksheets")
    if isinstance(worksheets, list):
        lists += [sheet.get("cells") for sheet in worksheets if isinstance(sheet, dict)]
    found = [cells for cells in lists if isinstance(cells, list)]
    if not found:
        raise ParseError(uri, "this is no notebook: it holds no cells")
    return [cell for cells in found for cell in cells if isinstance(cell, dict)]


class _Cells:
    """Writes the cells in their order."""

    def __init__(self, language: str) -> None:
        self.writer = Writer()
        self._language = language
        self._left_out = 0
        self._cut = 0

    def warnings(self) -> list[str]:
        said = []
        if self._left_out:
            said.append(f"outputs without text were left out: {self._left_out:,}")
        if self._cut:
            said.append(f"long outputs were cut: {self._cut:,}")
        return said

    def write(self, cell: _Fields) -> None:
        kind = cell.get("cell_type")
        source = clean(_text(cell.get("source", cell.get("input"))))
        if kind == "markdown":
            write_markdown(self.writer, source)
        elif kind == "code":
            language = clean(_string(cell.get("language"))) or self._language
            self.writer.code(source, language if _LANGUAGE.match(language) else "")
            outputs = cell.get("outputs")
            for output in outputs if isinstance(outputs, list) else ():
                if isinstance(output, dict):
                    self._output(output)
        elif kind == "heading" and source.strip():  # nbformat 3
            level = _string(cell.get("level"))
            self.writer.title(int(level) if level in "123456" and level else 1, source)
        elif source.strip():
            self.writer.write("paragraph", source.strip("\n"))

    def _output(self, output: _Fields) -> None:
        kind = output.get("output_type")
        if kind == "stream":
            self._text(_text(output.get("text")))
        elif kind in ("error", "pyerr"):
            name, value = _string(output.get("ename")), _string(output.get("evalue"))
            self._text(f"{name}: {value}" if value else name)
        else:
            self._display(output)

    def _display(self, output: _Fields) -> None:
        """Write what is shown: Markdown if the cell made some, else plain text."""
        data = output.get("data")
        shown = data if isinstance(data, dict) else output  # nbformat 3 has no data
        if markdown := _text(shown.get("text/markdown")):
            write_markdown(self.writer, clean(markdown), below=1)
            return
        text = _text(shown.get("text/plain", shown.get("text")))
        if text and not _NO_TEXT.fullmatch(text.strip()):
            self._text(text)
        else:
            self._left_out += 1

    def _text(self, text: str) -> None:
        text = clean(_PROGRESS.sub("", _ANSI.sub("", text)))
        lines = [line[:OUTPUT_LINE_CHARACTERS] for line in text.split("\n")]
        short = "\n".join(lines)
        if len(short) > OUTPUT_CHARACTERS:
            half = OUTPUT_CHARACTERS // 2
            short = f"{short[:half]}\n...\n{short[-half:]}"
        self._cut += len(short) < len(text)
        self.writer.code(short)


# --- fields ------------------------------------------------------------------------------------


def _language(metadata: _Fields) -> str:
    for key, name in (("language_info", "name"), ("kernelspec", "language")):
        if language := _string(_fields(metadata, key).get(name)):
            return language.lower()
    return ""


def _metadata(metadata: _Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    authors = metadata.get("authors")
    names = []
    for author in authors if isinstance(authors, list) else ():
        names.append(_string(author.get("name") if isinstance(author, dict) else author))
    if author := ", ".join(filter(None, names)):
        found["author"] = " ".join(clean(author).split())
    for name in ("date", "description", "keywords"):
        if value := _string(metadata.get(name)):
            found[name] = " ".join(clean(value).split())
    return found


def _fields(fields: _Fields, name: str) -> _Fields:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _string(value: Value) -> str:
    return str(value) if isinstance(value, str) else ""


def _text(value: Value) -> str:
    """Return a text that is written as a string, or as a list of its lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return _string(value)
