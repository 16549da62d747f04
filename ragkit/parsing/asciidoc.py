"""AsciiDoc: a line scanner for the header, sections, delimited blocks, tables and lists."""

from __future__ import annotations

import re
from dataclasses import replace

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, Structure, split_lines
from ragkit.text import clean
from ragkit.types import Block, BlockKind, Span

TITLE_CHARACTERS = 300
LINE_CHARACTERS = 1_000  # of a section's title, or of attributes, with their markup
VALUE_CHARACTERS = 1_000
MOST_COLUMNS = 1_000

_SECTION = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*?)(?:[ \t]+\1)?[ \t]*$")
_COMMENT = re.compile(r"//(?!/)")
_COMMENT_BLOCK = re.compile(r"/{4,}[ \t]*$")
_UNDERLINES = "=-~^+"  # by level
_UNDERLINE = re.compile(r"([=\-~^+])\1+[ \t]*$")
_ATTRIBUTE = re.compile(r":(!?[\w][\w-]*!?):(?:[ \t]+(.*)|$)")
_REFERENCE = re.compile(r"(?<!\\)\{([\w-]+)\}")
_AUTHOR = re.compile(r"[^\W\d_][\w.'’-]*(?:[ \t]+[^\W\d_][\w.'’-]*){0,2}(?:[ \t]+<[^<>\n]+>)?$")
_REVISION = re.compile(
    r"(?:v(?P<v>\d[^\s,:]*)(?:,[ \t]*(?P<date>[^:]+))?|(?P<n>\d[^\s,:]*),[ \t]*(?P<on>[^:]+)"
    r"|(?P<day>\d{4}-\d\d-\d\d))(?:[ \t]*:.*)?$"
)
_BLOCK_ATTRIBUTES = re.compile(r"\[(?:\[[^\[\]]*\]|[\w.,#%\"'({:=*<>^+|!-].*)?\][ \t]*$")
_BLOCK_TITLE = re.compile(r"\.(?![ .\t])\S.*$")
_VERBATIM = re.compile(r"(-{4,}|\.{4,}|\+{4,}|/{4,}|`{3,})(.*)$")
_CONTAINER = re.compile(r"(={4,}|\*{4,}|_{4,}|--|~{4,})[ \t]*$")
_TABLE = re.compile(r"([|,:!])={3,}[ \t]*$")
_MACRO = re.compile(r"\w[\w-]*::\S*\[.*\][ \t]*$")
_BREAK = re.compile(r"(?:'{3,}|<{3,}|-{3}|\*{3})[ \t]*$")
_ITEM = re.compile(
    r"[ \t]*(?:(?:[*.•]{1,6}|-|\d{1,9}\.|[A-Za-z]\.|[ivxlcdmIVXLCDM]{1,12}\)|<(?:\d+|\.)>)[ \t]+\S"
    r"|(?!//)\S.*?(?:::{1,3}|;;)(?:[ \t]|$))"
)
_BAR = re.compile(r"(?<!\\)\|")
_CELL_MARK = re.compile(r"(?:(\d{1,3})[*+]|\d{0,3}\.\d{1,3}\+)?[<>^]?(?:\.[<>^])?([a-z]?)")
_CELL_MARK_CHARACTERS = 12
_CODE_STYLE = re.compile(
    r"\[(?:source|listing|literal|pass|stem|latexmath|asciimath|plantuml|mermaid|ditaa|graphviz)"
    r"\b|\[,[ \t]*[\w+#-]+[\],]"
)
_HEADER_OPTION = re.compile(
    r"%[\w%]*header\b|\boptions?=\"?[\w,% ]*\bheader\b|\bopts=\"?[\w,]*\bheader\b"
)
_NO_HEADER = re.compile(r"%[\w%]*noheader\b|\bnoheader\b")
_COLUMNS = re.compile(r"\bcols=(?:\"([^\"]*)\"|'([^']*)'|([^\s,\]]+))")
_TIMES = re.compile(r"[ \t]*(\d{1,4})\*")
_SEPARATED_VALUES = re.compile(r"\bformat=\"?(?:csv|dsv|tsv)")

