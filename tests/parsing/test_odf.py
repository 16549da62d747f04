"""OpenDocument: what is read of texts and presentations, and which files are refused."""

from __future__ import annotations

import io
import time
import zipfile

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import Parsed
from tests.parsing.structures import blocks, headings, read

_NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "presentation": "presentation",
        "style": "style",
        "meta": "meta",
        "svg": "svg-compatible",
        "chart": "chart",
    }.items()
)
_NAMESPACES += (
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
)
_BULLETS_AND_NUMBERS = (
    '<text:list-style style:name="B">'
    '<text:list-level-style-bullet text:level="1" text:bullet-char="•"/></text:list-style>'
    '<text:list-style style:name="N">'
    '<text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>'
    '<text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/>'
    "</text:list-style>"
)


def zipped(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def content(body: str, *, kind: str = "text", automatic: str = "") -> str:
    return (
        f"<office:document-content {_NAMESPACES}>"
        f"<office:automatic-styles>{automatic}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
        "</office:document-content>"
    )


def odt(body: str, *, automatic: str = "", **members: str) -> Parsed:
    files: dict[str, str | bytes] = {"content.xml": content(body, automatic=automatic)}
    named = {"styles": "styles.xml", "meta": "meta.xml", "object": "Object 1/content.xml"}
    files.update({named[name]: data for name, data in members.items()})
    return read(zipped(files), "a.odt")


def odp(body: str) -> Parsed:
    return read(zipped({"content.xml": content(body, kind="presentation")}), "a.odp")


def paragraph(text: str, style: str = "Standard") -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def test_headings_have_the_level_of_their_outline() -> None:
    """A heading is a heading by its element, whatever its style."""
    parsed = odt(
        '<text:h text:outline-level="1">One</text:h><text:p>Text</text:p>'
        '<text:h text:outline-level="3">Three</text:h><text:h>None</text:h>'
    )
    assert headings(parsed) == [(1, "One"), (3, "Three"), (1, "None")]
    assert parsed.text == "# One\n\nText\n\n### Three\n\n# None"
    assert parsed.title == "One"


def test_paragraphs_are_headings_by_style() -> None:
    """A style counts with its parents, those of styles.xml and those that no file defines."""
    styles = (
        f"<office:document-styles {_NAMESPACES}><office:styles>"
        '<style:style style:name="Big" style:family="paragraph" style:default-outline-level="4"/>'
        '<style:style style:name="Heading_20_2" style:display-name="Heading 2" '
        'style:family="paragraph"/></office:styles><office:automatic-styles>'
        '<style:style style:name="P9" style:family="paragraph" '
        'style:parent-style-name="Heading_20_2"/></office:automatic-styles>'
        "</office:document-styles>"
    )
    automatic = (
        '<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>'
        '<style:style style:name="P2" style:family="paragraph" '
        'style:parent-style-name="Heading_20_2"/>'
        '<style:style style:name="P3" style:family="text" style:parent-style-name="Big"/>'
    )
    body = (
        paragraph("Named", "P1")
        + paragraph("Second", "P2")
        + paragraph("Fourth", "Big")
        + paragraph("Third", "Heading_20_3")
        + paragraph("Of the page's footer", "P9")
        + paragraph("Of characters", "P3")
    )
    parsed = odt(body, automatic=automatic, styles=styles)
    assert headings(parsed) == [(1, "Named"), (2, "Second"), (4, "Fourth"), (3, "Third")]


def test_white_space_is_that_of_the_elements() -> None:
    """Runs of white space are one space; tabs and spaces are elements, breaks are lines."""
    parsed = odt(
        "<text:p>One\n   two<text:s text:c='3'/>three<text:tab/>four<text:line-break/>five"
        "<text:soft-page-break/> six</text:p>"
    )
    assert parsed.text == "One two three four\nfive six"


def test_lists_are_nested_and_numbered_by_their_style() -> None:
    """Items count as their list style says, also where a list goes on behind another text."""
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    inner = "<text:list>" + item.format("deep", "") + "</text:list>"
    parsed = odt(
        '<text:list text:style-name="N">'
        + item.format("one", "<text:p>more</text:p>")
        + item.format("two", inner)
        + '</text:list><text:p>between</text:p><text:list text:style-name="N" '
        'text:continue-numbering="true">'
        + item.format("three", "")
        + '</text:list><text:list text:style-name="B">'
        + item.format("dot", inner)
        + "</text:list>",
        automatic=_BULLETS_AND_NUMBERS,
    )
    assert parsed.text == (
        "1. one\n\n   more\n\n2. two\n   a) deep\n\nbetween\n\n3. three\n- dot\n  - deep"
    )
    assert blocks(parsed)[:2] == [("list_item", "1. one"), ("paragraph", "more")]


def test_tables_have_headers_and_spans() -> None:
    """Header rows are known, covered cells filled as in HTML tables, repeats written out."""
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"
    covered = "<table:covered-table-cell/>"
    rows = [
        cell.format("", "A") + cell.format(' table:number-columns-spanned="2"', "B") + covered,
        cell.format(' table:number-rows-spanned="2"', "x") + cell.format("", "1"),
        covered + cell.format(' table:number-columns-repeated="2"', "2"),
        cell.format("", "") + cell.format("", ""),
    ]
    header, *body = [f"<table:table-row>{row}</table:table-row>" for row in rows]
    parsed = odt(
        f"<table:table><table:table-header-rows>{header}</table:table-header-rows>"
        f"{''.join(body)}</table:table>"
    )
    assert blocks(parsed) == [
        ("table_header", "| A | B | B |"),
        ("table_row", "| x | 1 |"),
        ("table_row", "| x | 2 | 2 |"),
    ]


def test_first_row_is_a_header_by_the_style_of_its_paragraphs() -> None:
    """LibreOffice marks header cells by a paragraph style."""
    cells = "<table:table-row>" + "<table:table-cell>{}</table:table-cell>" * 2
    first = cells.format(paragraph("A", "Table_20_Heading"), paragraph("B", "Table_20_Heading"))
    second = cells.format(paragraph("1"), paragraph("2"))
    parsed = odt(f"<table:table>{first}</table:table-row>{second}</table:table-row></table:table>")
    assert blocks(parsed) == [("table_header", "| A | B |"), ("table_row", "| 1 | 2 |")]


def test_layout_tables_are_read_as_what_is_in_them() -> None:
    """A table with headings in it, or with one column, is no table of data."""
    cell = "<table:table-cell>{}</table:table-cell>"
    row = "<table:table-row>{}</table:table-row>"
    one = row.format(cell.format(paragraph("first") + paragraph("second")))
    two = row.format(cell.format("<text:h>Head</text:h>") + cell.format(paragraph("side")))
    parsed = odt(f"<table:table>{one}</table:table><table:table>{two}</table:table>")
    assert parsed.text == "first\n\nsecond\n\n# Head\n\nside"


def test_repeated_cells_are_bounded() -> None:
    """A file of a few kilobytes can't become gigabytes by repeating a cell."""
    row = (
        '<table:table-row table:number-rows-repeated="1048576">'
        '<table:table-cell table:number-columns-repeated="16384"/>'
        '<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p>'
        "</table:table-cell></table:table-row>"
    )
    start = time.process_time()
    parsed = odt(f"<table:table>{row * 300}</table:table>")
    assert len(parsed.text) < 3_000_000
    assert time.process_time() - start < 5


def test_notes_are_footnotes_below_their_paragraph() -> None:
    """A reference stands in the text, the note behind the paragraph, or behind the table."""
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>7</text:note-citation>'
        "<text:note-body><text:p>Said {}.</text:p></text:note-body></text:note>"
    )
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    parsed = odt(
        f"<text:p>One{note.format('here')} and on.</text:p>"
        f"<text:h>Head{note.format('there')}</text:h>"
        f"<table:table><table:table-row>{cell.format('a' + note.format('inside'))}"
        f"{cell.format('b')}</table:table-row></table:table>"
    )
    assert parsed.text == (
        "One[^1] and on.\n\n[^1]: Said here.\n\n# Head\n\n[^2]: Said there.\n\n"
        "| a[^3] | b |\n\n[^3]: Said inside."
    )
    assert [kind for kind, _ in blocks(parsed)].count("footnote") == 3


