"""What becomes of sentences that fail their checks: a second try, then removed or marked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ragkit.errors import ConfigError, ProviderUnavailable
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import ScriptedChat
from ragkit.text import estimate_tokens
from ragkit.types import (
    Answer,
    ChatDelta,
    ChatEnd,
    Done,
    Message,
    Removed,
    Sentence,
    WebSearch,
)
from tests.documents import EMBEDDER, filled
from tests.tempico import TempicoServer

QUESTION = "What do dogs need below deck?"
TRUE = "Dogs need a muzzle below deck [1]. "
ALSO_TRUE = "Children under six travel free of charge [2]. "
FALSE = "Parrots need 3 passports [1]. "
SLIP = "A crossing costs 13 euros [1]. "
MENDED = "1: A crossing costs twelve euros. [2]"
REMOVED = Removed("Parrots need 3 passports.", "the passage it cites doesn't say so")
SHOWN = "Dogs need a muzzle below deck. [1]"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """Hold two documents that no test changes."""
    made = filled(tmp_path_factory.mktemp("store") / "index.db")
    yield made
    made.close()


def talker(
    reply: str,
    *,
    repair: str | Callable[[str], str] = "",
    verdicts: str | Callable[[str], str] = "",
    web_reply: str | None = None,
) -> ScriptedChat:
    """Return a chat model that answers, mends and judges as told."""

    def reply_to(messages: Sequence[Message]) -> str:
        asked = messages[-1].content
        if "were not shown" in asked:
            return repair if isinstance(repair, str) else repair(asked)
        if "<statement-" in asked:
            return verdicts if isinstance(verdicts, str) else verdicts(asked)
        return reply

    return ScriptedChat(reply_to, web_reply=web_reply)


def asked(store: SqliteStore, chat: Any, **values: Any) -> tuple[Answer, list[Sentence | Removed]]:
    """Ask, and return the answer with its sentences and removals in the order they came."""
    settings = Settings(gate_threshold=0.0, **{"web": "never", **values})
    index = Index(store, embedder=EMBEDDER, chat=chat, settings=settings)
    events = list(index.ask_stream(QUESTION))
    last = events[-1]
    assert isinstance(last, Done)
    return last.answer, [each for each in events if isinstance(each, Sentence | Removed)]


# --- a second try ------------------------------------------------------------------------------


def test_a_slip_is_mended(store: SqliteStore) -> None:
    """It comes after what was shown at once, with its own quote; nothing is missing then."""
    chat = talker(SLIP + TRUE, repair=MENDED)
    answer, events = asked(store, chat)
    assert answer.text == f"{SHOWN} A crossing costs twelve euros. [2]"
    assert answer.state == "grounded"
    assert answer.removed == ()
    assert [type(event) for event in events] == [Sentence, Sentence]
    assert "costs twelve euros" in answer.citations[1].quote
    assert answer.usage.requests == len(chat.requests) == 2


def test_the_model_is_told_what_was_wrong(store: SqliteStore) -> None:
    """It sees the talk so far, its own reply and each sentence with the reason; no web search."""
    chat = talker(SLIP + TRUE + FALSE, repair=MENDED)
    asked(store, chat)
    first, second = chat.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[-2].content.strip() == (SLIP + TRUE + FALSE).strip()
    told = second.messages[-1].content
    assert re.search(r"1: A crossing costs 13 euros\. \(.+\)\n2: Parrots .+ \(.+\)\n", told)
    assert "Dogs need a muzzle" not in told
    assert second.web is None


@pytest.mark.parametrize(
    "repair",
    [
        "",
        "1: NONE",
        "I am sorry.",
        "1: Parrots need 4 passports. [1]",
        "1: Dogs need a muzzle below deck. [1] Parrots need 4 passports. [1]",
        "2: Dogs need a muzzle below deck. [1]",
        "1: Below deck dogs need a muzzle. [1]",
    ],
)
def test_what_is_not_mended_is_removed(store: SqliteStore, repair: str) -> None:
    """With the reason of the first try; half a repair is none, nor is what was said before."""
    chat = talker(TRUE + FALSE, repair=repair)
    answer, events = asked(store, chat)
    assert (answer.text, answer.state, answer.removed) == (SHOWN, "partial", (REMOVED,))
    assert events[-1] == REMOVED
    assert len(chat.requests) == 2


def test_a_list_stays_a_list(store: SqliteStore) -> None:
    """A mended item ends with the line break that the first one had."""
    reply = f"- {SLIP.strip()}\n- {ALSO_TRUE.strip()}\n- {FALSE}"
    repair = f"1: - A crossing costs twelve euros. [2]\n2: - {TRUE}"
    answer, _ = asked(store, talker(reply, repair=repair))
    assert answer.text == (
        "- Children under six travel free of charge. [1]\n"
        "- A crossing costs twelve euros. [1]\n"
        "- Dogs need a muzzle below deck. [2]"
    )


def test_no_second_try(store: SqliteStore) -> None:
    """Nobody is asked again where nothing was withheld, or where it is switched off."""
    whole = talker(TRUE + ALSO_TRUE)
    asked(store, whole)
    off = talker(TRUE + FALSE, repair=MENDED)
    answer, _ = asked(store, off, repair=False)
    assert len(whole.requests) == len(off.requests) == 1
    assert answer.removed == (REMOVED,)


class Breaking(ScriptedChat):
    """A chat model whose endpoint is gone after the first request."""

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        if self.requests:
            raise ProviderUnavailable("the endpoint is gone")
        yield from super().stream(messages, web=web)


def test_a_second_try_that_fails(store: SqliteStore) -> None:
    """What was proven stands; the rest is removed, and the user is told why."""
    answer, _ = asked(store, Breaking(TRUE + FALSE))
    assert (answer.text, answer.removed) == (SHOWN, (REMOVED,))
    assert answer.notices == ("sentences could not be repaired: the endpoint is gone",)


def test_foreign_markers_are_counted(store: SqliteStore) -> None:
    """They are taken out of what is shown, and the user is told how many there were."""
    answer, _ = asked(store, talker("Dogs need a muzzle below deck [1][98]. Cats fly [99]."))
    assert answer.text == SHOWN
    assert answer.foreign_markers == 2
    assert answer.to_dict()["foreign_markers"] == 2
    assert "cited passages, 2 times, that it was not given" in answer.notices[0]


# --- marked ------------------------------------------------------------------------------------


def test_sentences_kept_and_marked(store: SqliteStore) -> None:
    """They come last, apart and marked, without any marker of a proof."""
    answer, events = asked(store, talker(FALSE + TRUE), unsupported="mark")
    marked = Sentence("Parrots need 3 passports. [unproven]\n", origin="model")
    assert events[-1] == marked
    assert answer.text == f"{SHOWN}\n\nParrots need 3 passports. [unproven]"
    assert (answer.state, answer.unproven, answer.removed) == ("partial", (REMOVED,), ())
    assert answer.to_dict()["unproven"] == [REMOVED.to_dict()]
    assert [citation.marker for citation in answer.citations] == [1]


def test_nothing_but_unproven_sentences(store: SqliteStore) -> None:
    """That is no answer from the documents, whatever is shown."""
    answer, _ = asked(store, talker(FALSE), unsupported="mark")
    assert answer.state == "not_found"
    assert answer.text == "Parrots need 3 passports. [unproven]"


# --- judged ------------------------------------------------------------------------------------


def test_a_judge_withholds(store: SqliteStore) -> None:
    """One call judges all; what it denies is tried again, and judged again."""
    chat = talker(
        TRUE + ALSO_TRUE,
        verdicts=lambda asked: (
            "1: yes\n2: no, it speaks of boats" if "\n2:\n" in asked else "1: yes"
        ),
        repair="1: A crossing costs twelve euros. [2]",
    )
    answer, _ = asked(store, chat, check="entail")
    assert answer.text == f"{SHOWN} A crossing costs twelve euros. [2]"
    assert answer.state == "grounded"
    assert len(chat.requests) == 4
    told = chat.requests[2].messages[-1].content
    assert "scripted finds that its quote doesn't prove it: it speaks of boats" in told


def test_a_judge_has_the_last_word(store: SqliteStore) -> None:
    """What it denies twice is removed, with its reason."""
    chat = talker(TRUE, verdicts="1: no, it is winter", repair=f"1: {TRUE}")
    answer, events = asked(store, chat, check="entail")
    assert (answer.state, answer.text) == ("not_found", "")
    assert [event.reason for event in events if isinstance(event, Removed)] == [
        "scripted finds that its quote doesn't prove it: it is winter"
    ]


def test_a_judge_of_no_use(store: SqliteStore) -> None:
    """The checks by words stand, and the user is told that they stand alone."""
    answer, _ = asked(store, talker(TRUE + ALSO_TRUE, verdicts="Fine!"), check="entail")
    assert answer.state == "grounded"
    assert answer.notices == ("2 of 2 sentences were not judged",)


def test_a_judge_sees_statements_and_quotes_alone(store: SqliteStore) -> None:
    """Neither the question nor other passages, which might sway it."""
    chat = talker(TRUE, verdicts="1: yes")
    asked(store, chat, check="entail")
    told = chat.requests[1].messages[-1].content
    assert "Dogs need a muzzle below deck" in told
    assert QUESTION not in told
    assert "twelve euros" not in told


# --- the prompt --------------------------------------------------------------------------------


def test_a_prompt_from_a_file(store: SqliteStore, tmp_path: Path) -> None:
    """It is what the model is told."""
    path = tmp_path / "prompt.txt"
    path.write_text("[system]\nArr.\n[user]\n{question}\n{passages}")
    chat = talker(TRUE)
    answer, _ = asked(store, chat, prompt_file=str(path))
    system, user = chat.requests[0].messages
    assert system.content == "Arr."
    assert user.content.startswith(f"{QUESTION}\n<passage-")
    assert answer.state == "grounded"


def test_a_prompt_that_is_not_there(store: SqliteStore, tmp_path: Path) -> None:
    """It is said before anything is asked, with the way to get one."""
    chat = talker(TRUE)
    with pytest.raises(ConfigError, match="can't be read") as error:
        asked(store, chat, prompt_file=str(tmp_path / "none.txt"))
    assert "--show-prompt" in error.value.hint
    assert chat.requests == []


def test_the_prompt_that_would_be_sent(store: SqliteStore) -> None:
    """It is what is sent, but for the tag; showing it asks nobody."""
    chat = talker(TRUE)
    index = Index(store, embedder=EMBEDDER, chat=chat, settings=Settings(gate_threshold=0.0))
    shown = index.answer_prompt(QUESTION)
    assert chat.requests == []
    index.ask(QUESTION, web="never")
    tag = re.compile(r"(?<=passage-)\w+")
    assert [tag.sub("", each.content) for each in shown] == [
        tag.sub("", each.content) for each in chat.requests[0].messages
    ]


# --- what goes out to the web ------------------------------------------------------------------


def test_passages_are_shared_only_when_asked(store: SqliteStore) -> None:
    """By default the question alone goes out, whatever was found."""
    alone, shared = talker(TRUE, web_reply="Yes."), talker(TRUE, web_reply="Yes.")
    asked(store, alone, web="always")
    asked(store, shared, web="always", web_share_context=True)
    assert alone.requests[1].messages[-1].content == QUESTION
    told = shared.requests[1].messages[-1].content
    assert "<passage-" in told
    assert "Dogs need a muzzle" in told
    assert told.endswith(f"Question: {QUESTION}")


# --- the model's window ------------------------------------------------------------------------

LONG = "\n\n".join(
    f"## Rule {number}\n\n" + f"Dogs need muzzle {number} below deck and on the ferry. " * 40
    for number in range(12)
)


@pytest.mark.parametrize(("window", "fits_all"), [(0, True), (100_000, True), (4_000, False)])
def test_passages_fit_the_models_window(tmp_path: Path, window: int, fits_all: bool) -> None:
    """Fewer go out where the model reads less than is set; it is looked up once."""
    (tmp_path / "rules.md").write_text(LONG)
    with TempicoServer() as server:
        server.reply = lambda _body: "NOT FOUND"
        for model in server.models:
            model["context_window"] = window
        environ = {
            "TEMPICO_API_KEY": server.key,
            "TEMPICO_BASE_URL": server.base_url,
            "HOME": str(tmp_path),
        }
        settings = Settings(
            base_url=server.base_url,
            embedder="local",
            chunk_tokens=600,
            web="never",
            gate_threshold=0.0,
        )
        with Index.open(tmp_path / "index.db", settings, environ=environ) as index:
            index.ingest(tmp_path / "rules.md")
            hits = index.ask(QUESTION, limit=10).hits
            index.ask(QUESTION, limit=10)
        sent = server.requests_to("/chat/completions")[0].body["messages"][-1]["content"]
        assert len(hits) == 10
        assert (estimate_tokens(sent) > 4_000 - settings.max_answer_tokens) is fits_all
        assert sent.count("<passage-") >= 1
        assert len(server.requests_to("/models")) == 1
