"""Every error that ragkit raises on purpose.

    RagkitError
    ├── ConfigError
    ├── IndexStateError
    │   ├── IndexNotFound
    │   ├── SchemaTooNew
    │   ├── IndexBusy
    │   ├── IndexDamaged
    │   ├── StorageFull
    │   └── FingerprintMismatch
    ├── DocumentError
    │   ├── DocumentNotFound
    │   ├── SkippedDocument
    │   ├── UnsupportedFormat
    │   └── ParseError
    ├── QueryError
    │   └── ConversationNotFound
    └── ProviderError
        ├── ProviderAuthError
        ├── ModelNotFound
        ├── RateLimited
        ├── ProviderTimeout
        ├── ProviderUnavailable
        ├── WebSearchUnavailable
        ├── BadProviderResponse
        └── RequestCancelled

`str(error)` says what happened and where; `error.hint` says what to do next; `error.code` is a
stable word for programs.
"""

from __future__ import annotations


class RagkitError(Exception):
    """The root of all errors raised on purpose: a message, a hint and a stable code."""

    code = "error"

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        if code:
            self.code = code


class ConfigError(RagkitError):
    """A setting, option or argument that can't be used."""

    code = "config"


class IndexStateError(RagkitError):
    """The index file can't be used as it is."""

    code = "index"


class IndexNotFound(IndexStateError):
    """There is no index at this place."""

    code = "index-not-found"


class SchemaTooNew(IndexStateError):
    """The index was written by a newer ragkit."""

    code = "schema-too-new"


class IndexBusy(IndexStateError):
    """Another process is writing to the index."""

    code = "index-busy"


class IndexDamaged(IndexStateError):
    """The file is not an index, or its content is damaged."""

    code = "index-damaged"


class StorageFull(IndexStateError):
    """The disk is full, or the file may not be written."""

    code = "storage"


class FingerprintMismatch(IndexStateError):
    """The index was built with other settings than those asked for now."""

    code = "fingerprint-mismatch"

    def __init__(self, stored: str, current: str, *, hint: str = "") -> None:
        super().__init__(
            f"the index was built with {stored}, but {current} was asked for", hint=hint
        )
        self.stored = stored
        self.current = current


class DocumentError(RagkitError):
    """One document can't be used; the others are not affected."""

    code = "document"

    def __init__(self, uri: str, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.uri = uri


class DocumentNotFound(DocumentError):
    """The index holds no such document, or more than one that could be meant."""

    code = "document-not-found"


class SkippedDocument(DocumentError):
    """There is nothing to read here: a binary, an archive, a picture, an empty file."""

    code = "skipped"


class UnsupportedFormat(DocumentError):
    """No parser reads this kind of file."""

    code = "unsupported"


class ParseError(DocumentError):
    """The file is of a known kind, but could not be read."""

    code = "corrupt"


class QueryError(RagkitError):
    """A question or filter that can't be run."""

    code = "query"


class ConversationNotFound(QueryError):
    """The index keeps no such conversation, or more than one that could be meant."""

    code = "conversation-not-found"


class ProviderError(RagkitError):
    """The model endpoint refused or failed. `status` is 0 where no HTTP answer came."""

    code = "provider"

    def __init__(
        self, message: str, *, hint: str = "", code: str = "", status: int = 0, request_id: str = ""
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.status = status
        self.request_id = request_id


class ProviderAuthError(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""

    code = "auth"


class ModelNotFound(ProviderError):
    """The endpoint doesn't know the model."""

    code = "model-not-found"


class RateLimited(ProviderError):
    """The endpoint asks to wait for `retry_after` seconds; 0 where it didn't say."""

    code = "rate-limited"

    def __init__(
        self,
        message: str,
        *,
        retry_after: float = 0.0,
        hint: str = "",
        status: int = 429,
        request_id: str = "",
    ) -> None:
        super().__init__(message, hint=hint, status=status, request_id=request_id)
        self.retry_after = retry_after


class ProviderTimeout(ProviderError):
    """The endpoint didn't answer in time."""

    code = "timeout"


class ProviderUnavailable(ProviderError):
    """The endpoint can't be reached, or fails on its side."""

    code = "unavailable"


class WebSearchUnavailable(ProviderError):
    """The endpoint or the model has no web search."""

    code = "web-search-unavailable"


class BadProviderResponse(ProviderError):
    """The endpoint answered something that is not of its contract."""

    code = "bad-response"


class RequestCancelled(ProviderError):
    """A request was ended on this side, by who wanted it or because the index was closed."""

    code = "cancelled"

    def __init__(self, message: str = "the request was cancelled") -> None:
        super().__init__(message)
