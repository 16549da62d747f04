"""How hits, answers and JSON look."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit.cli import render
from ragkit.types import (
    Answer,
    Chunk,
    Citation,
    Gate,
    Hit,
    Lines,
    Removed,
    Span,
    Step,
    Usage,
    WebSource,
)

TEXT = "Dogs have to be on a lead.\n\nThey may not enter the saloon.\nThird.\nFourth."
CHUNK = Chunk(
    id="c1",
    document_id="d1",
    uri="file:///srv/docs/ferry.md",
    title="Ferry rules",
    collection="default",
    ordinal=0,
    span=Span(0, len(TEXT)),
    lines=Lines(9, 12),
    page=None,
    heading_path=("Ferry rules", "Dogs"),
    text=TEXT,
    media_type="text/markdown",
)
HIT = Hit(CHUNK, 0.8, {"lexical": 3, "semantic": 1}, {"lexical": 11.25, "semantic": 0.61})
CITATION = Citation(
    marker=1,
    uri="file:///srv/docs/ferry.md",
    title="Ferry rules",
    heading_path=("Ferry rules", "Dogs"),
    page=3,
    lines=None,
    span=Span(0, 26),
    quote="Dogs have to be\non a lead.",
    document_hash="h",
)
ANSWER = Answer(
    question="May dogs come?",
    state="grounded",
    text="Dogs have to be on a lead. [1]",
    citations=(CITATION,),
    web_sources=(),
    removed=(),
    hits=(HIT,),
    gate=Gate(0.91, ("both lists agree",)),
    model="extractive",
    usage=Usage(),
)


@pytest.fixture(autouse=True)
def _in_srv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "cwd", lambda: Path("/srv"))


# --- places and hits ----------------------------------------------------------------------------


def test_a_place_names_path_headings_and_lines() -> None:
    """The path is that seen from here."""
    assert render.chunk_place(CHUNK) == "docs/ferry.md · Ferry rules › Dogs · lines 9-12"


def test_a_place_names_the_page_where_there_are_pages() -> None:
    """A page says more than a line of extracted text."""
    chunk = replace(CHUNK, page=3, heading_path=())
    assert render.chunk_place(chunk) == "docs/ferry.md · p. 3"


def test_a_single_line_is_one() -> None:
    """Not "lines 9-9"."""
    assert render.chunk_place(replace(CHUNK, lines=Lines(9, 9))).endswith(" · line 9")


def test_hits_on_a_pipe() -> None:
    """Rank, place and score, then the first three lines that say something."""
    assert render.hits([HIT], "dogs", explain=False) == (
        "1. docs/ferry.md · Ferry rules › Dogs · lines 9-12  (score 0.800)\n"
        "   Dogs have to be on a lead.\n"
        "   They may not enter the saloon.\n"
        "   Third."
    )


def test_explained_hits_say_what_each_list_said() -> None:
    """--explain adds each list's rank and score."""
    lines = render.hits([HIT], "dogs", explain=True).splitlines()
    assert lines[1] == "   lexical: rank 3, score 11.250 · semantic: rank 1, score 0.610"


def test_other_places_of_a_hit() -> None:
    """Under the passage, by their paths; of many the first five and how many more there are."""
    few = replace(HIT, also=("file:///srv/a.md", "file:///srv/docs/b.md"))
    assert render.hits([few], "dogs", explain=False).endswith("\n   also in: a.md, docs/b.md")
    many = replace(HIT, also=tuple(f"file:///srv/{number}.md" for number in range(9)))
    assert render.also_in(many) == "also in: 0.md, 1.md, 2.md, 3.md, 4.md and 4 more"


def test_steps() -> None:
    """A row each, with what came of it in words; what there is nothing of is left out."""
    details = {"terms": ["dgos", "dogs"], "corrections": {"dgos": ("dogs",)}, "queries": []}
    shown = render.steps([Step("words", 1.25, details), Step("cut", 0.04, {"looked_at": 24})])
    assert shown == (
        "step\tms\twhat came of it\n"
        "words\t1.2\tterms: dgos, dogs · corrections: dgos dogs\n"
        "cut\t0.0\tlooked at: 24"
    )
    assert "\x1b" not in render.steps([Step("words", 1.0, {"query": "\x1b[31mred"})])


