"""What a search leaves out at its end, and what it says of its steps."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ragkit import retrieval
from ragkit.index import Index
from ragkit.ports import Match, TokenPassage
from ragkit.ranking import Ranked, merge
from ragkit.retrieval import MAX_LIMIT, Retrieval
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from tests.documents import EMBEDDER, FERRY, document, filled, put

COPIES = 40
RULE = "The red boat waits for nobody, and a ticket for it costs {} euros at the counter.\n"


class Matcher:
    """A token matcher that finds all passages alike, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def token_records(self, texts: Sequence[str]) -> list[bytes]:
        return [b""] * len(texts)

    def match_tokens(
        self, query: str, passages: Sequence[TokenPassage], *, weight: Callable[[str], float]
    ) -> list[Match | None]:
        self.asked += 1
        return [Match(0.5, (0.5,))] * len(passages)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store of two documents that no test changes."""
    made = filled(tmp_path_factory.mktemp("store") / "index.db")
    yield made
    made.close()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """A store with forty copies of a rule, one with another price, and a word on boats."""
    made = SqliteStore(tmp_path_factory.mktemp("copied") / "index.db")
    texts = [RULE.format(12)] * COPIES + [RULE.format(15), "Boats are built of wood or of steel.\n"]
    for number, text in enumerate(texts):
        put(made, document(text, uri=f"file:///{number}.txt", id_=f"d{number}"))
    yield made
    made.close()


def search(store: SqliteStore, query: str, **options: Any) -> Retrieval:
    return retrieval.search(store, EMBEDDER, query, **options)


def uris(found: Retrieval) -> list[str]:
    return [hit.chunk.uri for hit in found.hits]


def details(found: Retrieval, name: str) -> dict[str, object]:
    (step,) = [each for each in found.steps if each.name == name]
    return dict(step.details)


# --- copies ------------------------------------------------------------------------------------


def test_copies_do_not_fill_the_list(copied: SqliteStore) -> None:
    """Of forty copies the first stays and names the others; what differs in a figure stays too."""
    found = search(copied, "red boat ticket", limit=20)
    texts = [hit.chunk.text.strip() for hit in found.hits]
    assert sorted(texts) == sorted(
        [RULE.format(12).strip(), RULE.format(15).strip(), "Boats are built of wood or of steel."]
    )
    (first,) = [hit for hit in found.hits if " 12 " in hit.chunk.text]
    assert len(first.also) == COPIES - 1
    assert first.chunk.uri not in first.also
    assert first.to_dict()["also_in"] == list(first.also)
    assert [hit.also for hit in found.hits if hit is not first] == [(), ()]


def test_passages_are_those_of_the_hits(copied: SqliteStore) -> None:
    """What an answer is made of is numbered without the copies."""
    found = search(copied, "red boat ticket", limit=2)
    assert [passage.number for passage in found.passages] == [1, 2]
    assert [passage.chunk for passage in found.passages] == [hit.chunk for hit in found.hits]


def test_further_only_where_it_is_needed(copied: SqliteStore) -> None:
    """Three times the limit is looked at, and more where that doesn't fill the list."""
    assert details(search(copied, "red boat ticket", limit=1), "cut")["looked_at"] == 3
    assert details(search(copied, "red boat ticket", limit=3), "cut") == {
        "looked_at": COPIES + 2,
        "duplicates": COPIES - 1,
        "over_the_cap": 0,
        "returned": 3,
    }


def test_copies_where_they_are_wanted(copied: SqliteStore) -> None:
    """Each is a hit of its own, as for one who asks which documents are found at all."""
    found = search(copied, "red boat ticket", limit=MAX_LIMIT, with_copies=True)
    assert len(set(uris(found))) == COPIES + 2
    assert all(hit.also == () for hit in found.hits)


def test_a_copy_within_a_document_is_no_other_place(tmp_path: Path) -> None:
    """A passage that its own document repeats is shown once, and `also` doesn't name the same."""
    store = SqliteStore(tmp_path / "index.db")
    put(store, document(f"# A\n\n{RULE.format(12)}\n\n# B\n\n{RULE.format(12)}", id_="a"))
    put(store, document(FERRY, uri="file:///ferry.md", id_="ferry"))
    whole = {hit.chunk.text for hit in search(store, "red boat").hits}
    assert all(hit.also == () for hit in search(store, "red boat").hits)
    assert len(whole) == len(search(store, "red boat").hits)
    store.close()


# --- a cap for each document -------------------------------------------------------------------


