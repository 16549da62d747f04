"""Chunks: where documents are cut, what a chunk says of its place, and what keeps its id."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.chunking import chunk, contexts, has_lines, heading_paths, path_at
from ragkit.text import estimate_tokens
from ragkit.types import Block, Chunk, Heading, Lines, Page, Span
from tests.documents import FERRY, document

WORDS = st.sampled_from("ferry dog Salt 1,234.50 a — Überfahrt 北埠頭 x_y http://a.b/c".split())
SENTENCES = st.lists(WORDS, min_size=1, max_size=30).map(lambda words: " ".join(words) + ".")
PARTS = st.one_of(
    SENTENCES,
    st.lists(SENTENCES, min_size=2, max_size=12).map(" ".join),
    st.tuples(st.integers(1, 4), WORDS).map(lambda part: f"{'#' * part[0]} {part[1]}"),
    st.lists(SENTENCES, min_size=1, max_size=5).map(
        lambda items: "\n".join(f"- {i}" for i in items)
    ),
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=30).map(
        lambda rows: "| a | b |\n|---|---|\n" + "\n".join(f"| {a} | {b} |" for a, b in rows)
    ),
    st.lists(SENTENCES, min_size=1, max_size=20).map(
        lambda lines: "```\n" + "\n".join(f"    {line}" for line in lines) + "\n```"
    ),
    st.sampled_from(["x" * 3000, "漢" * 800, "words " * 500, "a\tb\t" * 300]),
)
MARKDOWN = st.lists(PARTS, min_size=1, max_size=12).map("\n\n".join)


def long_section(title: str, seed: str) -> str:
    sentences = (f"Sentence {n} of {seed} says what {seed} number {n} is for." for n in range(12))
    return f"## {title}\n\n{' '.join(sentences)}"


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks]


# --- invariants ---


@given(MARKDOWN, st.integers(20, 200))
def test_chunks_are_pieces_of_the_text(text: str, max_tokens: int) -> None:
    """A chunk is the text at its span; spans are in order and apart, and hold every visible
    character; ids differ."""
    whole = document(text)
    chunks = chunk(whole, max_tokens=max_tokens)
    end = 0
    for number, piece in enumerate(chunks):
        assert piece.ordinal == number
        assert piece.text == whole.text[piece.span.start : piece.span.end]
        assert piece.text.strip()
        assert end <= piece.span.start
        assert not whole.text[end : piece.span.start].strip()
        end = piece.span.end
    assert not whole.text[end:].strip()
    assert len({piece.id for piece in chunks}) == len(chunks)


@given(MARKDOWN, st.integers(20, 200))
def test_chunks_keep_to_the_budget(text: str, max_tokens: int) -> None:
    """No chunk is more than a quarter over the budget, whatever the document is made of."""
    for piece in chunk(document(text), max_tokens=max_tokens):
        assert estimate_tokens(piece.text) <= 1.25 * max_tokens + 1


@given(MARKDOWN, st.integers(20, 200))
def test_chunks_know_their_lines(text: str, max_tokens: int) -> None:
    """A chunk's first and last line are those of the file that it begins and ends in."""
    whole = document(text)
    lines = whole.text.split("\n")
    for piece in chunk(whole, max_tokens=max_tokens):
        assert piece.lines is not None
        covered = "\n".join(lines[piece.lines.start - 1 : piece.lines.end])
        assert piece.text in covered
        assert piece.text.split("\n")[0] in lines[piece.lines.start - 1]
        assert piece.text.rstrip("\n").split("\n")[-1] in lines[piece.lines.end - 1]


@given(MARKDOWN, st.integers(20, 200))
def test_a_heading_path_names_the_headings_above(text: str, max_tokens: int) -> None:
    """The path ends with the last heading that begins at or before the chunk."""
    whole = document(text)
    for piece in chunk(whole, max_tokens=max_tokens):
        above = [h for h in whole.headings if h.span.start <= piece.span.start]
        assert piece.heading_path == path_at(whole.headings, piece.span.start)
        assert piece.heading_path[-1:] == tuple(h.title for h in above[-1:])


