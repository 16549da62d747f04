"""A real HTTP server on loopback that speaks the Tempico API, and fails on demand.

    with TempicoServer() as server:
        server.reply = lambda body: "The answer is 42 [1]."
        server.fail("/embeddings", Fault(status=503), times=2)
        client = HttpClient(base_url=server.base_url, api_key=server.key)
        ...
        assert len(server.requests) == 3

Vectors are made from hashed words and pieces of words: the same text always has the same vector,
and texts that share words are near. For measurements of speed there are `precomputed` vectors, and
`TempicoProcess`, a server with a Python of its own.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import re
import selectors
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Literal

import numpy as np

CHAT_MODEL = "kimi-k2.7-code:1t"
EMBEDDING_MODEL = "embeddinggemma:300m"
DIMENSIONS = 768
PIECE_CHARS = 12  # of a delta of a streamed reply

Json = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """A request as the server got it; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Fault:
    """One wrong answer.

    The answer is `pieces`, sent as they are, one write each, `pause_seconds` apart, and then the
    connection is closed; or else `body`; or else the honest reply as changed by `edit`; or else
    an error in OpenAI's shape with `message` and `code`.

    `ending` says how it ends: "whole"; "cut", the honest reply is closed half way to its
    Content-Length; "reset", a TCP reset half way; "hang", no answer at all, or none after
    `pieces`; "silent", the connection is closed before any answer.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "made to fail"
    code: str | None = None
    body: bytes | None = None
    edit: Callable[[Json], Any] | None = None
    pieces: Sequence[bytes] = ()
    pause_seconds: float = 0.0
    content_type: str = "application/json"
    ending: Literal["whole", "cut", "reset", "hang", "silent"] = "whole"


def sse(*pieces: str | bytes, **options: Any) -> Fault:
    """Return a stream of these bytes, as they are."""
    raw = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return Fault(pieces=raw, content_type="text/event-stream", **options)


def html_page() -> Fault:
    """Return the page of a captive portal, with status 200."""
    page = b"<!DOCTYPE html><html><title>Welcome to the hotel</title></html>"
    return Fault(body=page, content_type="text/html")


@dataclass(frozen=True)
class Counts:
    """What was asked of /embeddings: requests, those refused, and what the others held."""

    requests: int = 0
    refused: int = 0
    texts: int = 0
    tokens: int = 0
    most_in_flight: int = 0


class RateLimit:
    """A bucket of so many units, refilled evenly within the window; full at first."""

    def __init__(self, limit: int, *, window_seconds: float = 60.0) -> None:
        self.limit = limit
        self.window_seconds = window_seconds
        self._level = float(limit)
        self._at = time.monotonic()

    def take(self, amount: int) -> float:
        """Take an amount; where there isn't enough, return the seconds until there is."""
        now = time.monotonic()
        rate = self.limit / self.window_seconds
        self._level = min(self.limit, self._level + (now - self._at) * rate)
        self._at = now
        if self._level < amount:
            return (amount - self._level) / rate
        self._level -= amount
        return 0.0

    def headers(self, counted: str) -> dict[str, str]:
        reset = (self.limit - self._level) / self.limit * self.window_seconds
        return {
            f"x-ratelimit-limit-{counted}": str(self.limit),
            f"x-ratelimit-remaining-{counted}": str(int(self._level)),
            f"x-ratelimit-reset-{counted}": f"{reset:.3f}s",
        }


