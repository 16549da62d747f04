"""Sentences that answer as they stand: which of them, and in what order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.chunking import chunk
from ragkit.citations import Passage
from ragkit.extraction import (
    MAX_SENTENCES,
    Candidate,
    choose,
    parts,
    quotable,
    quotations,
)
from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from tests.documents import EMBEDDER, document, put

RULES = """\
# Ferry rules

## Dogs

Dogs travel free. They stay on the car deck.

---

## Fees

A kennel costs 5 euros. Blankets are lent for nothing.
"""


def passage(text: str = RULES, *, number: int = 1, uri: str = "file:///notes/a.md") -> Passage:
    whole = document(text, uri=uri)
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


def test_questions_leads_and_contents_are_no_answers() -> None:
    """Nor is a line that only leads to the next ones, or one of a table of contents."""
    text = (
        "# Dogs\n\nMay dogs come along?\n\nOn board these rules hold:\n\n"
        "- Dogs stay on deck.\n\nRules for owners of dogs ........ 12\n"
    )
    assert [quote.text for quote in quotable(passage(text))] == ["- Dogs stay on deck."]


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
    found = candidates({"A kennel": 0.46, "Blankets": 0.5}, passage())
    assert chosen(question, found)[0] == best


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("When did the ferry sink?", "The ferry sank in May 1961."),
        ("Who lost the ferry?", "The ferry was lost by Magnus Corrie."),
        ("Where did the ferry sink?", "The ferry sank near Ulvary."),
        ("Why did the ferry sink?", "The ferry sank because a hose broke."),
        ("Did the ferry ever sink?", "The ferry has never sailed again."),
        ("The old ferry sank after a fire.", "The results suggest a fire on board."),
        ("ferry sank", "The ferry sank at last."),
    ],
)
def test_the_kind_of_answer_that_was_asked_for(question: str, best: str) -> None:
    """Among sentences that match as well, one that holds it is best; a claim wants a finding."""
    sentences = [
        "The ferry sank at last.",
        "The ferry sank in May 1961.",
        "The ferry was lost by Magnus Corrie.",
        "The ferry sank near Ulvary.",
        "The ferry sank because a hose broke.",
        "The ferry has never sailed again.",
        "The results suggest a fire on board.",
    ]
    others = {text: 0.5 for text in sentences if text in (sentences[0], best)}
    found = candidates(others, passage("# Loss\n\n" + " ".join(sentences) + "\n"))
    worst_first = sorted(found, key=lambda item: item.quote.text == best)
    assert chosen(question, worst_first)[0 if best == sentences[0] else -1] == best
    assert len(chosen(question, worst_first)) == 1


def test_what_else_speaks_for_a_sentence() -> None:
    """Among equal scores its token vectors tell, and then its passage's place in the search."""
    first, second, *_ = quotable(passage())
    near = [Candidate(first, 0.5), Candidate(second, 0.5, near=0.4)]
    found = [Candidate(first, 0.5, found=0.1), Candidate(second, 0.5, found=0.9)]
    assert chosen("What of dogs?", near) == [second.text]
    assert chosen("What of dogs?", found) == [second.text]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("What does a kennel cost?", []),
        ("The till shows F-11, what does it mean?", []),
        (
            "What does a kennel cost, and who lends blankets?",
            ["What does a kennel cost", "who lends blankets?"],
        ),
        (
            "Which ship was it and at what rate per day?",
            ["Which ship was it", "at what rate per day?"],
        ),
        ("May dogs land? Where do they wait?", ["May dogs land?", "Where do they wait?"]),
        (
            "I booked in May. How much do I get back, and when does it come?",
            ["I booked in May. How much do I get back", "I booked in May. when does it come?"],
        ),
    ],
)
def test_a_question_may_ask_for_several_things(question: str, asked: list[str]) -> None:
    """It is taken apart where another question begins; what is only said goes with each."""
    assert parts(question) == asked


def test_each_thing_asked_for_gets_its_sentence() -> None:
    """The best for each is shown, though another thing's sentences match the whole better."""
    scores = {"Dogs": (0.8, (0.9, 0.1)), "They": (0.5, (0.5, 0.1)), "A kennel": (0.4, (0.1, 0.6))}
    found = [
        Candidate(quote, score, by_part=by_part)
        for quote in quotable(passage())
        for beginning, (score, by_part) in scores.items()
        if quote.text.startswith(beginning)
    ]
    question = "Who travels free, and what does a kennel cost?"
    assert chosen(question, found) == ["Dogs travel free.", "A kennel costs 5 euros."]
    assert chosen("Who travels free?", found) == ["Dogs travel free."]


def test_a_thing_that_nothing_answers_gets_none() -> None:
    """A sentence that hardly matches it is not shown for its sake."""
    found = [
        Candidate(quote, score, by_part=(score, 0.3 - score / 10))
        for quote, score in zip(quotable(passage())[:2], (0.8, 0.2), strict=True)
    ]
    assert chosen("Who travels free, and what does tea cost?", found) == ["Dogs travel free."]


