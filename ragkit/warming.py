"""Does once what a first search and a first answer would have to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ragkit import retrieval
from ragkit.answering import Asker
from ragkit.ports import Embedder, EmbedKind
from ragkit.types import Filters, Fingerprint

if TYPE_CHECKING:
    from ragkit.ports import Vectors

_QUESTION_CHARACTERS = 100  # about as many as a question has
_TEXTS = ("how long is it?", "it is long")  # two: for one alone a model may load less of itself


class _Anywhere:
    """Stands in for an embedder that isn't asked: all texts mean the same thing."""

    def __init__(self, fingerprint: Fingerprint) -> None:
        self.name = fingerprint.embedder
        self.dimensions = fingerprint.dimensions

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        import numpy as np  # noqa: PLC0415 - takes 0.1 s, and who verifies an answer needs none

        vectors: Vectors = np.zeros((len(texts), self.dimensions), np.float32)
        vectors[:, 0] = 1
        return vectors


def load(models: Sequence[Embedder]) -> None:
    """Load models that run on this machine."""
    for model in models:
        model.embed(_TEXTS, kind="query")


def rehearse(asker: Asker, fingerprint: Fingerprint, *, models: Sequence[object]) -> None:
    """Answer a question made of the index's own words, by no more than these models.

    What is read of the index for it stays in memory: statistics, the nearest vectors' pages.
    """
    anywhere = _Anywhere(fingerprint)
    found = retrieval.search(asker.store, anywhere, "-", limit=1, mode="semantic")
    if not found.hits:
        return
    alone = replace(
        asker,
        embedder=asker.embedder if asker.embedder in models else anywhere,
        chat=None,
        reranker=asker.reranker if asker.reranker in models else None,
        matcher=asker.matcher if asker.matcher in models else None,
        token_matcher=asker.token_matcher if asker.token_matcher in models else None,
        rewriter=None,
        judge=None,
        web="never",
    )
    question = found.hits[0].chunk.text[:_QUESTION_CHARACTERS]
    for _ in alone.answer(question, limit=8, filters=Filters()):
        pass
