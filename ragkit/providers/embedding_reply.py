"""Reads the reply to an embedding request, and believes nothing of it.

Seen in the wild: status 200 with fewer vectors than texts or none, vectors of NaN for certain
words, base64 though floats were asked for, vectors of length 3. Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ragkit.ports import Vectors

MIN_NORM = 1e-6  # a vector shorter than this has no direction


class UnusableVectors(Exception):
    """A reply that is JSON but doesn't hold one usable vector for each text."""


def read_vectors(reply: Mapping[str, Any], *, count: int) -> Vectors:
    """Return the vectors in the order of the texts, each made a unit vector, as (count, d).

    Raises UnusableVectors where one is missing, not finite, zero or of another length.
    """
    data = reply.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UnusableVectors("`data` is not a list of embeddings")
    if len(data) != count:
        raise UnusableVectors(f"{len(data)} vectors for {count} texts")
    rows = [_read_vector(item.get("embedding")) for item in _in_order(data)]
    if len({row.shape for row in rows}) != 1:
        raise UnusableVectors("vectors of different lengths")
    return normalised(np.stack(rows))


def normalised(vectors: NDArray[np.float64]) -> Vectors:
    """Return the rows as unit vectors. Raises UnusableVectors for one without a direction."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise UnusableVectors("a vector with numbers that are not finite")
    if not (norms > MIN_NORM).all():
        raise UnusableVectors("a vector of zeros")
    unit: Vectors = (vectors / norms).astype(np.float32)
    return unit


def _in_order(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort by `index`, which has to name each text once; where no item has one, keep the order."""
    indices = [item.get("index") for item in data]
    if all(index is None for index in indices):
        return data
    by_index = {index: item for index, item in zip(indices, data, strict=True) if _is_whole(index)}
    if by_index.keys() != set(range(len(data))):
        raise UnusableVectors("the `index` values don't name each text once")
    return [by_index[position] for position in range(len(data))]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _read_vector(value: object) -> NDArray[np.float64]:
    """Read a list of numbers, or the base64 of little-endian float32 as OpenAI's SDK asks for."""
    if isinstance(value, str):
        try:
            raw = base64.b64decode(value, validate=True)
            vector = np.frombuffer(raw, dtype="<f4")
        except (binascii.Error, ValueError) as exc:
            raise UnusableVectors("a vector in broken base64") from exc
    elif isinstance(value, list):
        try:
            vector = np.array(value)
        except ValueError as exc:  # lists of different lengths in it
            raise UnusableVectors("a vector that is not a list of numbers") from exc
    else:
        raise UnusableVectors("an item without a vector")
    # Numbers in quotes make an array of text, null one of objects: neither is of kind f or i.
    if vector.ndim != 1 or not vector.size or vector.dtype.kind not in "fi":
        raise UnusableVectors("a vector that is not a list of numbers")
    return vector.astype(np.float64)