@given(st.text(max_size=300), st.integers(1, 50))
def test_a_text_without_structure_is_cut_too(text: str, max_tokens: int) -> None:
    """Blocks are a help, not a condition: any text is cut and covered."""
    bare = replace(document("x"), text=text, blocks=(), headings=())
    chunks = chunk(bare, max_tokens=max_tokens)
    assert "".join("".join(texts(chunks)).split()) == "".join(text.split())


# --- structure ---


def test_a_small_document_is_one_chunk() -> None:
    """What fits the budget is found as one."""
    assert texts(chunk(document(FERRY), max_tokens=200)) == [FERRY.strip()]


def test_sections_are_not_mixed() -> None:
    """A chunk ends before the next heading, unless one of the two is small."""
    text = f"# Guide\n\n{long_section('One', 'red')}\n\n{long_section('Two', 'blue')}"
    for piece in chunk(document(text), max_tokens=120):
        assert not ("red" in piece.text and "blue" in piece.text)
    tiny = "# Guide\n\n## One\n\nRed.\n\n## Two\n\nBlue.\n"
    assert len(chunk(document(tiny), max_tokens=120)) == 1


def test_a_small_section_does_not_join_the_next_chapter() -> None:
    """Joining never crosses a heading of a higher level."""
    text = f"# First\n\n{long_section('Long', 'red')}\n\n## Small\n\nTiny.\n\n# Next\n\nBlue words."
    pieces = texts(chunk(document(text), max_tokens=150))
    assert not any("Tiny." in piece and "# Next" in piece for piece in pieces)


def test_a_heading_stays_with_its_text() -> None:
    """No chunk ends with a heading whose text begins the next one."""
    text = "\n\n".join(long_section(f"Part {n}", f"word{n}") for n in range(8))
    for piece in chunk(document(text), max_tokens=60):
        assert not piece.text.split("\n")[-1].startswith("#")


def test_headings_alone_are_cut_too() -> None:
    """A document of nothing but headings, or with an endless one, keeps to the budget."""
    many = "\n\n".join(f"## Release {n} of the ferry timetable" for n in range(200))
    endless = "# " + "never ending heading " * 300
    for text in (many, endless):
        sizes = [estimate_tokens(piece.text) for piece in chunk(document(text), max_tokens=60)]
        assert max(sizes) <= 75
        assert sum(sizes) == pytest.approx(estimate_tokens(text), rel=0.05)


def test_rows_and_items_are_kept_whole() -> None:
    """A long table is cut between its rows."""
    rows = [f"| ship {n} | {n * 1000} tons | north quay |" for n in range(40)]
    text = "| name | size | berth |\n|---|---|---|\n" + "\n".join(rows)
    for piece in chunk(document(text), max_tokens=80):
        assert piece.text.startswith("|")
        assert piece.text.endswith("|")


def test_long_paragraphs_are_cut_between_sentences() -> None:
    """A chunk of prose begins where a sentence begins and ends where one ends."""
    text = " ".join(f"Sentence {n} is about the sea and its ships." for n in range(60))
    pieces = texts(chunk(document(text), max_tokens=80))
    assert len(pieces) > 5
    assert all(p.startswith("Sentence") and p.endswith("ships.") for p in pieces)


def test_a_run_without_sentences_is_cut_at_white_space() -> None:
    """Tabs and line ends part words as spaces do."""
    for gap in (" ", "\t", "\n"):
        text = gap.join(f"word{n}x" for n in range(400))
        for piece in chunk(replace(document("x"), text=text, blocks=()), max_tokens=50):
            assert piece.text.startswith("word")
            assert piece.text.endswith("x")


def test_code_is_cut_at_empty_lines_and_keeps_its_indentation() -> None:
    """Functions stay together where they fit; a piece never begins with an empty line."""
    functions = [f"    def f{n}(self):\n        return {n} + self.total[{n}]" for n in range(20)]
    text = "\n\n\n".join(functions)
    whole = replace(document("x"), text=text, blocks=(Block("code", Span(0, len(text))),))
    for piece in chunk(whole, max_tokens=60):
        assert piece.text.startswith("    def f")
        assert piece.text.rstrip().endswith("]")


