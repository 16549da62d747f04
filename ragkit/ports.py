"""What ragkit needs of the world: embedders, chat models, rerankers. Bring your own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from ragkit.types import ChatDelta, ChatEnd, Message, WebSearch

if TYPE_CHECKING:  # numpy takes 0.1 s to import, and `ragkit --help` needs none of it
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

EmbedKind = Literal["document", "query"]


class Embedder(Protocol):
    """Turns texts into unit vectors. `name` identifies the vector space: change it with that."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        """Return a float32 array (len(texts), dimensions), each row of length 1."""
        ...


class ChatModel(Protocol):
    """Writes a reply, piece by piece."""

    @property
    def name(self) -> str: ...

    @property
    def has_web_search(self) -> bool:
        """Whether a web search may be asked for; false once the endpoint has refused one."""
        ...

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        """Yield the reply's pieces, then one ChatEnd. `web=None` forbids a web search.

        Raises ProviderError; WebSearchUnavailable where `web` was given and can't be had.
        """
        ...


class Reranker(Protocol):
    """Says how well each text answers a question."""

    @property
    def name(self) -> str: ...

    def score(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """Return one score a text, higher is better; comparable between calls."""
        ...


class WordMatcher(Protocol):
    """Says how well each word of a question is matched by a text, whatever words it uses."""

    def match_words(self, query: str, text: str) -> Mapping[int, float]:
        """Return the similarity from 0 to 1 by where the word starts in the query."""
        ...
