"""Markdown: a line scanner for headings, fences, tables, lists, quotes and front matter."""

from __future__ import annotations

import html
import re

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, Structure, split_lines
from ragkit.text import clean
from ragkit.types import BlockKind

FRONT_MATTER_LINES = 200  # a later closing `---` is a rule, not the end of front matter
SETEXT_LINES = 2  # a longer paragraph over `---` is a paragraph and a rule
TAB = 4

_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_ATX_CLOSE = re.compile(r"(?:^|[ \t]+)#+[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r"[ \t]*(?:(`{3,})[^`]*$|(~{3,}))")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$")
_ITEM = re.compile(r"([ \t]*)(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$)")
_QUOTE = re.compile(r" {0,3}>")
_DELIMITER = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_RAW_HTML = re.compile(r" {0,3}<(?:!--|(pre|script|style|textarea)\b)", re.IGNORECASE)
_CELL_BAR = re.compile(r"(?<!\\)\|")
_SCALAR = re.compile(r"([A-Za-z_][\w .-]{0,63}):[ \t]+(\S.*)$")

_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_ATTRIBUTES = re.compile(r"[ \t]*\{[#.:][^{}]*\}$")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--.*?-->")
_EMPHASIS = re.compile(r"(?<!\\)(?:\*{1,3}|`+|~~|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w))")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read Markdown. The text keeps the lines of the file, markup included."""
    decoded = decode(data)
    text = clean(decoded.text)
    scanner = _Scanner(text)
    scanner.run()
    return scanner.found.parsed(
        media_type,
        title=scanner.metadata.get("title", ""),
        metadata=scanner.metadata,
        warnings=decoded.warnings,
    )


def plain_inline(markup: str) -> str:
    """Return the words of a line without links, emphasis, code marks, tags, escapes, entities."""
    markup = _ATTRIBUTES.sub("", markup)
    markup = _TAG.sub("", markup)
    for _ in range(2):  # an image inside a link
        markup = _IMAGE_OR_LINK.sub(r"\1", markup)
    markup = _EMPHASIS.sub("", markup)
    return " ".join(clean(html.unescape(_ESCAPE.sub(r"\1", markup))).split())


class _Scanner:
    """Walks the lines once. `_at` is the next line, `_open` the first of an open paragraph."""

    def __init__(self, text: str) -> None:
        self.lines = split_lines(text)
        self.found = Structure(text)
        self.metadata: dict[str, str] = {}
        self._at = 0
        self._open: int | None = None
        self._item_indent: int | None = None  # where the text of the current list item begins
        self._in_item = False  # whether the open paragraph is a list item

    def run(self) -> None:
        self._front_matter()
        while self._at < len(self.lines):
            line = self.lines[self._at]
            if line.blank:
                self._blank()
            elif not self._special(line):
                self._paragraph_line(line)
        self._close()

    def _front_matter(self) -> None:
        if not self.lines or self.lines[0].text.rstrip() != "---":
            return
        ends = (
            number
            for number, line in enumerate(self.lines[1:FRONT_MATTER_LINES], start=1)
            if line.text.rstrip() in ("---", "...")
        )
        last = next(ends, 0)
        if not last:
            return
        body = self.lines[1:last]
        if any(line.text.startswith("#") and _ATX.match(line.text) for line in body):
            return  # a rule and a section
        self.metadata = front_matter([line.text for line in body])
        self.found.block("front_matter", 0, self.lines[last].end)
        self._at = last + 1

    def _special(self, line: Line) -> bool:
        """Deal with a line that begins something else than a paragraph; say whether it did."""
        first = line.text.lstrip()[0]
        if first == "#":
            return self._atx(line)
        if first in "`~":
            return self._fence(line)
        if first in "=-" and self._setext(line):
            return True
        if first in "*-_" and _RULE.match(line.text) and not self._is_code(line):
            return self._rule(line)
        if first in "-*+0123456789" and self._item(line):
            return True
        if first == ">":
            return self._quote(line)
        if first == "<" and self._raw_html(line):
            return True
        return self._table() or self._indented(line)

    def _atx(self, line: Line) -> bool:
        match = _ATX.match(line.text)
        title = plain_inline(_ATX_CLOSE.sub("", match[2])) if match else ""
        if not match or not title:
            return False
        self._close()
        self._item_indent = None
        self.found.heading(len(match[1]), title, line.start, line.end)
        self._at += 1
        return True

    def _setext(self, line: Line) -> bool:
        match = _SETEXT.match(line.text)
        if not match or self._open is None or self._in_item:
            return False
        opened = self.lines[self._open : self._at]
        title = plain_inline(" ".join(above.text for above in opened))
        if len(opened) > SETEXT_LINES or opened[0].text.lstrip()[0] in ">|<" or not title:
            return False
        level = 1 if match[1][0] == "=" else 2
        self.found.heading(level, title, opened[0].start, line.end)
        self._open = None
        self._at += 1
        return True

    def _fence(self, line: Line) -> bool:
        match = _FENCE.match(line.text)
        if not match or self._is_code(line):
            return False
        self._close()
        mark = match[1] or match[2]
        close = re.compile(rf"[ \t]*{mark[0]}{{{len(mark)},}}[ \t]*$")
        last = self._at + 1
        while last < len(self.lines) and not close.match(self.lines[last].text):
            last += 1
        self._take("code", min(last, len(self.lines) - 1))
        return True

    def _rule(self, line: Line) -> bool:
        self._close()
        self._item_indent = None
        self._take("paragraph", self._at)
        return True

    def _item(self, line: Line) -> bool:
        match = _ITEM.match(line.text)
        if not match or self._is_code(line):
            return False
        ordered = line.text[len(match[1])].isdigit()
        number = line.text.lstrip().split(".")[0].split(")")[0]
        if self._open is not None and not self._in_item and ordered and number != "1":
            return False  # a hard-wrapped line that begins with a number
        self._close()
        marker = match[0].rstrip()
        self._item_indent = min(_width(match[0]), _width(marker) + TAB)
        self._in_item = True
        self._open = self._at
        self._at += 1
        return True

    def _quote(self, line: Line) -> bool:
        if self._is_code(line) or not _QUOTE.match(line.text):
            return False
        if self._open is None or not _QUOTE.match(self.lines[self._open].text):
            self._close()
            self._open = self._at
        elif not self.lines[self._at - 1].text.strip(" \t>") and line.text.strip(" \t>"):
            self._close()  # a line of `>` alone parts two paragraphs of a quote
            self._open = self._at
        self._at += 1
        return True

    def _raw_html(self, line: Line) -> bool:
        """Take a comment, or an element whose content is no Markdown, up to its end."""
        match = _RAW_HTML.match(line.text)
        if not match or self._is_code(line):
            return False
        self._close()
        end = f"</{match[1].lower()}" if match[1] else "-->"
        last = self._at
        while last < len(self.lines) and end not in self.lines[last].text.lower():
            last += 1
        self._take("paragraph", last if last < len(self.lines) else self._at)
        return True

    def _table(self) -> bool:
        """Take a pipe table: a header row over a delimiter row, then rows to a blank line."""
        header, below = self._at, self._at + 1
        if below >= len(self.lines) or "|" not in self.lines[header].text:
            return False
        if not _DELIMITER.match(self.lines[below].text):
            return False
        if _cells(self.lines[header].text) != _cells(self.lines[below].text):
            return False
        self._close()
        self._take("table_header", below)
        while self._at < len(self.lines):
            row = self.lines[self._at]
            if row.blank or "|" not in row.text:
                break
            self._take("table_row", self._at)
        return True

    def _indented(self, line: Line) -> bool:
        """Take an indented code block: four columns in, after a blank line."""
        if not self._is_code(line):
            return False
        self._close()
        last = self._at
        for number in range(self._at, len(self.lines)):
            if self.lines[number].blank:
                continue
            if _indent(self.lines[number].text) < TAB:
                break
            last = number
        self._take("code", last)
        return True

    def _is_code(self, line: Line) -> bool:
        return (
            self._open is None
            and self._item_indent is None
            and line.text[0] in " \t"
            and _indent(line.text) >= TAB
        )

    def _paragraph_line(self, line: Line) -> None:
        if self._open is None:
            if self._item_indent is not None and _indent(line.text) < self._item_indent:
                self._item_indent = None
            self._open = self._at
            self._in_item = False
        self._at += 1

    def _blank(self) -> None:
        """End the paragraph, unless a list item goes on below the blank lines."""
        following = self._at
        while following < len(self.lines) and self.lines[following].blank:
            following += 1
        if self._in_item and self._open is not None and self._item_indent is not None:
            below = self.lines[following].text if following < len(self.lines) else ""
            goes_on = below and _indent(below) >= self._item_indent
            if goes_on and not _ITEM.match(below) and not _FENCE.match(below):
                self._at = following + 1
                return
        self._close()
        self._at = following

    def _close(self) -> None:
        """End the open paragraph or list item before the current line."""
        if self._open is not None:
            kind: BlockKind = "list_item" if self._in_item else "paragraph"
            self.found.block(kind, self.lines[self._open].start, self.lines[self._at - 1].end)
        self._open = None
        self._in_item = False

    def _take(self, kind: BlockKind, last: int) -> None:
        """Add the lines from the current one to `last` as a block, and go behind them."""
        self.found.block(kind, self.lines[self._at].start, self.lines[last].end)
        self._at = last + 1


def front_matter(lines: list[str]) -> dict[str, str]:
    """Return the `key: scalar` lines. Never a YAML library: aliases are bombs, tags run code."""
    metadata = {}
    for line in lines:
        match = _SCALAR.match(line)
        if not match or match[2][0] in "&*!|>{[":
            continue
        value = match[2].strip()
        if value[0] in "'\"" and value.rfind(value[0]) > 0:
            value = value[1 : value.rfind(value[0])]
        else:
            value = value.split(" #")[0].rstrip()
        metadata[match[1].strip().lower()] = value
    return metadata


def _cells(row: str) -> int:
    row = row.strip()
    bars = len(_CELL_BAR.findall(row))
    return bars + 1 - row.startswith("|") - (row.endswith("|") and not row.endswith(r"\|"))


def _indent(line: str) -> int:
    return _width(line[: len(line) - len(line.lstrip(" \t"))])


def _width(text: str) -> int:
    return len(text.expandtabs(TAB))