def test_a_chunk_stays_on_one_page() -> None:
    """Chunks of a paged document name the page that they begin on, and end with it."""
    words = "The ship sails on the sea every single day of the long year."
    pages = [f"Page {n}. " + " ".join([words] * 6) for n in (1, 2, 3)]
    text = "\n".join(pages)
    starts = [text.index(page) for page in pages]
    blocks = tuple(
        Block("paragraph", Span(s, s + len(page))) for s, page in zip(starts, pages, strict=True)
    )
    marks = tuple(Page(n, block.span) for n, block in enumerate(blocks, start=1))
    whole = replace(
        document("x"), text=text, blocks=blocks, pages=marks, media_type="application/pdf"
    )
    chunks = chunk(whole, max_tokens=200)  # room for two pages
    assert [piece.page for piece in chunks] == [1, 2, 3]
    assert [piece.text for piece in chunks] == pages
    assert all(piece.lines is None for piece in chunks)


def test_front_matter_is_no_chunk() -> None:
    """Metadata isn't found as if it were text."""
    chunks = chunk(document("---\nauthor: Ann\n---\n# Title\n\nBody text."), max_tokens=100)
    assert texts(chunks) == ["# Title\n\nBody text."]


# --- identity ---


def test_an_edit_elsewhere_changes_no_id() -> None:
    """Chunks of sections that were not edited keep their ids, whatever grows before them."""
    sections = [long_section(f"Part {n}", f"word{n}") for n in range(6)]
    before = {c.text: c.id for c in chunk(document("\n\n".join(sections)), max_tokens=90)}
    sections[1] = sections[1].replace("says", "explains at some length")
    after = {c.text: c.id for c in chunk(document("\n\n".join(sections)), max_tokens=90)}
    untouched = {text: id_ for text, id_ in before.items() if "word1 " not in text}
    assert len(untouched) >= 5
    assert untouched.items() <= after.items()
    assert not {id_ for text, id_ in before.items() if "word1 " in text} & set(after.values())


def sentence(rng: random.Random) -> str:
    words = ["".join(rng.choices("aeiklmnorst", k=rng.randint(2, 9))) for _ in range(14)]
    return " ".join(words).capitalize() + "."


def new_chunks(edit: Callable[[list[str], int], None], parts: list[str], gap: str) -> list[int]:
    """Return how many chunks are new after an edit at each fourth place."""
    before = set(texts(chunk(document(gap.join(parts)), max_tokens=100)))
    counts = []
    for place in range(0, len(parts), 4):
        edited = list(parts)
        edit(edited, place)
        after = texts(chunk(document(gap.join(edited)), max_tokens=100))
        counts.append(len(set(after) - before))
    return counts


def remove(parts: list[str], place: int) -> None:
    del parts[place]


def insert(parts: list[str], place: int) -> None:
    parts.insert(place, sentence(random.Random(place)))


def reword(parts: list[str], place: int) -> None:
    parts[place] = parts[place].replace(parts[place].split()[-1], "tomorrow and the day after.")


@pytest.mark.parametrize("edit", [remove, insert, reword])
@pytest.mark.parametrize("gap", [" ", "\n\n"])
def test_an_edit_moves_only_the_cuts_near_it(
    edit: Callable[[list[str], int], None], gap: str
) -> None:
    """In a long text without headings an edit makes few chunks new, though all that follows
    moves."""
    rng = random.Random(1)
    counts = new_chunks(edit, [sentence(rng) for _ in range(240)], gap)
    assert statistics.median(counts) <= 2
    assert max(counts) <= 6


@pytest.mark.parametrize("edit", [remove, insert])
def test_an_edit_in_a_run_of_words_moves_only_the_cuts_near_it(
    edit: Callable[[list[str], int], None],
) -> None:
    """What has no sentences finds its places again too."""
    rng = random.Random(2)
    words = [sentence(rng).lower().rstrip(".") for _ in range(240)]
    counts = new_chunks(edit, words, " ")
    assert statistics.median(counts) <= 2
    assert max(counts) <= 6


