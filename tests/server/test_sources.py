"""The list of sources under an answer: complete, and inert whatever documents are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragkit.server.sources import file_name, inert, sources, without_sources
from ragkit.types import WebSource
from tests.server.made import ANSWER, CITATION, FROM_THE_WEB, NOT_FOUND


def test_each_citation_is_listed_with_its_place_and_quote() -> None:
    """A reader of the text alone learns where each marker leads."""
    (line,) = [each for each in sources(ANSWER).splitlines() if each.startswith("- ")]
    assert line == (
        "- \\[1\\] ferry times.md · Ferries › Fares · line 3: “A crossing costs twelve euros.”"
    )


def test_an_answer_that_was_not_found_lists_the_nearest_passages_as_such() -> None:
    told = sources(NOT_FOUND)
    assert "nearest passages, which do not answer it" in told
    assert "Dogs pay nothing." in told
    assert "**Sources**" not in told


def test_web_sources_stand_apart_and_show_where_they_lead() -> None:
    told = sources(FROM_THE_WEB)
    assert "**Sources on the web** (as given, not read by ragkit)" in told
    assert "- Fares <https://example.org/fares>" in told


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a.example/<script>", 'https://a.example/"x', "x", ""]
)
def test_what_is_no_plain_web_address_is_no_link(url: str) -> None:
    told = sources(replace(FROM_THE_WEB, web_sources=(WebSource(url, "A page"),)))
    assert told.endswith("- A page")


def test_a_long_quote_is_shortened() -> None:
    told = sources(replace(ANSWER, citations=(replace(CITATION, quote="word " * 200),)))
    assert len(told) < 450
    assert "…”" in told


@pytest.mark.parametrize(
    "hostile",
    [
        "![x](https://evil.example/leak)",
        "[x](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "https://evil.example/?q=secret",
        "www.evil.example",
        "**bold** `code` ~~gone~~ | cell |",
        "\u202egnp.exe\u200b\n# heading",
    ],
)
def test_names_and_quotes_can_hold_no_markup(hostile: str) -> None:
    """Whatever a document is called, a Markdown renderer shows it as it stands."""
    shown = inert(hostile)
    for sign in "[]<>`*|~#!":
        assert shown.count(sign) == shown.count("\\" + sign)
    assert "://" not in shown.replace("\\:", "") or "\\:" in shown
    assert "www.evil" not in shown
    assert "\n" not in shown
    assert not set(shown) & {"\u202e", "\u200b"}


@pytest.mark.parametrize("answer", [ANSWER, NOT_FOUND, FROM_THE_WEB])
def test_the_list_is_no_part_of_what_was_said(answer: object) -> None:
    """A client sends the list back with the history; it is cut off again."""
    text = "It was said so [1]."
    assert without_sources(text + sources(answer)) == text  # type: ignore[arg-type]
    assert without_sources(text) == text


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("file:///notes/ferry%20times.md", "ferry times.md"),
        ("upload:report.pdf", "report.pdf"),
        ("upload:law/report.pdf", "report.pdf"),
        ("crm:contract/17", "17"),
        ("https://[broken", "[broken"),
        ("https://example.org/", "example.org"),
    ],
)
def test_a_document_is_called_by_the_end_of_its_uri(uri: str, name: str) -> None:
    assert file_name(uri) == name
