"""What ties a sentence to its source: markers, sentences, checks, quotes and their places."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.chunking import chunk
from ragkit.citations import (
    Checked,
    Checker,
    Numbering,
    Passage,
    Quote,
    SentenceSplitter,
    numbers,
    split_markers,
    with_markers,
)
from ragkit.store import SqliteStore
from ragkit.types import Block, Document, Heading, Lines, Page, Span
from tests.documents import document

FERRY = """\
# Skarholm line

The morning ferry to Skarholm leaves at 7:00 from the north quay and takes two hours.
A crossing costs 1,234.50 kronor for a lorry.

## Dogs

Dogs travel free of charge, but may not enter the saloon.
Animals of more than 40 kg travel on the car deck.

## Engines

The "E-417" alarm comes on below 35 bar when the "low" lamp is lit. The captain said: "Nobody
starts the engine without me on the bridge."
"""
BREAD = """\
# Bread

Sourdough wants patience: let the dough rest for twelve hours in a cool and dark cellar.
Pier No. 3 sells the flour.
"""
TOKENS = SqliteStore(Path("nowhere.db")).tokens  # the store's tokenizer; no file is touched


def passage(whole: Document, *, number: int = 1, max_tokens: int = 400) -> Passage:
    """Return the document's only chunk as a passage."""
    (only,) = chunk(whole, max_tokens=max_tokens)
    return Passage(number, only, whole.content_hash, whole.headings, whole.pages)


FERRY_DOCUMENT = document(FERRY, uri="file:///notes/ferry.md", id_="ferry")
PASSAGES = [
    passage(FERRY_DOCUMENT),
    passage(document(BREAD, uri="file:///kitchen/bread.md", id_="bread"), number=2),
]


def check(sentence: str, *, question: str = "?", passages: Sequence[Passage] = PASSAGES) -> Checked:
    return Checker(passages, question=question, tokens=TOKENS).check(sentence)


def quoted(checked: Checked) -> list[tuple[int, str]]:
    return [(quote.passage.number, quote.text) for quote in checked.quotes]


# --- markers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "without", "cited"),
    [
        ("Dogs travel free [1].", "Dogs travel free.", [1]),
        ("Dogs travel free.[1][3]", "Dogs travel free.", [1, 3]),
        ("Dogs travel free [1] [3].", "Dogs travel free.", [1, 3]),
        ("Dogs travel free [1, 3].", "Dogs travel free.", [1, 3]),
        ("Dogs travel free [3; 1].", "Dogs travel free.", [3, 1]),
        ("Dogs 【2】 travel free 【2】【4】.", "Dogs travel free.", [2, 4]),
        ("Dogs travel free.", "Dogs travel free.", []),
        ("In [2024] dogs [x] travelled [] free.", "In [2024] dogs [x] travelled [] free.", []),
        ("See [1](https://a.example).", "See [1](https://a.example).", []),
        ("Read `rows[1]` first [2].", "Read `rows[1]` first.", [2]),
        ("```\nx = rows[1]\n```\n[2]", "```\nx = rows[1]\n```", [2]),
        ("Dogs [[1]7] travel free.", "Dogs travel free.", [1, 7]),
        ("Dogs [1[2]] travel free.", "Dogs travel free.", [2, 1]),
    ],
)
def test_markers_are_taken_out(text: str, without: str, cited: list[int]) -> None:
    """Markers come out whole, however they are written; links, code and years stay."""
    assert split_markers(text) == (without, cited)


