"""EPUB: the order of chapters, what a book adds to HTML, and which books are refused."""

from __future__ import annotations

import io
import time
import zipfile

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import Parsed
from tests.parsing.structures import blocks, headings, read

_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>'
)
_XHTML = "application/xhtml+xml"


def zipped(members: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def page(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title/></head><body>{body}</body></html>'
    )


def package(items: str, spine: str, *, metadata: str = "", guide: str = "") -> str:
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:opf="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{metadata}</metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine><guide>{guide}</guide></package>"
    )


def item(name: str, *, kind: str = _XHTML, properties: str = "") -> str:
    return f'<item id="{name}" href="{name}" media-type="{kind}" properties="{properties}"/>'


def book(chapters: dict[str, str], *, metadata: str = "", **more: str) -> Parsed:
    """Read a book of chapters by name, in their order, with other members of the archive."""
    items = "".join(item(name) for name in chapters) + more.pop("items", "")
    spine = "".join(f'<itemref idref="{name}"/>' for name in chapters)
    guide = more.pop("guide", "")
    members = {
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/content.opf": package(items, spine, metadata=metadata, guide=guide),
        **{f"OEBPS/{name}": page(body) for name, body in chapters.items()},
        **{name.replace("__", "/").replace("_dot_", "."): data for name, data in more.items()},
    }
    return read(zipped(members), "a.epub")


def test_chapters_are_read_in_the_order_of_the_spine() -> None:
    """Not in that of the archive or the manifest; what is out of line comes last, each once."""
    names = ["c.xhtml", "a.xhtml", "b.xhtml"]
    items = "".join(map(item, names)) + item("cover.svg", kind="image/svg+xml")
    spine = (
        '<itemref idref="a.xhtml" linear="no"/><itemref idref="cover.svg"/>'
        '<itemref idref="b.xhtml"/><itemref idref="c.xhtml"/><itemref idref="b.xhtml"/>'
    )
    members = {
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/content.opf": package(items, spine),
        **{f"OEBPS/{name}": page(f"<h1>{name[0]}</h1><p>text</p>") for name in names},
    }
    parsed = read(zipped(members), "a.epub")
    assert headings(parsed) == [(1, "b"), (1, "c"), (1, "a")]
    assert parsed.warnings == ()


def test_a_chapter_is_not_pruned() -> None:
    """Lists of links, sidebars and footers are the book's own; menus and page numbers aren't."""
    links = "".join(f"<li><a href='x{n}'>Topic {n}</a></li>" for n in range(9))
    parsed = book(
        {
            "a.xhtml": f"<h1>Index</h1><ul>{links}</ul><aside>A sidebar</aside>"
            '<p>one<span epub:type="pagebreak" title="7">7</span> word</p>'
            "<footer>The end</footer><nav><ol><li>Menu</li></ol></nav>"
        }
    )
    assert "Topic 8" in parsed.text
    assert parsed.text.endswith("A sidebar\n\none word\n\nThe end")


def test_empty_elements_of_xhtml_do_not_swallow_the_rest() -> None:
    """<title/>, <script/> and <a/> are closed in XHTML, and open in HTML."""
    parsed = book({"a.xhtml": '<script src="x.js"/><h1><a id="one"/>One</h1><p/><div>text</div>'})
    assert parsed.text == "# One\n\ntext"


def test_notes_are_footnotes() -> None:
    """References stand apart from their word, links back are left out."""
    parsed = book(
        {
            "a.xhtml": '<p>Fares<a epub:type="noteref" href="#n1">1</a> rose'
            '<sup><a href="n.xhtml#n2">2</a></sup>.</p>'
            '<aside epub:type="footnote" id="n1"><p>1. In May. '
            '<a epub:type="backlink" href="#r1">back</a></p></aside>',
            "n.xhtml": '<section epub:type="endnotes"><h2>Notes</h2><ol><li id="n2">By half.</li>'
            "</ol></section>",
        }
    )
    assert blocks(parsed) == [
        ("paragraph", "Fares[^1] rose[^2]."),
        ("footnote", "1. In May."),
        ("footnote", "1. By half."),
    ]
    assert headings(parsed) == [(2, "Notes")]


def test_table_of_contents_is_left_out_and_names_chapters() -> None:
    """A chapter without headings is called what the contents call it, and not twice."""
    nav = page(
        '<h1>Contents</h1><nav epub:type="toc"><ol><li><a href="a.xhtml">The Ferry</a></li>'
        '<li><a href="b.xhtml#start">Chapter  II</a></li><li><a href="c.xhtml">No</a></li>'
        "</ol></nav>"
    )
    parsed = book(
        {
            "nav.xhtml": "",
            "a.xhtml": "<p>It left.</p>",
            "b.xhtml": '<div><p class="t">Chapter II</p><p>It came.</p></div>',
            "c.xhtml": "<h2>Yes</h2>",
        },
        items=item("nav.xhtml", properties="nav"),
        OEBPS__nav_dot_xhtml=nav,
    )
    assert parsed.text == "# The Ferry\n\nIt left.\n\n# Chapter II\n\nIt came.\n\n## Yes"