_ATTRIBUTE_NAMES = {
    "author": "author",
    "authors": "author",
    "email": "email",
    "revdate": "date",
    "revnumber": "version",
    "description": "description",
    "keywords": "keywords",
    "lang": "language",
}
_LINK = re.compile(r"(?:\b(?:link|xref|mailto):[^\s\[\]]*|https?://[^\s\[\]]+)\[([^\[\]]*)\]")
_CROSS_REFERENCE = re.compile(r"<<[^<>,]*,?[ \t]*([^<>]*)>>")
_INLINE_MACRO = re.compile(r"\b(?:btn|kbd|menu|pass|stem):(?:[^\s\[\]]*)\[([^\[\]]*)\]")
_DROPPED = re.compile(
    r"\[\[[^\[\]]*\]\]|\b(?:footnote|indexterm2?|anchor|image):[^\s\[\]]*\[[^\[\]]*\]|\(\(\([^()]*\)\)\)"
)
_ROLE = re.compile(r"\[[.#\w][^\[\]]*\](?=[#*_`])")
_EMPHASIS = re.compile(r"(?<!\\)(?:\*\*|__|``|##|(?<!\w)[*_`#+^~](?=\S)|(?<=\S)[*_`#+^~](?!\w))")


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read AsciiDoc. The text keeps the lines of the file, markup included."""
    decoded = decode(data)
    text = clean(decoded.text)
    scanner = _Scanner(text)
    scanner.run()
    found = scanner.found
    named = scanner.attributes.get("doctitle") or scanner.attributes.get("title", "")
    return found.parsed(
        media_type,
        title="" if found.headings else plain_inline(named),
        metadata=scanner.metadata,
        warnings=decoded.warnings,
    )


def plain_inline(markup: str) -> str:
    """Return the words of a line without links, macros, anchors and emphasis."""
    markup = _DROPPED.sub("", markup)
    markup = _LINK.sub(r"\1", markup)
    markup = _CROSS_REFERENCE.sub(r"\1", _INLINE_MACRO.sub(r"\1", markup))
    return " ".join(_EMPHASIS.sub("", _ROLE.sub("", markup)).split())


class _Scanner:
    """Walks the lines once; `_at` is the next line.

    Lines that say something of the block below them (attributes, its title, the opening of an
    example or a quote) go with it: `_above` is the first of them, `_style` their attributes.
    """

    def __init__(self, text: str) -> None:
        self.lines = split_lines(text)
        self.found = Structure(text)
        self.attributes: dict[str, str] = {}
        self.metadata: dict[str, str] = {}
        self._at = 0
        self._above: int | None = None
        self._style = ""
        self._in_header = True
        self._open: list[str] = []  # delimiters of the open examples, sidebars, quotes

    def run(self) -> None:
        self._header()
        self._in_header = False
        while self._at < len(self.lines):
            line = self.lines[self._at]
            if line.blank:
                self._at += 1
            elif not (self._metadata_line(line) or self._delimited(line) or self._line(line)):
                self._paragraph()
        if self._above is not None:
            self._take("paragraph", len(self.lines) - 1)

    # --- the header ----------------------------------------------------------------------------

    def _header(self) -> None:
        """Take the title with the lines below it; attributes may stand above it."""
        while self._at < len(self.lines):
            line = self.lines[self._at]
            if line.blank:
                self._at += 1
            elif _COMMENT.match(line.text):
                self._take("front_matter", self._at)
            elif _COMMENT_BLOCK.match(line.text):
                self._take("front_matter", self._closing(line.text.rstrip()))
            elif line.text[0] != ":" or not self._attribute(line):
                break
        if self._at < len(self.lines) and _BLOCK_ATTRIBUTES.match(self.lines[self._at].text):
            self._metadata_line(self.lines[self._at])
        if self._at < len(self.lines) and self._document_title():
            self._below_title()
            title = self.found.headings[0]  # it may name attributes that stand below it
            self.found.headings[0] = replace(title, title=self._filled(title.title))

    def _document_title(self) -> bool:
        line = self.lines[self._at]
        if line.text.startswith(("= ", "# ")):
            return self._section(line)
        below = self._text(1)
        return below.startswith("==") and self._underlined(line)

    def _below_title(self) -> None:
        """Take author line, revision line, attributes and comments down to a blank line."""
        first = self._at
        while self._at < len(self.lines) and not self.lines[self._at].blank:
            line = self.lines[self._at]
            revision = _REVISION.match(line.text)
            if line.text[0] == ":" and self._attribute(line):
                continue
            named = self._at == first and self._authors(line.text)
            if named or _COMMENT.match(line.text):
                pass
            elif revision and self._at == first + 1:
                self._remember("version", revision["v"] or revision["n"] or "")
                self._remember("date", revision["date"] or revision["on"] or revision["day"] or "")
            else:
                return
            self._take("front_matter", self._at)

    def _authors(self, line: str) -> bool:
        authors = [author.strip() for author in line[:VALUE_CHARACTERS].split(";")]
        if not all(_AUTHOR.match(author) for author in authors):
            return False
        names = [author.split("<")[0].strip().replace("_", " ") for author in authors]
        self._remember("author", ", ".join(names))
        if len(authors) == 1 and "<" in authors[0]:
            self._remember("email", authors[0].split("<")[1].rstrip("> "))
        return True

    def _attribute(self, line: Line) -> bool:
        """Take an attribute entry; a value goes on below a line that ends with a backslash."""
        match = _ATTRIBUTE.match(line.text)
        if not match:
            return False
        last = self._at
        value = match[2] or ""
        while value.endswith("\\") and last + 1 < len(self.lines):
            last += 1
            value = value[:VALUE_CHARACTERS].rstrip("\\").rstrip() + " " + self.lines[last].text
        name = match[1].strip("!").lower()
        if "!" not in match[1]:
            self.attributes[name] = value.strip()[:VALUE_CHARACTERS]
            if name in _ATTRIBUTE_NAMES:
                self._remember(_ATTRIBUTE_NAMES[name], value)
        self._take("front_matter", last)
        return True

    def _remember(self, name: str, value: str) -> None:
        value = plain_inline(self._filled(value[:VALUE_CHARACTERS]))
        if value:
            self.metadata.setdefault(name, value)

    def _filled(self, markup: str) -> str:
        """Put attributes in the place of their names, once: a value isn't looked into."""
        known = self.attributes
        return _REFERENCE.sub(lambda m: known.get(m[1].lower(), m[0])[:100], markup)

    # --- sections ------------------------------------------------------------------------------

    def _section(self, line: Line) -> bool:
        match = _SECTION.match(line.text) if len(line.text) <= LINE_CHARACTERS else None
        return match is not None and self._heading(len(match[1]), match[2], self._at)

    def _underlined(self, line: Line) -> bool:
        below = self._text(1).rstrip()
        if not below or not _UNDERLINE.match(below) or not re.search(r"\w", line.text):
            return False
        if line.text[0] in " \t.[|" or abs(len(below) - len(line.text.rstrip())) > 1:
            return False
        return self._heading(_UNDERLINES.index(below[0]) + 1, line.text, self._at + 1)

    def _heading(self, level: int, markup: str, last: int) -> bool:
        markup = markup[:TITLE_CHARACTERS]
        title = plain_inline(markup if self._in_header else self._filled(markup))
        if not title:
            return False
        self.found.heading(level, title, self._start(), self.lines[last].end)
        self._open.clear()
        self._at = last + 1
        return True

    # --- blocks --------------------------------------------------------------------------------

    def _metadata_line(self, line: Line) -> bool:
        """Hold a line of attributes or a block's title for the block below."""
        text = line.text
        if text[0] == "[" and _BLOCK_ATTRIBUTES.match(text):
            self._style = (self._style + text)[:LINE_CHARACTERS]
        elif text[0] != "." or not _BLOCK_TITLE.match(text) or _VERBATIM.match(text):
            return False
        if self._above is None:
            self._above = self._at
        self._at += 1
        return True

    def _delimited(self, line: Line) -> bool:
        text = line.text
        if match := _TABLE.match(text):
            self._table(text.rstrip(), match[1])
            return True
        if delimiter := _verbatim(text):
            comment = text[0] == "/"
            self._take("paragraph" if comment else "code", self._closing(delimiter))
            return True
        if not _CONTAINER.match(text):
            return False
        self._container(text.rstrip())
        return True

    def _closing(self, delimiter: str) -> int:
        """Return the line of the closing delimiter; the last line where there is none."""
        for number in range(self._at + 1, len(self.lines)):
            if self.lines[number].text.rstrip() == delimiter:
                return number
        return len(self.lines) - 1

    def _container(self, delimiter: str) -> None:
        """Enter or leave an example, a sidebar, a quote or an open block."""
        if delimiter == "--" and _CODE_STYLE.search(self._style):
            self._take("code", self._closing(delimiter))
        elif delimiter not in self._open:
            self._open.append(delimiter)
            self._above = self._start_line()
            self._at += 1
        else:
            while self._open.pop() != delimiter:
                pass
            self._join_above()

    def _join_above(self) -> None:
        """Add the current line to the block above it, or make it one."""
        blocks, headings = self.found.blocks, self.found.headings
        after_heading = headings and blocks and headings[-1].span.start > blocks[-1].span.start
        if self._above is not None or not blocks or after_heading:
            self._take("paragraph", self._at)
            return
        line = self.lines[self._at]
        end = line.start + len(line.text.rstrip())
        blocks[-1] = Block(blocks[-1].kind, Span(blocks[-1].span.start, end))
        self._at += 1

    # --- tables --------------------------------------------------------------------------------

    def _table(self, delimiter: str, mark: str) -> None:
        """Take a table: header and rows begin where the cells of a row are complete."""
        end = self._closing(delimiter)
        style, first = self._style, self._at + 1
        while first < end and self.lines[first].blank:
            first += 1
        by_line = mark in ",:" or bool(_SEPARATED_VALUES.search(style))
        starts = list(range(first, end)) if by_line else self._row_starts(first, end, style, mark)
        starts = [number for number in starts if not self.lines[number].blank]
        if not starts:
            self._take("paragraph", end)
            return
        header = self._has_header(style, self._at + 1, end, starts)
        self._above = self._start_line()
        for number, following in zip(starts, [*starts[1:], end + 1], strict=True):
            self._at = number
            self._take("table_header" if header else "table_row", following - 1)
            header = False

    def _row_starts(self, first: int, end: int, style: str, mark: str) -> list[int]:
        """Return the lines that begin a row; a blank line and a cell begin one in any case."""
        columns = _columns(style)
        starts: list[int] = []
        filled = 0
        for number in range(first, end):
            text = self.lines[number].text
            if not text.strip():
                continue
            if mark == "!":
                text = text.replace("!", "|")
            marks = _cell_marks(text)
            begins = bool(marks) and _CELL_MARK.fullmatch(text[: text.index("|")].strip())
            after_blank = begins and self.lines[number - 1].blank
            if not starts or (columns and filled >= columns and marks) or after_blank:
                starts.append(number)
                filled = 0
            filled += sum(int(mark[1] or 1) for mark in marks)
            columns = columns or filled
        return starts

    def _has_header(self, style: str, inside: int, end: int, starts: list[int]) -> bool:
        if len(starts) < 2 or _NO_HEADER.search(style):
            return False
        if _HEADER_OPTION.search(style):
            return True
        row = self.lines[starts[0] : starts[1]]
        marks = [mark for line in row for mark in _cell_marks(line.text)]
        if marks and all(mark[2] == "h" for mark in marks):
            return True
        one_line = starts[0] == inside and inside + 1 < end
        return one_line and self.lines[inside + 1].blank

    # --- lists, macros, paragraphs -------------------------------------------------------------

    def _line(self, line: Line) -> bool:
        """Take what a single line tells: a section, an attribute, a macro, an item, a break."""
        text = line.text
        if text[0] in "=#" and self._section(line):
            return True
        if _COMMENT.match(text):
            self._take("paragraph", self._comment_end())
            return True
        if text[0] == ":" and self._attribute(line):
            return True
        if text.rstrip() == "+":
            self._join_above()
        elif _MACRO.match(text) or _BREAK.match(text):
            self._take("paragraph", self._at)
        elif _ITEM.match(text):
            self._take("list_item", self._item_end())
        elif text[0] == "|" and self._text(1).startswith("|"):
            self._take("table_row", self._at)
            while self._text(0).startswith("|"):
                self._take("table_row", self._at)
        else:
            return self._underlined(line)
        return True

    def _comment_end(self) -> int:
        end = self._at
        while end + 1 < len(self.lines) and _COMMENT.match(self.lines[end + 1].text):
            end += 1
        return end

    def _item_end(self) -> int:
        """Return the last line of a list item; a line of `+` joins what follows to it."""
        end = self._at
        while end + 1 < len(self.lines):
            text = self.lines[end + 1].text
            if text.rstrip() == "+":
                return end + 1
            if not text.strip() or _ITEM.match(text) or self._is_boundary(text):
                break
            end += 1
        return end

    def _paragraph(self) -> None:
        """Take a paragraph; it is code where it is indented or its attributes say so."""
        end = self._at
        while end + 1 < len(self.lines):
            text = self.lines[end + 1].text
            if not text.strip() or self._is_boundary(text):
                break
            end += 1
        indented = self.lines[self._at].text[0] in " \t"
        is_code = indented or _CODE_STYLE.search(self._style)
        self._take("code" if is_code else "paragraph", end)

    def _is_boundary(self, text: str) -> bool:
        """Whether a line ends a paragraph or an item above it without a blank line."""
        first = text[0]
        if first == "[":
            return bool(_BLOCK_ATTRIBUTES.match(text))
        if first in "=-.+/`*_|,:!~" and len(text.rstrip()) >= 2:
            return bool(_verbatim(text) or _CONTAINER.match(text) or _TABLE.match(text))
        return False

    # --- lines ---------------------------------------------------------------------------------

    def _text(self, ahead: int) -> str:
        number = self._at + ahead
        return self.lines[number].text if number < len(self.lines) else ""

    def _start_line(self) -> int:
        return self._at if self._above is None else self._above

    def _start(self) -> int:
        start = self.lines[self._start_line()].start
        self._above, self._style = None, ""
        return start

    def _take(self, kind: BlockKind, last: int) -> None:
        """Add the lines from the current one (or those held for it) to `last`, go behind them."""
        self.found.block(kind, self._start(), self.lines[last].end)
        self._at = last + 1


def _verbatim(text: str) -> str:
    """Return the delimiter that opens a listing, a literal or a comment, or ""."""
    match = _VERBATIM.match(text)
    return match[1] if match and (text[0] == "`" or not match[2].strip()) else ""


def _columns(style: str) -> int:
    """Return the number of columns that a table's attributes name; 0 where they name none."""
    match = _COLUMNS.search(style)
    if not match:
        return 0
    columns = 0
    for column in re.split(r"[,;]", "".join(match.groups("")).strip(",; ")):
        times = _TIMES.match(column)
        columns += int(times[1]) if times else 1
    return min(columns, MOST_COLUMNS)


def _cell_marks(line: str) -> list[re.Match[str]]:
    """Return what stands before each bar of a line: how many columns, which style."""
    marks = []
    for bar in _BAR.finditer(line):
        before = re.split(
            r"[ \t|]", line[max(0, bar.start() - _CELL_MARK_CHARACTERS) : bar.start()]
        )
        mark = _CELL_MARK.fullmatch(before[-1]) or _CELL_MARK.fullmatch("")
        if mark:
            marks.append(mark)
    return marks
