"""EPUB 2 and 3: the chapters of a book in reading order, each read as the XHTML that it is."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser

from ragkit.errors import ParseError
from ragkit.parsing.archive import Archive, resolve
from ragkit.parsing.encoding import decode
from ragkit.parsing.epub.chapter import Chapter
from ragkit.parsing.structure import Parsed, Writer
from ragkit.parsing.web.html import MAX_DEPTH, declared_encoding, nesting_depth, text_lines
from ragkit.parsing.web.text import render
from ragkit.parsing.web.tree import build
from ragkit.parsing.xml_events import Node, tree
from ragkit.text import clean

CONTAINER = "META-INF/container.xml"
ENCRYPTION = "META-INF/encryption.xml"
NAMED_IN_WARNINGS = 5

_CHAPTER_TYPES = frozenset(
    (
        "application/xhtml+xml",
        "text/html",
        "application/html",
        "text/x-oeb1-document",
        "application/x-dtbook+xml",
    )
)
# Fonts are scrambled, not encrypted, by these; any reader may undo it.
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")

_METADATA = {
    "dc:creator": "author",
    "dc:date": "date",
    "dc:language": "language",
    "dc:publisher": "publisher",
    "dc:description": "description",
    "dc:subject": "subject",
}
_SEVERAL = frozenset(("author", "subject"))
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>")
# "<p/>" is an empty element of XML, and an opening tag to a reader of HTML.
_SELF_CLOSED = re.compile(r"<([a-zA-Z][\w:-]*)(\s[^<>]*)?/>")
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a book: one text of all its chapters, without its table of contents.

    Raises ParseError "corrupt", "encrypted", "too-large", "too-deep" or "forbidden-xml".
    """
    archive = Archive(data, uri)
    package = _Package(archive, uri)
    warnings: list[str] = []
    names = _in_archive(package.chapters(), archive, uri, warnings)
    _refuse_encrypted(archive, names, uri)
    contents = _contents(package, archive)
    writer = Writer()
    for name in names:
        try:
            source = _source(archive.read(name))
        except ParseError as error:
            if error.code != "corrupt":
                raise
            warnings.append(f"the chapter {name} was left out: {error}")
            continue
        if nesting_depth(source) > MAX_DEPTH:
            for line in text_lines(source):
                writer.write("paragraph", line)
            warnings.append(f"the chapter {name} is nested too deeply: read without structure")
        elif body := LexborHTMLParser(source).body:
            chapter = Chapter(build(body), label=contents.get(name, ""))
            if not (name in package.contents_pages and chapter.is_mostly_links):
                render(chapter.root, chapter.dropped, notes=chapter.notes, writer=writer)
    title, metadata = package.metadata()
    return writer.parsed(media_type, title=title, metadata=metadata, warnings=warnings)


def _in_archive(names: Iterable[str], archive: Archive, uri: str, warnings: list[str]) -> list[str]:
    """Return the chapters that are there, each once; say which aren't."""
    unique = list(dict.fromkeys(names))
    there = [name for name in unique if name in archive]
    missing = [name for name in unique if name not in archive]
    if missing:
        named = ", ".join(missing[:NAMED_IN_WARNINGS])
        warnings.append(f"{len(missing)} of {len(unique)} chapters are not in the book: {named}")
    if not there:
        raise ParseError(uri, "the book is damaged: it has no chapters", code="corrupt")
    return there


def _refuse_encrypted(archive: Archive, names: list[str], uri: str) -> None:
    data = archive.find(ENCRYPTION)
    if data is None:
        return
    encrypted = set()
    for item in _all(tree(data, uri, part=ENCRYPTION), "EncryptedData"):
        methods = [
            method.attributes.get("Algorithm", "") for method in item.all("EncryptionMethod")
        ]
        if not any(method in _FONT_SCRAMBLING for method in methods):
            encrypted |= {
                unquote(reference.attributes.get("URI", ""))
                for reference in item.all("CipherReference")
            }
    if not encrypted.isdisjoint(names):
        raise ParseError(
            uri,
            "the book is encrypted (digital rights management)",
            hint="get a copy without copy protection",
            code="encrypted",
        )


def _source(data: bytes) -> str:
    """Decode a chapter, and make HTML of its XHTML."""

    def expanded(match: re.Match[str]) -> str:
        name, attributes = match[1], match[2] or ""
        return match[0] if name.lower() in _VOID else f"<{name}{attributes}></{name}>"

    return _SELF_CLOSED.sub(expanded, decode(data, declared=declared_encoding(data)).text)


