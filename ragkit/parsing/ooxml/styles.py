"""What the styles of a Word document say of its paragraphs and runs."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragkit.parsing.ooxml.package import is_on
from ragkit.parsing.xml_events import Node

_BODY_TEXT = 9  # the outline level of what is no heading
_MAX_CHAIN = 50

# The names of built-in styles are English in a file by Word, whatever its language, and the ids
# are the localised names without all that isn't ASCII: "berschrift1". Other programs localise
# both.
_HEADING = re.compile(
    r"(?:heading|überschrift|berschrift|titre|título|titulo|ttulo|titolo|kop|rubrik|overskrift|"
    r"otsikko|nagłówek|nagwek|nadpis|címsor|cmsor|titlu|заголовок|başlık|balk|επικεφαλίδα|"
    r"标题|標題|見出し|제목)\s*([1-9])"
)
_TITLE = re.compile(
    r"title|titel|titre|título|titulo|ttulo|titolo|tittel|tytuł|tytu|název|nzev|cím|"
    r"konu başlığı|konubal|название|标题|標題|表題|제목"
)
_CODE = re.compile(
    r"(?:source code|source text|code|code(?: |-)?(?:block|listing|snippet|example|sample|text|"
    r"box|para|paragraph)|source|sourcecode|html preformatted|htmlpreformatted|preformatted|"
    r"preformatted text|html vorformatiert|htmlvorformatiert|vorformatierter text|quellcode|"
    r"quelltext|préformaté html|html con formato previo|código|verbatim|program|program listing|"
    r"listing|macro|macro text|console|terminal)(?: \d)?"
)
_LIST = re.compile(r"list (?:bullet|number)(?: \d)?")

_MONOSPACE = re.compile(
    r"(?:courier|consolas|menlo|monaco|lucida console|andale mono|cascadia|source code|fira code|"
    r"dejavu sans mono|liberation mono|inconsolata|jetbrains mono|sf mono|ubuntu mono|roboto mono|"
    r"noto (?:sans )?mono|ibm plex mono).*",
    re.IGNORECASE,
)


def is_monospace(font: str) -> bool:
    """Say whether all characters of a font are of one width, by its name."""
    return bool(_MONOSPACE.fullmatch(font))


@dataclass(frozen=True, slots=True)
class Style:
    """What counts of a style, its ancestors included. `heading` is 0 for none, from 1."""

    heading: int = 0
    is_title: bool = False
    is_code: bool = False
    is_list: bool = False
    list_id: str = ""
    list_level: int | None = None
    list_style: str = ""  # the style that says `list_id`
    hidden: bool = False
    monospace: bool = False


class Styles:
    """The styles of a document by id; those of a missing part are told by their ids alone."""

    def __init__(self, root: Node | None) -> None:
        self._nodes: dict[str, Node] = {}
        self._resolved: dict[str, Style] = {}
        self.default = ""  # the id of the default paragraph style
        for node in root.children if root else ():
            if node.name == "w:style":
                style = node.attributes.get("w:styleId", "")
                self._nodes[style] = node
                is_paragraph = node.attributes.get("w:type", "paragraph") == "paragraph"
                if is_paragraph and is_on(node.attributes.get("w:default"), default=False):
                    self.default = style

    def __getitem__(self, style: str) -> Style:
        style = style or self.default
        if style not in self._resolved:
            self._resolved[style] = self._resolve(style)
        return self._resolved[style]

    def _resolve(self, style: str) -> Style:
        """Ask a style, then the one it is based on, and so forth: the nearest answer counts."""
        found: dict[str, object] = {}
        seen: set[str] = set()
        while style and style not in seen and len(seen) < _MAX_CHAIN:
            seen.add(style)
            node = self._nodes.get(style)
            for key, value in _own(style, node).items():
                found.setdefault(key, value)
            style = _child_value(node, "w:basedOn") if node else ""
        return Style(**found)  # type: ignore[arg-type]  # the keys are made in _own


def _own(style: str, node: Node | None) -> dict[str, object]:
    """Return what a style itself says."""
    name = (_child_value(node, "w:name") if node else style).strip().lower()
    own: dict[str, object] = {}
    if match := _HEADING.fullmatch(name) or _HEADING.fullmatch(style.lower()):
        own["heading"] = int(match[1])
    elif _TITLE.fullmatch(name):
        own |= {"heading": 1, "is_title": True}
    if _CODE.fullmatch(name):
        own["is_code"] = True
    if _LIST.fullmatch(name):
        own["is_list"] = True
    for property_ in node.children if node else ():
        if property_.name == "w:pPr":
            own |= _paragraph_properties(style, property_)
        elif property_.name == "w:rPr":
            own |= _run_properties(property_)
    return own


def _paragraph_properties(style: str, node: Node) -> dict[str, object]:
    own: dict[str, object] = {}
    for child in node.children:
        value = child.attributes.get("w:val", "")
        if child.name == "w:outlineLvl" and value.isascii() and value.isdigit():
            own["heading"] = 0 if int(value) >= _BODY_TEXT else int(value) + 1
        elif child.name == "w:numPr":
            list_id = _child_value(child, "w:numId")
            level = _child_value(child, "w:ilvl")
            if list_id:
                own |= {"list_id": list_id, "list_style": style}
            if level.isascii() and level.isdigit():
                own["list_level"] = int(level)
    return own


def _run_properties(node: Node) -> dict[str, object]:
    own: dict[str, object] = {}
    for child in node.children:
        if child.name == "w:vanish":
            own["hidden"] = is_on(child.attributes.get("w:val"))
        elif child.name == "w:rFonts" and "w:ascii" in child.attributes:
            own["monospace"] = is_monospace(child.attributes["w:ascii"])
    return own


def _child_value(node: Node, name: str) -> str:
    return next((c.attributes.get("w:val", "") for c in node.children if c.name == name), "")
