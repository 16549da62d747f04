"""What goes to and comes from models, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class WebSource:
    """A page that the endpoint's web search gave as a source; ragkit has not read it."""

    url: str
    title: str

    def to_dict(self) -> dict[str, str]:
        return {"url": self.url, "title": self.title}


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked of an endpoint. Tokens are those it billed, 0 where it didn't say."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    embedding_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.embedding_tokens + other.embedding_tokens,
        )

    def to_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CacheStats:
    """How much the embedding cache keeps. Times of use are ISO 8601 in UTC, None where empty."""

    path: str
    entries: int
    size_bytes: int
    max_bytes: int
    oldest_use: str | None
    newest_use: str | None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """A request for embeddings that was sent. `tokens` as billed, 0 where it wasn't said.

    `outcome` is "ok", or the code of the error that came.
    """

    model: str
    texts: int
    estimated_tokens: int
    tokens: int
    milliseconds: int
    outcome: str


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What the ingests of an index asked of a model, all requests added up."""

    model: str
    requests: int
    failed: int
    texts: int
    estimated_tokens: int
    tokens: int
    milliseconds: int

    @property
    def tokens_per_estimated(self) -> float:
        """How many tokens were billed for each that was estimated; 1.0 before anything was."""
        return self.tokens / self.estimated_tokens if self.tokens else 1.0

    @property
    def seconds_per_request(self) -> float:
        return self.milliseconds / max(1, self.requests - self.failed) / 1000

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class WebSearch:
    """The options of a web search, as the endpoint's contract names them; "" leaves one out."""

    context_size: str = ""
    country: str = ""
    safesearch: str = ""
    accept_language: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatDelta:
    """A piece of a streamed reply."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatEnd:
    """The end of a reply. `sources` are those of a web search."""

    model: str
    finish_reason: str
    usage: Usage = Usage()
    sources: tuple[WebSource, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A model that an endpoint lists. Numbers are 0 and `capabilities` empty where not told."""

    id: str
    owned_by: str = ""
    context_window: int = 0
    max_output_tokens: int = 0
    capabilities: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "owned_by": self.owned_by,
            "context_window": self.context_window,
            "max_output_tokens": self.max_output_tokens,
            "capabilities": list(self.capabilities),
        }
