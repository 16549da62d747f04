"""The gate: what makes an answer likely to be in the documents, and what speaks against it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.gate import (
    Calibration,
    Evidence,
    Read,
    Word,
    coverage,
    hit_signals,
    judge,
    missing_names,
    sentence_signals,
    standing,
    text_signals,
    word_signals,
    words,
)
from ragkit.gate_models import MODELS
from ragkit.store import SqliteStore
from ragkit.types import Chunk, Hit, Span

TOKENS = SqliteStore(Path("nowhere.db")).tokens
FREQUENCIES = {"ferri": 50, "skarholm": 2, "leav": 20, "417": 1, "e": 3, "high": 4, "tide": 4}

# What an answered question usually shows.
STRONG = {
    "match": 0.8,
    "word_similarity": 0.7,
    "function_words": 0.65,
    "nearness": 0.6,
    "standing": 5.0,
    "coverage": 0.9,
    "union_coverage": 0.9,
    "lexical": 1.0,
    "agreement": 0.6,
    "unknown": 0.0,
    "unknown_names": 0.0,
    "name_alone": 0.0,
    "matched_words": 1.8,
    "missing_names": 0.0,
    "missing_numbers": 0.0,
    "denial": 0.0,
    "opposite": 0.0,
}
SENTENCE = {
    "sentence_function_words": 0.65,
    "sentence_matched_words": 1.8,
    "sentence_missing_names": 0.0,
    "sentence_missing_numbers": 0.0,
    "sentence_denial": 0.0,
    "sentence_opposite": 0.0,
    "sentence_lacks_kind": 0.0,
}


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


def test_standing() -> None:
    """By how many standard deviations a similarity is above those of the index at large."""
    assert standing(0.9, [0.1, 0.3]) == pytest.approx(7)
    assert standing(0.9, []) is None
    assert standing(0.9, [0.2, 0.2, 0.2]) is None


def hit(ranks: dict[str, int], scores: dict[str, float]) -> Hit:
    chunk = Chunk("c", "d", "uri", "", "", 0, Span(0, 1), None, None, (), "text", "text/plain")
    return Hit(chunk, 1.0, ranks, scores)


def read(text: str, similarities: dict[int, float] | None = None) -> Read:
    return Read(text, text, frozenset(TOKENS(text)), similarities)


def test_what_the_hits_say() -> None:
    """Coverage by weight, the best of each score, and how many passages both lists agree on."""
    both = hit({"lexical": 1, "semantic": 2}, {"lexical": 9.0, "semantic": 0.6, "whole": 0.7})
    one = hit({"semantic": 1}, {"semantic": 0.7, "whole": 0.5})
    question = words_of("When does the Skarholm ferry leave?")
    stands = [frozenset({"ferri", "skarholm"}), frozenset({"leav"})]
    signals = hit_signals(question, [both, one], stands, [0.1, 0.3] * 20)
    assert signals["coverage"] == coverage(question, {"ferri", "skarholm"})
    assert signals["union_coverage"] == pytest.approx(1)
    assert signals["agreement"] == 0.5
    assert signals["match"] == 0.7
    assert signals["nearness"] == pytest.approx((0.7 - 0.2) / (1 - 0.2))
    assert signals["standing"] == pytest.approx(5)
    assert (signals["unknown"], signals["unknown_names"]) == (0, 0)


def test_what_can_not_be_had_is_left_out() -> None:
    """No vectors, no nearness; a background of few passages gives no standing."""
    lexical = hit({"lexical": 1}, {"lexical": 9.0})
    near = hit({"semantic": 1}, {"semantic": 0.7})
    assert not {"match", "nearness", "standing"} & set(hit_signals([], [lexical], [], []))
    assert "standing" not in hit_signals([], [near], [frozenset()], [0.1, 0.3])
    assert hit_signals(words_of("the Grommet"), [near], [frozenset()], [])["unknown_names"] == 1


def test_words_in_their_context() -> None:
    """The mean over all words, and over those that are not telling by themselves."""
    question = "When does the ferry leave?"
    similar = {0: 0.2, 5: 0.4, 10: 0.6, 14: 0.9, 20: 0.7}
    signals = word_signals(question, words_of(question), similar)
    assert signals["word_similarity"] == pytest.approx(0.56)
    assert signals["function_words"] == pytest.approx(0.4)
    assert word_signals("ferry", words_of("ferry"), {0: 0.9}) == {"word_similarity": 0.9}
    assert word_signals("ferry", words_of("ferry"), {}) == {}


def test_what_a_text_lacks() -> None:
    """Names, unless something like them stands there, and numbers; no months."""
    question = words_of("Does the Skarholm ferry leave in March at 417?")
    assert missing_names(question, read("The ferry leaves.")) == ["Skarholm"]
    assert missing_names(question, read("The ferry leaves.", {9: 0.6})) == []
    signals = text_signals("", question, read("The Skarholm ferry leaves at 417."))
    assert (signals["missing_names"], signals["missing_numbers"]) == (0, 0)
    assert text_signals("", question, read("Nothing."))["missing_numbers"] == 1


def test_a_name_that_stands_alone() -> None:
    """The text knows the name, and nothing like what is asked about it."""
    question = "What does the ferry Skarholm burn?"
    asked = words_of(question)
    starts = {word.text: word.start for word in asked}
    alone = read("Skarholm is green.", {starts["ferry"]: 0.2, starts["burn"]: 0.2})
    said = read("Skarholm is green.", {starts["ferry"]: 0.8, starts["burn"]: 0.7})
    assert text_signals(question, asked, alone)["name_alone"] == 1
    assert text_signals(question, asked, said)["name_alone"] == 0
    assert "name_alone" not in text_signals(question, asked, read("Skarholm is green."))


def test_what_the_sentence_says() -> None:
    """The same of the sentence, and whether it has the kind of thing that is asked for."""
    question = "When does the ferry not leave?"
    signals = sentence_signals(question, words_of(question), read("The ferry leaves daily."))
    assert signals["sentence_denial"] == 1
    assert signals["sentence_lacks_kind"] == 0
    other = sentence_signals(question, words_of(question), read("The ferry is green."))
    assert other["sentence_lacks_kind"] == 1


# --- the judgement -----------------------------------------------------------------------------


@pytest.mark.parametrize("key", MODELS)
def test_strong_evidence(key: tuple[str, str]) -> None:
    """All three questions answered well: likely, whatever there is to judge by."""
    gate = judge(Evidence(*key, STRONG | SENTENCE))  # type: ignore[arg-type]
    assert gate.probability > 0.7
    assert gate.reasons[0].startswith("that the subject is here: ")
    assert gate.reasons[1].startswith("that the passages say what is asked of it: ")


@pytest.mark.parametrize("key", MODELS)
def test_weak_evidence(key: tuple[str, str]) -> None:
    """Nothing of the question stands anywhere: unlikely."""
    nothing = dict.fromkeys(STRONG | SENTENCE, 0.0) | {"unknown": 1.0, "missing_names": 1.0}
    assert judge(Evidence(*key, nothing)).probability < 0.05  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        ({"word_similarity": 0.3}, "that the subject is here: "),
        ({"unknown_names": 1.0}, "the index doesn't know Bergen"),
        ({"name_alone": 1.0}, "the best passage has a name of the question, but not what is"),
        ({"sentence_denial": 1.0}, "the question denies something, and the best sentence doesn't"),
        ({"sentence_missing_names": 1.0}, "a name in the question stands nowhere near"),
        ({"sentence_lacks_kind": 1.0}, "the best sentence has nothing of the kind"),
    ],
)
def test_each_signal_speaks_for_itself(worse: dict[str, float], reason: str) -> None:
    """One that speaks against an answer makes it less likely, and is named."""
    strong = Evidence("tokens", "sentence", STRONG | SENTENCE)
    unknown = ("Bergen",) if "unknown_names" in worse else ()
    weak = replace(strong, signals={**strong.signals, **worse}, unknown=unknown)
    assert judge(weak).probability < judge(strong).probability
    assert any(each.startswith(reason) for each in judge(weak).reasons)


def test_opposites_are_named() -> None:
    """A reason says which word, and what stands there instead."""
    evidence = Evidence("tokens", "sentence", STRONG | SENTENCE, opposites=("north", "south"))
    assert "the question says north, the best passage south" in judge(evidence).reasons


def test_nothing_found() -> None:
    """Without hits there is no answer, and that is the reason."""
    assert judge(Evidence("words", "hits", {})).probability == 0
    assert judge(Evidence("words", "hits", {})).reasons == ("nothing was found",)


def test_a_missing_signal_says_nothing() -> None:
    """What can't be had speaks neither for nor against."""
    terms = MODELS["tokens", "hits"].subject
    assert terms.log_odds({}) == terms.intercept
    assert terms.log_odds({"nearness": terms.weights["nearness"][1]}) == terms.intercept


