"""Vectors with fewer dimensions than their model gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ragkit.ports import Embedder, EmbedKind
from ragkit.providers.embedding_reply import normalised

if TYPE_CHECKING:
    from ragkit.ports import Vectors


class Shortened:
    """Embeds as another embedder does, and keeps the first dimensions, scaled to length 1.

    That is sound for models that were trained for it (Matryoshka); of others it costs more.
    """

    def __init__(self, embedder: Embedder, dimensions: int) -> None:
        self._embedder = embedder
        self.dimensions = dimensions

    @property
    def name(self) -> str:
        return self._embedder.name

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        """Return one unit vector a text, in order."""
        vectors = self._embedder.embed(texts, kind=kind)
        return normalised(vectors[:, : self.dimensions].astype(np.float64))
