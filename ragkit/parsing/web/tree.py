"""The part of a web page that is its content: hidden things, menus, banners and footers dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

# The pruner is wrong when it keeps less than this; the page is then read unpruned. parsing.md A2
KEPT_SHARE = 0.25
BOILERPLATE_SHARE = 0.4  # what holds more of the words is no boilerplate, whatever its class says
MENU_LINKS = 4
MENU_LINK_SHARE = 0.75
MENU_WORDS_PER_LINK = 6

HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_INVISIBLE_TAGS = frozenset(
    "script style noscript template svg iframe object embed canvas audio video map head link meta "
    "button select datalist textarea progress meter dialog annotation annotation-xml".split()
)
_BOILERPLATE_TAGS = frozenset(("nav", "aside", "footer"))
_BOILERPLATE_ROLES = frozenset(
    "navigation complementary contentinfo banner search dialog alertdialog menu menubar toolbar "
    "tablist".split()
)
_BOILERPLATE_NAMES = re.compile(
    r"(?:^|[-_])(?:nav|navbar|navbox|navigation|menu|breadcrumbs?|sidebar|footer|cookies?|consent"
    r"|gdpr|share|sharing|social|newsletter|subscribe|promo|advert|adverts|advertisement|ads?"
    r"|related|recommended|comments?|pagination|pager|skip|skiplink|popup|modal|noprint|catlinks"
    r"|editsection|headerlink|jump-link|screen-reader-text|sr-only|visually-hidden)(?:$|[-_])"
)
_HIDING_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d]*[1-9])"
)
_MENU_TAGS = frozenset(("ul", "ol", "div", "section", "p"))


@dataclass(slots=True, eq=False)
class Element:
    """A visible element. A tree of our own: comparing lexbor's nodes serialises them."""

    tag: str
    attributes: Mapping[str, str]
    children: list[Element | str] = field(default_factory=list)
    words: int = 0
    linked_words: int = 0
    links: int = 0
    headings: int = 0


def build(root: LexborNode) -> Element:
    """Copy what is visible of a tree, and count its words. Iterative: nesting has no limit."""
    top = Element(root.tag or "body", {})
    elements = [top]
    pending = [(root.first_child, top)]
    while pending:
        node, parent = pending.pop()
        if node is None:
            continue
        pending.append((node.next, parent))
        if node.is_text_node:
            text = node.text_content or ""
            parent.children.append(text)
            parent.words += len(text.split())
        elif node.is_element_node and node.tag not in _INVISIBLE_TAGS:
            element = Element(node.tag or "", _attributes(node))
            if not _is_hidden(element):
                parent.children.append(element)
                elements.append(element)
                pending.append((node.first_child, element))
    _count(elements)
    return top


def content(body: Element) -> tuple[Element, frozenset[Element]]:
    """Return the element that holds the content, and those below it to leave out."""
    root = _main(body)
    dropped = _boilerplate(root)
    kept = root.words - sum(element.words for element in dropped)
    if kept < KEPT_SHARE * body.words:
        return body, frozenset()
    return root, dropped


def descendants(root: Element, dropped: frozenset[Element] = frozenset()) -> Iterator[Element]:
    """Yield the elements below a root in document order, without those dropped."""
    pending = [root]
    while pending:
        element = pending.pop()
        if element is not root:
            yield element
        below = [x for x in element.children if isinstance(x, Element) and x not in dropped]
        pending.extend(reversed(below))


def _attributes(node: LexborNode) -> Mapping[str, str]:
    return {name: value or "" for name, value in node.attributes.items()}


def _is_hidden(element: Element) -> bool:
    attributes = element.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden", "").lower() == "true"
        or bool(_HIDING_STYLE.search(attributes.get("style", "").lower()))
    )


def _count(elements: list[Element]) -> None:
    """Add up words, links and headings, children before their parents."""
    for element in reversed(elements):
        for child in element.children:
            if isinstance(child, Element):
                element.words += child.words
                element.linked_words += child.linked_words
                element.links += child.links
                element.headings += child.headings
        if element.tag == "a":
            element.linked_words = element.words
            element.links += 1
        elif element.tag in HEADINGS:
            element.headings += 1


def _main(body: Element) -> Element:
    """Return the main element, the only article, or the body where these hold too little."""
    mains, articles = [], []
    for element in descendants(body):
        if element.tag == "main" or element.attributes.get("role") == "main":
            mains.append(element)
        elif element.tag == "article":
            articles.append(element)
    if not mains and len(articles) == 1:
        mains = articles
    main = max(mains, key=lambda element: element.words, default=body)
    return main if main.words >= KEPT_SHARE * body.words else body


def _boilerplate(root: Element) -> frozenset[Element]:
    dropped = set()
    pending = [root]
    while pending:
        element = pending.pop()
        if element is not root and _is_boilerplate(element, root):
            dropped.add(element)
        else:
            pending += [child for child in element.children if isinstance(child, Element)]
    return frozenset(dropped)


def _is_boilerplate(element: Element, root: Element) -> bool:
    if element.words > BOILERPLATE_SHARE * root.words:
        return False
    attributes = element.attributes
    if element.tag in _BOILERPLATE_TAGS or attributes.get("role", "") in _BOILERPLATE_ROLES:
        return True
    if element.tag == "header" and root.tag == "body" and not element.headings:
        return True
    names = f"{attributes.get('class', '')} {attributes.get('id', '')}".lower().split()
    if any(_BOILERPLATE_NAMES.search(name) for name in names):
        return True
    return _is_menu(element)


def _is_menu(element: Element) -> bool:
    """Whether this is little but short links, with no heading."""
    return (
        element.tag in _MENU_TAGS
        and element.links >= MENU_LINKS
        and not element.headings
        and element.linked_words > MENU_LINK_SHARE * element.words
        and element.words < MENU_WORDS_PER_LINK * element.links
    )
