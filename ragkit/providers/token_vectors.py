"""Token vectors made small, and late interaction over them (Khattab and Zaharia, SIGIR 2020).

A text's record holds a vector for each token that says something: stop words and marks are left
out. The vectors lose the mean of all, are projected to 128 dimensions and kept in 4 bits each: 68
bytes a token, some 7 kB a passage. nDCG@10 with them is that of the whole vectors (384 dimensions,
float32) to within .003 (docs/retrieval.md, which also says what mean and projection were made of).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ragkit.ports import Match, TokenPassage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragkit.ports import Vectors

# float16 (387, 128): the mean in three rows, then the projection.
PROJECTION = Path(__file__).with_name("minilm-projection.npy")
DIMENSIONS = 128
_MEAN_ROWS = 3
_FORMAT = 1
_HEADER = struct.Struct("<BxH")  # the format's number, and how many tokens there are
_LEVELS = 7  # 4 bits: -7 to 7
_FURTHEST = 0xFFFF


@cache
def _projection() -> tuple[Vectors, Vectors]:
    stored = np.load(PROJECTION).astype(np.float32)
    return stored[:_MEAN_ROWS].ravel(), stored[_MEAN_ROWS:]


def project(vectors: Vectors) -> Vectors:
    """Return unit vectors of tokens with fewer dimensions: (n, 384) to (n, 128)."""
    mean, matrix = _projection()
    return _unit(product(_unit(vectors - mean), matrix))


def pack(vectors: Vectors, from_end: Sequence[int]) -> bytes:
    """Return the record of a text's tokens, given their whole vectors.

    `from_end` says how many characters before the end of the text each token starts.
    """
    small = project(vectors)
    scale = (np.abs(small).max(axis=1, initial=0.0) / _LEVELS).astype("<f2")
    steps = np.round(small / np.maximum(scale.astype(np.float32), 1e-9)[:, None])
    codes = (np.clip(steps, -_LEVELS, _LEVELS) + 8).astype(np.uint8)
    places = np.minimum(np.asarray(from_end, dtype=np.int64), _FURTHEST).astype("<u2")
    parts = (places.tobytes(), scale.tobytes(), (codes[:, ::2] | codes[:, 1::2] << 4).tobytes())
    return _HEADER.pack(_FORMAT, len(small)) + b"".join(parts)


@dataclass(frozen=True, slots=True)
class _Tokens:
    vectors: Vectors
    from_end: NDArray[np.uint16]


def unpack(record: bytes) -> _Tokens | None:
    """Return what a record holds; None for one of a format that isn't known."""
    if len(record) < _HEADER.size:
        return None
    number, count = _HEADER.unpack_from(record)
    codes_at = _HEADER.size + 4 * count
    if number != _FORMAT or len(record) != codes_at + count * DIMENSIONS // 2:
        return None
    from_end = np.frombuffer(record, "<u2", count, _HEADER.size)
    scale = np.frombuffer(record, "<f2", count, _HEADER.size + 2 * count).astype(np.float32)
    pairs = np.frombuffer(record, np.uint8, offset=codes_at).reshape(count, DIMENSIONS // 2)
    steps = np.empty((count, DIMENSIONS), dtype=np.float32)
    steps[:, ::2], steps[:, 1::2] = pairs & 15, pairs >> 4
    return _Tokens((steps - 8) * scale[:, None], from_end)


def match(query: Vectors, weights: Vectors, passages: Sequence[TokenPassage]) -> list[Match | None]:
    """Return how well passages meet the tokens of a query, whole and sentence by sentence.

    `query` (n, 128) was projected; `weights` (n) add up to 1. A score is the weighted mean of each
    query token's cosine with that token of the passage, or sentence, which is nearest to it. None
    for a passage whose record can't be read.
    """
    return [
        _match(query, weights, tokens, passage) if (tokens := unpack(passage.record)) else None
        for passage in passages
    ]


def _match(query: Vectors, weights: Vectors, tokens: _Tokens, passage: TokenPassage) -> Match:
    if not len(tokens.vectors):
        return Match(0.0, (0.0,) * len(passage.sentences))
    similar = product(query, tokens.vectors.T)
    starts = passage.length - tokens.from_end.astype(np.int64)
    edges = np.searchsorted(starts, [(span.start, span.end) for span in passage.sentences] or [])
    sentences = tuple(
        float(similar[:, first:last].max(axis=1) @ weights) if first < last else 0.0
        for first, last in edges.reshape(-1, 2).tolist()
    )
    return Match(float(similar.max(axis=1) @ weights), sentences)


def product(left: Vectors, right: Vectors) -> Vectors:
    """Multiply matrices without BLAS, whose threads spin and take the cores from onnxruntime.

    For a passage of 150 tokens it takes 1.1 ms of CPU to project them, with BLAS 9 ms; for MaxSim
    of a question with 16 sentences 6 ms, with BLAS up to 130 ms where the cores are busy.
    """
    product: Vectors = np.einsum("ij,jk->ik", left, right)
    return product


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, 1e-9)
    return unit
