r"""RTF as Word, LibreOffice, WordPad and TextEdit write it, and as damage leaves it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import ParseError, RagkitError
from tests.parsing.structures import blocks, headings, read

WORD = rb"""{\rtf1\adeflang1025\ansi\ansicpg1252\uc1\adeff0\deff0\stshfdbch0\deflang1033
{\fonttbl{\f0\fbidi \froman\fcharset0\fprq2{\*\panose 02020603050405020304}Times New Roman;}
{\f3\fbidi \froman\fcharset2\fprq2{\*\panose 05050102010706020507}Symbol;}
{\f40\fbidi \froman\fcharset238\fprq2 Times New Roman CE;}}
{\colortbl;\red0\green0\blue0;\red0\green0\blue255;}
{\stylesheet{\ql \li0\widctlpar \rtlch\fcs1 \af0 \ltrch\fcs0 \fs24\lang1033 \snext0 Normal;}
{\s1\ql\keepn\widctlpar\outlinelevel0 \b\fs32 \sbasedon0 \snext0 \sqformat heading 1;}
{\s2\ql\keepn\widctlpar\outlinelevel1 \b\fs26 \sbasedon0 \snext0 \sqformat heading 2;}
{\*\cs10 \additive Default Paragraph Font;}
{\s15\ql\fs56 \sbasedon0 \snext0 \sqformat Title;}}
{\*\listtable{\list\listtemplateid1{\listlevel\levelnfc23{\leveltext\'01\u-3913 ?;}}\listid1}}
{\info{\title Fare rules of 2026}{\author Ann \'c9lan}{\operator Bob}{\keywords fares, ferries}
{\doccomm For the crew}{\creatim\yr2025\mo3\dy7\hr9}{\revtim\yr2026\mo1\dy12\hr10}{\nofpages3}}
{\*\generator Microsoft Word;}{\header \pard\plain Page header\par}
\sectd\pard\plain \ltrpar\s15\ql {\rtlch\fcs1 \af0 \ltrch\fcs0 \fs56\insrsid1 Fare }{rules\par}
\pard\plain \s1\keepn\outlinelevel0 {\b\fs32 Adults}{\par}
\pard\plain {Caf\'e9 \u8364\'80 5\u8212\'97}{\i and }{\cf2 more}{\v hidden}
{\super \chftn {\footnote \pard\plain \s18 {\super \chftn } In {\i summer}.\par Only.}} end.\par
{\listtext\pard\plain\f3 \'b7\tab}\pard \fi-360\li720\ls1\adjustright {first\par}
{\listtext\pard\plain\f3 \'b7\tab}\pard \ls1 {second\par
{\listtext\pard\plain a)\tab}}\pard \ls1\ilvl1 {nested\par}
\pard\plain \s2\outlinelevel1 {Prices\par}
\trowd \trgaph108\trhdr\cellx1000\cellx2000 \pard \intbl {Route\cell Price\cell }
\pard \intbl {\trowd \trgaph108\trhdr\cellx1000\cellx2000 \row }
\trowd \trgaph108\cellx1000\cellx2000 \pard \intbl {North\par upper\cell 12\cell }
\pard \intbl {\trowd \cellx1000\cellx2000\row }
\pard {\field{\*\fldinst { HYPERLINK "http://fares.example" }}{\fldrslt {\cf2 the list}}}\par
{\shp{\*\shpinst\shpleft100{\sp{\sn shapeType}{\sv 202}}{\shptxt \pard In a box\par}}
{\shprslt{\*\do\dobxpage{\dptxbxtext In a box\par}}}}
{\pict\pngblip 89504e470d0a}{\*\themedata 504b0304}\par
}trailing"""

WORD_TEXT = """\
# Fare rules

# Adults

Café € 5—and more[^1] end.

[^1]: In summer. Only.

- first
- second
  a) nested

## Prices

| Route | Price |
| North upper | 12 |

the list

In a box"""


def rtf(body: str, *, head: str = "") -> bytes:
    fonts = (
        r"{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset128 MS Mincho;}{\f2\fcharset204 Arial Cyr;}"
        r"{\f3\fcharset2 Symbol;}{\f4\fcharset2 Wingdings;}}"
    )
    return (r"{\rtf1\ansi\ansicpg1252\deff0" + fonts + head + "\n" + body + "}").encode("latin-1")


def text(body: str) -> str:
    return read(rtf(body), "a.rtf").text


def test_word_document() -> None:
    """Styles, lists, tables, notes, boxes and fields as Word writes them."""
    parsed = read(WORD, "a.rtf")
    assert parsed.text == WORD_TEXT
    assert headings(parsed) == [(1, "Fare rules"), (1, "Adults"), (2, "Prices")]
    assert [kind for kind, _ in blocks(parsed)] == [
        "paragraph",
        "footnote",
        "list_item",
        "list_item",
        "list_item",
        "table_header",
        "table_row",
        "paragraph",
        "paragraph",
    ]
    assert parsed.title == "Fare rules of 2026"
    assert dict(parsed.metadata) == {
        "author": "Ann Élan",
        "keywords": "fares, ferries",
        "description": "For the crew",
        "date": "2026-01-12",
    }
    assert parsed.warnings == ()


def test_libreoffice_document() -> None:
    """LibreOffice names its styles in capitals, and writes properties before each run."""
    parsed = read(
        rb"{\rtf1\ansi\deff3\adeflang1025"
        rb"{\fonttbl{\f0\froman\fprq2\fcharset0 Times New Roman;}{\f4\fcharset2 Symbol;}}"
        rb"{\stylesheet{\s0\snext0\fs24 Normal;}{\s15\sbasedon0\snext16\sb240\fs28 Heading;}"
        rb"{\s2\sbasedon15\snext16\ilvl1\outlinelevel1\b\fs32 Heading 2;}"
        rb"{\s21\sbasedon2 My heading;}}{\*\generator LibreOffice}"
        rb"\pard\plain \s21{\*\bkmkstart a}{\loch Fares}{\*\bkmkend a}\par"
        rb"\pard\plain \s0\fs24{\loch\f0 From \u1103\'3f to \u26085\'3f"
        rb"\u-10179\'3f\u-8704\'3f}\par"
        rb"\pard\plain \s0{\listtext\pard\plain 1.\tab}\ilvl0\ls2{\loch one}\par}",
        "a.rtf",
    )
    assert parsed.text == "## Fares\n\nFrom я to 日😀\n\n1. one"


def test_headings_are_told_by_their_letters_where_no_style_says_so() -> None:
    """WordPad and TextEdit have no styles: larger letters, then bold ones, are headings."""
    body = r"\pard\fs22 " + "Some words of text that go on. " * 4 + r"\par "
    parsed = read(
        rtf(
            r"{\fs36 The Ferry}\par " + body + r"{\fs28 Fares}\par " + body + body
            + r"{\b\fs22 Adults}\par " + body + r"{\b\fs22 Not this.}\par " + body + body
        ),
        "a.rtf",
    )  # fmt: skip
    assert headings(parsed) == [(1, "The Ferry"), (2, "Fares"), (3, "Adults")]


def test_a_text_of_large_lines_is_no_list_of_headings() -> None:
    """Where most paragraphs look like headings, as on a poster, none of them is."""
    lines = r"\fs40 One\par Two\par Three\par\fs22 And a longer line of small letters\par"
    assert headings(read(rtf(lines), "a.rtf")) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (r"\f1 \'83e\'83X\'83g", "テスト"),  # the second byte may be a letter
        (r"\f1\'93\'fa{\f0\'e9}\'96\'7b", "日é本"),
        (r"\f2 \'ff\'e1", "яб"),
        (r"{\f3 a}\f0 , {\f3\'b7}\f4 \'a7", "α, •▪"),
        (r"\u-3913\'b7 x{\f3\u-3999?}", "- xα"),
        (r"\uc2\u233\'82\'e9 a\uc0\u233 b\uc1\u233?c", "é aébéc"),
        (r"\u99999999 a\u b\uc c\'zz d", "abczz d"),
        (r"a\~b\_c\-d\emdash e\line f\tab g", "a b‑cd—e\nf g"),
        ("one\\\ntwo", "one\n\ntwo"),
        (r"\'ff\{\}\\", "ÿ{}\\"),
    ],
)
def test_characters(body: str, expected: str) -> None:
    """Code pages of fonts, Unicode with its fallbacks, symbols."""
    assert text(body) == expected


@pytest.mark.parametrize(
    ("page", "expected"), [("1251", "я"), ("932", "\uff8f\uff9f"), ("9999999", "ÿ"), ("", "ÿ")]
)
def test_code_page_of_the_document(page: str, expected: str) -> None:
    """It holds where no font says otherwise; one that nobody knows is Western."""
    code = r"\'ff" if page != "932" else r"\'cf\'df"
    data = rf"{{\rtf1\ansi\ansicpg{page} {code}\par}}".encode()
    assert read(data, "a.rtf").text == expected


def test_western_font_in_a_japanese_document() -> None:
    """Word says of any font that it is Western; bytes of a Japanese document are Japanese."""
    data = rb"{\rtf1\ansi\ansicpg932{\fonttbl{\f0\fcharset0 Century;}}\f0 \'83\'65\'83X\par}"
    assert read(data, "a.rtf").text == "テス"


def test_what_is_hidden_or_deleted_is_left_out() -> None:
    """Also headers, pictures, objects, tables of contents and what only programs read."""
    assert text(
        r"{\v h1}{\deleted h2}\v h3\plain seen{\header h4\par}{\*\unknown h5{\b h6}}{\pict 6837}"
        r"{\object{\*\objdata h8}{\result  and seen}}{\xe h9}"
        r"{\field{\*\fldinst TOC \\o}{\fldrslt h10\par h11\par}}"
    ) == "seen and seen"  # fmt: skip


def test_binary_data_is_skipped_by_its_length() -> None:
    """Braces and backslashes in it are no RTF."""
    data = rb"{\rtf1 before{\pict\wmetafile8\bin10 }}}\par {}}after\par}"
    assert read(data, "a.rtf").text == "beforeafter"


def test_comments_are_marked() -> None:
    """A comment isn't the document's own words: it says whose it is."""
    parsed = read(
        rtf(
            r"A claim.{\*\atnid A}{\*\atnauthor Ann}\chatn"
            r"{\*\annotation{\*\atndate 1}Really?}\par"
        ),
        "a.rtf",
    )
    assert blocks(parsed) == [
        ("paragraph", "A claim."),
        ("footnote", "[Comment by Ann] Really?"),
    ]


def test_layout_tables_are_paragraphs() -> None:
    """A table of one column is a frame around a text; a list in a cell stays on its line."""
    assert text(r"\trowd\intbl one\par two\cell\row\pard after\par") == "one two\n\nafter"
    row = r"\trowd\intbl a{\footnote n}\cell{\listtext 1.\tab}b\par{\listtext 2.\tab}c\cell\row"
    assert text(row + r"\pard\par") == "| a[^1] | 1. b 2. c |\n\n[^1]: n"


def test_cut_file_is_read_as_far_as_it_goes() -> None:
    """And says that something is missing."""
    parsed = read(rb"{\rtf1\ansi Hello {\b cut\par text \'e", "a.rtf")
    assert parsed.text == "Hello cut\n\ntext"
    assert parsed.warnings == ("the file ends early: what followed is missing",)


@pytest.mark.parametrize(
    "data",
    [
        b"{\\rtf1 " + b"{" * 100_000 + b"x" + b"}" * 100_000 + b"}",
        b"{\\rtf1 x" + b"{\\footnote a" * 100_000,
        b"{\\rtf1{\\fonttbl" + b"\\f1 x" * 200_000 + b"}x}",
        b"{\\rtf1{\\info{\\title " + b"\\u233?" * 200_000 + b"}}x}",
        b"{\\rtf1 x" + b"{\\field{\\*\\fldinst{HYPERLINK x" * 30_000 + b"}",
    ],
)
def test_hostile_files_are_read_in_time(data: bytes) -> None:
    """Nesting and repetition take linear time."""
    start = time.process_time()
    assert "x" in read(data, "a.rtf").text
    assert time.process_time() - start < 5


def test_files_that_cannot_be_read_say_why() -> None:
    """Groups without end are refused, and so is what isn't RTF."""
    for data, code in ((b"{\\rtf1 " + b"{" * 300_000, "too-deep"), (b"plain words", "corrupt")):
        with pytest.raises(ParseError) as error:
            read(data, "a.rtf")
        assert error.value.code == code


_PIECES = st.sampled_from(
    rb"""{ } \par \pard \cell \row \intbl \trowd \footnote {\footnote {\*\annotation {\shptxt
    {\shp{\*\shpinst {\listtext \'e9 \u8364 \u-10179 \uc0 \bin3 \v \plain \s1 \outlinelevel0 \f1
    words \line {\field {\*\fldinst {\fldrslt {\info {\title {\stylesheet {\fonttbl \fcharset128
    \ \~ \* """.split()
)


@given(st.lists(_PIECES, min_size=1, max_size=60).map(b" ".join))
def test_any_rtf_is_covered(body: bytes) -> None:
    """Headings and blocks hold all of any file's text, and never overlap."""
    try:
        read(b"{\\rtf1 " + body, "a.rtf")
    except RagkitError as error:
        assert error.code == "empty"
