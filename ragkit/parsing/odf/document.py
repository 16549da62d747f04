"""OpenDocument: texts and presentations, by expat over the content.xml of their zip file."""

from __future__ import annotations

from collections.abc import Sequence

from ragkit.errors import ParseError
from ragkit.parsing.archive import Archive, resolve
from ragkit.parsing.odf.content import Content
from ragkit.parsing.odf.styles import Styles
from ragkit.parsing.odf.tables import Piece
from ragkit.parsing.structure import Parsed, Writer
from ragkit.parsing.xml_events import stream, tree
from ragkit.text import clean

MAX_OBJECTS = 200  # charts and formulas that are read of a file

_METADATA = {
    "meta:initial-creator": "author",
    "dc:creator": "author",
    "dc:date": "date",
    "meta:creation-date": "date",
    "dc:description": "description",
    "dc:subject": "subject",
    "dc:language": "language",
}


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a text or a presentation; each slide is a page.

    Raises ParseError "corrupt", "encrypted", "too-large", "too-deep" or "forbidden-xml".
    """
    return _Reader(data, uri).parsed(media_type)


class _Reader:
    """Reads the members of one file; what fails beside content.xml becomes a warning."""

    def __init__(self, data: bytes, uri: str) -> None:
        self._uri = uri
        self._archive = Archive(data, uri)
        self._warnings: list[str] = []
        self._objects: set[str] = set()

    def parsed(self, media_type: str) -> Parsed:
        content = self._content()
        handler = Content(self._styles(), self._object)
        stream(content, handler, self._uri, part="content.xml")
        writer = Writer()
        write(handler.pieces(), writer)
        title, metadata = self._metadata()
        return writer.parsed(media_type, title=title, metadata=metadata, warnings=self._warnings)

    def _content(self) -> bytes:
        manifest = self._archive.find("META-INF/manifest.xml") or b""
        is_encrypted = b"encryption-data" in manifest
        content = self._archive.find("content.xml")
        if content is not None and not (is_encrypted and not _is_xml(content)):
            return content
        if is_encrypted:
            raise ParseError(
                self._uri,
                "the file is encrypted and needs a password",
                hint="save a copy without the password",
                code="encrypted",
            )
        message = "the file is damaged: it has no content.xml"
        raise ParseError(self._uri, message, hint="open and save it again", code="corrupt")

    def _styles(self) -> Styles:
        styles = Styles()
        try:
            if data := self._archive.find("styles.xml"):
                stream(data, styles, self._uri, part="styles.xml")
        except ParseError as error:
            self._warnings.append(f"styles could not be read, headings may be missing: {error}")
        return styles

    def _metadata(self) -> tuple[str, dict[str, str]]:
        """Return the title and what else meta.xml says of the file."""
        try:
            data = self._archive.find("meta.xml")
            root = tree(data, self._uri, part="meta.xml") if data else None
        except ParseError as error:
            self._warnings.append(f"title and author could not be read: {error}")
            root = None
        if root is None:
            return "", {}
        found = [(node.name, _line(node.text)) for meta in root.children for node in meta.children]
        texts = [(name, text) for name, text in found if text]
        metadata: dict[str, str] = {}
        for source, key in _METADATA.items():
            value = next((text for name, text in texts if name == source), "")
            if value:
                metadata.setdefault(key, value)
        if keywords := [text for name, text in texts if name == "meta:keyword"]:
            metadata["keywords"] = ", ".join(keywords)
        return next((text for name, text in texts if name == "dc:title"), ""), metadata

    def _object(self, reference: str) -> list[Piece]:
        """Return what an embedded chart or formula says, once for each."""
        name = resolve("content.xml", f"{reference}/content.xml")
        if name not in self._archive or name in self._objects or len(self._objects) >= MAX_OBJECTS:
            return []
        self._objects.add(name)
        handler = Content(Styles(), lambda _: [])
        try:
            stream(self._archive.read(name), handler, self._uri, part=name)
        except ParseError as error:
            self._warnings.append(f"an embedded object was left out: {error}")
            return []
        return handler.pieces()


def write(pieces: Sequence[Piece], writer: Writer) -> None:
    """Write pieces in order; lines of code that follow each other are one block."""
    code: list[str] = []
    for piece in pieces:
        if piece.kind == "code":
            code.append(piece.text)
            continue
        writer.code("\n".join(code))
        code.clear()
        if piece.kind == "page":
            writer.begin_page(piece.level)
        elif piece.kind == "heading":
            writer.title(piece.level, piece.text)
        elif piece.kind == "table":
            writer.table(piece.rows, headers=piece.headers)
        elif piece.kind == "formula":
            writer.write("paragraph", piece.text)
        else:
            writer.write(piece.kind, piece.text)
    writer.code("\n".join(code))


def _is_xml(data: bytes) -> bool:
    return data[:64].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<")


def _line(text: str) -> str:
    return " ".join(clean(text).split())