PIECES = st.sampled_from(
    [
        "[1]",
        "[2",
        "]",
        "[",
        " [3]",
        "1",
        "2",
        ", ",
        "【4】",
        "`",
        "```",
        "\n",
        "(u)",
        "a",
        " ",
        ". B",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_no_marker_is_left(text: str) -> None:
    """Whatever a model writes, nothing that reads as a marker outlasts its removal."""
    without, _ = split_markers(text)
    assert split_markers(without) == (without, [])
    assert not re.search(r"\[\d{1,3}\](?!\()", re.sub(r"```[\s\S]*?```|`[^`\n]+`", " ", without))


# --- sentences of a reply ----------------------------------------------------------------------


def cut(pieces: Iterable[str]) -> list[str]:
    splitter = SentenceSplitter()
    found = [sentence for piece in pieces for sentence in splitter.push(piece)]
    return found + list(splitter.flush())


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dogs travel free [1]. ", "They stay on deck [2]."],
        ["Dogs travel free. [1] ", "They stay on deck. [2][1] ", "Cats may enter the saloon."],
        ["Dogs travel free.[1] ", "They stay on deck.[2]"],
        ["Dogs travel free. 【1】 ", "They stay on deck. 【2】"],
        ["Dogs travel free.\n[1]\n", "They stay on deck.\n[2]"],
        ["Dogs travel free. [1, 2, 3, 4, 5, 6] ", "They stay on deck."],
        ["Yes. Dogs travel free [1]. ", "They stay on deck."],
        ["Yes.\n\n", "Dogs travel free [1]."],
        ["Yes. Dogs travel free. ", "They\nstay on deck."],
        ["It costs 12.50 kronor at 7 p.m. on Mr. Berg's boat. ", "Dogs travel free."],
        ["- Dogs travel free [1]\n", "- Cats travel free [2]\n", "1. Mice travel free [3]"],
        ["# Rules for dogs. And for cats\n", "Dogs travel free [1]."],
        ["Say this:\n", "```\nLet x. Be y\n\n1. Go on\n```\n", "Dogs travel free [1]."],
        ["渡轮七点从北码头出发，航程两小时。[1]", "狗免费乘船，但不得进入沙龙。[2]"],
    ],
)
def test_sentences_of_a_reply(sentences: list[str]) -> None:
    """Markers stay with the sentence before them, code is one piece, short ones join the next."""
    assert cut(["".join(sentences)]) == sentences
    assert cut("".join(sentences)) == sentences  # character by character


REPLIES = st.lists(
    st.sampled_from(
        [
            *(
                "Dogs travel free",
                "Yes",
                "It is 5",
                "no",
                "渡轮出发。",
                "Mr",
                "a.m",
                "E.g",
                "A",
                "x",
            ),
            *(".", ". ", ".\n", "! ", "?", "…", "\n", "\n\n", " ", "  ", '"', "”", "(", "*"),
            *("[1]", "[2]", " [3]", "[", "1", "]", "【4】", "【", "[1, 2, 3, 4, 5]", "(u)"),
            *("- ", "1. ", "12) ", "# ", "## Head. Line", "| a | b |", "```", "\n```\n", "`", "#"),
        ]
    ),
    max_size=25,
).map("".join)


@given(st.one_of(REPLIES, st.text(max_size=60)), st.data())
def test_sentences_do_not_depend_on_the_deltas(reply: str, data: st.DataObject) -> None:
    """The same sentences come out however a reply is cut on its way; joined they are the reply."""
    places = data.draw(st.lists(st.integers(0, len(reply)), max_size=8).map(sorted))
    pieces = [reply[a:b] for a, b in zip([0, *places], [*places, len(reply)], strict=True)]
    whole = cut([reply])
    assert "".join(whole).rstrip() == reply.rstrip()
    assert cut(pieces) == whole
    assert cut(reply) == whole  # character by character


def test_a_heading_that_a_marker_begins_is_one_piece_from_the_start() -> None:
    """What a marker leaves of the line is a heading, which ends with it."""
    reply = "#[1]渡轮出发。.\nDogs travel free."
    assert cut(reply) == cut([reply]) == ["#[1]渡轮出发。.\n", "Dogs travel free."]


