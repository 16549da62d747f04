"""PDF: paragraphs, tables, headings and pages out of positioned text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import ParseError
from ragkit.parsing import Parsed, parse
from ragkit.parsing.pdf_lines import Line
from ragkit.parsing.pdf_text import lay_out
from tests.parsing.structures import assert_well_formed, blocks, headings, read
from tests.pdfs import Text, column, make_pdf

BODY = (
    "The ferry sails at noon from the northern quay and takes an hour, unless",
    "the wind is in the north, when it takes longer and nobody is surprised.",
)


def test_wrapped_lines_are_joined_into_paragraphs() -> None:
    """Lines that were wrapped make one line; a gap parts paragraphs."""
    parsed = read(make_pdf([column(*BODY, "", *BODY)]), "a.pdf")
    assert blocks(parsed) == [("paragraph", " ".join(BODY))] * 2


def test_pages_have_spans() -> None:
    """Every page has its number and the span of its text, an empty one too."""
    parsed = read(make_pdf([column("First page"), [], column("Third page")]), "a.pdf")
    assert [parsed.text[p.span.start : p.span.end] for p in parsed.pages] == [
        "First page",
        "",
        "Third page",
    ]
    assert [page.number for page in parsed.pages] == [1, 2, 3]


def test_running_headers_and_footers_are_dropped() -> None:
    """What stands on most pages, numbers aside, is no text of the document."""
    pages = [
        [Text("Skerry Line", y=810), *column(f"{word} day.", *BODY), Text(f"Page {n} of 4", y=30)]
        for n, word in enumerate(("First", "Second", "Third", "Fourth"), start=1)
    ]
    parsed = read(make_pdf(pages), "a.pdf")
    assert "Skerry Line" not in parsed.text
    assert "Page" not in parsed.text


def test_pages_that_are_all_alike_are_kept() -> None:
    """A page isn't emptied for being like the others."""
    assert read(make_pdf([column("Form 7")] * 5), "a.pdf").text == "\n\n".join(["Form 7"] * 5)


def test_table_rows_stay_on_their_lines() -> None:
    """A label with figures is a row; dates in columns above are its header."""
    rows = [("Products", "63,355", "63,948"), ("Services", "19,604", "(17,486)")]
    cells = [Text("June 25, 2022", 300, 714), Text("June 26, 2021", 420, 714)]
    for n, (label, *figures) in enumerate(rows):
        y = 700 - 12 * n
        cells.append(Text(label, 72, y))
        cells += [Text(figure, 300 + 120 * i, y) for i, figure in enumerate(figures)]
    parsed = read(make_pdf([column(*BODY) + cells]), "a.pdf")
    assert blocks(parsed)[1:] == [
        ("table_header", "June 25, 2022 June 26, 2021"),
        ("table_row", "Products 63,355 63,948"),
        ("table_row", "Services 19,604 (17,486)"),
    ]


def test_list_items_are_blocks() -> None:
    """Bullets and numbers begin items, wrapped lines belong to them."""
    parsed = read(make_pdf([column("1. " + BODY[0], BODY[1], "2. Done.")]), "a.pdf")
    assert [kind for kind, _ in blocks(parsed)] == ["list_item", "list_item"]


def test_headings_come_from_the_outline() -> None:
    """Bookmarks name headings; a numbering in the text may be missing in the outline."""
    page = column("1 Purpose", "", *BODY, "", "2 Scope", "", *BODY)
    parsed = read(make_pdf([page], outline=[("Purpose", 0), ("2 Scope", 0)]), "a.pdf")
    assert headings(parsed) == [(1, "1 Purpose"), (1, "2 Scope")]


def test_headings_come_from_the_font() -> None:
    """Larger or bolder lines that stand alone over text are headings; others aren't."""
    page = [
        Text("The Manual", y=780, size=20),
        Text("Weather", y=740, font="F2"),
        *column(*BODY, top=725),
        Text("Ports", y=680, font="F2"),
        *column(*BODY, "", "short and plain", top=665),
    ]
    parsed = read(make_pdf([page, column(*BODY)]), "a.pdf")
    assert headings(parsed) == [(1, "The Manual"), (2, "Weather"), (2, "Ports")]
    assert parsed.title == "The Manual"


@pytest.mark.parametrize(
    ("information", "title"),
    [
        ({"Title": "Safety Manual"}, "Safety Manual"),
        ({"Title": "Microsoft Word - x.doc"}, ""),
        ({"Title": "scan_001.pdf"}, ""),
        ({"Title": "untitled"}, ""),
        ({"Title": "0000320193-22", "Subject": "Form 10-Q for July"}, "Form 10-Q for July"),
    ],
)
def test_title_is_one_that_a_person_wrote(information: dict[str, str], title: str) -> None:
    """File names and what programs fill in are no titles."""
    assert read(make_pdf([column(*BODY)], information=information), "a.pdf").title == title


def test_columns_are_read_one_after_the_other() -> None:
    """The order of the content is kept; the second column is no continuation of the lines."""
    left = column("Left one ends.", "Left two ends.", x=72)
    right = column("Right one ends.", "Right two ends.", x=320)
    text = read(make_pdf([left + right]), "a.pdf").text
    assert text.index("Left two") < text.index("Right one")


def test_no_text_is_an_error() -> None:
    """A scan isn't indexed as nothing."""
    with pytest.raises(ParseError) as error:
        parse(make_pdf([[], []]), uri="file:///a.pdf", name="a.pdf")
    assert error.value.code == "no-text"


def test_little_text_is_a_warning() -> None:
    """Most of a document with hardly any text is likely pictures."""
    parsed = read(make_pdf([column("Cover"), [], [], []]), "a.pdf")
    assert "very little text" in parsed.warnings[0]


@pytest.mark.parametrize("data", [b"%PDF-1.7\n%%EOF\n", make_pdf([column(*BODY)])[:300]])
def test_damaged_file_is_an_error(data: bytes) -> None:
    """What neither reader opens is corrupt, and says so."""
    with pytest.raises(ParseError) as error:
        parse(data, uri="file:///a.pdf", name="a.pdf")
    assert error.value.code in ("corrupt", "no-text")
    assert error.value.hint


_LINES = st.builds(
    lambda text, left, width, top, height, style, hyphenated: Line(
        text, left, left + width, top, top - height, height, style, hyphenated
    ),
    st.sampled_from(["Net sales 1 2", "A heading", "words that go on", "• item", "3", "(1)", "x:"]),
    st.sampled_from([0.0, 72.0, 300.0]),
    st.sampled_from([0.0, 60.0, 220.0]),
    st.integers(0, 800).map(float),
    st.sampled_from([0.0, 10.0, 14.0]),
    st.sampled_from(["", "bold", "italic"]),
    st.booleans(),
)


@given(st.lists(st.lists(_LINES, max_size=12), min_size=1, max_size=6))
def test_any_arrangement_of_lines_is_covered(pages: list[list[Line]]) -> None:
    """Wherever the lines stand, blocks and headings hold all of the text, pages apart."""
    laid = lay_out(pages, [])
    found = laid.writer
    parsed = Parsed(
        found.text(), "", "", {}, laid.pages, tuple(found.headings), tuple(found.blocks)
    )
    assert_well_formed(parsed)
    assert len(parsed.pages) == len(pages)
