"""`ragkit chat`: questions by line or at a prompt, and the conversations that are kept."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ragkit.store import SqliteStore
from ragkit.types import Turn
from tests.tempico import Fault, TempicoServer

from .conftest import Ragkit

if sys.platform != "win32":
    import pty

QUESTION = "How much does a bicycle cost in July and August?"
FOLLOW_UP = "and outside the summer season?"
UNANSWERABLE = "What is the boiling point of tungsten hexafluoride?"
SECONDS = 30.0


@pytest.fixture
def library(ragkit: Ragkit, library_index: Path, folder: Path) -> Ragkit:
    """Call ragkit in a folder with an ingested library of its own."""
    shutil.copytree(library_index / ".ragkit", folder / ".ragkit")
    return ragkit


def lines(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


# --- a question a line --------------------------------------------------------------------------


def test_each_line_is_a_question(library: Ragkit) -> None:
    """Each is followed by its answer with sources; empty lines are passed over."""
    call = library("chat", stdin=f"{QUESTION}\n\n  \n{FOLLOW_UP}\n")
    assert call.code == 0
    _, first, second = ("\n" + call.out).split("\n> ")
    assert first.startswith(QUESTION + "\n") and second.startswith(FOLLOW_UP + "\n")
    assert "In July and August it costs 4 euros. [1]" in first
    assert "travels free of charge outside" in second
    for answer in (first, second):
        assert "\n\nSources\n[1] " in answer
        assert answer.rstrip().endswith("no chat model).")
    assert f"ragkit: understood as: {FOLLOW_UP} bicycle cost July August\n" in call.err


def test_json(library: Ragkit) -> None:
    """An object a line, that of `ask`, with the conversation's id."""
    out = library("chat", "--json", "--explain", stdin=f"{QUESTION}\n{FOLLOW_UP}\n").out
    first, second = lines(out)
    assert first["conversation"] == second["conversation"] != ""
    assert (first["question"], first["standalone"]) == (QUESTION, "")
    assert second["standalone"] == f"{FOLLOW_UP} bicycle cost July August"
    assert second["steps"][0]["step"] == "standalone"
    asked = library("ask", QUESTION, "--json").json
    assert {key: first[key] for key in asked} == asked


def test_what_is_not_found(library: Ragkit) -> None:
    """It is said, and the conversation goes on and ends well."""
    call = library("chat", stdin=f"{UNANSWERABLE}\n{QUESTION}\n")
    assert call.code == 0
    assert "Your documents don't hold the answer." in call.out
    assert "it costs 4 euros" in call.out