def test_a_sentence_comes_as_soon_as_it_is_whole() -> None:
    """The first sentence is not kept back until the reply has ended."""
    splitter = SentenceSplitter()
    assert list(splitter.push("Dogs travel free [1]. T")) == ["Dogs travel free [1]. "]
    assert list(splitter.push("hey stay on deck.")) == []
    assert list(splitter.flush()) == ["They stay on deck."]


# --- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,234.50 and 1234.5", {"1234.5"}),
        ("£5.00 is £5", {"5"}),
        ("007", {"7"}),
        ("0.50 of 0", {"0.5", "0"}),
        ("12% or 12 per cent", {"12"}),
        ("from 5-10, or 5–10", {"5", "10"}),
        ("on 2025-05-06", {"2025", "5", "6"}),
        ("on 6 May 2025 at 7:05", {"6", "2025", "7", "5"}),
        ("the 3rd and 21st", {"3", "21"}),
        ("Two boats, twelve crew", {"2", "12"}),
        ("one of none", set()),
        ("E417, v1.2.3 and M6", {"417", "1", "2", "3", "6"}),
        ("-5 and +5", {"5"}),
        ("٣ boats", {"3"}),
        ("weekday twofold", set()),
    ],
)
def test_numbers(text: str, found: set[str]) -> None:
    """A number is the same however it is written."""
    assert numbers(text) == found


@given(st.one_of(st.text(), st.text(alphabet="0123456789,.-+e٣²")))
def test_any_text_has_numbers(text: str) -> None:
    """No text is too odd to be searched for numbers, and a part of it holds no others."""
    assert numbers(text) <= numbers(f"{text} 1")


def test_a_number_of_any_length() -> None:
    """A run of digits longer than int() takes is a number too."""
    assert numbers("0" + "9" * 5000) == {"9" * 5000}


# --- checks ------------------------------------------------------------------------------------

MORNING = "The morning ferry to Skarholm leaves at 7:00 from the north quay and takes two hours."
DOGS = "Dogs travel free of charge, but may not enter the saloon."


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        ("The morning ferry leaves at 7:00 [1].", [(1, MORNING)]),
        ("The ferry to Skarholm takes 2 hours [1].", [(1, MORNING)]),
        ("A lorry's crossing costs 1234.5 kronor [1].", None),
        ("- Dogs travel free of charge [1]", [(1, DOGS)]),
        ("1. Dogs travel free of charge [1]", [(1, DOGS)]),
        ("Dogs may not enter the saloon [1].", [(1, DOGS)]),
        ("**Dogs** travel *free of charge* [1].", [(1, DOGS)]),
        ("- Travel is free of charge for dogs [1].", [(1, DOGS)]),
        ("Pier 3 sells the flour [2].", [(2, "Pier No. 3 sells the flour.")]),
        ('The captain said that "nobody starts the engine without me on the bridge" [1].', None),
        ("The captain said: „Nobody starts the engine without me on the bridge.“ [1]", None),
        ('The "E-417" alarm comes on below 35 bar if the "low" lamp is lit [1].', None),
    ],
)
def test_true_sentences_are_shown(sentence: str, quotes: list[tuple[int, str]] | None) -> None:
    """What a passage says may be said in other words, with the sentence that says it as quote."""
    checked = check(sentence)
    assert checked.reason == ""
    assert checked.quotes
    assert quotes is None or quoted(checked) == quotes


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("The morning ferry takes three hours [1].", "three hours does not stand in the passage"),
        ("The ferry leaves at 8:00 from the north quay [1].", "8:00 does not stand"),
        ("A crossing costs 1,234.55 kronor [1].", "1,234.55 kronor does not"),
        ("The ferry to Bergen leaves at 7:00 [1].", "Bergen does not stand"),
        ("Dogs may enter the saloon [1].", "it says the opposite"),
        ("Dogs do not travel free of charge [1].", "it says the opposite"),
        ("Lifeboats are inspected every spring [1].", "the passage it cites doesn't say so"),
        ("Lifeboats are inspected every spring.", "it cites no passage"),
        ("Lifeboats are inspected every spring [9].", "it cites [9], which was not given"),
        ('The captain said: "Nobody starts the engine when I am away" [1].', "its quotation"),
        ('The captain said: "' + "nobody starts the engine " * 20 + '" [1].', "its quotation"),
        ("It is so, and they do [1].", "it says nothing that could be checked"),
        ("[1]", "it says nothing that could be checked"),
    ],
)
def test_false_sentences_are_withheld(sentence: str, reason: str) -> None:
    """Numbers, names, negation and quotations that the passage lacks, and what it doesn't say."""
    checked = check(sentence)
    assert checked.reason.startswith(reason)
    assert checked.quotes == ()


