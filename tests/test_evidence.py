"""What a search found becomes what the gate weighs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ragkit import Index
from ragkit.evidence import gather
from ragkit.retrieval import Retrieval, read_sentences, search
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from ragkit.types import Mode

QUESTION = "When does the Skarholm ferry leave?"


class Matcher:
    """Finds the first word of a question everywhere, and no other."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def match_words(self, query: str, text: str) -> Mapping[int, float]:
        self.texts.append(text)
        return {0: 1.0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Return the store of an index with two small documents."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "ferry.md").write_text("# Ferry\n\nThe Skarholm ferry leaves at 7:30.\n")
    (tmp_path / "docs" / "bread.md").write_text("# Bread\n\nBread needs flour and some salt.\n")
    with Index(SqliteStore(tmp_path / "index.db"), embedder=HashEmbedder()) as index:
        index.ingest(tmp_path / "docs")
    opened = SqliteStore(tmp_path / "index.db")
    yield opened
    opened.close()


def found(store: SqliteStore, question: str = QUESTION, mode: Mode = "hybrid") -> Retrieval:
    hits = search(store, HashEmbedder(), question, mode=mode)
    return read_sentences(store, hits, reranker=None)


def test_the_kind_is_what_there_is_to_judge_by(store: SqliteStore) -> None:
    """Words, vectors, or tokens, where the search was read token by token."""
    assert gather(found(store, mode="lexical"), store=store, matcher=None).kind == "words"
    by_vectors = gather(found(store), store=store, matcher=Matcher())
    assert (by_vectors.kind, "function_words" in by_vectors.signals) == ("vectors", False)
    read = found(store)
    hits = tuple(replace(hit, scores={**hit.scores, "whole": 0.7}) for hit in read.hits)
    matcher = Matcher()
    by_tokens = gather(replace(read, hits=hits), store=store, matcher=matcher)
    assert (by_tokens.kind, by_tokens.signals["match"]) == ("tokens", 0.7)
    assert by_tokens.signals["function_words"] == 1.0
    assert len(matcher.texts) == 2  # the best passage, and the best sentence
    assert "The Skarholm ferry leaves at 7:30." in matcher.texts[1]


def test_the_best_sentence_is_evidence(store: SqliteStore) -> None:
    """Unless it is left out, or no sentence was read."""
    whole = gather(found(store), store=store, matcher=None)
    assert whole.stage == "sentence"
    assert whole.signals["sentence_lacks_kind"] == 0
    hits = gather(found(store), store=store, matcher=None, with_sentence=False)
    assert hits.stage == "hits"
    assert not any(name.startswith("sentence_") for name in hits.signals)
    unread = gather(replace(found(store), sentences=()), store=store, matcher=None)
    assert unread.stage == "hits"


def test_unknown_names_are_evidence(store: SqliteStore) -> None:
    """Names that no passage holds, as they stand in the question."""
    evidence = gather(found(store, "Does the ferry go to Bergen?"), store=store, matcher=None)
    assert evidence.unknown == ("Bergen",)
    assert evidence.signals["unknown_names"] == 1


def test_a_slip_in_a_name_is_no_unknown_name(store: SqliteStore) -> None:
    """The index knows it by the spelling that the search went on with."""
    evidence = gather(
        found(store, "When does the Skarhlom ferry leave?"), store=store, matcher=None
    )
    assert evidence.unknown == ()
    assert evidence.signals["unknown_names"] == 0


def test_nothing_found_is_no_evidence(store: SqliteStore) -> None:
    """Without hits there are no signals."""
    nothing = found(store, "xyzzy", mode="lexical")
    assert gather(nothing, store=store, matcher=None).signals == {}
