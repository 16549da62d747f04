"""reStructuredText: a line scanner for sections, directives, literal blocks, tables and lists."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, Structure, split_lines
from ragkit.text import clean
from ragkit.types import BlockKind

TAB = 8  # columns, as docutils has it
SHORTEST_TRANSITION = 4
TITLE_CHARACTERS = 300
VALUE_CHARACTERS = 1_000

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*$")
_BULLET = re.compile(r"[ \t]*[*+\-•‣⁃](?:[ \t]+|$)")
_ENUMERATOR = re.compile(r"[ \t]*\(?(?:\d{1,9}|[A-Za-z]|#|[ivxlcdmIVXLCDM]{1,12})[.)](?:[ \t]+|$)")
_OPTION = re.compile(r"[ \t]*(?:--?[A-Za-z]|/[A-Z])[\w-]*(?:(?:, |[ =,])[^ =,]+)*(?:  |$)")
_FIELD = re.compile(r"[ \t]*:(?! )([^:`\n]+(?::[^: `\n][^:`\n]*)*)(?<! ):(?:[ \t]+(.*)|$)")
_EXPLICIT = re.compile(r"[ \t]*\.\.(?:[ \t]+(.*)|$)")
_DIRECTIVE = re.compile(r"(?:\|[^|\n]+\|[ \t]+)?([A-Za-z][\w.+:-]*?)[ \t]?::(?:[ \t]+(.*)|$)")
_NOTE = re.compile(r"\[(?:\d+|[#*]|#?[A-Za-z][\w.:+-]*)\](?:[ \t]|$)")
_LABEL = re.compile(r"_(?:`[^`\n]+`|[^:\n]+):[ \t]*$")
_GRID = re.compile(r"[ \t]*\+(?:[-=]+\+)+[ \t]*$")
_SIMPLE_TABLE = re.compile(r"[ \t]*=+(?:[ \t]+=+)+[ \t]*$")
_SPANS = re.compile(r"[ \t]*-+(?:[ \t]+-+)*[ \t]*$")
_LIST_TABLE_ROW = re.compile(r"[ \t]*[*+-][ \t]+[*+-](?:[ \t]|$)")

# Directives whose body is no text that could be read as reStructuredText.
_CODE = frozenset(
    "code code-block sourcecode literalinclude parsed-literal highlight doctest testcode "
    "testoutput testsetup testcleanup math raw productionlist graphviz digraph graph uml mermaid "
    "prompt ipython plot jupyter-execute".split()
)
# The fields of docutils' bibliography, and those under another name here.
_TEXT_FIELDS = frozenset(("abstract", "dedication"))
_FIELD_NAMES = {"authors": "author", "revision": "version"}
_KEYWORD_MARK = re.compile(r"\$\w+:[ \t]*(.*?)[ \t]*\$$")  # as CVS wrote them: $Date: 2002 $

_ROLE = re.compile(r"(?<![\w`]):[\w.:+-]+:(?=`)")
_LINK = re.compile(r"`([^`<]*?)[ \t]*<[^<>`]*>`_{0,2}")
_REFERENCE = re.compile(r"`([^`]+)`_{0,2}")
_NOTE_REFERENCE = re.compile(r"[ \t]*\[[^\[\]]+\]_(?!\w)")
_SUBSTITUTION = re.compile(r"^\.\.[ \t]+\|([^|\n]+)\|[ \t]+replace::[ \t]+(.+)$", re.MULTILINE)
_SUBSTITUTED = re.compile(r"\|([^|\n]+)\|(?!\w)")
_EMPHASIS = re.compile(r"(?<!\w)(\*{1,2}|\|)(?=\S)([^*|]+)(?<=\S)\1_{0,2}(?!\w)")
_ESCAPE = re.compile(r"\\(.)")


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read reStructuredText. The text keeps the lines of the file, markup included."""
    decoded = decode(data)
    text = clean(decoded.text)
    scanner = _Scanner(text)
    scanner.run()
    found = scanner.found
    return found.parsed(
        media_type,
        title="" if found.headings else scanner.metadata.get("title", ""),
        metadata=scanner.metadata,
        warnings=decoded.warnings,
    )


