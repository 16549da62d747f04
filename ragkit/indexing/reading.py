"""Where an ingest's bytes come from, and their parsing, ahead of the stage that needs the text."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from ragkit.parsing import Parsed

# So many files are read ahead of the one that is waited for, so many bytes of them, and about so
# much text.
AHEAD_FILES = 16
AHEAD_BYTES = 64_000_000
AHEAD_CHARACTERS = 32_000_000


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
) -> Generator[tuple[T, Future[Parsed]]]:
    """Yield each with its parse under way or done, in order, a bounded number ahead.

    No parse begins while so much text waits to be taken that memory would not be bounded. The
    threads are daemons: who stops early closes the pool, which ends the parsers that they wait for.
    """
    ahead = _Ahead(parse)
    for _ in range(threads):
        threading.Thread(target=ahead.work, name="ragkit-parse", daemon=True).start()
    waiting: deque[tuple[T, Future[Parsed]]] = deque()
    held = 0
    try:
        for each in incoming:
            waiting.append((each, ahead.add(each)))
            held += len(each.data)
            while len(waiting) > AHEAD_FILES or (held > AHEAD_BYTES and len(waiting) > threads):
                held -= len(waiting[0][0].data)
                yield waiting.popleft()
                ahead.taken()
        while waiting:
            yield waiting.popleft()
            ahead.taken()
    finally:
        ahead.stop()


class _Ahead(Generic[T]):
    """Jobs for the threads. Results are taken in order, so the first job is always let begin."""

    def __init__(self, parse: Callable[[T], Parsed]) -> None:
        self._parse = parse
        self._changed = threading.Condition()
        self._todo: deque[tuple[T, Future[Parsed]]] = deque()
        self._results: deque[Future[Parsed]] = deque()  # those not taken yet, in order
        self._is_stopped = False

    def add(self, job: T) -> Future[Parsed]:
        result: Future[Parsed] = Future()
        with self._changed:
            self._todo.append((job, result))
            self._results.append(result)
            self._changed.notify()
        return result

    def taken(self) -> None:
        """Note that the first result isn't held any more."""
        with self._changed:
            self._results.popleft()
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def work(self) -> None:
        while job := self._next():
            incoming, result = job
            try:
                result.set_result(self._parse(incoming))
            except BaseException as exc:  # noqa: BLE001  raised again where the result is taken
                result.set_exception(exc)

    def _next(self) -> tuple[T, Future[Parsed]] | None:
        with self._changed:
            while not self._is_stopped and not (self._todo and self._has_room()):
                self._changed.wait()
            return None if self._is_stopped else self._todo.popleft()

    def _has_room(self) -> bool:
        """Whether another text may be made: always that of the job that is waited for."""
        if self._todo[0][1] is self._results[0]:
            return True
        done = (result for result in self._results if result.done() and not result.exception())
        return sum(len(result.result().text) for result in done) < AHEAD_CHARACTERS
