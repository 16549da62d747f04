"""What a chat model adds to a search: queries, an order, their cost, and what if it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ragkit import config
from ragkit.errors import ConfigError
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import ScriptedChat
from ragkit.types import SearchReport, Step
from ragkit.understanding import is_latin, judge, means_itself, reword
from ragkit.wiring import Wiring
from tests.documents import EMBEDDER, filled
from tests.tempico import Fault, TempicoServer

PASSAGES = [("Ferries", "Dogs need a muzzle."), ("Bread", "Salt."), ("Fares", "Twelve euros.")]
COMPOUND = "What does a crossing cost, and how much salt belongs into bread?"


@pytest.fixture
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        yield running


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two documents that no test changes."""
    made = filled(tmp_path_factory.mktemp("index") / "index.db")
    made.close()
    return made.path


@contextmanager
def opened(path: Path, server: TempicoServer, home: Path, **overrides: Any) -> Iterator[Index]:
    """Open the index with the hashing embedder, and with the endpoint's chat model."""
    environ: Mapping[str, str] = {
        "TEMPICO_API_KEY": server.key,
        "TEMPICO_BASE_URL": server.base_url,
        "HOME": str(home),
    }
    settings = config.resolve(overrides, environ=environ, cwd=home)
    parts = Wiring(settings, environ)
    with Index(SqliteStore(path), embedder=EMBEDDER, chat=parts.chat(), settings=settings) as index:
        yield index
    parts.close()


def step(report: SearchReport, name: str) -> Step:
    (found,) = [each for each in report.steps if each.name == name]
    return found


def ids(report: SearchReport) -> list[str]:
    return [hit.chunk.id for hit in report.hits]


def prompts(server: TempicoServer) -> list[str]:
    """Return what the chat model was asked, all messages of a request in one text."""
    return [
        "\n".join(message["content"] for message in request.body["messages"])
        for request in server.requests_to("/chat/completions")
    ]


# --- who is asked ------------------------------------------------------------------------------


def test_nobody_is_asked_by_default(path: Path, server: TempicoServer, tmp_path: Path) -> None:
    """A search with a chat model configured sends nothing."""
    with opened(path, server, tmp_path) as index:
        report = index.search_explained(COMPOUND)
    assert server.requests == []
    assert (report.usage.requests, report.notices) == (0, ())


@pytest.mark.parametrize("name", ["rewrite", "rerank"])
def test_help_needs_a_chat_model(path: Path, name: str) -> None:
    """Without one a setting that asks for help is an error, not silence."""
    settings = Settings(rewrite=name == "rewrite", rerank="chat" if name == "rerank" else "off")
    with (
        Index(SqliteStore(path), embedder=EMBEDDER, settings=settings) as index,
        pytest.raises(ConfigError, match=f"^{name} = .* needs a chat model"),
    ):
        index.search("dogs")


@pytest.mark.parametrize(
    "query",
    ['"muzzle below deck"', "„Hunde an Bord“", "E-417", "fare_table", "docs/ferry.md", "getFare()"],
)
def test_what_means_itself(query: str) -> None:
    """Quoted phrases and identifiers have no other words."""
    assert means_itself(query.removesuffix("()"))


@pytest.mark.parametrize(
    "query",
    ["dogs?", "Skarholm", "two-hour crossing", 'what is "muzzle"', "狗可以上船吗？", "Hündin"],
)
def test_what_may_be_said_otherwise(query: str) -> None:
    """Words, however few, and questions that only hold a phrase."""
    assert not means_itself(query)


@pytest.mark.parametrize(
    ("text", "latin"),
    [
        ("Wie groß ist ein Ärmel?", True),
        ("E-417", True),
        ("417", True),
        ("Сколько стоит MV Petrel?", False),
        ("狗可以上船吗", False),
        ("MV Petrel и MV Aldith", True),
    ],
)
def test_the_script_of_a_question(text: str, latin: bool) -> None:
    """It is that of most of its letters."""
    assert is_latin(text) is latin