def plain_inline(markup: str) -> str:
    """Return the words of a line without roles, references, emphasis, literals and escapes."""
    markup = _ROLE.sub("", markup.replace("``", "`"))
    markup = _REFERENCE.sub(r"\1", _LINK.sub(r"\1", markup))
    markup = _EMPHASIS.sub(r"\2", _NOTE_REFERENCE.sub("", markup))
    return " ".join(_ESCAPE.sub(r"\1", markup).split())


class _Scanner:
    """Walks the lines once, a body element at a time; `_at` is the next line.

    Indented elements (of directives, list items, quotes) are read like those that aren't. A label
    or a target without a link goes with what it names: `_label` is its line until then.
    """

    def __init__(self, text: str) -> None:
        self.lines = split_lines(text)
        self.found = Structure(text)
        self.metadata: dict[str, str] = {}
        self._at = 0
        self._label: int | None = None
        self._in_text = False  # whether there was anything but headings and front matter
        self._styles: list[str] = []
        self._words = {
            found[1]: found[2][:TITLE_CHARACTERS] for found in _SUBSTITUTION.finditer(text)
        }

    def run(self) -> None:
        while self._at < len(self.lines):
            line = self.lines[self._at]
            if line.blank:
                self._at += 1
            elif not (self._section(line) or self._special(line)):
                self._text(line)
        if self._label is not None:
            self._take("paragraph", len(self.lines) - 1)

    # --- sections ------------------------------------------------------------------------------

    def _section(self, line: Line) -> bool:
        adorned = bool(_ADORNMENT.match(line.text))
        if adorned and self._overlined(line):
            return True
        if not adorned and self._underlined(line):
            return True
        if adorned and len(line.text.rstrip()) >= SHORTEST_TRANSITION and self._line(1).blank:
            self._take("paragraph", self._at)
            return True
        return False

    def _overlined(self, line: Line) -> bool:
        title, below = self._line(1).text, self._line(2).text
        mark = line.text.rstrip()
        if not title.strip() or below.rstrip() != mark or _FIELD.match(title):
            return False
        if len(mark) < min(SHORTEST_TRANSITION, len(title.strip())):
            return False
        return self._heading("over" + mark[0], title, last=self._at + 2)

    def _underlined(self, line: Line) -> bool:
        below = self._line(1).text.rstrip()
        if line.text[0] in " \t" or not below or not _ADORNMENT.match(below):
            return False
        if len(below) < min(SHORTEST_TRANSITION, len(line.text.rstrip())):
            return False
        if _EXPLICIT.match(line.text) or below in ("::", ".."):
            return False
        return self._heading(below[0], line.text, last=self._at + 1)

    def _heading(self, style: str, markup: str, *, last: int) -> bool:
        if len(markup) > TITLE_CHARACTERS:
            return False
        filled = _SUBSTITUTED.sub(lambda found: self._words.get(found[1], found[0]), markup)
        title = plain_inline(filled[:TITLE_CHARACTERS])
        if not title:
            return False
        if style not in self._styles:
            self._styles.append(style)
        level = min(self._styles.index(style) + 1, 6)
        self.found.heading(level, title, self._start(), self.lines[last].end)
        self._at = last + 1
        return True

    # --- what a line's first characters tell -----------------------------------------------------

    def _special(self, line: Line) -> bool:
        text = line.text.lstrip()
        first = text[0]
        if first == "." and self._explicit(line):
            return True
        if text.startswith(">>>"):
            self._take("code", self._run_end())
            return True
        if first == "+" and _GRID.match(text):
            self._grid_table()
            return True
        if first == "=" and _SIMPLE_TABLE.match(text) and self._simple_table():
            return True
        if first == ":" and _FIELD.match(text):
            self._fields()
            return True
        return self._is_item(line) and self._item(line)

    def _explicit(self, line: Line) -> bool:
        """Take a footnote, a target, a comment, or a directive up to where its body begins."""
        match = _EXPLICIT.match(line.text)
        if not match:
            return False
        rest = match[1] or ""
        directive = _DIRECTIVE.match(rest)
        if _LABEL.match(rest):
            self._label = self._start_line()
            self._at += 1
        elif _NOTE.match(rest):
            self._take("footnote", self._body_end(line))
        elif directive:
            self._directive(line, directive[1].rpartition(":")[2].lower())
        elif rest or not self._line(1).blank:
            comment = rest[:1] not in ("_", "|")
            above = comment and not self.found.headings and not self._in_text
            self._take("front_matter" if above else "paragraph", self._body_end(line))
        else:
            self._take("paragraph", self._at)  # an empty comment takes no indented text with it
        return True

    def _directive(self, line: Line, name: str) -> None:
        if name in _CODE:
            self._take("code", self._body_end(line))
        elif name == "meta":
            end = self._body_end(line)
            for field in self.lines[self._at + 1 : end + 1]:
                self._remember(field.text)
            self._take("front_matter", end)
        else:
            opened = self._at
            self._take("paragraph", self._run_end(deeper_than=_indent(line.text)))
            options = [option.text.strip() for option in self.lines[opened : self._at]]
            if name in ("list-table", "csv-table"):
                self._rows(_indent(line.text), options, by_line=name == "csv-table")
            elif len(options) > 1 and options[-1].endswith("::"):
                self._literal(_indent(self.lines[self._at - 1].text))

    def _rows(self, indent: int, options: Sequence[str], *, by_line: bool) -> None:
        """Take the rows of a list table, each of which begins with `* -`, or of a CSV table."""
        named = dict(option[1:].split(":", 1) for option in options if option.count(":") > 1)
        count = named.get("header-rows", "").strip()
        headers = int(count) if count.isdecimal() and len(count) < 3 else 0
        while self._at < len(self.lines) and self._line(0).blank:
            self._at += 1
        end = self._deeper_end(self._at, indent, default=self._at - 1)
        row = self._at
        for number in range(self._at + 1, end + 2 if end >= row else 0):
            line = self.lines[number] if number <= end else None
            if line and (line.blank or not (by_line or _LIST_TABLE_ROW.match(line.text))):
                continue
            self._at = row
            self._take("table_header" if headers > 0 else "table_row", number - 1)
            headers -= 1
            row = number

    # --- tables --------------------------------------------------------------------------------

    def _grid_table(self) -> None:
        """Take a grid table: a row ends with its rule, the header with a rule of `=`."""
        end = self._at
        while end + 1 < len(self.lines) and self.lines[end + 1].text.lstrip()[:1] in ("+", "|"):
            if not self.lines[end + 1].text.strip():
                break
            end += 1
        rules = [n for n in range(self._at + 1, end + 1) if _GRID.match(self.lines[n].text)]
        header = next((n for n in rules if "=" in self.lines[n].text), 0)
        if header:
            self._take("table_header", header)
        for rule in rules:
            if rule > header:
                self._take("table_row", rule)
        if self._at <= end:
            self._take("table_row", end)

    def _simple_table(self) -> bool:
        """Take a simple table: a header between two rules of `=`, rows down to a third."""
        rules: list[int] = []
        for number in range(self._at + 1, len(self.lines)):
            if _SIMPLE_TABLE.match(self.lines[number].text):
                rules.append(number)
                following = self.lines[number + 1] if number + 1 < len(self.lines) else None
                if len(rules) == 2 or following is None or following.blank:
                    break
        if not rules:
            return False
        top, end = self._at, rules[-1]
        if len(rules) == 2:
            self._take("table_header", rules[0])
        column = _indent(self.lines[top].text)
        row = self._at
        for number in range(row + 1, end + 1):
            text = self.lines[number].text
            first = number - 1 == top
            goes_on = not text.strip() or _indent(text) > column or _SPANS.match(text)
            if first or goes_on or number == end:
                continue
            self._take("table_row", number - 1)
        self._take("table_row", end)
        return True

    # --- lists ---------------------------------------------------------------------------------

    def _is_item(self, line: Line) -> bool:
        if _BULLET.match(line.text) or _OPTION.match(line.text):
            return True
        if not _ENUMERATOR.match(line.text):
            return False
        below = self._line(1)  # "A. Einstein was" over a line as far left is a paragraph
        return below.blank or _indent(below.text) > _indent(line.text) or self._starts_item(below)

    def _starts_item(self, line: Line) -> bool:
        return bool(_BULLET.match(line.text) or _ENUMERATOR.match(line.text))

    def _item(self, line: Line) -> bool:
        """Take an item down to the next one or a blank line."""
        marker = _BULLET.match(line.text) or _ENUMERATOR.match(line.text)
        inside = _width(marker[0]) if marker else _indent(line.text) + 1
        self._take("list_item", self._item_end(_indent(line.text)))
        last = self.lines[self._at - 1]
        if last.text.rstrip().endswith("::"):
            self._literal(inside if last is line else _indent(last.text))
        return True

    def _item_end(self, indent: int) -> int:
        end = self._at
        while end + 1 < len(self.lines):
            below = self.lines[end + 1]
            if below.blank or _indent(below.text) <= indent or self._starts_item(below):
                break
            end += 1
        return end

    def _fields(self) -> None:
        """Take a field; those at the top of the document are its metadata."""
        top = not self._in_text and len(self.found.headings) <= 2
        line = self.lines[self._at]
        match = _FIELD.match(line.text)
        name = match[1].strip().lower() if match else ""
        end = self._item_end(_indent(line.text))
        if top and name not in _TEXT_FIELDS:
            self._remember(" ".join(part.text.strip() for part in self.lines[self._at : end + 1]))
            self._take("front_matter", end)
            return
        self._take("list_item" if not top else "paragraph", end)
        if self.lines[end].text.rstrip().endswith("::"):
            self._literal(_indent(self.lines[end].text))

    def _remember(self, field: str) -> None:
        match = _FIELD.match(field)
        value = (match[2] or "").strip() if match else ""
        if not match or not value:
            return
        mark = _KEYWORD_MARK.match(value)
        value = mark[1] if mark else value
        name = match[1].strip().lower()
        if value:
            self.metadata.setdefault(
                _FIELD_NAMES.get(name, name), plain_inline(value[:VALUE_CHARACTERS])
            )

    # --- paragraphs and literal blocks -----------------------------------------------------------

    def _text(self, line: Line) -> None:
        """Take a paragraph, or a term with its definition."""
        below = self._line(1)
        indent = _indent(line.text)
        if not below.blank and _indent(below.text) > indent:
            self._take("list_item", self._item_end(indent))
        else:
            self._take("paragraph", self._run_end())
        last = self.lines[self._at - 1]
        if last.text.rstrip().endswith("::"):
            self._literal(_indent(last.text))

    def _literal(self, indent: int) -> None:
        """Take the literal block below a paragraph that ends with `::`, if there is one."""
        first = self._at
        while first < len(self.lines) and self.lines[first].blank:
            first += 1
        if first == len(self.lines):
            return
        text = self.lines[first].text
        if _indent(text) > indent:
            self._at = first
            self._take("code", self._deeper_end(first, indent, default=first))
        elif text.lstrip()[0] in ">|$#%" and _indent(text) == indent:
            self._at = first
            self._take("code", self._run_end())

    # --- lines ---------------------------------------------------------------------------------

    def _line(self, ahead: int) -> Line:
        """Return a line below the current one; an empty one below the end."""
        number = self._at + ahead
        return self.lines[number] if number < len(self.lines) else Line(0, 0, "")

    def _run_end(self, *, deeper_than: int = -1) -> int:
        """Return the last line before a blank one, or before one that isn't deep enough."""
        end = self._at
        while end + 1 < len(self.lines):
            below = self.lines[end + 1]
            if below.blank or _indent(below.text) <= deeper_than:
                break
            end += 1
        return end

    def _body_end(self, line: Line) -> int:
        """Return the last line of what is indented below a line."""
        return self._deeper_end(self._at + 1, _indent(line.text), default=self._at)

    def _deeper_end(self, first: int, indent: int, *, default: int) -> int:
        end = default
        for number in range(first, len(self.lines)):
            line = self.lines[number]
            if line.blank:
                continue
            if _indent(line.text) <= indent:
                break
            end = number
        return end

    def _start_line(self) -> int:
        return self._at if self._label is None else self._label

    def _start(self) -> int:
        start = self.lines[self._start_line()].start
        self._label = None
        return start

    def _take(self, kind: BlockKind, last: int) -> None:
        """Add the lines from the current one (or its label) to `last`, and go behind them."""
        self.found.block(kind, self._start(), self.lines[last].end)
        self._in_text = self._in_text or kind != "front_matter"
        self._at = last + 1


def _indent(line: str) -> int:
    return _width(line[: len(line) - len(line.lstrip(" \t"))])


def _width(text: str) -> int:
    return len(text.expandtabs(TAB))
