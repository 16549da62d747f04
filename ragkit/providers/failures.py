"""What a failed reply means: which error it is, whether another try can help, and when.

Pure: it is handed status, headers and body, and knows nothing of how they came.
"""

from __future__ import annotations

import base64
import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from urllib.parse import quote

from ragkit.errors import (
    ModelNotFound,
    ProviderAuthError,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
)

# The statuses that pass by themselves. 529 is "overloaded", 520 to 524 are Cloudflare's word for
# an origin that is down. https://developers.cloudflare.com/support/troubleshooting/http-status-codes/
TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529, *range(520, 525)})
MAX_RETRY_AFTER_SECONDS = 120  # as in openai-python: who is asked to wait longer gives up instead
MESSAGE_CHARS = 500  # of a server's text in an error message; some echo the whole request
DETAIL_CHARS = 4_000  # of a server's text that is searched for the field it complains of
MIN_SECRET_CHARS = 8  # shorter keys are dummies ("none", "ollama") that stand in honest words too

_QUOTA_CODE = re.compile(r"insufficient_quota|billing")
_UNKNOWN_MODEL_CODE = re.compile(r"model_not_found")
_OVERLOAD_CODE = re.compile(r"overload|server_error|internal|unavailable|timeout|^5\d\d$")
_RATE_LIMIT_CODE = re.compile(r"rate_?limit|too_many_requests|^429$")
_YEAR_SECONDS = 365 * 86_400
HEADER_NAMES = {"bearer": "Authorization: Bearer", "x-api-key": "x-api-key"}


class RequestRefused(ProviderError):
    """The endpoint refuses this request as it is. `detail` is its text, longer than the message's.

    For the modules of this package, which may know how to ask differently; to everybody else it is
    a ProviderError.
    """

    def __init__(self, message: str, *, detail: str, status: int, request_id: str = "") -> None:
        super().__init__(message, status=status, request_id=request_id)
        self.detail = detail


class Secret:
    """A key, and the ways it could show up in text that a server sends back."""

    def __init__(self, value: str) -> None:
        self.value = value
        raw = value.encode()
        forms = {
            value,
            quote(value, safe=""),
            base64.b64encode(raw).decode().rstrip("="),
            base64.urlsafe_b64encode(raw).decode().rstrip("="),
        }
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._forms = longest_first if len(value) >= MIN_SECRET_CHARS else []

    def __repr__(self) -> str:
        return "Secret(...)" if self.value else "Secret('')"

    def scrub(self, text: str) -> str:
        """Return the text without the key, as it is, percent-encoded or in base64."""
        for form in self._forms:
            text = text.replace(form, "[key]")
        return text


@dataclass(frozen=True, slots=True)
class Call:
    """A request, with what its errors have to speak of.

    `model` is "" where none was asked for, `auth` where no key is sent. A status 500 whose text
    matches `blame_input` is a refusal: the same request would fail for ever. Who is asked to wait
    longer than `max_wait_seconds` gives up.
    """

    method: str
    url: str
    content: bytes
    model: str
    auth: str
    key_name: str
    blame_input: re.Pattern[str] | None = None
    max_wait_seconds: float = MAX_RETRY_AFTER_SECONDS

    @property
    def where(self) -> str:
        return f"{self.method} {self.url}"


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What an endpoint says of a failure, on one line and without the key, header values too.

    `kinds` is its code and its type, `code` and `param` as they stand in OpenAI's shape.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    kinds: str = ""
    code: str = ""
    param: str = ""

    @classmethod
    def read(
        cls, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret
    ) -> ErrorReply:
        """Read a body that may be JSON of any shape, HTML or nothing."""
        plain = body.decode("utf-8", errors="replace")
        try:
            data: object = json.loads(plain)
        except (ValueError, RecursionError):
            data = "an HTML page" if plain.lstrip().startswith("<") else plain
        return cls.of(data, status=status, headers=headers, secret=secret)

    @classmethod
    def of(
        cls, data: object, *, secret: Secret, status: int = 0, headers: Mapping[str, str] | None
    ) -> ErrorReply:
        """Read OpenAI's shape, {"error": {"message", "type", "param", "code"}}, and its kin."""
        error = data.get("error") or data if isinstance(data, dict) else data
        kinds = code = param = ""
        if not isinstance(error, dict):
            text = error
        else:
            text = error.get("message") or error.get("detail") or error
            kinds = " ".join(str(error[key]) for key in ("code", "type") if error.get(key))
            code, param = (str(error.get(key) or "") for key in ("code", "param"))
            if param:
                text = f"{_as_text(text)} (param {param})"

        def clean(words: str) -> str:
            return _printable(secret.scrub(words))[:DETAIL_CHARS]

        clean_headers = {name.lower(): clean(value) for name, value in (headers or {}).items()}
        said = (clean(words) for words in (_as_text(text), kinds, code, param))
        return cls(status, clean_headers, *said)

    def named(self, error: ProviderError) -> ProviderError:
        """Return the error with the endpoint's own names in it."""
        error.reported_code, error.reported_param = self.code, self.param
        return error

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")[:100]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An error, and whether to try again. `wait_seconds` is None where the endpoint didn't say."""

    error: ProviderError
    retry: bool
    wait_seconds: float | None = None