def test_the_words_of_the_query_are_bold_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop words are not, and the query is no pattern."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = render.hits([HIT], "to the saloon (dog", explain=False)
    assert "\x1b[1msaloon\x1b[0m" in shown
    assert "\x1b[1mDogs\x1b[0m" in shown
    assert "\x1b[1mto" not in shown


def test_a_documents_escape_sequences_do_not_reach_the_terminal() -> None:
    """Text, headings and file names are cleaned."""
    chunk = replace(CHUNK, text="a\x1b[2Jb", heading_path=("x\x1b]0;y\x07z",), uri="file:///a%1Bb")
    assert "\x1b" not in render.hits([Hit(chunk, 1.0, {})], "a", explain=True)


# --- answers ------------------------------------------------------------------------------------


def test_citations_show_place_and_quote() -> None:
    """The quote is on one line on a pipe, in quotation marks."""
    assert render.citations([CITATION]) == (
        '[1] docs/ferry.md · Ferry rules › Dogs · p. 3\n    "Dogs have to be on a lead."'
    )


def test_the_end_of_an_extractive_answer() -> None:
    """It says that no model wrote it."""
    shown = render.answer_end(ANSWER, show_removed=False)
    assert shown.startswith("Sources\n[1] docs/ferry.md")
    assert shown.endswith(
        "Answer from your documents (extractive: sentences quoted as they stand, no chat model)."
    )


def test_the_end_of_a_partial_answer() -> None:
    """Removed sentences are counted, and shown with the reason only when asked for."""
    removed = (Removed("Cats pay 9 euros.", "9 is not in the passage"),)
    answer = replace(ANSWER, state="partial", model="kimi", removed=removed)
    counted = render.answer_end(answer, show_removed=False)
    assert "1 sentence was removed" in counted
    assert "Cats" not in counted
    assert "Partial answer from your documents (written by kimi)." in counted
    shown = render.answer_end(answer, show_removed=True)
    assert "- Cats pay 9 euros. (9 is not in the passage)" in shown


def test_the_end_of_an_answer_from_the_web() -> None:
    """Web sources have their own heading, and the state says that nothing is proven."""
    source = WebSource("https://example.org/dogs", "Dogs\x1b[2J on ferries")
    answer = replace(ANSWER, state="web", model="kimi", citations=(), web_sources=(source,))
    shown = render.answer_end(answer, show_removed=False)
    assert "Sources on the web" in shown
    assert "- Dogs on ferries\n  https://example.org/dogs" in shown
    assert shown.endswith("Answer from the web, by kimi: your documents prove none of it.")


def test_the_end_of_no_answer() -> None:
    """The nearest passages are shown as such."""
    answer = replace(ANSWER, state="not_found", text="", citations=())
    shown = render.answer_end(answer, show_removed=False)
    assert "The nearest passages, which do not answer it:\n- docs/ferry.md" in shown
    assert "Dogs have to be on a lead." in shown


def test_the_explanation_shows_the_gate_and_the_lists() -> None:
    """A list that did not find a hit has a dash."""
    only_lexical = replace(HIT, ranks={"lexical": 4}, scores={"lexical": 2.0})
    lines = render.explanation(ANSWER.gate, [HIT, only_lexical]).splitlines()
    assert lines[:2] == [
        "The documents hold the answer with probability 0.91.",
        "- both lists agree",
    ]
    place = "docs/ferry.md · Ferry rules › Dogs · lines 9-12"
    assert lines[4:] == [
        f"1\t0.800\t3\t11.250\t1\t0.610\t{place}",
        f"2\t0.800\t4\t2.000\t-\t-\t{place}",
    ]


# --- JSON ---------------------------------------------------------------------------------------


def test_json_is_readable_and_harmless() -> None:
    """Other alphabets stay as they are; what a terminal would obey is escaped, and comes back."""
    body = {"text": "café 漢字 \x1b[2J \x9b2J \u202e \x7f"}
    text = render.json_text(body)
    assert "café 漢字" in text
    assert not set(text) & set("\x1b\x9b\u202e\x7f")
    assert json.loads(text) == body


def test_json_of_a_file_name_that_is_no_text() -> None:
    """Half a character becomes a question mark instead of an error."""
    assert json.loads(render.json_text({"uri": "a\udcff"})) == {"uri": "a?"}


def test_a_chunk_has_the_fields_of_a_hit() -> None:
    """`show --structure --json` and `search --json` name things alike."""
    fields = HIT.to_dict()
    for name in ("score", "ranks", "scores", "also_in"):
        del fields[name]
    assert render.chunk_dict(CHUNK) == fields
