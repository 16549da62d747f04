"""Word files: headings, lists, tables, notes, and what is left out."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
from collections import Counter
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit.errors import DocumentError, ParseError
from ragkit.parsing import Parsed
from ragkit.parsing.ooxml.package import is_encrypted_package
from tests.parsing.structures import blocks, headings, read

SAMPLES = (
    Path(os.environ.get("RAGKIT_EVAL_DATA", Path(__file__).parents[2] / "../shared/eval")).resolve()
    / "formats/docx"
)

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{namespace}"'
    for prefix, namespace in {
        "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "w14": "http://schemas.microsoft.com/office/word/2010/wordml",
        "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    }.items()
)
STYLES = """
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="Own"><w:name w:val="My heads"/>
  <w:basedOn w:val="Level2"/></w:style>
<w:style w:type="paragraph" w:styleId="Level2"><w:name w:val="Level two"/>
  <w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Loop"><w:name w:val="Loop"/>
  <w:basedOn w:val="Loop"/></w:style>
<w:style w:type="paragraph" w:styleId="Src"><w:name w:val="Source Code"/></w:style>
<w:style w:type="character" w:styleId="Unseen"><w:name w:val="Unseen"/>
  <w:rPr><w:vanish/></w:rPr></w:style>
"""
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def docx(body: str, relations: str = "", **parts: str) -> bytes:
    """Build a file of a body; `parts` are the XML inside of styles, numbering and the like."""
    file = io.BytesIO()
    known = "".join(
        f'<Relationship Id="{name}" Type="{RELATIONS}/{name}" Target="{name}.xml"/>'
        for name in parts
        if name != "core"
    )
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            "word/document.xml", f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr(
            "word/_rels/document.xml.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f"{known}{relations}</Relationships>",
        )
        for name, xml in parts.items():
            path = "docProps/core.xml" if name == "core" else f"word/{name}.xml"
            archive.writestr(path, f"<w:{name} {NAMESPACES}>{xml}</w:{name}>")
    return file.getvalue()


def p(text: str, properties: str = "") -> str:
    """Return a paragraph of a text (or of runs) with properties."""
    runs = text if text.startswith("<") else f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'
    return f"<w:p><w:pPr>{properties}</w:pPr>{runs}</w:p>"


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


def item(list_id: int, level: int = 0) -> str:
    return f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>'


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def tc(text: str, properties: str = "") -> str:
    content = text if text.startswith("<w:p") or text.startswith("<w:tbl") else p(text)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def of(body: str, **parts: str) -> Parsed:
    return read(docx(body, **parts), "a.docx")


# --- headings ----------------------------------------------------------------------------------


def test_headings_are_told_by_style_outline_and_ancestors() -> None:
    """A built-in name, an outline level, an inherited one, and a paragraph's own all count."""
    parsed = of(
        p("The title", style("Title"))
        + p("By name", style("berschrift1"))
        + p("By ancestor", style("Own"))
        + p("Text", style("Loop"))
        + p("By itself", '<w:outlineLvl w:val="2"/>')
        + p("Not this one", style("berschrift1") + '<w:outlineLvl w:val="9"/>'),
        styles=STYLES,
    )
    assert headings(parsed) == [
        (1, "The title"),
        (1, "By name"),
        (2, "By ancestor"),
        (3, "By itself"),
    ]
    assert blocks(parsed) == [("paragraph", "Text"), ("paragraph", "Not this one")]
    assert parsed.title == "The title"


@pytest.mark.parametrize(
    ("name", "level"),
    [("Heading2", 2), ("berschrift3", 3), ("Titre1", 1), ("标题 2", 2), ("KonuBal", 1)],
)
def test_without_styles_the_id_tells(name: str, level: int) -> None:
    """Where the styles are missing, the ids of built-in styles of many languages are known."""
    assert headings(of(p("Head", style(name)))) == [(level, "Head")]


def test_a_long_heading_is_a_paragraph() -> None:
    """A whole paragraph in the style of headings is text."""
    parsed = of(p("word " * 100, style("Heading1")))
    assert not parsed.headings
    assert blocks(parsed) == [("paragraph", "word " * 99 + "word")]


