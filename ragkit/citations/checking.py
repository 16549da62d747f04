"""The verdict on a sentence: the quotes that carry it, or the reason why none do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragkit.citations import facts
from ragkit.citations.alignment import Alignment, align
from ragkit.citations.facts import Facts, numbers
from ragkit.citations.passages import Checked, Passage, Quote
from ragkit.citations.splitting import split_markers
from ragkit.citations.wording import Tokens, Word, Wording, names
from ragkit.text import visible
from ragkit.types import Span

# How well the words of a sentence must be supported by what it quotes: all of them together, and
# any five in a row, so that half of a sentence isn't carried by the other half. Chosen on the dev
# split of tests.benchmarks.citations.
MIN_SUPPORT = 0.83
MIN_SUPPORT_IN_A_ROW = 0.6
_IN_A_ROW = 5
# Another sentence joins a quote if it adds at least this much.
_MIN_EXTENSION = 0.15
_MAX_QUOTE_SENTENCES = 3
# A longer quote is preferred to a shorter one that would do if it supports this much more.
_MUCH_MORE = 0.2
# Places of a passage that are tried, the best first.
_TRIED_RUNS = 2
# A clause by itself has few words, so that one in the wrong place counts for more.
_MIN_CLAUSE_WORDS = 3
_MIN_CLAUSE_SUPPORT = 0.9
_QUOTED_WORDS = 5
# Said of a heading, a rule, a lone number: no checks, and nothing to say better.
NOTHING_TO_CHECK = "it says nothing that could be checked"

_QUOTATION = re.compile(r"[\"“„«]([^\"“”„«»]*)[\"“”»]")
_LIST_MARK = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_CODE_WORD = re.compile(r"\b[A-Za-z][\w.]*-?\d[\w.-]*")
# Where a sentence says two things.
_JOINT = re.compile(r";\s+(?:and\s+)?|,?\s+(?:and|while|whereas|but)\s+")
_PRONOUN = re.compile(
    r"\b(?:he|she|it|they|him|her|them|his|hers|its|their|this|that|these|those|who|which)\b", re.I
)
_CLAUSE_START = re.compile(r"(?:^|[;:.!?]\s+|,?\s+(?:but|while|whereas)\s+)")
_CLAUSE_END = re.compile(r"(?:[,;:.!?](?=\s|$)|$)")
_PASSIVE = re.compile(r"\b(?:is|are|was|were|been|being|be)\s(?:\w+\s)?\w+\sby\b")
# Among how many words at either end of a clause the claim's own end is looked for.
_END_WORDS = 2


@dataclass(frozen=True, slots=True)
class _Reading:
    """A passage as it is compared: its sentences and their words."""

    passage: Passage
    spans: tuple[Span, ...]
    words: tuple[tuple[Word, ...], ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence, or a clause of one, as it is compared."""

    text: str
    words: tuple[Word, ...]
    facts: Facts


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What one run of sentences makes of a claim; `reason` is "" where it carries it.

    One `is_about` the claim if its words support it, whatever becomes of numbers and names.
    """

    quote: Quote
    support: float
    reason: str
    sentences: int
    is_about: bool = True


class Checker:
    """Checks sentences against the passages that were given. `tokens` cuts and stems words."""

    def __init__(self, passages: Sequence[Passage], *, question: str, tokens: Tokens) -> None:
        self._passages = {passage.number: passage for passage in passages}
        self._wording = Wording(tokens)
        self._question = self._wording.stems(question)
        self._readings: dict[int, _Reading] = {}
        self._facts: dict[str, Facts] = {}

    def check(self, sentence: str) -> Checked:
        """Return the sentence with the quotes that carry it, or with the reason why none do."""
        text, cited = split_markers(sentence)
        bare = _LIST_MARK.sub("", text).strip()
        given = [number for number in cited if number in self._passages]
        foreign = tuple(number for number in cited if number not in self._passages)
        if not self._wording.stems(bare):
            return Checked(text, (), NOTHING_TO_CHECK, foreign)
        quotes, reason = self._carried(bare, given)
        if not quotes:
            others = [number for number in self._passages if number not in given]
            quotes, _ = self._carried(bare, others, most=1)
        if quotes:
            return Checked(text, quotes, "", foreign)
        if foreign and not given:
            reason = f"it cites [{foreign[0]}], which was not given"
        elif not cited:
            reason = "it cites no passage"
        return Checked(text, (), reason, foreign)

    def _carried(
        self, text: str, given: Sequence[int], most: int = 3
    ) -> tuple[tuple[Quote, ...], str]:
        """Return quotes that carry a text, one a passage, or why there are none.

        All of it must stand in one place, or each of its clauses in one.
        """
        verdicts = self._verdicts(self._claim(text), given)
        quotes = [verdict.quote for verdict in verdicts if not verdict.reason][:most]
        if not quotes:
            quotes = self._by_clauses(text, given)
        reason = verdicts[0].reason if verdicts else "the passage it cites doesn't say so"
        quotes.sort(key=lambda quote: (quote.passage.number, quote.span.start))
        return tuple(dict.fromkeys(quotes)), reason

    def _by_clauses(self, text: str, given: Sequence[int]) -> list[Quote]:
        """Return a quote for either half of a text that says two things, if both have one."""
        for joint in _JOINT.finditer(text):
            found = []
            for half in (text[: joint.start()], text[joint.end() :]):
                claim = self._claim(half)
                if len(claim.words) < _MIN_CLAUSE_WORDS:
                    break
                verdicts = self._verdicts(claim, given)
                carrying = [
                    verdict.quote
                    for verdict in verdicts
                    if not verdict.reason
                    and verdict.support >= _MIN_CLAUSE_SUPPORT
                    and self._is_whole(claim, verdict.quote)
                ]
                if not carrying:
                    break
                found.append(carrying[0])
            if len(found) == 2:
                return found
        return []

    def _is_whole(self, claim: _Claim, quote: Quote) -> bool:
        """Whether a claim begins and ends as clauses of the quote do: it isn't cut out of one."""
        starts = {
            word.stem
            for clause in _CLAUSE_START.split(quote.text)
            for word in self._wording.words(clause)[:_END_WORDS]
        }
        ends = {
            word.stem
            for clause in _CLAUSE_END.split(quote.text)
            for word in self._wording.words(clause)[-_END_WORDS:]
        }
        stems = [word.stem for word in claim.words]
        return not starts.isdisjoint(stems[:_END_WORDS]) and stems[-1] in ends

    # --- what is compared ----------------------------------------------------------------------

    def _claim(self, text: str) -> _Claim:
        known = frozenset().union(*(self._reading(number).names for number in self._passages))
        return _Claim(text, tuple(self._wording.words(text, known)), self._read(text))

    def _read(self, text: str) -> Facts:
        found = self._facts.get(text)
        if found is None:
            found = self._facts[text] = facts.read(text)
        return found

    def _reading(self, number: int) -> _Reading:
        if number not in self._readings:
            passage = self._passages[number]
            spans = tuple(passage.sentences())
            text = passage.chunk.text
            known = names(self._wording.words(text))
            words = tuple(
                tuple(self._wording.words(text[span.start : span.end], known)) for span in spans
            )
            self._readings[number] = _Reading(passage, spans, words, known)
        return self._readings[number]

    # --- the verdict ---------------------------------------------------------------------------

    def _verdicts(self, claim: _Claim, given: Sequence[int]) -> list[_Verdict]:
        """Return a verdict for each passage that shares words with a claim, the best first."""
        found = []
        for number in given:
            reading = self._reading(number)
            tried = [self._verdict(claim, reading, run) for run in _runs(claim, reading)]
            if tried:
                found.append(_decisive(tried))
        return sorted(found, key=lambda v: (bool(v.reason), -v.support, v.quote.passage.number))

    def _verdict(self, claim: _Claim, reading: _Reading, run: tuple[int, int]) -> _Verdict:
        first, last = run
        sentences = last - first + 1
        quote = Quote(reading.passage, Span(reading.spans[first].start, reading.spans[last].end))
        words = [word for sentence in reading.words[first : last + 1] for word in sentence]
        alignment = align(claim.words, words)
        above = self._wording.stems("\n".join(quote.above))
        if _PRONOUN.search(quote.text):
            above |= {
                word.stem
                for words in reading.words[max(0, first - 2) : first]
                for word in words
                if word.text[0].isupper()
            }
        granted = above | ({w.stem for w in claim.words if w.kind == "name"} & self._question)
        support = alignment.support(granted, self._question)
        share = sum(support) / len(support) if support else 0.0
        # What the title has counts less here: half of a sentence may be made of it.
        in_a_row = _least_in_a_row(alignment.support(frozenset(), granted | self._question))
        if share < MIN_SUPPORT or in_a_row < MIN_SUPPORT_IN_A_ROW:
            reason = "the passage it cites doesn't say so"
            return _Verdict(quote, share, reason, sentences, is_about=False)
        reason = self._disagreement(claim, quote, alignment, above, sentences)
        return _Verdict(quote, share, reason, sentences)

    def _disagreement(
        self,
        claim: _Claim,
        quote: Quote,
        alignment: Alignment,
        above: frozenset[str],
        sentences: int,
    ) -> str:
        """Return what of a claim its quote contradicts or doesn't hold; "" if nothing."""
        whole = quote.passage.surroundings
        for quotation in _QUOTATION.findall(claim.text):
            if len(quotation.split()) >= _QUOTED_WORDS and _plain(quotation) not in _plain(whole):
                return "its quotation does not stand in the passage it cites"
        missing = self._missing_fact(claim, quote, alignment) or self._missing_name(
            alignment, above
        )
        if missing:
            return f"{missing} does not stand in the passage it cites"
        swapped = alignment.swapped() if sentences == 1 else ""
        if swapped and _is_passive(claim.text) == _is_passive(quote.text):
            return f"it swaps {swapped} with another name of the passage it cites"
        if self._wording.contradicts(claim.text, quote.text):
            return "it says the opposite of the passage it cites"
        return ""

    def _missing_fact(self, claim: _Claim, quote: Quote, alignment: Alignment) -> str:
        """Return a number, date or time that the quote lacks, "" if none.

        What stands in a heading above it counts too, unless the quote has another in its place.
        """
        around = self._read(quote.passage.surroundings)
        missing = facts.missing(claim.facts, self._read(quote.text), around)
        in_context = "\n".join((*quote.above, quote.text))
        is_other = alignment.displaced("number") or numbers(missing) & numbers(quote.text)
        if missing and not is_other:
            missing = facts.missing(claim.facts, self._read(in_context), around)
        codes = numbers(" ".join(_CODE_WORD.findall(claim.text)))
        return missing or min(codes - numbers(in_context), default="")

    def _missing_name(self, alignment: Alignment, above: frozenset[str]) -> str:
        known = above | self._question
        for number, word in enumerate(alignment.claim):
            if word.kind == "name" and not alignment.is_there(number) and word.stem not in known:
                return word.text
        return next(iter(alignment.displaced("name")), "")


