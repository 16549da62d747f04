"""What an embedder takes at once: by its own word, or as is safe for one that doesn't say."""

from __future__ import annotations

from ragkit import text as texts
from ragkit.ports import Embedder

BATCH_TEXTS = 64
BATCH_TOKENS = 100_000
IN_FLIGHT = 1


class Capacity:
    """An embedder's batches. Asked anew each time: a refusal may have taught it a smaller one."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._count = getattr(embedder, "estimate_tokens", texts.estimate_tokens)
        self.in_flight: int = max(1, getattr(embedder, "in_flight", IN_FLIGHT))

    def tokens(self, text: str) -> int:
        """Return about how many tokens the embedder makes of a text."""
        return int(self._count(text))

    def is_full(self, texts: int, tokens: int) -> bool:
        """Whether so many texts with so many tokens are more than one batch takes."""
        most_texts: int = getattr(self._embedder, "batch_texts", BATCH_TEXTS)
        most_tokens: int = getattr(self._embedder, "batch_tokens", BATCH_TOKENS)
        return texts > 1 and (texts > most_texts or tokens > most_tokens)