@pytest.mark.parametrize("edit", [remove, insert])
def test_an_edit_among_small_sections_moves_only_the_joints_near_it(
    edit: Callable[[list[str], int], None],
) -> None:
    """Small sections that are joined are joined alike before and after."""
    rng = random.Random(3)
    counts = new_chunks(edit, [f"## {sentence(rng)[:12]}\n\nYes, {n}." for n in range(240)], "\n\n")
    assert statistics.median(counts) <= 2
    assert max(counts) <= 6


def test_the_same_text_twice_has_two_ids() -> None:
    """Repeated chunks of one document, and equal ones of two documents, are told apart."""
    section = long_section("Same", "echo")
    chunks = chunk(document(f"{section}\n\n{section}"), max_tokens=400)
    other = chunk(document(section, id_="b"), max_tokens=400)
    assert texts(chunks) == [section, section]
    assert len({chunks[0].id, chunks[1].id, other[0].id}) == 3


def test_an_id_is_the_same_everywhere() -> None:
    """Ids depend on document, text and occurrence alone, not on uri, title or process."""
    here = chunk(document(FERRY), max_tokens=30)
    moved = chunk(replace(document(FERRY), uri="file:///x.md", title="Other"), max_tokens=30)
    assert [c.id for c in here] == [c.id for c in moved]
    assert chunk(document("Hello."), max_tokens=30)[0].id == "3fce846bd36c8e6f962a21d03f2c0f3e"


# --- context and places ---


def test_context_names_the_headings_above() -> None:
    """Titles above a chunk that aren't in it come first, outermost first."""
    text = f"# Guide\n\n{long_section('Engines', 'red')}"
    whole = document(text)
    first, *_, last = chunk(whole, max_tokens=80)
    assert contexts([first, last], whole) == ["", "Guide › Engines"]


def test_context_repeats_a_tables_header() -> None:
    """A chunk of rows says what its columns are."""
    rows = "\n".join(f"| ship {n} | {n * 1000} tons |" for n in range(40))
    whole = document(f"| name | size |\n|---|---|\n{rows}\n\nAfter the table.")
    first, second, *_ = chunk(whole, max_tokens=80)
    assert "name" in first.text
    of_first, of_second = contexts([first, second], whole)
    assert of_first == ""
    assert of_second.startswith("| name | size |")


def test_heading_paths() -> None:
    """A heading closes those of its level and below; skipped levels do no harm."""
    levels = [(1, "A"), (3, "B"), (2, "C"), (2, "D"), (1, "E")]
    headings = [Heading(level, title, Span(i, i + 1)) for i, (level, title) in enumerate(levels)]
    assert heading_paths(headings) == [("A",), ("A", "B"), ("A", "C"), ("A", "D"), ("E",)]
    assert path_at(headings[1:], 0) == ()


def test_only_texts_with_lines_of_their_own_have_lines() -> None:
    """PDF and HTML have no lines that a reader could go to."""
    assert has_lines("text/markdown")
    assert not has_lines("text/html")
    assert not has_lines("application/pdf")
    (only,) = chunk(document("One.\n\nTwo."), max_tokens=50)
    assert only.lines == Lines(1, 3)


def test_text_without_any_break_is_cut_evenly_and_in_time() -> None:
    """Three megabytes on one line, and a million lines of nothing but words."""
    for text in ("x" * 3_000_000, "ab cd ef\n" * 300_000):
        whole = document(text)
        started = time.process_time()
        chunks = chunk(whole, max_tokens=200)
        assert time.process_time() - started < 8
        sizes = [len(each.text) for each in chunks[:-1]]
        assert max(sizes) < 2 * min(sizes)
        assert "".join("".join(c.text.split()) for c in chunks) == "".join(text.split())
    assert all(each.text.startswith("ab") and each.text.endswith("ef") for each in chunks)
