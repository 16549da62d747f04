"""Stands before the app: who may ask, what, and how much; and what every reply carries.

`Guard` wraps the app as plain ASGI, so that streams stay streams and a client that leaves is seen.
It puts `request_id`, `key_name` ("" where no key is needed) and `scopes` into `scope["state"]`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Connection

from ragkit.access_keys import SCOPES, AccessKeys, Scope
from ragkit.errors import ConfigError, RagkitError
from ragkit.server.failures import Refusal, refusal_of
from ragkit.server.pace import Pace
from ragkit.server.rules import MIB, Rules, origin_of

_log = logging.getLogger(__name__)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
UPLOADS = "/v1/documents"
OPEN_PATHS = frozenset({"/", "/healthz", "/openapi.json"})
PREFLIGHT_SECONDS = "600"  # for which a browser remembers what it was allowed

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9, -]{1,1000}")


class Guard:
    """The middleware that lets a request through to the app, or answers it with a refusal."""

    def __init__(self, app: ASGIApp, rules: Rules, keys: AccessKeys) -> None:
        self._app = app
        self._rules = rules
        self._keys = keys
        self._pace = Pace(rules.requests_per_minute)

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no WebSockets here, and so no checks of them
            await send({"type": "websocket.close", "code": 1008})
            return
        state = scope.setdefault("state", {})
        headers = Headers(scope=scope)
        state.update(request_id=_request_id(headers), key_name="", scopes=())
        body = _Body(receive, headers, self._limit(scope), self._rules.idle_seconds)
        reply = _Reply(send, scope, varies=bool(self._rules.origins))
        try:
            reply.origin = self._check_caller(scope, headers)
            if reply.origin and _is_preflight(scope, headers):
                await reply.finish(204, _preflight(headers))
                return
            body.check_declared(scope)
            self._check_key(scope, headers)
            await self._app(scope, body.receive, reply.send)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes a reply
            await self._answer(error, scope, body, reply)

    # --- the checks, in their order -------------------------------------------------------------

    def _check_caller(self, scope: Connection, headers: Headers) -> str:
        """Return the origin of another page that may use the server, "" where it is none.

        A name that isn't ours is that of a page whose DNS was pointed here, and an origin that
        isn't ours that of a page which has the user's browser ask.
        """
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._rules.allows_host(hosts[0], scope["scheme"]):
            raise Refusal(
                421,
                "this server is not called by that name",
                "host",
                hint="use localhost, or add the name to the setting server_hosts",
            )
        origins = {origin.lower() for origin in headers.getlist("origin")}
        if origins <= {origin_of(scope["scheme"], hosts[0])}:
            return ""
        if len(origins) != 1 or not origins <= self._rules.origins:
            raise Refusal(
                403,
                "this page may not use the server",
                "origin",
                hint="add its origin to the setting server_origins if it is yours",
            )
        return origins.pop()

    def _check_key(self, scope: Connection, headers: Headers) -> None:
        """Find out who asks, and whether they may, this and now."""
        state = scope["state"]
        if _is_open(scope):
            return
        if self._needs_key():
            state["key_name"], state["scopes"] = self._access(_token(headers))
        else:
            state["scopes"] = SCOPES
        needed = _needed_scope(scope)
        if needed not in state["scopes"]:
            raise Refusal(
                403,
                f"this key may not {needed}",
                "scope",
                hint=f"it needs a key with the scope {needed}: ragkit keys add NAME",
            )
        address, *_ = scope.get("client") or ("",)
        name = state["key_name"]
        wait = self._pace.wait_seconds(f"key {name}" if name else f"address {address}")
        if wait:
            raise Refusal(
                429,
                "too many requests in this minute",
                "rate_limit_exceeded",
                hint="come back after the seconds that retry-after says",
                headers={"retry-after": str(math.ceil(wait))},
            )

    def _needs_key(self) -> bool:
        try:
            return self._keys.required or self._rules.needs_key
        except ConfigError as exc:
            # Where the file lies is for the log, not for whoever asks.
            _log.error("nobody is let in: %s (%s)", exc, exc.hint)
            raise Refusal(
                503, "the server's keys can't be read", exc.code, hint="its log says why"
            ) from exc

    def _access(self, token: str) -> tuple[str, tuple[Scope, ...]]:
        key = self._keys.find(token) if token else None
        if key is not None:
            return key.name, key.scopes
        raise _unauthorized(
            "this key is not one of the server's" if token else "this server needs a key",
            is_wrong=bool(token),
        )

    def _limit(self, scope: Connection) -> int:
        return self._rules.upload_bytes if _is_upload(scope) else self._rules.body_bytes

    # --- the answer to what went wrong ----------------------------------------------------------

    async def _answer(
        self, error: Exception, scope: Connection, body: _Body, reply: _Reply
    ) -> None:
        request_id = scope["state"]["request_id"]
        if reply.started:
            # Too late for a status. Where the reply isn't complete the server that runs us closes
            # the connection, so that the client sees that something is missing.
            _log.error("request %s broke while it was answered", request_id, exc_info=error)
            return
        refusal = refusal_of(error, request_id=request_id)
        if refusal.status >= 500 and isinstance(error, RagkitError | OSError):
            # The words of an error may hold those of a document; they are for the client.
            _log.warning("request %s: %s (%s)", request_id, type(error).__name__, refusal.code)
        if not body.is_read:
            refusal = replace(refusal, headers={**refusal.headers, "connection": "close"})
        response = refusal.response()
        await reply.begin(response.status_code, response.headers, bytes(response.body))
        await body.drain(self._rules.linger_seconds)
        await reply.end()


class _Body:
    """What comes of a request, counted: a length that is declared is only a promise."""

    def __init__(self, receive: Receive, headers: Headers, limit: int, idle_seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._media_types = [_media_type(value) for value in headers.getlist("content-type")]
        self._length = headers.get("content-length", "0").strip()
        self._is_chunked = "transfer-encoding" in headers
        self._bytes = 0
        self.is_read = self._length == "0" and not self._is_chunked

    def check_declared(self, scope: Connection) -> None:
        """Refuse what the headers already show: a wrong kind of body, or one that is too large."""
        if scope["method"] in _WITH_BODY:
            # A form or plain text can be sent by any web page without being asked first.
            allowed = ["application/json", "multipart/form-data"][: 2 if _is_upload(scope) else 1]
            if len(self._media_types) != 1 or self._media_types[0] not in allowed:
                raise Refusal(
                    415,
                    f"the content-type has to be {' or '.join(allowed)}",
                    "content_type",
                    hint="set the header content-type",
                )
        if not (self._length.isascii() and self._length.isdigit()):
            raise Refusal(400, "the content-length is no number", "content_length")
        if int(self._length) > self._limit:
            raise self._too_large()
        if scope["method"] == "DELETE" and not self.is_read:
            raise Refusal(400, "a DELETE takes no body", "body", hint="leave it out")

    async def receive(self) -> Message:
        """Return the next piece; raises Refusal where it is one too many, or doesn't come."""
        if self.is_read:
            return await self._receive()
        try:
            async with asyncio.timeout(self._idle_seconds):
                message = await self._receive()
        except TimeoutError as exc:
            raise Refusal(408, "the rest of the request didn't come", "timeout") from exc
        self._count(message)
        if self._bytes > self._limit:
            raise self._too_large()
        return message

    async def drain(self, seconds: float) -> None:
        """Read what is still on its way, and forget it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self.is_read:
                    self._count(await self._receive())

    def _count(self, message: Message) -> None:
        self._bytes += len(message.get("body", b""))
        self.is_read = not message.get("more_body", False)

    def _too_large(self) -> Refusal:
        return Refusal(
            413,
            f"the request is larger than {self._limit / MIB:g} MiB",
            "too_large",
            hint="send less, or raise server_body_mb, for uploads server_upload_mb",
        )


class _Reply:
    """What is sent, with the headers that every reply has."""

    def __init__(self, send: Send, scope: Connection, *, varies: bool) -> None:
        self._send = send
        self._request_id = scope["state"]["request_id"]
        self._is_kept = not scope["path"].startswith("/v1/")
        self._varies = varies
        self.origin = ""
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(raw=list(message.get("headers", ())))
            self._add_to(headers)
            message = {**message, "headers": headers.raw}
        await self._send(message)

    async def begin(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Send a whole reply but for its end."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def finish(self, status: int, headers: Mapping[str, str]) -> None:
        """Send a reply without a body."""
        await self.begin(status, headers, b"")
        await self.end()

    def _add_to(self, headers: MutableHeaders) -> None:
        headers.update(SECURITY_HEADERS)
        headers["x-request-id"] = self._request_id
        if not self._is_kept:
            headers.setdefault("cache-control", "no-store")
        if self._varies:
            headers.add_vary_header("Origin")
        if self.origin:
            headers["access-control-allow-origin"] = self.origin
            headers["access-control-expose-headers"] = "x-request-id, retry-after"


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _is_preflight(scope: Connection, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _preflight(headers: Headers) -> dict[str, str]:
    """Return the headers that let a named page ask, with whatever headers its client adds."""
    wanted = headers.get("access-control-request-headers", "")
    allowed = {"access-control-allow-headers": wanted} if _HEADER_NAMES.fullmatch(wanted) else {}
    return {
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-max-age": PREFLIGHT_SECONDS,
        **allowed,
    }


def _is_open(scope: Connection) -> bool:
    path: str = scope["path"]
    return scope["method"] in ("GET", "HEAD") and (
        path in OPEN_PATHS or path.startswith("/assets/")
    )


def _is_upload(scope: Connection) -> bool:
    return bool(scope["method"] == "POST" and scope["path"] == UPLOADS)


def _needed_scope(scope: Connection) -> Scope:
    """Return what a key has to be for; what is not known to only read needs the larger one."""
    if scope["method"] in ("DELETE", "PUT", "PATCH"):
        return "write"
    is_upload = scope["method"] == "POST" and scope["path"].rstrip("/") == UPLOADS
    return "write" if is_upload else "read"


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _token(headers: Headers) -> str:
    """Return the key that a request came with, "" where there is none."""
    tokens = {value.strip() for value in headers.getlist("x-api-key")}
    for value in headers.getlist("authorization"):
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            tokens.add(token.strip())
    tokens.discard("")
    if len(tokens) > 1:
        raise _unauthorized("the request came with two different keys", is_wrong=True)
    return tokens.pop() if tokens else ""


def _unauthorized(message: str, *, is_wrong: bool) -> Refusal:
    challenge: dict[str, Any] = {"www-authenticate": 'Bearer realm="ragkit"'}
    if is_wrong:
        challenge["www-authenticate"] += ', error="invalid_token"'
    return Refusal(
        401,
        message,
        "invalid_api_key",
        hint="send a key as Authorization: Bearer KEY; ragkit keys add NAME makes one",
        headers=challenge,
    )
