"""Source code: blocks at definitions."""

from __future__ import annotations

from tests.parsing.structures import blocks, headings, read

SOURCE = '''"""Work out fares."""

import math
import sys

# Pence.
LIMIT = 10


# Rounds down.
@cached
def rounded(pence):
    """Drop odd pence.

    Always.
    """
    return pence
def other():
    pass
'''


def test_blocks_begin_at_definitions() -> None:
    """A function is one block with its decorators, the comment above it and its blank lines."""
    found = [text.split("\n")[0] for _, text in blocks(read(SOURCE, "fares.py"))]
    assert found == [
        '"""Work out fares."""',
        "import math",
        "# Pence.",
        "# Rounds down.",
        "def other():",
    ]


def test_title_is_the_docstring_of_a_python_module() -> None:
    """Code has no headings; other languages have no title either."""
    parsed = read(SOURCE, "fares.py")
    assert (parsed.title, headings(parsed)) == ("Work out fares.", [])
    assert parsed.media_type == "text/x-python"
    assert read("/* A */\nint main() {}\n", "a.c").title == ""


def test_closing_brace_behind_a_blank_line_belongs_to_its_block() -> None:
    """Braces at the edge begin no block."""
    parsed = read("function a() {\n  b()\n\n}\n\nfunction c() {}\n", "a.js")
    assert [text for _, text in blocks(parsed)] == ["function a() {\n  b()\n\n}", "function c() {}"]


def test_long_class_is_cut_at_its_members() -> None:
    """A definition too long for one block is cut where its members begin."""
    methods = "".join(f"    def m{n}(self):\n        return '{'x' * 300}'\n\n" for n in range(10))
    parsed = read(f"class A:\n{methods}", "a.py")
    assert len(parsed.blocks) == 10
    assert blocks(parsed)[1][1].startswith("    def m1")


def test_sections_of_settings_are_blocks() -> None:
    """TOML and INI are cut at their sections."""
    parsed = read("[a]\nb = 1\n[c]\nd = 2\n", "a.toml")
    assert [text for _, text in blocks(parsed)] == ["[a]\nb = 1", "[c]\nd = 2"]


def test_declared_encoding_of_python_is_honoured() -> None:
    """A coding cookie is believed where the file is no UTF-8."""
    data = "# -*- coding: cp866 -*-\nx = 'Привет'\n".encode("cp866")
    assert "Привет" in read(data, "a.py").text
