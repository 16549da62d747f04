"""What stands behind an index: its endpoint's chat models as they are, and embedders of texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ragkit.ports import Embeddings
from ragkit.types import Fingerprint, Usage
from ragkit.wiring import Given, Wiring


class Upstream:
    """The models of an index by themselves, without its documents: `index.upstream`.

    Nothing of the index is read but which embedder it was built with. Threads may share it.
    """

    def __init__(self, parts: Given | Wiring, stored: Callable[[], Fingerprint | None]) -> None:
        self._parts = parts
        self._stored = stored

    @property
    def chat_model(self) -> str:
        """The name of the model that writes answers; "" where sentences are quoted instead."""
        chat = self._parts.chat()
        return chat.name if chat else ""

    @property
    def has_web_search(self) -> bool:
        """Whether a web search may be asked for; nobody is asked for that."""
        chat = self._parts.chat()
        return chat is not None and chat.has_web_search

    @property
    def embedder_name(self) -> str:
        """The name of the index's embedder, or of the one that a new index would get."""
        return self._parts.embedder(self._stored()).name

    @property
    def is_configured(self) -> bool:
        """Whether there is an endpoint to ask."""
        return self._parts.has_endpoint

    @property
    def destination(self) -> str:
        """Where texts go to be embedded; "" where they stay on this machine."""
        return self._parts.destination(self._parts.embedder(self._stored()))

    def complete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a chat request to the endpoint as it stands, and return its whole reply.

        `request` is the JSON of OpenAI's chat completions. No document is looked at, and a web
        search not forbidden. Raises ProviderError, ConfigError where there is no endpoint.
        """
        return self._parts.relay().complete(request)

    def complete_stream(self, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a chat request as `complete` does, and yield the chunks of its reply as they come.

        One with the usage is among them if the request asks for it. What can't be asked at all is
        said now, the rest with the first chunk.
        """
        return self._parts.relay().stream(request)

    def embed_texts(
        self, texts: Sequence[str], *, model: str = "", dimensions: int = 0
    ) -> Embeddings:
        """Return the vectors of texts, by the index's embedder or a model of the endpoint.

        `model` is the name of either, "" for the embedder. The texts are embedded as they are, in
        no template. With `dimensions` the vectors are cut to as many. `usage` is what the
        endpoint billed, and nothing for a model on this machine. Raises QueryError for more
        dimensions than there are, ProviderError, ConfigError where there is no endpoint.
        """
        embedder = self._parts.embedder_of(model, dimensions=dimensions, stored=self._stored())
        take_usage = getattr(embedder, "take_usage", None)
        # An endpoint is given minutes for documents, and here somebody waits; to the models on
        # this machine a text is a document unless its own prefix says otherwise.
        vectors = embedder.embed(texts, kind="query" if take_usage else "document")
        return Embeddings(vectors, embedder.name, take_usage() if take_usage else Usage())
