"""`ragkit ask` answers, or says that it can't."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragkit.cli import ask as ask_module
from ragkit.types import Answer, AnswerEvent, Done, Gate, Retrieved, Sentence, Usage
from tests.tempico import TempicoServer

from .conftest import Ragkit

QUESTION = "How long are umbrellas that are found on board kept?"
GUESS = "It boils at 17 degrees."
UNANSWERABLE = "What is the boiling point of tungsten hexafluoride?"


def test_an_answer_with_its_source(library: Ragkit) -> None:
    """Sentences, then each citation's place and quote, then what kind of answer it is."""
    call = library("ask", QUESTION)
    assert call.code == 0
    answer, _, sources = call.out.partition("\n\nSources\n")
    assert "kept for ninety days" in answer
    assert "[1] docs/harbour.md · Harbour office › Lost property · line 9\n" in sources
    assert '    "Umbrellas and bags that are found on board are kept for ninety days.' in sources
    assert "(extractive: sentences quoted as they stand, no chat model)" in sources


def test_the_words_of_the_question_are_joined(library: Ragkit) -> None:
    """Quotes around the question are not needed, and stdin will do."""
    quoted = library("ask", QUESTION).out
    assert library("ask", *QUESTION.split()).out == quoted
    assert library("ask", "-", stdin=QUESTION).out == quoted
    assert library("ask", stdin=QUESTION + "\n").out == quoted


def test_json(library: Ragkit) -> None:
    """The object is the answer with the fields of DESIGN 9."""
    body = library("ask", QUESTION, "--json").json
    assert {"question", "state", "text", "citations", "web_sources", "hits", "removed"} <= set(body)
    assert body["question"] == QUESTION
    assert body["state"] == "grounded"
    assert body["model"] == "extractive"


def test_the_documents_do_not_hold_the_answer(library: Ragkit) -> None:
    """It says so plainly, shows the nearest passages as such, and exits with 5."""
    call = library("ask", UNANSWERABLE)
    assert call.code == 5
    assert call.out.startswith(
        "Your documents don't hold the answer.\n\n"
        "The nearest passages, which do not answer it:\n- docs/"
    )
    assert "Sources" not in call.out
    refused = library("ask", UNANSWERABLE, "--json")
    assert (refused.code, refused.json["state"]) == (5, "not_found")


def test_explain(library: Ragkit) -> None:
    """--explain adds the gate's probability, a row for each hit, and one for each step."""
    out = library("ask", QUESTION, "--explain", "--limit", "2").out
    assert "The documents hold the answer with probability " in out
    hits, _, steps = out.partition("\n#\t")[2].partition("\n\n")
    assert len(hits.splitlines()) == 3
    assert hits.splitlines()[1].startswith("1\t")
    names = [row.partition("\t")[0] for row in steps.splitlines()]
    assert names == "step words lexical embedding semantic fusion rerank cut".split()


def test_explain_as_json(library: Ragkit) -> None:
    """The steps are in the object where they are asked for."""
    body = library("ask", QUESTION, "--explain", "--json").json
    assert [step["step"] for step in body["steps"]][-2:] == ["rerank", "cut"]
    assert "steps" not in library("ask", QUESTION, "--json").json


def test_filters(library: Ragkit) -> None:
    """An answer comes from the documents that pass the filters."""
    body = library("ask", QUESTION, "--path", "ferry.md", "--json").json
    assert all(hit["uri"].endswith("ferry.md") for hit in body["hits"])


@pytest.mark.parametrize("question", ["", "   "])
def test_an_empty_question(library: Ragkit, question: str) -> None:
    """There is nothing to answer: an error of usage."""
    call = library("ask", question)
    assert call.code == 2
    assert "the question is empty" in call.err


@pytest.mark.parametrize("question", ['" OR * NEAR(', "!!!", "a" * 5000])
def test_an_odd_question(library: Ragkit, question: str) -> None:
    """Any text is a question; at worst it has no answer."""
    assert library("ask", "--", question).code in (0, 5)


def test_an_endpoint_that_is_asked_for_but_not_configured(library: Ragkit) -> None:
    """--chat endpoint without a key says which variable is missing."""
    call = library("ask", QUESTION, "--chat", "endpoint")
    assert call.code == 2
    assert "TEMPICO_API_KEY" in call.err


def test_the_usual_prompt(library: Ragkit, tmp_path: Path) -> None:
    """It is printed where no question is, and can be given back as a file."""
    usual = library("ask", "--show-prompt").out
    assert usual.startswith("[system]\n")
    (tmp_path / "own.txt").write_text(usual.replace("Write short", "Write very short"))
    shown = library("ask", QUESTION, "--show-prompt", "--prompt-file", str(tmp_path / "own.txt"))
    assert "Write very short" in shown.out


