"""The text that a client gets: in order, under headings that say where it comes from."""

from __future__ import annotations

from dataclasses import replace

from ragkit.server.completions import Completion, Transcript, usage_of
from ragkit.types import Sentence
from tests.server.made import ANSWER, CITATION, FROM_THE_WEB, NOT_FOUND, PROVEN

SECOND = Sentence(" Dogs pay nothing [2].\n\n", (replace(CITATION, marker=2, quote="Dogs"),))


def test_pieces_joined_are_the_text() -> None:
    """White space between sentences stays, that at the end doesn't."""
    transcript = Transcript()
    pieces = [transcript.add(PROVEN), transcript.add(SECOND)]
    pieces.append(transcript.end(ANSWER, lists_sources=False))
    assert "".join(pieces) == transcript.text
    assert transcript.text == "A crossing costs twelve euros [1]. Dogs pay nothing [2]."


def test_annotations_say_where_each_marker_stands() -> None:
    transcript = Transcript()
    transcript.add(PROVEN)
    transcript.add(SECOND)
    assert [each["file_citation"]["index"] for each in transcript.annotations] == [1, 2]
    for each in transcript.annotations:
        assert transcript.text[each["start_index"] : each["end_index"]] == each["text"]
    assert transcript.annotations[0]["file_citation"] == {
        "index": 1,
        "file_id": "d1",
        "filename": "ferry times.md",
        "quote": "A crossing costs twelve euros.",
    }


def test_what_comes_from_the_web_stands_under_a_heading() -> None:
    transcript = Transcript()
    transcript.add(PROVEN)
    transcript.add(Sentence("It is eleven [1].\n", origin="web"))
    transcript.end(FROM_THE_WEB, lists_sources=False)
    assert transcript.text.endswith("euros [1].\n\nFrom the web (unproven):\n\nIt is eleven [1].")
    kinds = [each["type"] for each in transcript.annotations]
    assert kinds == ["file_citation", "url_citation"]  # no proof for a marker of the web's


def test_an_answer_that_was_not_found_says_so() -> None:
    """A client that shows the text alone never shows an empty message."""
    transcript = Transcript()
    transcript.end(NOT_FOUND, lists_sources=False)
    assert transcript.text == "Your documents don't hold the answer."


def test_a_limit_of_tokens_ends_between_sentences() -> None:
    transcript = Transcript(max_tokens=12)
    assert transcript.add(PROVEN)
    assert transcript.add(SECOND) == ""
    assert transcript.add(Sentence(".")) == ""  # nothing after what was left out
    assert transcript.end(ANSWER, lists_sources=True) == ""
    assert transcript.finish_reason == "length"


def test_all_chunks_of_a_reply_have_its_id_time_and_model() -> None:
    completion = Completion("ragkit", clock=lambda: 1_700_000_000.9)
    bodies = [
        completion.chunk({"content": "x"}),
        completion.chunk({}, finish="stop"),
        completion.usage_chunk(usage_of(ANSWER.usage)),
    ]
    assert {(each["id"], each["created"], each["model"]) for each in bodies} == {
        (completion.id, 1_700_000_000, "ragkit")
    }
    assert bodies[1]["choices"][0]["finish_reason"] == "stop"
    assert bodies[2]["choices"] == []
    assert bodies[2]["usage"] == {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
    }
