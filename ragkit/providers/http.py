"""The one place that speaks HTTP: one client, every foreign exception mapped.

What a failed reply means is read in `failures`, when it is sent again decided in `retries`, when
it is its turn in `throttle`; how streams are cut into events is known to `sse`.
"""

from __future__ import annotations

import json
import logging
import random as random_numbers
import re
import socket
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from types import TracebackType
from typing import Any, TypeVar

import httpx

from ragkit import cancelling
from ragkit.errors import (
    BadProviderResponse,
    ProviderError,
    ProviderTimeout,
)
from ragkit.providers.address import (
    Auth,
    auth_header,
    check_address,
    check_key,
)
from ragkit.providers.failures import (
    MAX_RETRY_AFTER_SECONDS,
    Call,
    ErrorReply,
    Secret,
    Verdict,
    judge,
    reported_error,
)
from ragkit.providers.retries import (
    ATTEMPTS,
    PATIENCE_SECONDS,
    STREAM_ATTEMPTS,
    Judged,
    Retries,
    another_try_can_help,
    asked_seconds,
    asks_to_slow_down,
    error_of,
)
from ragkit.providers.sse import BYTE_ORDER_MARK, Event, read_events
from ragkit.providers.throttle import TOLD_SECONDS, Throttle, Turn
from ragkit.providers.transport import mapped, new_client
from ragkit.providers.watchdog import Patience, Watchdog

T = TypeVar("T")

MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # 128 vectors of 4,096 numbers as text are some 11 MB
ERROR_BODY_BYTES = 64 * 1024
_HEADERS = {
    "user-agent": "ragkit",
    "accept-encoding": "gzip",
}
_SAFE_ENCODINGS = ("", "identity", "gzip", "deflate")  # one layer, at most a thousand times smaller

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds. `read` is the longest silence before and in a plain reply.

    A stream may be silent for `first` before its first piece and for `idle` between pieces.
    `total` and `stream_total` bound a try as a whole, however steadily its reply comes. (Not
    bounded is a server that sends its headers byte by byte: httpx gives no hold on it.)
    """

    connect: float = 5.0
    write: float = 30.0
    pool: float = 30.0
    read: float = 60.0
    total: float = 120.0
    first: float = 120.0
    idle: float = 60.0
    stream_total: float = 600.0

    def for_plain_reply(self) -> Patience:
        return Patience(total=self.total, first=self.read, idle=self.read)

    def for_stream(self) -> Patience:
        return Patience(total=self.stream_total, first=self.first, idle=self.idle)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that was sent: how long it took, and the reply, or the error and an empty reply."""

    milliseconds: int
    reply: Mapping[str, Any]
    error: ProviderError | None


