"""How far a sentence follows another: which of its words stand there, and in the same company."""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import partial

from ragkit.citations.wording import Kind, Word

# Two words keep company if at most this many places lie between theirs in the source.
_NEAR = 3
# What a word is worth that stands there far from its neighbours, that stands in the place of
# another, or that only the question has. Chosen with the thresholds of the checks, on the dev split
# of tests.benchmarks.citations.
_ALONE_WORTH = 0.35
_ASSUMED_WORTH = 0.8
_ECHOED_WORTH = 0.5
# So many words in a row may be other words for those in their places; one at either end.
_MOST_ASSUMED = 2


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

    def is_there(self, number: int) -> bool:
        """Whether a word of the claim stands in the source itself."""
        return self.places[number] is not None and number not in self.assumed

    def support(self, granted: frozenset[str], echoed: frozenset[str]) -> list[float]:
        """Return how well each word of the claim is supported, from 0 to 1.

        `granted` are stems that need no support, as those of the headings above the source;
        `echoed` are those of the question, which a sentence may take up.
        """
        return [
            1.0
            if word.stem in granted
            else max(self._support(number), _ECHOED_WORTH if word.stem in echoed else 0.0)
            for number, word in enumerate(self.claim)
        ]

    def displaced(self, kind: Kind) -> list[str]:
        """Return the names or numbers of the claim in whose place the source has another one."""
        return [
            self.claim[number].text
            for group in self._groups(kind)
            if self._neighbours_another(group)
            for number in group
        ]

    def _groups(self, kind: Kind) -> list[list[int]]:
        """Return the words of a kind that stand elsewhere in the source, or nowhere in it.

        Those side by side come together, where they have that in common.
        """
        numbers = [number for number, word in enumerate(self.claim) if word.kind == kind]
        groups: list[list[int]] = []
        for number in numbers:
            last = groups[-1][-1] if groups else -2
            if last == number - 1 and self.is_there(last) == self.is_there(number):
                groups[-1].append(number)
            else:
                groups.append([number])
        return [group for group in groups if not self._is_at_home(group)]

    def _is_at_home(self, group: Sequence[int]) -> bool:
        """Whether a group stands in the source beside a neighbour that it has in the claim."""
        return any(
            self.is_there(own)
            and 0 <= other < len(self.places)
            and self.is_there(other)
            and abs((self.places[other] or 0) - (self.places[own] or 0)) <= _NEAR
            for own, other in ((group[0], group[0] - 1), (group[-1], group[-1] + 1))
        )

    def _neighbours_another(self, group: Sequence[int]) -> bool:
        """Whether a free name or number stands where the group's neighbours would have it."""
        taken = {
            place
            for number, place in enumerate(self.places)
            if self.is_there(number) and number not in group
        }
        own = {self.places[number] for number in group if self.is_there(number)}
        for neighbour, step in ((group[0] - 1, 1), (group[-1] + 1, -1)):
            if not 0 <= neighbour < len(self.places) or not self.is_there(neighbour):
                continue
            place = (self.places[neighbour] or 0) + step
            if place in own or place in taken or not 0 <= place < len(self.source):
                continue
            if self.source[place].kind:
                return True
        return False

    def swapped(self) -> str:
        """Return the first of two names that stand the other way round about the same word."""
        known = [n for n, word in enumerate(self.claim) if word.kind == "name" and self.is_there(n)]
        for first, second in itertools.combinations(known, 2):
            low, high = self.places[second] or 0, self.places[first] or 0
            between = self.places[first + 1 : second]
            if low < high and any(p is not None and low < p < high for p in between):
                return self.claim[first].text
        return ""

    def _support(self, number: int) -> float:
        place = self.places[number]
        if place is None:
            return 0.0
        has_company = any(
            (other_place := self.places[other]) is not None and abs(other_place - place) <= _NEAR
            for other in (number - 1, number + 1)
            if 0 <= other < len(self.places)
        )
        if number in self.assumed:
            return _ASSUMED_WORTH if has_company else _ASSUMED_WORTH / 2
        return 1.0 if has_company else _ALONE_WORTH


def align(claim: Sequence[Word], source: Sequence[Word]) -> Alignment:
    """Return the places of a claim's words in a source: of several, the one that keeps company."""
    index: dict[str, list[int]] = {}
    for place, word in enumerate(source):
        index.setdefault(word.stem, []).append(place)
    places: list[int | None] = []
    used: set[int] = set()
    last: int | None = None
    for number, word in enumerate(claim):
        options = index.get(word.stem)
        if not options:
            places.append(None)
            continue
        following = claim[number + 1].stem if number + 1 < len(claim) else ""
        best = min(options, key=partial(_cost, source, used, last, following))
        places.append(best)
        used.add(best)
        last = best
    assumed = _assume(places, used, len(source))
    return Alignment(claim, source, tuple(places), frozenset(assumed))


def _cost(
    source: Sequence[Word], used: Set[int], last: int | None, following: str, place: int
) -> tuple[bool, bool, int, int]:
    """Return what speaks against a place for a word: the least is the best.

    `last` is the place of the word before it, None for the first, and `following` the stem of the
    word after it.
    """
    distance = 0 if last is None else abs(place - last - 1)
    is_near = last is not None and distance <= _NEAR
    is_alone = not is_near and not _precedes(source, place, following)
    return place in used, is_alone, distance, place


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
    if count > (_MOST_ASSUMED if left is not None and right is not None else 1):
        return []
    return [place for place in between if place not in used][:count]
