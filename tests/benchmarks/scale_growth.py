"""Vectors and texts grown from real ones, and how near an index of cells sees them to real ones.

    python -m tests.benchmarks.scale_growth --keep FOLDER [--passages 100000] [--grid] [--times 6]

A grown vector lies about a real one as the real one's nearest neighbours do: a draw from the
normal distribution of their covariance, of a width that was chosen, scaled to length 1. Prints,
for questions of the dev split, recall@10 by the share of the cells that are scanned (k-means
cells, exact scores within): for real vectors, and for a sixth of them (`--times`) grown to as
many. Beside them the cosines of the questions with their best and tenth passage, and of passages
with their nearest and tenth. The two should agree line by line. `--grid` does so for other widths;
`--view one` for the passages alone (384 dimensions), before their sentences are embedded.
"""

from __future__ import annotations

import argparse
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragkit.text import sentences
from tests.benchmarks import scale_passages
from tests.benchmarks.scale_passages import Passage

Floats = NDArray[np.float32]
Numbers = NDArray[np.int32]

SEED = 7


@dataclass(frozen=True, slots=True)
class Growth:
    """Where grown vectors lie: how many neighbours of a real one span its surroundings, how wide.

    Of those in `--grid`, for 1,000 questions of dev by the first view: recall differs from that of
    77,000 real ones by .003 on average (.007 at most, too high) when a sixth is grown, and by .010
    (.027, too low) when a tenth is. More neighbours are too low by twice as much for a tenth (20:
    .023), fewer too high for a sixth (5: .007, .013 at most).
    """

    neighbours: int = 10
    width: float = 0.8


GROWTH = Growth()
GRID = tuple(Growth(k, width) for k in (5, 10, 20) for width in (0.6, 0.8, 1.0))

_ROWS = 2_000  # whose neighbours are looked for at a time
_BLOCK = 8_192  # vectors compared or grown at a time: with their neighbours' 250 MB


# --- growing -----------------------------------------------------------------------------------


def nearest_neighbours(vectors: Floats, count: int, keep: Path | None = None) -> Numbers:
    """Return the numbers of the `count` vectors nearest to each, nearest first.

    They are kept in a folder, where one is given: 100,000 of 768 dimensions take minutes.
    """
    digest = hashlib.sha256(vectors.tobytes()).hexdigest()[:16]
    path = keep / f"neighbours-{digest}-{count}.npy" if keep else None
    if path and path.exists():
        kept: Numbers = np.load(path)
        return kept
    found = np.empty((len(vectors), count), np.int32)
    for start in range(0, len(vectors), _ROWS):
        _, numbers = exact(vectors, vectors[start : start + _ROWS], count + 1)
        itself = numbers == np.arange(start, start + len(numbers))[:, None]
        itself[~itself.any(axis=1), -1] = True  # one of several that are the same
        found[start : start + _ROWS] = numbers[~itself].reshape(-1, count)
    if path:
        np.save(path, found)
    return found


def grow(
    vectors: Floats, count: int, seed: int, *, near: Numbers, growth: Growth = GROWTH
) -> Iterator[tuple[Floats, Numbers]]:
    """Yield `count` vectors in blocks, the real ones first, each with the pair that it is from.

    The pair (a, b) are numbers of real vectors: that which it lies about and, of `near` (what
    `nearest_neighbours` returns), the neighbour in whose direction it lies. A real one has itself
    twice. The real ones come round in order, with another neighbour each time.
    """
    for start in range(0, count, _BLOCK):
        places = np.arange(start, min(start + _BLOCK, count))
        real = places[places < len(vectors)].astype(np.int32)
        grown, pairs = _grown(vectors, places[len(real) :], seed, near, growth)
        yield (
            np.concatenate([vectors[real], grown]),
            np.concatenate([np.stack([real, real], axis=1), pairs]),
        )


