"""Embeddings, chat and the list of models, as an endpoint gives them and as it shouldn't."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from ragkit.errors import (
    BadProviderResponse,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    WebSearchUnavailable,
)
from ragkit.providers.chat_reply import written_sources
from ragkit.providers.endpoint import EndpointChat, EndpointEmbedder, list_models
from ragkit.providers.http import HttpClient, Timeouts
from ragkit.types import ChatDelta, ChatEnd, Message, Model, Usage, WebSearch, WebSource
from tests.tempico import (
    CHAT_MODEL,
    EMBEDDING_MODEL,
    Fault,
    Json,
    Request,
    TempicoServer,
    embedding_of,
    html_page,
    sse,
)

Connect = Callable[..., HttpClient]
TEXTS = ["the cat sat", "a dog ran", "prices rose", "the sea is blue", "he paid the bill"]


# Models


def test_models_are_listed(client: HttpClient) -> None:
    """The list tells names, owners, limits and capabilities."""
    assert list_models(client) == [
        Model(CHAT_MODEL, "tempicolabs", 262_144, 65_536, ("chat",)),
        Model(EMBEDDING_MODEL, "tempicolabs", 2_048, 0, ("embeddings",)),
    ]


def test_models_of_other_servers_are_listed(server: TempicoServer, client: HttpClient) -> None:
    """A server that leaves the extra fields out is understood: what it doesn't tell is empty."""
    server.lists_bare_models = True
    assert list_models(client)[0] == Model(CHAT_MODEL, "tempicolabs")


@pytest.mark.parametrize(
    ("reply", "models"),
    [
        (b'{"data": [{"id": "a", "context_window": null, "owned_by": null}]}', [Model("a")]),
        (b'{"data": [{"id": "a", "context_window": "8k", "capabilities": "x"}]}', [Model("a")]),
        (b'{"data": [{}, null, "a"]}', []),
    ],
)
def test_odd_entries_of_the_list_do_no_harm(
    server: TempicoServer, client: HttpClient, reply: bytes, models: list[Model]
) -> None:
    """What an entry lacks or garbles counts as not told; what is no entry is left out."""
    server.fail("/models", Fault(body=reply))
    assert list_models(client) == models


def test_reply_that_lists_nothing_is_an_error(server: TempicoServer, client: HttpClient) -> None:
    """No list is something else than an empty list."""
    server.fail("/models", Fault(body=b'{"object": "list"}'))
    with pytest.raises(BadProviderResponse):
        list_models(client)


# Embeddings: the request, and a good reply


@pytest.fixture
def embedder(client: HttpClient) -> EndpointEmbedder:
    return EndpointEmbedder(client, model=EMBEDDING_MODEL)


def embedding_requests(server: TempicoServer) -> list[Request]:
    return server.requests_to("/embeddings")


def sizes(server: TempicoServer) -> list[int]:
    """Return how many texts each request for embeddings held."""
    return [len(request.body["input"]) for request in embedding_requests(server)]


def assert_vectors_of(vectors: np.ndarray, texts: Sequence[str], *, dimensions: int = 768) -> None:
    expected = np.array([embedding_of(text, dimensions=dimensions) for text in texts])
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), dimensions)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_texts_are_embedded_in_order(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """Each row is the unit vector of the text at its place; base64 is asked for, which is short."""
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    [request] = server.requests
    assert request.body == {"model": EMBEDDING_MODEL, "input": TEXTS, "encoding_format": "base64"}


def test_no_texts_make_no_request(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """Nothing in, nothing out, with the right width."""
    assert embedder.embed([], kind="document").shape == (0, 768)
    assert server.requests == []


def test_dimensions_of_a_known_model_cost_nothing(
    server: TempicoServer, client: HttpClient
) -> None:
    """The embeddinggemma family has 768 dimensions, and what an index knows needs no asking."""
    assert EndpointEmbedder(client, model="google/EmbeddingGemma:300m").dimensions == 768
    assert EndpointEmbedder(client, model="other", known_dimensions=42).dimensions == 42
    assert EndpointEmbedder(client, model="other", dimensions=43).dimensions == 43
    assert server.requests == []


def test_dimensions_of_an_unknown_model_are_learned_once(
    server: TempicoServer, client: HttpClient
) -> None:
    """One request tells the dimensions of a model that ragkit doesn't know."""
    server.knows_any_model = True
    embedder = EndpointEmbedder(client, model="other")
    assert (embedder.dimensions, embedder.dimensions) == (768, 768)
    assert len(server.requests) == 1


@pytest.mark.parametrize("ignored", [False, True])
def test_requested_dimensions_are_had_either_way(
    server: TempicoServer, client: HttpClient, ignored: bool
) -> None:
    """A server that ignores `dimensions` gives the same vectors: they are cut and normalised."""
    server.ignores_dimensions = ignored
    embedder = EndpointEmbedder(client, model=EMBEDDING_MODEL, dimensions=256)
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS, dimensions=256)
    assert server.requests[0].body["dimensions"] == 256


@pytest.mark.parametrize("flag", ["gives_base64", "gives_lists", "gives_unnormalised"])
def test_other_servers_give_the_same_vectors(
    server: TempicoServer, embedder: EndpointEmbedder, flag: str
) -> None:
    """Base64 and lists are read, asked for or not, and vectors of any length are normalised."""
    setattr(server, flag, True)
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)


