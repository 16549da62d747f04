"""Sentences that answer as they stand: which of them, and in what order."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.chunking import chunk
from ragkit.citations import Passage
from ragkit.extraction import MAX_SENTENCES, Candidate, choose, quotable
from tests.documents import document

RULES = """\
# Ferry rules

## Dogs

Dogs travel free. They stay on the car deck.

---

## Fees

A kennel costs 5 euros. Blankets are lent for nothing.
"""


def passage(text: str = RULES, *, number: int = 1) -> Passage:
    whole = document(text)
    (only,) = chunk(whole, max_tokens=400)
    return Passage(number, only, "hash", whole.headings)


def candidates(scores: Mapping[str, float], *passages: Passage) -> list[Candidate]:
    """Return the passages' sentences with the scores given by their beginnings."""
    return [
        Candidate(quote, score)
        for each in passages
        for quote in quotable(each)
        for beginning, score in scores.items()
        if quote.text.startswith(beginning)
    ]


def chosen(question: str, found: list[Candidate]) -> list[str]:
    return [item.quote.text for item in choose(question, found)]


def test_headings_rules_and_fragments_are_no_answers() -> None:
    """What can stand alone is quotable: no headings, lines of dashes, or pieces of two words."""
    assert [quote.text for quote in quotable(passage(RULES + "\n\nNot this.\n"))] == [
        "Dogs travel free.",
        "They stay on the car deck.",
        "A kennel costs 5 euros.",
        "Blankets are lent for nothing.",
    ]


def test_a_heading_without_marks_is_none_either() -> None:
    """In a text whose headings carry no #, the words tell."""
    text = "Rules on board\n==============\n\nDogs travel free.\n"
    assert [quote.text for quote in quotable(passage(text))] == ["Dogs travel free."]


def test_the_best_sentence_is_alone_where_it_stands_out() -> None:
    """Others are shown only if they are nearly as good."""
    found = candidates({"Dogs": 0.8, "They": 0.5, "Blankets": 0.2}, passage())
    assert chosen("Who travels free?", found) == ["Dogs travel free."]


def test_sentences_come_in_reading_order_the_best_ones_passage_first() -> None:
    """Whatever their scores are, and wherever their passages were ranked."""
    other = passage("# Cats\n\nCats travel free too. They need a basket.\n", number=2)
    scores = {"Cats": 0.79, "They need": 0.8, "Dogs": 0.78}
    found = candidates(scores, passage(), other)
    expected = ["Cats travel free too.", "They need a basket.", "Dogs travel free."]
    assert chosen("Who travels free?", found) == expected
    assert chosen("Who travels free?", found[::-1]) == expected


def test_a_sentence_is_shown_once() -> None:
    """The same words in another document, or broken over lines, add nothing."""
    again = passage("# Copy\n\nDogs   TRAVEL\nfree.\n", number=2)
    found = candidates({"Dogs": 0.8}, passage(), again)
    assert chosen("Who travels free?", found) == ["Dogs travel free."]


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("What is a kennel?", "Blankets are lent for nothing."),
        ("How much is a kennel?", "A kennel costs 5 euros."),
        ("What is the price of a kennel?", "A kennel costs 5 euros."),
        ("HOW LONG is a kennel kept?", "A kennel costs 5 euros."),
    ],
)
def test_a_question_for_a_number_wants_one(question: str, best: str) -> None:
    """A sentence with a number is preferred where one is asked for."""
    found = candidates({"A kennel": 0.41, "Blankets": 0.5}, passage())
    assert chosen(question, found)[0] == best


def test_at_most_so_many() -> None:
    """However many sentences are as good, few are shown."""
    text = " ".join(f"Boat {word} is red." for word in "alpha beta gamma delta eta".split())
    found = candidates({"Boat": 0.5}, passage(f"# Boats\n\n{text}\n"))
    assert chosen("Which boat is red?", found) == [
        "Boat alpha is red.",
        "Boat beta is red.",
        "Boat gamma is red.",
    ]


def test_nothing_comes_of_nothing() -> None:
    """Without sentences there is no answer."""
    assert choose("Who?", []) == []


@given(
    st.lists(st.floats(-20, 20), min_size=4, max_size=4),
    st.sampled_from(["Who?", "How much?"]),
)
def test_the_best_is_always_chosen(scores: list[float], question: str) -> None:
    """Scores may lie anywhere: a reranker's may all be negative."""
    found = [
        Candidate(quote, score) for quote, score in zip(quotable(passage()), scores, strict=True)
    ]
    worth = {
        item.quote.text: item.score + (0.1 if "5" in item.quote.text and "How" in question else 0)
        for item in found
    }
    shown = chosen(question, found)
    assert 1 <= len(shown) <= MAX_SENTENCES
    assert max(worth.values()) in [worth[text] for text in shown]
