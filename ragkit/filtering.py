"""What of a model's text may be shown: nothing that loads or leads elsewhere by itself, no keys.

It works on one complete sentence (or code block) at a time, so that it can't be cheated by where a
stream is cut. Whatever it takes out, the rest is looked at again until nothing changes: removing
makes no new markup.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ragkit.text import visible
from ragkit.types import WebSource

REMOVED_LINK = "[removed: a link]"
REMOVED_KEY = "[removed: looks like a key]"

# So much of the endpoint's key, at its beginning or end, gives it away; and so much out of it.
_KEY_END = 8
_KEY_PIECE = 12

# --- markup ------------------------------------------------------------------------------------

_FENCED = r"^(?P<fence>`{3,})[^`\n]*\n(?:.*?\n)??(?P=fence)`*[ \t]*$"
_INLINE = r"(?<!`)(?P<run>`+)(?!`)[^\n]+?(?<!`)(?P=run)(?!`)"
_CODE = re.compile(f"(?P<code>{_FENCED}|{_INLINE})", re.DOTALL | re.MULTILINE)

_ELEMENTS = (
    "a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big"
    " blink blockquote body br button canvas caption center cite code col colgroup data datalist dd"
    " del details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form"
    " frame frameset h1 h2 h3 h4 h5 h6 head header hr html i iframe image img input ins isindex kbd"
    " keygen label legend li link listing main map mark marquee math menu menuitem meta meter nav"
    " nobr noembed noframes noscript object ol optgroup option output p param picture plaintext"
    " portal pre progress q rb rp rt rtc ruby s samp script search section select slot small source"
    " span strike strong style sub summary sup svg table tbody td template textarea tfoot th thead"
    " time title tr track tt u ul use var video wbr xmp xml"
).replace(" ", "|")
_HTML = re.compile(
    r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|<!doctype[^>]*>"
    r"|<(?P<raw>script|style|iframe|object|svg|noscript|template)\b[^>]*>.*?</(?P=raw)\s*>"
    rf"|</?(?:{_ELEMENTS})(?:[\s/][^<>]*)?>",
    re.DOTALL | re.IGNORECASE,
)
_TAG_BEGUN = re.compile(r"<(?=[a-zA-Z/!?])")
_AUTOLINK = re.compile(r"<((?:[a-z][a-z0-9+.-]{1,31}:|www\.)[^<>\s]*|[^<>\s@]+@[^<>\s]+)>", re.I)

_LABEL = r"\[(?P<text>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]"
_TARGET = r"\(\s*(?P<target><[^<>\n]*>|(?:[^()\\\s]|\\.|\([^()]*\))*)(?:\s+[^()]*)?\)"
_IMAGE = re.compile(rf"!{_LABEL}(?:{_TARGET}|\[[^\[\]]*\])", re.DOTALL)
_INLINE_LINK = re.compile(rf"{_LABEL}{_TARGET}", re.DOTALL)
_REFERENCE = re.compile(r"\[(?P<text>[^\[\]]*[^\[\]\d\s,;][^\[\]]*)\]\[(?!\d{1,3}\])[^\[\]]*\]")
_DEFINITION = re.compile(
    r"^[ ]{0,3}\[(?![ ]*\])[^\[\]]+\]:(?:[ \t]*\n?[ \t]*(?:<[^<>\n]*>|\S+)"
    r"(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?)?[ \t]*$",
    re.MULTILINE,
)

# --- addresses ---------------------------------------------------------------------------------

_END = r"[^\s<>\"'`，。；！？、（）【】「」]"
_LINK = re.compile(
    rf"(?<![a-z0-9])(?:[a-z][a-z0-9+.-]{{1,15}}|h[*x]{{2}}ps?)(?:\[:\]|\(:\)|[:：])[/\\／]{{2}}{_END}*"
    rf"|(?<![a-z0-9])(?:https?|hxxps?|ftp)\s*[\[(]?[:：][\])]?\s*[/\\／]\s*[/\\／]\s*{_END}*"
    rf"|(?<![\w.@])www\d?\.{_END}+"
    rf"|(?<![:\w/.\\])//(?:[\w-]+\.)+[\w-]+{_END}*|(?<![:\w/.\\])//localhost{_END}*"
    rf"|(?<![\w\\])\\\\[\w.-]+\\{_END}*"
    rf"|(?<!\w)data:[\w.+-]+/[\w.+-]+{_END}*|(?<!\w)data:[;,]{_END}+"
    rf"|(?<!\w)(?:javascript|vbscript|livescript|view-source|blob|mailto|file):{_END}+"
    rf"|(?<![\w@./-])(?:[\w-]+(?:\.|\[\.\]|\(\.\)))+[a-z]{{2,24}}(?::\d+)?[/?]{_END}*",
    re.IGNORECASE,
)
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_CLOSING = ".,;:!?)]}*_~'\"”’»…"

# --- keys --------------------------------------------------------------------------------------

_SECRET = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9])(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|(?<![A-Za-z0-9])[sr]k_(?:live|test)_\w{16,}"
    r"|(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,}|(?<![A-Za-z0-9])github_pat_\w{20,}"
    r"|(?<![A-Za-z0-9])glpat-[\w-]{16,}|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}|(?<![A-Za-z0-9])AIza[\w-]{30,}"
    r"|(?<![A-Za-z0-9])xox[a-z]-[\w-]{8,}|(?<![A-Za-z0-9])tk-[A-Za-z0-9_-]{16,}"
    r"|(?<![A-Za-z0-9])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?",
    re.DOTALL,
)


class OutputFilter:
    """Takes out of a model's text what may not be shown. `key` is the endpoint's own."""

    def __init__(self, key: str = "") -> None:
        self._key = key if len(key) >= _KEY_END else ""
        self._forms = tuple(_squeezed(form)[0] for form in _forms(self._key)) if self._key else ()

    def __repr__(self) -> str:
        return "OutputFilter()"  # it knows a key

    def plain(self, text: str) -> str:
        """Return a sentence without markup: links are their text, images and HTML are gone.

        Addresses stay as text, for the checks; what is shown goes through `shown`.
        """
        return _settled(visible(text), lambda t: _outside_code(t, _without_markup))

    def shown(self, text: str, quotes: Sequence[str]) -> str:
        """Return a sentence of the documents' part as it may be shown.

        An address or a key stays only where the same stands in a quote; the endpoint's key never.
        """
        allowed = frozenset(address for quote in quotes for address in _addresses(quote))
        known = frozenset(secret for quote in quotes for secret in _SECRET.findall(quote))

        def step(text: str) -> str:
            text = _outside_code(text, _without_markup)
            return self._without_keys(_without_links(text, allowed), known)

        return _settled(visible(text), step)

    def web(self, text: str, sources: Sequence[WebSource]) -> str:
        """Return a sentence of the web's part as it may be shown.

        Of its links those to its sources stay, as text and address.
        """
        allowed = frozenset(source.url for source in sources)

        def linked(prose: str) -> str:
            prose = _IMAGE.sub("", prose)
            return _without_markup(_INLINE_LINK.sub(lambda link: _spelled(link, allowed), prose))

        def step(text: str) -> str:
            text = _without_links(_outside_code(text, linked), allowed)
            return self._without_keys(text, frozenset())

        return _settled(visible(text), step)

    def sources(self, sources: Sequence[WebSource]) -> tuple[WebSource, ...]:
        """Return the web's sources that have a web address, their titles as they may be shown."""
        return tuple(
            replace(source, title=self.shown(source.title, ()))
            for source in sources
            if _HTTP.match(source.url) and not self.holds_key(source.url)
        )

    def holds_key(self, text: str) -> bool:
        """Whether the endpoint's key, or a piece of it, stands in a text in whatever form."""
        return bool(self._key and self._own_key(text))

    def _without_keys(self, text: str, known: frozenset[str]) -> str:
        for start, end in reversed(self._own_key(text)):
            text = f"{text[:start]}{REMOVED_KEY}{text[end:]}"
        return _SECRET.sub(lambda m: m[0] if m[0] in known else REMOVED_KEY, text)

    def _own_key(self, text: str) -> list[tuple[int, int]]:
        """Return where pieces of the key stand, also if spaces or marks were put between."""
        if not self._key:
            return []
        squeezed, places = _squeezed(text)
        marked = [False] * len(text)
        for form in self._forms:
            for start, length in _pieces(form):
                at = squeezed.find(form[start : start + length])
                while at >= 0:
                    for place in range(places[at], places[at + length - 1] + 1):
                        marked[place] = True
                    at = squeezed.find(form[start : start + length], at + 1)
        for piece in (self._key[:_KEY_END], self._key[-_KEY_END:]):
            for match in re.finditer(re.escape(piece), text, re.IGNORECASE):
                marked[match.start() : match.end()] = [True] * len(piece)
        return list(_runs(marked))


