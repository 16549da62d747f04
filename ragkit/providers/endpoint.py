"""The models of an endpoint that speaks OpenAI's API: embeddings, chat, and the list of both."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ragkit.errors import BadProviderResponse, WebSearchUnavailable
from ragkit.ports import EmbedKind
from ragkit.providers.chat_reply import read_reply, whole_number
from ragkit.providers.embedding_reply import (
    UnusableBase64,
    UnusableVectors,
    are_lists,
    normalised,
    read_vectors,
)
from ragkit.providers.failures import RequestRefused
from ragkit.providers.http import Attempt, HttpClient
from ragkit.providers.sse import Event
from ragkit.providers.throttle import Turn
from ragkit.providers.token_estimate import estimate_tokens
from ragkit.types import ChatDelta, ChatEnd, Message, Model, RequestRecord, Usage, WebSearch

if TYPE_CHECKING:
    from ragkit.ports import Vectors

MAX_BATCH_TEXTS = 128
MAX_REQUEST_TOKENS = 100_000  # OpenAI's limit is 300,000 a request, others' are lower
# The estimate was up to 11 % too low for English text, tables and code, and other alphabets are
# guessed: what must not be exceeded is planned for with this.
ESTIMATE_MARGIN = 1.35
MAX_BATCH_TOKENS = int(MAX_REQUEST_TOKENS / ESTIMATE_MARGIN)  # estimated

# Base64 has a quarter of the bytes of numbers written out, and is read 20 times as fast. What a
# server refuses is left: then plain numbers, then the server's own choice.
_ENCODINGS = ("base64", "float", "")

# Said of an input, or a batch of them, that is too much. reliability.md B3 has the servers.
_TOO_MUCH = re.compile(
    r"max_tokens|maximum request size|context (length|size)|too (many|large|long)|exceed|batch",
    re.I,
)
# What llama.cpp and Ollama say, with status 500, of inputs that they will never embed.
_HOPELESS_INPUT = re.compile(r"too (large|long)|physical batch|context (size|length)|\bNaN\b", re.I)
# Said of a field that a server doesn't know or a model doesn't have; the second also where the
# server doesn't say which field it means.
_UNKNOWN_FIELD = re.compile(
    r"unknown|unrecogni[sz]ed|unexpected|unsupported|not (be )?(supported|permitted|allowed)"
    r"|(does not|doesn't) support|extra[_ ](fields|inputs|forbidden)|additional[_ ]?propert",
    re.I,
)
_ENCODING_FIELD = re.compile(r"encoding_format|base64", re.I)
_ABOUT_TOKENS = re.compile(r"token", re.I)
_NAMELESS = re.compile(r"extra[_ ](fields|inputs|forbidden)|additional[_ ]?propert", re.I)
# Fields that a server may not know, the likeliest first: they can be left out.
_OPTIONAL_FIELDS = ("web_search", "stream_options", "temperature")
_KNOWN_DIMENSIONS = {"embeddinggemma": 768}


def list_models(http: HttpClient) -> list[Model]:
    """Return the models that the endpoint lists for this key, in its order."""
    data = http.get_json("/models").get("data")
    if not isinstance(data, list):
        raise BadProviderResponse(f"{http.base_url}/models lists no models: `data` is not a list")
    return [_model(item) for item in data if isinstance(item, dict) and item.get("id")]


def _model(item: Mapping[str, Any]) -> Model:
    capabilities = item.get("capabilities")
    return Model(
        id=str(item["id"]),
        owned_by=str(item.get("owned_by") or ""),
        context_window=whole_number(item.get("context_window")),
        max_output_tokens=whole_number(item.get("max_output_tokens")),
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else (),
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """What one call of `embed` asks for: the texts, and the estimate of each one's tokens."""

    texts: Sequence[str]
    tokens: Sequence[int]
    patient: bool

    def tokens_of(self, at: range) -> int:
        return sum(self.tokens[at.start : at.stop])


