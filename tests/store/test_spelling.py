"""Misspelt words: what they are taken for, and what is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.lexical import plain_words
from ragkit.store import SqliteStore
from ragkit.store.spelling import slips_between
from tests.documents import document, filled, put

WORDS = st.text(alphabet="abc", max_size=7)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = filled(tmp_path_factory.mktemp("spelling") / "index.db")
    text = (
        "# Lamps\n\nLanterns, a lantern, lantern oil.\n\nA lectern in the hall.\n\n"
        "Паром отправляется утром.\n\nDie Überfahrt der Fähre.\n"
    )
    put(store, document(text, uri="file:///lamps.md", id_="lamps"))
    yield store
    store.close()


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("muzle", ("muzzle",)),  # a letter too few
        ("muzzzle", ("muzzle",)),  # too many
        ("nuzzle", ("muzzle",)),  # a wrong one
        ("mzuzle", ("muzzle",)),  # in its neighbour's place
        ("Skarhlom", ("skarholm",)),
        ("lecntern", ("lectern",)),
        ("отправляетса", ("отправляется",)),
        ("Überfart", ("überfahrt",)),
        ("patcience", ("patience",)),
        ("undefr", ("under",)),
    ],
)
def test_a_slip_is_seen(store: SqliteStore, word: str, meant: tuple[str, ...]) -> None:
    """A word within one letter of one in the index is taken for that one."""
    found = store.corrections([word])
    if word == "undefr":  # a stop word says nothing
        assert found == {}
    else:
        assert found == {word: meant}


def test_two_slips_in_a_long_word(store: SqliteStore) -> None:
    """From eight letters on two are forgiven, behind the middle; in a shorter word none."""
    assert store.corrections(["sourdugoh"]) == {"sourdugoh": ("sourdough",)}
    assert store.corrections(["mzzulle"]) == {}


@pytest.mark.parametrize(
    "word", ["muzzle", "Muzzles", "zebra", "salr", "E-417", "35bar", "漢字漢字漢"]
)
def test_what_is_left_alone(store: SqliteStore, word: str) -> None:
    """A word with hits, a strange one, a short one and what isn't of letters."""
    assert store.corrections([word]) == {}


def test_the_more_frequent_comes_first(tmp_path: Path) -> None:
    """Of several near words the two that most chunks hold are meant, the likelier one first."""
    store = SqliteStore(tmp_path / "index.db")
    for number, word in enumerate(["stable", "stable", "stable", "table", "table", "sable"]):
        text = f"The {word} of number {number} stands here."
        put(store, document(text, uri=f"file:///{number}.md", id_=str(number)))
    assert store.corrections(["staable", "stble"]) == {
        "staable": ("stable",),
        "stble": ("stable", "sable"),
    }
    assert store.corrections(["xtable"]) == {"xtable": ("stable", "table")}
    store.close()


def test_few_words_are_looked_at(store: SqliteStore) -> None:
    """However many words a query has wrong, two are looked at, in little time."""
    wrong = [f"{word}x" for word in ("muzzle", "patience", "cellar", "summer", "ferryx")]
    started = time.process_time()
    assert list(store.corrections(wrong)) == wrong[:2]
    assert store.corrections(plain_words("qwzx" * 5_000)) == {}
    assert time.process_time() - started < 1


@given(WORDS, WORDS)
def test_slips_are_counted_alike_both_ways(first: str, second: str) -> None:
    """The distance is symmetric, nought for the same word alone, and cut off above the most."""
    far = slips_between(first, second, most=10)
    assert far == slips_between(second, first, most=10)
    assert (far == 0) == (first == second)
    assert abs(len(first) - len(second)) <= far <= max(len(first), len(second))
    assert slips_between(first, second, most=2) == min(far, 3)


@given(st.text(alphabet="abcd", min_size=2, max_size=8), st.data())
def test_each_kind_of_slip_counts_one(word: str, data: st.DataObject) -> None:
    """A letter added, left out, changed or swapped with the next."""
    at = data.draw(st.integers(0, len(word) - 2))
    slipped = [
        word[:at] + "x" + word[at:],
        word[:at] + word[at + 1 :],
        word[:at] + "x" + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    ]
    assert all(slips_between(word, other, most=2) <= 1 for other in slipped)
