"""Text as such: cleaning, sentences and length in tokens."""

from __future__ import annotations

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ragkit.providers
import ragkit.text
from ragkit.providers.wordpiece import WordPiece
from ragkit.text import clean, estimate_tokens, sentences, visible
from tests.documents import BREAD, FERRY

# Pieces that sentence ends, markup and scripts are made of, so that they meet each other often.
PIECES = st.lists(
    st.sampled_from(
        [
            *"aZ9.!?。！ \n\t\"')]*_-#|•",
            "\n\n",
            "# ",
            "- ",
            "1. ",
            "Dr.",
            "p.m.",
            "word ",
            "漢字",
            "é",
        ]
    )
    | st.text(max_size=4),
    max_size=40,
).map("".join)

FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
VISIBLE_FORMATS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd"


def said(text: str, *, line_blocks: bool = False) -> list[str]:
    return [text[span.start : span.end] for span in sentences(text, line_blocks=line_blocks)]


# --- clean ---


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("form\x0cfeed\x0bline\u2028sep\u2029par\x85next", "form feed line sep par next"),
        ("so\u00adft zero\u200bwidth \u202eright\u202c", "soft zerowidth right"),
        ("hidden\U000e0041\U000e0042 tags", "hidden tags"),
        ("nul\x00 esc\x1b[31m bell\x07", "nul esc[31m bell"),
        ("\ufeffwith a mark", "with a mark"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("cafe\u0301", "caf\u00e9"),
        ("e\u200b\u0301", "\u00e9"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_clean(raw: str, stored: str) -> None:
    """Line ends are one, nothing invisible stays, accents are composed."""
    assert clean(raw) == stored


@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Mn", "Ll"])))
def test_clean_text_is_clean(raw: str) -> None:
    """It can be encoded, is NFC, holds no control or invisible format, and cleaning it again
    changes nothing."""
    text = clean(raw)
    text.encode()
    assert unicodedata.is_normalized("NFC", text)
    assert clean(text) == text
    left = {c for c in text if ord(c) < 0x3000 and unicodedata.category(c) in FORBIDDEN}
    assert left <= {"\n", "\t", *VISIBLE_FORMATS}
    assert not {c for c in text if 0xE0000 <= ord(c) <= 0xE0FFF}


# --- sentences ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("He said “Go.” Then he left.", ["He said “Go.”", "Then he left."]),
        (
            "Dr. Weber met Mrs. Ito at 5 p.m. They spoke.",
            ["Dr. Weber met Mrs. Ito at 5 p.m.", "They spoke."],
        ),
        ("See Fig. 3 and vol. 2. It helps.", ["See Fig. 3 and vol. 2.", "It helps."]),
        ("J. R. Smith wrote it. It sold.", ["J. R. Smith wrote it.", "It sold."]),
        ("It costs 3.50. Version 1.2.3 is out.", ["It costs 3.50.", "Version 1.2.3 is out."]),
        ("Use e.g. Paris, i.e. a town. Good.", ["Use e.g. Paris, i.e. a town.", "Good."]),
        ("Really?! Yes... And no.", ["Really?!", "Yes...", "And no."]),
        ("It ends with etc. Next one.", ["It ends with etc.", "Next one."]),
        ("no capital. follows here", ["no capital. follows here"]),
        ("It fell. 12 were hurt. $5 was paid.", ["It fell.", "12 were hurt.", "$5 was paid."]),
        ("**Bold.** *Then* more.", ["**Bold.**", "*Then* more."]),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, expected: list[str]) -> None:
    """Full stops of abbreviations, initials and numbers end nothing."""
    assert said(text) == expected


def test_markup_ends_sentences() -> None:
    """A heading's line, a list item, a table row and an empty line stand for themselves."""
    text = "# Title here\nFirst\nline goes on\n- one\n- two\n\n| a | b |\n| 1 | 2 |\n1. uno\nlast"
    assert said(text) == [
        "# Title here",
        "First\nline goes on",
        "- one",
        "- two",
        "| a | b |",
        "| 1 | 2 |",
        "1. uno\nlast",
    ]


def test_lines_end_sentences_where_they_are_blocks() -> None:
    """Text taken out of PDF and HTML has a line a block; elsewhere sentences run over lines."""
    text = "Fares\nAdult 12 euros\nIt is fair. Yes."
    assert said(text, line_blocks=True) == ["Fares", "Adult 12 euros", "It is fair.", "Yes."]
    assert said(text) == ["Fares\nAdult 12 euros\nIt is fair.", "Yes."]


def test_sentences_of_other_scripts() -> None:
    """Chinese, Japanese, Arabic and Hindi end sentences with their own marks, without a space."""
    assert said("船は七時に出る。犬は無料！本当？はい") == [
        "船は七時に出る。",
        "犬は無料！",
        "本当？",
        "はい",
    ]
    assert said("「行け。」彼は言った。") == ["「行け。」", "彼は言った。"]
    assert said("यह है। वह नहीं।") == ["यह है।", "वह नहीं।"]
    assert said("هل هذا؟ نعم۔") == ["هل هذا؟", "نعم۔"]


@given(PIECES, st.booleans())
def test_sentences_cover_the_text(text: str, line_blocks: bool) -> None:
    """Spans are trimmed, in order, apart, and hold all that isn't white space."""
    end = 0
    for span in sentences(text, line_blocks=line_blocks):
        assert end <= span.start < span.end
        assert not text[end : span.start].strip()
        piece = text[span.start : span.end]
        assert piece == piece.strip()
        end = span.end
    assert not text[end:].strip()


@pytest.mark.parametrize(
    "text",
    [
        "." * 50_000,
        "?!" * 20_000 + "x",
        ". " * 20_000,
        "\n" * 50_000,
        ("\n" + " " * 200) * 200,
        "aB" * 20_000,
        "a-" * 20_000,
        "漢" * 50_000,
        '"' * 20_000,
    ],
    ids=lambda text: repr(text[:4]),
)
def test_no_text_takes_for_ever(text: str) -> None:
    """Long runs of one pattern cost time in proportion, not its square."""
    started = time.process_time()
    sentences(text)
    estimate_tokens(text)
    clean(text)
    assert time.process_time() - started < 2


# --- length ---


@pytest.mark.parametrize(
    "text",
    [
        FERRY,
        BREAD,
        "The quick brown fox jumps over the lazy dog.",
        "def add(a: int, b: int) -> int:\n    return a + b",
        "| 2023 | 1,234.50 | 17.8 % |\n| 2024 | 2,011.75 | -0.3 % |",
        "see https://example.org/a/b?c=1&d=2 now",
        "船は午前七時に北埠頭から出ます。",
        Path(ragkit.text.__file__).read_text(encoding="utf-8"),
    ],
    ids=lambda text: repr(text[:20]),
)
def test_estimated_tokens_are_near(text: str) -> None:
    """Prose, code, tables and Japanese come within a tenth of the embedded model's tokenizer."""
    vocabulary = Path(ragkit.providers.__file__).with_name("minilm-vocab.txt")
    counted = len(WordPiece(vocabulary).encode(text, 10**6)) - 2  # without [CLS] and [SEP]
    assert estimate_tokens(text) == pytest.approx(counted, rel=0.1)


def test_scripts_of_many_tokens_count_as_such() -> None:
    """A Thai, Hindi or Russian text counts more than English words would."""
    for text in ("วันนี้อากาศดีมาก", "आज मौसम बहुत अच्छा है", "Сегодня очень хорошая погода"):
        assert len(text) / 3 <= estimate_tokens(text) <= len(text)


@given(st.text(), st.text())
def test_more_text_is_not_fewer_tokens(first: str, second: str) -> None:
    """White space alone counts nothing; what is added never makes a text shorter."""
    assert estimate_tokens(" \n\t") == 0
    assert estimate_tokens(f"{first} {second}") >= estimate_tokens(first)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_ascii_is_counted_as_any_text(text: str) -> None:
    """Faster, and to the same number."""
    assert estimate_tokens(text + " 漢") == estimate_tokens(text) + 1


@pytest.mark.parametrize("unseen", ["\u200b", "\u00ad", "\u202e", "\ufe0f", "\U000e0041", "\u3164"])
def test_what_nobody_sees(unseen: str) -> None:
    """It goes, wherever it stands; line ends and words of any script stay."""
    assert visible(f"{unseen}渡{unseen}轮\nÜber{unseen} 5 €") == "渡轮\nÜber 5 €"
