"""Spreadsheets: tables of a sheet, values as people read them, and files that would blow up."""

from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import parse
from ragkit.parsing.sheets.tables import Merge, Sheet, write_sheet
from ragkit.parsing.structure import Writer
from tests.parsing.structures import assert_well_formed, blocks, headings, read

SAMPLES = (
    Path(os.environ.get("RAGKIT_EVAL_DATA", Path(__file__).parents[2] / "../shared/eval"))
    / "formats/xlsx/sources"
).resolve()

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def _relations(*relations: tuple[str, str]) -> str:
    items = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(relations, 1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{items}</Relationships>'


def _workbook(
    *sheets: str, parts: dict[str, str] | None = None, states: tuple[str, ...] = ()
) -> bytes:
    """Zip sheets, each the XML of its rows, up to a workbook; `parts` are added as they are."""
    numbers = range(1, len(sheets) + 1)
    named = "".join(
        f'<sheet name="Part {n}" sheetId="{n}" r:id="rId{n}"'
        f' state="{states[n - 1] if states else "visible"}"/>'
        for n in numbers
    )
    members = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": _relations(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{named}</sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": _relations(
            *[("worksheet", f"worksheets/sheet{n}.xml") for n in numbers], ("styles", "styles.xml")
        ),
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="10"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    }
    for n, sheet in enumerate(sheets, 1):
        whole = f'<worksheet xmlns="{_MAIN}">{sheet}</worksheet>'
        members[f"xl/worksheets/sheet{n}.xml"] = sheet if sheet.startswith("<!") else whole
    return _zip(members | (parts or {}))


