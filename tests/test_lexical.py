"""Words to search by: one form for index and query, and what a query asks for."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.lexical import (
    LEXICAL_FORM,
    indexed_form,
    is_syllable,
    lexical_form,
    phrase_form,
    plain_words,
    query_terms,
)

# What the sentence below becomes; \\U000f.... are vowel signs that the tokenizer would cut at.
GOLDEN = (
    "getUserName E-417 v2.3.1 Strasse fin  \\u5317\\u57e0 \\u57e0\\u982d "
    "  \\u0e2a\\u0e27\\U000f0e31 \\u0e27\\U000f0e31\\u0e2a \\u0e2a\\u0e14\\U000f0e35 "
    " \\u0939\\U000f093f\\u0928\\U000f094d\\u0926\\U000f0940 na\\xefve"
    " \\u05e9\\u05dc\\u05d5\\u05dd\nget User Name\n\\u982d \\u0e14\\U000f0e35"
)

# --- one form ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("plain words, Ordinary case", "plain words, Ordinary case"),
        ("getUserName now", "getUserName now get User Name"),
        ("HTTPServer", "HTTPServer HTTP Server"),
        ("PDFs and utf8Decoder", "PDFs and utf8Decoder utf8 Decoder"),
        ("北埠頭", "北埠 埠頭"),
        ("犬", "犬"),
        ("a東京b", "a 東京 b"),
        ("東京・大阪", "東京 大阪"),
        ("한국어는", "한국 국어 어는"),
        ("ｱｲｳ ＡＢＣ", "アイ イウ ABC"),
        ("ﬁne ½ CO₂ ①", "fine 1 2 CO2 1"),
        ("Straße, Øre, Łódź", "Strasse, Ore, Lódź"),
        ("Word™ text", "Word text"),
        ("a\uf0b7b\U000f0e31c", "a b c"),
        ("שָׁלוֹם", "שלום"),
        ("قَلَم", "قلم"),
    ],
)
def test_lexical_form(text: str, words: str) -> None:
    """One spelling for what has several, pairs where no spaces are, CamelCase parts at the end."""
    assert lexical_form(text).split() == words.split()


def test_vowel_signs_stay_with_their_words() -> None:
    """Where marks are vowels a word stays one, and other vowels make another word."""
    assert len(phrase_form("हिन्दी").split()) == 1
    assert phrase_form("की") != phrase_form("का") != phrase_form("क")
    assert unicodedata.category(phrase_form("की")[1]) == "Co"  # what the tokenizer doesn't cut at


@given(st.text())
def test_however_it_is_composed(text: str) -> None:
    """A text has the same form with its accents in one character or in two."""
    assert lexical_form(unicodedata.normalize("NFD", text)) == lexical_form(text)


def test_the_index_holds_the_ends_of_runs() -> None:
    """Each syllable of a script without spaces begins a word there."""
    assert indexed_form("我有狗。plain").split() == ["我有", "有狗", "plain", "狗"]
    assert indexed_form("plain getName") == lexical_form("plain getName")
    assert [is_syllable(term) for term in ("狗", "有狗", "a", "ก", "กิ", "กา", "")] == [
        True, False, False, True, True, False, False,
    ]  # fmt: skip


def test_a_change_of_the_form_has_a_number() -> None:
    """Whoever changes what these become raises LEXICAL_FORM, so that indexes are made again."""
    text = "getUserName E-417 v2.3.1 Straße ﬁn 北埠頭 สวัสดี हिन्दी naïve שָׁלוֹם"
    form = indexed_form(text).encode("ascii", "backslashreplace").decode()
    assert (LEXICAL_FORM, form) == (2, GOLDEN)


# --- queries ---


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("What is the fare for a dog?", ["fare", "dog"]),
        ("to be or not to be", ["to", "be", "or", "not"]),
        ("how do I", ["how", "do", "I"]),
        ("the dog's leash, dog’s", ["dog", "leash"]),
        ("vitamin D and/or K", ["vitamin", "D", "and/or", "K"]),
        ('"sun deck" in summer', ["sun deck", "summer"]),
        ("“sun deck” «top deck»", ["sun deck", "top deck"]),
        ("", []),
        ("?! ...", []),
    ],
)
def test_words_and_phrases(query: str, terms: list[str]) -> None:
    """Stop words go unless there is nothing else; phrases stay whole."""
    assert query_terms(query) == terms


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("E-417", ["E-417", "E417", "417"]),
        ("E417", ["E417", "E-417"]),
        ("ERR_CONN_RESET", ["ERR_CONN_RESET", "ERR", "CONN", "RESET"]),
        ("0x80070057", ["0x80070057"]),
        ("fare_table", ["fare_table", "fare", "table"]),
        ("parseHTML", ["parseHTML", "parse HTML", "parse", "HTML"]),
        ("C++ C#", ["C++", "C#"]),
        ("std::vector", ["std::vector", "std", "vector"]),
        ("font-size", ["font-size", "fontsize", "font", "size"]),
        ("T-cell", ["T-cell", "Tcell", "cell"]),
        ("v2.3.1", ["v2.3.1", "2.3.1", "v2"]),
        ("2.3.1", ["2.3.1", "v2.3.1"]),
        ("src/app/main.py", ["src/app/main.py", "src", "app", "main", "py"]),
        (r"C:\Windows\x", [r"C:\Windows\x", "Windows"]),
        (
            "https://example.org/a?id=7",
            ["https://example.org/a?id=7", "https", "example", "org", "id"],
        ),
        ("ann@example.org", ["ann@example.org", "ann", "example", "org"]),
        ("1,234.50", ["1,234.50", "1234.50"]),
        ("1234.50", ["1234.50", "1,234.50", "v1234.50"]),
        ("£12.00", ["12.00", "12", "v12.00"]),
        ("2024", ["2024", "2,024"]),
    ],
)
def test_identifiers(query: str, terms: list[str]) -> None:
    """Codes, names, versions, paths, addresses and amounts: whole, respelled, and in parts."""
    assert query_terms(query) == terms


def test_a_hyphen_in_a_long_query_is_no_name() -> None:
    """Among other words a hyphenated word is its parts, or written together."""
    assert query_terms("anti-inflammatory drugs for chronic bowel disease")[:3] == [
        "antiinflammatory",
        "anti",
        "inflammatory",
    ]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("北埠頭", ["北埠頭", "北埠", "埠頭"]),
        ("犬", ["犬"]),
        ("E-417の犬", ["E-417の犬", "417", "の犬"]),
        ("서울역", ["서울역", "서울", "울역"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("漢" * 17, ["漢漢"]),
    ],
)
def test_scripts_without_spaces(query: str, terms: list[str]) -> None:
    """A run comes whole, unless it is a sentence, and in pairs; terms are as they were written."""
    assert query_terms(query) == terms


def test_words_that_can_be_misspelt() -> None:
    """Words of letters, parts of hyphenated ones too; no codes, names of code or quotations."""
    assert plain_words('the fery E-417 getUsr PDFs "quoted wrod" anti-viral 北埠頭') == [
        "fery",
        "E",
        "anti",
        "viral",
    ]
    assert plain_words("FERY PRISES") == ["FERY", "PRISES"]


@given(st.text())
def test_any_query_has_terms_that_can_be_stored(query: str) -> None:
    """Terms are few, differ, are not empty, and can be encoded."""
    terms = query_terms(query)
    assert len(terms) == len(set(terms)) <= 64
    assert all(term.strip() and term.encode() for term in terms)
    assert len(plain_words(query)) <= 64


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000,
        "aB" * 20_000,
        "a-" * 20_000,
        "漢" * 50_000,
        "กิ" * 20_000,
        '"' * 20_000,
        "1," * 20_000,
        "1" * 50_000,
        "1,234" * 9_000,
        "a.b_c" * 10_000,
        "“«" * 10_000,
    ],
    ids=lambda text: repr(text[:4]),
)
def test_no_text_takes_for_ever(text: str) -> None:
    """Long runs of one pattern cost time in proportion, not its square."""
    started = time.process_time()
    query_terms(text)
    plain_words(text)
    indexed_form(text)
    assert time.process_time() - started < 2