def test_ncx_names_chapters_too() -> None:
    """The contents of EPUB 2, which declare a document type that nothing is fetched for."""
    ncx = (
        '<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://x/y.dtd">'
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><docTitle><text>Book</text></docTitle>'
        "<navMap><navPoint><navLabel><text>One</text></navLabel>"
        '<content src="a.html"/></navPoint></navMap></ncx>'
    )
    parsed = book(
        {"a.html": "<p>text</p>"},
        items=item("toc.ncx", kind="application/x-dtbncx+xml"),
        OEBPS__toc_dot_ncx=ncx,
    )
    assert parsed.text == "# One\n\ntext"


def test_pages_of_contents_are_left_out_where_they_are_but_links() -> None:
    """The guide of EPUB 2 names the page of contents; a page with a text of its own is kept."""
    contents = "<h1>Contents</h1>" + "<p><a href='a.html'>The first of chapters</a></p>" * 3
    guide = '<reference type="toc" href="toc.html"/>'
    parsed = book({"toc.html": contents, "a.html": "<h1>One</h1>"}, guide=guide)
    assert parsed.text == "# One"
    parsed = book({"toc.html": "<p>All in one page</p>"}, guide=guide)
    assert parsed.text == "All in one page"


def test_metadata_is_that_of_the_package() -> None:
    """Escaped HTML in a description is taken out; several authors are all named."""
    parsed = book(
        {"a.xhtml": "<h1>Chapter 1</h1>"},
        metadata="<dc:title>The  Ferry</dc:title><dc:title>A subtitle</dc:title>"
        "<dc:creator>Ann</dc:creator><dc:creator>Bob</dc:creator><dc:language>en</dc:language>"
        '<dc:date opf:event="creation">2001</dc:date>'
        '<dc:date opf:event="publication">2002</dc:date><dc:publisher>Quay</dc:publisher>'
        "<dc:description>&lt;p&gt;Of &lt;i&gt;ships&lt;/i&gt;&lt;/p&gt;</dc:description>"
        "<dc:subject>Ferries</dc:subject><dc:subject>Islands</dc:subject>",
    )
    assert parsed.title == "The Ferry"
    assert dict(parsed.metadata) == {
        "author": "Ann, Bob",
        "date": "2002",
        "language": "en",
        "publisher": "Quay",
        "description": "Of ships",
        "subject": "Ferries, Islands",
    }


def test_chapters_outside_of_the_archive_are_skipped() -> None:
    """A reference that climbs out names no file: nothing but the archive is read."""
    parsed = book({"../../../../etc/passwd": "", "a.xhtml": "<p>inside</p>"})
    assert parsed.text == "inside"
    assert parsed.warnings == ("1 of 2 chapters are not in the book: etc/passwd",)


def test_chapters_nested_too_deeply_are_read_without_structure() -> None:
    """One chapter doesn't cost the others their time."""
    start = time.process_time()
    parsed = book({"a.xhtml": "<div>" * 50_000 + "deep", "b.xhtml": "<h1>Next</h1>"})
    assert parsed.text == "deep\n\n# Next"
    assert "a.xhtml" in parsed.warnings[0]
    assert time.process_time() - start < 5


def test_many_references_to_a_chapter_are_one() -> None:
    """The spine can't multiply a book."""
    spine = '<itemref idref="a.xhtml"/>' * 50_000
    members = {
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/content.opf": package(item("a.xhtml"), spine),
        "OEBPS/a.xhtml": page("<p>once</p>"),
    }
    assert read(zipped(members), "a.epub").text == "once"


def _encryption(algorithm: str, name: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        f'<enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData>'
        f'<enc:CipherReference URI="{name}"/></enc:CipherData></enc:EncryptedData></encryption>'
    )


def test_encrypted_books_are_refused() -> None:
    """Scrambled fonts are no encryption, and neither are encrypted pictures."""
    scrambled = _encryption("http://www.idpf.org/2008/embedding", "OEBPS/a.xhtml")
    picture = _encryption("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "OEBPS/a.png")
    chapters = {"a.xhtml": "<p>text</p>"}
    for harmless in (scrambled, picture):
        parsed = book(chapters, **{"META-INF__encryption_dot_xml": harmless})
        assert parsed.text == "text"
    with pytest.raises(ParseError) as error:
        book(chapters, **{"META-INF__encryption_dot_xml": picture.replace("a.png", "a.xhtml")})
    assert error.value.code == "encrypted"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"mimetype": "application/epub+zip"}, "corrupt"),
        ({"META-INF/container.xml": _CONTAINER}, "corrupt"),
        ({"META-INF/container.xml": _CONTAINER, "OEBPS/content.opf": "<package>"}, "corrupt"),
        (
            {
                "META-INF/container.xml": _CONTAINER,
                "OEBPS/content.opf": package("", '<itemref idref="a"/>'),
            },
            "corrupt",
        ),
        (
            {
                "META-INF/container.xml": _CONTAINER,
                "OEBPS/content.opf": "<!DOCTYPE x [<!ENTITY a 'b'>]><package/>",
            },
            "forbidden-xml",
        ),
    ],
)
def test_books_that_cannot_be_read_say_why(members: dict[str, str], code: str) -> None:
    """Without container, package or chapters there is no book."""
    with pytest.raises(ParseError) as error:
        read(zipped(members), "a.epub")
    assert error.value.code == code