def test_comments_are_marked() -> None:
    """A comment isn't the document's own words: it says whose it is."""
    parsed = odt(
        "<text:p>A claim.<office:annotation><dc:creator>Ann</dc:creator>"
        "<dc:date>2026-01-02T03:04:05</dc:date><text:p>Really?</text:p></office:annotation></text:p>"
    )
    assert blocks(parsed) == [
        ("paragraph", "A claim."),
        ("footnote", "[Comment by Ann] Really?"),
    ]


def test_what_is_hidden_or_deleted_is_left_out() -> None:
    """Tracked deletions, hidden text by field, style and section, forms, tables of contents."""
    hidden = (
        '<style:style style:name="{}" style:family="{}">'
        '<style:text-properties text:display="none"/></style:style>'
    )
    parsed = odt(
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>h1</text:p>"
        "</text:deletion></text:changed-region></text:tracked-changes>"
        '<text:p>seen<text:span text:style-name="T1">h2</text:span>'
        '<text:hidden-text text:is-hidden="true">h3</text:hidden-text></text:p>'
        '<text:p text:style-name="P1">h4</text:p>'
        '<text:section text:display="none"><text:p>h5</text:p></text:section>'
        '<text:p>h6<text:hidden-paragraph text:is-hidden="true"/></text:p>'
        "<text:table-of-content><text:index-body><text:p>h7</text:p></text:index-body>"
        "</text:table-of-content><office:forms><text:p>h8</text:p></office:forms>",
        automatic=hidden.format("T1", "text") + hidden.format("P1", "paragraph"),
    )
    assert parsed.text == "seen"


