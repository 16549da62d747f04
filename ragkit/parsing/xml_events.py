"""XML read by expat as a stream of events: no DTD, no entities of its own, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from xml.parsers import expat

from ragkit.errors import ParseError

MAX_DEPTH = 1_000  # real office files stay below 100

# What our parsers call a namespace, whatever prefix the file has for it. Those of "strict" OOXML
# stand for the transitional ones.
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PREFIXES = {
    _W: "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a",
    "http://purl.oclc.org/ooxml/drawingml/main": "a",
    "http://schemas.openxmlformats.org/presentationml/2006/main": "p",
    "http://purl.oclc.org/ooxml/presentationml/main": "p",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": "r",
    "http://purl.oclc.org/ooxml/officeDocument/relationships": "r",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "http://schemas.openxmlformats.org/drawingml/2006/chart": "c",
    "http://purl.oclc.org/ooxml/drawingml/chart": "c",
    "http://schemas.openxmlformats.org/drawingml/2006/diagram": "dgm",
    "http://purl.oclc.org/ooxml/drawingml/diagram": "dgm",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "urn:schemas-microsoft-com:vml": "v",
    "http://schemas.openxmlformats.org/package/2006/relationships": "rel",
    "http://schemas.openxmlformats.org/package/2006/content-types": "ct",
    "http://schemas.openxmlformats.org/package/2006/metadata/core-properties": "cp",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "urn:oasis:names:tc:opendocument:xmlns:office:1.0": "office",
    "urn:oasis:names:tc:opendocument:xmlns:text:1.0": "text",
    "urn:oasis:names:tc:opendocument:xmlns:table:1.0": "table",
    "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0": "draw",
    "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0": "presentation",
    "urn:oasis:names:tc:opendocument:xmlns:style:1.0": "style",
    "urn:oasis:names:tc:opendocument:xmlns:meta:1.0": "meta",
    "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0": "manifest",
    "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0": "fo",
    "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0": "svg",
    "http://www.w3.org/1999/xlink": "xlink",
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://www.w3.org/1999/xhtml": "html",
    "http://www.idpf.org/2007/opf": "opf",
    "http://www.idpf.org/2007/ops": "epub",
    "http://www.daisy.org/z3986/2005/ncx/": "ncx",
    "urn:oasis:names:tc:opendocument:xmlns:container": "container",
}


class Handler(Protocol):
    """What is told of each event, in document order.

    Names are "w:p" with the prefixes of this module, and bare in other namespaces or none.
    """

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


@dataclass(slots=True, eq=False)
class Node:
    """An element of a small file, read whole."""

    name: str
    attributes: Mapping[str, str]
    children: list[Node] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text that stands in this element itself."""
        return "".join(self.pieces)

    def all(self, name: str) -> list[Node]:
        """Return the elements of a name below this one, in document order."""
        found: list[Node] = []
        pending = list(reversed(self.children))
        while pending:
            node = pending.pop()
            if node.name == name:
                found.append(node)
            pending.extend(reversed(node.children))
        return found

    def first(self, name: str) -> Node | None:
        return next(iter(self.all(name)), None)


def stream(data: bytes, handler: Handler, uri: str, *, part: str = "") -> None:
    """Tell a handler of each event of an XML file; `part` names the member in errors.

    Raises ParseError "corrupt", "forbidden-xml" (a document type or an entity is declared) or
    "too-deep".
    """
    place = f"{part}: " if part else ""
    depth = 0
    names = _Names()

    def forbidden(*_: object) -> None:
        message = f"{place}it declares a document type or entities, which is not allowed"
        raise ParseError(uri, message, code="forbidden-xml")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            message = f"{place}elements are nested more than {MAX_DEPTH:,} deep"
            raise ParseError(uri, message, code="too-deep")
        handler.start(names[name], {names[key]: value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(names[name])

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = forbidden
    parser.EntityDeclHandler = forbidden
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as exc:  # the latter of odd encodings
        raise ParseError(uri, f"the file is damaged: {place}{exc}", code="corrupt") from exc


def tree(data: bytes, uri: str, *, part: str = "") -> Node:
    """Read a small XML file whole: relations, styles, a table of contents. Errors as `stream`."""
    builder = _Builder()
    stream(data, builder, uri, part=part)
    return builder.root


class _Names(dict[str, str]):
    """Our name for expat's "namespace local": made once for each."""

    def __missing__(self, name: str) -> str:
        namespace, _, local = name.rpartition(" ")
        prefix = _PREFIXES.get(namespace, "")
        self[name] = f"{prefix}:{local}" if prefix else local
        return self[name]


class _Builder:
    def __init__(self) -> None:
        self.root = Node("", {})
        self._open: list[Node] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        node = Node(name, attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].pieces.append(text)
