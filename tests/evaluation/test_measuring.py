"""An evaluation searches for each case, and says what was found and how sure that is."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from ragkit.errors import ConfigError, DocumentNotFound
from ragkit.evaluation import Case, Measure, compare, evaluate, metric_names
from ragkit.evaluation.gold import GoldFinder
from ragkit.index import Index
from ragkit.metrics import Place
from ragkit.types import Span

from .conftest import index_at

DOGS = Case("dogs", "Dogs on a lead on deck", {"ferry.md": 1.0}, grade="easy")
SALT = Case("salt", "flour water salt night rest", {"bread.md": 1.0, "soup.md": 1.0}, grade="hard")
WRONG = Case("wrong", "Dogs on a lead on deck", {"harbour.md": 1.0}, grade="hard")
NONE = Case("none", "Who won the cup?")
LEXICAL = Measure(mode="lexical")


# --- gold --------------------------------------------------------------------------------------


def test_documents_by_every_name(index: Index) -> None:
    """A uri, a path, a path's end, and another suffix than the file has."""
    info = next(each for each in index.documents() if each.uri.endswith("bread.md"))
    path = info.uri.removeprefix("file://")
    for name in (info.id, info.uri, path, "kitchen/bread.md", "./kitchen/bread.md", "bread.txt"):
        assert set(GoldFinder(index).gold(Case("1", "q", {name: 1.0})).grades) == {info.id}


def test_an_ambiguous_name(tmp_path: Path) -> None:
    """Two documents that end alike are named, with the line of the case."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.md").write_text(f"Text of {folder}.")
    with index_at(tmp_path / "index.db") as two:
        two.ingest(tmp_path / "a", tmp_path / "b")
        with pytest.raises(ConfigError, match=r"cases:7: 2 documents end in x.md"):
            GoldFinder(two).gold(Case("1", "q", {"x.md": 1.0}, place="cases:7"))


def test_sentences_across_lines_and_cells(index: Index) -> None:
    """A line break and the bars of a table are no difference; the place is that of the text."""
    finder = GoldFinder(index)
    case = Case("1", "q", {"harbour.md": 1.0}, sentences=("Sunday never at all,\nring the bell",))
    (place,) = finder.gold(case).places
    text = index.get("harbour.md").text[place.span.start : place.span.end]
    assert text == "Sunday | never at all, ring the bell"
    assert finder.unplaced == []


def test_a_sentence_that_stands_nowhere_counts_as_missed(index: Index) -> None:
    """Its length is lost, it is named, and the other one is still found."""
    sentences = ("Dogs have to be on a lead on every deck.", "Cats may not.")
    case = Case("1", DOGS.question, DOGS.documents, sentences=sentences)
    found = evaluate(index, [case], LEXICAL)
    assert found.metrics["span_recall@5"].mean == pytest.approx(40 / (40 + 13))
    assert "Cats may not." in found.warnings[0]


def test_a_span_behind_the_end(index: Index) -> None:
    """The gold can't be right, so nothing is measured."""
    case = Case("1", "q", {"ferry.md": 1.0}, spans=(Place("ferry.md", Span(0, 10_000)),))
    with pytest.raises(ConfigError, match=r"ends behind ferry.md, which has"):
        evaluate(index, [case])


def test_a_document_that_is_gone_counts_as_missed(index: Index) -> None:
    """It stays in what should be found, and a warning names it."""
    case = Case("1", DOGS.question, {"ferry.md": 1.0, "gone.md": 1.0})
    found = evaluate(index, [case], LEXICAL)
    assert found.metrics["recall@20"].mean == 0.5
    assert found.cases[0].ranks == {"ferry.md": 1, "gone.md": None}
    assert "gone.md" in found.warnings[0]


def test_the_cases_of_another_index(index: Index) -> None:
    """Where none of the documents is there, that is an error and no row of zeros."""
    with pytest.raises(DocumentNotFound, match="holds none of the 1 documents"):
        evaluate(index, [Case("1", "q", {"gone.md": 1.0})])


# --- measuring ---------------------------------------------------------------------------------


def test_metrics_of_rankings_known_by_hand(index: Index) -> None:
    """Dogs is found first; the harbour, which shares no word but stop words, isn't."""
    found = evaluate(index, [DOGS, WRONG], LEXICAL)
    first, second = found.cases
    assert first.ranks == {"ferry.md": 1}
    assert second.ranks == {"harbour.md": None}
    assert first.metrics["ndcg@10"] == 1.0
    assert second.metrics["ndcg@10"] == 0.0
    assert found.metrics["ndcg@10"].mean == found.metrics["recall@1"].mean == 0.5


def test_documents_rank_by_their_best_chunk(index: Index) -> None:
    """A document of several chunks takes one place."""
    ferry = [hit.chunk.uri for hit in index.search("bicycle dogs deck salt", mode="lexical")]
    assert len(ferry) > len(set(ferry))
    case = Case("1", "bicycle dogs deck salt", {"bread.md": 1.0, "soup.md": 1.0, "ferry.md": 1.0})
    places = evaluate(index, [case], LEXICAL).cases[0].ranks.values()
    assert sorted(place for place in places if place is not None) == [1, 2, 3]


def test_unanswerable_cases_are_counted_and_left_out(index: Index) -> None:
    """They have nothing to find, so no metric may be about them."""
    found = evaluate(index, [DOGS, NONE], LEXICAL)
    assert found.unanswerable == 1
    assert [case.id for case in found.cases] == ["dogs"]
    with pytest.raises(ConfigError, match="none of the cases has something to find"):
        evaluate(index, [NONE], LEXICAL)


