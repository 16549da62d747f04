"""Numbers of list items and headings: how they count on, and how they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from ragkit.parsing.xml_events import Node
from ragkit.text import clean

LEVELS = 9
_LARGEST = 32_767  # the largest number that Word counts to
_LABEL_CHARACTERS = 60
_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        "m cm d cd c xc l xl x ix v iv i".split(),
        strict=True,
    )
)
_PLACE = re.compile(r"%([1-9])")


def format_number(value: int, number_format: str) -> str:
    """Write a number as a list of this w:numFmt does; in digits where the format isn't known."""
    if number_format in ("lowerLetter", "upperLetter") and value > 0:
        text = chr(ord("a") + (value - 1) % 26) * min(1 + (value - 1) // 26, 10)
    elif number_format in ("lowerRoman", "upperRoman") and 0 < value <= _LARGEST:
        text = _roman(value)
    elif number_format == "decimalZero":
        text = f"{value:02}"
    elif number_format == "ordinal":
        text = f"{value}{_ordinal(value)}"
    elif number_format == "none":
        text = ""
    else:
        text = str(value)
    return text.upper() if number_format.startswith("upper") else text


def _roman(value: int) -> str:
    text = ""
    for number, letters in _ROMAN:
        text += letters * (value // number)
        value %= number
    return text


def _ordinal(value: int) -> str:
    if value % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")


class Label(NamedTuple):
    """What stands before a paragraph; `text` is "" for a bullet and for a hidden number."""

    text: str
    is_bullet: bool
    level: int = 0


@dataclass(slots=True)
class _Level:
    number_format: str = "decimal"
    template: str = "%1."
    start: int = 1
    restart_after: int | None = None  # the level, from 1, after which it begins anew; 0 for never
    all_decimal: bool = False


class Numbering:
    """The lists of a Word document, and how far each has counted.

    Lists made of one definition (w:abstractNum) count on together, unless a list restarts.
    """

    def __init__(self, root: Node | None) -> None:
        self._missing = root is None
        self._levels: dict[str, dict[int, _Level]] = {}  # of a definition, by its id
        self._definitions: dict[str, str] = {}  # list id -> definition id
        self._overrides: dict[str, dict[int, _Level]] = {}
        self._restarts: dict[str, dict[int, int]] = {}  # list id -> level -> first number
        self._linked: dict[tuple[str, str], int] = {}  # definition, style -> level
        self._counts: dict[str, list[int | None]] = {}
        self._by_list_style: dict[str, str] = {}  # w:styleLink -> definition id
        links: dict[str, str] = {}
        for node in root.children if root else ():
            if node.name == "w:abstractNum":
                self._add_definition(node, links)
        for node in root.children if root else ():
            if node.name == "w:num":
                self._add_list(node, links)

    def level_of(self, list_id: str, style: str) -> int:
        """Return the level of a list that a paragraph style stands for, 0 for none."""
        return self._linked.get((self._definitions.get(list_id, ""), style), 0)

    def next_label(self, list_id: str, level: int) -> Label | None:
        """Count on, and return the label; None for a list that isn't defined.

        Where the part with the definitions is missing or damaged, all lists have bullets.
        """
        if self._missing:
            return Label("", is_bullet=True, level=level)
        definition = self._definitions.get(list_id)
        if definition is None:
            return None
        level = min(max(level, 0), LEVELS - 1)
        levels = self._levels.get(definition, {}) | self._overrides.get(list_id, {})
        at = levels.get(level, _Level())
        if at.number_format == "bullet":
            return Label("", is_bullet=True, level=level)
        counts = self._counts.setdefault(definition, [None] * LEVELS)
        self._count(counts, list_id, level, levels)
        values = [
            levels.get(n, _Level()).start if count is None else count
            for n, count in enumerate(counts)
        ]

        def number(match: re.Match[str]) -> str:
            other = int(match[1]) - 1
            number_format = levels.get(other, _Level()).number_format
            return format_number(values[other], "decimal" if at.all_decimal else number_format)

        text = "" if at.number_format == "none" else _PLACE.sub(number, at.template)
        return Label(" ".join(clean(text).split()), is_bullet=False, level=level)

    def _count(
        self, counts: list[int | None], list_id: str, level: int, levels: dict[int, _Level]
    ) -> None:
        first = self._restarts.get(list_id, {}).pop(level, None)
        count = counts[level]
        if first is not None:
            counts[level] = first
        elif count is None:
            counts[level] = levels.get(level, _Level()).start
        else:
            counts[level] = min(count + 1, _LARGEST)
        for higher in range(level):  # one that was passed over counts as begun
            if counts[higher] is None:
                counts[higher] = levels.get(higher, _Level()).start
        for deeper in range(level + 1, LEVELS):
            after = levels.get(deeper, _Level()).restart_after
            if after is None or level < after:
                counts[deeper] = None

    def _add_definition(self, node: Node, links: dict[str, str]) -> None:
        definition = node.attributes.get("w:abstractNumId", "")
        levels: dict[int, _Level] = {}
        for child in node.children:
            value = child.attributes.get("w:val", "")
            if child.name == "w:numStyleLink":
                links[definition] = value
            elif child.name == "w:styleLink":
                self._by_list_style[value] = definition
            elif child.name == "w:lvl":
                number = _number(child.attributes.get("w:ilvl"), 0)
                levels[number] = _level(child)
                if (style := child.first("w:pStyle")) is not None:
                    self._linked[definition, style.attributes.get("w:val", "")] = number
        self._levels[definition] = levels

    def _add_list(self, node: Node, links: dict[str, str]) -> None:
        list_id = node.attributes.get("w:numId", "")
        for child in node.children:
            if child.name == "w:abstractNumId":
                definition = child.attributes.get("w:val", "")
                linked = self._by_list_style.get(links.get(definition, ""), definition)
                self._definitions[list_id] = linked
            elif child.name == "w:lvlOverride":
                number = _number(child.attributes.get("w:ilvl"), 0)
                if (level := child.first("w:lvl")) is not None:
                    self._overrides.setdefault(list_id, {})[number] = _level(level)
                if (start := child.first("w:startOverride")) is not None:
                    first = _number(start.attributes.get("w:val"), 1)
                    self._restarts.setdefault(list_id, {})[number] = first


def _level(node: Node) -> _Level:
    level = _Level(template="", start=0)
    for child in node.children:
        value = child.attributes.get("w:val", "")
        if child.name == "w:lvlText":
            level.template = value[:_LABEL_CHARACTERS]
        elif child.name == "w:start":
            level.start = _number(value, 1)
        elif child.name == "w:lvlRestart":
            level.restart_after = _number(value, 0)
        elif child.name == "w:isLgl":
            level.all_decimal = value not in ("0", "false", "off")
    found = node.first("w:numFmt")  # may stand in an mc:AlternateContent
    level.number_format = found.attributes.get("w:val", "decimal") if found else "decimal"
    return level


def _number(value: str | None, default: int) -> int:
    """Read a number of an attribute, from 0 to the largest that Word counts to."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        return default
    return min(int(value), _LARGEST)