def test_large_inputs_are_sent_in_batches(server: TempicoServer, client: HttpClient) -> None:
    """At most `batch_texts` texts go into a request."""
    embedder = EndpointEmbedder(client, model=EMBEDDING_MODEL, batch_texts=2)
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    assert sizes(server) == [2, 2, 1]


def test_batches_hold_the_token_estimate(server: TempicoServer, client: HttpClient) -> None:
    """Texts go into a request up to the estimate of its tokens; a longer one goes alone."""
    texts = ["alpha " * 10, "beta " * 10, "gamma " * 100, "delta " * 10]
    embedder = EndpointEmbedder(client, model=EMBEDDING_MODEL, batch_tokens=25)
    assert_vectors_of(embedder.embed(texts, kind="document"), texts)
    assert sizes(server) == [2, 1, 1]


def test_usage_is_counted_and_taken(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """What was spent is told once: requests answered, and tokens billed where told."""
    embedder.embed(["three little words", "one"], kind="document")
    embedder.embed(["two words"], kind="query")
    assert embedder.take_usage() == Usage(requests=2, embedding_tokens=6)
    assert embedder.take_usage() == Usage()
    server.fail("/embeddings", Fault(edit=lambda reply: {**reply, "usage": None}))
    embedder.embed(["one"], kind="query")
    assert embedder.take_usage() == Usage(requests=1)


def test_threads_share_an_embedder(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """Threads get their own vectors, and no request goes uncounted."""
    vectors: dict[str, np.ndarray] = {}

    def work(text: str) -> None:
        vectors[text] = embedder.embed([text], kind="query")

    threads = [threading.Thread(target=work, args=(text,)) for text in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for text in TEXTS:
        assert_vectors_of(vectors[text], [text])
    assert embedder.take_usage().requests == len(TEXTS)


# Embeddings: too much at once


@pytest.mark.parametrize(("limit", "count"), [("max_request_texts", 3), ("max_request_tokens", 9)])
def test_batch_that_is_too_large_is_halved(
    server: TempicoServer, embedder: EndpointEmbedder, limit: str, count: int
) -> None:
    """A 413, or a 400 about tokens, halves the batch until it fits; the order stays."""
    setattr(server, limit, count)
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)


def test_smaller_batch_is_remembered(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """What fitted is asked for from then on, so a batch is refused once, not every time."""
    server.max_request_texts = 3
    embedder.embed(TEXTS, kind="document")
    embedder.embed(TEXTS, kind="document")
    assert sizes(server) == [5, 3, 2, 3, 2]


def test_one_long_text_does_not_shrink_the_batches(
    server: TempicoServer, embedder: EndpointEmbedder
) -> None:
    """When it was one text that was too long, the others still go together next time."""
    server.max_request_tokens = 20
    texts = [*TEXTS[:3], "word " * 30]
    vectors = embedder.embed(texts, kind="document")
    assert_vectors_of(vectors[:3], TEXTS[:3])
    before = len(server.requests)
    embedder.embed(TEXTS, kind="document")
    assert len(server.requests) == before + 1


def test_text_that_is_too_long_is_cut_once(
    server: TempicoServer, embedder: EndpointEmbedder
) -> None:
    """A text that is refused alone is embedded by its first half."""
    server.max_request_tokens = 4
    vectors = embedder.embed(["one two three four five six"], kind="document")
    assert_vectors_of(vectors, ["one two three"])


def test_text_that_stays_too_long_is_named(
    server: TempicoServer, embedder: EndpointEmbedder
) -> None:
    """A text whose half is refused too has no vector, and the error says which text it is."""
    server.max_request_tokens = 4
    with pytest.raises(BadProviderResponse, match="text 1 of 3"):
        embedder.embed(["one", "word " * 20, "two"], kind="document")


@pytest.mark.parametrize(
    "message", ["unsupported value: NaN", "input is too large to process. increase the batch size"]
)
def test_server_error_that_blames_the_input_is_halved_not_retried(
    server: TempicoServer, embedder: EndpointEmbedder, sleeps: list[float], message: str
) -> None:
    """Ollama's and llama.cpp's 500 for inputs they can't embed isn't waited for."""
    server.fail("/embeddings", Fault(status=500, message=message))
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    assert sizes(server) == [5, 3, 2]
    assert sleeps == []


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "This model's maximum context length is 8192 tokens, you requested 9000"),
        (400, "the request exceeds the available context size"),
        (422, "batch size 5 > maximum allowed batch size 4"),
        (413, "Payload reached size limit"),
    ],
)
def test_refusals_for_size_are_known_by_their_words(
    server: TempicoServer, embedder: EndpointEmbedder, status: int, message: str
) -> None:
    """The words that servers have for too much are known."""
    server.fail("/embeddings", Fault(status=status, message=message))
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    assert sizes(server) == [5, 3, 2]


