"""What Word and PowerPoint files share: parts, the relations between them, core properties."""

from __future__ import annotations

import posixpath
import re
import struct
from typing import NamedTuple

from ragkit.errors import ParseError
from ragkit.parsing.archive import Archive, resolve
from ragkit.parsing.xml_events import Handler, Node, stream, tree
from ragkit.text import clean

# Properties by element name, the first of a name counts; dates are cut to the day.
_PROPERTIES = {
    "dc:creator": "author",
    "dc:subject": "subject",
    "dc:description": "description",
    "cp:keywords": "keywords",
    "cp:category": "category",
    "dcterms:created": "created",
    "dcterms:modified": "date",
}
_DATES = frozenset(("created", "date"))
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
# Titles that programs fill in themselves.
_NO_TITLE = re.compile(
    r"(?:power ?point[- ]\S+|\S+ power ?point|(?:word )?document|slide ?1|microsoft word - .*)",
    re.IGNORECASE,
)

_FOLDERS = frozenset(("word", "ppt", "xl", "visio"))  # where programs keep their parts

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_ENTRY_BYTES = 128  # [MS-CFB] 2.6.1; entries begin at multiples of it
_OLE_NAME_LENGTH_AT = 64
_ENCRYPTED = "EncryptedPackage\0".encode("utf-16-le")


def is_encrypted_package(data: bytes) -> bool:
    """Say whether this is an OLE container with an office file encrypted by a password in it."""
    if not data.startswith(_OLE):
        return False
    at = data.find(_ENCRYPTED)
    while at >= 0:
        length = data[at + _OLE_NAME_LENGTH_AT : at + _OLE_NAME_LENGTH_AT + 2]
        if not at % _OLE_ENTRY_BYTES and length == struct.pack("<H", len(_ENCRYPTED)):
            return True
        at = data.find(_ENCRYPTED, at + 1)
    return False


class Relation(NamedTuple):
    """Where a part points: `kind` is the last word of the type, `part` a member's name."""

    kind: str
    part: str


class Package:
    """The parts of an office file. What a part alone costs is told in `warnings`."""

    def __init__(self, data: bytes, uri: str) -> None:
        """Open the container; ParseError "encrypted", "corrupt" or "too-large" if it can't be."""
        if is_encrypted_package(data):
            raise ParseError(
                uri,
                "the file is encrypted and needs a password",
                hint="save a copy without the password",
                code="encrypted",
            )
        self.uri = uri
        self.warnings: list[str] = []
        self._archive = Archive(data, uri)
        self._relations: dict[str, dict[str, Relation]] = {}

    def main_part(self, usual: str, program: str) -> str:
        """Return the name of the main part: what the package says it is, or the usual one."""
        names = [r.part for r in self.relations("").values() if r.kind == "officeDocument"]
        others = _FOLDERS - {usual.split("/", 1)[0]}
        for name in (*names, usual):
            if name in self._archive and name.split("/", 1)[0] not in others:
                return name
        raise ParseError(
            self.uri, f"the file is no {program} file: {usual} is missing in it", code="corrupt"
        )

    def stream(self, part: str, handler: Handler) -> None:
        """Tell a handler of each event of a part that must be there and whole."""
        stream(self._archive.read(part), handler, self.uri, part=part)

    def stream_optional(self, part: str, handler: Handler) -> bool:
        """Tell a handler of each event of a part; say whether it was there and whole."""
        try:
            data = self._archive.find(part)
            if data is not None:
                stream(data, handler, self.uri, part=part)
        except ParseError as exc:
            self._warn(part, exc)
            return False
        return data is not None

    def main_tree(self, part: str) -> Node:
        """Return a small part that must be there and whole as a tree."""
        return tree(self._archive.read(part), self.uri, part=part)

    def tree(self, part: str) -> Node | None:
        """Return a small part as a tree; None where it is missing or damaged."""
        try:
            data = self._archive.find(part)
            return None if data is None else tree(data, self.uri, part=part)
        except ParseError as exc:
            self._warn(part, exc)
            return None

    def relations(self, part: str) -> dict[str, Relation]:
        """Return what a part points at within the file by id; "" is the package itself."""
        if part not in self._relations:
            folder, name = posixpath.split(part)
            root = self.tree(posixpath.join(folder, "_rels", f"{name}.rels"))
            self._relations[part] = _relations(root, part) if root else {}
        return self._relations[part]

    def related(self, part: str, kind: str) -> list[str]:
        """Return the names of the parts that a part points at as `kind`."""
        return [r.part for r in self.relations(part).values() if r.kind == kind]

    def related_tree(self, part: str, kind: str) -> Node | None:
        """Return the part that a part points at as `kind`, as `tree` does."""
        found = self.related(part, kind)
        return self.tree(found[0]) if found else None

    def properties(self) -> tuple[str, dict[str, str]]:
        """Return title and metadata of the core properties; "" and nothing where there are none."""
        parts = self.related("", "core-properties") or ["docProps/core.xml"]
        root = self.tree(parts[0])
        title = ""
        metadata: dict[str, str] = {}
        for node in root.children if root else ():
            value = " ".join(clean(node.text).split())
            if node.name == "dc:title" and not _NO_TITLE.fullmatch(value):
                title = title or value
            key = _PROPERTIES.get(node.name, "")
            if key in _DATES:
                match = _DATE.match(value)
                value = match[0] if match else ""
            if key and value:
                metadata.setdefault(key, value)
        if "created" in metadata:
            metadata.setdefault("date", metadata["created"])
        return title, metadata

    def _warn(self, part: str, error: ParseError) -> None:
        warning = f"{part} was left out: {error}"
        if warning not in self.warnings:
            self.warnings.append(warning)


def _relations(root: Node, part: str) -> dict[str, Relation]:
    """Return the relations to other parts. Those to outside of the file are never followed."""
    found = {}
    for node in root.all("rel:Relationship"):
        attributes = node.attributes
        if attributes.get("TargetMode", "").lower() == "external":
            continue
        name = resolve(part, attributes.get("Target", ""))
        if name:
            kind = attributes.get("Type", "").rstrip("/").rsplit("/", 1)[-1]
            found[attributes.get("Id", "")] = Relation(kind, name)
    return found


def is_on(value: str | None, *, default: bool = True) -> bool:
    """Read an on/off value as OOXML writes it: a missing one means on."""
    if value is None:
        return default
    return value.lower() not in ("0", "false", "off", "none")