def test_metadata_comes_from_the_core_properties() -> None:
    """Author, dates and the like are read; a title beats the first heading."""
    core = (
        '<x xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:cp="http://schemas.openxmlformats.org/'
        'package/2006/metadata/core-properties">'
    )
    data = docx(p("Head", style("Heading1")))
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(
            "docProps/core.xml",
            f"{core}<dc:title>Report</dc:title><dc:creator>Ann</dc:creator>"
            "<cp:keywords>a, b</cp:keywords><dcterms:created>2024-01-02T03:04:05Z</dcterms:created>"
            "<dcterms:modified>2025-06-07T00:00:00Z</dcterms:modified></x>",
        )
    parsed = read(file.getvalue(), "a.docx")
    assert parsed.title == "Report"
    assert parsed.metadata == {
        "author": "Ann",
        "keywords": "a, b",
        "created": "2024-01-02",
        "date": "2025-06-07",
    }


# --- lists -------------------------------------------------------------------------------------


def level(number: int, number_format: str, text: str, more: str = "") -> str:
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/><w:numFmt w:val="{number_format}"/>'
        f'{more}<w:lvlText w:val="{text}"/></w:lvl>'
    )


NUMBERING = f"""
<w:abstractNum w:abstractNumId="0">{level(0, "decimal", "%1.")}{level(1, "lowerLetter", "%2)")}
{level(2, "decimal", "%1.%2.%3")}</w:abstractNum>
<w:abstractNum w:abstractNumId="1">{level(0, "bullet", "")}{level(1, "bullet", "o")}
</w:abstractNum>
<w:abstractNum w:abstractNumId="2">{level(0, "upperRoman", "Part %1", '<w:pStyle w:val="H"/>')}
</w:abstractNum>
<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
<w:num w:numId="3"><w:abstractNumId w:val="0"/>
  <w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num>
<w:num w:numId="4"><w:abstractNumId w:val="0"/></w:num>
<w:num w:numId="5"><w:abstractNumId w:val="2"/></w:num>
"""


def test_numbers_count_on_restart_and_nest() -> None:
    """Text between items doesn't stop the count, a higher item restarts the lower ones."""
    parsed = of(
        p("one", item(1))
        + p("sub", item(1, 1))
        + p("sub", item(1, 1))
        + p("Between.")
        + p("two", item(1))
        + p("sub", item(1, 1))
        + p("deep", item(1, 2))
        + p("bullet", item(2))
        + p("inner", item(2, 1))
        + p("three", item(4))
        + p("restarted", item(3))
        + p("on", item(3)),
        numbering=NUMBERING,
    )
    assert parsed.text.split("\n") == [
        "1. one",
        "   a) sub",
        "   b) sub",
        "",
        "Between.",
        "",
        "2. two",
        "   a) sub",
        "      2.a.1 deep",
        "- bullet",
        "   - inner",
        "3. three",
        "5. restarted",
        "6. on",
    ]
    assert {kind for kind, _ in blocks(parsed)} == {"list_item", "paragraph"}


def test_headings_show_their_numbers() -> None:
    """A style that numbers its headings gives them their numbers."""
    parsed = of(
        p("Law", style("H")) + p("Order", style("H")) + p("None", style("H") + item(0)),
        styles='<w:style w:type="paragraph" w:styleId="H"><w:name w:val="heading 1"/><w:pPr>'
        '<w:numPr><w:numId w:val="5"/></w:numPr></w:pPr></w:style>',
        numbering=NUMBERING,
    )
    assert [title for _, title in headings(parsed)] == ["Part I Law", "Part II Order", "None"]


def test_lists_without_definitions_have_bullets() -> None:
    """Where the numbering is missing, list items still are list items."""
    assert blocks(of(p("x", item(7)))) == [("list_item", "- x")]


# --- tables ------------------------------------------------------------------------------------


def test_merged_cells_stand_in_each_row() -> None:
    """A cell over rows is repeated, one over columns only in the header."""
    parsed = of(
        table(
            tc("", "") + tc("Sales", '<w:gridSpan w:val="2"/>'),
            tc("North", '<w:vMerge w:val="restart"/>') + tc("1") + tc("2"),
            tc("", "<w:vMerge/>") + tc("3") + tc("4"),
            tc("both", '<w:gridSpan w:val="2"/>') + tc("5"),
        )
    )
    assert blocks(parsed) == [
        ("table_header", "|  | Sales | Sales |"),
        ("table_row", "| North | 1 | 2 |"),
        ("table_row", "| North | 3 | 4 |"),
        ("table_row", "| both |  | 5 |"),
    ]