def test_the_prompt_of_a_question(library: Ragkit) -> None:
    """With its passages, as text and as messages; needs no chat model."""
    text = library("ask", QUESTION, "--show-prompt").out
    assert "kept for ninety days" in text
    assert text.endswith(f"Question: {QUESTION}\n")
    messages = library("ask", QUESTION, "--show-prompt", "--json").json["messages"]
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "kept for ninety days" in messages[1]["content"]


# --- an endpoint --------------------------------------------------------------------------------


@pytest.fixture
def endpoint(library: Ragkit, monkeypatch: pytest.MonkeyPatch) -> Iterator[TempicoServer]:
    """Start an endpoint that knows the answer from the web, and configure it."""
    assert library  # has cleared the environment
    with TempicoServer() as server:
        server.reply = lambda _body: GUESS
        server.web_sources = [("https://example.org/wf6", "Tungsten hexafluoride")]
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        yield server


def test_an_answer_from_the_web(library: Ragkit, endpoint: TempicoServer) -> None:
    """What the documents don't hold may come from the web: marked, with its sources, exit 0."""
    call = library("ask", UNANSWERABLE)
    assert call.code == 0
    assert call.out.startswith(f"From the web (unproven):\n{GUESS}")
    assert "- Tungsten hexafluoride\n  https://example.org/wf6" in call.out
    assert "your documents prove none of it" in call.out
    assert endpoint.requests_to("/chat/completions")[-1].body["web_search"] is True


def test_sentences_marked_as_unproven(library: Ragkit, endpoint: TempicoServer) -> None:
    """They stand apart under a heading that says so; alone they are no answer, exit 5."""
    call = library("ask", QUESTION, "--unsupported", "mark", "--web", "never")
    assert call.out.startswith(f"Not held up by your documents:\n{GUESS} [unproven]\n")
    assert "Your documents don't hold the answer." in call.out
    assert call.code == 5


@pytest.mark.parametrize("options", [["--web", "never"], ["--chat", "none"]])
def test_no_web_where_it_is_not_wanted(
    library: Ragkit, endpoint: TempicoServer, options: list[str]
) -> None:
    """Without the web, or without a chat model, there is no answer, and no search."""
    call = library("ask", UNANSWERABLE, *options)
    assert call.code == 5
    assert GUESS not in call.out
    asked = endpoint.requests_to("/chat/completions")
    assert all(request.body["web_search"] is False for request in asked)


def test_a_wrong_key(
    library: Ragkit, endpoint: TempicoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint's refusal is one line with a hint, exit 3, and does not show the key."""
    monkeypatch.setenv("TEMPICO_API_KEY", "tk-wrong-0123456789")
    call = library("ask", UNANSWERABLE)
    assert call.code == 3
    assert "Traceback" not in call.err
    assert "tk-wrong-0123456789" not in call.out + call.err


# --- events -------------------------------------------------------------------------------------


def answer(**changes: object) -> Answer:
    fields: dict[str, object] = {
        "question": "q",
        "state": "grounded",
        "text": "",
        "citations": (),
        "web_sources": (),
        "removed": (),
        "hits": (),
        "gate": Gate(0.5, ()),
        "model": "kimi",
        "usage": Usage(),
    }
    return Answer(**(fields | changes))  # type: ignore[arg-type]  # the fields of an Answer


def test_sentences_are_shown_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    """Each is printed, cleaned, before the next one is asked for."""
    seen = []  # the white space after a sentence waits for the next one

    def events() -> Iterator[AnswerEvent]:
        yield Retrieved((), Gate(0.5, ()))
        yield Sentence("One.\x1b[2J [1] ")
        seen.append(capsys.readouterr().out)
        yield Sentence("Two. [2]\n\n")
        seen.append(capsys.readouterr().out)
        yield Done(answer())

    ask_module.print_events(events())
    assert [*seen, capsys.readouterr().out] == ["One. [1]", " Two. [2]", "\n\n"]


def test_what_comes_from_the_web_is_kept_apart(capsys: pytest.CaptureFixture[str]) -> None:
    """The part from the web has a heading of its own."""
    web = Sentence("It melts.", origin="web")
    events: list[AnswerEvent] = [Sentence("It is grey. [1]"), web, Done(answer())]
    ask_module.print_events(iter(events))
    shown = capsys.readouterr().out
    assert shown == "It is grey. [1]\n\nFrom the web (unproven):\nIt melts.\n\n"
