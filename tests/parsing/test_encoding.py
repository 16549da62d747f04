"""Encodings: what is believed, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.parsing.encoding import decode


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]
)
def test_unicode_is_found_with_and_without_mark(encoding: str) -> None:
    """Marks are believed, and UTF-16 without one is known by its NULs."""
    text = "Grüße aus Köln, and more of it.\n"
    assert decode(text.encode(encoding)).text == text


def test_few_bad_bytes_do_not_flip_the_encoding() -> None:
    """Damaged UTF-8 stays UTF-8, the damage is replaced and counted."""
    decoded = decode("Zwölf Boxkämpfer jagen Viktor".encode() + b"\xff" + "ö".encode())
    assert decoded.encoding == "utf-8"
    assert decoded.text == "Zwölf Boxkämpfer jagen Viktor\ufffdö"
    assert decoded.warnings == ("1 unreadable character was replaced by U+FFFD",)


def test_cut_last_character_does_not_flip_the_encoding() -> None:
    """A file that ends inside a character is still UTF-8."""
    decoded = decode(b"plain text and then cut \xe2\x82")
    assert (decoded.encoding, decoded.text) == ("utf-8", "plain text and then cut \ufffd")


def test_declared_encoding_comes_before_guessing() -> None:
    """A declaration is used where the bytes are no UTF-8, but never UTF-16."""
    data = "Привет, мир".encode("cp1251")
    assert decode(data, declared="windows-1251").text == "Привет, мир"
    text = "C'est l'été, et le café est fermé. " * 3
    assert decode(text.encode("cp1252"), declared="utf-16").text == text


def test_spanish_is_not_taken_for_polish() -> None:
    """cp1252 is preferred over cp1250 where no letter says otherwise."""
    text = "La niña comió una piña en el jardín. Mañana volverá con su tía. " * 3
    assert decode(text.encode("cp1252")).text == text


@pytest.mark.parametrize(
    "text",
    [
        "Zażółć gęślą jaźń, powiedział mały kot i poszedł spać do łóżka. ",
        "Příliš žluťoučký kůň úpěl ďábelské ódy, než přišla zima. ",
        "Árvíztűrő tükörfúrógép és őszi szüret, mondta a bölcs öreg. ",
    ],
)
def test_polish_czech_and_hungarian_stay_what_they_are(text: str) -> None:
    """cp1250 is kept where its letters stand inside words."""
    assert decode(text.encode("cp1250") * 3).text == text * 3


@given(st.binary())
def test_any_bytes_are_decoded(data: bytes) -> None:
    """Decoding never fails."""
    assert isinstance(decode(data).text, str)


def test_a_last_letter_with_an_accent_is_no_cut_utf8() -> None:
    """One byte at the end of plain ASCII is a letter of a legacy code page."""
    assert decode(b"Jean went to the Caf\xe9").text.endswith("Café")
    assert decode(b"A caf\xc3\xa9, then a Caf\xc3").text == "A café, then a Caf\ufffd"
