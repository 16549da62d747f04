"""Content elements to Markdown-like text: headings, lists, tables, code, with exact spans."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragkit.parsing.structure import Writer
from ragkit.parsing.web.tree import HEADINGS, Element, descendants
from ragkit.text import clean
from ragkit.types import BlockKind

HEADING_CHARACTERS = 300  # a longer one is a paragraph in a heading's clothes
CELL_WORDS = 150  # a table with a longer cell is a layout
SPAN_CELLS = 100  # colspan and rowspan as browsers cap them, or lower

_BLOCK_TAGS = frozenset(
    "address article aside blockquote body caption center details dialog dd dir div dl dt fieldset "
    "figcaption figure footer form header hgroup hr legend li main menu nav ol p pre section "
    "summary table tbody td tfoot th thead tr ul h1 h2 h3 h4 h5 h6 option".split()
)
_ITEM_TAGS = frozenset(("li", "dt", "dd"))
_LIST_TAGS = frozenset(("ul", "ol", "dl", "menu", "dir"))
_LANGUAGE = re.compile(r"(?:^|\s)(?:lang|language|highlight|brush)[-:]\s*([\w+#-]+)")
_PERMALINKS = frozenset(("¶", "#", "§", "🔗"))


@dataclass(slots=True)
class _Leave:
    """A note on the stack: the element ends here."""

    element: Element


@dataclass(slots=True)
class _Item:
    """An open list item. `marker` is what its first line still has to show."""

    indent: str
    marker: str


def render(
    root: Element,
    dropped: frozenset[Element],
    *,
    notes: frozenset[Element] = frozenset(),
    writer: Writer | None = None,
) -> Writer:
    """Write the content below an element, without what is dropped.

    What stands in one of `notes` becomes blocks of kind "footnote". A given writer is gone on
    with: a book is one text of many pages.
    """
    renderer = _Renderer(dropped, notes, writer or Writer())
    renderer.run(root)
    return renderer.writer


class _Renderer:
    """Walks the elements with a stack of its own; `_inline` is the text of the open paragraph."""

    def __init__(
        self, dropped: frozenset[Element], notes: frozenset[Element], writer: Writer
    ) -> None:
        self.writer = writer
        self._dropped = dropped
        self._notes = notes
        self._open_notes = 0
        self._inline: list[str] = []
        self._items: list[_Item] = []
        self._numbers: list[int | None] = []  # the next number of each open list; None for bullets

    def run(self, root: Element) -> None:
        stack: list[Element | _Leave | str] = [root]
        while stack:
            at = stack.pop()
            if isinstance(at, str):
                self._inline.append(" ".join(at.split("\n")))
            elif isinstance(at, _Leave):
                self._leave(at.element)
            elif at not in self._dropped and self._enter(at):
                stack.append(_Leave(at))
                stack.extend(reversed(at.children))
        self._flush()

    def _enter(self, element: Element) -> bool:
        """Begin an element; say whether its children are to be walked."""
        tag = element.tag
        if tag == "br":
            self._inline.append("\n")
            return False
        if tag not in _BLOCK_TAGS:
            return True
        self._flush()
        if element in self._notes:
            self._open_notes += 1
        if tag in HEADINGS:
            self._heading(element)
            return False
        if tag == "pre":
            self._code(element)
            return False
        if tag == "table" and (rows := _rows(element, self._dropped)):
            self._table(element, rows)
            return False
        if tag in _LIST_TAGS:
            start = element.attributes.get("start", "1")
            first = int(start) if start.isascii() and start.isdigit() else 1
            self._numbers.append(first if tag == "ol" else None)
        elif tag in _ITEM_TAGS:
            self._items.append(self._item(tag))
        return True

    def _leave(self, element: Element) -> None:
        if element.tag not in _BLOCK_TAGS:
            return
        self._flush()
        if element in self._notes:
            self._open_notes -= 1
        if element.tag in _LIST_TAGS:
            self._numbers.pop()
        elif element.tag in _ITEM_TAGS:
            self._items.pop()

    def _item(self, tag: str) -> _Item:
        outer = self._items[-1].indent if self._items else ""
        if tag == "dd":
            return _Item(f"{outer}  ", "")
        marker = "- "
        if self._numbers and (number := self._numbers[-1]) is not None:
            marker = f"{number}. "
            self._numbers[-1] = number + 1
        return _Item(outer + " " * len(marker), outer + marker)

    def _flush(self) -> None:
        """End the open paragraph or list item, if there is anything in it."""
        lines = [" ".join(line.split()) for line in clean("".join(self._inline)).split("\n")]
        lines = [line for line in lines if line]
        self._inline.clear()
        if not lines:
            return
        indent = self._items[-1].indent if self._items else ""
        marker = next((item.marker for item in self._items if item.marker), "")
        if self._items and self._items[-1].marker:
            marker = self._items[-1].marker
        for item in self._items:
            item.marker = ""
        kind: BlockKind = "list_item" if marker else "paragraph"
        if self._open_notes:
            kind = "footnote"
        first = marker or indent
        self.writer.write(kind, first + f"\n{indent}".join(lines))

    def _heading(self, element: Element) -> None:
        title = _inline_text(element, self._dropped)
        if not title:
            return
        if len(title) > HEADING_CHARACTERS:
            self.writer.write("paragraph", title)
            return
        self.writer.title(int(element.tag[1]), title)

    def _code(self, element: Element) -> None:
        self.writer.code(clean(_raw_text(element, self._dropped)), _language(element))

    def _table(self, element: Element, rows: list[_Row]) -> None:
        for below in descendants(element, self._dropped):
            if below.tag == "caption" and (caption := _inline_text(below, self._dropped)):
                self.writer.write("paragraph", caption)
        headers = next((n for n, row in enumerate(rows) if not row.is_header), len(rows))
        self.writer.table([row.cells for row in rows], headers=headers)


@dataclass(slots=True)
class _Row:
    cells: list[str]
    is_header: bool


def _rows(table: Element, dropped: frozenset[Element]) -> list[_Row]:
    """Return the rows of a table of data, spanned cells repeated; nothing for a layout."""
    if table.attributes.get("role") in ("presentation", "none") or table.headings:
        return []
    elements: list[tuple[Element, bool]] = []
    for below in descendants(table, dropped):
        if below.tag == "table":
            return []
        if below.tag == "tr":
            elements.append((below, False))
        elif below.tag == "thead":
            elements += [(row, True) for row in below.children if isinstance(row, Element)]
    heads = {row for row, in_head in elements if in_head}
    rows: list[_Row] = []
    carried: dict[int, tuple[int, str]] = {}  # column -> rows still to fill, and with what
    for row in dict.fromkeys(row for row, _ in elements):
        cells = [x for x in row.children if isinstance(x, Element) and x.tag in ("td", "th")]
        if any(cell.words > CELL_WORDS for cell in cells):
            return []
        all_head = not rows and all(cell.tag == "th" for cell in cells)
        is_header = len(cells) > 1 and (row in heads or all_head)
        texts = _cells(cells, carried, dropped, repeat=is_header)
        if any(texts):
            rows.append(_Row(texts, is_header))
    return rows if max((len(row.cells) for row in rows), default=0) > 1 else []


def _cells(
    cells: list[Element],
    carried: dict[int, tuple[int, str]],
    dropped: frozenset[Element],
    *,
    repeat: bool,
) -> list[str]:
    """Return the texts of a row: a cell over several rows stands in each of them.

    One over several columns is repeated in a header only, where it names each of the columns.
    """
    texts: list[str] = []

    def fill() -> None:
        while (left := carried.get(len(texts))) and left[0]:
            carried[len(texts)] = (left[0] - 1, left[1])
            texts.append(left[1])

    for cell in cells:
        fill()
        text = _inline_text(cell, dropped)
        rows, columns = _count(cell, "rowspan"), _count(cell, "colspan")
        for column in range(columns):
            carried[len(texts)] = (rows - 1, text if repeat or not column else "")
            texts.append(text if repeat or not column else "")
    fill()
    return texts


def _count(cell: Element, name: str) -> int:
    value = cell.attributes.get(name, "")
    return min(max(int(value), 1), SPAN_CELLS) if value.isascii() and value.isdigit() else 1


def _inline_text(element: Element, dropped: frozenset[Element]) -> str:
    """Return the words below an element on one line, without permalinks."""
    pieces: list[str] = []
    stack: list[Element | str] = [element]
    while stack:
        at = stack.pop()
        if isinstance(at, str):
            pieces.append(at)
        elif at.tag == "br":
            pieces.append(" ")
        elif at not in dropped and not _is_permalink(at):
            if at.tag in _BLOCK_TAGS:
                pieces.append(" ")
                stack.append(" ")
            stack.extend(reversed(at.children))
    return " ".join(clean("".join(pieces)).split())


def _is_permalink(element: Element) -> bool:
    if element.tag != "a" or len(element.children) != 1:
        return False
    child = element.children[0]
    return isinstance(child, str) and child.strip() in _PERMALINKS


def _raw_text(element: Element, dropped: frozenset[Element]) -> str:
    pieces: list[str] = []
    stack: list[Element | str] = [element]
    while stack:
        at = stack.pop()
        if isinstance(at, str):
            pieces.append(at)
        elif at.tag == "br":
            pieces.append("\n")
        elif at not in dropped:
            stack.extend(reversed(at.children))
    return "".join(pieces)


def _language(element: Element) -> str:
    inner = [child for child in element.children if isinstance(child, Element)][:1]
    for candidate in (element, *inner):
        if match := _LANGUAGE.search(candidate.attributes.get("class", "")):
            return match[1]
    return ""
