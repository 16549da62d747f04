"""The text of a slide or of its speaker notes, read as a stream of events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ragkit.parsing.ooxml.bullets import Bullet, Counter, Inherited, Levels, Placeholder, bullet
from ragkit.parsing.ooxml.content import (
    Cell,
    Content,
    Paragraph,
    Row,
    one_line,
    table_contents,
    text_lines,
)
from ragkit.parsing.ooxml.events import Attributes, EndMethods, PartReader, StartMethods
from ragkit.parsing.ooxml.package import Package, is_on

# Placeholders of what every slide shows, and of the picture of a slide on its notes.
_LEFT_OUT = frozenset(("dt", "ftr", "hdr", "sldNum", "sldImg"))
_TITLES = frozenset(("title", "ctrTitle"))
_BULLETS = ("a:buNone", "a:buChar", "a:buBlip", "a:buAutoNum")
_LEVELS = frozenset("012345678")
_MOVING_FIELDS = ("slidenum", "datetime")


@dataclass(slots=True)
class _Shape:
    """An open shape: its finished paragraphs, and the bullets that it says itself."""

    placeholder: Placeholder = field(default_factory=Placeholder)
    hidden: bool = False
    levels: Levels = field(default_factory=dict)
    contents: list[Content] = field(default_factory=list)
    counter: Counter = field(default_factory=Counter)


@dataclass(slots=True)
class _Open:
    """An open paragraph."""

    level: int = 0
    bullet: Bullet | None = None
    pieces: list[str] = field(default_factory=list)


class SlideReader(PartReader):
    """Takes the events of a slide: `titles` is what its title placeholders say.

    `bodies` is what stands in body placeholders alone: of notes, the speaker's words.
    """

    def __init__(self, package: Package, part: str, inherited: Inherited) -> None:
        super().__init__(package, part)
        self.titles: list[str] = []
        self.is_title_slide = False
        self.contents: list[Content] = []
        self.bodies: list[Content] = []
        self._inherited = inherited
        self._shape = _Shape()
        self._paragraph = _Open()
        self._tables: list[list[Row]] = []
        self._list_level: int | None = None  # the level of a list style that is open
        self._reading = False
        self._in_field = False  # in one that says another thing each time
        self.starts |= self._start_methods()
        self.ends |= self._end_methods()

    def _start_methods(self) -> StartMethods:
        levels = {f"a:lvl{n + 1}pPr": self._begin_level(n) for n in range(9)}
        bullets = {name: self._set_bullet(name) for name in _BULLETS}
        return (
            levels
            | bullets
            | {
                "p:sp": self._begin_shape,
                "p:cNvPr": self._set_shape,
                "p:ph": self._set_placeholder,
                "a:p": self._begin_paragraph,
                "a:pPr": self._set_level,
                "a:t": self._begin_text,
                "a:br": self._add_break,
                "a:fld": self._begin_field,
                "a:tbl": self._begin_table,
                "a:tr": self._begin_row,
                "a:tc": self._begin_cell,
            }
        )

    def _end_methods(self) -> EndMethods:
        levels: EndMethods = {f"a:lvl{n + 1}pPr": self._end_level for n in range(9)}
        return levels | {
            "p:sp": self._end_shape,
            "a:p": self._end_paragraph,
            "a:t": self._end_text,
            "a:fld": self._end_field,
            "a:tbl": self._end_table,
        }

    # --- shapes --------------------------------------------------------------------------------

    def _begin_shape(self, _: Attributes) -> None:
        self._shape = _Shape()

    def _set_shape(self, attributes: Attributes) -> None:
        self._shape.hidden = is_on(attributes.get("hidden"), default=False)
        self.describe(attributes.get("descr", ""))

    def _set_placeholder(self, attributes: Attributes) -> None:
        kind, slot = attributes.get("type", "obj"), attributes.get("idx", "")
        self._shape.placeholder = Placeholder(kind, slot)

    def _end_shape(self) -> None:
        shape, self._shape = self._shape, _Shape()
        kind = shape.placeholder.kind
        if shape.hidden or kind in _LEFT_OUT:
            return
        if kind in _TITLES:
            texts = [c.text for c in shape.contents if isinstance(c, Paragraph)]
            self.titles += [title] if (title := one_line(" ".join(texts))) else []
            self.is_title_slide = self.is_title_slide or kind == "ctrTitle"
        else:
            self.contents += shape.contents
            self.bodies += shape.contents if kind == "body" else []

    def anchor(self, contents: list[Content]) -> None:
        """Add what is drawn: pictures and charts are shapes of their own."""
        self.contents += contents

    # --- paragraphs ----------------------------------------------------------------------------

    def _begin_level(self, level: int) -> Callable[[Attributes], None]:
        def begin(_: Attributes) -> None:
            self._list_level = level

        return begin

    def _end_level(self) -> None:
        self._list_level = None

    def _set_bullet(self, name: str) -> Callable[[Attributes], None]:
        def set_bullet(attributes: Attributes) -> None:
            kind, first = attributes.get("type", ""), attributes.get("startAt", "1")
            found = bullet(name, kind, first)
            if found is not None and self._list_level is not None:
                self._shape.levels[self._list_level] = found
            else:
                self._paragraph.bullet = found

        return set_bullet

    def _begin_paragraph(self, _: Attributes) -> None:
        self._paragraph = _Open()

    def _set_level(self, attributes: Attributes) -> None:
        level = attributes.get("lvl", "0")
        self._paragraph.level = int(level) if level in _LEVELS else 0

    def _end_paragraph(self) -> None:
        paragraph, self._paragraph = self._paragraph, _Open()
        text = text_lines("".join(paragraph.pieces))
        if not text:
            return
        shape, level = self._shape, paragraph.level
        contents = self._cell_contents() if self._tables else shape.contents
        found = paragraph.bullet or shape.levels.get(level)
        if found is None and not self._tables:
            found = self._inherited.bullet(self.part, shape.placeholder, level)
        marker = shape.counter.marker(found or Bullet("none"), level)
        if marker and shape.placeholder.kind not in _TITLES:
            contents.append(Paragraph("list_item", f"{marker} {text}", level))
        else:
            contents.append(Paragraph("paragraph", text))

    # --- text ----------------------------------------------------------------------------------

    def _begin_text(self, _: Attributes) -> None:
        self._reading = True

    def _end_text(self) -> None:
        self._reading = False

    def add_text(self, text: str) -> None:
        if self._reading and not self._in_field:
            self.add(text)

    def add(self, text: str) -> None:
        self._paragraph.pieces.append(text)
        self.produced += 1

    def _add_break(self, _: Attributes) -> None:
        self._paragraph.pieces.append("\n")

    def _begin_field(self, attributes: Attributes) -> None:
        self._in_field = attributes.get("type", "").startswith(_MOVING_FIELDS)

    def _end_field(self) -> None:
        self._in_field = False

    # --- tables --------------------------------------------------------------------------------

    def _begin_table(self, _: Attributes) -> None:
        self._tables.append([])

    def _begin_row(self, _: Attributes) -> None:
        if self._tables:
            self._tables[-1].append(Row())

    def _begin_cell(self, attributes: Attributes) -> None:
        if not self._tables or not self._tables[-1]:
            return
        columns = attributes.get("gridSpan", "1")
        cell = Cell(
            columns=int(columns) if columns.isascii() and columns.isdigit() else 1,
            continues_above=is_on(attributes.get("vMerge"), default=False),
            continues_left=is_on(attributes.get("hMerge"), default=False),
        )
        self._tables[-1][-1].cells.append(cell)

    def _cell_contents(self) -> list[Content]:
        rows = self._tables[-1]
        return rows[-1].cells[-1].contents if rows and rows[-1].cells else self._shape.contents

    def _end_table(self) -> None:
        self.contents += table_contents(self._tables.pop())
