"""Ties each sentence of an answer to words that stand in a source, or says why it can't be.

What is proven is the quote: it is cut out of the stored text. What is checked is the sentence:
its words and their order, numbers with units, dates, names, negation and quotations against the
sentences that it is quoted for.

    passages   what was given to the answerer, and pieces of it
    splitting  the model's text: markers taken out, sentences cut as they come
    facts      numbers with units, dates and times in one form
    wording    words as they are compared: stems, synonyms, names, negation
    alignment  how far a sentence follows the words of another
    checking   the verdict on a sentence
    numbering  the citations of an answer, and their markers
"""

from __future__ import annotations

from ragkit.citations.checking import NOTHING_TO_CHECK, Checker
from ragkit.citations.facts import numbers
from ragkit.citations.numbering import Numbering, with_markers
from ragkit.citations.passages import Checked, Passage, Quote
from ragkit.citations.splitting import SentenceSplitter, split_markers

__all__ = [
    "NOTHING_TO_CHECK",
    "Checked",
    "Checker",
    "Numbering",
    "Passage",
    "Quote",
    "SentenceSplitter",
    "numbers",
    "split_markers",
    "with_markers",
]
