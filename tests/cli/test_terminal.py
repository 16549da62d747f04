"""Text for terminals is harmless, and plain on a pipe."""

from __future__ import annotations

import pytest

from ragkit.cli import terminal


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("\x9b2Jx", "x"),
        ("\x1bcx", "x"),
        ("a\x1b", "a"),
        ("a\x08\x7fb\rc", "abc"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("half\udcffa", "halfa"),
        ("two\nlines\tand a tab, café, 漢字, 👩‍👩‍👧", "two\nlines\tand a tab, café, 漢字, 👩‍👩‍👧"),
        ("dos\r\nlines", "dos\nlines"),
    ],
)
def test_nothing_is_left_that_a_terminal_obeys(text: str, cleaned: str) -> None:
    """Escape sequences go whole, control characters one by one, all other text stays."""
    assert terminal.clean(text) == cleaned


def test_one_line_has_single_spaces() -> None:
    """Titles and messages with line breaks stay on their line."""
    assert terminal.one_line(" a\n\n b\t\x1b[1mc ") == "a b c"


def test_a_long_text_is_cut() -> None:
    """The cut text has an ellipsis, and no more than the characters allowed."""
    assert terminal.shortened("seven words are more than are wanted", 15) == "seven words ar…"
    assert terminal.shortened("short", 15) == "short"


def test_a_pipe_gets_plain_text() -> None:
    """No styles, no wrapping, columns parted by tabs."""
    assert terminal.styled("word", bold=True) == "word"
    assert terminal.indented("x " * 100, indent="  ") == "  " + ("x " * 100).rstrip()
    assert terminal.table([("a", "long cell"), ("bb", "c\n")]) == "a\tlong cell\nbb\tc"


@pytest.mark.usefixtures("on_terminal")
def test_a_terminal_gets_wrapped_and_aligned_text() -> None:
    """Lines fit the width, and columns line up, also under wide characters."""
    wrapped = terminal.indented("word " * 20, indent="    ")
    assert all(len(line) <= 40 and line.startswith("    ") for line in wrapped.splitlines())
    assert terminal.table([("漢字", "x"), ("ab", "y"), ("abcde", "z")]).splitlines() == [
        "漢字   x",
        "ab     y",
        "abcde  z",
    ]
    assert terminal.styled("word", bold=True) == "\x1b[1mword\x1b[0m"


@pytest.mark.usefixtures("on_terminal")
def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the styles away (https://no-color.org)."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.styled("word", bold=True) == "word"