# --- rewriting ---------------------------------------------------------------------------------


def test_a_compound_question(path: Path, server: TempicoServer, tmp_path: Path) -> None:
    """Each part is searched for, and the best of each is among the first hits."""
    server.reply = lambda _body: "- crossing costs euros\n2. salt counted on the flour\n"
    with opened(path, server, tmp_path, rewrite=True) as index:
        report = index.search_explained(COMPOUND, limit=2, mode="lexical")
    texts = " ".join(hit.chunk.text for hit in report.hits)
    assert "twelve euros" in texts and "Two per cent of salt" in texts
    taken = step(report, "rewriting").details
    assert taken["queries"] == ["crossing costs euros", "salt counted on the flour"]
    asked = [each.details["query"] for each in report.steps if each.name == "words"]
    assert asked == [COMPOUND, "crossing costs euros", "salt counted on the flour"]


def test_what_rewriting_costs(path: Path, server: TempicoServer, tmp_path: Path) -> None:
    """One request, whose tokens are in the step and in the usage; no passage goes out."""
    server.reply = lambda _body: "fares"
    with opened(path, server, tmp_path, rewrite=True) as index:
        report = index.search_explained(COMPOUND)
    (prompt,) = prompts(server)
    assert COMPOUND in prompt and "twelve euros" not in prompt
    (request,) = server.requests_to("/chat/completions")
    assert request.body["web_search"] is False
    told = sum(len(message["content"].split()) for message in request.body["messages"])
    assert (report.usage.requests, report.usage.prompt_tokens) == (1, told)
    taken = step(report, "rewriting")
    assert (taken.details["prompt_tokens"], taken.details["completion_tokens"]) == (told, 1)
    assert taken.milliseconds > 0


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ('"salt"', "the query is a phrase or an identifier"),
        ("Do dogs need a muzzle?", "the first hit holds all words of the query"),
    ],
)
def test_a_strong_hit_needs_no_help(
    path: Path, server: TempicoServer, tmp_path: Path, query: str, reason: str
) -> None:
    """The chat model isn't asked, and the step says why."""
    with opened(path, server, tmp_path, rewrite=True) as index:
        report = index.search_explained(query)
    assert server.requests == []
    assert step(report, "rewriting").details == {"skipped": reason}


@pytest.mark.parametrize(
    "reply", ["", "a\nb\nc\nd", "I am sorry, but I can't help with that request. " * 10]
)
def test_a_rewriting_that_is_no_use(
    path: Path, server: TempicoServer, tmp_path: Path, reply: str
) -> None:
    """The question stands alone, and a notice says so; what it cost is counted."""
    server.reply = lambda _body: reply
    with opened(path, server, tmp_path, rewrite=True) as index:
        report = index.search_explained(COMPOUND)
    with opened(path, server, tmp_path) as index:
        assert ids(report) == ids(index.search_explained(COMPOUND))
    (notice,) = report.notices
    assert "the question stands alone" in notice
    assert report.usage.requests == 1
    assert step(report, "rewriting").details["notice"] == notice


def test_the_question_again() -> None:
    """A query that is the question itself, or another one, is not searched for twice."""
    chat = ScriptedChat("Fares?\nfares\nFARES\n")
    assert reword(chat, "fares?").queries == ("fares",)


# --- an order ----------------------------------------------------------------------------------


def numbers_of(body: Any, wanted: str) -> list[int]:
    """Return the numbers of the passages that hold a text, as the prompt gives them."""
    prompt = body["messages"][-1]["content"]
    fences = prompt.split("<passage-")[1:]
    return [n for n, fence in enumerate(fences, start=1) if wanted in fence]