@pytest.mark.parametrize(
    ("sentence", "foreign"),
    [
        ("Dogs travel free of charge.", ()),
        ("Dogs travel free of charge [2].", ()),
        ("Dogs travel free of charge [9].", (9,)),
        ("Dogs travel free of charge [0][1].", (0,)),
        ("Dogs travel free of charge [1][2].", ()),
    ],
)
def test_the_passage_that_says_so_is_cited(sentence: str, foreign: tuple[int, ...]) -> None:
    """A marker that is missing, wrong or not given is replaced by that of the right passage."""
    checked = check(sentence)
    assert checked.text == "Dogs travel free of charge."
    assert quoted(checked) == [(1, DOGS)]
    assert checked.foreign == foreign


def test_what_is_given_for_a_missing_marker_is_checked_too() -> None:
    """A sentence without a marker is not let off its numbers."""
    assert check("Dogs of 50 kg travel free of charge.").reason == "it cites no passage"


def test_two_passages_carry_a_sentence_together() -> None:
    """Both are quoted where each adds something."""
    checked = check("Dogs travel free of charge and the dough rests in a dark cellar [2][1].")
    assert [number for number, _ in quoted(checked)] == [1, 2]


def test_a_quote_may_need_two_sentences() -> None:
    """Neighbouring sentences are quoted as one piece where both are needed."""
    checked = check("Dogs may not enter the saloon and animals above 40 kg use the car deck [1].")
    assert quoted(checked) == [(1, FERRY[FERRY.index("Dogs travel") : FERRY.index("\n\n## Eng")])]


def test_the_question_may_be_echoed() -> None:
    """A name that the question brought may stand in the answer."""
    sentence = "The ferry leaves at 7:00 from the north quay for Ingrid [1]."
    assert check(sentence).reason == "Ingrid does not stand in the passage it cites"
    assert check(sentence, question="When does Ingrid's ferry leave?").reason == ""


def test_short_quotations_are_left_alone() -> None:
    """Fewer than five words in quotation marks are a term, and matched as words only."""
    assert check('The "morning boat" leaves at 7:00 from the north quay [1].').reason == ""


def test_headings_above_the_quote_help_to_cover_it() -> None:
    """The words of a heading count for the sentences under it, and for no others."""
    dogs, cats = "## Dogs\n\nThe vet says so.\n\nAll pay 5.", "## Cats\n\nAsk us.\n\nAll pay 7."
    prices = passage(document(f"# Prices\n\n{dogs}\n\n{cats}\n"))
    assert quoted(check("Cats pay 7.", passages=[prices])) == [(1, "All pay 7.")]
    assert check("Dogs pay 7.", passages=[prices]).reason == "it cites no passage"


