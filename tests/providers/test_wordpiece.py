"""The tokenizer: the ids that the model was trained with, and where each token stands."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.providers import wordpiece
from ragkit.providers.wordpiece import WordPiece
from ragkit.types import Span

HERE = Path(__file__).parent
VOCABULARY = Path(wordpiece.__file__).with_name("minilm-vocab.txt")
TOKENIZER = WordPiece(VOCABULARY)
PIECES = VOCABULARY.read_text(encoding="utf-8").split("\n")
UNKNOWN, FIRST, LAST = 100, 101, 102

# Written by tokenizers 0.23.3, BertWordPieceTokenizer(VOCABULARY, lowercase=True).encode(text).
GOLDEN = json.loads((HERE / "wordpiece_golden.json").read_text(encoding="utf-8"))


def plain(text: str) -> str:
    decomposed = "".join(unicodedata.normalize("NFD", char) for char in text)
    kept = (c for c in decomposed if unicodedata.category(c) not in ("Mn", "Cc", "Cf", "Co"))
    return "".join(c.lower() for c in kept)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: ascii(case["text"])[:40])
def test_ids_are_those_of_the_reference(case: dict[str, object]) -> None:
    """A text has the ids that the tokenizer of the model's authors gives it."""
    assert TOKENIZER.encode(str(case["text"]), 1000) == case["ids"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: ascii(case["text"])[:40])
def test_spans_are_those_of_the_reference(case: dict[str, object]) -> None:
    """A token's span counts characters of the original text, as the reference counts them."""
    _, spans = TOKENIZER.encode_with_spans(str(case["text"]), 1000)
    assert [[span.start, span.end] for span in spans[1:-1]] == case["spans"]


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_any_text_can_be_encoded(text: str, max_tokens: int) -> None:
    """Whatever the text, there are at most `max_tokens` ids, and spans in order within it."""
    ids, spans = TOKENIZER.encode_with_spans(text, max_tokens)
    assert ids == TOKENIZER.encode(text, max_tokens)
    assert len(ids) == len(spans) <= max_tokens
    assert (ids[0], ids[-1]) == (FIRST, LAST)
    assert all(0 <= span.start < span.end <= len(text) for span in spans[1:-1])
    assert spans == sorted(spans, key=lambda span: (span.start, span.end))


@given(st.text(st.characters(max_codepoint=0x2FF) | st.characters(), max_size=200))
def test_a_token_stands_at_its_span(text: str) -> None:
    """What stands at a token's span is, without case, accents and control characters, the token."""
    for number, span in list(zip(*TOKENIZER.encode_with_spans(text, 1000), strict=True))[1:-1]:
        if number != UNKNOWN:
            assert PIECES[number].removeprefix("##") in plain(text[span.start : span.end])


def test_spans_survive_characters_that_change_length() -> None:
    """Accents written apart, letters that lower to two and dropped marks shift no span."""
    text = "Cafe\u0301s \u0130zmir\u200b, Straße"
    ids, spans = TOKENIZER.encode_with_spans(text, 100)
    assert len(ids) == len(spans)
    assert [text[s.start : s.end] for s in spans if s.end > s.start] == [
        "Cafe\u0301s",
        "\u0130",
        "z",
        "mir",
        ",",
        "St",
        "raße",
    ]


def test_special_tokens_have_empty_spans() -> None:
    """[CLS] stands before the text, [SEP] after its last token; neither covers a character."""
    _, spans = TOKENIZER.encode_with_spans("one two three", 4)
    assert spans == [Span(0, 0), Span(0, 3), Span(4, 7), Span(7, 7)]


def test_a_special_token_in_a_text_is_text() -> None:
    """A document can't end its own sequence by writing [SEP]."""
    ids = TOKENIZER.encode("a [SEP] b [CLS] [MASK] [PAD]", 100)
    assert ids.count(LAST) == 1
    assert ids.count(FIRST) == 1
    assert not {0, 103} & set(ids)


def test_a_word_of_more_than_a_hundred_characters_is_unknown() -> None:
    """Such a word is one unknown token, and its span is the whole of it."""
    ids, spans = TOKENIZER.encode_with_spans("a " + "b" * 101, 100)
    assert ids[2] == UNKNOWN
    assert spans[2] == Span(2, 103)


def test_lone_surrogates_are_dropped() -> None:
    """A broken character, as file names have them, is left out like a control character."""
    assert TOKENIZER.encode("ab\ud800c", 10) == TOKENIZER.encode("abc", 10)


@pytest.mark.parametrize("text", ["word " * 3_000_000, "x" * 15_000_000, "日" * 15_000_000])
def test_only_the_beginning_of_a_long_text_is_read(text: str) -> None:
    """A text of 15 million characters costs what its first 256 tokens cost."""
    assert TOKENIZER.encode(text, 256) == TOKENIZER.encode(text[:30_000], 256)
