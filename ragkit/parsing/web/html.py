"""HTML: selectolax for the tree, our own choice of what is content and our own text of it."""

from __future__ import annotations

import html
import re
from collections import Counter

from selectolax.lexbor import LexborHTMLParser

from ragkit.parsing.encoding import Decoded, decode
from ragkit.parsing.structure import Parsed, Structure, Writer
from ragkit.parsing.web.text import render
from ragkit.parsing.web.tree import build, content
from ragkit.text import clean

# Lexbor's tree building is quadratic in the nesting depth: 5k 0.35 s, 20k 6.2 s. parsing.md A2
MAX_DEPTH = 2_000

_DECLARED = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_XML_DECLARED = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]+)")
_DECLARED_BYTES = 4_096
_TAG_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]{0,20})")
_NEVER_DEEP = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li td th tr dd dt "
    "option thead tbody tfoot colgroup rp rt script style title textarea".split()
)
_TITLE_CUTS = (" | ", " – ", " — ", " · ", " - ", " :: ", ": ")
_METADATA = {
    "author": "author",
    "article:author": "author",
    "dc.creator": "author",
    "dcterms.creator": "author",
    "date": "date",
    "dc.date": "date",
    "dcterms.date": "date",
    "article:published_time": "date",
    "description": "description",
    "og:description": "description",
    "dc.description": "description",
}


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a web page. The text is Markdown-like; the lines are ours, not those of the file."""
    decoded = decode(data, declared=declared_encoding(data))
    if nesting_depth(decoded.text) > MAX_DEPTH:
        return _stripped(decoded, media_type)
    tree = LexborHTMLParser(decoded.text)
    body = tree.body or tree.root
    rendered = render(*content(build(body))) if body else Writer()
    title_node = tree.css_first("title")
    named = " ".join(clean(title_node.text() if title_node else "").split())
    return Parsed(
        text=rendered.text(),
        title=_title(named, rendered),
        media_type=media_type,
        metadata=_metadata(tree),
        headings=tuple(rendered.headings),
        blocks=tuple(rendered.blocks),
        warnings=decoded.warnings,
    )


def declared_encoding(data: bytes) -> str:
    """Return the encoding that a page's XML declaration or a meta tag names, "" for none."""
    head = data[:_DECLARED_BYTES]
    match = _XML_DECLARED.match(head) or _DECLARED.search(head)
    return match[1].decode("ascii", "replace") if match else ""


def _title(named: str, rendered: Writer) -> str:
    """Return the page's own title: the h1, or the title tag without the name of the site."""
    heading = next((h.title for h in rendered.headings if h.level == 1), "")
    if heading and named.endswith(heading) and named != heading:
        named = named.removesuffix(heading)  # the h1 is the name of the site
        return next((named.removesuffix(c) for c in _TITLE_CUTS if named.endswith(c)), heading)
    return heading or named


def _metadata(tree: LexborHTMLParser) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for meta in tree.css("meta"):
        attributes = meta.attributes
        name = (attributes.get("name") or attributes.get("property") or "").lower()
        value = " ".join(clean(attributes.get("content") or "").split())
        if name in _METADATA and value:
            metadata.setdefault(_METADATA[name], value)
    return metadata


# --- pages nested too deeply for a tree --------------------------------------------------------


def nesting_depth(source: str) -> int:
    """Return how deep the tree may get: the most elements that are open at a time."""
    opened: Counter[str] = Counter()
    depth = deepest = 0
    for match in _TAG_NAME.finditer(source):
        name = match[2].lower()
        if name in _NEVER_DEEP:
            continue
        if not match[1]:
            opened[name] += 1
            depth += 1
            deepest = max(deepest, depth)
        elif opened[name]:
            opened[name] -= 1
            depth -= 1
    return deepest


def _stripped(decoded: Decoded, media_type: str) -> Parsed:
    """Return the text between the tags, in linear time and without structure."""
    text = "\n\n".join(text_lines(decoded.text))
    found = Structure(text)
    start = 0
    for line in text.split("\n\n"):
        found.block("paragraph", start, start + len(line))
        start += len(line) + 2
    warning = f"nested more than {MAX_DEPTH:,} tags deep: read without headings, lists and tables"
    return Parsed(
        text=text,
        title="",
        media_type=media_type,
        blocks=tuple(found.blocks),
        warnings=(*decoded.warnings, warning),
    )


def text_lines(source: str) -> list[str]:
    """Return the lines of text between the tags, in linear time."""
    raw = clean(html.unescape("".join(_between_tags(source))))
    lines = (" ".join(line.split()) for line in raw.split("\n"))
    return [line for line in lines if line]


def _between_tags(source: str) -> list[str]:
    pieces = []
    at = 0
    while (tag := source.find("<", at)) >= 0:
        pieces.append(source[at:tag])
        at, gap = _behind_tag(source, tag)
        pieces.append(gap)
    pieces.append(source[at:])
    return pieces


def _behind_tag(source: str, tag: int) -> tuple[int, str]:
    """Return where the tag ends that begins here, and what stands for it in the text."""
    if source.startswith("<!--", tag):
        end = source.find("-->", tag + 4)
        return (end + 3 if end >= 0 else len(source)), ""
    match = _TAG_NAME.match(source, tag)
    if not match:
        if source[tag + 1 : tag + 2] not in ("!", "?", "/"):
            return tag + 1, "<"
        end = source.find(">", tag)  # a document type, an XML declaration, a closing tag of none
        return (end + 1 if end >= 0 else len(source)), ""
    end = source.find(">", match.end())
    end = end + 1 if end >= 0 else len(source)
    name = match[2].lower()
    if not match[1] and name in ("script", "style"):
        close = _find_close(source, name, end)
        end = close if close >= 0 else len(source)
    return end, "" if name in ("a", "b", "i", "em", "strong", "span", "code", "font") else "\n"


def _find_close(source: str, name: str, start: int) -> int:
    for form in (f"</{name}", f"</{name.upper()}"):
        if (at := source.find(form, start)) >= 0:
            return at
    return -1
