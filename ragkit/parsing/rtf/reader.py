r"""RTF to paragraphs: groups, control words, code pages, notes, tables, in one pass.

striprtf was measured first. It has no headings, lists, notes and text boxes, shows hidden and
deleted text, loses Shift-JIS characters with an ASCII trail byte ("\'83e"), raises TypeError and
ValueError for odd arguments, and takes quadratic time on font tables and links.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from ragkit.errors import ParseError
from ragkit.parsing.rtf.state import Destination, Flow, Group, Paragraph, Style
from ragkit.parsing.rtf.words import (
    CHARACTERS,
    DEFAULT_CODEC,
    INFO,
    LEFT_OUT,
    SYMBOL_CHARSET,
    SYMBOLS,
    TIMES,
    codec_of_page,
    decode,
    symbol,
)

MAX_GROUPS = 200_000  # open at a time; each takes some 200 bytes
MAX_FLOWS = 8  # notes and boxes within each other; deeper ones are read as part of the last
MAX_NAME_CHARACTERS = 2_000  # of a title, a font's name and the like

_TOKEN = re.compile(
    r"""
      \\ ([a-zA-Z]{1,32}) (-?\d{1,9})? [ ]?   # 1, 2: a control word and its argument
    | \\' ([0-9a-fA-F]{2})                    # 3: a byte
    | \\' [0-9a-fA-F]?                        #    a damaged one
    | \\ (.)                                  # 4: a control symbol
    | ([{}])                                  # 5
    | [\r\n\0]+
    | ([^\\{}\r\n\0]+)                        # 6: text
    | \\                                      # the end of a cut file
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD, _WORD_ARGUMENT, _BYTE, _SYMBOL, _BRACE, _TEXT = range(1, 7)
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")

_Action = Callable[[int | None], None]