def test_header_rows_are_those_that_say_so() -> None:
    """All rows that are repeated on each page are the header."""
    head = "<w:trPr><w:tblHeader/></w:trPr>"
    parsed = of(table(head + tc("a") + tc("b"), head + tc("c") + tc("d"), tc("1") + tc("2")))
    assert [kind for kind, _ in blocks(parsed)] == ["table_header", "table_row"]
    assert blocks(parsed)[0][1] == "| a | b |\n| c | d |"


def test_nested_tables_stand_in_their_cell() -> None:
    """A table in a cell becomes a part of the cell's text."""
    inner = table(tc("a") + tc("b"), tc("1") + tc("2")) + p("")
    parsed = of(table(tc("x") + tc("y"), tc("z") + tc(inner)))
    assert blocks(parsed)[1] == ("table_row", "| z | a, b 1, 2 |")


def test_a_table_for_layout_is_its_contents() -> None:
    """One cell, or a cell with a heading over text, is no table of data."""
    one = table(tc(p("In a frame") + p("x", item(1))))
    headed = table(tc(p("Head", style("Heading2")) + p("Text")) + tc("side"))
    parsed = of(one + headed)
    assert headings(parsed) == [(2, "Head")]
    assert blocks(parsed) == [
        ("paragraph", "In a frame"),
        ("list_item", "- x"),
        ("paragraph", "Text"),
        ("paragraph", "side"),
    ]


def test_a_long_merged_cell_is_not_repeated() -> None:
    """The text can't outgrow the file by cells that span many rows."""
    rows = [tc("long " * 60, '<w:vMerge w:val="restart"/>') + tc("0")]
    rows += [tc("", "<w:vMerge/>") + tc(str(n)) for n in range(50)]
    assert of(table(*rows)).text.count("long") == 60


# --- what is left out, what is kept ------------------------------------------------------------


def test_deleted_and_hidden_text_is_left_out() -> None:
    """Of tracked changes the new text is kept; hidden text is not read."""
    deleted = "<w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
    inserted = "<w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
    moved = "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>"
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>"
    by_style = '<w:r><w:rPr><w:rStyle w:val="Unseen"/></w:rPr><w:t>secret</w:t></w:r>'
    shown = '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> shown</w:t></w:r>'
    parsed = of(p(deleted + inserted + moved + hidden + by_style + shown), styles=STYLES)
    assert parsed.text == "new shown"


def test_a_deleted_paragraph_mark_joins_paragraphs() -> None:
    """Two paragraphs whose break is deleted are one."""
    parsed = of(p("one ", "<w:rPr><w:del/></w:rPr>") + p("two", style("Heading1")))
    assert headings(parsed) == [(1, "one two")]


def test_old_properties_of_a_change_do_not_count() -> None:
    """A heading that was made text is text."""
    change = f"<w:pPrChange><w:pPr>{style('Heading1')}</w:pPr></w:pPrChange>"
    assert not of(p("Text", change)).headings