# --- the package: what the book is made of -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    media_type: str
    properties: frozenset[str] = field(default=frozenset())

    @property
    def is_chapter(self) -> bool:
        by_name = self.name.lower().endswith((".xhtml", ".html", ".htm"))
        return self.media_type in _CHAPTER_TYPES or (not self.media_type and by_name)


class _Package:
    """The package document (OPF): metadata, the files of the book, and their order."""

    def __init__(self, archive: Archive, uri: str) -> None:
        self.path = _package_path(archive, uri)
        self._root = tree(archive.read(self.path), uri, part=self.path)
        self._items = {
            node.attributes.get("id", ""): _Item(
                name=resolve(self.path, node.attributes.get("href", "")),
                media_type=node.attributes.get("media-type", "").lower(),
                properties=frozenset(node.attributes.get("properties", "").split()),
            )
            for node in _all(self._root, "item")
        }

    @property
    def contents_pages(self) -> frozenset[str]:
        """The pages that the package calls tables of contents. Not all of them are."""
        references = _all(self._root, "reference")
        return frozenset(
            resolve(self.path, node.attributes.get("href", ""))
            for node in references
            if node.attributes.get("type") == "toc"
        )

    def chapters(self) -> list[str]:
        """Return the members of the reading order; those out of line stand at the end."""
        lines: tuple[list[str], list[str]] = ([], [])
        for node in _all(self._root, "itemref"):
            reference = node.attributes.get("idref", "")
            item = self._items.get(reference, _Item(reference, "application/xhtml+xml"))
            if item.is_chapter and "nav" not in item.properties:
                lines[node.attributes.get("linear") == "no"].append(item.name or reference)
        return lines[0] + lines[1]

    def navigation(self) -> Iterator[str]:
        """Yield the members that hold the table of contents, the newer kind first."""
        yield from (item.name for item in self._items.values() if "nav" in item.properties)
        yield from (
            item.name
            for item in self._items.values()
            if item.media_type == "application/x-dtbncx+xml"
        )

    def metadata(self) -> tuple[str, dict[str, str]]:
        """Return the title and what else the package says of the book."""
        found: dict[str, list[str]] = {}
        for node in self._root.all("dc:title") + [
            node for name in _METADATA for node in self._root.all(name)
        ]:
            # A description may hold escaped HTML.
            text = " ".join(clean(html.unescape(_TAG.sub(" ", node.text))).split())
            values = found.setdefault(_METADATA.get(node.name, "title"), [])
            if text and text not in values:
                published = node.attributes.get("opf:event") == "publication"
                values.insert(0 if published else len(values), text)
        metadata = {
            name: ", ".join(values if name in _SEVERAL else values[:1])
            for name, values in found.items()
            if values
        }
        return metadata.pop("title", ""), metadata


def _package_path(archive: Archive, uri: str) -> str:
    container = archive.find(CONTAINER)
    if container is None:
        raise ParseError(uri, f"the book is damaged: it has no {CONTAINER}", code="corrupt")
    for node in _all(tree(container, uri, part=CONTAINER), "rootfile"):
        path = resolve("", node.attributes.get("full-path", ""))
        if path in archive:
            return path
    raise ParseError(uri, "the book is damaged: it has no package document", code="corrupt")


def _all(root: Node, name: str) -> list[Node]:
    """Return the elements of a local name: old books have namespaces of their own, or none."""
    for prefix in ("opf:", "container:", ""):
        if found := root.all(prefix + name):
            return found
    return []


# --- the table of contents ---------------------------------------------------------------------


def _contents(package: _Package, archive: Archive) -> Mapping[str, str]:
    """Return what the table of contents calls each chapter, by member.

    Read as HTML: an NCX declares a document type more often than not.
    """
    labels: dict[str, str] = {}
    for name in package.navigation():
        try:
            source = _source(archive.find(name) or b"")
        except ParseError:
            continue  # it names chapters, and no more than that
        if nesting_depth(source) > MAX_DEPTH:
            continue
        for target, label in _entries(LexborHTMLParser(source)):
            words = " ".join(clean(label).split())
            if words:
                labels.setdefault(resolve(name, target), words)
    return labels


def _entries(page: LexborHTMLParser) -> Iterator[tuple[str, str]]:
    for link in page.css("nav a[href], navpoint"):
        if link.tag == "a":
            yield link.attributes.get("href") or "", link.text()
            continue
        label, target = link.css_first("navlabel"), link.css_first("content")
        if label and target:
            yield target.attributes.get("src") or "", label.text()
