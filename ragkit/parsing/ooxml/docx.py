"""Word files (.docx, .docm, .dotx) to text, headings and blocks.

Left out: deleted and hidden text, field instructions, the placeholders of empty controls; page
headers and footers, which would be found for every page; comments, which are not the document's
own words.
"""

from __future__ import annotations

from collections.abc import Mapping

from ragkit.parsing.ooxml.content import Content, ContentWriter, Paragraph, flat
from ragkit.parsing.ooxml.numbering import Numbering
from ragkit.parsing.ooxml.package import Package
from ragkit.parsing.ooxml.paragraphs import ParagraphFinisher
from ragkit.parsing.ooxml.story import StoryReader
from ragkit.parsing.ooxml.styles import Styles
from ragkit.parsing.structure import Parsed, Writer

_MAIN = "word/document.xml"
_NOTES = {"footnotes": "w:footnote", "endnotes": "w:endnote"}  # kind of part -> its elements


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a Word file. Its pages are not known: where they end is decided when it is shown."""
    package = Package(data, uri)
    part = package.main_part(_MAIN, "Word")
    title, metadata = package.properties()
    document = _Document(package, part)
    writer = document.read()
    return writer.parsed(
        media_type, title=title or document.title, metadata=metadata, warnings=package.warnings
    )


class _Document:
    """Writes the main part as it is read, and notes at the end of the section they belong to."""

    def __init__(self, package: Package, part: str) -> None:
        self._package = package
        self._part = part
        self._paragraphs = ParagraphFinisher(
            Styles(package.related_tree(part, "styles")),
            Numbering(package.related_tree(part, "numbering")),
        )
        self.title = ""
        self._content = ContentWriter()
        self._due: list[Paragraph] = []  # notes that were referred to and not yet written
        self._numbers: dict[tuple[str, str], int] = {}
        self._notes: dict[tuple[str, str], str] = {}

    def read(self) -> Writer:
        for kind in _NOTES:
            self._read_notes(kind)
        story = StoryReader(
            self._package, self._part, self._paragraphs, emit=self._emit, refer=self._refer
        )
        self._package.stream(self._part, story)
        self._write_notes()
        self.title = self._paragraphs.title
        self._warn_of_chunks()
        return self._content.writer

    def _emit(self, content: Content) -> None:
        if isinstance(content, Paragraph) and content.kind == "heading":
            self._write_notes()
        self._content.write((content,))

    def _refer(self, kind: str, note: str) -> str:
        """Return the mark of a reference to a note, which is then due."""
        key = (kind, note)
        text = self._notes.get(key, "")
        if not text:
            return ""
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers) + 1
            self._due.append(Paragraph("footnote", f"[^{self._numbers[key]}]: {text}"))
        return f"[^{self._numbers[key]}]"

    def _write_notes(self) -> None:
        self._content.write(self._due)
        self._content.flush()
        self._due.clear()

    def _read_notes(self, kind: str) -> None:
        for part in self._package.related(self._part, kind)[:1]:
            reader = _NotesReader(_NOTES[kind], self._package, part, self._paragraphs)
            self._package.stream_optional(part, reader)
            self._notes |= {(kind, note): text for note, text in reader.notes.items()}

    def _warn_of_chunks(self) -> None:
        if self._package.related(self._part, "aFChunk"):
            self._package.warnings.append(
                "a document embedded in this one was left out: open and save it in Word to merge it"
            )


class _NotesReader:
    """Reads the part of the footnotes or endnotes: the text of each by its id."""

    def __init__(
        self, element: str, package: Package, part: str, paragraphs: ParagraphFinisher
    ) -> None:
        self.notes: dict[str, str] = {}
        self._element = element
        self._contents: list[Content] = []
        self._story = StoryReader(
            package, part, paragraphs, emit=self._contents.append, refer=lambda kind, note: ""
        )
        self._note = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == self._element:
            # Separators are notes by their element only.
            is_note = attributes.get("w:type", "normal") == "normal"
            self._note = attributes.get("w:id", "") if is_note else ""
            self._contents.clear()
        else:
            self._story.start(name, attributes)

    def end(self, name: str) -> None:
        if name != self._element:
            self._story.end(name)
        elif self._note and (text := flat(self._contents)):
            self.notes[self._note] = text

    def text(self, text: str) -> None:
        self._story.text(text)
