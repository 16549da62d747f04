"""Many requests for embeddings at once, against a server that doesn't bear as many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from ragkit.errors import ProviderError, ProviderUnavailable, RateLimited, RequestCancelled
from ragkit.providers.endpoint import EndpointEmbedder
from ragkit.providers.http import HttpClient
from ragkit.providers.throttle import Throttle
from ragkit.text import estimate_tokens
from ragkit.types import RequestRecord
from tests.tempico import (
    EMBEDDING_MODEL,
    Fault,
    RateLimit,
    TempicoProcess,
    TempicoServer,
    embedding_of,
    precomputed_of,
)

Connect = Callable[..., HttpClient]
TEXTS = [f"text number {number}" for number in range(60)]


@pytest.fixture
def told() -> list[tuple[float, str]]:
    """What was told of waits."""
    return []


@pytest.fixture
def records() -> list[RequestRecord]:
    """What was told of requests."""
    return []


@pytest.fixture
def embedder_of(
    connect: Connect, records: list[RequestRecord], told: list[tuple[float, str]]
) -> Callable[..., EndpointEmbedder]:
    """Makes embedders that really wait, with dice that always show 0: backoff takes no time."""

    def new_embedder(*, patience_seconds: float = 900, **options: Any) -> EndpointEmbedder:
        throttle = Throttle(
            random=lambda: 0.0, on_wait=lambda *wait: told.append(wait), **{"most": 8, **options}
        )
        http = connect(
            throttle=throttle,
            patience_seconds=patience_seconds,
            sleep=None,
            random=lambda: 0.0,
        )
        return EndpointEmbedder(http, model=EMBEDDING_MODEL, on_request=records.append)

    return new_embedder


def embed_all(
    embedder: EndpointEmbedder, texts: Sequence[str], *, batch: int = 1, threads: int = 8
) -> np.ndarray:
    """Embed as an ingest does: threads, and a batch for each call."""
    batches = [texts[at : at + batch] for at in range(0, len(texts), batch)]
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(lambda b: embedder.embed(b, kind="document"), batches)))


def vectors_of(texts: Sequence[str]) -> np.ndarray:
    return np.array([embedding_of(text) for text in texts])


def outcomes(records: Sequence[RequestRecord]) -> list[str]:
    return [record.outcome for record in records]


# Refusals


def test_refusal_pauses_all(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder], monkeypatch: Any
) -> None:
    """After a 429 no thread sends before Retry-After is over; then all the work gets done."""
    times: list[float] = []
    record = server.record
    monkeypatch.setattr(
        server, "record", lambda request: (times.append(time.monotonic()), record(request))
    )
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "0.4"}))
    vectors = embed_all(embedder_of(), TEXTS[:20])
    np.testing.assert_allclose(vectors, vectors_of(TEXTS[:20]), atol=1e-6)
    assert len(times) == 21
    gaps = np.diff(times)
    assert gaps.max() >= 0.35
    assert np.argmax(gaps) < 8  # what was sent before the refusal was known, and no more


def test_endpoint_that_bears_few_at_once_is_learned(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """More than the endpoint bears are tried a few times only; each text is embedded once."""
    server.max_in_flight, server.latency_seconds, server.retry_after = 3, 0.005, "0.05"
    vectors = embed_all(embedder_of(most=16), TEXTS, threads=16)
    np.testing.assert_allclose(vectors, vectors_of(TEXTS), atol=1e-6)
    assert sorted(server.texts) == sorted(TEXTS)
    assert server.counts.most_in_flight <= 4
    assert server.counts.refused <= 4


@pytest.mark.parametrize("counted", ["request_limit", "token_limit"])
def test_headers_of_a_limit_are_heeded(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder], counted: str
) -> None:
    """An endpoint that tells what is left is hardly ever asked for more."""
    server.count_tokens = estimate_tokens
    per_window = {"request_limit": 20, "token_limit": 60}[counted]
    setattr(server, counted, RateLimit(per_window, window_seconds=0.5))
    started = time.monotonic()
    embed_all(embedder_of(), TEXTS)
    assert time.monotonic() - started >= 0.9
    assert server.counts.refused <= 2  # replies overtake one another
    assert sorted(server.texts) == sorted(TEXTS)


def test_limit_of_our_own_is_kept(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """1,200 requests a minute are 20 a second, after a first second's worth."""
    started = time.monotonic()
    embed_all(embedder_of(requests_per_minute=1_200), TEXTS[:40])
    assert time.monotonic() - started >= 0.95
    assert server.counts.requests == 40