@pytest.mark.parametrize("status", [400, 422])
def test_other_refusals_are_not_halved(
    server: TempicoServer, embedder: EndpointEmbedder, status: int
) -> None:
    """A refusal that isn't about size is an error at once."""
    server.fail("/embeddings", Fault(status=status, message="input must be a string"), times=9)
    with pytest.raises(ProviderError, match="must be a string"):
        embedder.embed(TEXTS, kind="document")
    assert sizes(server) == [5]


# Embeddings: replies that lie

LAST = -1


def with_vector(position: int, change: Callable[[list[Any]], Any]) -> Callable[[Json], Json]:
    """Return an edit that changes one vector of a reply."""

    def edit(reply: Json) -> Json:
        item = reply["data"][position]
        item["embedding"] = change(item["embedding"])
        return reply

    return edit


def with_data(change: Callable[[list[Json]], Any]) -> Callable[[Json], Json]:
    """Return an edit that changes the list of vectors of a reply."""
    return lambda reply: {**reply, "data": change(reply["data"])}


NEED_TWO_TEXTS = ("a duplicate index", "an index for some", "a short vector")
BAD_REPLIES: dict[str, Callable[[Json], Any]] = {
    "one vector too few": with_data(lambda data: data[:-1]),
    "one vector too many": with_data(lambda data: [*data, {**data[0], "index": len(data)}]),
    "no vectors": with_data(lambda data: []),
    "no list": with_data(lambda data: None),
    "a list of something else": with_data(lambda data: ["a"] * len(data)),
    "a duplicate index": with_data(lambda data: [{**item, "index": 0} for item in data]),
    "an index beyond": with_data(lambda data: [{**i, "index": i["index"] + 1} for i in data]),
    "an index for some": with_data(lambda data: [{**data[0], "index": None}, *data[1:]]),
    "NaN": with_vector(LAST, lambda vector: [float("nan"), *vector[1:]]),
    "infinity": with_vector(LAST, lambda vector: [float("inf"), *vector[1:]]),
    "a huge number": with_vector(LAST, lambda vector: [1e300, *vector[1:]]),
    "null": with_vector(LAST, lambda vector: [None, *vector[1:]]),
    "numbers in quotes": with_vector(LAST, lambda vector: [str(x) for x in vector]),
    "zeros": with_vector(LAST, lambda vector: [0.0] * len(vector)),
    "a short vector": with_vector(LAST, lambda vector: vector[:-1]),
    "an empty vector": with_vector(LAST, lambda vector: []),
    "a nested vector": with_vector(LAST, lambda vector: [vector]),
    "a ragged vector": with_vector(LAST, lambda vector: [vector, 1.0]),
    "no vector": with_vector(LAST, lambda vector: None),
    "broken base64": with_vector(LAST, lambda vector: "AAAA*"),
    "half a number in base64": with_vector(LAST, lambda vector: "AAAAAAA="),
}


@pytest.mark.parametrize("edit", BAD_REPLIES.values(), ids=BAD_REPLIES)
def test_bad_reply_is_asked_for_again(
    server: TempicoServer, embedder: EndpointEmbedder, edit: Callable[[Json], Any]
) -> None:
    """A success that holds no usable vectors is asked for once more, and then it's good."""
    server.gives_lists = True
    server.fail("/embeddings", Fault(edit=edit))
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    assert sizes(server) == [5, 5]


BAD_ALONE = {name: edit for name, edit in BAD_REPLIES.items() if name not in NEED_TWO_TEXTS}


@pytest.mark.parametrize("edit", BAD_ALONE.values(), ids=BAD_ALONE)
def test_reply_that_stays_bad_names_a_text(
    server: TempicoServer, embedder: EndpointEmbedder, edit: Callable[[Json], Any]
) -> None:
    """Vectors that are never usable end in an error that names a text, after few requests."""
    server.gives_lists = True
    server.fail("/embeddings", Fault(edit=edit), times=99)
    with pytest.raises(BadProviderResponse, match="text 0 of 5"):
        embedder.embed(TEXTS, kind="document")
    assert len(server.requests) <= 8


BAD_NUMBERS = {
    "NaN": lambda numbers: np.full_like(numbers, np.nan),
    "infinity": lambda numbers: np.full_like(numbers, np.inf),
    "zeros": lambda numbers: numbers * np.float32(0),
    "a short vector": lambda numbers: numbers[:-1],
    "an empty vector": lambda numbers: numbers[:0],
}