def test_calibration() -> None:
    """The prior shifts the odds, slope and intercept correct them; by default nothing does."""
    evidence = Evidence("tokens", "sentence", STRONG | SENTENCE)
    plain = judge(evidence).probability
    odds = plain / (1 - plain)
    rare = judge(evidence, Calibration(prior=0.1)).probability
    assert rare / (1 - rare) == pytest.approx(9 * odds)
    steep = judge(evidence, Calibration(slope=2.0)).probability
    assert steep / (1 - steep) == pytest.approx(odds**2)
    assert judge(evidence, Calibration(intercept=-20)).probability < 0.01


@given(
    st.sampled_from(list(MODELS)),
    st.dictionaries(st.sampled_from([*STRONG, *SENTENCE]), st.floats(-1e9, 1e9), min_size=1),
)
def test_a_probability_whatever_the_evidence(
    key: tuple[str, str], signals: dict[str, float]
) -> None:
    """From 0 to 1, with reasons, however far off the signals are."""
    gate = judge(Evidence(*key, signals))  # type: ignore[arg-type]
    assert 0 <= gate.probability <= 1
    assert gate.reasons


@given(st.text(max_size=60))
def test_any_text_is_a_question(question: str) -> None:
    """No text is too odd to be cut into words; their weights can be added up."""
    assert 0 <= coverage(words_of(question), {"ferri"}) <= 1
