"""Words of a document's text found again among the characters of a page.

The two differ: white space, hyphens at line ends, ligatures, cells put into a row, a footnote's
mark given back to its word. So letters and digits are compared alone, and where they don't follow
each other on the page, run by run.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

RUN_LETTERS = 6  # fewer stand on a page by chance
FOUND_SHARE = 0.6  # of the letters: less, and it is another text that was found
QUOTE_WORDS = 2_000
_STOP = re.compile(r"[.,;:!?)\]}%'\"’”»]+")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Letters:
    """The letters and digits of a text, without case and accents, and where each comes from."""

    text: str
    places: list[int]
    source: str

    @classmethod
    def of(cls, source: str) -> Letters:
        """Take the letters out of a text."""
        text: list[str] = []
        places: list[int] = []
        for at, character in enumerate(source):
            for letter in _letters(character):
                text.append(letter)
                places.append(at)
        return cls("".join(text), places, source)


def _letters(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    plain = unicodedata.normalize("NFKD", character).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def find_words(page: Letters, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last character on the page of each run of `text[start:end]`.

    `text` is the page's text as the document has it. Of several places the one counts that is
    about as far down the page. Nothing is yielded where most of the words aren't on the page.
    """
    before, whole = len(Letters.of(text[:start]).text), len(Letters.of(text).text)
    expected = round(len(page.text) * before / max(whole, 1))
    wanted = Letters.of(text[start:end]).text
    if not wanted:
        return
    at = _nearest(page.text, wanted, expected)
    runs = [(at, at + len(wanted))] if at >= 0 else _runs(page.text, text[start:end], expected)
    if sum(last - first for first, last in runs) < FOUND_SHARE * len(wanted):
        return
    for first, last in runs:
        yield page.places[first], _with_stop(page, page.places[last - 1])


def _with_stop(page: Letters, last: int) -> int:
    """Return where the marks behind a run of letters end: a full stop, a closing quote."""
    match = _STOP.match(page.source, last + 1)
    return match.end() - 1 if match else last


def _runs(page: str, quote: str, expected: int) -> list[tuple[int, int]]:
    """Return where runs of the quote's words are on the page, each as long as can be."""
    words = [word for match in _WORD.finditer(quote) if (word := Letters.of(match[0]).text)]
    words = words[:QUOTE_WORDS]
    runs = []
    first = 0
    while first < len(words):
        run, last = words[first], first + 1
        while run in page and last < len(words) and run + words[last] in page:
            run += words[last]
            last += 1
        if len(run) >= RUN_LETTERS and (at := _nearest(page, run, expected)) >= 0:
            runs.append((at, at + len(run)))
            expected = at + len(run)
        first = last
    return runs


def _nearest(page: str, wanted: str, expected: int) -> int:
    """Return where a run of letters begins that is nearest to a place, -1 where none is."""
    before = page.rfind(wanted, 0, max(expected, 0) + len(wanted))
    after = page.find(wanted, max(expected, 0))
    if before < 0 or after < 0:
        return max(before, after)
    return before if expected - before <= after - expected else after