def has_link(text: str) -> bool:
    """Whether a sentence holds an address, so that it can't be shown before its sources."""
    return bool(_LINK.search(visible(text)) or _INLINE_LINK.search(text))


def _settled(text: str, step: Callable[[str], str]) -> str:
    before = None
    while text != before:
        before, text = text, step(text)
    return text


# --- markup and addresses ----------------------------------------------------------------------


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return a text with its prose changed, and code left as it is.

    A run of backticks that closes nothing goes, lest it pair with one of another sentence; a code
    block begins a line of its own.
    """
    if re.match(r"\s*```", text) and "\n" not in text[: text.index("`")]:
        text = f"\n{text}"
    parts = []
    end = 0
    for match in _CODE.finditer(text):
        parts += [change(_without_backticks(text[end : match.start()])), match[0]]
        end = match.end()
    return "".join([*parts, change(_without_backticks(text[end:]))])


def _without_backticks(prose: str) -> str:
    return re.sub(r"\\?`+", "", prose)


def _without_markup(prose: str) -> str:
    prose = _AUTOLINK.sub(r"\1", _HTML.sub("", prose))
    prose = _TAG_BEGUN.sub("< ", prose)
    prose = _IMAGE.sub("", prose)
    prose = _INLINE_LINK.sub(lambda link: link["text"], prose)
    prose = _REFERENCE.sub(lambda link: link["text"], prose)
    prose = _DEFINITION.sub("", prose)
    # What may be the end of a link that began in another sentence.
    return prose.replace("](", "] (")


def _spelled(link: re.Match[str], allowed: frozenset[str]) -> str:
    target = link["target"].strip("<>")
    return f"{link['text']} ({target})" if target in allowed else link[0]


def _addresses(text: str) -> Iterator[str]:
    for match in _LINK.finditer(visible(text)):
        if _HTTP.match(match[0]) or match[0].lower().startswith("www."):
            yield match[0].rstrip(_CLOSING)
            yield match[0]


def _without_links(text: str, allowed: frozenset[str]) -> str:
    def kept(match: re.Match[str]) -> str:
        address = match[0].rstrip(_CLOSING)
        if match[0] in allowed or address in allowed:
            return match[0]
        closing = match[0][len(address) :]
        return REMOVED_LINK + (closing.replace(")", "", 1) if "(" in address else closing)

    return _LINK.sub(kept, text)


# --- keys --------------------------------------------------------------------------------------


def _forms(key: str) -> Iterator[str]:
    """Yield the key as it could be told: backwards, in hex, in base64 at each alignment."""
    for text in (key, key[::-1]):
        raw = text.encode()
        yield text
        yield raw.hex()
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
            # The first characters belong to what stands before, the last to what stands behind.
            yield encoded[(shift * 8 + 5) // 6 : (shift + len(raw)) * 8 // 6]


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Return a text's letters and digits in small letters, and where each of them stands."""
    places = [place for place, character in enumerate(text) if character.isalnum()]
    return "".join(text[place].lower()[:1] for place in places), places


def _pieces(form: str) -> Iterator[tuple[int, int]]:
    """Yield the pieces (start, length) that give a form of the key away."""
    if len(form) >= _KEY_END:
        yield 0, _KEY_END
        yield len(form) - _KEY_END, _KEY_END
    for start in range(len(form) - _KEY_PIECE + 1):
        yield start, _KEY_PIECE


def _runs(marked: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start = None
    for place, mark in enumerate((*marked, False)):
        if mark and start is None:
            start = place
        elif not mark and start is not None:
            yield start, place
            start = None
