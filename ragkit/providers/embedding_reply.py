"""Reads the reply to an embedding request, and believes nothing of it.

Seen in the wild: status 200 with fewer vectors than texts or none, vectors of NaN for certain
words, base64 though floats were asked for, vectors of length 3. Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ragkit.ports import Vectors

MIN_NORM = 1e-6  # a vector shorter than this has no direction


class UnusableVectors(Exception):
    """A reply that is JSON but doesn't hold one usable vector for each text."""


class UnusableBase64(UnusableVectors):
    """A reply whose vectors are meant to be base64, but can't be read as such."""


def read_vectors(reply: Mapping[str, Any], *, count: int) -> Vectors:
    """Return the vectors in the order of the texts, each made a unit vector, as (count, d).

    Raises UnusableVectors where one is missing, not finite, zero or of another length.
    """
    data = reply.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise UnusableVectors("`data` is not a list of embeddings")
    if len(data) != count:
        raise UnusableVectors(f"{len(data)} vectors for {count} texts")
    return normalised(_matrix([item.get("embedding") for item in _in_order(data)]))


def are_lists(reply: Mapping[str, Any]) -> bool:
    """Whether a reply that was read holds its vectors as lists of numbers."""
    return isinstance(reply["data"][0]["embedding"], list)


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


def _matrix(values: Sequence[object]) -> NDArray[np.float64]:
    """Read lists of numbers, or the base64 of little-endian float32, as OpenAI's SDK asks for."""
    if all(isinstance(value, list) for value in values):
        return _numbers(values)
    if all(isinstance(value, str) for value in values):
        return _from_base64([str(value) for value in values])
    raise UnusableVectors("an item without a vector")


def _numbers(values: Sequence[object]) -> NDArray[np.float64]:
    try:
        matrix = np.array(values)
    except ValueError as exc:
        raise UnusableVectors(
            "vectors of different lengths, or that are not lists of numbers"
        ) from exc
    # Numbers in quotes make an array of text, null one of objects: neither is of kind f or i.
    if matrix.ndim != 2 or not matrix.size or matrix.dtype.kind not in "fi":
        raise UnusableVectors("a vector that is not a list of numbers")
    return matrix.astype(np.float64, copy=False)


def _from_base64(values: Sequence[str]) -> NDArray[np.float64]:
    try:
        rows = [np.frombuffer(base64.b64decode(value, validate=True), "<f4") for value in values]
    except (binascii.Error, ValueError) as exc:
        raise UnusableBase64("a vector in broken base64") from exc
    if len({row.size for row in rows}) != 1:
        raise UnusableVectors("vectors of different lengths")
    if not rows[0].size:
        raise UnusableVectors("a vector without numbers")
    return np.stack(rows).astype(np.float64)
