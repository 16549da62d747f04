"""Passages for a prompt: joined, whole, different, and no more than fit."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragkit.chunking import lines_of, newlines, page_at, path_at
from ragkit.citations import Numbering, Passage, Quote
from ragkit.joining import MOST_WIDENED_TOKENS, joined
from ragkit.store import SqliteStore
from ragkit.text import estimate_tokens
from ragkit.types import Document, Page, Span
from tests.documents import document, put

MUCH = 100_000
SENTENCES = [
    f"The {colour} {thing} of the {place} is kept dry and cool by its crew."
    for colour in ("red", "blue", "old")
    for thing in ("boat", "rope", "lamp", "anchor")
    for place in ("harbour", "island", "strait")
]
PARAGRAPH = " ".join(SENTENCES[:6])  # about 90 tokens
LONG = " ".join(SENTENCES[:20])  # about 300
TITLES = ("Of boats", "Of ropes", "Of lamps")
SECTIONS = "# Log\n\n" + "\n\n".join(
    f"## {title}\n\n{' '.join(SENTENCES[3 * number : 3 * number + 3])}"
    for number, title in enumerate(TITLES)
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "index.db")
    yield made
    made.close()


def found(
    store: SqliteStore, made: Document, places: Sequence[int] | None = None, *, max_tokens: int = 50
) -> list[Passage]:
    """Write a document and return its passages, or those at some places, in that order."""
    chunks = put(store, made, max_tokens=max_tokens)
    chosen = chunks if places is None else [chunks[place] for place in places]
    return [
        Passage(number, chunk, made.content_hash, made.headings, made.pages)
        for number, chunk in enumerate(chosen, start=1)
    ]


def middle_of(store: SqliteStore, paragraph: str) -> Passage:
    """Write a document with a paragraph, and return a passage from within that."""
    made = document(f"# Log\n\nIt begins.\n\n{paragraph}\n\nIt ends.\n")
    return next(
        each
        for each in found(store, made, max_tokens=30)
        if paragraph.find(each.chunk.text) > 0 and not paragraph.endswith(each.chunk.text)
    )


def texts(passages: Sequence[Passage]) -> list[str]:
    return [passage.chunk.text for passage in passages]


# --- neighbours --------------------------------------------------------------------------------


def test_neighbours_become_one_passage(store: SqliteStore) -> None:
    """In reading order, whichever was found first, with what stands between them."""
    made = document(SECTIONS)
    all_of_it = found(store, made)
    assert len(all_of_it) == 3
    (one,) = joined(store, [all_of_it[2], all_of_it[0], all_of_it[1]], budget=MUCH)
    assert one.chunk.text == made.text[all_of_it[0].chunk.span.start :]
    assert (one.number, one.chunk.heading_path) == (1, all_of_it[0].chunk.heading_path)
    assert one.heading_path(one.chunk.text.index("Of lamps")) == ("Log", "Of lamps")


def test_others_stay_apart(store: SqliteStore) -> None:
    """What doesn't touch is not joined; numbers follow the best passage in each."""
    first, second, third = found(store, document(SECTIONS))
    apart = joined(store, [third, first], budget=MUCH)
    assert texts(apart) == texts([third, first])
    assert [passage.number for passage in apart] == [1, 2]
    assert [passage.chunk for passage in apart] == [third.chunk, first.chunk]
    other = document("Cats sleep on warm sails all day long.", uri="file:///b.md", id_="b")
    (cats,) = found(store, other)
    mixed = joined(store, [third, cats, second, first], budget=MUCH)
    assert [passage.number for passage in mixed] == [1, 2]
    assert texts(mixed)[1] == cats.chunk.text
    assert joined(store, [], budget=MUCH) == []


# --- whole paragraphs --------------------------------------------------------------------------


def test_a_paragraph_that_was_cut_is_whole_again(store: SqliteStore) -> None:
    """A passage from the middle of a paragraph gets what stands before and behind it there."""
    middle = middle_of(store, PARAGRAPH)
    (whole,) = joined(store, [middle], budget=MUCH)
    assert whole.chunk.text == PARAGRAPH
    assert whole.chunk.id != middle.chunk.id
    text = store.get("a").text
    assert whole.chunk.span == Span(text.index(PARAGRAPH), text.index("\n\nIt ends"))