def test_grades(index: Index) -> None:
    """Each grade has metrics of its own cases."""
    found = evaluate(index, [DOGS, SALT, WRONG], LEXICAL)
    assert {grade: each.cases for grade, each in found.grades.items()} == {"easy": 1, "hard": 2}
    assert found.grades["easy"].metrics["recall@5"].mean == 1.0
    assert found.grades["hard"].metrics["recall@5"].mean == 0.5


def test_spans_are_measured_where_there_are_some(index: Index) -> None:
    """Over the cases that have spans or sentences alone, and not at all where none has."""
    sentence = "Dogs have to be on a lead on every deck."
    case = Case("s", DOGS.question, DOGS.documents, sentences=(sentence,))
    assert evaluate(index, [case, WRONG], LEXICAL).metrics["span_recall@5"].mean == 1.0
    assert "span_recall@5" not in evaluate(index, [DOGS], LEXICAL).metrics
    hits = evaluate(index, [case], LEXICAL).cases[0].hits
    assert [hit.holds_gold for hit in hits] == [sentence in hit.hit.chunk.text for hit in hits]
    assert [hit.is_gold for hit in hits] == ["ferry" in hit.hit.chunk.uri for hit in hits]


def test_only_the_first_passages_have_to_cover_spans(index: Index) -> None:
    """What the second passage holds counts for two passages, and not for one."""
    sentence = "A bicycle travels free of charge in winter."
    case = Case("s", "dogs deck lead bicycle", DOGS.documents, sentences=(sentence,))
    one, two = (evaluate(index, [case], Measure(mode="lexical", span_k=k)) for k in (1, 2))
    assert [hit.holds_gold for hit in one.cases[0].hits[:2]] == [False, True]
    assert one.metrics["span_recall@1"].mean == 0.0
    assert two.metrics["span_recall@2"].mean == 1.0
    assert 0 < two.metrics["span_precision@2"].mean < 1


def test_every_metric_has_its_name(index: Index) -> None:
    """`metric_names` knows what comes out."""
    case = Case("s", "dogs", {"ferry.md": 1.0}, sentences=("Dogs have to be",))
    found = evaluate(index, [case], Measure(span_k=3))
    assert list(found.metrics) == metric_names(3)


def test_latency_is_that_of_the_searches(index: Index) -> None:
    """By the clock around each search, without the first one that warms up."""
    ticks = count()
    found = evaluate(index, [DOGS, WRONG], LEXICAL, clock=lambda: float(next(ticks)))
    assert (found.latency.median, found.latency.p95) == (1000.0, 1000.0)
    assert next(ticks) == 4


def test_progress_is_told(index: Index) -> None:
    """From none to all."""
    told: list[tuple[int, int]] = []
    evaluate(index, [DOGS, WRONG], LEXICAL, on_progress=lambda *where: told.append(where))
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_cases_that_were_made_are_called_easier(index: Index) -> None:
    """A warning says how many, and by what."""
    made = Case("m", DOGS.question, DOGS.documents, made="heuristic")
    (warning,) = evaluate(index, [made, WRONG], LEXICAL).warnings
    assert "1 of 2 cases were made from the documents (heuristic)" in warning


def test_the_dict(index: Index) -> None:
    """It has the fields that the command documents."""
    body = evaluate(index, [DOGS], LEXICAL, label="words").to_dict()
    assert body["metrics"]["ndcg@10"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert set(body["latency_ms"]) == {"median", "p95"}
    assert (body["label"], body["settings"]["mode"]) == ("words", "lexical")
    (case,) = body["cases"]
    assert case["question"] == DOGS.question
    assert case["ranks"] == {"ferry.md": 1}
    assert case["hits"][0]["is_gold"] is True
    assert "comparison" not in body


# --- two configurations ------------------------------------------------------------------------


def test_a_comparison(index: Index) -> None:
    """Differences, wins and losses are the second against the first, on the same cases."""
    first = evaluate(index, [DOGS, WRONG], LEXICAL, label="first")
    turned = [Case("dogs", "salt", DOGS.documents), Case("wrong", "harbour", WRONG.documents)]
    second = evaluate(index, turned, LEXICAL, label="second")
    comparison = compare(first, second).comparison
    assert comparison is not None
    difference = comparison.differences["ndcg@10"]
    assert (difference.wins, difference.ties, difference.losses) == (1, 0, 1)
    assert difference.mean == pytest.approx(0.0)
    assert (comparison.won, comparison.lost) == (("wrong",), ("dogs",))
    body = compare(first, second).to_dict()["comparison"]
    assert body["differences"]["ndcg@10"]["wins"] == 1
    assert body["label"] == "second"


def test_different_cases_are_not_compared(index: Index) -> None:
    """A paired test needs pairs."""
    first = evaluate(index, [DOGS], LEXICAL)
    second = evaluate(index, [WRONG], LEXICAL)
    with pytest.raises(ConfigError, match="different cases"):
        compare(first, second)


def test_a_copy_is_found_with_the_hit_that_stands_for_it(tmp_path: Path) -> None:
    """Of two documents with the same text one is a hit, and the other is credited too."""
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("Dogs have to be on a lead on every deck of the ship.")
    with index_at(tmp_path / "index.db") as copies:
        copies.ingest(tmp_path / "a.md", tmp_path / "b.md")
        assert len(copies.search(DOGS.question, mode="lexical")) == 1
        for name in ("a.md", "b.md"):
            case = Case(name, DOGS.question, {name: 1.0})
            assert evaluate(copies, [case], LEXICAL).metrics["recall@5"].mean == 1.0
