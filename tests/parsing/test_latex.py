"""LaTeX as text: what the scanner makes of each construct."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.parsing.latex import plain
from tests.parsing.structures import blocks, headings, read

_PIECES = st.sampled_from(
    r"\section{A};\subsection*{B} text;\paragraph{C};\section{;\item x;\begin{itemize};text"
    r";\end{itemize};\begin{verbatim};\end{verbatim};\begin{tabular}{l};a & b \\;\hline"
    r";\end{tabular};\begin{abstract};\end{abstract};\begin{document};\documentclass{a}"
    r";\title{T};% c;\end{document};;\begin{frame}{F};\bibitem{a}".split(";")
).map(lambda line: line + "\n")


def test_title_author_and_date() -> None:
    """They come from the preamble, without markup, notes and comments."""
    text = (
        "\\documentclass{article}\n% \\title{Old}\n\\title[S]{On \\emph{Growth}\n  of $O(n)$"
        '\\thanks{Funded}}\n\\author{J\\"urgen M{\\"u}ller\\\\Uni \\and Zo\\\'{e} A.}\n'
        "\\date{\\today}\n\\begin{document}\nText.\n"
    )
    parsed = read(text, "a.tex")
    assert parsed.title == "On Growth of O(n)"
    assert parsed.metadata == {"author": "Jürgen Müller, Zoé A."}
    assert [kind for kind, _ in blocks(parsed)] == ["front_matter", "paragraph"]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (r"A {\bfseries b} \textbf{c {d}}", "A b c d"),
        (r"\texorpdfstring{$\alpha$}{alpha} rays", "alpha rays"),
        (r"R\&D: 50\% ``fast'' -- ok~now", "R&D: 50% “fast” – ok now"),
        (r"\v{S}\'{\i}k, \c{c}a, stra\ss e", "Šík, ça, straße"),
        (r"T\label{a}\footnote{n {m}} x", "T x"),
        (r"$\beta$-test", "beta -test"),
        ("a % comment\nb", "a b"),
    ],
)
def test_plain_words(markup: str, expected: str) -> None:
    """Titles come without markup."""
    assert plain(markup) == expected


def test_sections_have_levels_from_the_top_one() -> None:
    """The highest kind of section in a file is level 1, in an article as in a chapter."""
    article = read("\\section{One}\n\\subsection*{Two}\n\\paragraph{Four} text\n", "a.tex")
    assert headings(article) == [(1, "One"), (2, "Two"), (4, "Four")]
    assert blocks(article) == [("paragraph", "text")]
    chapter = read(
        "\\chapter{C}\\label{c} % x\n\n\\clearpage\\section[s]{S {s}\n  t}\nu\n", "b.tex"
    )
    assert headings(chapter) == [(1, "C"), (2, "S s t")]
    assert chapter.title == "C"


def test_included_file_has_no_preamble() -> None:
    """A chapter without a document class is all text."""
    parsed = read("Some text.\n\n\\input{x}\n", "a.tex")
    assert [kind for kind, _ in blocks(parsed)] == ["paragraph", "paragraph"]


def test_abstract_and_references_are_sections() -> None:
    """The abstract has a heading of its own, also where it stands in the preamble."""
    text = (
        "\\documentclass{a}\n\\begin{abstract}\nShort.\n\\end{abstract}\n\\begin{document}\n"
        "\\section{One}\nText.\n\n\\begin{thebibliography}{9}\n\\bibitem{a} Ann.\n"
        "\\bibitem{b} Bob.\n\\end{thebibliography}\n\\end{document}\n"
    )
    parsed = read(text, "a.tex")
    assert headings(parsed) == [(1, "Abstract"), (1, "One"), (1, "References")]
    assert parsed.title == "One"
    assert [kind for kind, _ in blocks(parsed)] == [
        "front_matter",
        "paragraph",
        "paragraph",
        "list_item",
        "list_item",
        "paragraph",
    ]


@pytest.mark.parametrize("name", ["verbatim", "lstlisting", "minted", "Verbatim"])
def test_code_is_left_alone(name: str) -> None:
    """Nothing in a verbatim environment is a section, closed or not."""
    code = f"\\begin{{{name}}}\n\\section{{no}}\n\n  x % y\n\\end{{{name}}}"
    parsed = read(f"a\n\n{code}\n\nb\n\n\\begin{{{name}}}\n\\section{{no}}\n", "a.tex")
    assert headings(parsed) == []
    assert blocks(parsed)[1:3] == [("code", code), ("paragraph", "b")]


def test_items() -> None:
    """An item goes on to the next one; the end of the list belongs to the last."""
    text = "Like:\n\\begin{itemize}\n\\item one\n  more\n\\item two\n\\end{itemize}\nAfter.\n"
    assert blocks(read(text, "a.tex")) == [
        ("paragraph", "Like:\n\\begin{itemize}"),
        ("list_item", "\\item one\n  more"),
        ("list_item", "\\item two\n\\end{itemize}"),
        ("paragraph", "After."),
    ]


def test_table_rows_and_header() -> None:
    """Rows end with the line of their `\\\\`; the first rule below rows ends the header."""
    text = (
        "\\begin{tabular}{ll}\n\\toprule\na & b \\\\\n\\midrule\n1 & 2 \\\\ % c\n"
        "3 &\n 4 \\\\[2pt]\n\\bottomrule\n\\end{tabular}\nAfter.\n"
    )
    assert blocks(read(text, "a.tex")) == [
        ("table_header", "\\begin{tabular}{ll}\n\\toprule\na & b \\\\\n\\midrule"),
        ("table_row", "1 & 2 \\\\ % c"),
        ("table_row", "3 &\n 4 \\\\[2pt]\n\\bottomrule\n\\end{tabular}"),
        ("paragraph", "After."),
    ]


def test_table_without_header_or_end() -> None:
    """Without a rule all are rows; an unclosed table is text."""
    rows = read("\\begin{tabular}{l}\na & b \\\\\nc & d\n\\end{tabular}\n", "a.tex")
    assert [kind for kind, _ in blocks(rows)] == ["table_row", "table_row"]
    assert blocks(read("\\begin{tabular}{l}\na & b \\\\\n", "a.tex"))[0][0] == "paragraph"


def test_tables_without_end_take_linear_time() -> None:
    """The end of a table that isn't there is looked for once."""
    start = time.process_time()
    read("\\begin{tabular}{l}\n" * 100_000, "a.tex")
    assert time.process_time() - start < 5


def test_declared_encoding() -> None:
    """The option of inputenc says in what encoding the file is."""
    text = "\\usepackage[applemac]{inputenc}\n\nÜber äöü\n".encode("mac-roman")
    assert "Über äöü" in read(text, "a.tex").text


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_any_mix_of_constructs_is_well_formed(text: str) -> None:
    """Whatever the lines, blocks and headings cover the text and don't overlap."""
    if text.strip():
        read(text, "a.tex")
