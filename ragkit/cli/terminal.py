"""Text that may be shown on a terminal: harmless, wrapped, and plain where it goes to a pipe."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence

import click

MAX_WIDTH = 100  # characters; longer lines are hard to read

# ECMA-48: CSI sequences, strings (OSC, DCS, SOS, PM, APC) with their content, other sequences.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
# Control characters but for tab and line feed, bidirectional overrides, and halves of characters
# (a file name that is not UTF-8 has some).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """Return text without what a terminal would obey: escape sequences, control characters."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    """Return clean text on one line, with single spaces."""
    return " ".join(clean(text).split())


def on_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def styled(text: str, *, bold: bool = False, dim: bool = False) -> str:
    """Return text in a style (bold, dim) where stdout is a terminal that wants it."""
    if not on_terminal() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return click.style(text, bold=bold or None, dim=dim or None)


def width() -> int:
    """Return the width that text is wrapped to on this terminal, in characters."""
    return min(shutil.get_terminal_size().columns, MAX_WIDTH)


def indented(text: str, *, indent: str) -> str:
    """Return text indented, and on a terminal wrapped to its width."""
    lines = clean(text).splitlines()
    if on_terminal():
        room = max(width() - len(indent), 20)
        lines = [piece for line in lines for piece in textwrap.wrap(line, room) or [""]]
    return "\n".join((indent + line).rstrip() for line in lines)


def shortened(text: str, limit: int) -> str:
    """Return text on one line of at most `limit` characters, cut at the end with an ellipsis."""
    line = one_line(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as aligned columns; on a pipe the cells are parted by tabs."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if not on_terminal():
        return "\n".join("\t".join(row) for row in cells)
    widths = [max(map(_columns, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell + " " * (size - _columns(cell)) for cell, size in zip(row, widths, strict=True)
        ).rstrip()
        for row in cells
    )


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )
