"""Answers: who answers when, what is shown, and that all of it stands where it says."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit import config
from ragkit.chunking import has_lines
from ragkit.errors import ProviderUnavailable, WebSearchUnavailable
from ragkit.index import Index
from ragkit.providers.local import MiniLM
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import ScriptedChat
from ragkit.types import (
    Answer,
    AnswerEvent,
    Block,
    ChatDelta,
    ChatEnd,
    Document,
    Done,
    Heading,
    Message,
    Page,
    Removed,
    Retrieved,
    Sentence,
    Span,
    Usage,
    WebSearch,
    WebSource,
)
from tests.documents import EMBEDDER, document, filled, put
from tests.tempico import CHAT_MODEL, TempicoServer, sse

QUESTION = "What do dogs need below deck?"
TRUE = "Dogs need a muzzle below deck [1]. "
ALSO_TRUE = "Children under six travel free of charge [2]. "
FALSE = "Parrots need 3 passports [1]. "
NEVER = Settings(gate_threshold=0.0, web="never")
SOURCES = (WebSource("https://dogs.example/muzzles", "Muzzles"),)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """Hold two documents that no test changes."""
    made = filled(tmp_path_factory.mktemp("store") / "index.db")
    yield made
    made.close()


def events_of(
    store: SqliteStore,
    chat: Any,
    question: str = QUESTION,
    *,
    settings: Settings = NEVER,
    **options: Any,
) -> list[AnswerEvent]:
    index = Index(store, embedder=EMBEDDER, chat=chat, settings=settings)
    return list(index.ask_stream(question, **options))


def answer_of(store: SqliteStore, chat: Any, question: str = QUESTION, **options: Any) -> Answer:
    return done(events_of(store, chat, question, **options))


def done(events: Sequence[AnswerEvent]) -> Answer:
    last = events[-1]
    assert isinstance(last, Done)
    return last.answer


# --- who decides what: the table of DESIGN 8 ---------------------------------------------------

HANDBOOK = """\
# Ferry handbook

## Timetable

The morning ferry to Skarholm leaves at seven from the north quay and takes two hours.

## Dogs

Dogs travel free of charge, but they may not enter the saloon.
"""
STRONG = "When does the morning ferry to Skarholm leave?"
WEAK = "What is the boiling point of tungsten hexafluoride?"
LEAVES = "The morning ferry to Skarholm leaves at seven [1]."
SHOWN = "The morning ferry to Skarholm leaves at seven. [1]"
SINKS = "The evening ferry sinks at 9:30 [1]."
WEB_ANSWER = "It boils at 17 degrees."


@dataclass(frozen=True)
class Situation:
    """Who is there, what is asked, and what becomes of it.

    `web_search` is what each chat request said of a web search; None where it said nothing.
    `notices` are told without their first word, which is a name.
    """

    question: str
    state: str
    model: str
    web_search: Sequence[bool | None] = ()
    key: bool = True
    index: str = "local"
    overrides: Mapping[str, str] = field(default_factory=dict)
    reply: str = LEAVES
    refuses: bool = False
    text: str | None = None
    removed: int = 0
    notices: Sequence[str] = ()


TABLE = {
    "no key: quoted, and nothing leaves": Situation(STRONG, "grounded", "extractive", key=False),
    "no key, weak: not found": Situation(WEAK, "not_found", "none", key=False),
    "no key, web always: there is nobody to search": Situation(
        STRONG, "grounded", "extractive", key=False, overrides={"web": "always"}
    ),
    "key, local index: chat writes": Situation(STRONG, "grounded", CHAT_MODEL, [False], text=SHOWN),
    "key, endpoint index: the same": Situation(
        STRONG, "grounded", CHAT_MODEL, [False], index="endpoint", text=SHOWN
    ),
    "key, endpoint index, chat none": Situation(
        STRONG, "grounded", "extractive", index="endpoint", overrides={"chat": "none"}
    ),
    "key, chat none: quoted": Situation(
        STRONG, "grounded", "extractive", overrides={"chat": "none"}
    ),
    "key, chat none, weak, web always: not found": Situation(
        WEAK, "not_found", "none", overrides={"chat": "none", "web": "always"}
    ),
    "strong, a sentence removed after a second try: partial": Situation(
        STRONG,
        "partial",
        CHAT_MODEL,
        [False, False],
        reply=f"{LEAVES} {SINKS}",
        text=SHOWN,
        removed=1,
    ),
    "weak, web auto: one web request": Situation(WEAK, "web", CHAT_MODEL, [True], text=WEB_ANSWER),
    "weak, web never": Situation(WEAK, "not_found", "none", overrides={"web": "never"}, text=""),
    "nothing left, web auto": Situation(
        STRONG, "web", CHAT_MODEL, [False, False, True], reply=SINKS, text=WEB_ANSWER, removed=1
    ),
    "nothing left, web never": Situation(
        STRONG,
        "not_found",
        CHAT_MODEL,
        [False, False],
        overrides={"web": "never"},
        reply=SINKS,
        text="",
        removed=1,
    ),
    "the model finds nothing, web auto": Situation(
        STRONG, "web", CHAT_MODEL, [False, True], reply="**NOT FOUND**", text=WEB_ANSWER
    ),
    "the model finds nothing, web never": Situation(
        STRONG,
        "not_found",
        CHAT_MODEL,
        [False],
        overrides={"web": "never"},
        reply="NOT FOUND",
        text="",
    ),
    "web always: both": Situation(
        STRONG,
        "grounded",
        CHAT_MODEL,
        [False, True],
        overrides={"web": "always"},
        text=f"{SHOWN}\n\n{WEB_ANSWER}",
    ),
    "web always, weak: the web alone": Situation(
        WEAK, "web", CHAT_MODEL, [True], overrides={"web": "always"}, text=WEB_ANSWER
    ),
    "no web search there, strong: asked again without the field": Situation(
        STRONG, "grounded", CHAT_MODEL, [False, None], refuses=True, text=SHOWN
    ),
    "no web search there, weak: not found": Situation(
        WEAK, "not_found", CHAT_MODEL, [True], refuses=True, text="", notices=["has no web search"]
    ),
    "no web search there, web always: the documents alone": Situation(
        STRONG,
        "grounded",
        CHAT_MODEL,
        [False, None],
        overrides={"web": "always"},
        refuses=True,
        text=SHOWN,
        notices=["has no web search here"],
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, server: TempicoServer) -> Path:
    """A folder with an index of the handbook by each embedder."""
    folder = tmp_path_factory.mktemp("table")
    (folder / "handbook.md").write_text(HANDBOOK)
    for name, environ in (("local", {}), ("endpoint", environment(server, folder))):
        with opened(folder / f"{name}.db", environ, folder) as index:
            index.ingest(folder / "handbook.md")
    return folder


@pytest.fixture
def asked(server: TempicoServer) -> TempicoServer:
    """The server with nothing asked of it yet."""
    server.requests.clear()
    server.refuses_web_search = False
    server.web_sources = [(source.url, source.title) for source in SOURCES]
    server.reply = lambda body: WEB_ANSWER if body.get("web_search") else LEAVES
    return server


def environment(server: TempicoServer, home: Path) -> dict[str, str]:
    return {"TEMPICO_API_KEY": server.key, "TEMPICO_BASE_URL": server.base_url, "HOME": str(home)}


def opened(path: Path, environ: Mapping[str, str], cwd: Path, **overrides: str) -> Index:
    return Index.open(path, config.resolve(overrides, environ=environ, cwd=cwd), environ=environ)


@pytest.fixture(scope="module")
def one_minilm() -> Iterator[None]:
    """Let all indexes of this module share one model: loading it takes longer than asking."""
    network = MiniLM()._load(texts=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MiniLM, "_load", lambda _self, *, texts: network)
        yield


@pytest.mark.usefixtures("one_minilm")
@pytest.mark.parametrize("situation", TABLE.values(), ids=TABLE)
def test_who_decides_what(
    asked: TempicoServer, folder: Path, tmp_path: Path, situation: Situation
) -> None:
    """The table of DESIGN 8, a row each."""
    asked.reply = lambda body: WEB_ANSWER if body.get("web_search") else situation.reply
    if situation.refuses:
        asked.refuses_web_search, asked.web_sources = True, []
    environ = environment(asked, tmp_path) if situation.key else {"HOME": str(tmp_path)}
    with opened(folder / f"{situation.index}.db", environ, folder, **situation.overrides) as index:
        answer = index.ask(situation.question)
    chats = asked.requests_to("/chat/completions")
    said = [request.body.get("web_search") for request in chats]
    assert (answer.state, answer.model) == (situation.state, situation.model)
    assert said == list(situation.web_search)
    assert len(answer.removed) == situation.removed
    assert situation.text is None or answer.text == situation.text
    assert bool(asked.requests_to("/embeddings")) == (situation.index == "endpoint")
    assert bool(answer.citations) == (situation.state in ("grounded", "partial"))
    assert answer.web_sources == (SOURCES if WEB_ANSWER in answer.text else ())
    assert [text.partition(" ")[2] for text in answer.notices] == list(situation.notices)


@pytest.mark.usefixtures("one_minilm")
def test_a_refusal_is_remembered(asked: TempicoServer, folder: Path, tmp_path: Path) -> None:
    """An endpoint without web search is asked for one once, also by later runs."""
    asked.refuses_web_search = True
    environ = environment(asked, tmp_path)
    for _ in range(2):
        with opened(folder / "local.db", environ, folder) as index:
            assert index.ask(STRONG).state == "grounded"
    said = [request.body.get("web_search") for request in asked.requests_to("/chat/completions")]
    assert said == [False, None, None]
    with opened(folder / "local.db", environ, folder) as index:
        answer = index.ask(WEAK)
    assert (answer.state, answer.notices) == (
        "not_found",
        (f"{CHAT_MODEL} has no web search here",),
    )
    assert len(asked.requests_to("/chat/completions")) == 3


@pytest.mark.usefixtures("one_minilm")
def test_what_goes_out_to_the_web(asked: TempicoServer, folder: Path, tmp_path: Path) -> None:
    """The question alone with the options as set; never a passage, a title or a path."""
    options = {
        "web_context_size": "low",
        "web_country": "SE",
        "web_safesearch": "strict",
        "web_accept_language": "sv",
    }
    environ = environment(asked, tmp_path)
    with opened(folder / "local.db", environ, folder, web="always", **options) as index:
        index.ask(STRONG)
    local, web = (request.body for request in asked.requests_to("/chat/completions"))
    assert "north quay" in str(local["messages"])
    assert "web_search_options" not in local
    assert [message["content"] for message in web["messages"]][-1] == STRONG
    for secret in ("north quay", "saloon", "Ferry handbook", "Timetable", "handbook.md"):
        assert secret not in str(web)
    assert web["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "SE"}},
        "safesearch": "strict",
        "accept_language": "sv",
    }


@pytest.mark.usefixtures("one_minilm")
def test_usage_is_added_up(asked: TempicoServer, folder: Path, tmp_path: Path) -> None:
    """Both requests of an answer count, with the tokens that the endpoint told."""
    with opened(folder / "local.db", environment(asked, tmp_path), folder, web="always") as index:
        answer = index.ask(STRONG)
    told = [
        sum(len(message["content"].split()) for message in request.body["messages"])
        for request in asked.requests_to("/chat/completions")
    ]
    written = len(LEAVES.split()) + len(WEB_ANSWER.split())
    assert answer.usage == Usage(requests=2, prompt_tokens=sum(told), completion_tokens=written)


@pytest.mark.usefixtures("one_minilm")
def test_a_stream_that_breaks(asked: TempicoServer, folder: Path, tmp_path: Path) -> None:
    """What was proven before is shown and stands; then it raises: half an answer is none."""

    def chunk(text: str) -> str:
        return f'data: {{"choices": [{{"index": 0, "delta": {{"content": "{text}"}}}}]}}\n\n'

    cut_off = sse(chunk(f"{LEAVES} Dogs travel free of"), chunk(" charge"))
    asked.fail("/chat/completions", cut_off)
    shown: list[AnswerEvent] = []
    with (
        opened(folder / "local.db", environment(asked, tmp_path), folder) as index,
        pytest.raises(ProviderUnavailable, match="was cut off"),
    ):
        shown.extend(index.ask_stream(STRONG))
    # `extend` keeps what came before the error
    assert [type(event) for event in shown] == [Retrieved, Sentence]
    assert isinstance(shown[1], Sentence) and shown[1].text == f"{SHOWN} "


# --- events ------------------------------------------------------------------------------------


def test_the_order_of_events(store: SqliteStore) -> None:
    """What was found, sentences as they come, then what was removed, the web's, the whole."""
    chat = ScriptedChat(TRUE + FALSE + ALSO_TRUE, web_reply="Muzzles are soft.", sources=SOURCES)
    events = events_of(store, chat, web="always")
    kinds = [type(event) for event in events]
    assert kinds == [Retrieved, Sentence, Sentence, Removed, Sentence, Done]
    answer = done(events)
    assert events[0] == Retrieved(answer.hits, answer.gate, answer.steps)
    assert events[3] == answer.removed[0]
    assert events[3] == Removed("Parrots need 3 passports.", "the passage it cites doesn't say so")
    assert [event.origin for event in events if isinstance(event, Sentence)] == [
        "documents",
        "documents",
        "web",
    ]


def test_an_answer_of_several_sentences(store: SqliteStore) -> None:
    """Each ends with the marker of its quote, numbered as they come; the same quote keeps its."""
    again = "Below deck a muzzle is what dogs need [1]."
    answer = answer_of(store, ScriptedChat(ALSO_TRUE + TRUE + again))
    assert answer.text == (
        "Children under six travel free of charge. [1] Dogs need a muzzle below deck. [2] "
        "Below deck a muzzle is what dogs need. [2]"
    )
    assert [citation.marker for citation in answer.citations] == [1, 2]
    assert answer.state == "grounded"


def test_markers_are_ragkits_own(store: SqliteStore) -> None:
    """The model's numbers are those of passages; those of the answer count its quotes."""
    answer = answer_of(store, ScriptedChat("Dogs need a muzzle below deck [8][3, 99]."))
    assert answer.text == "Dogs need a muzzle below deck. [1]"
    assert answer.citations[0].quote.startswith("Dogs need a muzzle below deck")
    assert answer.citations[0].heading_path == ("Ferries", "Dogs")


def test_the_webs_markers_are_taken_out(store: SqliteStore) -> None:
    """A [1] of the web's can't pass for one of the documents'."""
    chat = ScriptedChat(TRUE, web_reply="Muzzles are soft [1]. They cost little.[2]\n\n[1]: x")
    answer = answer_of(store, chat, web="always")
    assert answer.text.startswith("Dogs need a muzzle below deck. [1]\n\nMuzzles are soft. They")
    assert "[" not in answer.web_text
    assert [citation.marker for citation in answer.citations] == [1]


def test_the_parts_of_an_answer_are_kept_apart(store: SqliteStore) -> None:
    """The web's part is told by itself, and proves nothing: it has no citations."""
    chat = ScriptedChat(TRUE, web_reply="Muzzles are soft.", sources=SOURCES)
    events = events_of(store, chat, web="always")
    answer = done(events)
    assert answer.web_text == "Muzzles are soft."
    assert answer.web_sources == SOURCES
    assert [e.citations for e in events if isinstance(e, Sentence) and e.origin == "web"] == [()]


def test_extractive_sentences_are_those_of_the_documents(store: SqliteStore) -> None:
    """Without a chat model sentences are shown as they stand, each with itself as quote."""
    events = events_of(store, None, "Do dogs need a muzzle?", limit=1)
    shown = [event for event in events if isinstance(event, Sentence)]
    answer = done(events)
    assert answer.model == "extractive"
    assert shown
    for sentence, citation in zip(shown, answer.citations, strict=True):
        assert sentence.text == f"{citation.quote} [{citation.marker}]\n"


def test_a_sources_own_markers_are_not_shown(tmp_path: Path) -> None:
    """A [7] in a quoted sentence would pass for one of ours; the quote keeps it."""
    store = SqliteStore(tmp_path / "index.db")
    put(store, document("# Dogs\n\nDogs need a muzzle [7] below deck.[12]\n"))
    answer = answer_of(store, None)
    store.close()
    assert answer.text == "Dogs need a muzzle below deck. [1]"
    assert answer.citations[0].quote == "Dogs need a muzzle [7] below deck.[12]"