def test_a_chapter_is_not_a_paragraph(store: SqliteStore) -> None:
    """Where a side would add more than a little it is left as it was cut."""
    made = document(LONG, uri="file:///notes/a.txt")
    passages = found(store, made)
    (start,) = joined(store, passages[:1], budget=MUCH)
    assert start.chunk == passages[0].chunk
    (near_end,) = joined(store, [passages[-2]], budget=MUCH)
    assert near_end.chunk.text == made.text[passages[-2].chunk.span.start :].strip()
    (both,) = joined(store, [passages[1], passages[0]], budget=MUCH)
    assert both.chunk.span == Span(0, passages[1].chunk.span.end)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "x = 1\n" + "\n".join(f"rope_{n} = boat[{n}] + anchor" for n in range(12))),
        ("a.csv", "boat,crew\n" + "\n".join(f"boat {n},{n} of the crew" for n in range(20))),
        ("a.json", '{"a": "' + PARAGRAPH + '"}'),
        ("a.md", "```\n" + "\n".join(f"rope {n} is dry" for n in range(20)) + "\n```\n"),
    ],
)
def test_what_is_no_prose_is_not_widened(store: SqliteStore, name: str, text: str) -> None:
    """A listing, a table or a record says no more for being whole."""
    passages = found(store, document(text, uri=f"file:///notes/{name}"), max_tokens=30)
    assert len(passages) > 2
    for passage in passages:
        assert texts(joined(store, [passage], budget=MUCH)) == [passage.chunk.text]


def test_lines_and_pages(store: SqliteStore) -> None:
    """A joined passage says the lines that it touches, and the page that it begins on."""
    wrapped = "\n".join(SENTENCES[:6])
    (whole,) = joined(store, [middle_of(store, wrapped)], budget=MUCH)
    made = store.get("a")
    assert whole.chunk.text == wrapped
    assert whole.chunk.lines == lines_of(whole.chunk.span, newlines(made.text))
    cut = made.text.index("It ends")
    pages = (Page(1, Span(0, cut)), Page(2, Span(cut, len(made.text))))
    paged = replace(made, pages=pages, media_type="application/pdf")
    passages = found(store, paged)
    assert passages[-1].chunk.page == 2
    (both,) = joined(store, passages[::-1], budget=MUCH)
    assert (both.chunk.lines, both.chunk.page) == (None, 1)
    assert both.page(both.chunk.text.index("It ends")) == 2


# --- different ---------------------------------------------------------------------------------


def test_copies_are_left_out(store: SqliteStore) -> None:
    """Of passages that say the same the better one is kept."""
    (here,) = found(store, document(LONG), max_tokens=900)
    text = LONG.replace(SENTENCES[19], SENTENCES[19].replace("kept", "held"))
    (there,) = found(store, document(text, uri="file:///b.md", id_="b"), max_tokens=900)
    assert texts(joined(store, [there, here], budget=MUCH)) == [text]


def test_what_a_widened_passage_holds_is_left_out(store: SqliteStore) -> None:
    """A passage is of no use beside one that has grown to hold it."""
    middle = middle_of(store, PARAGRAPH)
    part = next(each for each in SENTENCES[:6] if each not in middle.chunk.text)
    (other,) = found(store, document(part, uri="file:///b.md", id_="b"))
    assert texts(joined(store, [middle, other], budget=MUCH)) == [PARAGRAPH]
    assert len(joined(store, [other, middle], budget=MUCH)) == 2


# --- the budget --------------------------------------------------------------------------------


def cost(passages: Sequence[Passage]) -> int:
    return sum(estimate_tokens(passage.surroundings) for passage in passages)


def test_the_best_that_fit(store: SqliteStore) -> None:
    """None is cut; a shorter one further down may fit where a longer one doesn't."""
    first = found(store, document(SECTIONS))[0]
    (longer,) = found(store, document(PARAGRAPH, uri="file:///b.md", id_="b"), max_tokens=200)
    (short,) = found(store, document("Cats sleep.", uri="file:///c.md", id_="c"))
    ranked = [first, longer, short]
    assert texts(joined(store, ranked, budget=cost(ranked))) == texts(ranked)
    assert texts(joined(store, ranked, budget=cost([first, longer]) - 1)) == texts([first, short])


def test_the_best_is_always_there(store: SqliteStore) -> None:
    """However small the budget, and then as it was found."""
    middle = middle_of(store, PARAGRAPH)
    (short,) = found(store, document("Cats sleep.", uri="file:///c.md", id_="c"))
    assert joined(store, [middle, short], budget=1) == [replace(middle, number=1)]