@pytest.mark.parametrize("change", BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_bad_numbers_in_base64_are_asked_for_again(
    server: TempicoServer,
    embedder: EndpointEmbedder,
    change: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Base64 is believed no more than numbers are."""

    def spoil(text: str) -> str:
        numbers = np.frombuffer(base64.b64decode(text), "<f4")
        return base64.b64encode(change(numbers).tobytes()).decode()

    server.fail("/embeddings", Fault(edit=with_vector(LAST, spoil)))
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    assert sizes(server) == [5, 5]


def test_one_bad_text_is_found_and_named(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """The text that makes a reply unusable is found by halves, and named by its place."""
    poison = TEXTS[3]

    def spoil(reply: Json) -> Json:
        for item, text in zip(reply["data"], server.requests[-1].body["input"], strict=True):
            if text == poison:
                item["embedding"] = [float("nan")] * 768
        return reply

    server.fail("/embeddings", Fault(edit=spoil), times=99)
    with pytest.raises(BadProviderResponse, match="text 3 of 5: a vector with numbers"):
        embedder.embed(TEXTS, kind="document")


def test_shuffled_reply_is_put_in_order(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """The index decides which text a vector is for, not its place in the reply."""
    server.fail("/embeddings", Fault(edit=with_data(lambda data: data[::-1])))
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)


def test_reply_without_index_keeps_its_order(
    server: TempicoServer, embedder: EndpointEmbedder
) -> None:
    """Where no vector has an index, they stand in the order of the texts."""
    bare = with_data(lambda data: [{"embedding": item["embedding"]} for item in data])
    server.fail("/embeddings", Fault(edit=bare))
    assert_vectors_of(embedder.embed(TEXTS, kind="document"), TEXTS)
    assert len(server.requests) == 1


def test_other_dimensions_than_known_are_refused_at_once(
    server: TempicoServer, client: HttpClient
) -> None:
    """A model that gives other dimensions than the index has is an error that says both."""
    embedder = EndpointEmbedder(client, model=EMBEDDING_MODEL, known_dimensions=384)
    with pytest.raises(BadProviderResponse, match="768 dimensions, not 384") as caught:
        embedder.embed(TEXTS, kind="document")
    assert "ragkit reindex" in caught.value.hint
    assert len(server.requests) == 1


def test_fewer_dimensions_than_requested_are_refused(
    server: TempicoServer, client: HttpClient
) -> None:
    """Vectors can be cut, not lengthened."""
    embedder = EndpointEmbedder(client, model=EMBEDDING_MODEL, dimensions=1024)
    with pytest.raises(BadProviderResponse, match="768 dimensions, not 1024"):
        embedder.embed(TEXTS, kind="document")


def test_html_page_is_not_halved(server: TempicoServer, embedder: EndpointEmbedder) -> None:
    """The page of a captive portal is an error after one request, not one for each text."""
    server.fail("/embeddings", html_page(), times=99)
    with pytest.raises(BadProviderResponse, match="HTML"):
        embedder.embed(TEXTS, kind="document")
    assert len(server.requests) == 1


# Chat: the request

QUESTION = [Message("system", "Be brief."), Message("user", "What is the answer?")]


@pytest.fixture
def chat(client: HttpClient) -> EndpointChat:
    return EndpointChat(client, model=CHAT_MODEL)


def said(items: Sequence[ChatDelta | ChatEnd]) -> str:
    return "".join(item.text for item in items if isinstance(item, ChatDelta))


def end_of(items: Sequence[ChatDelta | ChatEnd]) -> ChatEnd:
    """Return the end, which has to be the last item and the only one of its kind."""
    *deltas, end = items
    assert isinstance(end, ChatEnd)
    assert all(isinstance(delta, ChatDelta) for delta in deltas)
    return end


@pytest.mark.parametrize("ignores_streaming", [False, True])
def test_reply_comes_in_pieces_and_ends(
    server: TempicoServer, chat: EndpointChat, ignores_streaming: bool
) -> None:
    """The pieces make up the reply; the end says why it ended and what it cost.

    A server that doesn't stream gives the same, in one piece.
    """
    server.ignores_streaming = ignores_streaming
    server.reply = lambda body: "The answer, as everybody knows, is 42."
    items = list(chat.stream(QUESTION, web=None))
    assert said(items) == "The answer, as everybody knows, is 42."
    assert end_of(items) == ChatEnd(
        CHAT_MODEL, "stop", Usage(requests=1, prompt_tokens=6, completion_tokens=7)
    )
    assert (len(items) == 2) is ignores_streaming


def test_web_search_is_forbidden_unless_asked_for(
    server: TempicoServer, chat: EndpointChat
) -> None:
    """A request without a web search says so: endpoints search by default."""
    list(chat.stream(QUESTION, web=None))
    assert server.requests[0].body == {
        "model": CHAT_MODEL,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is the answer?"},
        ],
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "web_search": False,
    }


def test_web_search_options_are_sent_where_set(server: TempicoServer, client: HttpClient) -> None:
    """A web search is asked for with those options that are set, as the contract names them."""
    chat = EndpointChat(client, model=CHAT_MODEL, max_tokens=99, temperature=0.5)
    list(chat.stream(QUESTION, web=WebSearch()))
    web = WebSearch(
        context_size="low", country="US", safesearch="moderate", accept_language="en-US"
    )
    list(chat.stream(QUESTION, web=web))
    plain, full = (request.body for request in server.requests)
    assert plain["web_search"] is True
    assert "web_search_options" not in plain
    assert (plain["max_tokens"], plain["temperature"]) == (99, 0.5)
    assert full["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"country": "US"}},
        "safesearch": "moderate",
        "accept_language": "en-US",
    }


# Chat: sources


def test_annotated_sources_are_given_once(server: TempicoServer, chat: EndpointChat) -> None:
    """The sources are those that the reply's annotations cite, each once, http only."""
    server.web_sources = [
        ("https://a.org/x", "A"),
        ("https://b.org", "B"),
        ("https://a.org/x", "A again"),
        ("javascript:alert(1)", "C"),
    ]
    server.reply = lambda body: "See https://elsewhere.org."
    end = end_of(list(chat.stream(QUESTION, web=WebSearch())))
    assert end.sources == (WebSource("https://a.org/x", "A"), WebSource("https://b.org", "B"))


def test_flat_and_odd_annotations(server: TempicoServer, chat: EndpointChat) -> None:
    """An annotation without the inner object is read too; what is no citation is left out."""
    annotations = [
        {"type": "url_citation", "url": "https://a.org"},
        {"type": "file_citation", "url": "https://no.org"},
        {"type": "url_citation", "url_citation": None},
        {"type": "url_citation", "url": 7},
        None,
    ]
    delta = {"content": "x", "annotations": annotations}
    server.fail("/chat/completions", sse(chunk(delta, "stop"), DONE))
    end = end_of(list(chat.stream(QUESTION, web=WebSearch())))
    assert end.sources == (WebSource("https://a.org", ""),)


def test_urls_in_the_text_are_sources_of_a_web_search_only(
    server: TempicoServer, chat: EndpointChat
) -> None:
    """Without annotations the URLs of the text count; without a web search nothing does."""
    server.reply = lambda body: "It is 42 (https://a.org/x)."
    assert end_of(list(chat.stream(QUESTION, web=WebSearch()))).sources == (
        WebSource("https://a.org/x", ""),
    )
    assert end_of(list(chat.stream(QUESTION, web=None))).sources == ()


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("see https://a.org/x, or", [("https://a.org/x", "")]),
        ("see <https://a.org>!", [("https://a.org", "")]),
        ("**https://a.org/x**", [("https://a.org/x", "")]),
        ("[The A](https://a.org/x) says", [("https://a.org/x", "The A")]),
        ('[The A](https://a.org/x "title") says', [("https://a.org/x", "The A")]),
        ("(see https://a.org/x)", [("https://a.org/x", "")]),
        ("https://w.org/Foo_(bar) is", [("https://w.org/Foo_(bar)", "")]),
        ("[F](https://w.org/Foo_(bar))", [("https://w.org/Foo_(bar)", "F")]),
        ("[A](https://a.org) and https://a.org", [("https://a.org", "A")]),
        ("https://b.org https://a.org", [("https://b.org", ""), ("https://a.org", "")]),
        ("ftp://a.org javascript:x http:// https://", []),
    ],
)
def test_urls_are_found_in_text(text: str, sources: list[tuple[str, str]]) -> None:
    """URLs are taken without the punctuation around them; a Markdown link gives its title."""
    assert written_sources(text) == tuple(WebSource(*source) for source in sources)