def test_a_quoted_code_block_keeps_its_lines(tmp_path: Path) -> None:
    """What is code is shown as it stands, the marker under it."""
    block = "```sh\nmuzzle --dogs\nleash --deck\n```"
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(f"# Dogs\n\n{block}\n"), max_tokens=200)
    answer = answer_of(store, None, "How to muzzle dogs?")
    store.close()
    assert answer.text == f"{block}\n[1]"
    assert answer.citations[0].quote == block


def test_only_passages_that_fit_go_out(store: SqliteStore) -> None:
    """The best ones that fit the budget are chosen, whole; the first one goes in any case."""
    chat = ScriptedChat("NOT FOUND")
    answer = answer_of(store, chat, settings=Settings(gate_threshold=0, context_tokens=100))
    sent = chat.requests[0].messages[1].content
    numbers = [int(n) for n in re.findall(r'number="(\d+)"', sent)]
    assert numbers[0] == 1
    assert 1 < len(numbers) < len(answer.hits)
    for number in numbers:
        assert answer.hits[number - 1].chunk.text in sent
    tiny = ScriptedChat("NOT FOUND")
    answer_of(store, tiny, settings=Settings(gate_threshold=0, context_tokens=1))
    assert re.findall(r'number="(\d+)"', tiny.requests[0].messages[1].content) == ["1"]


def test_fences_are_fresh_for_each_answer(store: SqliteStore) -> None:
    """Nobody can know the tag of a fence beforehand."""
    chat = ScriptedChat("NOT FOUND")
    tags = set()
    for _ in range(3):
        answer_of(store, chat)
        tags.update(re.findall(r"<passage-(\w+)", chat.requests[-1].messages[1].content))
    assert len(tags) == 3
    assert all(len(tag) >= 8 for tag in tags)


def test_the_gate_decides(store: SqliteStore) -> None:
    """Below the threshold no passage leaves; at it the model is asked."""
    chat = ScriptedChat(TRUE)
    closed = answer_of(store, chat, settings=Settings(gate_threshold=1.0, web="never"))
    assert (closed.state, closed.text, chat.requests) == ("not_found", "", [])
    assert closed.hits  # the nearest passages are told all the same
    exact = Settings(gate_threshold=closed.gate.probability, web="never")
    assert answer_of(store, chat, settings=exact).state == "grounded"


def test_the_gate_names_what_the_index_does_not_know(store: SqliteStore) -> None:
    """A name of the question that no document holds is a reason against it."""
    known = answer_of(store, None, "Does the ferry to Skarholm leave from the north quay?").gate
    other = answer_of(store, None, "Does the ferry to Bergen leave from the north quay?").gate
    assert "the index doesn't know Bergen" in other.reasons
    assert not any("doesn't know" in reason for reason in known.reasons)
    assert other.probability < known.probability


