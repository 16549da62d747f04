"""Plain text: paragraphs by blank lines, list items, and headings that can hardly be wrong."""

from __future__ import annotations

import re

from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Line, Parsed, Structure, split_lines
from ragkit.text import clean
from ragkit.types import BlockKind

HEADING_CHARACTERS = 90

_UNDERLINE = re.compile(r"[ \t]*(={3,}|-{3,}|~{3,}|\*{3,}|#{3,}|\^{3,})[ \t]*$")
_NUMBERED = re.compile(r"(?:\d{1,2}(?:\.\d{1,2}){0,4}\.?|[IVX]{1,5}\.|[A-Z]\.)[ \t]+(?=[A-Z])")
_ITEM = re.compile(r"[ \t]*(?:[-*+•‣▪◦–][ \t]+|\(?(?:\d{1,3}|[a-z])[.)][ \t]+)(?=\S)")
_BULLET = re.compile(r"[ \t]*[-*+•‣▪◦][ \t]+\S")
_COLUMNS = re.compile(r"\S(?: {3,}|\t)\S")
_SENTENCE_END = (".", ",", ";", ":", "!", "?", "…")


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read plain text. The text keeps the lines of the file, hard wraps included."""
    decoded = decode(data)
    text = clean(decoded.text)
    scanner = _Scanner(text)
    scanner.run()
    return scanner.found.parsed(media_type, warnings=decoded.warnings)


class _Scanner:
    """Walks the runs of lines between blank lines.

    The level of a kind of heading is the order in which the kinds first appear, as in
    reStructuredText: whoever writes plain text has no other way to say it.
    """

    def __init__(self, text: str) -> None:
        self.lines = split_lines(text)
        self.found = Structure(text)
        self._styles: list[str] = []
        self._listed = False  # whether the run above is an item of a numbered list

    def run(self) -> None:
        runs = _runs(self.lines)
        for number, run in enumerate(runs):
            following = runs[number + 1] if number + 1 < len(runs) else []
            rest = self._headings(run, following, first=number == 0)
            if rest:
                self._paragraphs(rest)
            self._listed = len(rest) == 1 and bool(_NUMBERED.match(rest[0].text))

    def _headings(self, run: list[Line], following: list[Line], *, first: bool) -> list[Line]:
        """Take the heading that a run of lines begins with; return the lines below it."""
        if len(run) >= 3 and _is_underlined(run[1], run[2]) and _UNDERLINE.match(run[0].text):
            return self._take("over" + run[2].text.strip()[0], run, title=1, last=2)
        if len(run) >= 2 and _is_underlined(run[0], run[1]):
            return self._take(run[1].text.strip()[0], run, title=0, last=1)
        if len(run) == 1 and following and _is_capitals(run[0].text):
            return self._take("title" if first else "capitals", run, title=0, last=0)
        alone = len(run) == 1 and following and not self._listed
        if alone and _is_numbered(run[0].text, following[0].text):
            dots = run[0].text.split()[0].rstrip(".").count(".")
            return self._take(f"number{dots}", run, title=0, last=0)
        return run

    def _take(self, style: str, run: list[Line], *, title: int, last: int) -> list[Line]:
        if style not in self._styles:
            self._styles.append(style)
        level = min(self._styles.index(style) + 1, 6)
        words = " ".join(run[title].text.split())
        self.found.heading(level, words, run[0].start, run[last].end)
        return run[last + 1 :]

    def _paragraphs(self, run: list[Line]) -> None:
        """Split a run of lines into list items and paragraphs."""
        kind: BlockKind = "paragraph"
        opened = 0
        for number, line in enumerate(run):
            if not _ITEM.match(line.text):
                continue
            if number and kind == "paragraph" and not _BULLET.match(line.text):
                continue  # a hard-wrapped line that begins with a number or a letter
            self.found.block(kind, run[opened].start, run[number - 1].end if number else 0)
            kind, opened = "list_item", number
        self.found.block(kind, run[opened].start, run[-1].end)


def _runs(lines: list[Line]) -> list[list[Line]]:
    runs: list[list[Line]] = []
    run: list[Line] = []
    for line in lines:
        if not line.blank:
            run.append(line)
        elif run:
            runs.append(run)
            run = []
    return [*runs, run] if run else runs


def _is_underlined(line: Line, below: Line) -> bool:
    if not _UNDERLINE.match(below.text) or _UNDERLINE.match(line.text):
        return False
    words = line.text.strip()
    long_enough = len(below.text.strip()) >= min(len(words), 8) - 1
    return len(words) <= HEADING_CHARACTERS and long_enough and not _COLUMNS.search(words)


def _is_capitals(line: str) -> bool:
    words = line.strip()
    letters = [c for c in words if c.isalpha()]
    return (
        len(words) <= HEADING_CHARACTERS
        and len(letters) >= 4
        and len(letters) * 2 > len(words)
        and words.isupper()
        and not words.endswith(_SENTENCE_END)
        and not _COLUMNS.search(words)
    )


def _is_numbered(line: str, following: str) -> bool:
    """Whether "3.2 Title" stands alone, and is no item of a list with blank lines between."""
    return (
        len(line) <= HEADING_CHARACTERS
        and bool(_NUMBERED.match(line))
        and not line.rstrip().endswith(_SENTENCE_END)
        and not _COLUMNS.search(line)
        and not (_ITEM.match(following) and _NUMBERED.match(following))
    )
