"""What ragkit needs of the world: embedders, chat models, rerankers. Bring your own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from ragkit.types import ChatDelta, ChatEnd, Message, Span, Usage, WebSearch

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


@dataclass(frozen=True, slots=True, eq=False)  # two arrays are not simply equal or not
class Embeddings:
    """Texts as unit vectors, one a row, by the model of this name, and what that cost."""

    vectors: Vectors
    model: str
    usage: Usage


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


@dataclass(frozen=True, slots=True)
class TokenPassage:
    """A passage's token vectors, with its length in characters and its sentences within it."""

    record: bytes
    length: int
    sentences: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Match:
    """How well a passage meets a query's tokens: as a whole, and by each of its sentences."""

    whole: float
    sentences: tuple[float, ...]


class TokenMatcher(Protocol):
    """Compares a query with passages token by token, by vectors that were kept of them."""

    def token_records(self, texts: Sequence[str]) -> list[bytes]:
        """Return the token vectors of texts, packed. A passage is the end of its text."""
        ...

    def match_tokens(
        self, query: str, passages: Sequence[TokenPassage], *, weight: Callable[[str], float]
    ) -> list[Match | None]:
        """Return a match for each passage, None where its record is of no use.

        `weight` says how much a word of the query tells; words of the weight 0 are left out.
        """
        ...


class WordMatcher(Protocol):
    """Says how well each word of a question is matched by a text, whatever words it uses."""

    def match_words(self, query: str, text: str) -> Mapping[int, float]:
        """Return the similarity from 0 to 1 by where the word starts in the query."""
        ...
