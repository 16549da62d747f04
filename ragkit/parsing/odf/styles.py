"""Styles of OpenDocument: which paragraphs are headings, code or hidden, how lists count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_PARENTS = 20  # of a style: real chains have four or five
MAX_LEVEL = 10  # of headings and of lists, as OpenDocument has them

_ESCAPED = re.compile(r"_([0-9a-fA-F]{2})_")
_HEADING = re.compile(r"heading (\d{1,2})$", re.IGNORECASE)
_CODE = frozenset(("preformatted text", "source code", "html preformatted"))
_TABLE_HEADING = "table heading"
_ROMAN = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))

STYLE_ELEMENTS = frozenset(
    (
        "style:style",
        "style:text-properties",
        "text:list-style",
        "text:list-level-style-number",
        "text:list-level-style-bullet",
        "text:list-level-style-image",
    )
)


@dataclass(slots=True)
class _Style:
    name: str  # as its user sees it, in small letters
    parent: str
    level: int
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Numbering:
    """How a level of a list counts: `form` is "1", "a", "A", "i", "I", "-" for a bullet."""

    form: str
    suffix: str = "."
    first: int = 1

    def marker(self, number: int) -> str:
        """Return what stands before an item, "" where nothing does."""
        if self.form == "-":
            return "- "
        return f"{_numeral(number, self.form)}{self.suffix} " if self.form else ""


_BULLET = Numbering("-")


class Styles:
    """Collects styles from the events of an XML file; is asked by name.

    Names are those of one family ("paragraph", "text"): T1 may be both.
    """

    def __init__(self) -> None:
        self._styles: dict[tuple[str, str], _Style] = {}
        self._lists: dict[tuple[str, int], Numbering] = {}
        self._style: _Style | None = None
        self._list = ""
        self._automatic = 0

    # --- events of styles.xml ------------------------------------------------------------------

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take an element of styles.xml. Its automatic styles are those of headers and footers."""
        if name in ("office:automatic-styles", "office:master-styles"):
            self._automatic += 1
        elif not self._automatic and name in STYLE_ELEMENTS:
            self.collect(name, attributes)

    def end(self, name: str) -> None:
        if name in ("office:automatic-styles", "office:master-styles"):
            self._automatic -= 1

    def text(self, text: str) -> None:
        """Styles hold no text."""

    def collect(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take an element of STYLE_ELEMENTS, wherever it stands."""
        if name == "style:style":
            self._add(attributes)
        elif name == "style:text-properties":
            if self._style and attributes.get("text:display") == "none":
                self._style.hidden = True
        elif name == "text:list-style":
            self._list, self._style = attributes.get("style:name", ""), None
        else:
            level = number(attributes.get("text:level", ""), 1, MAX_LEVEL)
            self._lists[self._list, level] = _numbering(name, attributes)

    def _add(self, attributes: Mapping[str, str]) -> None:
        name = attributes.get("style:name", "")
        shown = attributes.get("style:display-name") or _ESCAPED.sub(
            lambda code: chr(int(code[1], 16)), name
        )
        self._style = _Style(
            name=shown.lower(),
            parent=attributes.get("style:parent-style-name", ""),
            level=number(attributes.get("style:default-outline-level", ""), 0, MAX_LEVEL),
        )
        self._styles[attributes.get("style:family", ""), name] = self._style

    # --- questions -----------------------------------------------------------------------------

    def heading_level(self, name: str) -> int:
        """Return the level of the headings of a paragraph style, 0 if it is none."""
        for style in self._chain("paragraph", name):
            if style.level:
                return style.level
            if style.name == "title":
                return 1
            if match := _HEADING.match(style.name):
                return max(int(match[1]), 1)
        return 0

    def is_code(self, name: str) -> bool:
        return any(style.name in _CODE for style in self._chain("paragraph", name))

    def is_table_heading(self, name: str) -> bool:
        return any(style.name == _TABLE_HEADING for style in self._chain("paragraph", name))

    def is_hidden(self, family: str, name: str) -> bool:
        style = self._styles.get((family, name))
        return style is not None and style.hidden

    def numbering(self, name: str, level: int) -> Numbering:
        """Return how a list style counts at a level; bullets where nothing is known."""
        return self._lists.get((name, min(level, MAX_LEVEL)), _BULLET)

    def _chain(self, family: str, name: str) -> list[_Style]:
        chain: list[_Style] = []
        while len(chain) < MAX_PARENTS and (style := self._styles.get((family, name))):
            chain.append(style)
            name = style.parent
        if name and len(chain) < MAX_PARENTS:  # a style that the file names and doesn't define
            shown = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), name)
            chain.append(_Style(shown.lower(), "", 0))
        return chain


def number(value: str, least: int, most: int) -> int:
    """Return an attribute's number within bounds, the least where it is none."""
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        return least
    return min(max(int(value), least), most)


def _numbering(name: str, attributes: Mapping[str, str]) -> Numbering:
    if name != "text:list-level-style-number":
        return _BULLET
    return Numbering(
        form=attributes.get("style:num-format", "")[:1],
        suffix=attributes.get("style:num-suffix", "").strip()[:4] or ".",
        first=number(attributes.get("text:start-value", "1"), 0, 1_000_000),
    )


def _numeral(value: int, form: str) -> str:
    if form in ("a", "A") and 1 <= value <= 26:
        return chr(ord(form) + value - 1)
    if form in ("i", "I") and 1 <= value < 40:
        numeral = ""
        for worth, letters in _ROMAN:
            while value >= worth:
                numeral += letters
                value -= worth
        return numeral if form == "i" else numeral.upper()
    return str(value)
