"""Source code and data formats that people read as text: blocks cut where definitions begin."""

from __future__ import annotations

import re

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, Structure, split_lines
from ragkit.text import clean

BLOCK_CHARACTERS = 2_000  # a longer definition is cut again, at its members

_DEFINITION = re.compile(
    r"(?:export |default |public |private |protected |internal |static |final |abstract |async "
    r"|pub(?:\([a-z]+\))? |unsafe |extern |sealed |partial |open |data |inline |declare )*"
    r"(?:def|class|function\*?|func|fn|interface|struct|enum|trait|impl|type|module|namespace"
    r"|object|record|protocol|extension|package|const fn|mod|macro_rules!"
    r"|create (?:or replace )?(?:table|view|index|function|procedure|trigger))\b",
    re.IGNORECASE,
)
_SECTION = re.compile(r"\[{1,2}[\w.\"' -]+\]{1,2}\s*$")  # of TOML and INI
_ATTACHED = re.compile(r"@|#(?!include|define|if|endif|else|pragma)|//|/\*|\*/|\*|--|;|'''|\"\"\"")
_CLOSING = re.compile(r"[})\]]|end\b|else\b|elif\b|except\b|finally\b|catch\b")
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_DOCSTRING = re.compile(r"(?:\s*#[^\n]*\n|\s)*[rRuU]{0,2}(\"\"\"|''')\s*([^\n]*)")


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read source code. The text is the file's; its title the first line of a docstring."""
    decoded = decode(data, declared=_declared(data))
    text = clean(decoded.text)
    found = Structure(text)
    for first, last in _blocks(split_lines(text)):
        found.block("code", first.start, last.end)
    title = _docstring(text) if media_type == "text/x-python" else ""
    return found.parsed(media_type, title=title, warnings=decoded.warnings)


def _declared(data: bytes) -> str:
    """Return the encoding that one of the first two lines declares (PEP 263)."""
    for line in data[:400].splitlines()[:2]:
        if match := _CODING.match(line):
            return match[1].decode("ascii", "replace")
    return ""


def _docstring(text: str) -> str:
    match = _DOCSTRING.match(text)
    return match[2].removesuffix(match[1]).strip().rstrip("\\") if match else ""


def _blocks(lines: list[Line]) -> list[tuple[Line, Line]]:
    """Return the first and last line of each block, in order."""
    starts = _starts(lines, indent=0)
    blocks = []
    for number, start in enumerate(starts):
        stop = starts[number + 1] if number + 1 < len(starts) else len(lines)
        piece = lines[start:stop]
        if piece[-1].end - piece[0].start > BLOCK_CHARACTERS:
            members = _starts(piece, indent=_body_indent(piece))
            inner = [0, *(first for first in members if first > 1)]
        else:
            inner = [0]
        for index, first in enumerate(inner):
            end = inner[index + 1] if index + 1 < len(inner) else len(piece)
            blocks.append((piece[first], piece[end - 1]))
    return blocks


def _starts(lines: list[Line], *, indent: int) -> list[int]:
    """Return the numbers of the lines where a block begins, those of comments above included.

    A block begins at a definition, and at a line behind a blank one that isn't indented further.
    """
    starts: list[int] = []
    blank_before = True
    for number, line in enumerate(lines):
        if line.blank:
            blank_before = True
            continue
        words = line.text.lstrip()
        at_level = len(line.text) - len(words) <= indent
        if not starts:
            starts.append(0)
        elif at_level and _begins_block(words, blank_before=blank_before):
            start = _with_comments(lines, number, above=starts[-1]) if not blank_before else number
            if start > starts[-1]:
                starts.append(start)
        blank_before = False
    return starts


def _begins_block(words: str, *, blank_before: bool) -> bool:
    if blank_before:
        return not _CLOSING.match(words)
    return bool(_DEFINITION.match(words) or _SECTION.match(words))


def _with_comments(lines: list[Line], number: int, *, above: int) -> int:
    """Return the first of the decorators and comments that stand right above a line."""
    while number - 1 >= above and _ATTACHED.match(lines[number - 1].text.lstrip()):
        number -= 1
    return number


def _body_indent(lines: list[Line]) -> int:
    """Return how far the members of a definition are indented."""
    indents = [len(x.text) - len(x.text.lstrip()) for x in lines[1:] if not x.blank]
    return min((indent for indent in indents if indent), default=0)
