"""The model's text: its markers taken out, its sentences cut as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragkit.text import sentences

_MARKER = re.compile(r"\s?(?:\[|【)(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)(?:\]|】)(?!\()")
_CODE = re.compile(r"```[\s\S]*?```|`[^`\n]+`")
_CODE_OR_MARKER = re.compile(f"{_CODE.pattern}|{_MARKER.pattern}")
# What may become a marker when more of the reply has come.
_BEGUN_MARKER = re.compile(r"[\[【][\d\s,;]*\Z")
# A word, or a character of the scripts that put no spaces between words.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\w+")
_BEGUN_HEADING = re.compile(r"#{1,6} [^\n]*")


def split_markers(text: str) -> tuple[str, list[int]]:
    """Return a text without its citation markers ([1], [1][3], [1, 3]), and their numbers.

    Links ([1](...)) and code (`rows[1]`) are left as they are.
    """
    cited: list[int] = []

    def take(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        cited.extend(int(number) for number in re.findall(r"\d+", match[1]))
        return ""

    while (without := _CODE_OR_MARKER.sub(take, text)) != text:  # [[1]2] leaves [2]
        text = without
    return text, list(dict.fromkeys(cited))


class SentenceSplitter:
    """Cuts a reply that comes in pieces into sentences; joined they give the reply again.

    Markers stay with the sentence before them, code blocks are one piece, and what is too short
    to be checked alone ("Yes.") goes with the next one.
    """

    _MIN_WORDS = 3

    def __init__(self) -> None:
        self._buffer = ""

    def push(self, piece: str) -> Iterator[str]:
        """Take a piece and yield the sentences that are complete now."""
        self._buffer += piece
        while cut := self._next_cut():
            yield self._buffer[:cut]
            self._buffer = self._buffer[cut:]

    def flush(self) -> Iterator[str]:
        """Yield what is left at the end of the reply."""
        if self._buffer.strip():
            yield self._buffer
        self._buffer = ""

    def _next_cut(self) -> int:
        """Return where the first complete sentence ends, white space included; 0 if none is."""
        text = self._buffer
        start = len(text) - len(text.lstrip())
        if text.startswith("```", start):
            close = text.find("\n```", start + 3)
            end = text.find("\n", close + 4) if close >= 0 else -1
            return end + 1
        code = text.find("\n```") + 1
        prose = text[:code] if code else _BEGUN_MARKER.sub("", text)
        unmarked = _MARKER.sub(_blank, prose)
        if _BEGUN_HEADING.fullmatch(unmarked):
            return 0
        for span in sentences(unmarked):
            following = unmarked[span.end :].lstrip()
            end = len(unmarked) - len(following)
            words = len(_WORD.findall(prose, start, span.end))
            if following and (words >= self._MIN_WORDS or "\n" in prose[span.end : end]):
                return end
        return code


def _blank(match: re.Match[str]) -> str:
    """White space in a marker's place: "5 euros.[1] Dogs" are two sentences."""
    return re.sub(r"\S", " ", match[0])