def _decisive(tried: Sequence[_Verdict]) -> _Verdict:
    """Return the verdict of the shortest run that is about a claim, of several the best one.

    A longer one would only add the numbers and names that the sentences themselves don't have,
    unless it says much more of the claim.
    """
    about = [verdict for verdict in tried if verdict.is_about]
    if not about:
        return max(tried, key=lambda verdict: verdict.support)
    most = max(verdict.support for verdict in about)
    good = [verdict for verdict in about if verdict.support > most - _MUCH_MORE]
    fewest = min(verdict.sentences for verdict in good)
    shortest = [verdict for verdict in good if verdict.sentences == fewest]
    return min(shortest, key=lambda verdict: (-verdict.support, bool(verdict.reason)))


def _runs(claim: _Claim, reading: _Reading) -> list[tuple[int, int]]:
    """Return the runs of sentences that share most of a claim's words, as short as can be."""
    wanted = frozenset(word.stem for word in claim.words)
    shared = [wanted & {word.stem for word in words} for words in reading.words]
    order = sorted(range(len(shared)), key=lambda i: (-len(shared[i]), i))
    found = []
    for best in order[:_TRIED_RUNS]:
        if not shared[best]:
            break
        first, last, matched = best, best, shared[best]
        found.append((first, last))
        while last - first + 1 < _MAX_QUOTE_SENTENCES:
            sides = [i for i in (first - 1, last + 1) if 0 <= i < len(shared)]
            side = max(sides, key=lambda i: len(shared[i] - matched), default=None)
            if side is None or len(shared[side] - matched) < _MIN_EXTENSION * len(wanted):
                break
            first, last = min(first, side), max(last, side)
            matched |= shared[side]
        if (first, last) not in found:
            found.append((first, last))
    return found


def _least_in_a_row(support: Sequence[float]) -> float:
    """Return the mean of the worst supported words in a row."""
    last = max(1, len(support) - _IN_A_ROW + 1)
    rows = (support[start : start + _IN_A_ROW] for start in range(last))
    return min((sum(row) / len(row) for row in rows if row), default=0.0)


def _is_passive(text: str) -> bool:
    return bool(_PASSIVE.search(text))


def _plain(text: str) -> str:
    """Fold what typesetting changes: white space, quotation marks, hyphens, case."""
    text = re.sub(r"[‐‑‒–—―]", "-", visible(text))
    text = re.sub(r"[“”„«»]", '"', re.sub(r"[‘’‚]", "'", text))
    return re.sub(r"\s+", " ", text).strip(" .,;:").lower()