class Reader:
    """Reads a file; afterwards `paragraphs`, `styles`, `info`, `times` and `sizes` say what is."""

    def __init__(self, data: bytes, uri: str) -> None:
        self._source = data.decode("latin-1")
        self._uri = uri
        self._body = Flow()
        self._group = Group(self._body)
        self._outer: list[Group] = []
        self._bytes = bytearray()
        self._skip = 0  # characters still to skip behind \u
        self._starred = False
        self._codec = DEFAULT_CODEC
        self._default_font: int | None = None
        self._fonts: dict[int, tuple[int | None, str]] = {}
        self._font = 0
        self._style = (0, Style())
        self._is_header_row = False
        self._flows = 0  # open notes and boxes
        self._notes = 0
        self._author = ""
        self.styles: dict[int, Style] = {}
        self.info: dict[str, str] = {}
        self.times: dict[str, dict[str, int]] = {}
        self.sizes: Counter[int] = Counter()  # of the letters of the text, in half points
        self.ends_early = False
        self._anywhere = self._words_anywhere()
        self._words = {
            "text": self._anywhere | self._words_of_text(),
            "shape": self._anywhere
            | {"shptxt": self._box, "dptxbxtext": self._box, "mr": self._run},
            "fonts": self._anywhere | {"f": self._begin_font, "fcharset": self._font_charset},
            "style": self._anywhere | self._words_of_styles(),
        }

    @property
    def paragraphs(self) -> list[Paragraph]:
        return self._body.paragraphs

    def run(self) -> None:
        """Read to the end of the outermost group; what stands behind it is no part of the file."""
        source, at = self._source, 0
        opened = False
        while at < len(source) and not (opened and not self._outer):
            token = _TOKEN.match(source, at)
            if token is None:
                break
            at = token.end()
            kind = token.lastindex
            if kind == _TEXT:
                self._add_bytes(token[6].encode("latin-1"))
            elif kind == _BYTE:
                self._add_bytes(bytes.fromhex(token[3]))
            elif kind in (_WORD, _WORD_ARGUMENT):
                argument = int(token[2]) if token[2] else None
                at += self._word(token[1], argument)
            elif kind == _BRACE:
                self._open() if token[5] == "{" else self._close()
                opened = True
            elif kind == _SYMBOL:
                self._symbol(token[4])
        self.ends_early = bool(self._outer)
        while self._outer:
            self._close()
        self._flush()
        self._end_paragraph()
        self._end_row()

    # --- groups --------------------------------------------------------------------------------

    def _open(self) -> None:
        self._flush()
        if len(self._outer) >= MAX_GROUPS:
            message = f"groups are nested more than {MAX_GROUPS:,} deep"
            raise ParseError(self._uri, message, code="too-deep")
        self._outer.append(self._group)
        self._group = self._group.inherited()
        if self._group.destination == "styles":
            self._group.destination = "style"
            self._style = (0, Style())

    def _close(self) -> None:
        self._flush()
        if not self._outer:
            return
        group, self._group = self._group, self._outer.pop()
        if group.destination == "style" and self._group.destination == "styles":
            number, style = self._style
            self.styles[number] = style
        if group.flow is not self._group.flow:
            self._end_flow(group)

    def _end_flow(self, group: Group) -> None:
        """Hang the paragraphs of a note or a text box on the paragraph that it stands in."""
        self._flows -= 1
        inner, flow = group.flow, self._group.flow
        outer, self._group = self._group, group
        self._end_paragraph()
        self._end_row()
        self._group = outer
        if inner.mark is None:
            flow.after += inner.paragraphs
            return
        notes = [one for one in inner.paragraphs if one.kind == "note"]
        texts = [one.text or " ".join(one.cells) for one in inner.paragraphs if one.kind != "note"]
        text = " ".join(" ".join(texts).split())
        if text:
            flow.after.append(Paragraph("note", inner.mark + text))
        flow.after += notes

    # --- text ----------------------------------------------------------------------------------

    def _add_bytes(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._bytes += data
        self._starred = False

    def _flush(self) -> None:
        """Decode the bytes that have come: a character may be of two, escaped or not."""
        self._skip = 0
        self._starred = False
        if not self._bytes:
            return
        data = bytes(self._bytes)
        self._bytes.clear()
        charset, name = self._font_of_group()
        if charset == SYMBOL_CHARSET and self._group.destination in ("text", "marker"):
            self._add("".join(symbol(code, name) for code in data))
        else:
            self._add(decode(data, charset, self._codec))

    def _font_of_group(self) -> tuple[int | None, str]:
        font = self._group.font if self._group.font is not None else self._default_font
        return self._fonts.get(font, (None, "")) if font is not None else (None, "")

    def _add(self, text: str) -> None:
        group = self._group
        destination = group.destination
        if destination == "text":
            if not (group.hidden or group.deleted):
                self._add_visible(text)
        elif destination == "marker":
            group.flow.marker = _with(group.flow.marker, text)
        elif destination == "instruction":
            group.instruction.append(text)
        elif destination == "value":
            self.info[group.name] = _with(self.info.get(group.name, ""), text)
        elif destination == "author":
            self._author = _with(self._author, text)
        elif destination == "style":
            self._style[1].name = _with(self._style[1].name, text)
        elif destination == "fonts":
            charset, name = self._fonts.get(self._font, (None, ""))
            self._fonts[self._font] = (charset, _with(name, text))

    def _add_visible(self, text: str) -> None:
        group, flow = self._group, self._group.flow
        flow.texts.append(text)
        if letters := len(text.strip()):
            flow.size = min(flow.size or group.size, group.size)
            flow.bold = flow.bold and group.bold
            self.sizes[group.size] += letters

    # --- paragraphs and rows -------------------------------------------------------------------

    def _end_paragraph(self) -> None:
        group, flow = self._group, self._group.flow
        text = joined("".join(flow.texts))
        marker = flow.marker
        if group.in_table:
            if text.strip():
                flow.cell.append(" ".join(f"{marker} {text}".split()))
        else:
            self._end_row()
            if text.strip():
                flow.paragraphs.append(
                    Paragraph(
                        "paragraph",
                        text,
                        marker=marker,
                        style=group.style,
                        outline=group.outline,
                        list_level=group.list_level,
                        size=flow.size,
                        bold=flow.bold,
                    )
                )
            flow.paragraphs += flow.after
            flow.after.clear()
        flow.texts.clear()
        flow.marker, flow.size, flow.bold = "", 0, True

    def _end_cell(self) -> None:
        flow = self._group.flow
        if text := joined("".join(flow.texts)).strip():
            flow.cell.append(" ".join(f"{flow.marker} {text}".split()))
        flow.cells.append(" ".join(flow.cell))
        flow.cell.clear()
        flow.texts.clear()
        flow.marker, flow.size, flow.bold = "", 0, True

    def _end_row(self) -> None:
        flow = self._group.flow
        if flow.cell:
            flow.cells.append(" ".join(flow.cell))
        if any(flow.cells):
            row = Paragraph("row", cells=list(flow.cells), is_header=self._is_header_row)
            flow.paragraphs.append(row)
            flow.paragraphs += flow.after
            flow.after.clear()
        flow.cell.clear()
        flow.cells.clear()

    # --- control words -------------------------------------------------------------------------

    def _symbol(self, character: str) -> None:
        self._flush()
        if character == "*":
            self._starred = True
        elif character in SYMBOLS:
            self._add(SYMBOLS[character])
        elif character in "\r\n" and self._group.destination == "text":
            self._end_paragraph()

    def _word(self, word: str, argument: int | None) -> int:
        r"""Obey a control word. Returns the number of raw bytes behind it, which only \bin has."""
        starred = self._starred
        self._flush()
        if word == "bin":
            return max(argument or 0, 0)
        group = self._group
        if word in CHARACTERS:
            self._add(CHARACTERS[word])
        elif group.destination == "skip":
            pass
        elif word in LEFT_OUT:
            group.destination = "skip"
        elif action := self._words.get(group.destination, self._anywhere).get(word):
            action(argument)
        elif starred:
            group.destination = "skip"
        elif group.destination == "info" and word in INFO:
            group.destination, group.name = "value", INFO[word]
        elif group.destination == "info" and word in TIMES:
            group.destination, group.name = "time", word
        elif group.destination == "time" and argument is not None:
            self.times.setdefault(group.name, {})[word] = argument
        return 0

    def _words_anywhere(self) -> dict[str, _Action]:
        return {
            "u": self._unicode,
            "uc": self._set("fallback", 1),
            "f": self._set("font", 0),
            "deff": self._set_default_font,
            "ansicpg": lambda page: self._set_codec(codec_of_page(page or 0)),
            "mac": lambda _: self._set_codec("mac_roman"),
            "pc": lambda _: self._set_codec("cp437"),
            "pca": lambda _: self._set_codec("cp850"),
            "fonttbl": lambda _: self._turn_to("fonts"),
            "stylesheet": lambda _: self._turn_to("styles"),
            "info": lambda _: self._turn_to("info"),
        }

    def _words_of_text(self) -> dict[str, _Action]:
        return {
            "par": lambda _: self._end_paragraph(),
            "sect": lambda _: self._end_paragraph(),
            "cell": lambda _: self._end_cell(),
            "row": self._row,
            "trowd": lambda _: self._set_header_row(False),
            "trhdr": lambda _: self._set_header_row(True),
            "pard": self._plain_paragraph,
            "plain": self._plain_characters,
            "s": self._set("style", 0),
            "outlinelevel": self._set("outline", 9),
            "intbl": self._toggle("in_table"),
            "ilvl": self._set("list_level", 0),
            "v": self._toggle("hidden"),
            "deleted": self._toggle("deleted"),
            "b": self._toggle("bold"),
            "fs": self._set("size", 24),
            "listtext": lambda _: self._turn_to("marker"),
            "pntext": lambda _: self._turn_to("marker"),
            "footnote": self._note,
            "annotation": self._comment,
            "atnauthor": self._comment_author,
            "shpinst": lambda _: self._turn_to("shape"),
            "do": lambda _: self._turn_to("shape"),
            "moMath": lambda _: self._turn_to("shape"),
            "field": self._field,
            "fldinst": lambda _: self._turn_to("instruction"),
            "fldrslt": self._field_result,
        }

    def _words_of_styles(self) -> dict[str, _Action]:
        return {
            "s": self._style_number,
            "outlinelevel": self._style_outline,
            "sbasedon": self._style_base,
        }

    def _set(self, name: str, default: int) -> _Action:
        return lambda argument: setattr(
            self._group, name, default if argument is None else argument
        )

    def _toggle(self, name: str) -> _Action:
        return lambda argument: setattr(self._group, name, argument != 0)

    def _turn_to(self, destination: Destination) -> None:
        self._group.destination = destination

    def _unicode(self, argument: int | None) -> None:
        if argument is None or not -0x8000 <= argument <= 0xFFFF:
            return  # what follows stands for it
        code = argument & 0xFFFF
        if 0xF000 <= code <= 0xF0FF:  # where Windows puts the characters of symbol fonts
            self._add(symbol(code, self._font_of_group()[1]))
        else:
            self._add(chr(code))
        self._skip = max(self._group.fallback, 0)

    # --- fonts, styles, code pages -------------------------------------------------------------

    def _set_codec(self, codec: str) -> None:
        self._codec = codec

    def _set_default_font(self, font: int | None) -> None:
        self._default_font = font

    def _begin_font(self, number: int | None) -> None:
        self._font = number or 0

    def _font_charset(self, charset: int | None) -> None:
        self._fonts[self._font] = (charset, self._fonts.get(self._font, (None, ""))[1])

    def _style_number(self, number: int | None) -> None:
        self._style = (number or 0, self._style[1])

    def _style_outline(self, level: int | None) -> None:
        self._style[1].outline = level

    def _style_base(self, number: int | None) -> None:
        self._style[1].based_on = number

    # --- properties of paragraphs, characters and rows -----------------------------------------

    def _plain_paragraph(self, _: int | None) -> None:
        group = self._group
        group.style, group.outline, group.list_level, group.in_table = 0, None, 0, False

    def _plain_characters(self, _: int | None) -> None:
        group = self._group
        group.hidden = group.deleted = group.bold = False
        group.font, group.size = None, 24

    def _set_header_row(self, is_header: bool) -> None:
        self._is_header_row = is_header

    def _row(self, _: int | None) -> None:
        if "".join(self._group.flow.texts).strip():
            self._end_cell()
        self._end_row()

    # --- what hangs on a paragraph -------------------------------------------------------------

    def _note(self, _: int | None) -> None:
        self._notes += 1
        self._add(f"[^{self._notes}]")
        self._begin_flow(f"[^{self._notes}]: ")

    def _comment(self, _: int | None) -> None:
        author, self._author = " ".join(self._author.split()), ""
        self._begin_flow(f"[Comment by {author}] " if author else "[Comment] ")

    def _comment_author(self, _: int | None) -> None:
        self._author = ""
        self._turn_to("author")

    def _box(self, _: int | None) -> None:
        self._turn_to("text")
        self._begin_flow(None)

    def _run(self, _: int | None) -> None:
        self._turn_to("text")

    def _begin_flow(self, mark: str | None) -> None:
        if self._flows < MAX_FLOWS:
            self._flows += 1
            self._group.flow = Flow(mark)
            self._group.in_table = False

    # --- fields --------------------------------------------------------------------------------

    def _field(self, _: int | None) -> None:
        self._group.instruction = []

    def _field_result(self, _: int | None) -> None:
        """Leave a table of contents out: its headings come again, without numbers of pages."""
        instruction = "".join(self._group.instruction).split()
        if instruction[:1] == ["TOC"]:
            self._turn_to("skip")


def _with(name: str, text: str) -> str:
    return name + text if len(name) < MAX_NAME_CHARACTERS else name


def joined(text: str) -> str:
    r"""Make one character of each pair of surrogates: \u has 16 bits."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