def test_ingest_outlasts_a_long_rate_limit(
    server: TempicoServer,
    embedder_of: Callable[..., EndpointEmbedder],
    records: list[RequestRecord],
) -> None:
    """Documents are asked for again for as long as patience lasts, not six times only."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "0.01"}), times=20)
    embedder_of().embed(TEXTS[:1], kind="document")
    assert outcomes(records) == ["rate-limited"] * 20 + ["ok"]


def test_patience_ends(server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]) -> None:
    """When the pauses of one request come to more than its patience, the error is told."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "0.2"}), times=99)
    started = time.monotonic()
    with pytest.raises(RateLimited) as caught:
        embedder_of(patience_seconds=0.5).embed(TEXTS[:1], kind="document")
    assert caught.value.retry_after == 0.2
    assert time.monotonic() - started < 0.5
    assert len(server.requests) == 3


def test_wait_beyond_patience_is_not_begun(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """Who is told to come back after more than the patience ends at once, and says until when."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "3600"}), times=9)
    with pytest.raises(RateLimited, match="rate limited until"):
        embedder_of().embed(TEXTS[:1], kind="document")
    assert len(server.requests) == 1


def test_wait_within_patience_is_begun(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """An ingest that is told to come back in five minutes does, and doesn't give up."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "300"}))
    embedder = embedder_of()
    timer = threading.Timer(0.3, embedder.cancel)
    timer.start()
    with pytest.raises(RequestCancelled):
        embedder.embed(TEXTS[:1], kind="document")
    assert 290 < embedder._http.throttle.pause_seconds() <= 300


def test_query_is_not_patient(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """A person waits for a query: six tries, and no wait of more than two minutes."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "0.01"}), times=6)
    with pytest.raises(RateLimited):
        embedder_of().embed(["a question"], kind="query")
    assert len(server.requests) == 6
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "300"}))
    with pytest.raises(RateLimited, match="rate limited until"):
        embedder_of().embed(["a question"], kind="query")


def test_exhausted_quota_pauses_nobody(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """What no wait mends is an error at once, and no reason for others to wait."""
    server.fail("/embeddings", Fault(status=429, code="insufficient_quota"))
    embedder = embedder_of()
    with pytest.raises(RateLimited):
        embedder.embed(TEXTS[:1], kind="document")
    assert embedder._http.throttle.pause_seconds() == 0
    assert len(server.requests) == 1


def test_broken_server_is_given_up_after_six_tries(
    server: TempicoServer,
    embedder_of: Callable[..., EndpointEmbedder],
    records: list[RequestRecord],
) -> None:
    """Patience is for an endpoint that says when to come back; failures are counted."""
    server.fail("/embeddings", Fault(status=503), times=9)
    with pytest.raises(ProviderUnavailable):
        embedder_of().embed(TEXTS[:1], kind="document")
    assert outcomes(records) == ["unavailable"] * 6


def test_overload_with_retry_after_pauses_too(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """A 503 that says when to come back is about the load, and lowers it."""
    server.fail("/embeddings", Fault(status=503, headers={"retry-after": "0.05"}))
    embedder = embedder_of()
    embedder.embed(TEXTS[:1], kind="document")
    assert embedder._http.throttle.limit == 2


# The end


def test_cancel_ends_waiting_calls_at_once(
    server: TempicoServer,
    embedder_of: Callable[..., EndpointEmbedder],
    told: list[tuple[float, str]],
) -> None:
    """All threads that wait out a pause end within a second; the embedder can be used again."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "30"}), times=4)
    embedder = embedder_of()
    errors: list[Exception] = []

    def work() -> None:
        try:
            embedder.embed(TEXTS[:1], kind="document")
        except ProviderError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 5
    while not told and time.monotonic() < deadline:
        time.sleep(0.005)
    started = time.monotonic()
    embedder.cancel()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - started < 1
    assert len(errors) == 8
    assert all(isinstance(error, RequestCancelled) for error in errors)
    assert len(told) == 1
    assert told[0] == (pytest.approx(30, abs=0.5), "the endpoint asks to wait")
    assert not embedder._http.throttle._queue


def test_close_ends_a_wait_between_tries(server: TempicoServer, connect: Connect) -> None:
    """Closing the client wakes whoever sleeps before another try, of any request."""
    server.fail("/models", Fault(status=503, headers={"retry-after": "60"}))
    client = connect(sleep=None)
    timer = threading.Timer(0.2, client.close)
    timer.start()
    started = time.monotonic()
    with pytest.raises(RequestCancelled):
        client.get_json("/models")
    assert time.monotonic() - started < 2


# What is told of requests


def test_every_request_is_told(
    server: TempicoServer,
    embedder_of: Callable[..., EndpointEmbedder],
    records: list[RequestRecord],
) -> None:
    """The observer hears of each request that was sent, the failed ones too, once."""
    server.fail("/embeddings", Fault(status=429, headers={"retry-after": "0.01"}))
    server.fail("/embeddings", Fault(status=500))
    server.fail("/embeddings", Fault(ending="silent"))
    embedder_of().embed(["one two three", "four"], kind="document")
    assert outcomes(records) == ["rate-limited", "unavailable", "unavailable", "ok"]
    assert len(server.requests) == 4
    last = records[-1]
    assert (last.model, last.texts, last.estimated_tokens, last.tokens) == (
        EMBEDDING_MODEL,
        2,
        8,
        4,
    )
    assert 0 <= last.milliseconds < 2_000
    assert [record.tokens for record in records[:3]] == [0, 0, 0]


def test_observer_counts_what_the_server_counts(
    server: TempicoServer,
    embedder_of: Callable[..., EndpointEmbedder],
    records: list[RequestRecord],
) -> None:
    """With many threads and refusals no request is told twice or not at all."""
    server.max_in_flight, server.latency_seconds, server.retry_after = 2, 0.002, "0.02"
    embed_all(embedder_of(), TEXTS, batch=3)
    good = [record for record in records if record.outcome == "ok"]
    assert len(records) == server.counts.requests
    assert len(records) - len(good) == server.counts.refused
    assert sum(record.texts for record in good) == server.counts.texts == 60
    assert sum(record.tokens for record in good) == server.counts.tokens


# Batches


def test_limits_of_a_batch_are_told_as_learned(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """A refusal for the number of texts lowers `batch_texts`, one for tokens `batch_tokens`."""
    embedder = embedder_of()
    assert (embedder.batch_texts, embedder.batch_tokens) == (128, 74_074)
    assert embedder.in_flight == 8
    server.max_request_texts = 16
    embedder.embed(TEXTS, kind="document")
    assert (embedder.batch_texts, embedder.batch_tokens) == (15, 74_074)
    server.max_request_tokens = 20
    embedder.embed(TEXTS[:12], kind="document")
    assert embedder.batch_texts == 15
    assert embedder.batch_tokens < sum(map(embedder.estimate_tokens, TEXTS[:12]))
    before = server.counts.requests
    embedder.embed(TEXTS[:12], kind="document")
    assert server.counts.requests - before == 2


# Base64 and numbers


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    "message", ["encoding_format: Input should be 'float'", "Extra inputs are not permitted"]
)
def test_refused_base64_is_not_asked_for_again(
    server: TempicoServer,
    embedder_of: Callable[..., EndpointEmbedder],
    status: int,
    message: str,
) -> None:
    """A server that doesn't know base64 is asked for numbers from then on."""
    server.fail("/embeddings", Fault(status=status, message=message))
    embedder = embedder_of()
    for _ in range(2):
        vectors = embedder.embed(TEXTS[:5], kind="document")
        np.testing.assert_allclose(vectors, vectors_of(TEXTS[:5]), atol=1e-6)
    formats = [request.body.get("encoding_format") for request in server.requests]
    assert formats == ["base64", "float", "float"]


def test_refused_field_is_left_out(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """A server that doesn't know the field at all is asked without it from then on."""
    server.refuses_fields = {"encoding_format"}
    embedder = embedder_of()
    vectors = embed_all(embedder, TEXTS)
    np.testing.assert_allclose(vectors, vectors_of(TEXTS), atol=1e-6)
    embedder.embed(TEXTS[:1], kind="document")
    assert "encoding_format" not in server.requests[-1].body


def test_server_that_answers_lists_is_asked_for_lists(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """Who ignores the field costs no second request, and is asked for what it gives."""
    server.gives_lists = True
    embedder = embedder_of()
    for _ in range(2):
        vectors = embedder.embed(TEXTS[:5], kind="document")
        np.testing.assert_allclose(vectors, vectors_of(TEXTS[:5]), atol=1e-6)
    formats = [request.body.get("encoding_format") for request in server.requests]
    assert formats == ["base64", "float"]


def test_broken_base64_is_asked_for_as_numbers(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """A server whose base64 can't be read is asked for numbers from then on."""

    def spoil(reply: dict[str, Any]) -> dict[str, Any]:
        for item in reply["data"]:
            item["embedding"] = "AAAA*"
        return reply

    server.fail("/embeddings", Fault(edit=spoil))
    embedder = embedder_of()
    vectors = embedder.embed(TEXTS[:5], kind="document")
    np.testing.assert_allclose(vectors, vectors_of(TEXTS[:5]), atol=1e-6)
    embedder.embed(TEXTS[:5], kind="document")
    formats = [request.body["encoding_format"] for request in server.requests]
    assert formats == ["base64", "float", "float"]


def test_lists_and_base64_in_one_reply_are_refused(
    server: TempicoServer, embedder_of: Callable[..., EndpointEmbedder]
) -> None:
    """A reply in two encodings is no good, and asked for once more."""

    def mix(reply: dict[str, Any]) -> dict[str, Any]:
        reply["data"][0]["embedding"] = [1.0] * 768
        return reply

    server.fail("/embeddings", Fault(edit=mix))
    vectors = embedder_of().embed(TEXTS[:2], kind="document")
    np.testing.assert_allclose(vectors, vectors_of(TEXTS[:2]), atol=1e-6)
    assert len(server.requests) == 2


# The server of the tests itself


@pytest.mark.parametrize("gives_lists", [False, True])
def test_precomputed_vectors_belong_to_their_texts(gives_lists: bool) -> None:
    """The fast server, a process of its own, gives a text the same vector every time."""
    with TempicoProcess(precomputed=True, gives_lists=gives_lists) as fast:
        with HttpClient(base_url=fast.base_url, api_key=fast.key) as http:
            embedder = EndpointEmbedder(http, model=EMBEDDING_MODEL)
            vectors = embed_all(embedder, TEXTS, batch=7)
        expected = np.array([precomputed_of(text) for text in TEXTS])
        np.testing.assert_allclose(vectors, expected, atol=1e-6)
        assert (fast.counts.requests, fast.counts.texts) == (9, 60)
