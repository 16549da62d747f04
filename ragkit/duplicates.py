"""Which texts say the same: copies, and copies with little changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Broder, SEQUENCES 1997: texts are alike by the runs of words that they share.
SHINGLE_WORDS = 5
# The least Jaccard similarity of copies: one word changed in a hundred is .9.
ALIKE = 0.9
# Two texts that differ in one of these, or in a figure, say different things however alike.
_NEGATIONS = frozenset("no not never nor neither none nobody nothing without cannot".split())
_AROUND_WORDS = ".,;:!?\"'()[]*_"

Shingle = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """A text that stays, and those after it that say nothing more, all by their places from 0."""

    place: int
    copies: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """A text as it is compared: its words, in one case, and their runs."""

    words: Sequence[str]
    shingles: frozenset[Shingle]


def collapse(texts: Sequence[str]) -> list[Kept]:
    """Return the texts that say something which none before them says.

    A text goes where an earlier one is alike in all but a few words, with the same figures and
    negations, or holds it whole. A longer text that holds an earlier one stays: it says more.
    """
    kept: list[_Read] = []
    places: list[list[int]] = []  # of each kept text, and behind it of its copies
    holders: dict[Shingle, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        read = _read(text)
        original = next(_originals(read, kept, holders), None)
        if original is not None:
            places[original].append(place)
            continue
        for shingle in read.shingles:
            holders[shingle].append(len(kept))
        kept.append(read)
        places.append([place])
    return [Kept(first, tuple(copies)) for first, *copies in places]


def untouched(texts: Sequence[str]) -> list[Kept]:
    """Return all texts as ones that stay."""
    return [Kept(place, ()) for place in range(len(texts))]


def _read(text: str) -> _Read:
    words = text.casefold().split()
    runs = zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False)
    return _Read(words, frozenset(runs) or frozenset({tuple(words)}))  # too short: the whole


def _originals(
    read: _Read, kept: Sequence[_Read], holders: Mapping[Shingle, Sequence[int]]
) -> Iterator[int]:
    """Yield those of the kept texts that say all that a text says, the best first."""
    shared = Counter(index for shingle in read.shingles for index in holders.get(shingle, ()))
    for index, common in sorted(shared.items()):
        if _says_all(kept[index], read, common):
            yield index


def _says_all(better: _Read, read: _Read, common: int) -> bool:
    """Whether one text is a copy of another, or holds it, given how many runs they share."""
    if common == len(read.shingles) and _folded(read) in _folded(better):
        return True
    distinct = len(read.shingles) + len(better.shingles) - common
    return common >= ALIKE * distinct and _telling(read) == _telling(better)


def _telling(read: _Read) -> list[str]:
    """Return the words of a text that no copy may change."""
    return [word for word in read.words if _tells(word)]


def _tells(word: str) -> bool:
    bare = word.strip(_AROUND_WORDS)
    return bare in _NEGATIONS or bare.endswith(("n't", "n’t")) or any(map(str.isdigit, word))


def _folded(read: _Read) -> str:
    return f" {' '.join(read.words)} "
