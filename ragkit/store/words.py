"""The word index: FTS5 over chunks, built and queried through one form of the text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import apsw

from ragkit.db import fetch, tokenizer
from ragkit.lexical import indexed_form, is_syllable, lexical_form, phrase_form
from ragkit.store import state
from ragkit.store.remembered import Remembered

# Weights of the columns text, title, headings and name in bm25, by the train queries of SciFact and
# the dev half of SQuAD 2.0: titles at 2.0 or 3.0 rank .001 lower on both, at 1.0 lower on one.
_BM25 = "bm25(words, 1.0, 1.5, 1.5, 0.5)"
# A text as short as that may be one word, and is remembered.
_WORD_CHARACTERS = 32
_COLUMNS = "rowid, text, title, headings, name"

# A part counts as often as it stands in a chunk, but never for more than 2.2 (k1 + 1): so much more
# does its whole count, and so much at most; for up to so many things that a query names.
_WEIGHT_OF_PARTS, _MOST_EXTRA_WEIGHT = 2, 12
_FEW_NAMED = 4

# Of a filter that lets so many documents pass the first are looked at, so many times the limit.
_MANY_DOCUMENTS, _LOOKED_AT = 5_000, 5

_MERGE_PAGES = 500  # of the index's own pages, in a transaction
# The last of the rare words may overshoot the budget to so many times its size: on the dev half of
# SQuAD 2.0 that loses .003 of nDCG@10 where a budget kept strictly loses .008 (both at 5 %).
_OVERSHOOT = 2
# A phrase is counted up to so many times the budget, to tell which of the frequent are least so.
_COUNTED = 3
_MOST_REMEMBERED = 20_000  # phrases, of some 150 bytes each

Tokens = Callable[[str], list[str]]
WordRow = tuple[int, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Budget:
    """How many chunks a query ranks: those of its rarest words, until so many `postings` are read.

    All of its words count in their scores. A list that has fewer than `fewest` chunks under the
    budget is made again without one.
    """

    postings: int
    fewest: int


# Ranking a chunk takes some 0.5 us. The same share of the dev half of SQuAD 2.0, 7 %, loses .001 of
# nDCG@10, and 3 % loses .005. `python -m tests.benchmarks.lexical_scale` measures times and loss.
BUDGET = Budget(postings=70_000, fewest=100)


class Frequencies:
    """How many chunks hold a word or phrase, remembered for one generation of the index."""

    def __init__(self) -> None:
        self._remembered = Remembered(most=_MOST_REMEMBERED)

    def of_token(self, connection: apsw.Connection, token: str) -> int:
        """Return how many chunks hold a token (a word as the tokenizer leaves it)."""
        query = "SELECT coalesce((SELECT doc FROM terms WHERE term = ?1), 0)"
        return self._count(connection, query, token)

    def of_phrase(self, connection: apsw.Connection, phrase: str, *, most: int) -> int:
        """Return how many chunks hold a phrase of FTS5's, counted up to `most`."""
        query = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ?1 LIMIT ?2)"
        return self._count(connection, query, phrase, most)

    def _count(self, connection: apsw.Connection, query: str, *bindings: str | int) -> int:
        def counted() -> int:
            count: int = fetch(connection, query, *bindings)[0][0]
            return count

        return self._remembered.get(state.generation(connection), bindings, counted)


def row(number: int, text: str, title: str, heading_path: Sequence[str], uri: str) -> WordRow:
    """Return what the index holds of a chunk; the same for putting it in and taking it out."""
    return (
        number,
        indexed_form(text),
        _shared_form(title),
        _shared_form("\n".join(heading_path)),
        _name(uri),
    )


@lru_cache(maxsize=256)  # what a document's chunks have in common
def _shared_form(text: str) -> str:
    return indexed_form(text)


@lru_cache(maxsize=256)
def _name(uri: str) -> str:
    return indexed_form(unquote(PurePosixPath(urlsplit(uri).path).name))


