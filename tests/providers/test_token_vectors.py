"""Token vectors: what is kept of a text, and how a query is matched with it."""

from __future__ import annotations

import numpy as np
import pytest

from ragkit.ports import Match, TokenPassage
from ragkit.providers import token_vectors
from ragkit.providers.local import MiniLM
from ragkit.types import Span

TEXT = "Dogs travel free of charge. The bar opens at noon."
DOGS, BAR = Span(0, 27), Span(28, 50)


@pytest.fixture(scope="module")
def model() -> MiniLM:
    """A model on its optimised graph."""
    shared = MiniLM()
    shared.embed(["a", "b"], kind="document")
    return shared


def told(_word: str) -> float:
    return 1.0


def passage(record: bytes, *sentences: Span, text: str = TEXT) -> TokenPassage:
    return TokenPassage(record, len(text), sentences)


def matched(model: MiniLM, query: str, *sentences: Span, text: str = TEXT) -> Match:
    """Match a query with a text that stands alone."""
    record = model.token_records([text])[0]
    match = model.match_tokens(query, [passage(record, *sentences, text=text)], weight=told)[0]
    assert match is not None
    return match


def test_a_packed_text_begins_with_its_vector(model: MiniLM) -> None:
    """It is that of `embed`; the record follows."""
    packed = model.embed_packed([TEXT])[0]
    vector = np.frombuffer(packed, "<f4", model.dimensions)
    assert np.allclose(vector, model.embed([TEXT], kind="document")[0], atol=1e-6)
    assert packed[4 * model.dimensions :] == model.token_records([TEXT])[0]


def test_stop_words_and_marks_are_not_kept(model: MiniLM) -> None:
    """Seven words of the text say something; each takes 68 bytes."""
    record = model.token_records([TEXT])[0]
    assert len(record) == 4 + 68 * len("dogs travel free charge bar opens noon".split())


def test_the_same_word_is_the_nearest(model: MiniLM) -> None:
    """A query in the text's own words matches nearly as well as can be."""
    assert matched(model, "dogs travel free of charge").whole > 0.7
    assert matched(model, "dogs travel free").whole > matched(model, "cats sleep inside").whole


def test_a_sentence_is_matched_by_its_own_words(model: MiniLM) -> None:
    """Each sentence has the score of what stands in it, in their order."""
    dogs, bar = matched(model, "when does the bar open", DOGS, BAR).sentences
    assert bar > dogs
    dogs, bar = matched(model, "do dogs cost anything", DOGS, BAR).sentences
    assert dogs > bar


def test_a_passage_is_the_end_of_its_text(model: MiniLM) -> None:
    """What stands before it, as a title does, counts for the whole but for no sentence."""
    record = model.token_records(["Ferry rules\nOpening hours\n" + TEXT])[0]
    alone, titled = (
        model.match_tokens("ferry hours", [passage(each, DOGS, BAR)], weight=told)[0]
        for each in (model.token_records([TEXT])[0], record)
    )
    assert alone is not None and titled is not None
    assert titled.whole > alone.whole + 0.2
    assert titled.sentences == pytest.approx(alone.sentences, abs=0.2)


def test_weights_say_what_counts(model: MiniLM) -> None:
    """A word without weight is as if it weren't there."""
    record = model.token_records([TEXT])[0]

    def only_bar(word: str) -> float:
        return 1.0 if word == "bar" else 0.0

    match = model.match_tokens("dogs bar", [passage(record, DOGS, BAR)], weight=only_bar)[0]
    assert match is not None
    assert match.sentences[1] == match.whole > match.sentences[0]


@pytest.mark.parametrize("query", ["", "the of and", "?!"])
def test_a_query_without_words_is_no_error(model: MiniLM, query: str) -> None:
    """All of its tokens then count the same, and where there is none nothing is matched."""
    record = model.token_records([TEXT])[0]
    matches = model.match_tokens(query, [passage(record, DOGS)], weight=lambda _: 0.0)
    assert len(matches) == 1


@pytest.mark.parametrize("text", ["", "of the", "x" * 5000])
def test_any_text_has_a_record(model: MiniLM, text: str) -> None:
    """It may hold no token at all."""
    match = matched(model, "dogs", Span(0, len(text)), text=text)
    assert len(match.sentences) == 1


@pytest.mark.parametrize("record", [b"", b"\x02", b"\x02\x00\x00\x00", b"\x01\x00\x09\x00abc"])
def test_a_record_of_another_format_matches_nothing(model: MiniLM, record: bytes) -> None:
    """Whatever it is, it is no error."""
    assert model.match_tokens("dogs", [passage(record, DOGS)], weight=told) == [None]


def test_little_is_lost() -> None:
    """Cosines of unpacked vectors are those of the projected ones to some hundredths."""
    vectors = np.random.default_rng(1).normal(size=(50, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    small = token_vectors.project(vectors)
    unpacked = token_vectors.unpack(token_vectors.pack(vectors, range(50)))
    assert unpacked is not None
    assert unpacked.from_end.tolist() == list(range(50))
    assert np.abs(small @ small.T - unpacked.vectors @ small.T).max() < 0.06