class TempicoServer:
    """The server. Its attributes may be changed while it runs.

    `reply` writes what the chat model says, given the request. `web_sources`, as (url, title), are
    cited by replies to requests that let the model search the web. The flags make it one of the
    other servers that speak this API. A piece of a streamed reply takes `piece_seconds`, a reply
    of /embeddings `latency_seconds`; more than `max_in_flight` requests to it, or than a rate
    limit allows, are answered 429, with `retry_after` as Retry-After. `texts` are those that were
    embedded, in order. `connections` counts those that were made, and `left` holds when clients
    went before their answer was done, by `time.monotonic`. With `certificate`, a file that holds
    its key too, it speaks https. What a script raises is raised again when the server ends.
    """

    def __init__(self, *, certificate: Path | None = None) -> None:
        self.key = "tk-test-0123456789abcdef"
        self.requests: list[Request] = []
        self.errors: list[Exception] = []
        self.reply: Callable[[Json], str] = lambda body: "I have no script."
        self.web_sources: list[tuple[str, str]] = []
        self.models = [
            model(CHAT_MODEL, ["chat"], context_window=262_144, max_output_tokens=65_536),
            model(EMBEDDING_MODEL, ["embeddings"], context_window=2_048),
        ]
        self.lists_bare_models = False
        self.knows_any_model = False
        self.refuses_web_search = False
        self.refuses_fields: set[str] = set()
        self.ignores_dimensions = False
        self.ignores_streaming = False
        self.gives_unnormalised = False
        self.gives_base64 = False
        self.gives_lists = False
        self.precomputed = False
        self.latency_seconds = 0.0
        self.piece_seconds = 0.0
        self.max_in_flight = 0
        self.retry_after = ""
        self.request_limit: RateLimit | None = None
        self.token_limit: RateLimit | None = None
        self.count_tokens: Callable[[str], int] = count_tokens
        self.texts: list[str] = []
        self.connections = 0
        self.left: list[float] = []
        self.counts = Counts()
        self._in_flight = 0
        self.max_request_texts = 0
        self.max_request_tokens = 0
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler, self)
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def base_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> TempicoServer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.end_connections()
        self._http.server_close()
        self._thread.join()
        if self.errors and exc[0] is None:
            raise self.errors[0]

    def fail(self, path: str, fault: Fault, *, times: int = 1) -> None:
        """Answer the next requests to a path, such as "/embeddings", with a fault."""
        with self._lock:
            self._faults.setdefault(path, []).extend([fault] * times)

    def requests_to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def take_fault(self, path: str) -> Fault | None:
        with self._lock:
            waiting = self._faults.get(path)
            return waiting.pop(0) if waiting else None

    def record(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)

    @contextmanager
    def admitted(self, texts: Sequence[str]) -> Iterator[dict[str, str]]:
        """Take in a request for embeddings, or raise a 429; gives the headers of the limits."""
        tokens = sum(map(self.count_tokens, texts))
        with self._lock:
            self._in_flight += 1
        try:
            with self._lock:
                headers, wait = self._take(tokens)
                seen = self.counts
                self.counts = Counts(
                    seen.requests + 1,
                    seen.refused + bool(wait),
                    seen.texts + (0 if wait else len(texts)),
                    seen.tokens + (0 if wait else tokens),
                    max(seen.most_in_flight, self._in_flight),
                )
                if not wait:
                    self.texts.extend(texts)
            if wait:
                raise ApiError(
                    429, f"try again in {wait}", code="rate_limit_exceeded", headers=headers
                )
            yield headers
        finally:
            with self._lock:
                self._in_flight -= 1

    def _take(self, tokens: int) -> tuple[dict[str, str], str]:
        """Return the headers of the limits, and the wait where one of them is exceeded."""
        headers: dict[str, str] = {}
        wait = self.retry_after or "a moment"
        is_refused = bool(self.max_in_flight and self._in_flight > self.max_in_flight)
        limits = ((self.request_limit, "requests", 1), (self.token_limit, "tokens", tokens))
        for limit, counted, amount in limits:
            if limit is None or is_refused:
                continue
            if seconds := limit.take(amount):
                is_refused, wait = True, f"{seconds:.3f}"
                headers["retry-after"] = wait
            headers |= limit.headers(counted)
        if is_refused and self.retry_after:
            headers["retry-after"] = self.retry_after
        return headers, wait if is_refused else ""