def test_url_search_takes_linear_time() -> None:
    """Text made to confuse the search for URLs doesn't slow it down."""
    started = time.monotonic()
    for text in ("[" * 20_000, "[a](https://" + "(a" * 20_000, "https://" + "(" * 20_000):
        written_sources(text)
    assert time.monotonic() - started < 2


# Chat: fields that a server doesn't know

REFUSALS = {
    "OpenAI, older": "Unrecognized request argument supplied: web_search",
    "OpenAI": "Unknown parameter: 'web_search'.",
    "Groq": "property 'web_search' is unsupported",
    "Gemini": 'Invalid JSON payload received. Unknown name "web_search": Cannot find field.',
    "FastAPI": "[{'type': 'extra_forbidden', 'loc': ('body', 'web_search')}]",
    "Mistral": "Extra inputs are not permitted",
}


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("message", REFUSALS.values(), ids=REFUSALS)
def test_unknown_web_search_is_left_out_from_then_on(
    server: TempicoServer, client: HttpClient, status: int, message: str
) -> None:
    """A server that doesn't know the field still answers, is asked once, and is remembered."""
    calls: list[str] = []
    chat = EndpointChat(
        client, model=CHAT_MODEL, on_web_search_refused=lambda: calls.append("refused")
    )
    server.fail("/chat/completions", Fault(status=status, message=message))
    assert said(list(chat.stream(QUESTION, web=None))) == "I have no script."
    list(chat.stream(QUESTION, web=None))
    assert ["web_search" in request.body for request in server.requests] == [True, False, False]
    assert calls == ["refused"]
    assert not chat.has_web_search