def test_an_error_ends_a_script(library: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of `ask`; the answers before it are kept."""
    with TempicoServer() as server:
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        server.reply = lambda _body: "In July and August it costs 4 euros [1]."
        answered = library("chat", "--json", stdin=QUESTION)
        server.fail("/chat/completions", Fault(status=401, message="go away"), times=5)
        call = library("chat", "--resume", "--json", stdin=f"{QUESTION}\n{QUESTION}\n")
    assert answered.code == 0
    assert (call.code, call.out) == (3, "")
    assert call.error["code"] == "auth"
    assert library("chat", "--list", "--json").json["conversations"][0]["turns"] == 1


def test_the_chat_model_rewrites(library: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an endpoint is configured it says what is meant, from the conversation."""
    standalone = "When does a bicycle travel free of charge?"
    with TempicoServer() as server:
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        server.reply = lambda body: (
            standalone
            if "rewrite the last question" in body["messages"][0]["content"]
            else "In July and August it costs 4 euros [1]."
        )
        call = library("chat", "--json", stdin=f"{QUESTION}\n{FOLLOW_UP}\n")
        prompts = [r.body["messages"][-1]["content"] for r in server.requests]
    assert [each["standalone"] for each in lines(call.out)] == ["", standalone]
    assert QUESTION in prompts[1] and "it costs 4 euros" in prompts[1]
    assert prompts[2].endswith(f"Question: {standalone}")


def test_nothing_is_asked(library: Ragkit) -> None:
    """An empty stdin is an empty conversation, and leaves none behind."""
    call = library("chat", stdin="")
    assert (call.code, call.out) == (0, "")
    assert "ragkit: no conversations\n" in library("chat", "--list").err


def test_there_is_no_index(ragkit: Ragkit) -> None:
    """It is said before a question is asked."""
    call = ragkit("chat", stdin=QUESTION)
    assert call.code == 4
    assert "ragkit ingest" in call.err


# --- commands -----------------------------------------------------------------------------------


def test_commands(library: Ragkit) -> None:
    """/sources and /explain tell of the last answer, /quit leaves the rest unasked."""
    call = library("chat", stdin=f"/sources\n{QUESTION}\n/sources\n/explain\n/quit\n{FOLLOW_UP}\n")
    assert "ragkit: nothing was asked yet\n" in call.err
    assert call.out.count("\nSources\n[1] ") == 2
    assert "The documents hold the answer with probability " in call.out
    assert "\nstep\tms\t" in call.out
    assert FOLLOW_UP not in call.out


def test_a_new_conversation(library: Ragkit) -> None:
    """/new leaves the history behind; the follow-up is one no more."""
    out = library("chat", "--json", stdin=f"{QUESTION}\n/new\n{FOLLOW_UP}\n").out
    first, second = lines(out)
    assert first["conversation"] != second["conversation"]
    assert second["standalone"] == ""


def test_help_and_mistakes(library: Ragkit) -> None:
    """/help lists the commands, another word is none; a path is a question."""
    call = library("chat", stdin="/help\n/soruces\n/etc/hosts is what?\n")
    assert "/explain   how likely" in call.err
    assert "ragkit: there is no command /soruces; /help lists them\n" in call.err
    assert call.out.startswith("> /etc/hosts is what?\n")


# --- what is kept -------------------------------------------------------------------------------


@pytest.fixture
def kept(library: Ragkit) -> str:
    """Have a conversation of one turn, and return its id."""
    return str(lines(library("chat", "--json", stdin=QUESTION).out)[0]["conversation"])


def test_list(library: Ragkit, kept: str) -> None:
    """The newest first: id, turns, time, first question."""
    library("chat", stdin=UNANSWERABLE)
    rows = [line.split("\t") for line in library("chat", "--list").out.splitlines()]
    assert [row[3] for row in rows] == [UNANSWERABLE, QUESTION]
    assert (rows[1][0], rows[1][1]) == (kept, "1 turn")
    listed = library("chat", "--list", "--json").json["conversations"]
    assert [each["title"] for each in listed] == [UNANSWERABLE, QUESTION]
    assert set(listed[0]) == {"id", "title", "created_at", "updated_at", "turns"}


@pytest.mark.parametrize("by", [lambda _id: [], lambda id_: [id_[:4]], lambda id_: [id_]])
def test_resume(library: Ragkit, kept: str, by: Callable[[str], list[str]]) -> None:
    """The last turn is shown with its sources, and the next question may lean on it."""
    call = library("chat", "--resume", *by(kept), stdin=FOLLOW_UP)
    assert f"ragkit: going on with {kept} after 1 turn\n" in call.err
    before, _, after = call.out.partition(f"> {FOLLOW_UP}\n")
    assert before.startswith(f"> {QUESTION}\n") and "\nSources\n[1] " in before
    assert "free of charge" in after
    assert library("chat", "--list", "--json").json["conversations"][0]["turns"] == 2


def test_sources_after_a_resume(library: Ragkit, kept: str) -> None:
    """They are those that are stored; the explanation is not."""
    call = library("chat", "--resume", kept, stdin="/sources\n/explain\n")
    assert call.out.count("Sources\n[1] ") == 2
    assert "ragkit: nothing was asked yet\n" in call.err


def test_show(library: Ragkit, kept: str) -> None:
    """All turns, as text and as JSON."""
    library("chat", "--resume", stdin=UNANSWERABLE)
    out = library("chat", "--show", kept[:5]).out
    assert out.startswith(f"{kept} · 2 turns · ")
    assert "it costs 4 euros. [1]" in out
    assert out.rstrip().endswith(f"> {UNANSWERABLE}\nYour documents don't hold the answer.")
    body = library("chat", "--show", kept, "--json").json
    assert [each["question"] for each in body["turns"]] == [QUESTION, UNANSWERABLE]
    assert body["turns"][0]["answer"]["citations"]


def test_delete(library: Ragkit, kept: str) -> None:
    """Several at a time; all of them, or none where one is unknown."""
    second = lines(library("chat", "--json", stdin=UNANSWERABLE).out)[0]["conversation"]
    refused = library("chat", "--delete", kept, "--delete", "zzz")
    assert refused.code == 2
    assert len(library("chat", "--list", "--json").json["conversations"]) == 2
    call = library("chat", "--delete", kept, "--delete", second[:6])
    assert call.out == f"deleted {kept}: {QUESTION}\ndeleted {second}: {UNANSWERABLE}\n"
    assert library("chat", "--list", "--json").json == {"conversations": []}


@pytest.mark.parametrize("option", ["--resume", "--show", "--delete"])
def test_an_unknown_id(library: Ragkit, option: str) -> None:
    """A clear error of usage, and where to look."""
    call = library("chat", option, "zzz", stdin=QUESTION)
    assert (call.code, call.out) == (2, "")
    assert "the index keeps no conversation 'zzz'\n  ragkit chat --list lists them" in call.err


def test_nothing_to_resume(library: Ragkit) -> None:
    """Without a conversation there is no newest one."""
    call = library("chat", "--resume", "--json", stdin=QUESTION)
    assert (call.code, call.error["code"]) == (2, "conversation-not-found")


def test_one_thing_at_a_time(library: Ragkit) -> None:
    """What is to be done with which conversation has to be clear."""
    call = library("chat", "--list", "--resume")
    assert call.code == 2
    assert "exclude one another" in call.err


@pytest.mark.parametrize("by", ["--no-keep", "setting"])
def test_keep_nothing(library: Ragkit, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """The conversation is understood, and is not in the file."""
    if by == "setting":
        monkeypatch.setenv("RAGKIT_KEEP_CONVERSATIONS", "no")
    options = [by] if by == "--no-keep" else []
    first, second = lines(
        library("chat", "--json", *options, stdin=f"{QUESTION}\n{FOLLOW_UP}\n").out
    )
    assert (first["conversation"], second["conversation"]) == ("", "")
    assert second["standalone"]
    assert library("chat", "--list", "--json").json == {"conversations": []}


def test_what_a_resumed_answer_may_do_to_a_terminal(library: Ragkit, folder: Path) -> None:
    """Nothing: stored text is cleaned when it is shown."""
    store = SqliteStore(folder / ".ragkit" / "index.db")
    told = {"text": "Red \x07\x9b31malert.", "citations": [], "web_sources": []}
    id_ = store.conversations.add(
        "", [Turn("Who\x07\x9b2J?", "", told, "2025-01-01T00:00:00+00:00")]
    )
    store.close()
    for options in (["--show", id_], ["--resume", id_], ["--list"]):
        shown = library("chat", *options).out
        assert "Who?" in shown
        assert "\x07" not in shown and "\x9b" not in shown


# --- at a terminal ------------------------------------------------------------------------------


class Terminal:
    """A `ragkit chat` at a pseudo-terminal, and what it has shown."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.shown = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:  # pragma: no cover - the other process
            os.chdir(folder)
            os.execvpe(sys.executable, [sys.executable, "-m", "ragkit", "chat"], environ)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # Linux says so that the other side is closed
                return
            if not data:
                return
            self.shown += data.decode("utf-8", "replace")

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not holds():
            assert time.monotonic() < deadline, self.shown
            time.sleep(0.02)

    def prompts(self, count: int) -> None:
        """Wait until it has asked for so many questions."""
        self.until(lambda: self.shown.count("> ") >= count and self.shown.endswith("> "))

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Return the exit code."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._thread.join(SECONDS)
        os.close(self._terminal)
        return code


@pytest.fixture
def terminal(library: Ragkit, folder: Path) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(**environ: str) -> Terminal:
        begun = Terminal(folder, {**os.environ, "TERM": "dumb", **environ})
        started.append(begun)
        return begun

    yield start
    for each in started:
        try:
            os.kill(each.pid, 9)
            os.waitpid(each.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended


on_posix = pytest.mark.skipif(sys.platform == "win32", reason="pty is POSIX")


@on_posix
@pytest.mark.parametrize("leave", ["\x04", "\x03", "/quit\n"])
def test_a_prompt(terminal: Callable[..., Terminal], library: Ragkit, leave: str) -> None:
    """Questions are asked for until Ctrl-D, Ctrl-C at the prompt or /quit: all leave with 0."""
    talk = terminal()
    talk.prompts(1)
    talk.type(QUESTION + "\n")
    talk.prompts(2)
    talk.type(leave)
    assert talk.end() == 0
    assert "it costs 4 euros. [1]" in talk.shown
    assert "Traceback" not in talk.shown
    (listed,) = library("chat", "--list", "--json").json["conversations"]
    assert f"ragkit chat --resume {listed['id']}" in talk.shown


@on_posix
def test_ctrl_c_ends_an_answer(terminal: Callable[..., Terminal], library: Ragkit) -> None:
    """The prompt comes back, nothing of the answer is kept, and the next question is answered."""
    with TempicoServer() as server:
        server.reply = lambda _body: "In July and August it costs 4 euros [1]."
        server.fail("/chat/completions", Fault(ending="hang"))
        talk = terminal(TEMPICO_BASE_URL=server.base_url, TEMPICO_API_KEY=server.key)
        talk.prompts(1)
        talk.type(QUESTION + "\n")
        talk.until(lambda: bool(server.requests_to("/chat/completions")))
        talk.type("\x03")
        talk.prompts(2)
        assert "ragkit: stopped; nothing of this answer is kept" in talk.shown
        talk.type(QUESTION + "\n")
        talk.prompts(3)
        talk.type("\x04")
        assert talk.end() == 0
    assert "it costs 4 euros. [1]" in talk.shown
    assert library("chat", "--list", "--json").json["conversations"][0]["turns"] == 1


@on_posix
def test_an_error_leaves_the_prompt(terminal: Callable[..., Terminal]) -> None:
    """What goes wrong with one answer is said, and another may be asked for."""
    with TempicoServer() as server:
        server.fail("/chat/completions", Fault(status=401, message="go away"))
        talk = terminal(TEMPICO_BASE_URL=server.base_url, TEMPICO_API_KEY=server.key)
        talk.prompts(1)
        talk.type(QUESTION + "\n")
        talk.prompts(2)
        talk.type("\x04")
        assert talk.end() == 0
    assert "ragkit: error: " in talk.shown