def test_fields_show_their_result() -> None:
    """The instruction of a field is not text, its result is, and none swallows a document."""
    field = (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGEREF x</w:instrText>'
        '</w:r><w:r><w:t>lost</w:t></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
        '<w:r><w:t>12</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )
    unended = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
    simple = '<w:fldSimple w:instr="DATE"><w:r><w:t>today</w:t></w:r></w:fldSimple>'
    assert of(p(field) + p(simple) + p(unended) + p("After")).text == "12\n\ntoday\n\nAfter"


def test_controls_show_what_was_filled_in() -> None:
    """Placeholders are left out, check boxes become marks."""
    empty = (
        "<w:sdt><w:sdtPr><w:showingPlcHdr/></w:sdtPr><w:sdtContent>"
        "<w:r><w:t>Click to enter text.</w:t></w:r></w:sdtContent></w:sdt>"
    )
    box = (
        '<w:sdt><w:sdtPr><w14:checkbox><w14:checked w14:val="{}"/></w14:checkbox></w:sdtPr>'
        "<w:sdtContent><w:r><w:t>☐</w:t></w:r></w:sdtContent></w:sdt><w:r><w:t> tea</w:t></w:r>"
    )
    form = (
        '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="0"/>'
        "<w:checked/></w:checkBox></w:ffData></w:fldChar></w:r>"
        '<w:r><w:fldChar w:fldCharType="end"/></w:r><w:r><w:t>milk</w:t></w:r>'
    )
    parsed = of(p(empty) + p(box.format(1)) + p(box.format(0)) + p(form))
    assert blocks(parsed) == [
        ("list_item", "- [x] tea"),
        ("list_item", "- [ ] tea"),
        ("list_item", "- [x] milk"),
    ]


def test_characters_that_are_elements() -> None:
    """Tabs, breaks, hyphens and symbols are read; tab stops and soft hyphens are not."""
    parsed = of(
        p(
            "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/><w:t>d</w:t>"
            '<w:softHyphen/><w:t>e </w:t><w:sym w:font="Symbol" w:char="F061"/>'
            '<w:sym w:font="Wingdings" w:char="F0E0"/><w:sym w:font="Odd" w:char="F0AA"/></w:r>',
            "<w:tabs><w:tab/></w:tabs>",
        )
    )
    assert parsed.text == "a b\nc-de α→"


def test_powers_are_not_run_together() -> None:
    """A raised number behind a digit keeps apart from it."""
    raised = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{}</w:t></w:r>'
    runs = f"<w:r><w:t>10</w:t></w:r>{raised.format('6')}<w:r><w:t>, 1</w:t></w:r>"
    assert of(p(runs + raised.format("st"))).text == "10^6, 1st"


def test_text_boxes_are_read_once() -> None:
    """Of the two ways in which a text box is written, one is read."""
    box = f"<w:txbxContent>{p('Boxed')}</w:txbxContent>"
    both = (
        f"<w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    only_fallback = (
        "<w:r><mc:AlternateContent><mc:Choice><w:drawing/></mc:Choice>"
        f"<mc:Fallback>{box.replace('Boxed', 'Old')}</mc:Fallback></mc:AlternateContent></w:r>"
    )
    parsed = of(p(f"<w:r><w:t>Anchor</w:t></w:r>{both}") + p(only_fallback))
    assert parsed.text == "Anchor\n\nBoxed\n\nOld"


def test_code_is_one_block() -> None:
    """Paragraphs in a style for code are joined, with their indents and empty lines."""
    parsed = of(
        p("def f():", style("Src"))
        + p("    pass", style("Src"))
        + p("", style("Src"))
        + p("f()", style("Src"))
        + p("Text"),
        styles=STYLES,
    )
    assert blocks(parsed) == [
        ("code", "```\ndef f():\n    pass\n\nf()\n```"),
        ("paragraph", "Text"),
    ]


def test_code_is_told_by_its_font_and_signs() -> None:
    """Text in a monospaced font is code if it looks like code, and prose if not."""
    run = '<w:r><w:rPr><w:rFonts w:ascii="Consolas"/></w:rPr><w:t>{}</w:t></w:r>'
    mixed = "<w:r><w:t>Call </w:t></w:r>" + run.format("f(x)")
    goes_on = run.format("x").replace("Consolas", "Courier New")
    parsed = of(p(run.format("x = 1;")) + p(goes_on))
    assert blocks(parsed) == [("code", "```\nx = 1;\nx\n```")]
    parsed = of(p(run.format("A letter.")) + p(mixed))
    assert [kind for kind, _ in blocks(parsed)] == ["paragraph", "paragraph"]


def test_pictures_say_what_they_show() -> None:
    """A description by a person is read, a file name and a machine's remark are not."""
    picture = '<w:r><w:drawing><wp:inline><wp:docPr descr="{}"/></wp:inline></w:drawing></w:r>'
    parsed = of(
        p(picture.format("A duck on a lake&#10;&#10;Description automatically generated"))
        + p(picture.format("holiday picture.png"))
    )
    assert parsed.text == "Image: A duck on a lake"


# --- notes, formulas, drawings -----------------------------------------------------------------


def test_notes_stand_at_the_end_of_their_section() -> None:
    """A reference leaves a mark; the note follows before the next heading."""
    note = '<w:r><w:t>{}</w:t></w:r><w:r><w:{} w:id="{}"/></w:r>'
    parsed = of(
        p(note.format("Fact", "footnoteReference", 2))
        + p(note.format("More", "endnoteReference", 2))
        + p(note.format("Gone", "footnoteReference", 9))
        + p("Next", style("Heading1")),
        footnotes=f'<w:footnote w:type="separator" w:id="0">{p("-")}</w:footnote>'
        f'<w:footnote w:id="2">{p("Source A.")}</w:footnote>',
        endnotes=f'<w:endnote w:id="2">{p("Source B.")}</w:endnote>',
    )
    assert parsed.text == (
        "Fact[^1]\n\nMore[^2]\n\nGone\n\n[^1]: Source A.\n\n[^2]: Source B.\n\n# Next"
    )
    assert [kind for kind, _ in blocks(parsed)][-2:] == ["footnote", "footnote"]


def test_formulas_are_latex() -> None:
    """Fractions, powers, sums and roots are written as in LaTeX."""
    run = "<m:r><m:t>{}</m:t></m:r>".format
    fraction = f"<m:f><m:num>{run('a')}</m:num><m:den>{run('β')}</m:den></m:f>"
    power = f"<m:sSup><m:e>{fraction}</m:e><m:sup>{run('2')}</m:sup></m:sSup>"
    total = (
        f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{run("n=1")}</m:sub>'
        f"<m:sup>{run('∞')}</m:sup><m:e>{run('x')}</m:e></m:nary>"
    )
    root = f"<m:rad><m:deg/><m:e>{run('y')}</m:e></m:rad>"
    parsed = of(
        p(f"<w:r><w:t>So </w:t></w:r><m:oMath>{power}</m:oMath><w:r><w:t>.</w:t></w:r>")
        + p(f"<m:oMathPara><m:oMath>{total}+{root}</m:oMath></m:oMathPara>")
    )
    assert parsed.text == (
        r"So ${\frac{a}{\beta}}^{2}$." + "\n\n" + r"$$\sum_{n=1}^{\infty}x\sqrt{y}$$"
    )


def test_deep_formulas_keep_their_text() -> None:
    """A formula nested without end loses its signs at some depth, and none of its text."""
    deep = "<m:rad><m:e>" * 300 + "<m:r><m:t>x</m:t></m:r>" + "</m:e></m:rad>" * 300
    text = of(p(f"<m:oMath>{deep}</m:oMath>")).text
    assert text.count("x") == 1
    assert 0 < text.count("sqrt") < 100


def test_a_chart_is_a_table() -> None:
    """What a chart shows stands in the text as a table."""

    def points(*values: str) -> str:
        cells = "".join(f'<c:pt idx="{n}"><c:v>{v}</c:v></c:pt>' for n, v in enumerate(values))
        return f"<c:strCache>{cells}</c:strCache>"

    chart = (
        f"<c:lineChart><c:ser><c:tx>{points('Ducks')}</c:tx><c:cat>{points('2019', '2020')}</c:cat>"
        f"<c:val>{points('4.2999999999999998', '7')}</c:val></c:ser></c:lineChart>"
    )
    parsed = of(p('<w:r><w:drawing><c:chart r:id="chart"/></w:drawing></w:r>'), chart=chart)
    assert parsed.text == "Line chart\n\n|  | Ducks |\n| 2019 | 4.3 |\n| 2020 | 7 |"


# --- damage ------------------------------------------------------------------------------------


def test_a_damaged_part_costs_only_itself() -> None:
    """Damaged styles and notes are left out and named; the text is read."""
    file = io.BytesIO(docx(p("Text", style("Heading1")), styles="", footnotes=""))
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("word/styles.xml", "<not xml")
        archive.writestr("word/footnotes.xml", "\0\0\0\0")
    parsed = read(file.getvalue(), "a.docx")
    assert headings(parsed) == [(1, "Text")]
    assert [w.split(" ")[0] for w in parsed.warnings] == ["word/styles.xml", "word/footnotes.xml"]


def test_relations_to_outside_are_not_followed() -> None:
    """A part that stands elsewhere is not opened, even if the name is in the file."""
    relation = (
        f'<Relationship Id="x" Type="{RELATIONS}/styles" Target="other.xml" TargetMode="External"/>'
    )
    data = docx(p("Text", style("X")), relations=relation)
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(
            "word/other.xml",
            f'<w:styles {NAMESPACES}><w:style w:styleId="X"><w:name w:val="heading 1"/></w:style>'
            "</w:styles>",
        )
    assert not read(file.getvalue(), "a.docx").headings


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"word/document.xml": "<w:document"}, "corrupt"),
        ({"word/other.xml": "<x/>"}, "corrupt"),
        ({"word/document.xml": "<!DOCTYPE d [<!ENTITY x 'y'>]><d>&x;</d>"}, "forbidden-xml"),
        ({"word/document.xml": "<a>" * 2000 + "</a>" * 2000}, "too-deep"),
        ({"word/document.xml": "<document/>"}, "empty"),
    ],
)
def test_damage_to_the_main_part_is_an_error(members: dict[str, str], code: str) -> None:
    """A file whose text can't be read is refused with a code."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(DocumentError) as error:
        read(file.getvalue(), "a.docx")
    assert error.value.code == code


def ole(name: str) -> bytes:
    """Build the beginning of an OLE container with a stream of a name in its directory."""
    text = f"{name}\0".encode("utf-16-le")
    entry = text.ljust(64, b"\0") + struct.pack("<H", len(text))
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0") + entry.ljust(128, b"\0")


def test_a_file_with_a_password_says_so() -> None:
    """An encrypted file is told from other OLE files, also from one that mentions the name."""
    assert is_encrypted_package(ole("EncryptedPackage"))
    assert not is_encrypted_package(ole("WordDocument"))
    mentioned = "EncryptedPackage\0".encode("utf-16-le")
    assert not is_encrypted_package(ole("WordDocument") + b"12" + mentioned)
    with pytest.raises(ParseError) as error:
        read(ole("EncryptedPackage"), "a.docx")
    assert error.value.code == "encrypted"


NAMES = (
    "w:p w:pPr w:r w:rPr w:t w:tbl w:tr w:tc w:tcPr w:vMerge w:gridSpan w:gridBefore w:txbxContent "
    "w:del w:sdt w:sdtPr w:sdtContent w:showingPlcHdr w14:checkbox w:checkBox w:fldChar w:numPr "
    "w:numId w:ilvl w:pStyle w:outlineLvl w:vanish w:br w:sym w:footnoteReference m:oMath m:r m:t "
    "m:f m:fPr m:num m:e m:nary m:d mc:AlternateContent mc:Choice mc:Fallback c:chart wp:docPr"
).split()
VALUES = ("", "1", "x", "99999999", "Heading1", "Src", "restart")
TREES = st.recursive(
    st.sampled_from(("", "x", " ", "{a} = 1;", "\u0301e")),
    lambda inner: st.builds(
        lambda name, value, parts: f'<{name} w:val="{value}">{"".join(parts)}</{name}>',
        st.sampled_from(NAMES),
        st.sampled_from(VALUES),
        st.lists(inner, max_size=4),
    ),
    max_leaves=30,
)


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_elements_may_stand_anywhere(tree: str) -> None:
    """No order of elements makes the parser fail, or write blocks that overlap."""
    of(p("Text") + tree, styles=STYLES, numbering=NUMBERING)


# --- samples -----------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def sample_recall(folder: Path) -> tuple[float, float]:
    """Return the shares of the expected words and headings that were read."""
    found = expected = found_headings = expected_headings = 0
    for source in sorted((folder / "sources").iterdir()):
        parsed = read(source.read_bytes(), source.name)
        markdown = (folder / "groundtruth" / f"{source.name}.md").read_text()
        markdown = re.sub(r"\]\([^)]*\)", "]", re.sub(r"<!--.*?-->", "", markdown))
        markdown = unescape(markdown)
        there, ours = Counter(words(markdown)), Counter(words(parsed.text))
        found += (there & ours).total()
        expected += there.total()
        titles = [words(line) for line in re.findall(r"^#+ (.*)$", markdown, re.MULTILINE)]
        ours_titles = [words(heading.title) for heading in parsed.headings]
        found_headings += sum(title in ours_titles for title in titles)
        expected_headings += len(titles)
    return found / expected, found_headings / expected_headings


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no samples: {SAMPLES} is missing")
def test_samples_are_read_as_expected() -> None:
    """Of the words and headings that another converter finds in real files, we find nearly all."""
    token_recall, heading_recall = sample_recall(SAMPLES)
    assert token_recall > 0.98
    assert heading_recall > 0.98