def judge(reply: ErrorReply, call: Call, *, now: float) -> Verdict:
    """Say what a reply with an error status means; `now` is the time of day, as a Unix time."""
    if reply.status == 500 and call.blame_input and call.blame_input.search(reply.text):
        return Verdict(reply.named(_refused(reply, call)), retry=False)
    wait = retry_after_seconds(reply.headers, now=now)
    retry = reply.status in TRANSIENT_STATUSES and not _QUOTA_CODE.search(reply.kinds)
    wish = reply.headers.get("x-should-retry", "").lower()
    if wish in ("true", "false"):
        retry = wish == "true"
    if retry and wait is not None and wait > call.max_wait_seconds:
        later = _come_back_later(reply, call, wait=wait, now=now)
        return Verdict(reply.named(later), retry=False)
    return Verdict(reply.named(_error(reply, call, wait=wait or 0.0)), retry, wait)


def reported_error(reply: ErrorReply, *, where: str) -> ProviderError:
    """Return the error that a reply with status 200, or an event of a stream, reports."""
    return reply.named(_reported(reply, f"{where} reported an error: {_shown(reply)}"))


def _reported(reply: ErrorReply, message: str) -> ProviderError:
    if _QUOTA_CODE.search(reply.kinds):
        return ProviderError(message, hint="check the plan and balance of the account")
    words = reply.kinds.lower().split()
    if any(_RATE_LIMIT_CODE.search(word) for word in words):
        return RateLimited(message, hint="wait a little and run again; finished work is kept")
    if any(_OVERLOAD_CODE.search(word) for word in words):
        return ProviderUnavailable(message)
    return ProviderError(message)


def retry_after_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how long the endpoint asks to wait; None where it doesn't say, or says nonsense.

    A wait of 0 counts as not said: the plain backoff starts at 0 too, and doesn't hammer.
    """
    milliseconds = _positive(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _positive(value)
    if seconds is not None:
        return seconds
    until = _unix_time(value)
    # Against the endpoint's own clock where it tells it: ours may be wrong.
    since = _unix_time(headers.get("date", "")) or now
    return until - since if until is not None and until > since else None


def _error(reply: ErrorReply, call: Call, *, wait: float) -> ProviderError:
    status, request_id = reply.status, reply.request_id
    said = f"{call.where} answered {status}: {_shown(reply)}"
    if status in (401, 403):
        return _auth_error(reply, call)
    if call.model and (status == 404 or _UNKNOWN_MODEL_CODE.search(reply.kinds)):
        return ModelNotFound(
            f"the endpoint has no model {call.model!r}: {said}",
            hint="list those it has with: ragkit models; if that fails too, check the base URL",
            status=status,
            request_id=request_id,
        )
    if status == 429:
        hint = "wait a little and run again; finished work is kept"
        if _QUOTA_CODE.search(reply.kinds):
            hint = "check the plan and balance of the account; finished work is kept"
        return RateLimited(said, retry_after=wait, hint=hint, status=status, request_id=request_id)
    if status == 408:
        return ProviderTimeout(said, status=status, request_id=request_id)
    if status in TRANSIENT_STATUSES or status >= 500:
        return ProviderUnavailable(said, status=status, request_id=request_id)
    if 300 <= status < 400:
        target = reply.headers.get("location", "")[:MESSAGE_CHARS] or "nowhere"
        return ProviderError(
            f"{call.where} answered {status}, a redirect to {target}",
            hint="redirects are not followed, the key would go along: correct the base URL",
            status=status,
            request_id=request_id,
        )
    if status == 404:
        hint = "check the base URL; most end in /v1"
        return ProviderError(said, hint=hint, status=status, request_id=request_id)
    return _refused(reply, call)


def _auth_error(reply: ErrorReply, call: Call) -> ProviderAuthError:
    if call.auth:
        what = f"refused the key that was sent as {HEADER_NAMES[call.auth]}"
        hint = f"check {call.key_name}, and which header the endpoint wants (the setting auth)"
    else:
        what = "wants a key, and none was sent"
        hint = f"set {call.key_name}"
    return ProviderAuthError(
        f"{call.where} {what} ({reply.status}): {_shown(reply)}",
        hint=hint,
        status=reply.status,
        request_id=reply.request_id,
    )


def _refused(reply: ErrorReply, call: Call) -> RequestRefused:
    return RequestRefused(
        f"{call.where} answered {reply.status}: {_shown(reply)}",
        detail=f"{reply.kinds} {reply.text}",
        status=reply.status,
        request_id=reply.request_id,
    )


def _come_back_later(reply: ErrorReply, call: Call, *, wait: float, now: float) -> RateLimited:
    until = time.localtime(now + min(wait, _YEAR_SECONDS))
    clock = time.strftime("%H:%M" if wait < 86_400 else "%Y-%m-%d %H:%M", until)
    return RateLimited(
        f"{call.where} is rate limited until {clock}: {_shown(reply)}",
        retry_after=wait,
        hint=f"run again after {clock}; finished work is kept",
        status=reply.status,
        request_id=reply.request_id,
    )


def _shown(reply: ErrorReply) -> str:
    return reply.text[:MESSAGE_CHARS] or "nothing more"


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _printable(text: str) -> str:
    """Put the text on one line, without control characters: it is shown on terminals."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None


def _unix_time(text: str) -> float | None:
    parts = parsedate_tz(text)
    if parts is None:
        return None
    try:
        return float(mktime_tz(parts))
    except (ValueError, OverflowError):
        return None