def test_web_search_that_is_refused_is_told(server: TempicoServer, client: HttpClient) -> None:
    """Who asked for a web search is told that there is none, the second time without a request."""
    calls: list[str] = []
    chat = EndpointChat(
        client, model=CHAT_MODEL, on_web_search_refused=lambda: calls.append("refused")
    )
    server.refuses_web_search = True
    assert chat.has_web_search
    for _ in range(2):
        with pytest.raises(WebSearchUnavailable):
            list(chat.stream(QUESTION, web=WebSearch(country="US")))
    assert not chat.has_web_search
    assert (len(server.requests), calls) == (1, ["refused"])


def test_refusal_that_is_remembered_is_not_tried_again(
    server: TempicoServer, client: HttpClient
) -> None:
    """A chat that is told of an earlier refusal never sends the field."""
    chat = EndpointChat(client, model=CHAT_MODEL, refuses_web_search=True)
    server.refuses_web_search = True
    assert said(list(chat.stream(QUESTION, web=None))) == "I have no script."
    assert len(server.requests) == 1


@pytest.mark.parametrize("field", ["stream_options", "temperature"])
def test_other_unknown_fields_are_left_out_likewise(
    server: TempicoServer, chat: EndpointChat, field: str
) -> None:
    """A field that only this server or model doesn't know costs one request, and no web search."""
    server.refuses_fields = {field}
    assert said(list(chat.stream(QUESTION, web=None))) == "I have no script."
    list(chat.stream(QUESTION, web=None))
    assert [field in request.body for request in server.requests] == [True, False, False]
    assert chat.has_web_search


@pytest.mark.parametrize(
    "message",
    [
        "web_search_options.search_context_size must be one of low, medium, high",
        "Unknown role: 'oracle'",
        "messages is required",
    ],
)
def test_refusal_for_another_reason_is_an_error(
    server: TempicoServer, chat: EndpointChat, message: str
) -> None:
    """A 400 about a value or another field is no word against web search."""
    server.fail("/chat/completions", Fault(status=400, message=message))
    with pytest.raises(ProviderError, match="400"):
        list(chat.stream(QUESTION, web=WebSearch(context_size="giant")))
    assert chat.has_web_search
    assert len(server.requests) == 1


# Chat: odd streams, the table of reliability.md B4

DONE = "data: [DONE]\n\n"


