"""What a chapter of a book is besides a page of HTML: its notes, its page numbers, its title."""

from __future__ import annotations

from ragkit.parsing.web.tree import Element, descendants

MARK_CHARACTERS = 5  # of a reference to a note: "12", "*", "[3]"
TITLE_PLACES = 20  # elements from the beginning on in which the title of a chapter may stand
MOSTLY = 0.5

_NOTES = frozenset(
    "footnote footnotes endnote endnotes rearnote rearnotes doc-footnote doc-endnote "
    "doc-endnotes".split()
)
_REFERENCES = frozenset(("noteref", "doc-noteref"))
_DROPPED = frozenset(("pagebreak", "doc-pagebreak", "backlink", "doc-backlink"))
_BLOCKS = frozenset(("p", "div"))


class Chapter:
    """A chapter's tree, ready to be rendered.

    `dropped` are menus, numbers of printed pages and links back from notes. Without a heading of
    its own the chapter takes `label`, its name in the table of contents.
    """

    def __init__(self, root: Element, *, label: str) -> None:
        self.root = root
        dropped, notes = set(), set()
        for element in (root, *descendants(root)):
            kinds = _kinds(element)
            if element.tag == "nav" or kinds & _DROPPED:
                dropped.add(element)
            elif kinds & _NOTES:
                notes.add(element)
            elif kinds & _REFERENCES or _is_reference(element):
                _mark(element)
        self.dropped = frozenset(dropped)
        self.notes = frozenset(notes)
        if label and root.words and not root.headings:
            self._entitle(label)

    @property
    def is_mostly_links(self) -> bool:
        return self.root.linked_words > MOSTLY * self.root.words

    def _entitle(self, label: str) -> None:
        """Make the paragraph that holds the label a heading, or put one before the chapter."""
        for at, element in enumerate(descendants(self.root)):
            if at == TITLE_PLACES:
                break
            alone = not any(isinstance(x, Element) and x.tag in _BLOCKS for x in element.children)
            if element.tag in _BLOCKS and alone and _key(_text(element)) == _key(label):
                element.tag = "h1"
                return
        self.root.children.insert(0, Element("h1", {}, [label]))


def _kinds(element: Element) -> set[str]:
    attributes = element.attributes
    if not attributes:
        return set()
    return {*attributes.get("epub:type", "").split(), *attributes.get("role", "").split()}


def _is_reference(element: Element) -> bool:
    """Whether this is a raised link, as books before EPUB 3 refer to notes."""
    if element.tag not in ("sup", "a"):
        return False
    below = [x for x in element.children if isinstance(x, Element) or x.strip()]
    if len(below) != 1 or not isinstance(below[0], Element):
        return False
    link, raised = (element, below[0]) if element.tag == "a" else (below[0], element)
    return (
        link.tag == "a"
        and raised.tag == "sup"
        and "#" in link.attributes.get("href", "")
        and 0 < len(_text(element).strip()) <= MARK_CHARACTERS
    )


def _mark(element: Element) -> None:
    """Let a reference to a note stand apart from the word before it."""
    mark = _text(element).strip().strip("[]()")
    if 0 < len(mark) <= MARK_CHARACTERS:
        element.children = [f"[^{mark}]"]


def _text(element: Element) -> str:
    pieces: list[str] = []
    stack: list[Element | str] = [element]
    while stack:
        at = stack.pop()
        if isinstance(at, str):
            pieces.append(at)
        else:
            stack.extend(reversed(at.children))
    return "".join(pieces)


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