class Refusing(ScriptedChat):
    """A chat model that thinks it has a web search until it is asked for one."""

    has_web_search = True

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        if web is not None:
            raise WebSearchUnavailable("it has no web search")
        yield from super().stream(messages, web=web)


def test_a_web_search_that_turns_out_to_be_missing(store: SqliteStore) -> None:
    """It is a notice, not an error: what the documents gave stands."""
    answer = answer_of(store, Refusing(TRUE), web="always")
    assert (answer.state, answer.notices) == ("grounded", ("it has no web search",))
    nothing = answer_of(store, Refusing("NOT FOUND"), web="auto")
    assert (nothing.state, nothing.notices) == ("not_found", ("it has no web search",))


class CutShort(ScriptedChat):
    """A chat model that runs out of tokens."""

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        yield ChatDelta("Dogs need a muzzle below deck [1]. And cats ne")
        yield ChatEnd("scripted-2", "length")


class Meddling(ScriptedChat):
    """A chat model that searches the web though it was told not to."""

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        yield ChatDelta(TRUE)
        yield ChatEnd(self.name, "stop", Usage(), SOURCES)


def test_a_web_search_that_nobody_asked_for(store: SqliteStore) -> None:
    """The user is told; its sources are not shown as an answer's."""
    answer = answer_of(store, Meddling(""))
    assert answer.notices == ("scripted searched the web, though it was not to",)
    assert (answer.state, answer.web_sources) == ("grounded", ())


def test_an_answer_that_was_cut_short(store: SqliteStore) -> None:
    """The user is told; the model is the one that answered."""
    answer = answer_of(store, CutShort(""))
    assert answer.notices == ("the answer was cut off at max_answer_tokens",)
    assert answer.model == "scripted-2"
    assert answer.state == "partial"
    assert answer.text == "Dogs need a muzzle below deck. [1]"


# --- properties --------------------------------------------------------------------------------

SENTENCES = (
    "The ferry to Skarholm leaves at 7:00.",
    "Dogs may not enter the saloon.",
    "Dogs may enter the saloon.",
    "A crossing costs 1,234.50 kronor [3] for a lorry.",
    "It is so.",
    "The captain said: “Nobody starts the engine without me.”",
    "渡轮七点从北码头出发，航程两小时。",
    "Überfahrten kosten 5 € pro Person.",
    "x = rows[1] + y[22]",
    "See [the list](https://example.org/1) of 5 rules.",
    "- Two per cent of salt",
    "| salt | 2 | per cent |",
)
HEADINGS = ("# Ferries", "## Dogs", "## Salt", "### Rules of 2025", "# 渡轮")
PARAGRAPHS = st.tuples(
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4), st.sampled_from([" ", "\n", "  "])
).map(lambda drawn: drawn[1].join(drawn[0]).replace("may", f"may{drawn[1]}"))
MARKDOWN = st.lists(
    st.sampled_from(HEADINGS)
    | PARAGRAPHS
    | st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40),
    max_size=8,
).map(lambda parts: "\n\n".join(["Notes on dogs.", *parts]))
PAGES = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8)
REPLY_PIECES = st.sampled_from(
    [
        *SENTENCES,
        "The ferry to Bergen leaves at 8:00.",
        "Dogs travel for 9 kronor.",
        "NOT FOUND",
        "```\nx = rows[1]\n```",
        "![a](https://evil.example/a.png)",
        "<b>Dogs</b> may not enter",
        *("[1]", "[2]", "[1][2]", "[1, 2]", "【1】", "[9]", "[[1]2]", "[1](u)", "[", "]", "`"),
        *(".", " ", "\n", "\n\n", "- ", "Yes. "),
    ]
)
REPLIES = st.lists(REPLY_PIECES, max_size=14).map(" ".join) | st.lists(REPLY_PIECES).map("".join)


