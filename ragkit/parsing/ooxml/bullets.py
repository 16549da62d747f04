"""Bullets and numbers of a slide's paragraphs: said by the slide, its layout or its master."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from ragkit.parsing.ooxml.numbering import format_number
from ragkit.parsing.ooxml.package import Package
from ragkit.parsing.xml_events import Node

_LEVEL = re.compile(r"a:lvl([1-9])pPr")
_SCHEME = re.compile(r"(arabic|alphaLc|alphaUc|romanLc|romanUc)(\w*)")
_FORMATS = {
    "arabic": "decimal",
    "alphaLc": "lowerLetter",
    "alphaUc": "upperLetter",
    "romanLc": "lowerRoman",
    "romanUc": "upperRoman",
}
_SHAPES = {"ParenR": "{})", "ParenBoth": "({})", "Plain": "{}", "Minus": "{} -"}
_MASTER_TYPES = {"ctrTitle": "title", "subTitle": "body", "obj": "body"}
_LARGEST = 32_767


class Bullet(NamedTuple):
    """What stands before a paragraph: "none", "char", or the scheme of a number."""

    kind: str
    first: int = 1


class Placeholder(NamedTuple):
    """Which place of its layout a shape fills; `kind` is "" for a shape of its own."""

    kind: str = ""
    slot: str = ""


def bullet(name: str, kind: str, first: str) -> Bullet | None:
    """Return what an element of paragraph properties says, None if it is of something else."""
    if name == "a:buNone":
        return Bullet("none")
    if name in ("a:buChar", "a:buBlip"):
        return Bullet("char")
    if name == "a:buAutoNum":
        small = first.isascii() and first.isdigit() and len(first) < 6
        return Bullet(kind or "arabicPeriod", int(first) if small else 1)
    return None


Levels = dict[int, Bullet]  # bullets by level, from 0


@dataclass(slots=True)
class _Layout:
    """What a layout or master says: bullets by placeholder, and a master by kind of text."""

    by_slot: dict[str, Levels] = field(default_factory=dict)
    by_kind: dict[str, Levels] = field(default_factory=dict)
    title: Levels = field(default_factory=dict)
    body: Levels = field(default_factory=dict)
    other: Levels = field(default_factory=dict)
    above: str = ""  # the part of the master


class Inherited:
    """What slides inherit from the layouts and masters of a presentation, each read once."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._layouts: dict[str, _Layout] = {}  # by part, masters too
        self._slides: dict[str, _Layout] = {}

    def bullet(self, slide: str, placeholder: Placeholder, level: int) -> Bullet:
        """Return what stands before a paragraph that the slide says nothing of."""
        if slide not in self._slides:
            layouts = self._package.related(slide, "slideLayout")
            self._slides[slide] = self._layout(layouts[0]) if layouts else _Layout()
        layout = self._slides[slide]
        master = self._layout(layout.above) if layout.above else _Layout()
        kind, slot = placeholder
        general = _MASTER_TYPES.get(kind, kind)
        if not kind:
            sources = [master.other]
        else:
            sources = [
                layout.by_slot.get(slot, {}),
                layout.by_kind.get(kind, {}),
                master.by_kind.get(general, {}),
                master.title if general == "title" else master.body,
            ]
        return next((found[level] for found in sources if level in found), Bullet("none"))

    def _layout(self, part: str) -> _Layout:
        if part not in self._layouts:
            root = self._package.tree(part)
            masters = self._package.related(part, "slideMaster")
            layout = _read(root) if root else _Layout()
            layout.above = masters[0] if masters else ""
            self._layouts[part] = layout
        return self._layouts[part]


def _read(root: Node) -> _Layout:
    layout = _Layout()
    for shape in root.all("p:sp"):
        place, style = shape.first("p:ph"), shape.first("a:lstStyle")
        if place is not None:
            levels = _levels(style)
            layout.by_kind.setdefault(place.attributes.get("type", "obj"), levels)
            if slot := place.attributes.get("idx", ""):
                layout.by_slot.setdefault(slot, levels)
    layout.title = _levels(root.first("p:titleStyle"))
    layout.body = _levels(root.first("p:bodyStyle"))
    layout.other = _levels(root.first("p:otherStyle"))
    return layout


def _levels(node: Node | None) -> Levels:
    levels: Levels = {}
    for child in node.children if node else ():
        if match := _LEVEL.fullmatch(child.name):
            for property_ in child.children:
                attributes = property_.attributes
                kind, first = attributes.get("type", ""), attributes.get("startAt", "1")
                if (found := bullet(property_.name, kind, first)) is not None:
                    levels[int(match[1]) - 1] = found
    return levels


class Counter:
    """Counts the numbered paragraphs of a text, level by level."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[Bullet, int]] = {}

    def marker(self, found: Bullet, level: int) -> str:
        """Return what stands before the next paragraph, "" for nothing."""
        self._counts = {n: count for n, count in self._counts.items() if n <= level}
        if found.kind in ("none", "char"):
            self._counts.pop(level, None)
            return "-" if found.kind == "char" else ""
        before, last = self._counts.get(level, (found, found.first - 1))
        number = min(last + 1, _LARGEST) if before == found else found.first
        self._counts[level] = (found, number)
        match = _SCHEME.fullmatch(found.kind)
        text = format_number(number, _FORMATS[match[1]] if match else "decimal")
        return _SHAPES.get(match[2] if match else "", "{}.").format(text)
