"""The paragraphs and tables of a part of a Word file, read as a stream of events.

A story is what Word calls a run of paragraphs: the main text, the notes. Paragraphs stand in
places (a table's cell, a text box), which stand in paragraphs and tables again: the open ones are
kept on stacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ragkit.parsing.ooxml.content import Cell, Content, Paragraph, Row, table_contents
from ragkit.parsing.ooxml.events import Attributes, EndMethods, PartReader, StartMethods
from ragkit.parsing.ooxml.package import Package, is_on
from ragkit.parsing.ooxml.paragraphs import (
    EMPTY_BOX,
    TICKED_BOX,
    OpenParagraph,
    ParagraphFinisher,
)
from ragkit.parsing.ooxml.styles import is_monospace
from ragkit.parsing.ooxml.symbols import symbol

# Properties before a change, of sections, and the readings above East Asian words.
_SKIPPED = frozenset(
    "w:pPrChange w:rPrChange w:tblPrChange w:tblPrExChange w:trPrChange "
    "w:tcPrChange w:tblGridChange w:sectPrChange w:numberingChange w:sectPr w:rt".split()
)


_NUMBER = re.compile(r"[-−–+]?\d+")
_MAX_FIELDS = 50  # open at once; a damaged file may open them without end


@dataclass(slots=True)
class _Control:
    """An open content control or form field. `box` is the mark of a check box, "" for others."""

    box: str = ""
    placeholder: bool = False


class StoryReader(PartReader):
    """Takes the events of a part, and hands on each finished paragraph and table.

    `emit` takes contents in order; `refer(kind, id)` returns the mark of a note.
    """

    def __init__(
        self,
        package: Package,
        part: str,
        paragraphs: ParagraphFinisher,
        *,
        emit: Callable[[Content], None],
        refer: Callable[[str, str], str],
    ) -> None:
        super().__init__(package, part)
        self._finisher = paragraphs
        self._styles = paragraphs.styles
        self._emit = emit
        self._refer = refer
        # What is open. The first paragraph takes what stands in none.
        self._paragraphs = [OpenParagraph()]
        self._places: list[list[Content]] = []
        self._tables: list[list[Row]] = []
        self._carried: list[str] = []  # the text of a paragraph that merges into the next
        self._after_code = False
        self._reading = False
        self._in_run = False
        self._in_properties = False  # of a paragraph
        self._hidden = False  # the open run
        self._monospace: bool | None = None  # the open run; None for as its paragraph
        self._raised = False  # the open run
        self._muted = 0
        self._fields: list[bool] = []  # of each open field, whether its instruction is open
        self._controls: list[_Control] = []
        self._box: str | None = None  # what stands for the sign of a check box
        self.starts |= self._start_methods() | dict.fromkeys(_SKIPPED, self.skip)
        self.ends |= self._end_methods()

    # --- events --------------------------------------------------------------------------------

    def _start_methods(self) -> StartMethods:
        return {
            "w:del": self._skip_deleted,
            "w:moveFrom": self._skip_deleted,
            "w:p": self._begin_paragraph,
            "w:pPr": self._begin_properties,
            "w:pStyle": self._set_style,
            "w:ilvl": self._set_list_level,
            "w:numId": self._set_list,
            "w:outlineLvl": self._set_outline,
            "w:r": self._begin_run,
            "w:rStyle": self._set_run_style,
            "w:vanish": self._set_hidden,
            "w:rFonts": self._set_font,
            "w:vertAlign": self._set_raised,
            "w:t": self._begin_text,
            "a:t": self._begin_text,
            "w:tab": self._add_tab,
            "w:ptab": self._add_tab,
            "w:br": self._add_break,
            "w:cr": self._add_break,
            "w:noBreakHyphen": self._add_hyphen,
            "w:sym": self._add_symbol,
            "w:fldChar": self._change_field,
            "w:sdt": self._begin_control,
            "w:checkBox": self._begin_box,
            "checkbox": self._set_box,  # of the namespace w14, as the next one
            "checked": self._set_box,
            "w:default": self._set_box,
            "w:checked": self._set_box,
            "w:showingPlcHdr": self._set_placeholder,
            "w:sdtContent": self._begin_control_content,
            "w:tbl": self._begin_table,
            "w:tr": self._begin_row,
            "w:tblHeader": self._set_header,
            "w:gridBefore": self._set_columns_before,
            "w:tc": self._begin_cell,
            "w:gridSpan": self._set_columns,
            "w:vMerge": self._set_merge,
            "w:txbxContent": self._begin_text_box,
            "w:footnoteReference": self._refer_to_footnote,
            "w:endnoteReference": self._refer_to_endnote,
            "docPr": self._describe,
        }

    def _end_methods(self) -> EndMethods:
        return {
            "w:body": self._end_merge,
            "w:p": self._end_paragraph,
            "w:pPr": self._end_properties,
            "w:r": self._end_run,
            "w:t": self._end_text,
            "a:t": self._end_text,
            "a:p": self._end_line,
            "w:sdt": self._end_control,
            "w:checkBox": self._end_box,
            "w:sdtContent": self._end_control_content,
            "w:tbl": self._end_table,
            "w:tc": self._end_cell,
            "w:txbxContent": self._end_text_box,
        }

    def _skip_deleted(self, attributes: Attributes) -> None:
        self.skip(attributes)
        if self._in_properties:  # of a paragraph: its mark is deleted
            self._paragraphs[-1].merges = True

    # --- paragraphs ----------------------------------------------------------------------------

    def _begin_paragraph(self, _: Attributes) -> None:
        self._in_run = False
        self._hidden = False
        self._paragraphs.append(OpenParagraph(self._carried))
        self._carried = []

    def _begin_properties(self, _: Attributes) -> None:
        self._in_properties = True

    def _end_properties(self) -> None:
        self._in_properties = False

    def _set_style(self, attributes: Attributes) -> None:
        self._paragraphs[-1].style = attributes.get("w:val", "")

    def _set_list(self, attributes: Attributes) -> None:
        self._paragraphs[-1].list_id = attributes.get("w:val", "")

    def _set_list_level(self, attributes: Attributes) -> None:
        self._paragraphs[-1].list_level = _digits(attributes)

    def _set_outline(self, attributes: Attributes) -> None:
        self._paragraphs[-1].outline = _digits(attributes)

    def _end_paragraph(self) -> None:
        paragraph = self._paragraphs.pop()
        self._fields = [False] * len(self._fields)  # no instruction goes on in the next one
        if paragraph.merges:
            self._carried = paragraph.pieces
        elif finished := self._finisher.finish(paragraph, after_code=self._after_code):
            self._hand_on(finished)
        for content in paragraph.anchored:
            self._hand_on(content)

    def _end_merge(self) -> None:
        """End a place: what would merge into a next paragraph is one of its own."""
        if self._carried:
            self._begin_paragraph({})
            self._end_paragraph()

    def _hand_on(self, content: Content) -> None:
        self._after_code = isinstance(content, Paragraph) and content.kind == "code"
        if self._places:
            self._places[-1].append(content)
        else:
            self._emit(content)

    # --- runs ----------------------------------------------------------------------------------

    def _begin_run(self, _: Attributes) -> None:
        self._in_run = True
        self._hidden = self._styles[self._paragraphs[-1].style].hidden
        self._monospace = None
        self._raised = False

    def _end_run(self) -> None:
        self._in_run = False
        self._hidden = False

    def _set_run_style(self, attributes: Attributes) -> None:
        if self._in_run:
            style = self._styles[attributes.get("w:val", "")]
            self._hidden = self._hidden or style.hidden
            self._monospace = style.monospace or None

    def _set_hidden(self, attributes: Attributes) -> None:
        if self._in_run:
            self._hidden = is_on(attributes.get("w:val"))

    def _set_font(self, attributes: Attributes) -> None:
        if self._in_run and "w:ascii" in attributes:
            self._monospace = is_monospace(attributes["w:ascii"])

    def _set_raised(self, attributes: Attributes) -> None:
        if self._in_run:
            self._raised = attributes.get("w:val") == "superscript"

    def _begin_text(self, _: Attributes) -> None:
        self._reading = True

    def _end_text(self) -> None:
        self._reading = False

    def add_text(self, text: str) -> None:
        if not self._reading:
            return
        paragraph = self._paragraphs[-1]
        monospace = self._monospace
        if monospace is None:
            monospace = self._styles[paragraph.style].monospace
        if monospace:
            paragraph.monospace = True
        elif not text.isspace():
            paragraph.proportional = True
        if self._raised and _NUMBER.fullmatch(text) and _ends_in_digit(paragraph.pieces):
            text = f"^{text}"  # 10 to the 6th is not 106
        self.add(text)

    def add(self, text: str) -> None:
        """Add a text to the open paragraph, if it is to be seen."""
        if not text or self._hidden or self._muted or (self._fields and any(self._fields)):
            return
        if self._box is not None:
            text, self._box = self._box, ""
        pieces = self._paragraphs[-1].pieces
        if text.startswith("$") and pieces and pieces[-1].endswith("$"):
            pieces.append(" ")  # formulas side by side
        pieces.append(text)
        self.produced += 1

    def _add_tab(self, _: Attributes) -> None:
        if not self._in_properties:  # there it is a place on the ruler
            self.add("\t")

    def _add_break(self, _: Attributes) -> None:
        self.add("\n")

    def _end_line(self) -> None:
        self.add("\n")

    def _add_hyphen(self, _: Attributes) -> None:
        self.add("-")

    def _add_symbol(self, attributes: Attributes) -> None:
        self.add(symbol(attributes.get("w:font", ""), attributes.get("w:char", "")))

    def _refer_to_footnote(self, attributes: Attributes) -> None:
        if not self._hidden and not self._muted:
            self.add(self._refer("footnotes", attributes.get("w:id", "")))

    def _refer_to_endnote(self, attributes: Attributes) -> None:
        if not self._hidden and not self._muted:
            self.add(self._refer("endnotes", attributes.get("w:id", "")))

    # --- fields and controls -------------------------------------------------------------------

    def _change_field(self, attributes: Attributes) -> None:
        kind = attributes.get("w:fldCharType")
        if kind == "begin":
            self._fields.append(True)
            del self._fields[:-_MAX_FIELDS]
        elif self._fields and kind == "separate":
            self._fields[-1] = False
        elif self._fields and kind == "end":
            self._fields.pop()

    def _begin_control(self, _: Attributes) -> None:
        self._controls.append(_Control())

    def _end_control(self) -> None:
        self._controls.pop()

    def _begin_box(self, _: Attributes) -> None:
        self._controls.append(_Control(box=EMPTY_BOX))

    def _end_box(self) -> None:
        """End the check box of a form: it stands in a field's instruction."""
        box = self._controls.pop().box
        if not self._hidden and not self._muted:
            self._paragraphs[-1].pieces.append(f"{box} ")
            self._paragraphs[-1].has_box = True
            self.produced += 1

    def _set_box(self, attributes: Attributes) -> None:
        """Set a check box: w14:checkbox makes a control one, the others say its state."""
        if not self._controls:
            return
        control = self._controls[-1]
        if not attributes and not control.box:
            control.box = EMPTY_BOX
        elif control.box:
            value = attributes.get("w:val", attributes.get("val"))
            control.box = TICKED_BOX if is_on(value) else EMPTY_BOX

    def _set_placeholder(self, attributes: Attributes) -> None:
        if self._controls:
            self._controls[-1].placeholder = is_on(attributes.get("w:val"))

    def _begin_control_content(self, _: Attributes) -> None:
        if self._controls and self._controls[-1].placeholder:
            self._muted += 1
        if self._controls and self._controls[-1].box:
            self._box = self._controls[-1].box
            self._paragraphs[-1].has_box = True

    def _end_control_content(self) -> None:
        if self._controls and self._controls[-1].placeholder:
            self._muted -= 1
        self._box = None

    # --- tables and text boxes -----------------------------------------------------------------

    def _begin_table(self, _: Attributes) -> None:
        self._tables.append([])

    def _end_table(self) -> None:
        for content in table_contents(self._tables.pop()):
            self._hand_on(content)

    def _begin_row(self, _: Attributes) -> None:
        if self._tables:
            self._tables[-1].append(Row())

    def _row(self) -> Row | None:
        return self._tables[-1][-1] if self._tables and self._tables[-1] else None

    def _cell(self) -> Cell | None:
        row = self._row()
        return row.cells[-1] if row and row.cells else None

    def _set_header(self, attributes: Attributes) -> None:
        if row := self._row():
            row.is_header = is_on(attributes.get("w:val"))

    def _set_columns_before(self, attributes: Attributes) -> None:
        if row := self._row():
            row.columns_before = _digits(attributes) or 0

    def _begin_cell(self, _: Attributes) -> None:
        cell = Cell()
        if row := self._row():
            row.cells.append(cell)
        self._places.append(cell.contents)
        self._after_code = False

    def _end_cell(self) -> None:
        self._end_merge()
        contents = self._places.pop()
        if not self._row():
            for content in contents:
                self._hand_on(content)

    def _set_columns(self, attributes: Attributes) -> None:
        if cell := self._cell():
            cell.columns = _digits(attributes) or 1

    def _set_merge(self, attributes: Attributes) -> None:
        if cell := self._cell():
            cell.continues_above = attributes.get("w:val") != "restart"

    def _begin_text_box(self, _: Attributes) -> None:
        self._places.append([])
        self._after_code = False

    def _end_text_box(self) -> None:
        self._end_merge()
        self._paragraphs[-1].anchored += self._places.pop()

    # --- drawings ------------------------------------------------------------------------------

    def anchor(self, contents: list[Content]) -> None:
        if not self._hidden and not self._muted:
            self._paragraphs[-1].anchored += contents

    def _describe(self, attributes: Attributes) -> None:
        self.describe(attributes.get("descr", ""))


def _ends_in_digit(pieces: list[str]) -> bool:
    return bool(pieces) and pieces[-1][-1:].isdigit()


def _digits(attributes: Attributes) -> int | None:
    """Return a small number of an attribute w:val, None for anything else."""
    value = attributes.get("w:val", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else None
