"""Where an ingest's bytes come from, and their parsing, ahead of the stage that needs the text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ragkit.parsing import Parsed

# So many files are read ahead of the one that is waited for, and so many bytes of them.
AHEAD_FILES = 16
AHEAD_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Loaded:
    """Bytes, and the name whose suffix may tell what they are."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A document that is no file on this disk: a page of the web, bytes from a program.

    `load` is called once, and raises DocumentError where there is nothing to be had.
    """

    uri: str
    load: Callable[[], Loaded]


@dataclass(frozen=True, slots=True)
class Incoming:
    """Bytes that are to be parsed, and what will be remembered of them."""

    uri: str
    name: str
    data: bytes
    content_hash: str
    size: int
    mtime_ns: int


T = TypeVar("T", bound=Incoming)


def parse_ahead(
    incoming: Iterable[T], parse: Callable[[T], Parsed], *, threads: int
) -> Iterator[tuple[T, Future[Parsed]]]:
    """Yield each with its parse under way or done, in order, a bounded number ahead."""
    executor = ThreadPoolExecutor(threads, thread_name_prefix="ragkit-parse")
    waiting: deque[tuple[T, Future[Parsed]]] = deque()
    held = 0
    try:
        for each in incoming:
            waiting.append((each, executor.submit(parse, each)))
            held += len(each.data)
            while len(waiting) > AHEAD_FILES or (held > AHEAD_BYTES and len(waiting) > threads):
                first = waiting.popleft()
                held -= len(first[0].data)
                yield first
        while waiting:
            yield waiting.popleft()
    finally:
        # Whoever stops early closes the pool, which ends the parsers that the threads wait for.
        executor.shutdown(wait=False, cancel_futures=True)
