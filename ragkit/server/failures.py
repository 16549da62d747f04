"""What an error looks like over HTTP: the OpenAI shape, and one table from errors to statuses."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ragkit import errors
from ragkit.server.replies import Json

_log = logging.getLogger(__name__)

# The one table from errors to HTTP statuses; the first type that fits counts. What the endpoint
# refuses us is a fault behind the server, not of the client: only what a client can act upon
# (come back later, another model) keeps its own status.
STATUSES: tuple[tuple[type[BaseException], int], ...] = (
    (errors.ConversationNotFound, 404),
    (errors.QueryError, 400),
    (errors.DocumentNotFound, 404),
    (errors.DocumentError, 422),
    (errors.RequestCancelled, 499),  # nginx's number: the client has left, and only the log sees it
    (errors.ModelNotFound, 404),
    (errors.RateLimited, 429),
    (errors.ProviderTimeout, 504),
    (errors.ProviderUnavailable, 503),
    (errors.ProviderError, 502),
    (errors.IndexNotFound, 503),
    (errors.IndexBusy, 503),
    (errors.StorageFull, 507),
    (errors.IndexStateError, 500),
    (errors.ConfigError, 400),
)

# What an endpoint says of a request that was passed on, and not of the server.
_OF_THE_CLIENT = frozenset({400, 404, 413, 422, 429})

# OpenAI's words for kinds of errors, by status.
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


@dataclass(eq=False)  # not frozen: Python writes the traceback into an exception
class Refusal(Exception):
    """A request that is answered with an error: its status, what is wrong, and what to do."""

    status: int
    message: str
    code: str = ""
    param: str = ""
    hint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the body: OpenAI's shape, with the hint beside it."""
        told = f"{self.message} ({self.hint})" if self.hint else self.message
        return {
            "error": {
                "message": told,
                "type": error_type(self.status),
                "param": self.param or None,
                "code": self.code or None,
                "hint": self.hint,
            }
        }

    def response(self) -> Json:
        return Json(self.to_dict(), status_code=self.status, headers=dict(self.headers))


def error_type(status: int) -> str:
    """Return OpenAI's word for the kind of an error."""
    default = "server_error" if status >= 500 else "invalid_request_error"
    return _TYPES.get(status, default)


def refusal_of(error: BaseException, *, request_id: str = "") -> Refusal:
    """Return how an error is answered; one that isn't ours is a bug, and tells nothing of itself.

    The bug goes to the log, with the request's id.
    """
    if isinstance(error, Refusal):
        return error
    status = next((code for kind, code in STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, errors.IndexNotFound):  # its own words name a path on this machine
        hint = "upload a document, or on the server: ragkit ingest <folder>"
        return Refusal(status, "there are no documents yet", error.code, hint=hint)
    if isinstance(error, errors.RagkitError):
        wait = getattr(error, "retry_after", 0.0)
        headers = {"retry-after": str(max(1, round(wait)))} if wait > 0 else {}
        return Refusal(status, str(error), error.code, hint=error.hint, headers=headers)
    if isinstance(error, OSError):
        return Refusal(507, f"the disk: {error.strerror or 'an error'}", "storage")
    _log.error("a bug of ragkit (request %s)", request_id or "unknown", exc_info=error)
    return Refusal(500, "this is a bug of ragkit; its log says more", "internal")


def refusal_of_upstream(error: BaseException) -> Refusal:
    """Return how an error of a request that was passed on is answered.

    What the endpoint refuses of the request is the client's to mend, so its status is kept; but a
    key that it refuses is the server's.
    """
    refusal = refusal_of(error)
    if isinstance(error, errors.ProviderError) and error.status in _OF_THE_CLIENT:
        refusal.status = error.status
        refusal.code = error.reported_code or refusal.code
        refusal.param = error.reported_param
    return refusal
