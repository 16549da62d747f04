"""Markdown: what the line scanner makes of each construct."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import RagkitError
from tests.parsing.structures import blocks, headings, read

_PIECES = st.sampled_from(
    "# a|## b ##|text||- item|  - nested|    deep|1. one|---|===|```|~~~py|> q|>|<!-- |-->|<pre>"
    "|</pre>|***|\t|key: v|...|a ¦ b|---¦---".split("|")
).map(lambda line: line.replace("¦", "|") + "\n")


def test_atx_headings_have_levels_and_titles_without_markup() -> None:
    """A heading's title has no marks, links or trailing hashes; its span is the whole line."""
    parsed = read("# One **bold** [link](http://x) #\n\n### `three` {#id}\n", "a.md")
    assert headings(parsed) == [(1, "One bold link"), (3, "three")]
    first = parsed.headings[0].span
    assert parsed.text[first.start : first.end] == "# One **bold** [link](http://x) #"


def test_entities_in_a_title_are_decoded() -> None:
    """A title has the characters that entities stand for, and nothing invisible by them."""
    parsed = read("# R&amp;D &lt;now&gt; a&#x202e;b\n", "a.md")
    assert headings(parsed) == [(1, "R&D <now> ab")]


def test_setext_headings_take_both_lines() -> None:
    """A line over === or --- is a heading of level 1 or 2."""
    parsed = read("Title\n=====\n\nSub\n---\ntext\n", "a.md")
    assert headings(parsed) == [(1, "Title"), (2, "Sub")]
    assert blocks(parsed) == [("paragraph", "text")]


def test_long_paragraph_over_a_rule_is_no_heading() -> None:
    """Three or more lines over --- are a paragraph and a rule."""
    parsed = read("one\ntwo\nthree\n---\n", "a.md")
    assert headings(parsed) == []


def test_hash_in_a_fence_is_code() -> None:
    """Nothing in a fence is a heading, closed or not."""
    parsed = read("```sh\n# no\n```\n\n~~~\n# nor this\n", "a.md")
    assert headings(parsed) == []
    assert [kind for kind, _ in blocks(parsed)] == ["code", "code"]


def test_pipe_table_is_a_header_and_rows() -> None:
    """Header and delimiter row are one block, each row below one of its own."""
    parsed = read("before\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter\n", "a.md")
    assert blocks(parsed) == [
        ("paragraph", "before"),
        ("table_header", "| a | b |\n|---|:-:|"),
        ("table_row", "| 1 | 2 |"),
        ("table_row", "| 3 | 4 |"),
        ("paragraph", "after"),
    ]


def test_list_items_are_blocks_with_their_continuation_lines() -> None:
    """A nested item is a block of its own; indented text below an item belongs to it."""
    parsed = read("- a\n  more\n\n  and more\n  - b\n10. c\n", "a.md")
    assert blocks(parsed) == [
        ("list_item", "- a\n  more\n\n  and more"),
        ("list_item", "- b"),
        ("list_item", "10. c"),
    ]


def test_wrapped_line_that_begins_with_a_number_is_no_item() -> None:
    """Only "1." interrupts a paragraph."""
    parsed = read("It was the summer of\n1986. It rained.\n", "a.md")
    assert [kind for kind, _ in blocks(parsed)] == ["paragraph"]


def test_quotes_are_paragraphs() -> None:
    """A block quote is a paragraph for each of its paragraphs."""
    parsed = read("> a\n> b\n>\n> c\n", "a.md")
    assert [kind for kind, _ in blocks(parsed)] == ["paragraph", "paragraph"]


def test_front_matter_gives_title_and_metadata() -> None:
    """Only `key: scalar` lines are read; quotes are stripped; the lines stay in the text."""
    source = '---\ntitle: "A: b"\nauthor: Ann # who\nlist: [1, 2]\nbomb: *a\n---\n# Heading\n'
    parsed = read(source, "a.md")
    assert parsed.title == "A: b"
    assert dict(parsed.metadata) == {"title": "A: b", "author": "Ann"}
    assert blocks(parsed)[0][0] == "front_matter"
    assert parsed.text == source


def test_rule_at_the_top_is_no_front_matter() -> None:
    """A leading --- without an end is a rule."""
    parsed = read("---\n\n# A\n", "a.md")
    assert headings(parsed) == [(1, "A")]


def test_title_is_the_first_heading_or_empty() -> None:
    """A file without front matter and headings has no title: a rename must not change it."""
    assert read("## Sub\n", "a.md").title == "Sub"
    assert read("text\n", "a.md").title == ""


def test_comment_keeps_its_hashes() -> None:
    """Nothing inside an HTML comment is a heading."""
    assert headings(read("<!--\n# no\n-->\n\n# yes\n", "a.md")) == [(1, "yes")]


def test_lines_stay_those_of_the_file() -> None:
    """Line numbers of the text are those of the file, whatever the line ends."""
    parsed = read(b"# A\r\n\r\nb\r\n", "a.md")
    assert parsed.text.split("\n") == ["# A", "", "b", ""]


@pytest.mark.parametrize("source", ["> " * 20_000, "- " * 20_000, "[" * 20_000, "`" * 20_001])
def test_pathological_markup_is_read_in_time(source: str) -> None:
    """Nesting in one line costs no more than its length."""
    assert read(source + "a", "a.md").blocks


@given(st.lists(_PIECES, min_size=1).map("".join))
def test_any_markdown_is_covered(source: str) -> None:
    """Headings and blocks hold all of any Markdown, and never overlap."""
    try:
        read(source, "a.md")
    except RagkitError as error:
        assert error.code == "empty"


@given(st.text(min_size=1))
def test_any_text_is_covered(source: str) -> None:
    """The same for any text; nothing but ragkit's own errors is raised."""
    try:
        read(source.encode("utf-8", "surrogatepass"), "a.md")
    except RagkitError as error:
        assert error.code in ("empty", "binary", "unsupported", "corrupt", "no-text")
