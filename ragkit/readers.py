"""The connections that read a database file: as many as read at a time, in bounded memory.

A connection of its own for each thread would keep its pages for as long as there is a thread, and
those of a server are many, and mostly idle. So a reading borrows one, the last that was used first:
it has the pages that are asked for again and again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import apsw

# A cache holds what searches of a large index come back to, and grows with use: of a million
# vectors' cells they take 13 ms with 16 MiB, 10 ms with 64 MiB, 9 ms with 160 MiB.
MOST_CACHE_KIB = 64 * 1024
# With this little a search of 100,000 chunks takes 29 ms of CPU time, with 64 MiB 25 ms.
LEAST_CACHE_KIB = 8 * 1024
# Of all together, while they are so few that each gets more than the least: of 24 it's 10 MiB.
ALL_CACHES_KIB = 256 * 1024
MOST_IDLE = 8  # connections that are kept for the next readings; to open one takes a millisecond


@dataclass(slots=True, eq=False)
class _Reader:
    """A connection, what its cache may hold, and how many blocks use it: one within another."""

    connection: apsw.Connection
    cache_kib: int = 0
    blocks: int = 0


class Readers:
    """Lends connections. Threads share it; a thread that has one gets the same one again."""

    def __init__(self, open_connection: Callable[[], apsw.Connection]) -> None:
        self._open = open_connection
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._all: list[_Reader] = []
        self._idle: list[_Reader] = []  # the one used last at the end

    @contextlib.contextmanager
    def lent(self) -> Iterator[apsw.Connection]:
        """A connection that no other thread uses until the block ends."""
        reader: _Reader | None = getattr(self._mine, "reader", None)
        if reader is None or not reader.blocks:
            reader = self._mine.reader = self._take()
        reader.blocks += 1
        try:
            yield reader.connection
        finally:
            reader.blocks -= 1
            if not reader.blocks:
                self._mine.reader = None
                self._give_back(reader)

    def close(self) -> None:
        """Close every connection; those of other threads must be idle."""
        with self._lock:
            for reader in self._all:
                reader.connection.close()
            self._all.clear()
            self._idle.clear()
            self._mine = threading.local()

    def _take(self) -> _Reader:
        with self._lock:
            reader = self._idle.pop() if self._idle else None
        if reader is None:
            reader = _Reader(self._open())
            with self._lock:
                self._all.append(reader)  # the others are in use, and shrink when they come back
        self._fit(reader)
        return reader

    def _give_back(self, reader: _Reader) -> None:
        with self._lock:
            if reader not in self._all:
                return  # closed meanwhile
            is_sound = not reader.connection.in_transaction  # which failed to end
            if is_sound and len(self._idle) < MOST_IDLE:
                self._fit(reader)
                self._idle.append(reader)
            else:
                self._all.remove(reader)
                reader.connection.close()

    def _fit(self, reader: _Reader) -> None:
        """Give a connection its share of the memory; what is over it is let go of."""
        share = ALL_CACHES_KIB // max(len(self._all), 1)
        share = max(LEAST_CACHE_KIB, min(MOST_CACHE_KIB, share))
        if reader.cache_kib != share:
            reader.connection.pragma("cache_size", -share)
            reader.cache_kib = share