class ApiError(Exception):
    """An error of the contract, as OpenAI words it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}

    def to_dict(self) -> Json:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": str(self), "type": kind, "param": None, "code": self.code}
        return {"error": error}


def model(name: str, capabilities: list[str], **limits: int) -> Json:
    """Return an entry of the list of models."""
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "tempicolabs",
        "capabilities": capabilities,
        **limits,
    }


def embedding_of(text: str, *, dimensions: int = DIMENSIONS) -> np.ndarray:
    """Return the unit vector of a text: a sum of its words and of their pieces of 3 letters."""
    vector = np.zeros(DIMENSIONS)
    for word in re.findall(r"\w+", text.lower()):
        padded = f"^{word}$"
        _add_feature(vector, word, 1.0)
        for start in range(len(padded) - 2):
            _add_feature(vector, padded[start : start + 3], 0.3)
    vector[0] += 1e-3  # a text without words has a direction too
    vector = vector[:dimensions]
    return vector / np.linalg.norm(vector)


def _add_feature(vector: np.ndarray, feature: str, weight: float) -> None:
    number = zlib.crc32(feature.encode())
    vector[number % DIMENSIONS] += weight if number & 0x10000 else -weight


PRECOMPUTED = 256  # vectors, one of which a text gets by its hash


def precomputed_of(text: str) -> np.ndarray:
    """Return the unit vector of a text from a server whose vectors are precomputed."""
    return _precomputed()[zlib.crc32(text.encode()) % PRECOMPUTED]


@cache
def _precomputed() -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(PRECOMPUTED, DIMENSIONS)).astype("<f4")
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@cache
def _precomputed_json(encoding: str) -> list[bytes]:
    """Return the vectors as they stand in a reply."""
    if encoding == "base64":
        return [b'"%s"' % base64.b64encode(vector.tobytes()) for vector in _precomputed()]
    return [json.dumps(vector.tolist()).encode() for vector in _precomputed()]


def fast_embeddings(server: TempicoServer, body: Json) -> bytes:
    """Return a reply of precomputed vectors, written with next to no work."""
    lists = server.gives_lists or body.get("encoding_format") != "base64"
    ready = _precomputed_json("float" if lists else "base64")
    item = b'{"object":"embedding","index":%d,"embedding":%s}'
    items = [
        item % (index, ready[zlib.crc32(text.encode()) % PRECOMPUTED])
        for index, text in enumerate(body["input"])
    ]
    tokens = sum(map(server.count_tokens, body["input"]))
    tail = b'],"model":"%s","usage":{"prompt_tokens":%d,"total_tokens":%d}}'
    name = body["model"].encode()
    return b'{"object":"list","data":[' + b",".join(items) + tail % (name, tokens, tokens)


def list_models(server: TempicoServer) -> Json:
    bare = ("id", "object", "created", "owned_by")
    shown = [
        {name: value for name, value in entry.items() if name in bare}
        if server.lists_bare_models
        else entry
        for entry in server.models
    ]
    return {"object": "list", "data": shown}


def embeddings(server: TempicoServer, body: Json) -> Json | bytes:
    check_model(server, body)
    check_fields(server, body)
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    check_size(server, texts)
    if server.precomputed:
        return fast_embeddings(server, body)
    dimensions = DIMENSIONS if server.ignores_dimensions else body.get("dimensions", DIMENSIONS)
    data = []
    for index, text in enumerate(texts):
        vector = embedding_of(text, dimensions=dimensions)
        if server.gives_unnormalised:
            vector = vector * 2.5
        embedding: Any = vector.tolist()
        wants_base64 = body.get("encoding_format") == "base64" and not server.gives_lists
        if server.gives_base64 or wants_base64:
            embedding = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    tokens = sum(map(server.count_tokens, texts))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def check_size(server: TempicoServer, texts: list[str]) -> None:
    tokens = sum(map(server.count_tokens, texts))
    if server.max_request_texts and len(texts) > server.max_request_texts:
        raise ApiError(413, f"batch size {len(texts)} > {server.max_request_texts}")
    if server.max_request_tokens and tokens > server.max_request_tokens:
        limit = server.max_request_tokens
        message = f"Requested {tokens} tokens, max {limit} tokens per request"
        raise ApiError(400, message, code="max_tokens_per_request")


def count_tokens(text: str) -> int:
    return len(text.split())


def check_model(server: TempicoServer, body: Json) -> None:
    known = {entry["id"] for entry in server.models}
    if not server.knows_any_model and body.get("model") not in known:
        message = f"The model `{body.get('model')}` does not exist"
        raise ApiError(404, message, code="model_not_found")


def check_fields(server: TempicoServer, body: Json) -> None:
    unknown = set(server.refuses_fields)
    if server.refuses_web_search:
        unknown |= {"web_search", "web_search_options"}
    for name in body:
        if name in unknown:
            raise ApiError(400, f"Unrecognized request argument supplied: {name}")


def completion(server: TempicoServer, body: Json) -> Json:
    """Return the whole reply; the stream is made of it."""
    check_model(server, body)
    check_fields(server, body)
    text = server.reply(body)
    message: Json = {"role": "assistant", "content": text}
    if body.get("web_search", True) and server.web_sources:
        message["annotations"] = [
            {"type": "url_citation", "url_citation": {"url": url, "title": title}}
            for url, title in server.web_sources
        ]
    prompt_tokens = sum(count_tokens(m["content"]) for m in body["messages"])
    completion_tokens = count_tokens(text)
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def streamed(whole: Json, *, with_usage: bool) -> Iterator[bytes]:
    """Yield the events of a reply, the first with a role and the last but [DONE] with usage."""

    def event(choices: list[Json], **more: Any) -> bytes:
        head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 0}
        chunk = {**head, "model": whole["model"], "choices": choices, **more}
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    def delta(content: Json, finish_reason: str | None = None) -> list[Json]:
        return [{"index": 0, "delta": content, "finish_reason": finish_reason}]

    message = whole["choices"][0]["message"]
    text = message["content"]
    yield event(delta({"role": "assistant"}))
    for start in range(0, len(text), PIECE_CHARS):
        yield event(delta({"content": text[start : start + PIECE_CHARS]}))
    if annotations := message.get("annotations"):
        yield event(delta({"annotations": annotations}))
    yield event(delta({}, finish_reason="stop"))
    if with_usage:
        yield event([], usage=whole["usage"])
    yield b"data: [DONE]\n\n"


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = False  # so that server_close() waits for all of them
    request_queue_size = 128  # as many clients may connect at once; the rest waits for a second

    def __init__(self, address: Any, handler: Any, api: TempicoServer) -> None:
        super().__init__(address, handler)
        self.api = api
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name, as HTTPServer does."""
        TCPServer.server_bind(self)

    def end_connections(self) -> None:
        """Wake those that wait for a client's next request, or hang because they should."""
        self.stopping.set()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: clients that leave in the middle are what we test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)
        self.server.api.connections += 1

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            self._answer(json.loads(raw))
        except ValueError:
            self._send_json(ApiError(400, "the body is not JSON").to_dict(), status=400)

    def _answer(self, body: Any) -> None:
        api = self.server.api
        path = self.path.removeprefix("/v1")
        headers = {name.lower(): value for name, value in self.headers.items()}
        api.record(Request(self.command, path, headers, body))
        fault = api.take_fault(path)
        try:
            if fault is None or fault.edit is not None or fault.ending in ("cut", "reset"):
                self._honest(path, headers, body, fault)
            else:
                self._misbehave(fault)
        except ApiError as error:
            self._send_json(error.to_dict(), status=error.status, headers=error.headers)
        except OSError:
            api.left.append(time.monotonic())  # which is what some tests are about
            self.close_connection = True
        except Exception as error:  # noqa: BLE001 - a broken script must fail the test
            api.errors.append(error)
            failure = ApiError(501, f"the script of this test failed: {error!r}")
            self._send_json(failure.to_dict(), status=failure.status)

    def _honest(
        self, path: str, headers: Mapping[str, str], body: Any, fault: Fault | None
    ) -> None:
        api = self.server.api
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if key != api.key:
            message = f"Incorrect API key provided: {key}."  # OpenAI shows a part of it
            raise ApiError(401, message, code="invalid_api_key")
        limits: Mapping[str, str] = {}
        if path == "/models":
            reply = list_models(api)
        elif path == "/embeddings":
            given = body["input"]
            with api.admitted([given] if isinstance(given, str) else given) as limits:
                self._wait(api.latency_seconds)
                made = embeddings(api, body)
            if isinstance(made, bytes):
                self._send(200, made, {"content-type": "application/json", **limits})
                return
            reply = made
        elif path == "/chat/completions":
            reply = completion(api, body)
        else:
            raise ApiError(404, f"Unknown request URL: {self.command} {self.path}")
        if fault is not None and fault.edit is not None:
            reply = fault.edit(reply)
        if fault is not None and fault.ending in ("cut", "reset"):
            self._break_off(json.dumps(reply).encode(), fault)
        elif path == "/chat/completions" and body.get("stream") and not api.ignores_streaming:
            with_usage = bool(body.get("stream_options", {}).get("include_usage"))
            self._send_stream(streamed(reply, with_usage=with_usage))
        else:
            self._send_json(reply, headers=limits)

    def _misbehave(self, fault: Fault) -> None:
        if fault.ending == "silent":
            self.close_connection = True
            return
        if fault.pieces:
            self._send_pieces(fault)
        if fault.ending == "hang":
            self._hang()
            self.close_connection = True
        elif not fault.pieces:
            error = ApiError(fault.status, fault.message, code=fault.code).to_dict()
            body = json.dumps(error).encode() if fault.body is None else fault.body
            self._send(fault.status, body, {"content-type": fault.content_type, **fault.headers})

    def _send_pieces(self, fault: Fault) -> None:
        self._start(fault.status, {"content-type": fault.content_type, **fault.headers})
        self.close_connection = True
        for piece in fault.pieces:
            self.wfile.write(piece)
            if fault.pause_seconds:
                self._wait(fault.pause_seconds)

    def _break_off(self, body: bytes, fault: Fault) -> None:
        self._start(200, {"content-type": "application/json", "content-length": str(len(body))})
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True
        if fault.ending == "reset":
            # A linger time of 0 makes close() send a reset instead of the end of the stream.
            no_linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
            self.connection.close()

    def _send_stream(self, events: Iterator[bytes]) -> None:
        self._start(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        started = time.monotonic()
        for number, event in enumerate(events):
            self._wait(started + number * self.server.api.piece_seconds - time.monotonic())
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.write(b"0\r\n\r\n")

    def _send_json(
        self, data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        kind = {"content-type": "application/json"}
        self._send(status, json.dumps(data).encode(), {**kind, **(headers or {})})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._start(status, {**headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _start(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _hang(self) -> None:
        """Wait for the end of the test. Raises ConnectionAbortedError when the client leaves."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            while not self.server.stopping.is_set():
                # Not SSLSocket.recv, which can't peek: what it has to say now is that it goes.
                if selector.select(0.01) and not socket.socket.recv(
                    self.connection, 1, socket.MSG_PEEK
                ):
                    raise ConnectionAbortedError("the client left")

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.server.stopping.wait(seconds)


class TempicoProcess:
    """A server in a process of its own: its work doesn't slow the client that is measured.

    Takes attributes of TempicoServer by name, such as `latency_seconds=0.05`.
    """

    def __init__(self, **attributes: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, attributes), daemon=True)

    def __enter__(self) -> TempicoProcess:
        self._process.start()
        self.base_url, self.key = self._pipe.recv()
        return self

    def __exit__(self, *exc: object) -> None:
        self._pipe.send(False)
        self._process.join()

    @property
    def counts(self) -> Counts:
        self._pipe.send(True)
        return self._pipe.recv()


def _serve(pipe: Any, attributes: Json) -> None:
    with TempicoServer() as server:
        for name, value in attributes.items():
            setattr(server, name, value)
        pipe.send((server.base_url, server.key))
        while pipe.recv():
            pipe.send(server.counts)
