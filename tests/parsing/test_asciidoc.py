"""AsciiDoc: what the line scanner makes of each construct."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.parsing.structures import blocks, headings, read

_PIECES = st.sampled_from(
    "= Title;== Section;Section;-------;----;....;====;****;____;--;////;|===;|a |b;,===;a,b;|c"
    ";[source,sh];[%header];[[id]];.Title;* item;. one;term:: x;+;:name: value;// c;text; literal"
    ";include::x[];NOTE: x;```;'''".split(";")
).map(lambda line: line + "\n")


def test_title_and_sections() -> None:
    """One sign more is one level deeper; both signs and both forms are headings."""
    text = "= Guide\n\n== One *bold* ==\n\n# Not two\n\nOld\n---\n\n=== Deep <<x,ref>>\n"
    parsed = read(text, "a.adoc")
    assert parsed.title == "Guide"
    assert headings(parsed) == [
        (1, "Guide"),
        (2, "One bold"),
        (1, "Not two"),
        (2, "Old"),
        (3, "Deep ref"),
    ]


def test_header_is_metadata() -> None:
    """Author line, revision line and attributes are metadata and front matter."""
    text = (
        "// licence\n= The {product} Guide\nAnn Smith <a@b.c>\nv1.2, 2024-01-02: new\n"
        ":product: Widget\n:description: All \\\n  about it\n:toc:\n\nText.\n"
    )
    parsed = read(text, "a.adoc")
    assert parsed.title == "The Widget Guide"
    assert parsed.metadata == {
        "author": "Ann Smith",
        "email": "a@b.c",
        "version": "1.2",
        "date": "2024-01-02",
        "description": "All about it",
    }
    assert [kind for kind, _ in blocks(parsed)] == ["front_matter"] * 6 + ["paragraph"]


def test_attributes_are_put_in_once() -> None:
    """An attribute that names attributes isn't looked into: no bomb grows in a title."""
    text = ":a: {b}{b}\n:b: {a}{a}\n\n= T {a}\n"
    assert read(text, "a.adoc").title == "T {b}{b}"


def test_code_of_all_forms() -> None:
    """Listings, literals, fences, indented and source paragraphs are code with their title."""
    text = (
        ".Hello\n[source,python]\n----\n== no\n\nx = 1\n----\n\n....\ny\n....\n\n```sh\nls\n```\n\n"
        "[source,sh]\necho hi\n\n literal\n here\n\n----\nunclosed\n"
    )
    assert blocks(read(text, "a.adoc")) == [
        ("code", ".Hello\n[source,python]\n----\n== no\n\nx = 1\n----"),
        ("code", "....\ny\n...."),
        ("code", "```sh\nls\n```"),
        ("code", "[source,sh]\necho hi"),
        ("code", " literal\n here"),
        ("code", "----\nunclosed"),
    ]


def test_table_with_rows_on_lines() -> None:
    """A blank line below the first row, or an option, makes it the header."""
    text = '|===\n|a |b\n\n|1 |2\n|3 |4\n|===\n\n[options="header"]\n|===\n|a |b\n|1 |2\n|===\n'
    assert blocks(read(text, "a.adoc")) == [
        ("table_header", "|===\n|a |b"),
        ("table_row", "|1 |2"),
        ("table_row", "|3 |4\n|==="),
        ("table_header", '[options="header"]\n|===\n|a |b'),
        ("table_row", "|1 |2\n|==="),
    ]


def test_table_with_a_cell_a_line() -> None:
    """Rows are full when they have as many cells as there are columns."""
    text = '.T\n[cols="1,2"]\n|===\n|1\n|2\n|3\na|\n* list\n2+|wide\n|5 |6\n|===\n'
    assert blocks(read(text, "a.adoc")) == [
        ("table_row", '.T\n[cols="1,2"]\n|===\n|1\n|2'),
        ("table_row", "|3\na|\n* list"),
        ("table_row", "2+|wide"),
        ("table_row", "|5 |6\n|==="),
    ]


def test_header_by_cell_style_and_csv() -> None:
    """A first row of header cells is a header; CSV tables have a row a line."""
    text = "|===\nh|a h|b\n|1 |2\n|===\n\n[%header]\n,===\na,b\n1,2\n,===\n"
    kinds = [kind for kind, _ in blocks(read(text, "a.adoc"))]
    assert kinds == ["table_header", "table_row", "table_header", "table_row"]


def test_lists_of_all_forms() -> None:
    """Bullets, numbers, labels; a line of `+` and what it joins."""
    text = (
        "* one\nmore\n** two\n. three\nlabel:: four\nother::\n  five\n- six\n+\n"
        "----\ncode\n----\n+\njoined\n"
    )
    assert blocks(read(text, "a.adoc")) == [
        ("list_item", "* one\nmore"),
        ("list_item", "** two"),
        ("list_item", ". three"),
        ("list_item", "label:: four"),
        ("list_item", "other::\n  five"),
        ("list_item", "- six\n+"),
        ("code", "----\ncode\n----\n+"),
        ("paragraph", "joined"),
    ]


def test_examples_and_quotes_are_read() -> None:
    """Delimiters and attributes go with the first and last block between them."""
    text = "[NOTE]\n====\nOne.\n\n* two\n====\n\n[quote,Ann]\n____\nThree.\n____\n\n--\n--\n"
    assert blocks(read(text, "a.adoc")) == [
        ("paragraph", "[NOTE]\n====\nOne."),
        ("list_item", "* two\n===="),
        ("paragraph", "[quote,Ann]\n____\nThree.\n____"),
        ("paragraph", "--\n--"),
    ]


def test_anchor_goes_with_its_section() -> None:
    """The lines above a section that name it belong to its heading; comments don't."""
    parsed = read("text\n\n[[one]]\n== One\n\n// c\n== Two\n", "a.adoc")
    spans = [parsed.text[h.span.start : h.span.end] for h in parsed.headings]
    assert spans == ["[[one]]\n== One", "== Two"]
    assert blocks(parsed) == [("paragraph", "text"), ("paragraph", "// c")]


def test_macros_and_comments_are_text() -> None:
    """Includes, pictures and comments stay, and hide no section."""
    text = "include::a.adoc[]\nimage::b.png[]\n////\n== no\n////\n\nText footnote:[A note].\n"
    parsed = read(text, "a.adoc")
    assert headings(parsed) == []
    assert [kind for kind, _ in blocks(parsed)] == ["paragraph"] * 4


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_mix_of_constructs_is_well_formed(text: str) -> None:
    """Whatever the lines, blocks and headings cover the text and don't overlap."""
    if text.strip():
        read(text, "a.adoc")
