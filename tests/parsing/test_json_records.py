"""JSON and JSON lines as readable text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import ParseError
from ragkit.parsing import parse
from ragkit.parsing.json_records import parse as parse_json
from tests.parsing.structures import assert_well_formed, blocks, headings, read

LONG = "A sentence that says something. " * 10


def test_an_object_reads_as_paths_and_values() -> None:
    """Keys are kept, numbers are as they were written, nothing is shown of null and empty."""
    parsed = read('{"a": 1.50, "b": {"c": true}, "d": null, "e": [], "f": ["x", "y"]}', "a.json")
    assert parsed.text == "a: 1.50\nb.c: true\nf: x, y"


def test_records_are_blocks() -> None:
    """Each object of a list is a block of its own, with its keys."""
    parsed = read('[{"id": 1, "name": "Anna"}, {"id": 2, "name": "Bert"}]', "a.json")
    assert blocks(parsed) == [
        ("paragraph", "id: 1\nname: Anna"),
        ("paragraph", "id: 2\nname: Bert"),
    ]


def test_a_record_with_a_text_has_its_title_as_a_heading() -> None:
    """Articles read as articles: heading, short fields, text."""
    data = [{"text": LONG, "title": "First", "author": "Anna"}, {"title": "Second", "text": LONG}]
    parsed = read(json.dumps(data), "a.json")
    assert headings(parsed) == [(1, "First"), (1, "Second")]
    assert parsed.text.startswith(f"# First\n\nauthor: Anna\ntext:\n\n{LONG.strip()}\n\n# Second")


def test_the_title_and_sections_of_a_document() -> None:
    """A title at the top is the document's; objects and lists of them are sections."""
    data = {"title": "Guide", "version": "2", "chapters": [{"name": "One", "text": LONG}]}
    parsed = read(json.dumps(data), "a.json")
    assert parsed.title == "Guide"
    assert headings(parsed) == [(1, "Guide"), (2, "chapters"), (3, "One")]
    assert "version: 2" in parsed.text


def test_markdown_in_strings_keeps_its_headings() -> None:
    """A string with a heading is read as Markdown, and stands before what is said of it."""
    data = [{"category": "Section", "text": "## The start"}, {"category": "Text", "text": "a\n\nb"}]
    parsed = read(json.dumps(data), "a.json")
    assert headings(parsed) == [(2, "The start")]
    assert parsed.text == "## The start\n\ncategory: Section\n\ncategory: Text\ntext:\n\na\n\nb"


def test_geojson_features_are_records() -> None:
    """Features keep their properties and points; outlines are left out, and it is said."""
    ring = [[n, n] for n in range(50)]
    features = [
        {
            "type": "Feature",
            "properties": {"name": "Rome"},
            "geometry": {"coordinates": [12.5, 41.9]},
        },
        {"type": "Feature", "properties": {"name": "Lake"}, "geometry": {"coordinates": [ring]}},
    ]
    parsed = read(json.dumps({"type": "FeatureCollection", "features": features}), "a.geojson")
    assert "properties.name: Rome\ngeometry.coordinates: 12.5, 41.9" in parsed.text
    assert "properties.name: Lake" in parsed.text
    assert "49" not in parsed.text
    assert parsed.warnings == ("lists of more than 32 numbers were left out: 1",)


def test_vectors_and_encoded_data_are_left_out() -> None:
    """Nobody searches for the numbers of an embedding or the letters of a picture."""
    data = {"text": "kept", "vector": [0.5] * 400, "image": "data:image/png;base64," + "QUJD" * 500}
    parsed = read(json.dumps(data), "a.json")
    assert parsed.text == "text: kept"
    assert len(parsed.warnings) == 2


def test_rows_of_values_are_table_rows() -> None:
    """Lists of lists of plain values are rows."""
    parsed = read('{"data": [["a", 1], ["b", 2]]}', "a.json")
    assert blocks(parsed)[-2:] == [("table_row", "| a | 1 |"), ("table_row", "| b | 2 |")]


def test_objects_by_key_are_records() -> None:
    """An object whose values are all objects is a list under another name."""
    parsed = read('{"users": {"anna": {"age": 1}, "bert": {"age": 2}}}', "a.json")
    assert blocks(parsed) == [("paragraph", "anna.age: 1"), ("paragraph", "bert.age: 2")]


def test_json_lines_name_the_bad_ones() -> None:
    """A line that can't be read is left out with its number."""
    parsed = read('{"a": "one"}\n\n{"a": oops}\n{"a": "two"}\n', "a.jsonl")
    assert parsed.text == "a: one\n\na: two"
    assert len(parsed.warnings) == 1
    assert parsed.warnings[0].startswith("line 3 was left out")


def test_json_lines_under_another_name() -> None:
    """A value a line is read though the file calls itself JSON, and the other way around."""
    assert read('{"a": 1}\n{"a": 2}\n', "a.json").text == "a: 1\n\na: 2"
    assert read('{\n "a": "one"\n}\n', "a.jsonl").text == "a: one"


def test_a_list_that_is_cut_off_keeps_its_whole_values() -> None:
    """What came before the cut is read, and the loss is said."""
    parsed = read('[{"a": "one"}, {"a": "two"}, {"a": "thr', "a.json")
    assert parsed.text == "a: one\n\na: two"
    assert "cut off" in parsed.warnings[0]


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (b'{"a": [1, 2, {"b": "cut', "a.json", "corrupt"),
        (b"[" * 100_000, "a.json", "too-deep"),
        (b"[" * 300 + b"1" + b"]" * 300, "a.json", "too-deep"),
        (b"no json\nat all\n", "a.jsonl", "corrupt"),
        (b"{}", "a.json", "empty"),
    ],
)
def test_what_is_no_json_is_refused(data: bytes, name: str, code: str) -> None:
    """With a code, and for a mistake with its line and column."""
    with pytest.raises(Exception) as error:
        parse(data, uri=f"file:///{name}", name=name)
    assert getattr(error.value, "code", "") == code
    if code == "corrupt":
        assert "line 1, column" in str(error.value)


def test_numbers_and_surrogates_of_any_kind() -> None:
    """A number of any length stays; a lone surrogate is replaced."""
    digits = "9" * 10_000
    parsed = read(f'{{"n": {digits}, "s": "lone \\ud800 tail"}}', "a.json")
    assert parsed.text == f"n: {digits}\ns: lone \ufffd tail"


def test_utf16_is_read() -> None:
    """As old programs wrote JSON."""
    assert read('{"t": "héllo"}'.encode("utf-16"), "a.json").text == "t: héllo"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=5), below),
    max_leaves=20,
)


@given(_VALUES)
def test_any_value_is_well_formed(value: object) -> None:
    """Whatever is nested in what, blocks hold all of the text."""
    data = json.dumps(value).encode()
    try:
        assert_well_formed(parse_json(data, "file:///a.json", "application/json"))
    except ParseError as error:
        assert error.code == "too-deep"
