"""The content of an OpenDocument text or presentation: XML events to blocks in reading order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ragkit.parsing.odf.styles import MAX_LEVEL, STYLE_ELEMENTS, Styles, number
from ragkit.parsing.odf.tables import MAX_REPEATS, Cell, Piece, Repetition, Table, flat
from ragkit.text import clean
from ragkit.types import BlockKind

MAX_INDENT = 40  # characters: lists may be nested as deep as elements
MAX_SPACES = 200  # of one text:s

# What isn't text of the document: deleted text, forms, labels of notes, and lists of headings
# and pictures with the numbers of their pages.
_LEFT_OUT = frozenset(
    (
        "text:tracked-changes",
        "table:tracked-changes",
        "office:forms",
        "office:scripts",
        "office:event-listeners",
        "office:master-styles",
        "text:note-citation",
        "text:ruby-text",
        "text:table-of-content",
        "text:illustration-index",
        "text:table-index",
        "text:object-index",
        "text:alphabetical-index",
        "text:user-index",
        "draw:page-thumbnail",
    )
)
_LEFT_OUT_FRAMES = frozenset(("header", "footer", "date-time", "page-number", "handout"))
_SHAPES = (
    "draw:frame draw:custom-shape draw:rect draw:ellipse draw:circle draw:line draw:polyline "
    "draw:polygon draw:regular-polygon draw:path draw:connector draw:caption draw:measure draw:g"
).split()

_SPACE = re.compile(r"[ \t\r\n]+")  # counts as one space; text:s and text:tab are the others

_Action = Callable[[], None]
_Begin = Callable[[Mapping[str, str]], _Action | None]


@dataclass(slots=True, eq=False)
class _Paragraph:
    """An open paragraph. `after` is what hangs on it: notes, text boxes."""

    level: int = 0
    is_code: bool = False
    hidden: bool = False
    texts: list[str] = field(default_factory=list)
    after: list[Piece] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _List:
    style: str
    depth: int
    next: int


@dataclass(slots=True, eq=False)
class _Item:
    """An open list item. `marker` is what its first line still has to show."""

    indent: str
    marker: str


@dataclass(slots=True, eq=False)
class _Flow:
    """Paragraphs one below the other: the body, a cell, a note, a shape."""

    pieces: list[Piece] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)
    items: list[_Item] = field(default_factory=list)
    paragraph: _Paragraph | None = None
    labels: dict[str, str] = field(default_factory=dict)  # an image's title, a comment's author
    has_image: bool = False
    is_table_heading: bool = False

    def put(self, pieces: list[Piece]) -> None:
        """Add pieces, behind the open paragraph if there is one."""
        (self.paragraph.after if self.paragraph else self.pieces).extend(pieces)


class Content:
    """Handles the events of a content.xml; `pieces()` is what was found.

    `read_object` gives the pieces of an embedded object (a chart, a formula) by its reference.
    """

    def __init__(self, styles: Styles, read_object: Callable[[str], list[Piece]]) -> None:
        self._styles = styles
        self._read_object = read_object
        self._flows = [_Flow()]
        self._tables: list[Table] = []
        self._repetition = Repetition()
        self._ends: list[_Action | None] = []
        self._skipped = 0  # elements open below, and with, one that is left out
        self._notes = 0
        self._pages = 0
        self._next_numbers: dict[tuple[str, int], int] = {}
        self._begin: dict[str, _Begin] = {
            "text:p": self._paragraph,
            "text:h": self._heading,
            "annotation": self._formula,
            "text:s": self._spaces,
            "text:tab": self._tab,
            "text:line-break": self._line_break,
            "text:hidden-paragraph": self._hidden_paragraph,
            "text:list": self._list,
            "text:list-item": self._list_item,
            "text:list-header": self._list_header,
            "text:note": self._note,
            "office:annotation": self._comment,
            "table:table": self._table,
            "table:table-header-rows": self._header_rows,
            "table:table-row": self._row,
            "table:table-cell": self._cell,
            "table:covered-table-cell": self._covered_cell,
            "draw:page": self._page,
            "presentation:notes": self._page_notes,
            "draw:image": self._image,
            "draw:object": self._object,
            "svg:title": lambda _: self._label("title"),
            "svg:desc": lambda _: self._label("description"),
            "dc:creator": lambda _: self._label("author"),
            **dict.fromkeys(_SHAPES, self._shape),
        }

    def pieces(self) -> list[Piece]:
        return self._flows[0].pieces

    # --- events --------------------------------------------------------------------------------

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped:
            self._skipped += 1
        elif name in _LEFT_OUT or (attributes and self._is_hidden(name, attributes)):
            self._skipped = 1
        else:
            begin = self._begin.get(name)
            if name in STYLE_ELEMENTS:
                self._styles.collect(name, attributes)
            self._ends.append(begin(attributes) if begin else None)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif action := self._ends.pop():
            action()

    def text(self, text: str) -> None:
        if not self._skipped and (paragraph := self._flow.paragraph):
            paragraph.texts.append(_SPACE.sub(" ", text))

    def _is_hidden(self, name: str, attributes: Mapping[str, str]) -> bool:
        if attributes.get("text:display") == "none":
            return name not in STYLE_ELEMENTS
        if name == "text:hidden-text":
            return attributes.get("text:is-hidden") == "true"
        if name.startswith("draw:"):
            is_empty = attributes.get("presentation:placeholder") == "true"
            return is_empty or attributes.get("presentation:class") in _LEFT_OUT_FRAMES
        style = attributes.get("text:style-name")
        if not style or name not in ("text:p", "text:h", "text:span", "text:a"):
            return False
        family = "paragraph" if name in ("text:p", "text:h") else "text"
        return self._styles.is_hidden(family, style)

    @property
    def _flow(self) -> _Flow:
        return self._flows[-1]

    # --- paragraphs ----------------------------------------------------------------------------

    def _paragraph(self, attributes: Mapping[str, str]) -> _Action:
        style = attributes.get("text:style-name", "")
        if self._styles.is_table_heading(style):
            self._flow.is_table_heading = True
        level = self._styles.heading_level(style)
        return self._open(_Paragraph(level, self._styles.is_code(style)))

    def _heading(self, attributes: Mapping[str, str]) -> _Action:
        level = number(attributes.get("text:outline-level", ""), 1, MAX_LEVEL)
        return self._open(_Paragraph(level))

    def _open(self, paragraph: _Paragraph) -> _Action:
        if self._flow.paragraph:  # a paragraph in a paragraph: a box that isn't marked as one
            close = self._open_flow(lambda flow: self._flow.put(flow.pieces))
            self._flow.paragraph = paragraph

            def close_both() -> None:
                self._close()
                close()

            return close_both
        self._flow.paragraph = paragraph
        return self._close

    def _close(self) -> None:
        flow = self._flow
        paragraph, flow.paragraph = flow.paragraph, None
        if paragraph is None:
            return
        text = clean("".join(paragraph.texts))
        if not paragraph.hidden and text.strip():
            flow.pieces.append(self._piece(paragraph, text))
        flow.pieces.extend(paragraph.after)

    def _piece(self, paragraph: _Paragraph, text: str) -> Piece:
        if paragraph.level:
            return Piece("heading", " ".join(text.split()), paragraph.level)
        items = self._flow.items
        if paragraph.is_code and not items:
            return Piece("code", text)
        lines = [" ".join(line.split()) for line in text.split("\n")]
        indent = items[-1].indent if items else ""
        marker = items[-1].marker if items else ""
        for item in items:
            item.marker = ""
        kind: BlockKind = "list_item" if marker else "paragraph"
        return Piece(kind, (marker or indent) + f"\n{indent}".join(line for line in lines if line))

    def _add_text(self, text: str) -> None:
        if self._flow.paragraph:
            self._flow.paragraph.texts.append(text)

    def _spaces(self, attributes: Mapping[str, str]) -> None:
        self._add_text(" " * number(attributes.get("text:c", ""), 1, MAX_SPACES))

    def _tab(self, _: Mapping[str, str]) -> None:
        self._add_text("\t")

    def _line_break(self, _: Mapping[str, str]) -> None:
        self._add_text("\n")

    def _hidden_paragraph(self, attributes: Mapping[str, str]) -> None:
        if self._flow.paragraph and attributes.get("text:is-hidden") == "true":
            self._flow.paragraph.hidden = True

    # --- lists ---------------------------------------------------------------------------------

    def _list(self, attributes: Mapping[str, str]) -> _Action:
        flow = self._flow
        outer = flow.lists[-1] if flow.lists else None
        style = attributes.get("text:style-name") or (outer.style if outer else "")
        depth = len(flow.lists) + 1
        first = self._styles.numbering(style, depth).first
        if (
            attributes.get("text:continue-numbering") == "true"
            or "text:continue-list" in attributes
        ):
            first = self._next_numbers.get((style, depth), first)
        flow.lists.append(_List(style, depth, first))
        return self._end_list

    def _end_list(self) -> None:
        ended = self._flow.lists.pop()
        self._next_numbers[ended.style, ended.depth] = ended.next

    def _list_item(self, attributes: Mapping[str, str]) -> _Action:
        flow = self._flow
        if not flow.lists:
            return self._list_header(attributes)
        opened = flow.lists[-1]
        opened.next = number(attributes.get("text:start-value", ""), opened.next, 1_000_000)
        marker = self._styles.numbering(opened.style, opened.depth).marker(opened.next)
        opened.next += 1
        outer = flow.items[-1].indent if flow.items else ""
        indent = (outer + " " * len(marker))[:MAX_INDENT]
        flow.items.append(_Item(indent, outer + marker if marker else ""))
        return self._end_item

    def _list_header(self, _: Mapping[str, str]) -> _Action:
        outer = self._flow.items[-1].indent if self._flow.items else ""
        self._flow.items.append(_Item(outer, ""))
        return self._end_item

    def _end_item(self) -> None:
        self._flow.items.pop()

    # --- what hangs on a paragraph -------------------------------------------------------------

    def _open_flow(self, closed: Callable[[_Flow], None]) -> _Action:
        """Begin a flow; `closed` takes it when it ends, with the outer one open again."""
        self._flows.append(_Flow())
        return lambda: closed(self._flows.pop())

    def _note(self, _: Mapping[str, str]) -> _Action:
        self._notes += 1
        mark = f"[^{self._notes}]"
        if self._flow.paragraph and not self._flow.paragraph.level:
            self._add_text(mark)
        return self._open_flow(lambda flow: self._put_note(f"{mark}: ", flow))

    def _comment(self, _: Mapping[str, str]) -> _Action:
        def closed(flow: _Flow) -> None:
            author = flow.labels.get("author", "")
            self._put_note(f"[Comment by {author}] " if author else "[Comment] ", flow)

        return self._open_flow(closed)

    def _put_note(self, mark: str, flow: _Flow) -> None:
        notes = [piece for piece in flow.pieces if piece.kind == "footnote"]
        text = flat([piece for piece in flow.pieces if piece.kind != "footnote"])
        if text:
            notes.insert(0, Piece("footnote", mark + text))
        self._flow.put(notes)

    def _label(self, name: str) -> _Action:
        """Keep the text of an element that says something of what it stands in."""
        flow = self._flow

        def closed(label: _Flow) -> None:
            flow.labels[name] = flat(label.pieces)

        close = self._open_flow(closed)
        self._flow.paragraph = _Paragraph()

        def end() -> None:
            self._close()
            close()

        return end

    def _formula(self, _: Mapping[str, str]) -> _Action:
        def closed(flow: _Flow) -> None:
            self._flow.pieces.append(Piece("formula", flat(flow.pieces)))

        close = self._open_flow(closed)
        self._flow.paragraph = _Paragraph()

        def end() -> None:
            self._close()
            close()

        return end

    # --- tables --------------------------------------------------------------------------------

    def _table(self, attributes: Mapping[str, str]) -> _Action:
        first = attributes.get("table:use-first-row-styles") == "true"
        self._tables.append(Table(self._repetition, first_is_header=first))
        return lambda: self._flow.put(self._tables.pop().finished())

    def _header_rows(self, _: Mapping[str, str]) -> _Action | None:
        if not self._tables:
            return None
        table = self._tables[-1]
        table.in_header = True

        def end() -> None:
            table.in_header = False

        return end

    def _row(self, attributes: Mapping[str, str]) -> _Action | None:
        if not self._tables:
            return None
        repeats = number(attributes.get("table:number-rows-repeated", ""), 1, MAX_REPEATS)
        table = self._tables[-1]
        return lambda: table.end_row(repeats)

    def _cell(self, attributes: Mapping[str, str]) -> _Action | None:
        return self._open_cell(attributes, covered=False)

    def _covered_cell(self, attributes: Mapping[str, str]) -> _Action | None:
        return self._open_cell(attributes, covered=True)

    def _open_cell(self, attributes: Mapping[str, str], *, covered: bool) -> _Action | None:
        if not self._tables:
            return None
        table = self._tables[-1]

        def count(name: str) -> int:
            return number(attributes.get(f"table:number-{name}", ""), 1, MAX_REPEATS)

        def closed(flow: _Flow) -> None:
            table.add(
                Cell(
                    [] if covered else flow.pieces,
                    columns=count("columns-spanned"),
                    rows=count("rows-spanned"),
                    repeats=count("columns-repeated"),
                    covered=covered,
                    is_heading=flow.is_table_heading,
                )
            )

        return self._open_flow(closed)

    # --- slides, shapes and objects ------------------------------------------------------------

    def _page(self, _: Mapping[str, str]) -> _Action:
        self._pages += 1
        page = Piece("page", level=self._pages)

        def closed(flow: _Flow) -> None:
            titles = [piece for piece in flow.pieces if piece.kind == "heading"][:1]
            rest = [piece for piece in flow.pieces if piece not in titles]
            self._flow.put([page, *titles, *rest])

        return self._open_flow(closed)

    def _page_notes(self, _: Mapping[str, str]) -> _Action:
        def closed(flow: _Flow) -> None:
            if flow.pieces and flow.pieces[0].kind in ("paragraph", "list_item"):
                first = flow.pieces[0]
                flow.pieces[0] = Piece("paragraph", f"Notes: {first.text.removeprefix('- ')}")
            elif flow.pieces:
                flow.pieces.insert(0, Piece("paragraph", "Notes:"))
            self._flow.put(flow.pieces)

        return self._open_flow(closed)

    def _shape(self, attributes: Mapping[str, str]) -> _Action:
        is_title = attributes.get("presentation:class") == "title"

        def closed(flow: _Flow) -> None:
            pieces = flow.pieces
            if is_title and pieces:
                pieces = [Piece("heading", flat(pieces), 1)]
            elif flow.has_image and not pieces:
                pieces = _alternative(flow.labels)
            formulas = [piece.text for piece in pieces if piece.kind == "formula"]
            if formulas and self._flow.paragraph:
                self._add_text(f" {' '.join(formulas)} ")
                pieces = [piece for piece in pieces if piece.kind != "formula"]
            self._flow.put(pieces)

        return self._open_flow(closed)

    def _image(self, _: Mapping[str, str]) -> None:
        self._flow.has_image = True

    def _object(self, attributes: Mapping[str, str]) -> None:
        self._flow.put(self._read_object(attributes.get("xlink:href", "")))


def _alternative(labels: Mapping[str, str]) -> list[Piece]:
    """Return the words that stand for an image, if its author wrote any."""
    text = labels.get("description") or labels.get("title", "")
    return [Piece("paragraph", f"[Image: {text}]")] if text else []
