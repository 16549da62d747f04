"""The one place that speaks HTTP: one client, one retry loop, every foreign exception mapped.

What a failed reply means is read in `failures`; how streams are cut into events in `sse`.
"""

from __future__ import annotations

import json
import logging
import random as random_numbers
import re
import socket
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from types import TracebackType
from typing import Any, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from ragkit.errors import (
    BadProviderResponse,
    ConfigError,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)
from ragkit.providers.address import (
    Auth,
    auth_header,
    check_address,
    check_key,
    host_and_port,
    is_this_machine,
)
from ragkit.providers.failures import (
    Call,
    ErrorReply,
    Secret,
    Verdict,
    judge,
    reported_error,
)
from ragkit.providers.sse import BYTE_ORDER_MARK, Event, read_events
from ragkit.providers.watchdog import Patience, Watchdog

T = TypeVar("T")

# A rate limit outlasts three tries (they take under 5 s), and an ingest can wait; a person who
# waits for an answer can't for long.
ATTEMPTS = 6
STREAM_ATTEMPTS = 3
BACKOFF_BASE_SECONDS = 0.5  # full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
BACKOFF_CAP_SECONDS = 30.0
RETRY_AFTER_JITTER_SECONDS = 0.25  # so that those who were told the same time don't return as one
MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # 128 vectors of 4,096 numbers as text are some 11 MB
ERROR_BODY_BYTES = 64 * 1024
_HEADERS = {
    "user-agent": "ragkit",
    "accept-encoding": "gzip",
}
_SAFE_ENCODINGS = ("", "identity", "gzip", "deflate")  # one layer, at most a thousand times smaller
_TRANSIENT = (ProviderUnavailable, ProviderTimeout, RateLimited)

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


class HttpClient:
    """Sends JSON to one endpoint and takes back JSON or a stream of events. Threads may share it.

    `key_name` is what error messages call the key, such as "TEMPICO_API_KEY". Proxies are those of
    the environment, except for a server on this machine; .netrc is not read; redirects are not
    followed. Raises ConfigError for an address or key that can't or mustn't be used.
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
        timeouts: Timeouts = Timeouts(),
        sleep: Callable[[float], None] = time.sleep,
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
        self._timeouts = timeouts
        self._sleep = sleep
        self._clock = clock
        self._wall_clock = wall_clock
        self._random = random
        self._client = _new_client(self.base_url, {**_HEADERS, **auth_header(api_key, auth)})

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
        self._client.close()

    def get_json(self, path: str) -> dict[str, Any]:
        """Return the JSON object at a path of the endpoint. Raises ProviderError."""
        call = self._call("GET", path)
        return self._retrying(self._attempts, lambda: self._exchange(call))

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
        return self._retrying(self._attempts, lambda: self._exchange(call))

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

        items, first = self._retrying(self._stream_attempts, begin)
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
        )

    def _retrying(self, attempts: int, once: Callable[[], T]) -> T:
        loop = Retrying(
            sleep=self._sleep,
            stop=stop_after_attempt(attempts),
            wait=self._wait_seconds,
            retry=retry_if_exception(_another_try_can_help),
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            return loop(once)
        except _Judged as judged:
            raise judged.verdict.error from judged.__cause__

    def _wait_seconds(self, state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked = failure.verdict.wait_seconds if isinstance(failure, _Judged) else None
        if asked is not None:
            return asked + RETRY_AFTER_JITTER_SECONDS * self._random()
        backoff: float = BACKOFF_BASE_SECONDS * 2 ** (state.attempt_number - 1)
        return min(BACKOFF_CAP_SECONDS, backoff) * self._random()

    def _exchange(self, call: Call) -> dict[str, Any]:
        with self._opened(call, self._timeouts.for_plain_reply()) as chunks:
            raw = b"".join(chunks)
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
    def _opened(self, call: Call, patience: Patience) -> Iterator[Iterator[bytes]]:
        """Send a request once and give the pieces of its reply, if that is a success."""
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
            if not response.is_success:
                raise _Judged(self._judged(response, call))
            yield self._body(response, watchdog, call)

    @contextmanager
    def _sent(self, request: httpx.Request, call: Call) -> Iterator[httpx.Response]:
        try:
            response = self._client.send(request, stream=True)
        except httpx.HTTPError as exc:
            raise self._mapped(exc, call) from exc
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
            raise (late if watchdog.fired else self._mapped(exc, call)) from exc
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

    def _mapped(self, exc: httpx.HTTPError, call: Call) -> ProviderError:
        """Turn an exception of httpx into ours."""
        address = host_and_port(call.url)
        causes = list(_causes(exc))
        said = self._secret.scrub(str(exc)) or type(exc).__name__
        if isinstance(exc, httpx.TimeoutException):
            return ProviderTimeout(f"{call.where}: no answer in time ({_kind_of(exc)} time-out)")
        if isinstance(exc, httpx.ProxyError):
            return ProviderUnavailable(
                f"{call.where}: the proxy failed: {said}", hint="check HTTP_PROXY and HTTPS_PROXY"
            )
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return ProviderUnavailable(
                f"the name of {address} can't be resolved: {said}",
                hint="check the base URL and the network",
            )
        if any(_is_lasting_tls_error(cause) for cause in causes):
            return ProviderError(
                f"no secure connection to {address}: {said}",
                hint="check the base URL; for a certificate of your own set SSL_CERT_FILE",
                code=ProviderUnavailable.code,
            )
        if isinstance(exc, httpx.ConnectError):
            return ProviderUnavailable(
                f"can't connect to {address}: {said}",
                hint="check the base URL, and that the server runs",
            )
        if isinstance(exc, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
            return ProviderError(f"{call.where}: {said}")
        return ProviderUnavailable(f"{call.where}: the connection broke: {said}")


class _Judged(Exception):
    """Carries a verdict through the retry loop."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict.error))
        self.verdict = verdict


