"""What a question asks for, and what a sentence denies, lacks or says the opposite of."""

from __future__ import annotations

import pytest

from ragkit.questions import asks_for, denies, offers, opposite


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When does it leave?", "time"),
        ("In what year was it built?", "time"),
        ("How many cars fit?", "number"),
        ("What percentage is that?", "number"),
        ("Who built it?", "name"),
        ("Which city is it in?", "name"),
        ("Why is it green?", "any"),
    ],
)
def test_what_is_asked_for(question: str, kind: str) -> None:
    """A time, a number, a name, or anything."""
    assert asks_for(question) == kind


@pytest.mark.parametrize(
    ("question", "text", "is_offered"),
    [
        ("When does it leave?", "It leaves at 7:30.", True),
        ("When does it leave?", "It leaves soon.", False),
        ("How many cars fit?", "It takes forty-two or 42 cars.", True),
        ("How many of the 42 cars fit?", "Of the 42 cars few fit.", False),
        ("Who built it?", "It was built by Anna.", True),
        ("Who built the Anna?", "The Anna was built well.", False),
        ("Why is it green?", "It is.", True),
    ],
)
def test_what_a_text_offers(question: str, text: str, is_offered: bool) -> None:
    """Something of the kind that the question doesn't say itself."""
    assert offers(asks_for(question), question, text) is is_offered


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("It does not leave.", True),
        ("It doesn't leave.", True),
        ("It is unprotected.", True),
        ("It failed.", True),
        ("It leaves under the bridge of the university.", False),
    ],
)
def test_denial(text: str, does: bool) -> None:
    """By a word or a prefix; not every word that begins so denies."""
    assert denies(text) is does


def test_opposites() -> None:
    """A word of the question that the text lacks, with the opposite that it has instead."""
    assert opposite("What is the largest isle?", "Skarholm is the smallest.") == (
        "largest",
        "smallest",
    )
    assert opposite("Largest and smallest?", "The smallest is Skarholm.") is None
    assert opposite("What is the largest isle?", "The largest, not the smallest.") is None
    assert opposite("What is green?", "Red is.") is None
