"""How far a sentence follows another: which of its words stand there, and in the same company."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.citations.wording import Word

# Two words keep company if at most this many places lie between theirs in the source.
_NEAR = 3


@dataclass(frozen=True, slots=True)
class Alignment:
    """The place of each word of a claim in its source, None where it has none.

    A word that the source lacks is `assumed` in the place of another between the same neighbours:
    a synonym.
    """

    claim: Sequence[Word]
    source: Sequence[Word]
    places: tuple[int | None, ...]
    assumed: frozenset[int]

    @property
    def matched(self) -> int:
        """How many words of the claim stand in the source."""
        return sum(place is not None for place in self.places) - len(self.assumed)

    @property
    def company(self) -> float:
        """The share of neighbouring words of the claim that are neighbours in the source too."""
        pairs = list(zip(self.places, self.places[1:], strict=False))
        kept = sum(a is not None and b is not None and abs(a - b) <= _NEAR for a, b in pairs)
        return kept / len(pairs) if pairs else float(self.matched > 0)


def align(claim: Sequence[Word], source: Sequence[Word]) -> Alignment:
    """Return the places of a claim's words in a source: of several, the one that keeps company."""
    index: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        index.setdefault(word.stem, []).append(place)
    places: list[int | None] = []
    used: set[int] = set()
    last = -1
    for number, word in enumerate(claim):
        options = index.get(word.stem)
        if not options:
            places.append(None)
            continue
        following = claim[number + 1].stem if number + 1 < len(claim) else ""
        best = min(
            options,
            key=lambda place: (
                place in used,
                abs(place - last - 1) > _NEAR and not _precedes(source, place, following),
                abs(place - last - 1),
                place,
            ),
        )
        places.append(best)
        used.add(best)
        last = best
    assumed = _assume(places, used, len(source))
    return Alignment(claim, source, tuple(places), frozenset(assumed))


def _precedes(source: Sequence[Word], place: int, stem: str) -> bool:
    return place + 1 < len(source) and source[place + 1].stem == stem


def _assume(places: list[int | None], used: set[int], length: int) -> list[int]:
    """Put words without a place where their neighbours leave one; return which were put."""
    assumed = []
    start = 0
    while start < len(places):
        if places[start] is not None:
            start += 1
            continue
        end = start
        while end < len(places) and places[end] is None:
            end += 1
        free = _free(places, start, end, used, length)
        for number, place in zip(range(start, end), free, strict=False):
            places[number] = place
            used.add(place)
            assumed.append(number)
        start = end
    return assumed


def _free(
    places: Sequence[int | None], start: int, end: int, used: set[int], length: int
) -> list[int]:
    """Return the free places between the neighbours of a run of words without a place."""
    count = end - start
    left = places[start - 1] if start else None
    right = places[end] if end < len(places) else None
    if left is not None and right is not None:
        low, high = min(left, right) + 1, max(left, right)
    elif left is not None:
        low, high = left + 1, min(length, left + 1 + count)
    elif right is not None:
        low, high = max(0, right - count), right
    else:
        return []
    between = range(low, high)
    if not 0 < len(between) <= count + 1:
        return []
    return [place for place in between if place not in used][:count]
