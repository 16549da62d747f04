"""Words of a query that the index doesn't hold, and those it holds that may have been meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import apsw

from ragkit.db import fetch
from ragkit.lexical import phrase_form
from ragkit.text import STOP_WORDS

# A shorter word is near too many others; a longer one is hardly a word, and has many neighbours.
_SHORTEST, _LONGEST = 5, 24
# From this many letters on two slips are looked for where one finds nothing.
_SHORTEST_WITH_TWO_SLIPS = 8
# How many words of a query are looked at: each costs 1.5 ms at 10k chunks, and 15 to 50 ms where
# it holds a million, in fifteen parts; 1 to 6 ms once these are merged (words.merge).
_MOST_WORDS = 2
_MOST_CORRECTIONS = 2

_ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "αβγδεζηθικλμνξοπρστυφχψω",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ",
    "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
)

Tokens = Callable[[str], list[str]]


def corrections(
    connection: apsw.Connection, words: Sequence[str], tokens: Tokens
) -> dict[str, tuple[str, ...]]:
    """Return for each word that no chunk holds the most frequent ones within a slip or two of it.

    A slip is a letter too many, too few, wrong, or in its neighbour's place. Words that are held,
    that aren't of letters alone, or that have no such neighbour are left out.
    """
    found = {}
    unknown = [
        word
        for word in dict.fromkeys(words)
        if _SHORTEST <= len(word) <= _LONGEST and word.isalpha() and not _is_held(connection, word)
    ]
    for word in unknown[:_MOST_WORDS]:
        spelling = phrase_form(word).lower()
        near = _one_slip_away(connection, spelling, tokens)
        if not near and len(spelling) >= _SHORTEST_WITH_TWO_SLIPS:
            near = _two_slips_away(connection, spelling, tokens)
        if near:
            found[word] = tuple(near[:_MOST_CORRECTIONS])
    return found


def _is_held(connection: apsw.Connection, word: str) -> bool:
    """Whether a chunk holds the word; counting the chunks would take longer."""
    query = "SELECT 1 FROM words WHERE words MATCH ? LIMIT 1"
    return bool(fetch(connection, query, f'"{phrase_form(word)}"'))


def _one_slip_away(connection: apsw.Connection, word: str, tokens: Tokens) -> list[str]:
    """Return the words one slip away that the index holds, the most frequent first."""
    spellings = sorted(set(_slips(word)) - {word} - STOP_WORDS)
    stems = tokens(" ".join(spellings))
    if len(stems) != len(spellings):  # an alphabet that the tokenizer cuts within words
        return []
    by_stem = dict(zip(reversed(stems), reversed(spellings), strict=True))
    held = fetch(
        connection,
        "SELECT terms.term, terms.doc FROM json_each(?) AS candidate"
        " CROSS JOIN terms ON terms.term = candidate.value",
        json.dumps(list(by_stem), ensure_ascii=False),
    )
    return [by_stem[stem] for stem, _ in sorted(held, key=lambda row: (-row[1], row[0]))]


def _slips(word: str) -> Iterator[str]:
    alphabet = next((a for a in _ALPHABETS if any(c in a for c in word)), "".join(set(word)))
    for i in range(len(word) + 1):
        before, after = word[:i], word[i:]
        yield from (before + letter + after for letter in alphabet)
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in alphabet)
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]


def _two_slips_away(connection: apsw.Connection, word: str, tokens: Tokens) -> list[str]:
    """Return the stems two slips away that the index holds, the most frequent first.

    Only those that begin like the word, to its middle: they stand together in the index.
    """
    (stem,) = tokens(word)[:1] or [word]
    start = stem[: len(stem) // 2]
    held = fetch(
        connection,
        "SELECT term, doc FROM terms WHERE term >= ?1 AND term < ?2"
        " AND length(term) BETWEEN ?3 - 2 AND ?3 + 2",
        start,
        start + "\U0010ffff",
        len(stem),
    )
    near = [(term, count) for term, count in held if slips_between(stem, term, most=2) <= 2]
    near.sort(key=lambda row: (-row[1], row[0]))
    # A stem that is stemmed further stands for nothing in the index.
    return [term for term, _ in near[: 2 * _MOST_CORRECTIONS] if tokens(term) == [term]]


def slips_between(first: str, second: str, *, most: int) -> int:
    """Return by how many slips two words differ; more than `most` is `most + 1`.

    This is the restricted Damerau-Levenshtein distance (optimal string alignment).
    """
    if abs(len(first) - len(second)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(second, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == second[j - 2] and first[i - 2] == b:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
