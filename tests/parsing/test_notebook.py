"""Notebooks: cells, outputs, and the older format."""

from __future__ import annotations

import json

import pytest

from ragkit.errors import ParseError
from ragkit.parsing import parse
from tests.parsing.structures import blocks, headings, read


def _notebook(*cells: object, **metadata: object) -> str:
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": cells})


def _code(source: object, *outputs: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": outputs}


def test_cells_read_as_a_document() -> None:
    """Headings of Markdown cells count; code is fenced in the kernel's language."""
    parsed = read(
        _notebook(
            {"cell_type": "markdown", "source": ["# Plan\n", "\n", "- one\n", "- two"]},
            _code("x = 1\nprint(x)", {"output_type": "stream", "text": ["1\n", "2\n"]}),
            {"cell_type": "raw", "source": "as it is"},
            kernelspec={"language": "Python"},
            authors=[{"name": "Anna"}, {"name": "Bert"}],
        ),
        "a.ipynb",
    )
    assert headings(parsed) == [(1, "Plan")]
    assert parsed.title == "Plan"
    assert parsed.metadata["author"] == "Anna, Bert"
    assert blocks(parsed) == [
        ("list_item", "- one"),
        ("list_item", "- two"),
        ("code", "```python\nx = 1\nprint(x)\n```"),
        ("code", "```\n1\n2\n```"),
        ("paragraph", "as it is"),
    ]


def test_outputs_that_are_text_are_kept() -> None:
    """Plain text and errors stay, Markdown is read as such; pictures and HTML are left out."""
    outputs = (
        {"output_type": "execute_result", "data": {"text/plain": "42", "text/html": "<b>42</b>"}},
        {"output_type": "display_data", "data": {"text/markdown": "**bold** words"}},
        {
            "output_type": "display_data",
            "data": {"image/png": "QUJD", "text/plain": "<Figure size 640x480 with 1 Axes>"},
        },
        {
            "output_type": "error",
            "ename": "KeyError",
            "evalue": "'x'",
            "traceback": ["\x1b[31m..."],
        },
    )
    parsed = read(_notebook(_code("f()", *outputs)), "a.ipynb")
    assert [text for _, text in blocks(parsed)[1:]] == [
        "```\n42\n```",
        "**bold** words",
        "```\nKeyError: 'x'\n```",
    ]
    assert parsed.warnings == ("outputs without text were left out: 1",)


def test_long_outputs_are_cut() -> None:
    """The beginning and the end of a log say enough; a progress bar shows its last state."""
    log = "".join(f"step {n}\n" for n in range(5_000))
    parsed = read(_notebook(_code("f()", {"output_type": "stream", "text": log})), "a.ipynb")
    assert "step 1\n" in parsed.text
    assert "step 4999\n" in parsed.text
    assert len(parsed.text) < 5_000
    assert parsed.warnings == ("long outputs were cut: 1",)
    bar = read(
        _notebook(_code("f()", {"output_type": "stream", "text": "10%\r50%\r100%\n"})), "a.ipynb"
    )
    assert "50%" not in bar.text
    assert "100%" in bar.text


def test_the_older_format_is_read() -> None:
    """nbformat 3 has worksheets, `input`, heading cells and outputs without data."""
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {
            "cell_type": "code",
            "language": "r",
            "input": ["1 + 1"],
            "outputs": [{"output_type": "pyout", "text": ["2"]}],
        },
    ]
    parsed = read(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}), "a.ipynb")
    assert headings(parsed) == [(2, "Old")]
    assert [text for _, text in blocks(parsed)] == ["```r\n1 + 1\n```", "```\n2\n```"]


def test_missing_fields_are_no_harm() -> None:
    """Cells without source or outputs, and what is no cell at all."""
    parsed = read(_notebook({"cell_type": "code"}, {}, None, {"source": "kept"}), "a.ipynb")
    assert parsed.text == "kept"


@pytest.mark.parametrize("data", [b'{"cells": [{"cell', b"[1]", b'{"a": 1}', b'{"cells": 5}'])
def test_what_is_no_notebook_is_refused(data: bytes) -> None:
    """Cut off, or JSON of another kind."""
    with pytest.raises(ParseError) as error:
        parse(data, uri="file:///a.ipynb", name="a.ipynb")
    assert error.value.code == "corrupt"
