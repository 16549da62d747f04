"""The sources of an answer as Markdown, for programs that show nothing but the text.

Names and quotes come from documents: whatever they hold is shown, and never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from ragkit.types import Answer, Citation, Hit, Lines

NOT_FOUND = "Your documents don't hold the answer."
WEB_HEADING = "From the web (unproven):"
MODEL_HEADING = "Not held up by your documents:"
_BEGINNING = "\n\n---\n"
_SOURCES = _BEGINNING + "**Sources**\n"
_NEAREST = _BEGINNING + "**The nearest passages, which do not answer it**\n"
_WEB_SOURCES = _BEGINNING + "**Sources on the web** (as given, not read by ragkit)\n"
_NEAREST_SHOWN = 3
_QUOTE_CHARACTERS = 300

_MEANINGFUL = re.compile(r"([\\`*_\[\]<>|~#!])")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_LINKING = re.compile(r"(?i)\b(https?|mailto|ftp)(:)|\b(www)(\.)")


def sources(answer: Answer) -> str:
    """Return what follows an answer's text: its sources, or the nearest passages."""
    parts = []
    if answer.citations:
        parts.append(_SOURCES + _lines(_citation(each) for each in answer.citations))
    if answer.state == "not_found" and answer.hits:
        parts.append(_NEAREST + _lines(_nearest(hit) for hit in answer.hits[:_NEAREST_SHOWN]))
    if answer.web_sources:
        listed = (f"{inert(each.title)} {_link(each.url)}".strip() for each in answer.web_sources)
        parts.append(_WEB_SOURCES + _lines(listed))
    return "".join(parts)


def without_sources(text: str) -> str:
    """Return what an assistant said without the list of sources that ragkit put under it."""
    places = (text.find(each) for each in (_SOURCES, _NEAREST, _WEB_SOURCES))
    return text[: min((place for place in places if place >= 0), default=len(text))]


def inert(text: str) -> str:
    """Return text that a Markdown renderer shows as it stands: no link, image or tag in it."""
    plain = _INVISIBLE.sub(" ", text)
    plain = _MEANINGFUL.sub(r"\\\1", plain)
    return _LINKING.sub(lambda m: f"{m[1] or m[3]}\\{m[2] or m[4]}", plain).strip()


def file_name(uri: str) -> str:
    """Return the name at the end of a document's uri; the uri itself where it has none."""
    return unquote(re.split("[/:]", uri.rstrip("/"))[-1]) or uri


def _lines(items: Iterable[str]) -> str:
    return "\n" + "\n".join(f"- {item}" for item in items)


def _citation(cited: Citation) -> str:
    place = _place(cited.uri, cited.heading_path, cited.page, cited.lines)
    return f"\\[{cited.marker}\\] {place}: “{inert(_shortened(cited.quote))}”"


def _nearest(hit: Hit) -> str:
    chunk = hit.chunk
    place = _place(chunk.uri, chunk.heading_path, chunk.page, chunk.lines)
    return f"{place}: {inert(_shortened(chunk.text))}"


def _place(uri: str, heading_path: tuple[str, ...], page: int | None, lines: Lines | None) -> str:
    parts = [inert(file_name(uri)), " › ".join(map(inert, heading_path))]
    if page is not None:
        parts.append(f"p. {page}")
    elif lines is not None:
        same = lines.start == lines.end
        parts.append(f"line {lines.start}" if same else f"lines {lines.start}–{lines.end}")
    return " · ".join(filter(None, parts))


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    if len(plain) <= _QUOTE_CHARACTERS:
        return plain
    return plain[: _QUOTE_CHARACTERS - 1].rstrip() + "…"


def _link(url: str) -> str:
    """Return an address as a link that shows where it leads; "" for what is no web address."""
    if not re.fullmatch(r"https?://[!-~]+", url) or set(url) & set("<>\"'`\\"):
        return ""
    return f"<{url}>"
