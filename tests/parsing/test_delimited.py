"""Delimited text: delimiters, quotes, headers and what stands above them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.parsing.delimited import parse
from tests.parsing.structures import assert_well_formed, blocks, read


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_by_its_regularity(mark: str) -> None:
    """Whatever parts the fields, the first record is the header and each other a row."""
    text = f"id{mark}name\n1{mark}Anna\n2{mark}Bert\n"
    parsed = read(text, "a.csv")
    assert parsed.text == text
    assert blocks(parsed) == [
        ("table_header", f"id{mark}name"),
        ("table_row", f"1{mark}Anna"),
        ("table_row", f"2{mark}Bert"),
    ]


def test_a_semicolon_wins_over_commas_in_numbers() -> None:
    """European files have decimal commas."""
    parsed = read(
        "Name;Straße;Größe\nMüller;Weg 5;1,80\nMaier;Platz 1;1,75\n".encode("cp1252"), "a.csv"
    )
    assert blocks(parsed)[0] == ("table_header", "Name;Straße;Größe")


def test_a_quoted_field_runs_over_lines() -> None:
    """A record is one block, whatever line ends and delimiters are in its quotes."""
    parsed = read('id,text\n1,"two\nlines, ""quoted"""\n2,b\n', "a.csv")
    assert blocks(parsed)[1:] == [
        ("table_row", '1,"two\nlines, ""quoted"""'),
        ("table_row", "2,b"),
    ]


def test_a_stray_quote_is_text() -> None:
    """A quote that is never closed, or not at the end of a field, takes no other record."""
    rows = "".join(f'{n},"x, y",z\n' for n in range(50))
    parsed = read(f'id,a,b\n1,"never closed,c\n{rows}2,5" pipe,d\n', "a.csv")
    kinds = [kind for kind, _ in blocks(parsed)]
    assert kinds == ["table_header"] + ["table_row"] * 52
    assert blocks(parsed)[1][1] == '1,"never closed,c'


def test_many_stray_quotes_take_linear_time() -> None:
    """Each line opens a quote: none is looked for again and again."""
    parsed = read("id,text\n" + '1,"open\n' * 50_000, "a.csv")
    assert len(parsed.blocks) == 50_001


def test_no_header_where_the_first_row_is_data() -> None:
    """A number over numbers, or a word that comes again below, names no column."""
    for text in ("1,2.5\n2,3.5\n3,4.5\n", "Anna,Rome\nBert,Paris\nCarl,Rome\n"):
        assert {kind for kind, _ in blocks(read(text, "a.csv"))} == {"table_row"}


def test_years_are_names_of_columns() -> None:
    """Years in order over numbers are a header."""
    parsed = read("country,2019,2020,2021\nDE,1,2,3\nFR,2,3,4\n", "a.csv")
    assert blocks(parsed)[0][0] == "table_header"


def test_lines_above_the_header_are_paragraphs() -> None:
    """Comments and a title stand above; the title is that of the document."""
    parsed = read("# made by hand\nSales of 2024\n\nid,name,sum\n1,a,5\n2,b,6\n", "a.csv")
    assert parsed.title == "Sales of 2024"
    assert [kind for kind, _ in blocks(parsed)] == [
        "paragraph",
        "paragraph",
        "table_header",
        "table_row",
        "table_row",
    ]


def test_a_commented_header_is_one() -> None:
    """A first line with a hash and as many fields as the others names the columns."""
    parsed = read("#chrom\tstart\nchr1\t5\nchr2\t6\n", "a.tsv")
    assert blocks(parsed)[0] == ("table_header", "#chrom\tstart")


def test_a_single_column_has_a_header() -> None:
    """A list of words below a name."""
    parsed = read("Industry\nBanking\nRetail/Food\n", "a.csv")
    assert [kind for kind, _ in blocks(parsed)] == ["table_header", "table_row", "table_row"]


def test_an_empty_first_field_stays() -> None:
    """A row that begins with a tab keeps its first, empty field."""
    parsed = read("a\tb\n1\tx\n\ty\n", "a.tsv")
    assert blocks(parsed)[2] == ("table_row", "\ty")


def test_a_huge_field_is_read() -> None:
    """The limit of Python's csv module is none of ours."""
    parsed = read('a,b\n1,"' + "x" * 200_000 + '"\n2,tail\n', "a.csv")
    assert blocks(parsed)[2] == ("table_row", "2,tail")


@given(st.text(alphabet='ab1," \t;|\n#', max_size=80))
def test_any_text_is_well_formed(text: str) -> None:
    """Whatever the quotes and delimiters, blocks hold all of the text."""
    if text.strip():
        assert_well_formed(parse(text.encode(), "file:///a.csv", "text/csv"))