def put(connection: apsw.Connection, rows: Iterable[WordRow]) -> None:
    connection.executemany(f"INSERT INTO words ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)


def take_out(connection: apsw.Connection, rows: Iterable[WordRow]) -> None:
    connection.executemany(
        f"INSERT INTO words (words, {_COLUMNS}) VALUES ('delete', ?, ?, ?, ?, ?)", rows
    )


def merge(connection: apsw.Connection, *, begins: bool) -> bool:
    """Merge some parts that writing leaves into one; return whether there may be more to do.

    The first call of several `begins`: all parts there are will become one. Looking words up, and
    with it a correction, takes a tenth of the time then, at a million chunks.
    """
    before = connection.total_changes()
    pages = -_MERGE_PAGES if begins else _MERGE_PAGES
    connection.execute("INSERT INTO words (words, rank) VALUES ('merge', ?)", (pages,))
    return connection.total_changes() - before > 1  # one is the statement's own


def of_document(connection: apsw.Connection, document: int) -> list[WordRow]:
    """Return the rows that the index holds for a document, made again from its chunks."""
    return list(_rows(connection, "WHERE c.document = ?", (document,)))


def rebuild(connection: apsw.Connection) -> None:
    """Make the whole index again from the chunks."""
    connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    put(connection, _rows(connection, "", ()))


def _rows(connection: apsw.Connection, where: str, bindings: tuple[int, ...]) -> Iterator[WordRow]:
    found = connection.execute(
        "SELECT c.number, c.text, d.title, c.heading_path, d.uri"
        f" FROM chunks c JOIN documents d ON d.number = c.document {where}",
        bindings,
    )
    for number, text, title, path, uri in found:
        yield row(number, text, title, json.loads(path), uri)


def distinct(terms: Iterable[str], tokens: Tokens) -> dict[tuple[str, ...], str]:
    """Return the terms by their stems: of those with the same the first, and none without any.

    Saying a thing twice would make it count twice: nDCG@10 .7057 -> .7068 on SciFact's train
    queries, .8847 -> .8850 on the dev half of SQuAD 2.0.
    """
    first: dict[tuple[str, ...], str] = {}
    for term in terms:
        if stems := tuple(tokens(phrase_form(term))):
            first.setdefault(stems, term)
    return first


def weighed(terms: Iterable[str], tokens: Tokens) -> dict[str, int]:
    """Return what FTS5 is asked for: each term as a phrase, with how often it counts.

    In a query that names little else a compound counts for more than all of its parts could, so
    that a chunk which holds the whole comes first. Among other words that would be too much:
    nDCG@10 .707 -> .701 on SciFact's train queries.
    """
    different = distinct(terms, tokens)
    within = {
        stems: sum(_holds(stems, other) for other in different)
        for stems in different
        if len(stems) > 1
    }
    named = sum(not any(_holds(whole, stems) for whole in within) for stems in different)
    phrases = {}
    for stems, term in different.items():
        extra = _WEIGHT_OF_PARTS * within.get(stems, 0) if named <= _FEW_NAMED else 0
        phrases[_phrase(term)] = 1 + min(extra, _MOST_EXTRA_WEIGHT)
    return phrases


def _holds(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    length = len(part)
    return length < len(whole) and any(
        whole[start : start + length] == part for start in range(len(whole) - length + 1)
    )


def matching(
    connection: apsw.Connection,
    phrases: Mapping[str, int],
    *,
    limit: int,
    documents: str | None,
    frequencies: Frequencies,
    budget: Budget,
) -> list[tuple[int, float]]:
    """Return the chunk numbers that match any of the phrases, with BM25 scores, best first.

    `documents` is a JSON list of the document numbers to look at; None looks at all.
    """
    if not phrases:
        return []
    most = _COUNTED * budget.postings
    counts = {each: frequencies.of_phrase(connection, each, most=most) for each in phrases}
    if within := _within(budget, phrases, counts):
        found = _ranked(connection, within, limit=limit, documents=documents)
        if len(found) >= min(limit, budget.fewest):
            return [(number, score / 2) for number, score in found]  # all stands there twice
    return _ranked(connection, _joined(" OR ", phrases, phrases), limit=limit, documents=documents)


def _within(budget: Budget, phrases: Mapping[str, int], counts: Mapping[str, int]) -> str:
    """Return what finds the chunks that hold rare phrases, scored by all; "" where all are rare.

    Where none is rare, chunks must hold the two least frequent. The condition counts in bm25 like
    the rest: so that the scores keep their proportions everything stands there twice, the rare in
    the condition and behind it, the frequent behind it alone, where they are only looked up.
    """
    counted = sorted((count, phrase) for phrase, count in counts.items() if count)
    total = 0
    rare: list[str] = []
    for count, phrase in counted:
        is_too_much = total + count > _OVERSHOOT * budget.postings
        if total >= budget.postings or (is_too_much and not 0 < total < budget.fewest):
            break
        rare.append(phrase)
        total += count
    operator = " OR "
    frequent = [phrase for _, phrase in counted[len(rare) :]]
    if not rare and len(frequent) > 1:
        rare, frequent, operator = frequent[:2], frequent[2:], " AND "
    elif not rare or not frequent:
        return ""
    scored = [*rare, *frequent, *frequent]
    return f"({_joined(operator, rare, phrases)}) AND ({_joined(' OR ', scored, phrases)})"


def _ranked(
    connection: apsw.Connection, query: str, *, limit: int, documents: str | None
) -> list[tuple[int, float]]:
    if documents is None or documents.count(",") < _MANY_DOCUMENTS:
        return _listed(connection, query, limit=limit, documents=documents)
    # So many are likely to hold enough of the first, and to look each match up takes longer:
    # 300 ms for 180,000 documents of a million chunks.
    most = _LOOKED_AT * limit
    first = _listed(connection, query, limit=most, documents=None)
    inside = _inside(connection, [number for number, _ in first], documents)
    kept = [(number, score) for number, score in first if number in inside]
    if len(kept) >= limit or len(first) < most:
        return kept[:limit]
    return _listed(connection, query, limit=limit, documents=documents)


def _inside(connection: apsw.Connection, numbers: Sequence[int], documents: str) -> set[int]:
    """Return those of the chunks that are of the documents."""
    passing = _documents(documents)
    found = fetch(
        connection,
        "SELECT number, document FROM chunks WHERE number IN (SELECT value FROM json_each(?))",
        json.dumps(list(numbers)),
    )
    return {number for number, document in found if document in passing}


@lru_cache(maxsize=4)  # some 10 MB for 180,000, which take 20 ms to read
def _documents(listed: str) -> frozenset[int]:
    return frozenset(json.loads(listed))


def _listed(
    connection: apsw.Connection, query: str, *, limit: int, documents: str | None
) -> list[tuple[int, float]]:
    # With the plus SQLite walks the matches and looks each up among the allowed. Without it, it
    # runs the query once for each allowed chunk: 6 s for 5,000 of a million.
    inside = (
        "AND +rowid IN (SELECT number FROM chunks"
        " WHERE document IN (SELECT value FROM json_each(?3)))"
        if documents is not None
        else ""
    )
    # `ORDER BY rank` costs twice as much for the same rows.
    rows = fetch(
        connection,
        f"SELECT rowid, -{_BM25} AS score FROM words WHERE words MATCH ?1 {inside}"
        f" ORDER BY {_BM25}, rowid LIMIT ?2",
        *((query, limit) if documents is None else (query, limit, documents)),
    )
    return [(number, score) for number, score in rows]


def _joined(operator: str, phrases: Iterable[str], times: Mapping[str, int]) -> str:
    return operator.join(phrase for phrase in phrases for _ in range(times[phrase]))


def _phrase(term: str) -> str:
    """Return a term as FTS5 wants it: its words side by side, a lone syllable as a beginning."""
    words = phrase_form(term).replace('"', " ").replace("\x00", " ")
    return f'"{words}" *' if is_syllable(term) else f'"{words}"'


# --- words as the index has them ----------------------------------------------------------------


def tokens(text: str) -> list[str]:
    """Return the words of a text as the word index sees them: cut, folded and stemmed."""
    short = len(text) <= _WORD_CHARACTERS
    return list(_remembered(text)) if short else cut()(lexical_form(text))


@lru_cache(maxsize=65_536)  # some 15 MB; single words come again and again
def _remembered(text: str) -> tuple[str, ...]:
    return tuple(cut()(lexical_form(text)))


@cache
def cut() -> Callable[[str], list[str]]:
    """Return the function that cuts and stems what has its lexical form already."""
    return tokenizer()