def _grown(
    vectors: Floats, places: NDArray[np.int64], seed: int, near: Numbers, growth: Growth
) -> tuple[Floats, Numbers]:
    dice = np.random.default_rng((seed, *places[:1].tolist()))
    rounds, first = np.divmod(places, len(vectors))
    turn = (first + rounds) % growth.neighbours
    around = near[first, : growth.neighbours]
    weights = dice.standard_normal(around.shape).astype(np.float32)
    rows, largest = np.arange(len(places)), weights.argmax(axis=1)
    drawn = weights[rows, turn]
    weights[rows, turn] = weights[rows, largest]  # so that it lies in the direction of b
    weights[rows, largest] = drawn
    weights *= growth.width / np.sqrt(growth.neighbours - 1)
    # Weights less their mean are those of the neighbours' distances from their own mean.
    weights -= weights.mean(axis=1, keepdims=True)
    moved = vectors[first] + np.einsum("ik,ikd->id", weights, vectors[around])
    pairs = np.stack([first, around[rows, turn]], axis=1).astype(np.int32)
    return _unit(moved), pairs


def texts(passages: Sequence[Passage], pairs: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Yield the text of each: half of the one's sentences, then the other half of its neighbour's.

    Which half comes from which alternates with the pairs.
    """
    for place, (one, other) in enumerate(pairs):
        if one == other:
            yield passages[one].text
        elif place % 2:
            yield f"{_halves(passages[one].text)[0]} {_halves(passages[other].text)[1]}"
        else:
            yield f"{_halves(passages[other].text)[0]} {_halves(passages[one].text)[1]}"


@lru_cache(maxsize=200_000)  # a million chunks ask for those of 100,000 passages again and again
def _halves(text: str) -> tuple[str, str]:
    """Return a text cut at the beginning of a sentence or word, as near its middle as can be."""
    starts = [span.start for span in sentences(text)][1:]
    middle = len(text) // 2
    cut = min(starts, key=lambda start: abs(start - middle), default=text.find(" ", middle))
    return text[:cut].strip(), text[cut:].strip()


# --- comparing ---------------------------------------------------------------------------------


SHARES = (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.25, 0.5)
_FOUND = 10
_ITERATIONS, _SAMPLE_A_CELL = 8, 64
_QUESTIONS = 250  # looked at at a time
_PROBED = 800  # passages whose neighbours are looked at


@dataclass(frozen=True, slots=True)
class Shape:
    """What an index of cells sees of vectors: recall by SHARES, and cosines, sorted by size."""

    recall: tuple[float, ...]
    question_best: Floats
    question_tenth: Floats
    passage_best: Floats
    passage_tenth: Floats


def shape(vectors: Floats, asked: Floats) -> Shape:
    """Return the recall@10 that each share of the cells gives for questions, and the cosines."""
    cells = round(2 * math.sqrt(len(vectors)))
    centres = _centres(vectors, cells)
    cell_of = _nearest(vectors, centres)
    scores, best = exact(vectors, asked, _FOUND)
    found = np.zeros(len(SHARES))
    for start in range(0, len(asked), _QUESTIONS):
        questions = asked[start : start + _QUESTIONS]
        place = np.argsort(np.argsort(-(questions @ centres.T), axis=1), axis=1)
        cells_of_best = cell_of[best[start : start + _QUESTIONS]]
        places = np.take_along_axis(place, cells_of_best, axis=1)
        found += [(places < max(1, round(share * cells))).sum() for share in SHARES]
    chosen = np.random.default_rng(SEED).choice(len(vectors), _PROBED, replace=False)
    beside, _ = exact(vectors, vectors[chosen], _FOUND + 1)  # the first one is itself
    columns = [scores[:, 0], scores[:, -1], beside[:, 1], beside[:, -1]]
    return Shape(tuple(found / (_FOUND * len(asked))), *(np.sort(each) for each in columns))


def exact(vectors: Floats, asked: Floats, count: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the cosines and numbers of the `count` vectors nearest to each, nearest first."""
    scores = np.empty((len(asked), 0), np.float32)
    numbers = np.empty((len(asked), 0), np.int64)
    for start in range(0, len(vectors), _BLOCK):
        similar = asked @ vectors[start : start + _BLOCK].T
        columns = _best(similar, min(count, similar.shape[1]))
        scores = np.hstack([scores, np.take_along_axis(similar, columns, axis=1)])
        numbers = np.hstack([numbers, columns + start])
        columns = _best(scores, min(count, scores.shape[1]))
        scores = np.take_along_axis(scores, columns, axis=1)
        numbers = np.take_along_axis(numbers, columns, axis=1)
    return scores, numbers


def _centres(vectors: Floats, cells: int) -> Floats:
    """Return the centres of k-means cells, of length 1, trained on a sample."""
    dice = np.random.default_rng(SEED)
    size = min(len(vectors), cells * _SAMPLE_A_CELL)
    sample = vectors[np.sort(dice.choice(len(vectors), size, replace=False))]
    centres: Floats = sample[dice.choice(size, cells, replace=False)]
    for _ in range(_ITERATIONS):
        cell_of = _nearest(sample, centres)
        order = np.argsort(cell_of, kind="stable")
        filled, starts = np.unique(cell_of[order], return_index=True)
        sums = sample[dice.choice(size, cells, replace=False)]  # for cells that are empty
        sums[filled] = np.add.reduceat(sample[order], starts, axis=0)
        centres = _unit(sums)
    return centres


def _nearest(vectors: Floats, centres: Floats) -> NDArray[np.int64]:
    """Return the number of the centre nearest to each vector."""
    blocks = (vectors[start : start + _BLOCK] for start in range(0, len(vectors), _BLOCK))
    return np.concatenate([np.argmax(block @ centres.T, axis=1) for block in blocks])


def _best(scores: Floats, count: int) -> NDArray[np.int64]:
    """Return the columns of the `count` highest scores of each row, highest first."""
    columns = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(scores, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _unit(vectors: Floats) -> Floats:
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


# --- the command -------------------------------------------------------------------------------


def main() -> None:
    """Print the curves of real and grown vectors at two sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--docs", type=Path, action="append", default=[])
    parser.add_argument("--grid", action="store_true", help="try other widths too")
    parser.add_argument("--times", type=int, default=6, help="how many times as many")
    parser.add_argument("--view", choices=("one", "both"), default="both")
    options = parser.parse_args()
    vectors, asked = _vectors(options.keep, options.docs, options.passages, options.view)
    order = np.random.default_rng(SEED).permutation(len(vectors))
    print(f"{len(asked):,} questions of dev, {vectors.shape[1]} dimensions")
    print(f"{'':<36}recall@10 by the share of the cells scanned{'':<20}cosines (median)")
    print(f"{'':<36}" + "".join(f"{share:>6.0%}" for share in SHARES) + "  q 1st 10th  p 1st 10th")
    for full in (len(vectors) // options.times, len(vectors)):
        real, part = vectors[order[:full]], vectors[order[: full // options.times]]
        target = shape(real, asked)
        _print(f"{full:,} real", target, target)
        _print(f"{len(part):,} real", shape(part, asked), target)
        tried = [GROWTH, *(each for each in GRID if each != GROWTH)] if options.grid else [GROWTH]
        near = nearest_neighbours(part, max(each.neighbours for each in tried))
        for growth in tried:
            blocks = grow(part, full, SEED, near=near, growth=growth)
            grown = np.concatenate([block for block, _ in blocks])
            name = f"{len(part):,} grown to {full:,} ({growth.neighbours}, {growth.width})"
            _print(name, shape(grown, asked), target)


def _vectors(keep: Path, docs: Sequence[Path], count: int, view: str) -> tuple[Floats, Floats]:
    """Return the passages' and the questions' vectors of both views, or of the first."""
    if view == "both":
        _, vectors = scale_passages.load(keep, docs or [Path("/usr/share/doc")], count)
        return vectors, scale_passages.load_questions(keep, "dev")[1]
    passages = scale_passages.kept_passages(keep, count)
    first = scale_passages.embed(keep, "passages", [each.embedded for each in passages])
    asked = scale_passages.embed(keep, "questions", scale_passages.questions("dev"))
    return first, asked


def _print(name: str, found: Shape, target: Shape) -> None:
    """Print a line: recalls, median cosines, and the largest and mean difference in recall."""
    apart = np.abs(np.subtract(found.recall, target.recall))
    columns = (found.question_best, found.question_tenth, found.passage_best, found.passage_tenth)
    cosines = [float(np.median(column)) for column in columns]
    print(
        f"{name:<36}"
        + "".join(f"{recall:>6.3f}" for recall in found.recall)
        + "  {:.3f} {:.3f}  {:.3f} {:.3f}".format(*cosines)
        + (f"  apart {apart.mean():.4f}, at most {apart.max():.3f}" if found is not target else ""),
        flush=True,
    )


if __name__ == "__main__":
    main()