@given(
    st.lists(
        st.sampled_from(
            ["[1]", "[2]", "[9]", "Dogs", "travel", "free", "not", "7:00", "Bergen", '"', ".", "- "]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_nothing_is_shown_without_a_quote(sentence: str) -> None:
    """A checked sentence has quotes or a reason, never both or none; quotes stand in the text."""
    checked = check(sentence)
    assert bool(checked.quotes) != bool(checked.reason)
    for quote in checked.quotes:
        assert quote.text and quote.text in quote.passage.chunk.text
        assert quote.passage in PASSAGES


# --- places ------------------------------------------------------------------------------------


def cite(sentence: str) -> list[tuple[tuple[str, ...], Lines | None]]:
    citations = Numbering().cite(check(sentence).quotes)
    assert all(c.quote == FERRY[c.span.start : c.span.end] for c in citations)
    return [(citation.heading_path, citation.lines) for citation in citations]


def test_a_quote_has_the_headings_and_lines_of_its_own_place() -> None:
    """Not those of its chunk, which may hold several sections."""
    assert cite("The morning ferry leaves at 7:00 [1].") == [(("Skarholm line",), Lines(3, 3))]
    assert cite("Dogs travel free of charge [1].") == [(("Skarholm line", "Dogs"), Lines(8, 8))]
    (engines,) = cite("The captain: nobody starts the engine without me on the bridge [1].")
    assert engines == (("Skarholm line", "Engines"), Lines(13, 14))


def test_a_quote_has_the_page_of_its_own_place() -> None:
    """Not that of its chunk, which may run over a page's end."""
    pages = ["The first page is about bread.", "The second page is about dogs."]
    text = "\n".join(pages)
    spans = [Span(0, len(pages[0])), Span(len(pages[0]) + 1, len(text))]
    whole = Document(
        id="a",
        uri="file:///a.pdf",
        title="",
        text=text,
        media_type="application/pdf",
        content_hash="h",
        pages=tuple(Page(number, span) for number, span in enumerate(spans, start=4)),
        headings=(Heading(1, "The first page is about bread.", spans[0]),),
        blocks=(Block("paragraph", spans[1]),),
    )
    only = passage(whole)
    (quote,) = check("The second page is about dogs [1].", passages=[only]).quotes
    (citation,) = Numbering().cite([quote])
    assert (citation.quote, citation.page, citation.lines) == (pages[1], 5, None)
    assert citation.span == spans[1]


def test_numbering() -> None:
    """The same quote keeps its number; numbers follow the order of appearance."""
    first, second = (Quote(PASSAGES[0], span) for span in PASSAGES[0].sentences()[1:3])
    numbering = Numbering()
    assert [c.marker for c in numbering.cite([second])] == [1]
    assert [c.marker for c in numbering.cite([first, second])] == [2, 1]
    assert [c.marker for c in numbering.citations] == [1, 2]
    assert [c.quote for c in numbering.citations] == [second.text, first.text]
    assert {c.document_hash for c in numbering.citations} == {FERRY_DOCUMENT.content_hash}
    assert {c.document_id for c in numbering.citations} == {PASSAGES[0].chunk.document_id}


def test_markers_go_before_the_closing_white_space() -> None:
    """So that sentences can be joined as they are; a sentence without citations is left alone."""
    citations = Numbering().cite([Quote(PASSAGES[0], span) for span in PASSAGES[0].sentences()[:2]])
    assert with_markers("Dogs travel free. \n", citations) == "Dogs travel free. [1][2] \n"
    assert with_markers("Dogs travel free. \n", ()) == "Dogs travel free. \n"


@pytest.mark.parametrize(
    ("uri", "text", "quotable"),
    [
        (
            "file:///ports.csv",
            "port,ferries\nOslo,4\nBergen,7\n",
            ["port,ferries", "Oslo,4", "Bergen,7"],
        ),
        (
            "file:///a.py",
            "total = 0\nfor n in (1, 2):\n    total += n\n",
            ["total = 0", "for n in (1, 2):", "total += n"],
        ),
        (
            "file:///a.txt",
            "A sentence that was\nwrapped. And one more.\n",
            ["A sentence that was\nwrapped.", "And one more."],
        ),
    ],
)
def test_what_can_be_quoted_by_itself(uri: str, text: str, quotable: list[str]) -> None:
    """A row, a line of code, or a sentence, which may run over a line end."""
    whole = passage(document(text, uri=uri))
    found = [whole.chunk.text[span.start : span.end] for span in whole.sentences()]
    assert found == quotable
