"""reStructuredText: what the line scanner makes of each construct."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.parsing.structures import blocks, headings, read

_PIECES = st.sampled_from(
    "Title|=====|-----|~~~|- item|  - deep|1. one|text::|    code|.. note:: x|..|.. [1] note"
    "|.. _label:|:field: v|   :option: v|>>> x|term|  definition|+--+--+|¦a ¦b ¦|+==+==+"
    "|== ==|a  b|.. list-table::|   * - a|     - b|.. csv-table::|`|*|\t|::|> q".split("|")
).map(lambda line: line.replace("¦", "|") + "\n")


def test_levels_follow_the_order_of_styles() -> None:
    """The first style of adornment is level 1; an overline makes a style of its own."""
    parsed = read("====\nBook\n====\n\nOne\n----\n\nDeep\n~~~~\n\nTwo\n---\n\ntext\n", "a.rst")
    assert headings(parsed) == [(1, "Book"), (2, "One"), (3, "Deep"), (2, "Two")]
    assert parsed.title == "Book"
    assert blocks(parsed) == [("paragraph", "text")]
    first = parsed.headings[0].span
    assert parsed.text[first.start : first.end] == "====\nBook\n===="


def test_titles_have_no_markup() -> None:
    """Roles, links, emphasis and substitutions leave their words."""
    text = (
        ".. |product| replace:: Widget\n\n"
        ":mod:`json` for |product|\n=========================\n\n"
        "See `the *docs* <http://x.y>`_ and ``code`` [1]_\n-----------------------------------\n"
    )
    parsed = read(text, "a.rst")
    assert headings(parsed) == [(1, "json for Widget"), (2, "See the docs and code")]


def test_what_is_no_title() -> None:
    """Transitions, short underlines, long paragraphs and indented text make no heading."""
    text = "A long line of text\n--\n\none\ntwo\n----\n\n----\n\n  quote\n  =====\n"
    assert headings(read(text, "a.rst")) == []


def test_docinfo_is_metadata() -> None:
    """The fields below the title are metadata; an abstract stays text."""
    text = (
        "Title\n=====\n\n:Author: Ann *Smith*\n:Date: $Date: 2024-01-02 $\n:Abstract: All of it\n"
        "    in short.\n\nText.\n\n:later: a field\n"
    )
    parsed = read(text, "a.rst")
    assert parsed.metadata == {"author": "Ann Smith", "date": "2024-01-02"}
    assert blocks(parsed) == [
        ("front_matter", ":Author: Ann *Smith*"),
        ("front_matter", ":Date: $Date: 2024-01-02 $"),
        ("paragraph", ":Abstract: All of it\n    in short."),
        ("paragraph", "Text."),
        ("list_item", ":later: a field"),
    ]


def test_code_of_all_forms() -> None:
    """Code directives, literal blocks, quoted literals and doctests are code."""
    text = (
        ".. code-block:: python\n   :linenos:\n\n   x = 1\n\n   y = 2\n\nLike this::\n\n"
        "    Title\n    =====\n\nor::\n\n> quoted\n\n>>> 1 + 1\n2\n\n"
        "- item::\n\n    in item\n\nend\n"
    )
    assert blocks(read(text, "a.rst")) == [
        ("code", ".. code-block:: python\n   :linenos:\n\n   x = 1\n\n   y = 2"),
        ("paragraph", "Like this::"),
        ("code", "    Title\n    ====="),
        ("paragraph", "or::"),
        ("code", "> quoted"),
        ("code", ">>> 1 + 1\n2"),
        ("list_item", "- item::"),
        ("code", "    in item"),
        ("paragraph", "end"),
    ]


def test_body_of_a_directive_is_read() -> None:
    """What stands in a note is text, items and code like anything else."""
    text = ".. note:: Careful\n   here.\n\n   More.\n\n   * item\n\n   So::\n\n     code\n\nend\n"
    assert blocks(read(text, "a.rst")) == [
        ("paragraph", ".. note:: Careful\n   here."),
        ("paragraph", "More."),
        ("list_item", "* item"),
        ("paragraph", "So::"),
        ("code", "     code"),
        ("paragraph", "end"),
    ]


def test_lists_of_all_forms() -> None:
    """Bullets, numbers, definitions, fields and options are items; an initial is none."""
    text = (
        "* one\n  more\n* two\n\n1. first\n#. next\n\n"
        "term : kind\n    What it is.\nother\n    That.\n"
        "\n-a, --all  everything\n\n:param x: value\n\nA. Einstein was a\nphysicist.\n"
    )
    assert blocks(read(text, "a.rst")) == [
        ("list_item", "* one\n  more"),
        ("list_item", "* two"),
        ("list_item", "1. first"),
        ("list_item", "#. next"),
        ("list_item", "term : kind\n    What it is."),
        ("list_item", "other\n    That."),
        ("list_item", "-a, --all  everything"),
        ("list_item", ":param x: value"),
        ("paragraph", "A. Einstein was a\nphysicist."),
    ]


def test_grid_table() -> None:
    """A grid table's rows may have several lines; its header ends with a rule of `=`."""
    text = (
        "+---+---+\n| a | b |\n+===+===+\n| 1 | 2 |\n|   | x |\n+---+---+\n| 3 | 4 |\n+---+---+\n"
    )
    assert blocks(read(text, "a.rst")) == [
        ("table_header", "+---+---+\n| a | b |\n+===+===+"),
        ("table_row", "| 1 | 2 |\n|   | x |\n+---+---+"),
        ("table_row", "| 3 | 4 |\n+---+---+"),
    ]


