"""Connections that read: as many as read at a time, in bounded memory, one thread each."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import apsw
import pytest

from ragkit.db import Database, fetch
from ragkit.readers import ALL_CACHES_KIB, LEAST_CACHE_KIB, MOST_CACHE_KIB, MOST_IDLE, Readers


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An index that is there, and empty."""
    made = Database(tmp_path / "index.db")
    with made.exclusive():
        pass
    yield made
    made.close()


@pytest.fixture
def opened() -> list[apsw.Connection]:
    """The connections that were opened, in order."""
    return []


@pytest.fixture
def readers(database: Database, opened: list[apsw.Connection]) -> Iterator[Readers]:
    """Readers of the index that note what they open."""

    def open_connection() -> apsw.Connection:
        opened.append(apsw.Connection(str(database.path), flags=apsw.SQLITE_OPEN_READONLY))
        return opened[-1]

    made = Readers(open_connection)
    yield made
    made.close()


def at_once(readers: Readers, count: int, look: Callable[[], None] = lambda: None) -> None:
    """Have so many threads borrow a connection each, and look at them while they all do."""
    all_there = threading.Barrier(count + 1)
    looked_at = threading.Barrier(count + 1)

    def borrow() -> None:
        with readers.lent() as connection:
            connection.execute("SELECT count(*) FROM documents").fetchone()
            all_there.wait(10)
            looked_at.wait(10)

    with ThreadPoolExecutor(count) as pool:
        ended = [pool.submit(borrow) for _ in range(count)]
        all_there.wait(10)
        look()
        looked_at.wait(10)
        for each in ended:
            each.result()


def cache_kib(connection: apsw.Connection) -> int:
    return -int(connection.pragma("cache_size"))


def open_ones(connections: list[apsw.Connection]) -> list[apsw.Connection]:
    found = []
    for connection in connections:
        try:
            connection.pragma("user_version")
        except apsw.ConnectionClosedError:
            continue
        found.append(connection)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="counts open files by /proc")
def test_threads_that_have_ended_leave_nothing(database: Database) -> None:
    """A hundred short-lived threads, some of them at once, need a handful of connections."""

    def read() -> None:
        with database.reading() as connection:
            assert fetch(connection, "SELECT count(*) FROM documents") == [(0,)]

    read()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(25):
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(os.listdir("/proc/self/fd")) <= before + 3 * 3  # the file, its log and its index


def test_one_after_the_other_is_one_connection(
    readers: Readers, opened: list[apsw.Connection]
) -> None:
    """The next reading finds the pages that the last one has read, whatever its thread."""
    for _ in range(5):
        at_once(readers, 1)
        with readers.lent():
            pass
    assert len(opened) == 1
    assert cache_kib(opened[0]) == MOST_CACHE_KIB


def test_caches_share_what_memory_there_is(readers: Readers, opened: list[apsw.Connection]) -> None:
    """All together hold no more than what is set, though one alone holds more than its share."""
    for _ in range(2):  # those that were large at first have come back once
        at_once(readers, 16)
    assert sum(map(cache_kib, open_ones(opened))) <= ALL_CACHES_KIB
    assert len(open_ones(opened)) == MOST_IDLE
    with readers.lent() as connection:
        assert cache_kib(connection) == ALL_CACHES_KIB // MOST_IDLE


def test_caches_shrink_when_another_comes(readers: Readers, opened: list[apsw.Connection]) -> None:
    """A connection that comes back doesn't keep what others need."""
    at_once(readers, 5)
    sizes: list[int] = []
    at_once(readers, 7, lambda: sizes.extend(map(cache_kib, opened[5:])))
    assert sizes == [ALL_CACHES_KIB // 6, ALL_CACHES_KIB // 7]
    at_once(readers, 8)
    assert max(map(cache_kib, opened)) == ALL_CACHES_KIB // 8


def test_many_at_once_have_the_least(readers: Readers, opened: list[apsw.Connection]) -> None:
    """However many there are, none gets so little that it reads everything again and again."""
    sizes: list[int] = []
    at_once(readers, 40, lambda: sizes.extend(map(cache_kib, opened)))
    assert min(sizes) == LEAST_CACHE_KIB
    assert len(open_ones(opened)) == MOST_IDLE


def test_a_block_within_a_block_has_the_same(readers: Readers) -> None:
    """And it is given back by the last of them, in whatever order they end."""
    with ExitStack() as outer, ExitStack() as inner:
        first = outer.enter_context(readers.lent())
        assert inner.enter_context(readers.lent()) is first
        outer.close()
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(lambda: readers.lent().__enter__()).result()
        assert other is not first
        inner.close()
        with readers.lent() as again:
            assert again is first


def test_one_that_is_stuck_in_a_transaction_is_not_lent_again(
    readers: Readers, opened: list[apsw.Connection]
) -> None:
    """It would show an old state of the index for ever."""
    with readers.lent() as connection:
        connection.execute("BEGIN")
    with readers.lent() as another:
        assert another is not connection
    assert open_ones(opened) == [another]


def test_closing_while_one_is_lent(readers: Readers, opened: list[apsw.Connection]) -> None:
    """What comes back afterwards is not kept; the next reading opens a new one."""
    with readers.lent():
        readers.close()
    assert open_ones(opened) == []
    with readers.lent() as connection:
        assert connection.pragma("user_version")