def paged(lines: Sequence[str]) -> Document:
    """Return a document as a PDF gives it: a page for each line, a heading on the first."""
    text = "\n".join(lines)
    starts = [sum(len(line) + 1 for line in lines[:n]) for n in range(len(lines))]
    spans = [Span(start, start + len(line)) for start, line in zip(starts, lines, strict=True)]
    return Document(
        id="paged",
        uri="file:///p.pdf",
        title="",
        text=text,
        media_type="application/pdf",
        content_hash="hash of the pages",
        pages=tuple(Page(number, span) for number, span in enumerate(spans, start=1)),
        headings=(Heading(1, lines[0], spans[0]),),
        blocks=tuple(Block("paragraph", span) for span in spans[1:]),
    )


def heading_path(whole: Document, position: int) -> tuple[str, ...]:
    path: dict[int, str] = {}
    for heading in whole.headings:
        if heading.span.start <= position:
            path = {level: title for level, title in path.items() if level < heading.level}
            path[heading.level] = heading.title
    return tuple(path.values())


def assert_proven(answer: Answer, index: Index) -> None:
    """Each citation's quote stands in the stored document, at the place that it tells."""
    for citation in answer.citations:
        whole = index.get(citation.uri)
        start, end = citation.span.start, citation.span.end
        assert citation.quote == whole.text[start:end]
        assert citation.quote.strip()
        assert citation.document_hash == whole.content_hash
        assert citation.title == whole.title
        assert citation.heading_path == heading_path(whole, start)
        if has_lines(whole.media_type):
            assert citation.lines is not None
            assert citation.lines.start == whole.text.count("\n", 0, start) + 1
            assert citation.lines.end == whole.text.count("\n", 0, end) + 1
        else:
            assert citation.lines is None
        on = [page.number for page in whole.pages if page.span.start <= start < page.span.end]
        assert [citation.page] == (on or [None])


def assert_marked(events: Sequence[AnswerEvent], answer: Answer) -> None:
    """No sentence without a citation, no marker without one, no citation without its marker."""
    shown = [e for e in events if isinstance(e, Sentence) and e.origin == "documents"]
    assert "".join(sentence.text for sentence in shown).strip() == answer.text
    for sentence in shown:
        prose = re.sub(r"```[\s\S]*?```|`[^`\n]+`", "", sentence.text)
        markers = [int(n) for n in re.findall(r"\[(\d{1,3})\](?!\()", prose)]
        assert markers == [citation.marker for citation in sentence.citations]
        assert markers
    numbers = [citation.marker for sentence in shown for citation in sentence.citations]
    assert list(dict.fromkeys(numbers)) == list(range(1, len(answer.citations) + 1))
    assert [citation.marker for citation in answer.citations] == sorted(set(numbers))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(MARKDOWN, max_size=3),
    PAGES,
    st.none() | REPLIES,
    st.sampled_from(["Do dogs pay 5?", "When does the ferry leave?", "塩 salt", *SENTENCES[:2]]),
    st.sampled_from([20, 60, 400]),
)
def test_every_answer_is_proven(
    notes: list[str], pages: list[str], reply: str | None, question: str, max_tokens: int
) -> None:
    """Whatever the documents hold and the model writes, or if sentences are quoted."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder, "index.db"))
        for number, text in enumerate(notes):
            whole = document(text, uri=f"file:///{number}.md", id_=f"note-{number}")
            put(store, whole, max_tokens=max_tokens)
        put(store, paged(pages), max_tokens=max_tokens)
        chat = None if reply is None else ScriptedChat(reply)
        events = events_of(store, chat, question)
        answer = done(events)
        assert_proven(answer, Index(store, embedder=EMBEDDER))
        assert_marked(events, answer)
        assert set(answer.removed) == {e for e in events if isinstance(e, Removed)}
        assert (answer.state == "partial") == bool(answer.text and answer.removed)
        assert (answer.state == "not_found") == (not answer.text)
        store.close()