def test_the_chat_model_orders(path: Path, server: TempicoServer, tmp_path: Path) -> None:
    """The passages come in its order, those that it left out behind in theirs; scores fall."""
    server.reply = lambda body: json.dumps(numbers_of(body, "Sourdough"))
    with opened(path, server, tmp_path, rerank="chat") as index:
        report = index.search_explained("muzzle")
    with opened(path, server, tmp_path) as index:
        before = ids(index.search_explained("muzzle"))
    assert "Sourdough" in report.hits[0].chunk.text
    assert ids(report)[1:] == [id_ for id_ in before if id_ != ids(report)[0]]
    scores = [hit.score for hit in report.hits]
    assert scores == sorted(scores, reverse=True)
    taken = step(report, "rerank").details
    assert (taken["by"], taken["depth"]) == ("chat", len(before))
    assert taken["prompt_tokens"] == report.usage.prompt_tokens > 0


@pytest.mark.parametrize("reply", ["", "Passage 2 is best.", "1, 99", "0, 1", "one, two"])
def test_an_order_that_is_no_use(
    path: Path, server: TempicoServer, tmp_path: Path, reply: str
) -> None:
    """The order stays as it was, and a notice says so."""
    server.reply = lambda _body: reply
    with opened(path, server, tmp_path, rerank="chat") as index:
        report = index.search_explained("muzzle")
    with opened(path, server, tmp_path) as index:
        assert report.hits == index.search_explained("muzzle").hits
    (notice,) = report.notices
    assert "they stand as they were" in notice
    assert report.usage.requests == 1


@pytest.mark.parametrize(
    ("reply", "order"),
    [
        ("3, 1, 2", (2, 0, 1)),
        ("[2]", (1, 0, 2)),
        ("[3], [2]\n", (2, 1, 0)),
        ("3 > 2 > 1.", (2, 1, 0)),
        ("2\n2\n3", (1, 2, 0)),
        ("213", (0, 1, 2)),
    ],
)
def test_how_an_order_is_written(reply: str, order: tuple[int, ...]) -> None:
    """Numbers with any separator between them are an order; each counts once."""
    assert judge(ScriptedChat(reply), "dogs?", PASSAGES).order == order


def test_the_best_alone_are_judged() -> None:
    """Of a very long passage only the beginning goes out."""
    chat = ScriptedChat("1")
    judge(chat, "dogs?", [("Ferries", "muzzle " * 1000)])
    assert chat.requests[0].messages[-1].content.count("muzzle") < 300


@pytest.mark.parametrize("name", ["rewrite", "rerank"])
def test_an_endpoint_that_fails(
    path: Path, server: TempicoServer, tmp_path: Path, name: str
) -> None:
    """The search goes on without help, and a notice says why."""
    server.fail("/chat/completions", Fault(status=400, message="no such luck"), times=5)
    overrides = {"rewrite": True} if name == "rewrite" else {"rerank": "chat"}
    with opened(path, server, tmp_path, **overrides) as index:
        report = index.search_explained(COMPOUND)
    with opened(path, server, tmp_path) as index:
        assert report.hits == index.search_explained(COMPOUND).hits
    (notice,) = report.notices
    assert "no such luck" in notice


# --- in an answer ------------------------------------------------------------------------------


def test_an_answer_counts_its_help(path: Path, server: TempicoServer, tmp_path: Path) -> None:
    """Usage, notices and steps of the search are those of the answer, and steps come first."""
    server.reply = lambda body: (
        "salt" if "write queries" in body["messages"][0]["content"] else "no order"
    )
    with opened(path, server, tmp_path, rewrite=True, rerank="chat", web="never") as index:
        first, *_, last = index.ask_stream(COMPOUND)
    answer = last.answer  # type: ignore[union-attr]
    assert first.steps == answer.steps  # type: ignore[union-attr]
    names = [each.name for each in answer.steps]
    assert "rewriting" in names and "rerank" in names
    assert any("they stand as they were" in notice for notice in answer.notices)
    assert answer.usage.requests == len(server.requests_to("/chat/completions")) >= 2
