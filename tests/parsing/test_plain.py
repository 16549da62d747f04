"""Plain text: paragraphs, and headings that can hardly be wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import RagkitError
from tests.parsing.structures import blocks, headings, read

_PIECES = st.sampled_from(
    [
        "A TITLE\n",
        "Text here.\n",
        "\n",
        "====\n",
        "----\n",
        "- a\n",
        "1. One\n",
        "2.1 Two\n",
        " x\n",
    ]
)


def test_paragraphs_are_parted_by_blank_lines() -> None:
    """Hard-wrapped lines stay as they are."""
    parsed = read("one\ntwo\n\nthree\n", "a.txt")
    assert blocks(parsed) == [("paragraph", "one\ntwo"), ("paragraph", "three")]
    assert parsed.title == ""


def test_headings_are_underlined_capitals_or_numbered() -> None:
    """Levels follow the order in which the kinds of heading first appear."""
    parsed = read(
        "THE NOTES\n\ntext\n\n=====\nJUNE\n=====\n\ntext\n\n1. Refunds\n\ntext\n\n"
        "1.1 Late ones\n\ntext\n",
        "a.txt",
    )
    assert headings(parsed) == [
        (1, "THE NOTES"),
        (2, "JUNE"),
        (3, "1. Refunds"),
        (4, "1.1 Late ones"),
    ]
    assert parsed.title == "THE NOTES"


def test_what_is_no_heading() -> None:
    """Sentences, list items with blank lines between, columns and shouting in text are none."""
    source = (
        "Some text.\n\nSTOP AT ONCE!\n\n1. First do this\n\n2. Then do that\n\n"
        "NAME      AGE\n\nWe saw it and\nRAN AWAY\nat once.\n"
    )
    assert headings(read(source, "a.txt")) == []


def test_list_items_are_blocks() -> None:
    """A bullet begins an item anywhere, a number only at the start or after an item."""
    parsed = read("Actions:\n- a\n  b\n- c\n\n1) x\n2) y\n\nIt was\n1986. Rain.\n", "a.txt")
    assert blocks(parsed) == [
        ("paragraph", "Actions:"),
        ("list_item", "- a\n  b"),
        ("list_item", "- c"),
        ("list_item", "1) x"),
        ("list_item", "2) y"),
        ("paragraph", "It was\n1986. Rain."),
    ]


@given(st.lists(_PIECES, min_size=1).map("".join))
def test_any_plain_text_is_covered(source: str) -> None:
    """Headings and blocks hold all of any text, and never overlap."""
    try:
        read(source, "a.txt")
    except RagkitError as error:
        assert error.code == "empty"