def _zip(members: dict[str, str]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return target.getvalue()


def _rows(*rows: list[str | int | float]) -> str:
    """Return the XML of rows from A1 on; "" is no cell."""
    lines = []
    for number, cells in enumerate(rows, 1):
        line = ""
        for letter, cell in zip("ABCDEFGH", cells, strict=False):
            if isinstance(cell, str) and cell:
                line += f'<c r="{letter}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
            elif cell != "":
                line += f'<c r="{letter}{number}"><v>{cell}</v></c>'
        lines.append(f'<row r="{number}">{line}</row>')
    return f"<sheetData>{''.join(lines)}</sheetData>"


def _ods(rows: str, parts: dict[str, str] | None = None) -> bytes:
    names = "".join(f' xmlns:{n}="{_ODF}:{n}:1.0"' for n in ("office", "table", "text"))
    content = (
        f"<office:document-content{names}><office:body><office:spreadsheet><table:table "
        f'table:name="Stock">{rows}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    return _zip({"content.xml": content} | (parts or {}))


def _cell(text: str, attributes: str = "") -> str:
    return f"<table:table-cell {attributes}><text:p>{text}</text:p></table:table-cell>"


def _written(rows: list[list[str]], *merges: Merge) -> str:
    writer = Writer()
    write_sheet(writer, Sheet("S", rows, merges=merges))
    parsed = writer.parsed("x")
    assert_well_formed(parsed)
    marks = {"table_header": "H ", "table_row": "R ", "paragraph": "P "}
    return "\n".join(
        marks[kind] + line for kind, text in blocks(parsed) for line in text.split("\n")
    )


# --- workbooks ---------------------------------------------------------------------------------


def test_each_sheet_is_a_page() -> None:
    """Its name is a heading, empty ones keep their number, hidden ones are read and named."""
    data = _workbook(
        _rows(["name", "count"], ["apple", 3]),
        _rows(),
        _rows(["kind", "sum"], ["pear", 4.5]),
        states=("visible", "visible", "hidden"),
    )
    parsed = read(data, "a.xlsx")
    assert headings(parsed) == [(2, "Part 1"), (2, "Part 3")]
    assert [page.number for page in parsed.pages] == [1, 2, 3]
    assert blocks(parsed) == [
        ("table_header", "| name | count |"),
        ("table_row", "| apple | 3 |"),
        ("table_header", "| kind | sum |"),
        ("table_row", "| pear | 4.5 |"),
    ]
    assert parsed.warnings == ("the sheet 'Part 3' is hidden in the file",)


def test_values_read_as_people_read_them() -> None:
    """Dates, percentages, errors, truth values and numbers without a float's noise."""
    cells = (
        '<c r="A2" s="2"><v>45292</v></c><c r="B2" s="2"><v>45292.5</v></c>'
        '<c r="C2" s="1"><v>0.125</v></c><c r="D2" t="e"><v>#N/A</v></c>'
        '<c r="E2" t="b"><v>1</v></c><c r="F2"><v>0.30000000000000004</v></c>'
        '<c r="G2" t="str"><f>A1</f><v>formula</v></c>'
    )
    parsed = read(_workbook(f'<sheetData><row r="2">{cells}</row></sheetData>'), "a.xlsx")
    assert blocks(parsed) == [
        ("table_row", "| 2024-01-01 | 2024-01-01 12:00 | 12.5% | #N/A | TRUE | 0.3 | formula |")
    ]


def test_title_and_author_are_those_of_the_file() -> None:
    """The core properties say them; a sheet called "Sheet1" is no title."""
    core = (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Fruit</dc:title>'
        "<dc:creator>Anna</dc:creator></cp:coreProperties>"
    )
    parsed = read(_workbook(_rows(["a"]), parts={"docProps/core.xml": core}), "a.xlsx")
    assert (parsed.title, parsed.metadata["author"]) == ("Fruit", "Anna")
    assert read(_workbook(_rows(["a"])), "a.xlsx").title == "Part 1"


def test_comments_stand_below_the_tables() -> None:
    """With their cell and author."""
    comments = (
        f'<comments xmlns="{_MAIN}"><authors><author>Anna</author></authors><commentList>'
        '<comment ref="B2" authorId="0"><text><r><t>Why so few?</t></r></text></comment>'
        "</commentList></comments>"
    )
    parts = {
        "xl/worksheets/_rels/sheet1.xml.rels": _relations(("comments", "../comments1.xml")),
        "xl/comments1.xml": comments,
    }
    parsed = read(_workbook(_rows(["a", "b"], ["x", 2]), parts=parts), "a.xlsx")
    assert blocks(parsed)[-1] == ("footnote", "Comment on B2 by Anna: Why so few?")


def test_cells_far_apart_are_read() -> None:
    """Two cells in opposite corners are two cells, not 17 billion."""
    cells = [("A1", "first"), ("B1", "second"), ("A2", "third"), ("XFD1048576", "last")]
    rows = "".join(
        f'<row r="{place.lstrip("ABDFX")}"><c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'
        "</row>"
        for place, text in cells
    )
    start = time.process_time()
    parsed = read(_workbook(f"<sheetData>{rows}</sheetData>"), "a.xlsx")
    assert "first" in parsed.text
    assert parsed.text.endswith("last")
    assert time.process_time() - start < 5


def test_a_sheet_that_stays_too_large_is_left_out() -> None:
    """A diagonal of cells can't be made dense; the other sheets are read."""
    letters = [chr(65 + n // 26) + chr(65 + n % 26) for n in range(600)]
    rows = "".join(
        f'<row r="{n * 20 + 1}"><c r="{name}{n * 20 + 1}"><v>1</v></c></row>'
        for n, name in enumerate(letters * 9)
    )
    parsed = read(_workbook(f"<sheetData>{rows}</sheetData>", _rows(["kept", "too"])), "a.xlsx")
    assert "kept" in parsed.text
    assert any("too far apart" in warning for warning in parsed.warnings)


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (
            _workbook('<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><w>&x;</w>'),
            "a.xlsx",
            "forbidden-xml",
        ),
        (_workbook(" " * 30_000_000), "a.xlsx", "too-large"),
        (_workbook(_rows(["a"]))[:300], "a.xlsx", "corrupt"),
        (_zip({"other.txt": "x"}), "a.xlsx", "corrupt"),
        (_zip({"other.txt": "x"}), "a.ods", "corrupt"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "a.xls", "corrupt"),
        (_ods("", {"META-INF/manifest.xml": "<m><encryption-data/></m>"}), "a.ods", "encrypted"),
    ],
)
def test_what_cannot_be_read_is_refused(data: bytes, name: str, code: str) -> None:
    """Declared entities, bombs, damage and passwords, each with its code."""
    with pytest.raises(ParseError) as error:
        parse(data, uri=f"file:///{name}", name=name)
    assert error.value.code == code


def test_text_that_calls_itself_a_workbook() -> None:
    """Many programs export tab-separated text as .xls."""
    parsed = read("name\tcount\napple\t3\n", "a.xls")
    assert blocks(parsed)[0] == ("table_header", "name\tcount")


# --- OpenDocument ------------------------------------------------------------------------------


def test_an_opendocument_sheet_is_read() -> None:
    """Values as they are shown, but for dates; comments apart; merged cells in each row."""
    rows = (
        f"<table:table-row>{_cell('name')}{_cell('share')}{_cell('day')}</table:table-row>"
        "<table:table-row>"
        + _cell("apple", 'table:number-rows-spanned="2"')
        + _cell("25 %", 'office:value-type="percentage" office:value="0.25"')
        + _cell("06.05.24", 'office:value-type="date" office:date-value="2024-05-06"')
        + "</table:table-row><table:table-row><table:covered-table-cell/><table:table-cell>"
        "<office:annotation><text:p>sure?</text:p></office:annotation><text:p>30 %</text:p>"
        "</table:table-cell></table:table-row>"
    )
    parsed = read(_ods(rows), "a.ods")
    assert headings(parsed) == [(2, "Stock")]
    assert blocks(parsed) == [
        ("table_header", "| name | share | day |"),
        ("table_row", "| apple | 25 % | 2024-05-06 |"),
        ("table_row", "| apple | 30 % |"),
        ("footnote", "Comment: sure?"),
    ]


def test_repetition_in_a_sheet_costs_nothing() -> None:
    """A million empty rows are a gap, and a million full ones a few."""
    empty = '<table:table-cell table:number-columns-repeated="16384"/>'
    rows = (
        f"<table:table-row>{_cell('first')}{_cell('second')}</table:table-row>"
        f'<table:table-row table:number-rows-repeated="1048000">{empty}</table:table-row>'
        '<table:table-row table:number-rows-repeated="1048576">'
        + _cell("again", 'table:number-columns-repeated="16384"')
        + "</table:table-row>"
    )
    start = time.process_time()
    parsed = read(_ods(rows), "a.ods")
    assert parsed.text.startswith("## Stock\n\n")
    assert len(parsed.text) < 5_000_000
    assert "repeated very often" in parsed.warnings[0]
    assert time.process_time() - start < 5


# --- tables of a sheet -------------------------------------------------------------------------


def test_a_title_row_is_a_paragraph() -> None:
    """Lone cells above a table are said before it."""
    rows = [["Sales"], ["in 2024"], [], ["year", "sum"], ["2024", "5"]]
    assert _written(rows) == "P Sales\nP in 2024\nH | year | sum |\nR | 2024 | 5 |"


def test_tables_side_by_side_are_two() -> None:
    """Where each has its header and they begin in different rows."""
    rows = [
        ["a", "b", "", "", ""],
        ["1", "2", "", "c", "d"],
        ["3", "4", "", "5", "6"],
    ]
    assert _written(rows) == "H | a | b |\nR | 1 | 2 |\nR | 3 | 4 |\nH | c | d |\nR | 5 | 6 |"


def test_a_gap_in_a_form_parts_nothing() -> None:
    """A label and its value stay in a row, whatever is empty between them."""
    rows = [["Voltage", "", "kV", "130"], ["Phases", "", "", "3"]]
    assert _written(rows) == "R | Voltage | kV | 130 |\nR | Phases |  | 3 |"


def test_a_table_goes_on_below_an_empty_row() -> None:
    """Rows without a header of their own belong to the table above."""
    rows = [["item", "sum"], ["a", "1"], [], ["b", "2"], ["c", "3"]]
    assert _written(rows) == "H | item | sum |\nR | a | 1 |\nR | b | 2 |\nR | c | 3 |"


def test_a_table_without_a_header_gets_none_from_above() -> None:
    """Its first row parts it from the table above."""
    rows = [["item", "sum"], ["a", "1"], [], ["", "", "", "7", "8"], ["", "", "", "9", "10"]]
    assert _written(rows) == "H | item | sum |\nR | a | 1 |\nP 7 | 8\nR | 9 | 10 |"


def test_grouped_headers_are_one_header() -> None:
    """A cell merged over columns names each of them; the row below is of the header too."""
    rows = [["city", "men", "", "women", ""], ["", "old", "young", "old", "young"]]
    rows += [["Rome", "1", "2", "3", "4"]]
    written = _written(rows, Merge(0, 0, 1, 0), Merge(0, 1, 0, 2), Merge(0, 3, 0, 4))
    assert written == (
        "H | city | men | men | women | women |\nH | city | old | young | old | young |\n"
        "R | Rome | 1 | 2 | 3 | 4 |"
    )


def test_a_cell_merged_over_rows_stands_in_each() -> None:
    """A row says all that is known of it."""
    rows = [["city", "year", "sum"], ["Rome", "2023", "1"], ["", "2024", "2"]]
    assert _written(rows, Merge(1, 0, 2, 0)).endswith("R | Rome | 2024 | 2 |")


def test_a_column_of_sentences_is_text() -> None:
    """Notes to a workbook are paragraphs."""
    rows = [["How this came about, in a sentence that is longer than a name is."], ["And why."]]
    assert [line[:1] for line in _written(rows).split("\n")] == ["P", "P"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="samples are missing; set RAGKIT_EVAL_DATA")
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*")), ids=lambda path: str(path.name))
def test_samples_are_well_formed(path: Path) -> None:
    """Real workbooks give pages and headings, and spans that hold."""
    parsed = read(path.read_bytes(), path.name)
    assert len(parsed.headings) == len(parsed.pages)