def chunk(delta: Any, finish_reason: str | None = None, **more: Any) -> str:
    """Return the event of one delta."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return f"data: {json.dumps({'choices': [choice], **more})}\n\n"


def text_chunk(text: str) -> str:
    return chunk({"content": text})


HELLO = text_chunk("Hel") + text_chunk("lo")
END = chunk({}, "stop")
WHOLE = HELLO + END + DONE
USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
MESSAGE = {"role": "assistant", "content": "Hello"}


def whole_reply(**more: Any) -> bytes:
    return json.dumps({"choices": [{"message": MESSAGE, **more}]}).encode()


GOOD_STREAMS: dict[str, Fault] = {
    "as it should be": sse(WHOLE),
    "CRLF": sse(WHOLE.replace("\n", "\r\n")),
    "lone CR": sse(WHOLE.replace("\n", "\r")),
    "comments between": sse(": hi\n\n", HELLO, ": still here\n\n", END, DONE),
    "no space after data:": sse(WHOLE.replace("data: ", "data:")),
    "cut at every byte": sse(*[bytes([byte]) for byte in WHOLE.encode()]),
    "an event over several data lines": sse(WHOLE.replace(', "', ',\ndata: "')),
    "byte order mark": sse(b"\xef\xbb\xbf" + WHOLE.encode()),
    "no [DONE]": sse(HELLO, END),
    "[DONE] without a finish_reason": sse(HELLO, DONE),
    "no blank line at the end": sse(HELLO + END.rstrip("\n")),
    "no blank line after [DONE]": sse(HELLO + "data: [DONE]"),
    "empty choices first (Azure)": sse('data: {"choices": []}\n\n', WHOLE),
    "choices null": sse(HELLO, END, 'data: {"choices": null}\n\n', DONE),
    "role first, content null": sse(chunk({"role": "assistant", "content": None}), WHOLE),
    "reasoning": sse(chunk({"reasoning_content": "hmm", "content": None}), WHOLE),
    "tool calls": sse(chunk({"tool_calls": [{"index": 0}]}), WHOLE),
    "delta null": sse(chunk(None), WHOLE),
    "content in parts": sse(chunk({"content": [{"type": "text", "text": "Hello"}]}, "stop")),
    "one line that is no JSON": sse("data: keep-alive\n\n", WHOLE),
    "events after [DONE]": sse(WHOLE, text_chunk("more")),
    "broken off after its finish_reason": sse(HELLO, END, headers={"content-length": "9999"}),
    "a whole reply": Fault(body=whole_reply(finish_reason="stop")),
    "a whole reply without a finish_reason": Fault(body=whole_reply()),
    "a whole reply called a stream": sse(whole_reply(finish_reason="stop")),
    "a stream called JSON": Fault(body=WHOLE.encode()),
    "a stream without a type": Fault(body=WHOLE.encode(), content_type=""),
}


@pytest.mark.parametrize("fault", GOOD_STREAMS.values(), ids=GOOD_STREAMS)
def test_odd_stream_is_read(server: TempicoServer, chat: EndpointChat, fault: Fault) -> None:
    """Whatever a server does within reason, the reply is there, once, and ends."""
    server.fail("/chat/completions", fault)
    items = list(chat.stream(QUESTION, web=None))
    assert said(items) == "Hello"
    assert end_of(items).finish_reason in ("stop", "")
    assert len(server.requests) == 1


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_line_separators_of_unicode_split_nothing(
    server: TempicoServer, chat: EndpointChat, separator: str
) -> None:
    """Characters that str.splitlines() would split at stay in the text, written raw."""
    raw = f'data: {{"choices": [{{"delta": {{"content": "a{separator}b"}}}}]}}\n\n'
    server.fail("/chat/completions", sse(raw, DONE))
    assert said(list(chat.stream(QUESTION, web=None))) == f"a{separator}b"


USAGE_STREAMS: dict[str, list[str]] = {
    "in a last chunk with empty choices": [
        HELLO,
        END,
        f"data: {json.dumps({'choices': [], 'usage': USAGE})}\n\n",
        DONE,
    ],
    "in a last chunk with choices null (vLLM)": [
        HELLO,
        END,
        f"data: {json.dumps({'choices': None, 'usage': USAGE})}\n\n",
        DONE,
    ],
    "with the finish_reason": [HELLO, chunk({}, "stop", usage=USAGE), DONE],
    "null until the end": [chunk({"content": "Hello"}, usage=None), chunk({}, "stop", usage=USAGE)],
}


@pytest.mark.parametrize("pieces", USAGE_STREAMS.values(), ids=USAGE_STREAMS)
def test_usage_is_found_where_it_stands(
    server: TempicoServer, chat: EndpointChat, pieces: list[str]
) -> None:
    """The tokens billed are read from wherever a server puts them."""
    server.fail("/chat/completions", sse(*pieces))
    usage = end_of(list(chat.stream(QUESTION, web=None))).usage
    assert usage == Usage(requests=1, prompt_tokens=3, completion_tokens=2)


ERROR = '{"error": {"message": "out of order", "type": "%s", "code": null}}'
BROKEN_STREAMS: dict[str, tuple[list[str], type[ProviderError], str]] = {
    "no [DONE] and no finish_reason": ([HELLO], ProviderUnavailable, "cut off"),
    "cut in the middle of an event": ([HELLO, END[:30]], ProviderUnavailable, "cut off"),
    "an error object": ([HELLO, f"data: {ERROR % 'x'}\n\n"], ProviderError, "out of order"),
    "an error without a blank line": ([HELLO, f"data: {ERROR % 'x'}"], ProviderError, "order"),
    "an overload": ([HELLO, f"data: {ERROR % 'server_error'}\n\n"], ProviderUnavailable, "order"),
    "a rate limit": ([HELLO, f"data: {ERROR % 'rate_limit_error'}\n\n"], RateLimited, "order"),
    "event: error with a bare body": (
        [HELLO, 'event: error\ndata: {"message": "out of order"}\n\n'],
        ProviderError,
        "out of order",
    ),
    "bad JSON": ([HELLO, 'data: {"choices": [}\n\n', END], BadProviderResponse, "not JSON"),
    "text again and again": (
        [HELLO, "data: x\n\n", "data: y\n\n", END],
        BadProviderResponse,
        "not JSON",
    ),
}


@pytest.mark.parametrize(
    ("pieces", "error", "message"), BROKEN_STREAMS.values(), ids=BROKEN_STREAMS
)
def test_broken_stream_raises_after_its_pieces(
    server: TempicoServer,
    chat: EndpointChat,
    pieces: list[str],
    error: type[ProviderError],
    message: str,
) -> None:
    """What came before the break stands, no end is given, and the error says what happened."""
    server.fail("/chat/completions", sse(*pieces))
    items: list[ChatDelta | ChatEnd] = []
    with pytest.raises(error, match=message):
        items.extend(chat.stream(QUESTION, web=None))
    assert items == [ChatDelta("Hel"), ChatDelta("lo")]
    assert len(server.requests) == 1


def test_error_instead_of_a_stream_is_raised(server: TempicoServer, chat: EndpointChat) -> None:
    """Status 200 with an error object is an error, not a silent empty answer."""
    server.fail("/chat/completions", Fault(status=200, message="out of order"))
    with pytest.raises(ProviderError, match="out of order"):
        list(chat.stream(QUESTION, web=None))


@pytest.mark.parametrize(
    "fault", [sse(chunk({"role": "assistant"})), sse(f"data: {ERROR % 'overloaded_error'}\n\n")]
)
def test_stream_that_breaks_before_its_first_token_is_tried_again(
    server: TempicoServer, chat: EndpointChat, fault: Fault
) -> None:
    """A role is no token yet: until something was shown the request may be repeated."""
    server.fail("/chat/completions", fault, times=2)
    assert said(list(chat.stream(QUESTION, web=None))) == "I have no script."
    assert len(server.requests) == 3


def test_stream_that_stalls_keeps_its_pieces(server: TempicoServer, connect: Connect) -> None:
    """After 10 tokens and silence the pieces stand and a time-out is raised."""
    tokens = [text_chunk(f"{n} ") for n in range(10)]
    server.fail("/chat/completions", sse(*tokens, ending="hang"))
    chat = EndpointChat(connect(timeouts=Timeouts(idle=0.15)), model=CHAT_MODEL)
    items: list[ChatDelta | ChatEnd] = []
    with pytest.raises(ProviderTimeout):
        items.extend(chat.stream(QUESTION, web=None))
    assert said(items) == "0 1 2 3 4 5 6 7 8 9 "


def test_stream_that_stays_open_after_its_end_is_whole(
    server: TempicoServer, connect: Connect
) -> None:
    """A server that says it's finished but never closes the stream costs the idle time only."""
    server.fail("/chat/completions", sse(HELLO, END, ending="hang"))
    chat = EndpointChat(connect(timeouts=Timeouts(idle=0.15)), model=CHAT_MODEL)
    assert said(list(chat.stream(QUESTION, web=None))) == "Hello"