class HttpClient:
    """Sends JSON to one endpoint and takes back JSON or a stream of events. Threads may share it.

    `key_name` is what error messages call the key, such as "TEMPICO_API_KEY". Proxies are those of
    the environment, except for a server on this machine; .netrc is not read; redirects are not
    followed. Raises ConfigError for an address or key that can't or mustn't be used.

    Requests of `post_in_turn` go through the throttle; a patient one that is told to come back
    later does so for `patience_seconds`.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str = "",
        auth: Auth = "bearer",
        key_name: str = "the API key",
        allow_http: bool = False,
        attempts: int = ATTEMPTS,
        stream_attempts: int = STREAM_ATTEMPTS,
        patience_seconds: float = PATIENCE_SECONDS,
        throttle: Throttle | None = None,
        timeouts: Timeouts = Timeouts(),
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        random: Callable[[], float] = random_numbers.random,
    ) -> None:
        self.base_url = check_address(base_url, allow_http=allow_http)
        self._secret = Secret(check_key(api_key, key_name=key_name))
        self._key_name = key_name
        self._auth = auth
        self._attempts = attempts
        self._stream_attempts = stream_attempts
        self._patience_seconds = patience_seconds
        self.throttle = throttle or Throttle()
        self._timeouts = timeouts
        self._sleep = sleep
        self._clock = clock
        self._wall_clock = wall_clock
        self._random = random
        self._client = new_client(self.base_url, {**_HEADERS, **auth_header(api_key, auth)})

    def __repr__(self) -> str:
        return f"HttpClient({self.base_url!r})"

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all requests; those that wait, in whatever thread, raise RequestCancelled."""
        self.throttle.close()
        self._client.close()

    def cancel(self) -> None:
        """Wake the requests of `post_in_turn` that wait, with RequestCancelled.

        Those in flight get their replies, if any; later ones are not affected.
        """
        self.throttle.cancel()

    def get_json(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path of the endpoint. Raises ProviderError."""
        call = self._call("GET", path)
        return self._retries(self._attempts).run(lambda: self._exchange(call))

    def post_json(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        blame_input: re.Pattern[str] | None = None,
    ) -> dict[str, Any]:
        """Post JSON and return the JSON object that answers it. Raises ProviderError.

        A status 500 whose text matches `blame_input` is not retried, but is a RequestRefused.
        """
        call = self._call("POST", path, body, blame_input=blame_input)
        return self._retries(self._attempts).run(lambda: self._exchange(call))

    def post_in_turn(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        tokens: int,
        patient: bool,
        blame_input: re.Pattern[str] | None = None,
        on_attempt: Callable[[Turn, Attempt], None] = lambda _turn, _attempt: None,
    ) -> dict[str, Any]:
        """Post JSON of about so many tokens when the throttle allows it; otherwise as `post_json`.

        `patient` is for work that nobody sits and waits for. `on_attempt` is told of each request
        that was sent. Raises RequestCancelled too.
        """
        call = self._call("POST", path, body, blame_input=blame_input, patient=patient)
        turn = self.throttle.turn(tokens=tokens)
        retries = self._retries(self._attempts, turn=turn, patient=patient)
        return retries.run(lambda: self._exchange_in_turn(call, turn, on_attempt))

    def stream(
        self, path: str, body: Mapping[str, Any], *, read: Callable[[Iterator[Event]], Iterator[T]]
    ) -> Iterator[T]:
        """Post JSON and yield what `read` makes of the events of the reply. Raises ProviderError.

        Tried again only until `read` has yielded its first item. A reply that is not a stream but
        JSON comes as one event that holds the whole of it.
        """
        call = self._call("POST", path, body)

        def begin() -> tuple[Generator[T], list[T]]:
            items = self._stream_once(call, read)
            return items, list(islice(items, 1))

        items, first = self._retries(self._stream_attempts).run(begin)
        with closing(items):
            yield from first
            yield from items

    def error_in(self, data: object) -> ProviderError:
        """Return the error that a body or event with an error object reports."""
        reply = ErrorReply.of(data, secret=self._secret, headers=None)
        return reported_error(reply, where=self.base_url)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        blame_input: re.Pattern[str] | None = None,
        patient: bool = False,
    ) -> Call:
        content = b""
        if body is not None:
            # A lone surrogate, as bad files give, can't be sent; it becomes a question mark.
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", errors="replace")
        return Call(
            method=method,
            url=f"{self.base_url}{path}",
            content=content,
            model=str((body or {}).get("model", "")),
            auth=self._auth if self._secret.value else "",
            key_name=self._key_name,
            blame_input=blame_input,
            max_wait_seconds=self._patience_seconds if patient else MAX_RETRY_AFTER_SECONDS,
        )

    def _retries(
        self, attempts: int, *, turn: Turn | None = None, patient: bool = False
    ) -> Retries:
        return Retries(
            attempts,
            sleep=partial(self._rest, turn),
            random=self._random,
            clock=self._clock,
            throttle=self.throttle if turn else None,
            patience_seconds=self._patience_seconds if patient else 0.0,
        )

    def _rest(self, turn: Turn | None, seconds: float) -> None:
        """Sleep before the next try, until there is none: see `close` and `cancel`."""
        if turn and seconds >= TOLD_SECONDS:
            self.throttle.on_wait(seconds, "the endpoint failed, and is asked again")
        if self._sleep:
            self._sleep(seconds)
        else:
            self.throttle.rest(seconds, turn)

    def _exchange(self, call: Call) -> dict[str, Any]:
        return self._accepted(self._fetched(call, lambda _headers: None), call)

    def _exchange_in_turn(
        self, call: Call, turn: Turn, on_attempt: Callable[[Turn, Attempt], None]
    ) -> dict[str, Any]:
        """Send a request once, when it may be sent, and tell the throttle what came of it."""

        def heed(headers: Mapping[str, str]) -> None:
            self.throttle.heed(turn, headers, now=self._wall_clock())

        def tell(reply: Mapping[str, Any], error: ProviderError | None) -> None:
            on_attempt(turn, Attempt(round((answered - started) * 1000), reply, error))

        self.throttle.enter(turn)
        started = answered = self._clock()
        try:
            try:
                raw = self._fetched(call, heed)
            finally:
                answered = self._clock()
                self.throttle.leave(turn)  # reading JSON takes time, but not the endpoint's
            reply = self._accepted(raw, call)
        except (ProviderError, Judged) as failure:
            if another_try_can_help(failure) and asks_to_slow_down(failure):
                self.throttle.refused(turn, asked=asked_seconds(failure))
            tell({}, error_of(failure))
            raise
        self.throttle.succeeded()
        tell(reply, None)
        return reply

    def _fetched(self, call: Call, on_headers: Callable[[Mapping[str, str]], None]) -> bytes:
        with self._opened(call, self._timeouts.for_plain_reply(), on_headers) as chunks:
            return b"".join(chunks)

    def _accepted(self, raw: bytes, call: Call) -> dict[str, Any]:
        data = self._parsed(raw, call)
        if data.get("error"):
            raise self.error_in(data)
        return data

    def _stream_once(
        self, call: Call, read: Callable[[Iterator[Event]], Iterator[T]]
    ) -> Generator[T]:
        with self._opened(call, self._timeouts.for_stream()) as chunks:
            yield from read(_events(chunks, call))

    @contextmanager
    def _opened(
        self,
        call: Call,
        patience: Patience,
        on_headers: Callable[[Mapping[str, str]], None] = lambda _headers: None,
    ) -> Iterator[Iterator[bytes]]:
        """Send a request once and give the pieces of its reply, if that is a success."""
        cancelling.check()  # before a connection is taken, which would be given up
        limits = self._timeouts
        timeout = httpx.Timeout(
            connect=limits.connect,
            write=limits.write,
            pool=limits.pool,
            read=min(max(patience.first, patience.idle), patience.total),
        )
        request = self._client.build_request(
            call.method,
            call.url,
            content=call.content or None,
            headers={"content-type": "application/json"} if call.content else None,
            timeout=timeout,
        )
        started = self._clock()
        with (
            self._sent(request, call) as response,
            Watchdog(_socket_of(response), patience, since=started, clock=self._clock) as watchdog,
        ):
            on_headers(response.headers)
            if not response.is_success:
                raise Judged(self._judged(response, call))
            yield self._body(response, watchdog, call)

    @contextmanager
    def _sent(self, request: httpx.Request, call: Call) -> Iterator[httpx.Response]:
        try:
            response = self._client.send(request, stream=True)
        except httpx.HTTPError as exc:
            raise mapped(exc, call, self._secret) from exc
        with closing(response):
            yield response

    def _body(self, response: httpx.Response, watchdog: Watchdog, call: Call) -> Iterator[bytes]:
        """Yield the pieces of a body. Raises ProviderError where it breaks, or takes too long."""
        if not _unpacks_safely(response):
            raise BadProviderResponse(f"{call.where} answered in an encoding that wasn't asked for")
        late = ProviderTimeout(f"{call.where}: the answer stopped, or took too long as a whole")
        size = 0
        try:
            for chunk in response.iter_bytes():
                watchdog.saw_life()
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    megabytes = MAX_RESPONSE_BYTES // 2**20
                    raise BadProviderResponse(f"{call.where} answered more than {megabytes} MB")
                yield chunk
        except httpx.HTTPError as exc:
            raise (late if watchdog.fired else mapped(exc, call, self._secret)) from exc
        if watchdog.fired:  # a body without a stated length just ends
            raise late

    def _judged(self, response: httpx.Response, call: Call) -> Verdict:
        reply = ErrorReply.read(
            response.status_code, response.headers, _error_body(response), secret=self._secret
        )
        return judge(reply, call, now=self._wall_clock())

    def _parsed(self, raw: bytes, call: Call) -> dict[str, Any]:
        try:
            data: object = json.loads(raw)
        except (ValueError, RecursionError) as exc:
            raise self._not_json(raw, call) from exc
        if not isinstance(data, dict):
            raise self._not_json(raw, call)
        return data

    def _not_json(self, raw: bytes, call: Call) -> BadProviderResponse:
        reply = ErrorReply.read(200, {}, raw[:ERROR_BODY_BYTES], secret=self._secret)
        return BadProviderResponse(
            f"{call.where} answered something that is not a JSON object: {reply.text[:200]}",
            hint="check the base URL, and whether a proxy or a log-in page is in between",
        )


def _socket_of(response: httpx.Response) -> socket.socket | None:
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream else None
    return connection if isinstance(connection, socket.socket) else None


def _unpacks_safely(response: httpx.Response) -> bool:
    """Whether 64 KB of a body can't unpack to gigabytes, as layers of compression can."""
    return response.headers.get("content-encoding", "").lower() in _SAFE_ENCODINGS


def _error_body(response: httpx.Response) -> bytes:
    """Return the start of an error's body, or what of it can be had."""
    body = bytearray()
    if not _unpacks_safely(response):
        return b""
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= ERROR_BODY_BYTES:
                break
    except httpx.HTTPError as exc:
        _log.debug("the body of an error could not be read: %s", type(exc).__name__)
    return bytes(body[:ERROR_BODY_BYTES])


def _events(chunks: Iterator[bytes], call: Call) -> Iterator[Event]:
    """Yield the events of a stream; JSON instead of a stream becomes one event.

    Told by the first character, not by Content-Type, which many set wrongly.
    """
    start = b""
    while not start:
        chunk = next(chunks, None)
        if chunk is None:
            return
        start = chunk.removeprefix(BYTE_ORDER_MARK).lstrip()
    if start.startswith(b"<"):
        raise BadProviderResponse(
            f"{call.where} answered an HTML page",
            hint="check the base URL, and whether a proxy or a log-in page is in between",
        )
    if start.startswith((b"{", b"[")):
        yield Event(b"".join(chain([start], chunks)).decode("utf-8", errors="replace"))
    else:
        yield from read_events(chain([start], chunks))