@pytest.mark.parametrize(("cap", "count"), [(0, 5), (1, 2), (2, 4), (9, 5)])
def test_a_cap_for_each_document(store: SqliteStore, cap: int, count: int) -> None:
    """So many chunks of a document and no more, its best; 0 is any number."""
    found = search(store, "dogs and salt", per_document=cap, limit=6)
    names = uris(found)
    assert len(names) == count
    assert not cap or max(map(names.count, names)) <= cap
    uncapped = search(store, "dogs and salt", limit=6).hits
    for uri in set(names):
        best = [hit.chunk.id for hit in uncapped if hit.chunk.uri == uri]
        capped = [hit.chunk.id for hit in found.hits if hit.chunk.uri == uri]
        assert capped == best[: len(capped)]


def test_the_cap_is_a_setting_and_an_argument(store: SqliteStore) -> None:
    """What the search is told wins over what the settings say."""
    with Index(
        SqliteStore(store.path), embedder=EMBEDDER, settings=Settings(per_document=1)
    ) as index:
        assert len(index.search("dogs and salt")) == 2
        assert len(index.search("dogs and salt", per_document=2)) == 4
        assert len(index.search("dogs and salt", per_document=0)) == 5
        assert len(index.ask("dogs and salt").hits) == 2


# --- who is spared a second reading ------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "skipped"),
    [
        ("Do dogs need a muzzle?", ""),
        ("Do dgos need a muzle?", ""),
        ("What of the?", ""),
        ("Собаки и намордник", "the query is not in Latin letters"),
        ("Brauchen Hunde einen Maulkorb?", "the index knows too few of the query's words"),
    ],
)
def test_queries_that_do_not_look_english(store: SqliteStore, query: str, skipped: str) -> None:
    """The matcher isn't asked about them, unless it is to be; misspelt words are known ones."""
    matcher = Matcher()
    found = search(store, query, matcher=matcher)
    assert matcher.asked == (0 if skipped else 1)
    assert details(found, "rerank").get("skipped", "") == skipped
    search(store, query, matcher=matcher, matches_all=True)
    assert matcher.asked == (1 if skipped else 2)


# --- steps -------------------------------------------------------------------------------------


def test_the_steps_of_a_search(store: SqliteStore) -> None:
    """In the order in which they were taken, each with what came of it and its time."""
    ticks = itertools.count()
    found = search(
        store, "muzle for dogs", matcher=Matcher(), limit=2, clock=lambda: next(ticks) / 1000
    )
    assert [step.name for step in found.steps] == (
        "words lexical embedding semantic fusion rerank cut".split()
    )
    assert [step.milliseconds for step in found.steps] == [pytest.approx(1.0)] * 7
    assert details(found, "words") == {
        "query": "muzle for dogs",
        "terms": ["muzle", "dogs", "muzzle"],
        "corrections": {"muzle": ("muzzle",)},
    }
    assert details(found, "lexical") == {"found": 1}
    assert details(found, "semantic") == {"found": 5}
    assert details(found, "fusion") == {"found": 5, "weights": {"lexical": 0.5, "semantic": 0.5}}
    assert details(found, "rerank") == {"by": "tokens", "depth": 5}
    assert details(found, "cut") == {
        "looked_at": 5,
        "duplicates": 0,
        "over_the_cap": 0,
        "returned": 2,
    }


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("lexical", ["words", "lexical", "fusion", "cut"]),
        ("semantic", ["embedding", "semantic", "fusion", "cut"]),
    ],
)
def test_the_steps_of_one_list(store: SqliteStore, mode: Any, names: list[str]) -> None:
    """What a mode doesn't need is no step."""
    assert [step.name for step in search(store, "dogs", mode=mode).steps] == names


def test_the_report_is_the_search(store: SqliteStore) -> None:
    """`search` returns the hits of `search_explained`, whose object is plain JSON."""
    with Index(SqliteStore(store.path), embedder=EMBEDDER) as index:
        report = index.search_explained("dogs", limit=3)
        assert index.search("dogs", limit=3) == list(report.hits)
    body = report.to_dict()
    assert set(body) == {"query", "hits", "notices", "steps", "usage"}
    assert body["steps"][0]["step"] == "words"
    assert body["steps"][0]["terms"] == ["dogs"]


# --- several queries ---------------------------------------------------------------------------


def test_several_rankings_are_merged_by_the_best_score() -> None:
    """What two found counts as where it stood better; ties go to the smaller number."""

    def item(number: int, score: float) -> Ranked:
        return Ranked(number, score, {"lexical": 1}, {})

    first, second = [item(1, 0.9), item(2, 0.2)], [item(2, 0.8), item(3, 0.9)]
    assert merge([first, second]) == [item(1, 0.9), item(3, 0.9), item(2, 0.8)]
    assert merge([first]) == first
    assert merge([]) == []