def test_simple_table() -> None:
    """A line without a first cell goes on with the row above; rules go with their neighbours."""
    text = "== ==\na  b\n== ==\n1  2\n   x\n3  4\n== ==\n\n== ==\n5  6\n== ==\n\nend\n"
    assert blocks(read(text, "a.rst")) == [
        ("table_header", "== ==\na  b\n== =="),
        ("table_row", "1  2\n   x"),
        ("table_row", "3  4\n== =="),
        ("table_row", "== ==\n5  6\n== =="),
        ("paragraph", "end"),
    ]


def test_list_table_and_csv_table() -> None:
    """The rows of tables in directives are rows, the first of them a header if it says so."""
    text = (
        ".. list-table:: T\n   :header-rows: 1\n\n   * - a\n     - b\n   * - 1\n     - 2\n\n"
        ".. csv-table::\n   :header: x, y\n\n   1, 2\n   3, 4\n\nend\n"
    )
    assert blocks(read(text, "a.rst")) == [
        ("paragraph", ".. list-table:: T\n   :header-rows: 1"),
        ("table_header", "* - a\n     - b"),
        ("table_row", "* - 1\n     - 2"),
        ("paragraph", ".. csv-table::\n   :header: x, y"),
        ("table_row", "1, 2"),
        ("table_row", "3, 4"),
        ("paragraph", "end"),
    ]


def test_notes_comments_and_labels() -> None:
    """A note is a footnote, a comment at the top front matter; a label goes with its section."""
    text = (
        ".. Copyright\n   of us\n\n.. _intro:\n\nIntro\n=====\n\n.. [1] A note\n   goes on.\n\n"
        ".. [CIT2002] A citation.\n\n.. a comment\n\n.. _link: http://x.y\n\n..\n\n  quote\n"
    )
    parsed = read(text, "a.rst")
    assert blocks(parsed) == [
        ("front_matter", ".. Copyright\n   of us"),
        ("footnote", ".. [1] A note\n   goes on."),
        ("footnote", ".. [CIT2002] A citation."),
        ("paragraph", ".. a comment"),
        ("paragraph", ".. _link: http://x.y"),
        ("paragraph", ".."),
        ("paragraph", "quote"),
    ]
    span = parsed.headings[0].span
    assert parsed.text[span.start : span.end] == ".. _intro:\n\nIntro\n====="


def test_meta_directive_is_metadata() -> None:
    """Description and keywords of a page come from its meta directive."""
    parsed = read(".. meta::\n   :keywords: a, b\n\nText.\n", "a.rst")
    assert parsed.metadata == {"keywords": "a, b"}
    assert blocks(parsed)[0][0] == "front_matter"


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_mix_of_constructs_is_well_formed(text: str) -> None:
    """Whatever the lines, blocks and headings cover the text and don't overlap."""
    if text.strip():
        read(text, "a.rst")
