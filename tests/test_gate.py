"""The gate: what makes an answer likely to be in the documents, and what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.gate import Evidence, Word, coverage, judge, standing, word_match, words
from ragkit.store import SqliteStore

TOKENS = SqliteStore(Path("nowhere.db")).tokens
FREQUENCIES = {"ferri": 50, "skarholm": 2, "leav": 20, "417": 1, "e": 3, "high": 4, "tide": 4}

STRONG = Evidence(match=0.7, word_match=0.7, coverage=0.9, standing=5.0, unknown=())


def words_of(question: str) -> list[Word]:
    return words(
        question,
        tokens=TOKENS,
        frequency=lambda token: FREQUENCIES.get(token, 0),
        chunk_count=100,
    )


def texts(question: str) -> list[str]:
    return [word.text for word in words_of(question)]


# --- the words of a question -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("When does the ferry leave?", ["ferry", "leave"]),
        ("How large is the ferry?", ["ferry"]),
        ("how HIGH is the tide at high tide?", ["tide", "high", "tide"]),
        ("What is the high tide?", ["high", "tide"]),
        ("Is it so?", []),
        ("", []),
        ("E-417", ["417"]),
        ("渡轮", ["渡轮"]),
    ],
)
def test_the_words_that_an_answer_might_repeat(question: str, kept: list[str]) -> None:
    """Neither stop words nor ways of asking, such as the "large" of "how large"."""
    assert texts(question) == kept


def test_rare_words_weigh_more() -> None:
    """They say what a question is about; unknown ones weigh most."""
    ferry, skarholm, unknown = words_of("ferry skarholm grommet")
    assert ferry.weight < skarholm.weight < unknown.weight
    assert (ferry.is_known, skarholm.is_known, unknown.is_known) == (True, True, False)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Does the ferry to Bergen leave?", ["Bergen"]),
        ("Bergen ferry", []),  # capital or not, it begins the question
        ("Is E417 on?", ["E417"]),
        ("417 is what?", ["417"]),
        ("what leaves when", []),
    ],
)
def test_names(question: str, names: list[str]) -> None:
    """Words with a digit, and words with a capital inside the question."""
    assert [word.text for word in words_of(question) if word.is_name] == names


def test_words_know_their_place() -> None:
    """Each word stands in the question where it says."""
    question = "When does the Skarholm ferry leave?"
    for word in words_of(question):
        assert question[word.start :].startswith(word.text)


# --- evidence ----------------------------------------------------------------------------------


def test_coverage_is_a_share_by_weight() -> None:
    """A common word that is missing costs less than a rare one."""
    question = words_of("skarholm ferry")
    assert coverage(question, {"skarholm", "ferri", "bread"}) == pytest.approx(1)
    assert coverage(question, frozenset()) == 0
    assert coverage(question, {"skarholm"}) > 0.5 > coverage(question, {"ferri"})
    assert coverage([], {"ferri"}) == 0


def test_a_word_that_stands_there_counts_whole() -> None:
    """Others count as much as they are like what stands there, and not at all if nothing is."""
    question = words_of("skarholm ferry")
    assert word_match(question, {"skarholm", "ferri"}, {0: 0.1, 9: 0.1}) == pytest.approx(1)
    near = word_match(question, {"skarholm"}, {0: 0.0, 9: 0.8})
    assert word_match(question, {"skarholm"}, {}) < near < 1


def test_standing() -> None:
    """By how many standard deviations a similarity is above those of the index at large."""
    assert standing(0.9, [0.1, 0.3]) == pytest.approx(7)
    assert standing(0.9, []) is None
    assert standing(0.9, [0.2, 0.2, 0.2]) is None


# --- the judgement -----------------------------------------------------------------------------


def test_strong_evidence() -> None:
    """All three questions answered well: likely, with the figures as reasons."""
    gate = judge(STRONG)
    assert gate.probability > 0.9
    assert gate.reasons == (
        "the best sentence matches with 0.70 (from 0.37 on)",
        "the best passages hold 90% of the question's words by weight",
    )


@pytest.mark.parametrize(
    ("weak", "reason"),
    [
        (replace(STRONG, match=0.2, word_match=0.2), "the best sentence matches with 0.20"),
        (replace(STRONG, unknown=("Bergen", "E418")), "the index doesn't know Bergen, E418"),
        (replace(STRONG, word_match=0.4), "the best passage is on the subject, but lacks words"),
    ],
)
def test_each_question_speaks_for_itself(weak: Evidence, reason: str) -> None:
    """One that is answered badly makes the answer unlikely, and is named."""
    gate = judge(weak)
    assert gate.probability < 0.5
    assert any(each.startswith(reason) for each in gate.reasons)


def test_without_a_reranker() -> None:
    """Words and vectors judge; each of them weak makes it less likely, and both are reasons."""
    lists = replace(STRONG, match=None, word_match=None)
    gate = judge(lists)
    assert gate.probability > 0.8
    assert gate.reasons[0] == "the best passage stands 5.0 deviations above the index at large"
    few, near = replace(lists, coverage=0.1), replace(lists, standing=1.0)
    assert judge(few).probability < gate.probability
    assert judge(near).probability < gate.probability
    assert judge(replace(few, standing=1.0)).probability < 0.5


def test_without_vectors() -> None:
    """Words alone judge."""
    words_only = replace(STRONG, match=None, word_match=None, standing=None)
    assert judge(words_only).probability > 0.9
    assert judge(replace(words_only, coverage=0.1)).probability < 0.5
    assert judge(words_only).reasons == (
        "the best passages hold 90% of the question's words by weight",
    )


def test_the_steps_are_logistic() -> None:
    """A probability crosses one half at its centre."""
    centre = Evidence(match=0.37, word_match=1.0, coverage=0.0, standing=None, unknown=())
    assert judge(centre).probability == pytest.approx(0.5)


ANY = st.floats(-1e9, 1e9)


@given(
    st.builds(
        Evidence,
        match=st.none() | ANY,
        word_match=st.none() | st.floats(0, 1),
        coverage=st.floats(0, 1),
        standing=st.none() | ANY,
        unknown=st.lists(st.text(), max_size=3).map(tuple),
    )
)
def test_a_probability_whatever_the_evidence(evidence: Evidence) -> None:
    """From 0 to 1, with a reason, however far off the scores are; unknown names never help."""
    gate = judge(evidence)
    assert 0 <= gate.probability <= 1
    assert gate.reasons
    assert judge(replace(evidence, unknown=("x",))).probability <= gate.probability


@given(st.text(max_size=60))
def test_any_text_is_a_question(question: str) -> None:
    """No text is too odd to be cut into words; their weights can be added up."""
    assert 0 <= coverage(words_of(question), {"ferri"}) <= 1