def test_text_boxes_and_images_follow_their_paragraph() -> None:
    """A text box is read behind the paragraph it hangs on, an image by the words for it."""
    parsed = odt(
        "<text:p>Before <draw:frame><draw:text-box><text:p>in a box</text:p>"
        '<text:p><draw:frame><draw:image xlink:href="a.png"/><svg:title>Map</svg:title>'
        "<svg:desc>The harbour from above</svg:desc></draw:frame></text:p>"
        "</draw:text-box></draw:frame>and after.</text:p>"
        '<text:p><draw:frame><draw:image xlink:href="b.png"/></draw:frame></text:p>'
    )
    assert parsed.text == "Before and after.\n\nin a box\n\n[Image: The harbour from above]"


def test_code_is_kept_line_by_line() -> None:
    """Preformatted paragraphs that follow each other are one block, with their indent."""
    parsed = odt(
        paragraph("def f():", "Preformatted_20_Text")
        + paragraph('<text:s text:c="4"/>return 1', "Preformatted_20_Text")
        + paragraph("Done.")
    )
    assert blocks(parsed) == [
        ("code", "```\ndef f():\n    return 1\n```"),
        ("paragraph", "Done."),
    ]


def test_charts_and_formulas_are_read() -> None:
    """The table behind a chart is text, and so is the source of a formula."""
    frame = '<text:p>See <draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>!</text:p>'
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    chart = (
        f"<office:document-content {_NAMESPACES}><office:body><office:chart><chart:chart>"
        "<chart:title><text:p>Fares</text:p></chart:title><table:table><table:table-row>"
        f"{cell.format('2025')}{cell.format('12')}</table:table-row></table:table>"
        "</chart:chart></office:chart></office:body></office:document-content>"
    )
    assert odt(frame, object=chart).text == "See !\n\nFares\n\n| 2025 | 12 |"
    formula = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mi>E</mi>'
        '<annotation encoding="StarMath 5.0">E = m c^2</annotation></semantics></math>'
    )
    assert odt(frame, object=formula).text == "See E = m c^2 !"


def test_metadata_is_that_of_meta_xml() -> None:
    """The title is the file's own; the author is who wrote it first."""
    meta = (
        f"<office:document-meta {_NAMESPACES}><office:meta><dc:title> Fare  rules</dc:title>"
        "<meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator>"
        "<dc:date>2026-01-02T03:04:05</dc:date><meta:creation-date>2020-01-01</meta:creation-date>"
        "<dc:description>About fares</dc:description><meta:keyword>fares</meta:keyword>"
        "<meta:keyword>ferries</meta:keyword></office:meta></office:document-meta>"
    )
    parsed = odt("<text:h>Head</text:h>", meta=meta)
    assert parsed.title == "Fare rules"
    assert dict(parsed.metadata) == {
        "author": "Ann",
        "date": "2026-01-02T03:04:05",
        "description": "About fares",
        "keywords": "fares, ferries",
    }


def test_damaged_styles_and_metadata_are_warnings() -> None:
    """What fails beside the text leaves the text."""
    parsed = odt("<text:p>text</text:p>", meta="<office", styles="<!DOCTYPE x><x/>")
    assert parsed.text == "text"
    assert len(parsed.warnings) == 2


def test_a_slide_is_a_page_under_its_title() -> None:
    """The title comes first, wherever it lies; notes are marked, page numbers left out."""
    frame = (
        '<draw:frame presentation:class="{}"><draw:text-box><text:p>{}</text:p>'
        "</draw:text-box></draw:frame>"
    )
    parsed = odp(
        "<draw:page>"
        + frame.format("outline", "A point")
        + frame.format("title", "First")
        + frame.format("page-number", "17")
        + "<draw:g><draw:custom-shape><text:p>In a shape</text:p></draw:custom-shape></draw:g>"
        + "<presentation:notes><draw:page-thumbnail/>"
        + frame.format("notes", "Say hello")
        + "</presentation:notes></draw:page><draw:page/><draw:page>"
        + frame.format("title", "Third")
        + "</draw:page>"
    )
    assert parsed.text == "# First\n\nA point\n\nIn a shape\n\nNotes: Say hello\n\n# Third"
    assert headings(parsed) == [(1, "First"), (1, "Third")]
    assert [page.number for page in parsed.pages] == [1, 2, 3]
    third = parsed.pages[2].span
    assert parsed.text[third.start : third.end] == "# Third"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"content.xml": b"\x8a\x01", "META-INF/manifest.xml": "<encryption-data/>"}, "encrypted"),
        ({"encrypted-package": b"\x8a", "META-INF/manifest.xml": "encryption-data"}, "encrypted"),
        ({"mimetype": "x"}, "corrupt"),
        ({"content.xml": "<office:body>"}, "corrupt"),
        ({"content.xml": "<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>"}, "forbidden-xml"),
        ({"content.xml": "<a>" * 5000 + "</a>" * 5000}, "too-deep"),
    ],
)
def test_files_that_cannot_be_read_say_why(members: dict[str, str | bytes], code: str) -> None:
    """Encrypted, damaged, dangerous."""
    with pytest.raises(ParseError) as error:
        read(zipped(members), "a.odt")
    assert error.value.code == code