class EndpointEmbedder:
    """Embeds with a model of the endpoint. Threads may share it, with a batch each.

    `dimensions` asks for vectors of that length; longer ones are cut and normalised again, which
    is sound for models trained for it (Matryoshka). `known_dimensions` is what an index already
    has: a model that gives another number is refused. Both 0: the model's own, learned from its
    first reply where ragkit doesn't know the model.

    `batch_texts` and `batch_tokens` (by `estimate_tokens`) are what goes into a request; they
    shrink when the endpoint refuses more. `on_request` is told of each request that was sent, in
    the thread that sent it.
    """

    def __init__(
        self,
        http: HttpClient,
        *,
        model: str,
        dimensions: int = 0,
        known_dimensions: int = 0,
        batch_texts: int = MAX_BATCH_TEXTS,
        batch_tokens: int = MAX_BATCH_TOKENS,
        on_request: Callable[[RequestRecord], None] = lambda _record: None,
    ) -> None:
        self._http = http
        self._model = model
        self._requested = dimensions
        self._dimensions = dimensions or known_dimensions or own_dimensions(model)
        self.batch_texts = batch_texts
        self.batch_tokens = batch_tokens
        self.on_request = on_request
        self._encoding = _ENCODINGS[0]
        self._usage = Usage()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._model

    @property
    def known_dimensions(self) -> int:
        """The length of the vectors where it is known without a request, else 0."""
        return self._dimensions

    @property
    def dimensions(self) -> int:
        """The length of the vectors. Costs one request where nothing told it before."""
        if not self._dimensions:
            self.embed(["dimensions"], kind="document")
        return self._dimensions

    def estimate_tokens(self, text: str) -> int:
        """Return about how many tokens the model makes of a text."""
        return estimate_tokens(text)

    @property
    def in_flight(self) -> int:
        """How many calls of `embed` are of use at a time; fewer may be in flight."""
        return self._http.throttle.most

    @property
    def on_wait(self) -> Callable[[float, str], None]:
        """Told of each wait of some seconds, and why, in one of the threads that wait."""
        return self._http.throttle.on_wait

    @on_wait.setter
    def on_wait(self, callback: Callable[[float, str], None]) -> None:
        self._http.throttle.on_wait = callback

    def cancel(self) -> None:
        """End the calls of `embed` that wait to send, in other threads: they raise ProviderError.

        Those whose request is in flight get its reply, if it comes; later calls are not affected.
        """
        self._http.cancel()

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        """Return one unit vector a text, in order. Raises ProviderError.

        `kind` says how patient to be: documents may wait for minutes where the endpoint asks for
        it, a query is waited for. (The words that a model wants around a text are the caller's.)
        BadProviderResponse names the text that has no vector by its index, from 0, where the fault
        is that of one text.
        """
        job = _Job(texts, [estimate_tokens(text) for text in texts], kind == "document")
        parts = [self._embed_range(job, at)[0] for at in self._plan(job)]
        return np.concatenate(parts) if parts else np.empty((0, self._dimensions), np.float32)

    def take_usage(self) -> Usage:
        """Return what was spent since the last call."""
        with self._lock:
            usage, self._usage = self._usage, Usage()
        return usage

    def _plan(self, job: _Job) -> Iterator[range]:
        """Yield the ranges of texts that fit a request by count and by estimated tokens.

        One at a time, because a refusal may teach a smaller count for the next.
        """
        start = tokens = 0
        for index, cost in enumerate(job.tokens):
            is_full = index - start >= self.batch_texts or tokens + cost > self.batch_tokens
            if index > start and is_full:
                yield range(start, index)
                start, tokens = index, 0
            tokens += cost
        if len(job.tokens) > start:
            yield range(start, len(job.tokens))

    def _embed_range(self, job: _Job, at: range) -> tuple[Vectors, bool]:
        """Embed some of the texts; where that can't be done at once, each half of them.

        Returns too whether it could be done at once.
        """
        refusal = None
        if len(at) <= self.batch_texts:  # else a refusal has taught a smaller count meanwhile
            try:
                return self._request_twice(job, at), True
            except (RequestRefused, UnusableVectors) as problem:
                if isinstance(problem, RequestRefused) and not _blames_input(problem):
                    raise
                if len(at) == 1:
                    return self._embed_cut(job, at.start, problem), False
                refusal = problem if isinstance(problem, RequestRefused) else None
        middle = at.start + (len(at) + 1) // 2
        halves = (range(at.start, middle), range(middle, at.stop))
        (left, left_at_once), (right, right_at_once) = (
            self._embed_range(job, half) for half in halves
        )
        if refusal and left_at_once and right_at_once:
            # It was the size of the batch, not one of its texts: ask for no more from now on.
            self._shrink(refusal, len(left), max(job.tokens_of(half) for half in halves))
        return np.concatenate([left, right]), False

    def _shrink(self, refusal: RequestRefused, texts: int, tokens: int) -> None:
        with self._lock:
            if _ABOUT_TOKENS.search(refusal.detail):
                self.batch_tokens = min(self.batch_tokens, max(1, tokens))
            else:
                self.batch_texts = min(self.batch_texts, texts)

    def _embed_cut(self, job: _Job, index: int, problem: Exception) -> Vectors:
        """Embed the first half of a text that was refused; if that fails too, it has no vector."""
        text = job.texts[index]
        if isinstance(problem, RequestRefused) and len(text) > 1:
            half = text[: len(text) // 2]
            try:
                return self._request_twice(
                    _Job([half], [estimate_tokens(half)], job.patient), range(1)
                )
            except (RequestRefused, UnusableVectors) as still:
                problem = still
        raise BadProviderResponse(
            f"{self._model} gives no vector for text {index} of {len(job.texts)}: {problem}"
        ) from problem

    def _request_twice(self, job: _Job, at: range) -> Vectors:
        """Embed texts in one request; in a second if what came is of no use."""
        try:
            return self._request(job, at)
        except UnusableBase64:
            self._use_encoding("float")
            return self._request(job, at)
        except UnusableVectors:
            return self._request(job, at)

    def _request(self, job: _Job, at: range) -> Vectors:
        """Embed texts in one request; in another where the server doesn't know the encoding."""
        texts = job.texts[at.start : at.stop]

        def note(turn: Turn, attempt: Attempt) -> None:
            self._note(turn, attempt, texts=len(texts))

        while True:
            encoding = self._encoding
            try:
                reply = self._http.post_in_turn(
                    "/embeddings",
                    self._body(texts, encoding),
                    tokens=job.tokens_of(at),
                    patient=job.patient,
                    blame_input=_HOPELESS_INPUT,
                    on_attempt=note,
                )
            except RequestRefused as refusal:
                if not encoding or not _refuses_encoding(refusal):
                    raise
                self._use_encoding(_ENCODINGS[_ENCODINGS.index(encoding) + 1])
                continue
            vectors = read_vectors(reply, count=len(texts))
            if encoding == "base64" and are_lists(reply):
                self._use_encoding("float")
            return self._fitted(vectors)

    def _body(self, texts: Sequence[str], encoding: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self._model, "input": list(texts)}
        if encoding:
            body["encoding_format"] = encoding
        if self._requested:
            body["dimensions"] = self._requested
        return body

    def _use_encoding(self, encoding: str) -> None:
        """Ask for an encoding from now on; never for one that was given up before."""
        with self._lock:
            self._encoding = max(self._encoding, encoding, key=_ENCODINGS.index)

    def _note(self, turn: Turn, attempt: Attempt, *, texts: int) -> None:
        """Count what a request cost, and tell of it."""
        usage = attempt.reply.get("usage")
        numbers = usage if isinstance(usage, dict) else {}
        tokens = whole_number(numbers.get("prompt_tokens") or numbers.get("total_tokens"))
        if tokens:
            self._http.throttle.billed(turn, tokens)
        if attempt.error is None:
            with self._lock:
                self._usage += Usage(requests=1, embedding_tokens=tokens)
        self.on_request(
            RequestRecord(
                model=self._model,
                texts=texts,
                estimated_tokens=turn.tokens,
                tokens=tokens,
                milliseconds=attempt.milliseconds,
                outcome=attempt.error.code if attempt.error else "ok",
            )
        )

    def _fitted(self, vectors: Vectors) -> Vectors:
        """Return the vectors with as many dimensions as were asked for or are known."""
        given = vectors.shape[1]
        if self._requested and given > self._requested:
            return normalised(vectors[:, : self._requested].astype(np.float64))
        if self._dimensions and given != self._dimensions:
            raise BadProviderResponse(
                f"{self._model} gives vectors of {given} dimensions, not {self._dimensions}",
                hint="use the model that built the index, or build it again with: ragkit reindex",
            )
        self._dimensions = given
        return vectors


def own_dimensions(model: str) -> int:
    """Return how many dimensions a model gives unasked; 0 where ragkit doesn't know it."""
    family = model.lower().rpartition("/")[2].partition(":")[0]
    return next((n for name, n in _KNOWN_DIMENSIONS.items() if family.startswith(name)), 0)


def _blames_input(refusal: RequestRefused) -> bool:
    """Whether a refusal is of the texts for what or how many they are: fewer may pass."""
    if refusal.status == 500:
        return True  # only those that match _HOPELESS_INPUT are refusals
    return refusal.status == 413 or (
        refusal.status in (400, 422) and bool(_TOO_MUCH.search(refusal.detail))
    )


def _refuses_encoding(refusal: RequestRefused) -> bool:
    """Whether a refusal is of `encoding_format`, by its name or as a field that isn't known."""
    if refusal.status not in (400, 422):
        return False
    return bool(_ENCODING_FIELD.search(refusal.detail) or _NAMELESS.search(refusal.detail))


class EndpointChat:
    """Writes replies with a model of the endpoint. Threads may share it.

    A web search is forbidden in so many words unless it is asked for: endpoints search by default.
    One that doesn't know the field is told nothing more of it; `on_web_search_refused` is called
    then, once, so that it can be remembered and given as `refuses_web_search` next time.
    """

    def __init__(
        self,
        http: HttpClient,
        *,
        model: str,
        max_tokens: int = 0,
        temperature: float = 0.0,
        refuses_web_search: bool = False,
        on_web_search_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._http = http
        self._model = model
        self._max_tokens = max_tokens
        self._temperature = temperature
        self._on_web_search_refused = on_web_search_refused
        self._refused_fields = {"web_search"} if refuses_web_search else set()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._model

    @property
    def has_web_search(self) -> bool:
        return "web_search" not in self._refused_fields

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        """Yield the reply's pieces, then one ChatEnd. Raises ProviderError.

        Where it raises after the first piece, the pieces stand, but the reply is not whole.
        """

        def read(events: Iterator[Event]) -> Iterator[ChatDelta | ChatEnd]:
            return read_reply(
                events,
                model=self._model,
                searches_web=web is not None,
                error_in=self._http.error_in,
            )

        while True:
            if web is not None and not self.has_web_search:
                raise WebSearchUnavailable(f"{self._http.base_url} has no web search")
            body = self._body(messages, web)
            try:
                yield from self._http.stream("/chat/completions", body, read=read)
            except RequestRefused as refusal:
                field = _refused_field(refusal, body)
                if not field:
                    raise
                self._leave_out(field)
            else:
                return

    def _body(self, messages: Sequence[Message], web: WebSearch | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "temperature": self._temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
            "web_search": web is not None,
        }
        if self._max_tokens:
            body["max_tokens"] = self._max_tokens
        if web is not None and (options := _web_options(web)):
            body["web_search_options"] = options
        return {name: value for name, value in body.items() if name not in self._refused_fields}

    def _leave_out(self, field: str) -> None:
        with self._lock:
            is_new = field not in self._refused_fields
            self._refused_fields.add(field)
        if is_new and field == "web_search":
            self._on_web_search_refused()


def _web_options(web: WebSearch) -> dict[str, Any]:
    """Return those options that are set, as the endpoint's contract names them."""
    options: dict[str, Any] = {
        "search_context_size": web.context_size,
        "safesearch": web.safesearch,
        "accept_language": web.accept_language,
    }
    if web.country:
        place = {"country": web.country}
        options["user_location"] = {"type": "approximate", "approximate": place}
    return {name: value for name, value in options.items() if value}


def _refused_field(refusal: RequestRefused, body: Mapping[str, Any]) -> str:
    """Return the field that a server doesn't know, if it can be left out, else ""."""
    if refusal.status not in (400, 422) or not _UNKNOWN_FIELD.search(refusal.detail):
        return ""
    present = [field for field in _OPTIONAL_FIELDS if field in body]
    named = [field for field in present if field in refusal.detail]
    if named:
        return named[0]
    return present[0] if _NAMELESS.search(refusal.detail) else ""