def test_no_room_for_the_whole_paragraph(store: SqliteStore) -> None:
    """What doesn't fit widened may fit as it was found."""
    middle = middle_of(store, PARAGRAPH)
    (short,) = found(store, document("Cats sleep.", uri="file:///c.md", id_="c"))
    budget = cost([short, middle])
    assert texts(joined(store, [short, middle], budget=budget)) == texts([short, middle])
    assert texts(joined(store, [short, middle], budget=MUCH)) == [short.chunk.text, PARAGRAPH]


# --- another version, and quotes ---------------------------------------------------------------


@pytest.mark.parametrize("text", [f"New: {SECTIONS}", SECTIONS + "\n\nIt ends.", None])
def test_a_document_that_has_changed_since(store: SqliteStore, text: str | None) -> None:
    """Its passages stay as they were found: spans and hash are of the version that was read."""
    passages = found(store, document(SECTIONS))
    if text is None:
        with store.exclusive():
            store.remove("a")
    else:
        put(store, document(text))
    assert texts(joined(store, passages, budget=MUCH)) == texts(passages)


def test_quotes_of_a_joined_passage(store: SqliteStore) -> None:
    """A citation out of it is one of the document: span, line and heading are right."""
    made = document(SECTIONS)
    (one,) = joined(store, found(store, made), budget=MUCH)
    numbering = Numbering()
    for sentence in SENTENCES[:9]:
        start = one.chunk.text.index(sentence)
        (cited,) = numbering.cite([Quote(one, Span(start, start + len(sentence)))])
        assert made.text[cited.span.start : cited.span.end] == sentence == cited.quote
        assert cited.lines == lines_of(cited.span, newlines(made.text))
        assert cited.heading_path == path_at(made.headings, cited.span.start)
    assert [citation.marker for citation in numbering.citations] == list(range(1, 10))


# --- any document ------------------------------------------------------------------------------

PROSE = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=20).map(" ".join)
WRAPPED = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=9).map("\n".join)
HEADING = st.sampled_from(["# Log", "## Of boats", "### Of très old ropes"])
LIST = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4).map(
    lambda items: "\n".join(f"- {item}" for item in items)
)
CODE = st.integers(1, 15).map(lambda n: "```\n" + "\n".join(["rope = dry"] * n) + "\n```")
TABLE = st.integers(1, 9).map(lambda n: "| a | b |\n|---|---|\n" + "\n".join(["| 1 | é |"] * n))
MARKDOWN = st.lists(
    st.one_of(PROSE, WRAPPED, HEADING, LIST, CODE, TABLE), min_size=1, max_size=12
).map("\n\n".join)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store whose one document each example replaces."""
    made = SqliteStore(tmp_path_factory.mktemp("shared") / "index.db")
    yield made
    made.close()


@settings(deadline=None, max_examples=60)
@given(text=MARKDOWN, budget=st.integers(1, 900), data=st.data())
def test_whatever_the_document(
    shared: SqliteStore, text: str, budget: int, data: st.DataObject
) -> None:
    """Spans, places and numbers are right, nothing touches, and all of it fits."""
    made = document(text)
    passages = data.draw(st.permutations(found(shared, made)))
    passages = passages[: data.draw(st.integers(1, 8))]
    result = joined(shared, passages, budget=budget)
    assert [passage.number for passage in result] == list(range(1, len(result) + 1))
    assert len({passage.chunk.id for passage in result}) == len(result)
    assert cost(result) <= budget or len(result) == 1
    ranks = []
    for passage in result:
        chunk, span = passage.chunk, passage.chunk.span
        assert chunk.text == made.text[span.start : span.end]
        assert chunk.lines == lines_of(span, newlines(made.text))
        assert chunk.page == page_at(made.pages, span.start)
        assert chunk.heading_path == path_at(made.headings, span.start)
        inside = [
            rank
            for rank, each in enumerate(passages)
            if span.start <= each.chunk.span.start and each.chunk.span.end <= span.end
        ]
        ranks.append(min(inside))
        first = min(passages[rank].chunk.span.start for rank in inside)
        last = max(passages[rank].chunk.span.end for rank in inside)
        for added in (made.text[span.start : first], made.text[last : span.end]):
            assert estimate_tokens(added) <= MOST_WIDENED_TOKENS
    assert ranks == sorted(ranks)
    assert ranks[0] == 0
    spans = sorted((each.chunk.span for each in result), key=lambda span: span.start)
    for before, after in itertools.pairwise(spans):
        assert made.text[before.end : after.start].strip()
