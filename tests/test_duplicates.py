"""Which texts say the same, and which only look as if they did."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ragkit.duplicates import Kept, collapse

WORDS = [f"word{'abcdefghij'[n // 26]}{'abcdefghijklmnopqrstuvwxyz'[n % 26]}" for n in range(120)]
LONG = " ".join(WORDS)
ONLY_ONE = [Kept(0, (1,))]
BOTH = [Kept(0, ()), Kept(1, ())]


def changed(place: int, word: str) -> str:
    return " ".join([*WORDS[:place], word, *WORDS[place + 1 :]])


def test_copies() -> None:
    """White space and case make no other text."""
    assert collapse(["The boat\nis red.", "the  BOAT is\tred."]) == ONLY_ONE


def test_a_word_in_a_hundred() -> None:
    """A long text with one other word is a copy; a short one is not, and nor is half a text."""
    assert collapse([LONG, changed(60, "other")]) == ONLY_ONE
    assert collapse(["the boat is as red as all are", "the boat is as blue as all are"]) == BOTH
    assert collapse([LONG, " ".join([*WORDS[:60], *reversed(WORDS[60:])])]) == BOTH


def test_another_figure_is_another_text() -> None:
    """However alike: other figures, or a "not" in one of them, and both stay."""
    assert collapse([changed(60, "€12"), changed(60, "€15")]) == BOTH
    assert collapse([LONG, changed(60, "not")]) == BOTH
    assert collapse([LONG, changed(60, "isn’t,")]) == BOTH
    assert collapse([changed(60, "€12"), changed(60, "€12")]) == ONLY_ONE


def test_a_text_within_a_better_one() -> None:
    """It says nothing more; a longer one that comes after does, and stays."""
    short = " ".join(WORDS[10:40])
    assert collapse([LONG, short]) == ONLY_ONE
    assert collapse([short, LONG]) == BOTH
    assert collapse([LONG, short.removesuffix("d") + "x"]) == BOTH


def test_words_are_whole() -> None:
    """A text that ends within a word of another doesn't stand in it."""
    assert collapse(["we sell the tickets for dogs here", "sell the tickets for dogs he"]) == BOTH


def test_short_texts() -> None:
    """What is shorter than a run of words is compared as a whole."""
    assert collapse(["Fares", "fares", "Dogs", ""]) == [Kept(0, (1,)), Kept(2, ()), Kept(3, ())]


def test_the_first_keeps_its_copies() -> None:
    """Copies are listed with the text that they are copies of, in order."""
    assert collapse(["a b", "c d", "A B", "C D", "a  b"]) == [Kept(0, (2, 4)), Kept(1, (3,))]


@given(st.lists(st.text(alphabet="ab c1", max_size=30), max_size=20))
def test_nothing_is_lost(texts: list[str]) -> None:
    """Every text is kept or a copy of one, once; what is kept is kept again, and in order."""
    kept = collapse(texts)
    places = [each.place for each in kept]
    assert places == sorted(places)
    assert sorted([*places, *(c for each in kept for c in each.copies)]) == list(range(len(texts)))
    again = collapse([texts[place] for place in places])
    assert again == [Kept(place, ()) for place in range(len(places))]