# --- what is shown of them ---------------------------------------------------------------------


def shown(text: str, *beginnings: str) -> list[list[str]]:
    """Return the quotations of the sentences that begin so."""
    whole = passage(text)
    found = [
        Candidate(quote, 0.5) for quote in quotable(whole) if quote.text.startswith(beginnings)
    ]
    assert len(found) == len(beginnings)
    return [[quote.text for quote in quotes] for quotes in quotations(found)]


def test_a_sentence_that_points_back_takes_what_it_points_to() -> None:
    """As one quote, over as many sentences as point back; not over the paragraph's beginning."""
    text = (
        "# Lost\n\nBags are handed in. They get a tag. It has a date. Keys go elsewhere.\n\n"
        "They are kept.\n"
    )
    assert shown(text, "It has") == [["Bags are handed in. They get a tag. It has a date."]]
    assert shown(text, "They get") == [["Bags are handed in. They get a tag."]]
    assert shown(text, "Keys") == [["Keys go elsewhere."]]
    assert shown(text, "They are kept") == [["They are kept."]]


def test_a_sentence_that_is_broken_over_lines_is_whole() -> None:
    """Where every line counts as a sentence, as in code, what goes on is quoted along."""
    text = '''def fare():
    """A motorhome of 7.2 m has 1.2 m of excess,
    hence three half metres.

    and this is another paragraph
    """
'''
    whole = ["A motorhome of 7.2 m has 1.2 m of excess,\n    hence three half metres."]
    for beginning in ("A motorhome", "hence"):
        (quote,) = [
            each
            for each in quotable(passage(text, uri="file:///fares.py"))
            if each.text.strip('"').startswith(beginning)
        ]
        shown_of_it = quotations([Candidate(quote, 0.5)])
        assert [[each.text.strip('"') for each in quotes] for quotes in shown_of_it] == [whole]


def test_quotes_that_overlap_are_one() -> None:
    """What two sentences need to be read with is shown once."""
    text = "# Lost\n\nBags are handed in. They get a tag. It has a date.\n"
    expected = [["Bags are handed in. They get a tag. It has a date."]]
    assert shown(text, "They get", "It has") == expected
    assert shown(text, "Bags", "They get") == [["Bags are handed in. They get a tag."]]


def test_a_row_comes_with_its_header() -> None:
    """As a quote of its own, once; a first row with figures is a row like the others."""
    table = "| Thing | Price |\n|---|---|\n| Small kennel | 5 |\n| Large kennel | 9 |\n"
    assert shown(f"# Fees\n\n{table}", "| Small", "| Large") == [
        ["| Thing | Price |", "| Small kennel | 5 |"],
        ["| Large kennel | 9 |"],
    ]
    words = "| Thing | Allowed |\n|---|---|\n| Dog | on deck |\n"
    assert shown(f"# Pets\n\n{words}", "| Dog") == [["| Thing | Allowed |", "| Dog | on deck |"]]
    headless = "| Small kennel | 5 |\n| Large kennel | 9 |\n"
    assert shown(f"# Fees\n\n{headless}", "| Large") == [["| Large kennel | 9 |"]]


def test_an_item_comes_with_the_line_that_leads_to_it() -> None:
    """Whichever item of the list it is; where nothing leads to it, it stands alone."""
    items = "- Dogs need a muzzle.\n- Cats need a basket.\n"
    led = f"# Pets\n\nOn board these rules hold:\n\n{items}"
    assert shown(led, "- Cats") == [["On board these rules hold:", "- Cats need a basket."]]
    bare = f"# Pets\n\nRules change.\n\n{items}"
    assert shown(bare, "- Cats") == [["- Cats need a basket."]]


def test_the_citations_of_a_row(tmp_path: Path) -> None:
    """Header and row are both cited, each where it stands in the document."""
    text = "# Fees\n\n| Thing | Price |\n|---|---|\n| Small kennel | 5 euros |\n"
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(text), max_tokens=200)
    index = Index(store, embedder=EMBEDDER, settings=Settings(gate_threshold=0.0))
    answer = index.ask("What does a small kennel cost?")
    assert answer.text == "| Thing | Price |\n| Small kennel | 5 euros | [1][2]"
    assert [text[c.span.start : c.span.end] for c in answer.citations] == [
        "| Thing | Price |",
        "| Small kennel | 5 euros |",
    ]
    assert [c.quote for c in answer.citations] == answer.text.removesuffix(" [1][2]").split("\n")
    store.close()


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
        item.quote.text: item.score + (0.05 if "5" in item.quote.text and "How" in question else 0)
        for item in found
    }
    shown = chosen(question, found)
    assert 1 <= len(shown) <= MAX_SENTENCES
    assert max(worth.values()) in [worth[text] for text in shown]
