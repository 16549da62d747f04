"""How many tokens an endpoint will bill for a text, before it has.

No endpoint's tokenizer is to be had offline, but one vocabulary is: the embedded model's. It cuts
English prose, tables and code into within a few percent as many pieces as the byte-pair
vocabularies of today (docs/ingest.md has the comparison); what an endpoint bills then corrects it.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from ragkit import text as texts
from ragkit.providers.minilm import VOCABULARY
from ragkit.providers.wordpiece import WordPiece

_ASCII_WORDS = re.compile(r"[a-z0-9]+|[^\sa-z0-9]")
_SPECIAL_TOKENS = 2  # around each text


# A text is counted when its batch is planned and again when it is sent.
@lru_cache(maxsize=4096)
def estimate_tokens(text: str) -> int:
    """Return about how many tokens an embedding model's tokenizer makes of the text."""
    words = _ASCII_WORDS.findall(text.lower()) if text.isascii() else _tokenizer().words(text)
    return _SPECIAL_TOKENS + sum(map(_pieces, words))


@lru_cache(maxsize=100_000)
def _pieces(word: str) -> int:
    """Count a word's pieces; one in another alphabet, which the vocabulary spells, is estimated."""
    known = _tokenizer().count(word) if word.isascii() else 0
    return known or texts.estimate_tokens(word)


@cache
def _tokenizer() -> WordPiece:
    return WordPiece(VOCABULARY)
