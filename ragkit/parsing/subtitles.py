"""Subtitles (SRT, WebVTT): cues joined to paragraphs, each with the time at which it begins."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ragkit.errors import ParseError
from ragkit.parsing.encoding import decode
from ragkit.parsing.structure import Parsed, Writer
from ragkit.text import clean

LEAST_SECONDS = 30  # a paragraph ends with the first sentence that ends behind them
MOST_SECONDS = 60
MOST_CHARACTERS = 1_000
PAUSE_SECONDS = 5.0  # of silence end a paragraph too
CONTIGUOUS_SECONDS = 0.1  # rolling captions follow each other without a gap

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?:[,.](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*--+>\s*{_TIME}(?:\s.*)?$")
_INDEX = re.compile(r"\s*\d+\s*$")
_VOICE = re.compile(r"<v(?:\.[\w.-]+)?\s+([^<>]+)>")
_TAG = re.compile(r"</?(?:[a-zA-Z][^<>]{0,200}|\d[\d:.]*)>|\{\\[^{}]{0,100}\}")
_BLOCKS = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_HEADER = re.compile(r"WEBVTT(?:[ \t]+(?:-+\s*)?(.*))?$")
_LANGUAGE = re.compile(r"Language\s*:\s*(\S.*)$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]♪]*$")


@dataclass(slots=True)
class _Cue:
    start: float
    end: float
    lines: list[str]


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read subtitles. The text is our own: `[00:01:23] What is said from there on.`"""
    decoded = decode(data)
    reader = _Reader()
    for line in clean(decoded.text).split("\n"):
        reader.line(line)
    if not reader.cues:
        raise ParseError(uri, "no cue with its times was found", code="corrupt")
    writer = Writer()
    for paragraph in _paragraphs(reader.cues):
        writer.write("paragraph", paragraph)
    metadata = {"language": reader.language} if reader.language else {}
    return writer.parsed(
        media_type, title=reader.title, metadata=metadata, warnings=decoded.warnings
    )


class _Reader:
    """Takes the cues from the lines. Blank lines between them may be missing."""

    def __init__(self) -> None:
        self.cues: list[_Cue] = []
        self.title = ""
        self.language = ""
        self._is_vtt = False
        self._skipping = False  # the header, a note, a style
        self._blank_before = True
        self._fresh = False  # whether the last line of the cue came first behind a blank line

    def line(self, text: str) -> None:
        if timing := _TIMING.match(text):
            self._begin(timing)
        elif not text.strip():
            self._blank_before, self._skipping = True, False
        elif not self._skip(text):
            self._fresh = self._blank_before
            self._blank_before = False
            if self.cues:
                self.cues[-1].lines.append(text)

    def _begin(self, timing: re.Match[str]) -> None:
        """Begin a cue; the line above is its number or name, and no text of the last one."""
        lines = self.cues[-1].lines if self.cues else []
        is_name = lines and (_INDEX.match(lines[-1]) or (self._is_vtt and self._fresh))
        if is_name and not self._blank_before:
            lines.pop()
        start, end = _seconds(timing, 1), _seconds(timing, 5)
        self.cues.append(_Cue(start, end, []))
        self._blank_before = self._skipping = self._fresh = False

    def _skip(self, text: str) -> bool:
        """Whether a line is part of the header, a note or a style."""
        if not self.cues and not self._is_vtt and (header := _HEADER.match(text.strip())):
            self._is_vtt = self._skipping = True
            self.title = " ".join((header[1] or "").split())
        elif self._is_vtt and self._blank_before and _BLOCKS.match(text):
            self._skipping = True
        elif self._skipping and not self.cues and (setting := _LANGUAGE.match(text)):
            self.language = setting[1].strip()
        if self._skipping:
            self._blank_before = False
        return self._skipping


def _seconds(timing: re.Match[str], first: int) -> float:
    hours, minutes, seconds, fraction = timing.group(first, first + 1, first + 2, first + 3)
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + int((fraction or "0").ljust(3, "0")) / 1000


# --- text --------------------------------------------------------------------------------------


def _paragraphs(cues: list[_Cue]) -> Iterator[str]:
    """Yield what is said, with its time, cut at the ends of sentences."""
    words: list[str] = []
    start, last, size = 0.0, 0.0, 0
    for cue, lines in _once(cues):
        said = "".join(words[-1:])
        span = cue.start - start
        ended = bool(_SENTENCE_END.search(said)) and span >= LEAST_SECONDS
        paused = cue.start - last >= PAUSE_SECONDS
        if words and (ended or paused or span >= MOST_SECONDS or size >= MOST_CHARACTERS):
            yield _paragraph(start, words)
            words, size = [], 0
        if not words:
            start = cue.start
        words += lines
        size += sum(map(len, lines))
        last = cue.end
    if words:
        yield _paragraph(start, words)


def _paragraph(start: float, words: list[str]) -> str:
    seconds = int(start)
    time = f"[{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}]"
    return f"{time} {' '.join(words).strip()}".replace(" \n", "\n")


def _once(cues: list[_Cue]) -> Iterator[tuple[_Cue, list[str]]]:
    """Yield the cues with what each shows for the first time.

    Automatic captions roll: a cue shows the last lines of the one before again. Who begins to
    speak begins a line.
    """
    shown: list[str] = []
    speaker, end = "", -1.0
    for cue in cues:
        spoken = _spoken(cue)
        lines = [line for _, line in spoken]
        if cue.start - end <= CONTIGUOUS_SECONDS:
            again = _overlap(shown, lines)
            spoken = spoken[again:]
            if spoken and shown and not again:
                spoken[0] = spoken[0][0], _grown(shown[-1], spoken[0][1])
        said = []
        for voice, line in spoken:
            turn = voice != speaker or line.startswith("- ")
            name = f"{voice}: " if voice and voice != speaker else ""
            said.append(f"\n{name}{line}" if turn else line)
            speaker = voice
        if lines:
            shown, end = lines, cue.end
        if said:
            yield cue, said


def _spoken(cue: _Cue) -> list[tuple[str, str]]:
    """Return the lines of a cue without markup, each behind who speaks it, "" if nobody says."""
    spoken = []
    voice = ""
    for raw in cue.lines:
        if named := _VOICE.search(raw):
            voice = _plain(named[1])
        if line := _plain(raw):
            spoken.append((voice, line))
    return spoken


def _plain(raw: str) -> str:
    return " ".join(clean(html.unescape(_TAG.sub("", raw))).split())


def _overlap(shown: list[str], lines: list[str]) -> int:
    """Return how many lines at the top are the last ones of those that were shown."""
    for count in range(min(len(shown), len(lines)), 0, -1):
        if shown[-count:] == lines[:count]:
            return count
    return 0


def _grown(shown: str, line: str) -> str:
    """Return what is new in a line that grows word by word."""
    return line.removeprefix(f"{shown} ")
