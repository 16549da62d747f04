"""Embedders and chat models that need no network and no model, for your tests and for ours.

>>> near, same, far = HashEmbedder().embed(
...     ["the ferry leaves at noon", "the ferry left at noon", "bread needs salt"], kind="query"
... )
>>> bool(near @ same > near @ far)
True
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ragkit.errors import WebSearchUnavailable
from ragkit.ports import EmbedKind
from ragkit.text import estimate_tokens
from ragkit.types import ChatDelta, ChatEnd, Message, Usage, WebSearch, WebSource

if TYPE_CHECKING:
    from ragkit.ports import Vectors

__all__ = ["ChatRequest", "HashEmbedder", "ScriptedChat"]

_WORD = re.compile(r"\w+")
_NGRAM_CHARACTERS = 3
_PIECE_CHARACTERS = 7  # prime, so that pieces end anywhere: in words, markers and quotes


class HashEmbedder:
    """Unit vectors from hashed words, pairs of words and runs of three characters.

    Texts that share words or spelling come out near each other; nothing is known of meaning.
    The same text has the same vector on every machine, whatever its kind.
    """

    def __init__(self, dimensions: int = 64) -> None:
        self.dimensions = dimensions
        self.name = f"hash-{dimensions}"

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        """Return a float32 array (len(texts), dimensions), each row of length 1."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float64)
        for row, text in zip(rows, texts, strict=True):
            for feature in _features(text):
                code = zlib.crc32(feature.encode("utf-8", "replace"))
                row[(code >> 1) % self.dimensions] += 1 if code & 1 else -1
            if not row.any():  # no words, or hashes that cancel out
                row[0] = 1
        unit: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        return unit


def _features(text: str) -> Iterator[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    yield from words
    yield from (f"{first} {second}" for first, second in itertools.pairwise(words))
    for word in words:
        padded = f"<{word}>"
        for start in range(len(padded) - _NGRAM_CHARACTERS + 1):
            yield padded[start : start + _NGRAM_CHARACTERS]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a ScriptedChat was asked: the messages, and the web search's options if allowed one."""

    messages: tuple[Message, ...]
    web: WebSearch | None


class ScriptedChat:
    """A chat model that says what it was told to, in small pieces.

    `reply` is a text, or a function of the messages. `web_reply` is what it says where a web
    search is allowed, with `sources`; without one it has no web search. `requests` keeps what
    it was asked.
    """

    def __init__(
        self,
        reply: str | Callable[[Sequence[Message]], str],
        *,
        web_reply: str | None = None,
        sources: Sequence[WebSource] = (),
    ) -> None:
        self.name = "scripted"
        self.requests: list[ChatRequest] = []
        self._reply = reply
        self._web_reply = web_reply
        self._sources = tuple(sources)

    @property
    def has_web_search(self) -> bool:
        return self._web_reply is not None

    def stream(
        self, messages: Sequence[Message], *, web: WebSearch | None
    ) -> Iterator[ChatDelta | ChatEnd]:
        """Yield the reply's pieces, then one ChatEnd. Raises WebSearchUnavailable."""
        self.requests.append(ChatRequest(tuple(messages), web))
        if web is None:
            reply = self._reply if isinstance(self._reply, str) else self._reply(messages)
        elif self._web_reply is not None:
            reply = self._web_reply
        else:
            raise WebSearchUnavailable(f"{self.name} has no web search")
        for start in range(0, len(reply), _PIECE_CHARACTERS):
            yield ChatDelta(reply[start : start + _PIECE_CHARACTERS])
        usage = Usage(
            requests=1,
            prompt_tokens=sum(estimate_tokens(message.content) for message in messages),
            completion_tokens=estimate_tokens(reply),
        )
        yield ChatEnd(self.name, "stop", usage, () if web is None else self._sources)
