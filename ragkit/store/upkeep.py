"""What keeps a large index quick: its vector index built, its words merged, its holes closed.

All of it is done by the one writer in transactions of its own, so readers never wait, and what an
interruption ends goes on where it was the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ragkit import vectors
from ragkit.db import Database
from ragkit.store import cells, words

# Of the file's pages that may be free before it is written anew; and as many in any case.
_FREE_SHARE, _FREE_PAGES = 0.2, 16


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The work on one file, for its writer, in steps that say in words what is next.

    `stop` ends it in between, without an error. An index of `cells_from` vectors gets cells.
    """

    database: Database
    stop: Callable[[], bool]
    cells_from: int

    def vector_index(self, *, anew: bool = False) -> Iterator[str]:
        """Build the vector index where there should be one, or `anew` where there is one."""
        with self.database.reading() as connection:
            known = cells.state(connection)
            count = vectors.count(connection)
            if not cells.engine(connection) or count < self.cells_from:
                return
            if known and known.is_built and not anew and not cells.is_outgrown(connection, known):
                return
        yield f"put {count:,} vectors into the vector index"
        if known is None:
            with self.database.writing() as connection:
                cells.create(connection)
        is_more = True
        while is_more:
            if self.stop():
                return
            with self.database.writing() as connection:
                is_more = cells.fill(connection)
        with self.database.reading() as connection:
            model = cells.kept_model(connection)
        if model is None:
            yield "train the vector index"
            with self.database.reading() as connection:  # it takes a while, and writes nothing
                model = cells.train(connection)
            with self.database.writing() as connection:
                cells.keep_model(connection, model)
        if self.stop():
            return
        yield "sort the vectors into cells"
        with self.database.writing_unless(self.stop) as connection:
            cells.put_to_use(connection)

    def words(self) -> Iterator[str]:
        """Merge the word index into one piece."""
        yield "merge the word index"
        is_more, is_first = True, True
        while is_more and not self.stop():
            with self.database.writing() as connection:
                is_more = words.merge(connection, begins=is_first)
            is_first = False

    def pages(self) -> Iterator[str]:
        """Write the file anew where much of it is free."""
        with self.database.reading() as connection:
            free = connection.pragma("freelist_count")
            share = free / connection.pragma("page_count")
        if free < _FREE_PAGES or share < _FREE_SHARE:
            return
        yield f"write the file without its free space, {share:.0%}"
        self.database.vacuum(self.stop)
