"""What a search asks of an index: the lists that chunks are found by, and the chunks found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from ragkit import vectors
from ragkit.db import Database
from ragkit.store import cells, rows, spelling, state, words
from ragkit.store import filters as filtering
from ragkit.store.remembered import Remembered
from ragkit.types import Chunk, Effort, Filters, Heading, Page

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ragkit.ports import Vectors

# How many stored vectors stand for the index as a whole when a similarity is judged.
_BACKGROUND_SIZE = 200
# Filters with their chunks, 8 MB each where all of a million pass; the background.
_MOST_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of the cells a search looks at: this share, or more where that is so few vectors."""

    share: float
    vectors: int

    def cells(self, known: cells.Cells, count: int) -> int:
        """Return how many cells to look at in an index of `count` vectors."""
        share = max(self.share, self.vectors / max(count, 1))
        return min(math.ceil(share * known.cells), known.cells)


# By the curves of docs/scale.md: 16 % of the cells of 100,000 real vectors hold .990 of the true
# ten, 25 % hold .994. Of so few all are looked at; of a million these shares are: the first finds
# .996 of the ten for the dev half of SQuAD 2.0, and loses no nDCG@10 there (6 % lose .002).
BUDGETS: Mapping[Effort, Budget] = {
    "default": Budget(share=0.16, vectors=100_000),
    "thorough": Budget(share=0.25, vectors=300_000),
}
# Where filters leave no more than these the vectors of record are scanned.
_FEW_CHUNKS = 20_000
# With filters what is found lies farther from the query, in more cells.
_WIDER = 2


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that was found, with its document's hash (the version's), headings and pages."""

    chunk: Chunk
    document_hash: str
    headings: tuple[Heading, ...]
    pages: tuple[Page, ...]


class Searching:
    """The part of a store that finds chunks. They are named by their numbers."""

    def __init__(self, database: Database, word_budget: words.Budget) -> None:
        self._db = database
        self._word_budget = word_budget
        self._frequencies = words.Frequencies()
        self._remembered = Remembered(most=_MOST_REMEMBERED)

    def allowed(self, filters: Filters) -> str | None:
        """Return the documents that pass as the lists below want them; None lets all pass."""
        if filters == Filters():
            return None
        with self._db.reading() as connection:
            return self._remembered.get(
                state.generation(connection),
                repr(filters),  # whose fields may be lists
                lambda: json.dumps(filtering.passing(connection, filters)),
            )

    def lexical(
        self, terms: Sequence[str], *, limit: int, allowed: str | None
    ) -> list[tuple[int, float]]:
        """Return (chunk, BM25 score) of the chunks that hold any of the terms, best first."""
        phrases = words.weighed(terms, words.cut())
        with self._db.reading() as connection:
            return words.matching(
                connection,
                phrases,
                limit=limit,
                documents=allowed,
                frequencies=self._frequencies,
                budget=self._word_budget,
            )

    def corrections(self, terms: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return for words that no chunk holds those that may have been meant, likeliest first."""
        with self._db.reading() as connection:
            return spelling.corrections(connection, terms, words.cut())

    def semantic(
        self, query: Vectors, *, limit: int, allowed: str | None, effort: Effort = "default"
    ) -> list[tuple[int, float]]:
        """Return (chunk, cosine) of the chunks nearest to a unit vector, best first.

        A large index looks into the nearest cells alone; with the effort "exact" it is always
        scanned from end to end.
        """
        with self._db.reading() as connection:
            known = None if effort == "exact" else cells.state(connection)
            if known is not None and known.is_ready:
                budget = BUDGETS[effort]
                found = self._by_cells(
                    connection, known, query, limit=limit, allowed=allowed, budget=budget
                )
                if found is not None:
                    return found
            return vectors.nearest(connection, query, limit=limit, documents=allowed)

    def _by_cells(
        self,
        connection: apsw.Connection,
        known: cells.Cells,
        query: Vectors,
        *,
        limit: int,
        allowed: str | None,
        budget: Budget,
    ) -> list[tuple[int, float]] | None:
        """Return the nearest by cells; None where the exact scan does better."""
        count = vectors.last(connection)
        wanted = max(cells.CANDIDATES, 3 * limit)
        looked_at = budget.cells(known, count)
        if allowed is None:
            candidates = cells.nearest(connection, query, count=wanted, cells=looked_at)
        else:
            inside = self._chunks_of(connection, allowed)
            if len(inside) <= _FEW_CHUNKS:
                return None
            candidates = cells.nearest(
                connection,
                query,
                count=math.ceil(_WIDER * wanted * count / len(inside)),
                cells=min(_WIDER * looked_at, known.cells),
            )
            candidates = _only(candidates, inside)[:wanted]
            if len(candidates) < limit:
                return None
        scores = vectors.similarities(connection, query, candidates)
        return sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:limit]

    def _chunks_of(self, connection: apsw.Connection, documents: str) -> NDArray[np.int64]:
        """Return the numbers of all chunks of the documents, in order."""
        return self._remembered.get(
            state.generation(connection),
            documents,
            lambda: rows.chunks_within(connection, documents),
        )

    def token_records(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Return the token vectors, packed, of those chunks that have any."""
        with self._db.reading() as connection:
            return vectors.token_records(connection, numbers)

    def background(self, query: Vectors) -> list[float]:
        """Return the query's cosines with chunks spread over the index, as a scale for others."""
        with self._db.reading() as connection:
            sample = self._remembered.get(
                state.generation(connection),
                "background",
                lambda: vectors.read(
                    connection, vectors.spread_sample(connection, _BACKGROUND_SIZE)
                ),
            )
        similarities: list[float] = (sample @ query).tolist() if len(sample) else []
        return similarities

    def found(self, numbers: Sequence[int]) -> dict[int, Found]:
        """Return the chunks of these numbers."""
        with self._db.reading() as connection:
            return {
                number: Found(chunk, document_hash, headings, pages)
                for number, chunk, document_hash, headings, pages in rows.chunks_by_number(
                    connection, numbers
                )
            }

    @staticmethod
    def tokens(text: str) -> list[str]:
        """Return the words of a text as the word index sees them: cut, folded and stemmed."""
        return words.tokens(text)

    def chunk_frequency(self, token: str) -> int:
        """Return how many chunks hold a token."""
        with self._db.reading() as connection:
            return self._frequencies.of_token(connection, token)

    def chunk_count(self) -> int:
        """Return how many chunks the index holds."""
        with self._db.reading() as connection:
            return self._remembered.get(
                state.generation(connection), "chunks", lambda: rows.chunk_count(connection)
            )


def _only(candidates: Sequence[int], inside: NDArray[np.int64]) -> list[int]:
    """Return the candidates that are among those numbers, in the candidates' order."""
    import numpy as np  # noqa: PLC0415  takes 0.1 s, and who lists documents needs none

    kept: list[int] = np.asarray(candidates)[np.isin(candidates, inside)].tolist()
    return kept
