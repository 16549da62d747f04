"""What a paragraph of a Word file is: a heading, a list item, code or text, and its number."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ragkit.parsing.ooxml.content import Content, Paragraph, text_lines
from ragkit.parsing.ooxml.numbering import Label, Numbering
from ragkit.parsing.ooxml.styles import Style, Styles
from ragkit.text import clean

EMPTY_BOX, TICKED_BOX = _BOXES = ("[ ]", "[x]")
_BODY_TEXT = 9  # the outline level of what is no heading
# What text in a monospaced font is code by.
_CODE_SIGNS = re.compile(r"[{}=<>]|\w\(|;\s*$|^\s*(?:[$#] |//|>>>)", re.MULTILINE)


@dataclass(slots=True)
class OpenParagraph:
    """A paragraph as it is read: the pieces of its text, and what its properties say."""

    pieces: list[str] = field(default_factory=list)
    style: str = ""
    list_id: str | None = None
    list_level: int | None = None
    outline: int | None = None
    monospace: bool = False  # there is text in a monospaced font,
    proportional: bool = False  # and in another
    has_box: bool = False
    merges: bool = False  # its mark is deleted: the next one goes on with it
    anchored: list[Content] = field(default_factory=list)  # text boxes and the like


class ParagraphFinisher:
    """Tells what each paragraph is by styles and numbering, in the order of the document."""

    def __init__(self, styles: Styles, numbering: Numbering) -> None:
        self.styles = styles
        self.title = ""  # the first paragraph in the style of titles
        self._numbering = numbering
        self._finds_code = not styles[""].monospace  # else all text is in such a font

    def finish(self, paragraph: OpenParagraph, *, after_code: bool) -> Paragraph | None:
        """Return what a paragraph is, None for nothing; `after_code` says what is before it."""
        style = self.styles[paragraph.style]
        label = self._label(paragraph, style)
        raw = "".join(paragraph.pieces)
        if self._is_code(paragraph, style, raw, after_code=after_code):
            return Paragraph("code", clean(raw).rstrip())
        text = text_lines(raw)
        if not text:
            return None
        outline = paragraph.outline
        heading = style.heading if outline is None else (outline + 1) * (outline < _BODY_TEXT)
        if heading:
            text = f"{label.text} {text}" if label and label.text else text
            if style.is_title and not self.title:
                self.title = text
            return Paragraph("heading", text, heading)
        if label is None:
            starts_with_box = paragraph.has_box and text.startswith(_BOXES)
            return Paragraph("list_item", f"- {text}") if starts_with_box else _plain(text)
        if not label.is_bullet and not label.text:
            return _plain(text)
        marker = "-" if label.is_bullet else label.text
        return Paragraph("list_item", f"{marker} {text}", label.level)

    def _label(self, paragraph: OpenParagraph, style: Style) -> Label | None:
        """Return what stands before a paragraph of a list, and count on."""
        list_id, level = paragraph.list_id, paragraph.list_level
        if list_id is None:
            list_id = style.list_id
            linked, level = style.list_style, style.list_level if level is None else level
        else:
            linked = paragraph.style
        if list_id in ("", "0"):
            return Label("", is_bullet=True) if style.is_list and list_id == "" else None
        if level is None:
            level = self._numbering.level_of(list_id, linked)
        return self._numbering.next_label(list_id, level)

    def _is_code(
        self, paragraph: OpenParagraph, style: Style, raw: str, *, after_code: bool
    ) -> bool:
        """Say whether a paragraph is of a style for code, or looks like code in its font."""
        if not raw.strip():
            return after_code and not paragraph.anchored
        if style.is_code:
            return True
        if paragraph.proportional or not paragraph.monospace or not self._finds_code:
            return False
        return after_code or bool(_CODE_SIGNS.search(raw))


def _plain(text: str) -> Paragraph:
    return Paragraph("paragraph", text)
