"""What a reader of RTF knows at a place of the file: the group, the open paragraph, the style."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Destination = Literal[
    "text", "skip", "fonts", "styles", "style", "info", "value", "time", "marker", "shape",
    "instruction", "author",
]  # fmt: skip


@dataclass(slots=True)
class Style:
    """A paragraph style: its name, its level in the outline from 0, and what it is based on."""

    name: str = ""
    outline: int | None = None
    based_on: int | None = None


@dataclass(slots=True, eq=False)
class Paragraph:
    """A paragraph, a note, or a row of a table (with `cells`), not cleaned yet.

    `marker` is what a list shows before it. `size` is that of its smallest letters, in half
    points; `bold` says that all of them are.
    """

    kind: Literal["paragraph", "note", "row"]
    text: str = ""
    marker: str = ""
    style: int = 0
    outline: int | None = None
    list_level: int = 0
    size: int = 0
    bold: bool = False
    cells: list[str] = field(default_factory=list)
    is_header: bool = False


@dataclass(slots=True, eq=False)
class Flow:
    """Paragraphs one below the other: the body, a note, a text box; and the open one."""

    mark: str | None = None  # what a note begins with; None for body and boxes
    paragraphs: list[Paragraph] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    marker: str = ""
    after: list[Paragraph] = field(default_factory=list)  # what hangs on the open paragraph
    cell: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    size: int = 0
    bold: bool = True


@dataclass(slots=True, eq=False)
class Group:
    """What a group inherits, and what ends with it."""

    flow: Flow
    destination: Destination = "text"
    name: str = ""  # of the value or time that is being read
    font: int | None = None
    fallback: int = 1  # characters behind each \u that stand for it
    hidden: bool = False
    deleted: bool = False
    bold: bool = False
    size: int = 24
    style: int = 0
    outline: int | None = None
    in_table: bool = False
    list_level: int = 0
    instruction: list[str] = field(default_factory=list)  # of the field it belongs to

    def inherited(self) -> Group:
        """Return a group within this one. Three times as fast as dataclasses.replace."""
        return Group(
            self.flow,
            self.destination,
            self.name,
            self.font,
            self.fallback,
            self.hidden,
            self.deleted,
            self.bold,
            self.size,
            self.style,
            self.outline,
            self.in_table,
            self.list_level,
            self.instruction,
        )