def test_one_connection_serves_many_questions(server: TempicoServer, chat: EndpointChat) -> None:
    """A stream is read out to its end, so that the next question needs no new connection."""
    server.reply = lambda body: "forty-two, and so on"
    for _ in range(3):
        assert said(list(chat.stream(QUESTION, web=None))) == "forty-two, and so on"
    assert (len(server.requests), server.connections) == (3, 1)


def test_farewell_that_never_comes_is_not_waited_for(
    server: TempicoServer, chat: EndpointChat
) -> None:
    """A server that keeps the stream open after its end mark costs a moment, after the end."""
    stay_open = sse(HELLO, END, "data: [DONE]\n\n", ending="hang")
    server.fail("/chat/completions", stay_open)
    started = time.monotonic()
    items = chat.stream(QUESTION, web=None)
    assert [next(items), next(items)] == [ChatDelta("Hel"), ChatDelta("lo")]
    assert isinstance(next(items), ChatEnd)
    assert time.monotonic() - started < 0.15
    assert list(items) == []
    assert time.monotonic() - started < 0.6
    server.reply = lambda body: "still there"
    assert said(list(chat.stream(QUESTION, web=None))) == "still there"


def test_farewell_without_an_end_is_not_read(server: TempicoServer, chat: EndpointChat) -> None:
    """A server that goes on talking after its end mark is left, though it is never silent."""
    babble = [": and another thing\n\n"] * 100
    server.fail(
        "/chat/completions", sse(HELLO, END, "data: [DONE]\n\n", *babble, pause_seconds=0.05)
    )
    started = time.monotonic()
    assert said(list(chat.stream(QUESTION, web=None))) == "Hello"
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_finish_reason_is_passed_on(server: TempicoServer, chat: EndpointChat, reason: str) -> None:
    """Why a reply ended is told, so that a cut one can be marked."""
    server.fail("/chat/completions", sse(HELLO, chunk({}, reason), DONE))
    assert end_of(list(chat.stream(QUESTION, web=None))).finish_reason == reason


def test_script_that_fails_fails_the_test() -> None:
    """Our own server doesn't hide the mistakes of a test's script."""

    def broken(body: Json) -> str:
        return str(body["passages"])

    with pytest.raises(KeyError), TempicoServer() as server:
        server.reply = broken
        with (
            HttpClient(base_url=server.base_url, api_key=server.key) as client,
            pytest.raises(ProviderError),
        ):
            list(EndpointChat(client, model=CHAT_MODEL).stream(QUESTION, web=None))
