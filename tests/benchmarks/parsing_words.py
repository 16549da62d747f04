"""How much of an expected text stands in a text that was read: words, word pairs, headings."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise

_WORD = re.compile(r"(?!_+\b)\w+")  # a line drawn with underscores is none
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK_TARGET = re.compile(r"\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+\"[^\"]*\")?\)")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_HEADING = re.compile(r"#{1,6}[ \t]+(.*?)[ \t]*#*")


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the expected things were found, and how many things there are in all."""

    found: int = 0
    expected: int = 0
    read: int = 0

    @property
    def recall(self) -> float:
        """The share of what was expected; 1 where nothing was."""
        return self.found / self.expected if self.expected else 1.0

    @property
    def precision(self) -> float:
        return self.found / self.read if self.read else 1.0

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(
            self.found + other.found, self.expected + other.expected, self.read + other.read
        )


def words(text: str) -> list[str]:
    """Return a text's words in lower case."""
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def pairs(tokens: list[str]) -> list[tuple[str, str]]:
    """Return each word with the one behind it: they tell whether the order was kept."""
    return list(pairwise(tokens))


def overlap(expected: Iterable[Hashable], read: Iterable[Hashable]) -> Overlap:
    """Compare two multisets."""
    wanted, there = Counter(expected), Counter(read)
    return Overlap((wanted & there).total(), wanted.total(), there.total())


def plain(markdown: str) -> str:
    """Return Markdown without comments, link targets, escapes and entities."""
    text = _LINK_TARGET.sub("]", _COMMENT.sub(" ", markdown))
    return html.unescape(_ESCAPED.sub(r"\1", text))


def heading_key(title: str) -> str:
    """Return what two titles have in common that differ in marks, spaces and order alone.

    A number that is set beside a title may come before or behind it.
    """
    return " ".join(sorted(words(plain(title))))


def markdown_headings(markdown: str) -> list[str]:
    """Return the titles of a Markdown text's `#` headings that have words; code has none.

    A heading that is a number and nothing else is put before the next: it is that one's.
    """
    titles: list[str] = []
    fence = ""
    for line in _COMMENT.sub(" ", markdown).split("\n"):
        mark = line.lstrip()[:3]
        if mark in ("```", "~~~"):
            fence = "" if fence == mark else fence or mark
        elif not fence and (match := _HEADING.fullmatch(line.strip())) and heading_key(match[1]):
            is_numbered = titles and titles[-1].isdecimal() and not match[1].isdecimal()
            titles.append(f"{titles.pop()} {match[1]}" if is_numbered else match[1])
    return titles
