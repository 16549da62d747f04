"""The verdict on a sentence: what its quote must hold, and what may be said in other words."""

from __future__ import annotations

import pytest

from ragkit.citations import Checked, Checker, Passage, SentenceSplitter
from tests.documents import document
from tests.test_citations import TOKENS, passage

HARBOUR = """\
# Skarholm harbour

Ingrid Berg founded the harbour company in 1871 and sold it to the Lindqvist brothers.
Her nephew Olaf Dahl rebuilt the north quay after the great storm of 1902.
The north quay was widened by the city in 1911, and the old crane was not replaced.
It is possible to moor overnight, but fishing from the pier is prohibited.
Passenger traffic increased steadily until the bridge opened.
In 1930 Astrid Holm defeated Erik Lund in the election for harbour master.
"""
LIGHT = """\
# Lighthouse

The lighthouse keeper polished the lens every morning and wrote the weather into a leather book.
Its lamp burned colza oil until gas was laid to the island.
"""
PASSAGES = [
    passage(document(HARBOUR, uri="file:///harbour.md", id_="harbour")),
    passage(document(LIGHT, uri="file:///light.md", id_="light"), number=2),
]


def check(sentence: str, *, question: str = "?", passages: list[Passage] = PASSAGES) -> Checked:
    return Checker(passages, question=question, tokens=TOKENS).check(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ingrid Berg started the harbour company and sold it to the Lindqvist brothers [1].",
        "In 1871, Ingrid Berg founded the harbour company [1].",
        "The city widened the north quay in 1911 [1].",
        "After the great storm of 1902, Olaf Dahl reconstructed the north quay [1].",
        "Fishing from the pier is forbidden [1].",
        "Passenger traffic rose steadily until the bridge opened [1].",
        "Erik Lund was defeated by Astrid Holm in the election for harbour master [1].",
        "Olaf Dahl, the nephew of Ingrid Berg, rebuilt the north quay [1].",
        "The keeper of the lighthouse polished the lens each morning [2].",
    ],
)
def test_other_words_for_the_same(sentence: str) -> None:
    """Synonyms, another order and another voice are no reason to withhold a sentence."""
    checked = check(sentence)
    assert (checked.reason, bool(checked.quotes)) == ("", True)


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Olaf Dahl founded the harbour company in 1871 [1].", "Olaf does not stand"),
        ("Ingrid Berg rebuilt the north quay after the great storm of 1902 [1].", "Berg does not"),
        ("Erik Lund defeated Astrid Holm in the election for harbour master [1].", "it swaps Erik"),
        ("The north quay was widened by the city in 1902 [1].", "1902 does not stand"),
        ("The old crane was replaced [1].", "it says the opposite"),
        ("It is impossible to moor overnight [1].", "it says the opposite"),
        ("Fishing from the pier is allowed [1].", "it says the opposite"),
        (
            "Passenger traffic decreased steadily until the bridge opened [1].",
            "it says the opposite",
        ),
        ("Passenger traffic did not increase until the bridge opened [1].", "it says the opposite"),
    ],
)
def test_what_the_quoted_sentence_denies(sentence: str, reason: str) -> None:
    """A name or number from elsewhere in the passage is as wrong as one that it doesn't hold."""
    checked = check(sentence)
    assert checked.reason.startswith(reason)
    assert checked.quotes == ()


@pytest.mark.parametrize("cited", ["[1]", "[2]", "[1][2]", ""])
def test_a_splice_is_withheld(cited: str) -> None:
    """Half of one passage and half of another say what neither says, whichever is cited."""
    sentence = "Ingrid Berg founded the harbour company and wrote the weather into a leather book"
    assert not check(f"{sentence} {cited}.").quotes


def test_two_whole_statements_have_a_quote_each() -> None:
    """A sentence that says two things is carried by the two passages that say them."""
    sentence = (
        "Passenger traffic increased steadily until the bridge opened, while"
        " the lamp of the lighthouse burned colza oil until gas was laid to the island [1][2]."
    )
    checked = check(sentence)
    assert [quote.passage.number for quote in checked.quotes] == [1, 2]


@pytest.mark.parametrize("cited", ["[1]", "[7]", ""])
def test_the_passage_that_says_it_is_quoted(cited: str) -> None:
    """A wrong, a foreign and a missing marker give way to the passage that says the sentence."""
    checked = check(f"Its lamp burned colza oil until gas was laid to the island {cited}.")
    assert [quote.passage.number for quote in checked.quotes] == [2]
    assert checked.foreign == ((7,) if cited == "[7]" else ())


def test_words_of_the_passage_in_a_new_statement() -> None:
    """Names and terms alone carry nothing: what is said of them must stand there."""
    sentence = (
        "The harbour company owes its reputation to lectures about the Lindqvist brothers [1]."
    )
    assert check(sentence).reason == "the passage it cites doesn't say so"


@pytest.mark.parametrize(
    ("quotation", "is_there"),
    [
        ("polished the lens every morning", True),
        ("Polished  the\nlens every morning", True),
        ("polished the lamp every morning", False),
    ],
)
def test_a_quotation_stands_in_the_cited_passage(quotation: str, is_there: bool) -> None:
    """Five words in quotation marks must be those of the source, but for white space and case."""
    checked = check(f"The lighthouse keeper “{quotation}” [2].")
    assert bool(checked.quotes) == is_there


def test_the_question_may_be_taken_up() -> None:
    """Words of the question need no source, as long as the rest of the sentence has one."""
    sentence = "The winner of the vote was Astrid Holm, who defeated Erik Lund in the election [1]."
    assert check(sentence).reason == "the passage it cites doesn't say so"
    assert check(sentence, question="Who was the winner of the vote?").reason == ""


def test_a_table_is_cut_into_rows() -> None:
    """Each row of a table is a sentence of its own, with its marker; nothing is rewritten."""
    reply = (
        "| port | boats |\n| --- | --- |\n| Oslo town quay | 4 [1] |\n| Bergen old quay | 7 [2] |"
    )
    splitter = SentenceSplitter()
    pieces = [*splitter.push(reply), *splitter.flush()]
    assert "".join(pieces) == reply
    assert any(piece.startswith("| Oslo town quay | 4 [1] |") for piece in pieces)
    assert pieces[-1] == "| Bergen old quay | 7 [2] |"


def test_a_sentence_may_begin_in_the_middle_of_one() -> None:
    """A word that stands there twice is the one that keeps its company."""
    text = (
        "Many aspects of Skerry navigation, such as the exact moorings where Skerry pilots come"
        " aboard and how long they stay, are poorly documented."
    )
    sentence = "Skerry pilots come aboard and how long they stay, are poorly documented [1]."
    assert check(sentence, passages=[passage(document(text))]).reason == ""


@pytest.mark.parametrize("sign", ["¹", "①", "½", "٣"])
def test_digits_that_are_no_numbers(sign: str) -> None:
    """A footnote's sign, a fraction or another script's digit is read, whatever the verdict."""
    text = f"# Fares\n\nThe {sign} {sign} fares of the ferry rise in May, says note {sign}.\n"
    fares = [passage(document(text, uri="file:///fares.md", id_="fares"))]
    checked = check(f"The {sign} {sign} fares rise in May, says note {sign} [1].", passages=fares)
    assert checked.quotes
