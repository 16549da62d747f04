"""PowerPoint files (.pptx, .pptm, .ppsx) to text, headings and blocks: a page for each slide.

Hidden slides are read as the others: they hold what was kept for questions. Left out: hidden
shapes, dates, footers and slide numbers. The speaker's notes and the comments follow the slide
that they are for, named as such.
"""

from __future__ import annotations

from ragkit.errors import ParseError
from ragkit.parsing.ooxml.bullets import Inherited
from ragkit.parsing.ooxml.content import Content, ContentWriter, Paragraph, one_line
from ragkit.parsing.ooxml.package import Package
from ragkit.parsing.ooxml.slides import SlideReader
from ragkit.parsing.structure import Parsed
from ragkit.parsing.xml_events import Node

_MAIN = "ppt/presentation.xml"
_AUTHORS = frozenset(("p:cmAuthor", "author"))  # of PowerPoint before 2021, and since
_NAME_CHARACTERS = 100
_COMMENTS = frozenset(("p:cm", "cm", "reply"))


def parse(data: bytes, uri: str, media_type: str) -> Parsed:
    """Read a PowerPoint file, slide by slide in the order of the show."""
    package = Package(data, uri)
    presentation = _Presentation(package, package.main_part(_MAIN, "PowerPoint"))
    title, metadata = package.properties()
    presentation.read()
    return presentation.content.writer.parsed(
        media_type, title=title, metadata=metadata, warnings=package.warnings
    )


class _Presentation:
    def __init__(self, package: Package, part: str) -> None:
        self.content = ContentWriter()
        self._package = package
        self._part = part
        self._inherited = Inherited(package)
        self._authors = self._read_authors()
        self._has_title_slide = False

    def read(self) -> None:
        slides = self._slides()
        read = [self._read_slide(number, part) for number, part in enumerate(slides, 1)]
        if slides and not any(read):
            raise ParseError(
                self._package.uri,
                f"the file is damaged: {self._package.warnings[-1]}",
                hint="open and save it again",
                code="corrupt",
            )

    def _slides(self) -> list[str]:
        """Return the parts of the slides in the order of the show, each once."""
        relations = self._package.relations(self._part)
        slides = self._package.main_tree(self._part).all("p:sldId")
        ids = [slide.attributes.get("r:id", "") for slide in slides]
        return list(dict.fromkeys(relations[id_].part for id_ in ids if id_ in relations))

    def _read_slide(self, number: int, part: str) -> bool:
        """Write a slide with its notes and comments; say whether it could be read."""
        self.content.writer.begin_page(number)
        slide = SlideReader(self._package, part, self._inherited)
        if not self._package.stream_optional(part, slide):
            return False
        level = 2 if self._has_title_slide else 1
        if slide.is_title_slide:
            level, self._has_title_slide = 1, True
        self.content.write(Paragraph("heading", title, level) for title in slide.titles)
        self.content.write(slide.contents)
        self.content.write(self._notes(part))
        self.content.write(self._comments(part))
        return True

    def _notes(self, slide: str) -> list[Content]:
        for part in self._package.related(slide, "notesSlide")[:1]:
            notes = SlideReader(self._package, part, self._inherited)
            if self._package.stream_optional(part, notes) and notes.bodies:
                return [Paragraph("paragraph", "Speaker notes:"), *notes.bodies]
        return []

    def _comments(self, slide: str) -> list[Content]:
        contents: list[Content] = []
        for part in self._package.related(slide, "comments"):
            root = self._package.tree(part)
            nodes = [root] if root else []
            while nodes:
                node = nodes.pop()
                nodes += reversed(node.children)
                if node.name in _COMMENTS and (text := _comment_text(node)):
                    author = self._authors.get(node.attributes.get("authorId", ""), "")
                    date = (node.attributes.get("dt") or node.attributes.get("created", ""))[:10]
                    by = f" by {author}" if author else ""
                    on = f", {one_line(date)}" if date else ""
                    contents.append(Paragraph("paragraph", f"Comment{by}{on}: {text}"))
        return contents

    def _read_authors(self) -> dict[str, str]:
        authors = {}
        for kind in ("commentAuthors", "authors"):
            root = self._package.related_tree(self._part, kind)
            for node in root.children if root else ():
                if node.name in _AUTHORS:
                    name = one_line(node.attributes.get("name", ""))[:_NAME_CHARACTERS]
                    authors[node.attributes.get("id", "")] = name
        return authors


def _comment_text(node: Node) -> str:
    """Return the text of a comment without that of its replies."""
    texts = []
    for child in node.children:
        if child.name == "p:text":
            texts.append(child.text)
        elif child.name == "txBody":
            texts += ["".join(t.text for t in p.all("a:t")) for p in child.all("a:p")]
    return one_line(" ".join(texts))