def _another_try_can_help(exc: BaseException) -> bool:
    return exc.verdict.retry if isinstance(exc, _Judged) else isinstance(exc, _TRANSIENT)


def _log_retry(state: RetryCallState) -> None:
    failure = state.outcome.exception() if state.outcome else None
    _log.info("try %d failed, another follows: %s", state.attempt_number, failure)


def _new_client(base_url: str, headers: dict[str, str]) -> httpx.Client:
    # For plain http an empty context, which trusts nobody: loading the system's takes 0.1 s.
    is_encrypted = base_url.startswith("https:")
    try:
        httpx.URL(base_url)
        context = (
            httpx.create_ssl_context() if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        return httpx.Client(
            headers=headers,
            verify=context,
            follow_redirects=False,
            trust_env=not is_this_machine(base_url),
        )
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as exc:
        raise ConfigError(
            f"{base_url} can't be used, or the environment's network settings can't: {exc}",
            hint="check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE",
        ) from exc


def tls_context() -> ssl.SSLContext:
    """Return what certificates are checked with: SSL_CERT_FILE, else the usual authorities.

    Raises ConfigError.
    """
    try:
        return httpx.create_ssl_context()
    except (ValueError, OSError) as exc:
        raise ConfigError(
            f"the certificate authorities can't be read: {exc}",
            hint="check SSL_CERT_FILE and SSL_CERT_DIR",
        ) from exc


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


def _kind_of(exc: httpx.TimeoutException) -> str:
    kinds = {
        httpx.ConnectTimeout: "connect",
        httpx.WriteTimeout: "write",
        httpx.PoolTimeout: "pool",
    }
    return kinds.get(type(exc), "read")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    """Yield an exception and all that it was raised from."""
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _is_lasting_tls_error(exc: BaseException) -> bool:
    """Whether a certificate or protocol is wrong, and not just a connection broken."""
    return isinstance(exc, ssl.SSLError) and not isinstance(
        exc, ssl.SSLEOFError | ssl.SSLZeroReturnError
    )
