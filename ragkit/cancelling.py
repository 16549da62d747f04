"""Ends what a thread waits for on somebody's behalf, when that somebody has gone.

A context variable says on whose behalf, so that ports keep their signatures. Whoever is about to
wait says how it can be woken: see `waking`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from contextvars import ContextVar
from typing import TypeVar

from ragkit.errors import RequestCancelled

T = TypeVar("T")

_current: ContextVar[Cancellation | None] = ContextVar("ragkit_cancellation", default=None)


class Cancellation:
    """Ends requests to the endpoint from another thread.

        cancellation = Cancellation()          # cancellation.cancel() may come from any thread
        with cancellation.active():
            for event in index.ask_stream("When does the ferry leave?"):
                ...

    What is asked within `active` is cancelled with it: a request that is in flight ends at once,
    and so does the wait for another try or for its turn. They raise RequestCancelled, as all do
    that begin later. A generator has to be read within the block, in the thread that entered it.
    """

    def __init__(self) -> None:
        self._wakes: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self._cancelled = False

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """End what is under way, and what would begin later. More than once is no harm."""
        with self._lock:
            self._cancelled = True
            # With the lock held: what a call wakes can't have gone on to be another's meanwhile.
            for wake in self._wakes:
                wake()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Make what this thread asks within the block end with this."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextlib.contextmanager
    def _waking(self, wake: Callable[[], object]) -> Iterator[None]:
        with self._lock:
            self._check()
            self._wakes.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes.remove(wake)

    def _check(self) -> None:
        if self._cancelled:
            raise RequestCancelled


def is_active() -> bool:
    """Whether what this thread does now may be cancelled."""
    return _current.get() is not None


def check() -> None:
    """Raise RequestCancelled where what this thread does was cancelled."""
    if (current := _current.get()) is not None:
        current._check()


@contextlib.contextmanager
def waking(wake: Callable[[], object]) -> Iterator[None]:
    """Have `wake` called, in another thread, when what the block does is cancelled.

    The block then ends with RequestCancelled, whatever it made of being woken. `wake` must not
    wait for anything that is held while a block like this one is entered or left.
    """
    current = _current.get()
    if current is None:
        yield
        return
    try:
        with current._waking(wake):
            yield
    except Exception as exc:
        if current.cancelled:
            raise RequestCancelled from exc
        raise
    current._check()


def checked(items: Generator[T]) -> Generator[T]:
    """Yield the items of a generator until they are cancelled: then it is closed."""
    with contextlib.closing(items):
        for item in items:
            check()
            yield item
