"""The tokenizer of uncased BERT models: words without case and accents, cut into known pieces.

Gives the ids of `tokenizers.BertWordPieceTokenizer(lowercase=True)`, but that a special token
written in a text ("[SEP]") is text here and never a token.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from ragkit.types import Span

MAX_WORD = 100  # characters; BERT takes a longer word for unknown

# The blocks of ideographs that BERT reads one by one (kana and hangul are not among them).
IDEOGRAPHS = (
    range(0x4E00, 0xA000),
    range(0x3400, 0x4DC0),
    range(0x20000, 0x2A6E0),
    range(0x2A700, 0x2B740),
    range(0x2B740, 0x2B820),
    range(0x2B920, 0x2CEB0),
    range(0xF900, 0xFB00),
    range(0x2F800, 0x2FA20),
)


class _Normal(dict[int, str]):
    """What `str.translate` puts for a character: "" for none, spaces around one that is a word."""

    def __missing__(self, codepoint: int) -> str:
        self[codepoint] = normal = _normal(chr(codepoint))
        return normal


def _normal(char: str) -> str:
    if char in "\t\n\r":
        return " "
    if char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if char.isspace():
        return " "
    base = (c for c in unicodedata.normalize("NFD", char) if unicodedata.category(c) != "Mn")
    normal = "".join(f" {c} " if _is_punctuation(c) else c.lower() for c in base)
    return f" {normal} " if any(ord(char) in block for block in IDEOGRAPHS) else normal


def _is_punctuation(char: str) -> bool:
    return char in string.punctuation or unicodedata.category(char)[0] == "P"


class WordPiece:
    """Cuts texts into the pieces of a vocabulary. Safe to share between threads."""

    def __init__(self, vocabulary: Path) -> None:
        pieces = vocabulary.read_text(encoding="utf-8").rstrip("\n").split("\n")
        self._ids = dict(zip(pieces, range(len(pieces)), strict=True))
        self._unknown, self._first, self._last = (
            self._ids[special] for special in ("[UNK]", "[CLS]", "[SEP]")
        )
        self._normal = _Normal()

    def ids_of(self, wanted: Callable[[str], bool]) -> frozenset[int]:
        """Return the ids of the pieces of which `wanted` is true."""
        return frozenset(number for piece, number in self._ids.items() if wanted(piece))

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Return the ids of the text's first tokens, with [CLS] before and [SEP] after them."""
        text = text[: max_tokens * MAX_WORD]
        pieces = self._pieces(text.translate(self._normal))
        return [
            self._first,
            *(number for number, _, _ in islice(pieces, max_tokens - 2)),
            self._last,
        ]

    def encode_with_spans(self, text: str, max_tokens: int) -> tuple[list[int], list[Span]]:
        """Return the ids of `encode`, and for each the characters of `text` that it stands for.

        The spans of [CLS] and [SEP] are empty. An accent or control character at the edge of a
        token belongs to none; one that is written as two tokens has both spans the same.
        """
        text = text[: max_tokens * MAX_WORD]
        origin = [at for at, char in enumerate(text) for _ in self._normal[ord(char)]]
        pieces = list(islice(self._pieces(text.translate(self._normal)), max_tokens - 2))
        spans = [Span(origin[start], origin[end - 1] + 1) for _, start, end in pieces]
        edge = spans[-1].end if spans else 0
        return (
            [self._first, *(number for number, _, _ in pieces), self._last],
            [Span(0, 0), *spans, Span(edge, edge)],
        )

    def words(self, text: str) -> list[str]:
        """Return the words and marks of a text, without case and accents."""
        return text.translate(self._normal).split()

    def count(self, word: str) -> int:
        """Return how many pieces one of the words of `words` is cut into; 0 for an unknown one."""
        pieces = self._pieces_of_word(word)
        return 0 if pieces[0][0] == self._unknown else len(pieces)

    def _pieces(self, normal: str) -> Iterator[tuple[int, int, int]]:
        """Yield the id, start and end of each piece of a text that was normalised."""
        at = 0
        for word in normal.split():
            at = normal.index(word, at)
            for number, start, end in self._pieces_of_word(word):
                yield number, at + start, at + end
            at += len(word)

    def _pieces_of_word(self, word: str) -> list[tuple[int, int, int]]:
        """Cut off the longest known piece until nothing is left; a word that resists is unknown."""
        unknown = [(self._unknown, 0, len(word))]
        if len(word) > MAX_WORD:
            return unknown
        pieces: list[tuple[int, int, int]] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._ids.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                return unknown
            pieces.append((number, start, end))
            start = end
        return pieces
