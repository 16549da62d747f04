"""Calls of the index on threads: quick ones that may wait, and answers that come piece by piece.

The index blocks and the server doesn't, so each call goes to a thread of a bounded pool. Threads
are used again, since each has a connection to the index file of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ragkit.errors import RagkitError
from ragkit.server.failures import Refusal

_log = logging.getLogger(__name__)

T = TypeVar("T")
P = TypeVar("P")

# Items that are made and not taken yet. Events are small; what counts is that a client that reads
# slowly stops the thread, and that one that reads quickly finds the next item ready.
ITEMS_AHEAD = 16
PING_SECONDS = 15.0  # proxies give up on a stream that is silent for 30 to 60 seconds
# The longest time that a client is asked to stay away for: a guess from the pace is no promise.
LONGEST_WAIT_SECONDS = 60
# Of the last call in the mean: about the last ten count.
_NEWEST_SHARE = 0.2


class _Recent:
    """How long calls took lately, to guess when there is room for one more."""

    def __init__(self) -> None:
        self._mean_seconds = 0.0

    def add(self, seconds: float) -> None:
        if not self._mean_seconds:
            self._mean_seconds = seconds
        self._mean_seconds += _NEWEST_SHARE * (seconds - self._mean_seconds)

    def wait_seconds(self, calls: int, at_once: int) -> int:
        """Return the time in which so many calls are through, in whole seconds from 1 up."""
        seconds = math.ceil(self._mean_seconds * calls / at_once)
        return max(1, min(LONGEST_WAIT_SECONDS, seconds))


def _busy(message: str, wait_seconds: int) -> Refusal:
    return Refusal(
        429,
        message,
        "busy",
        hint="come back after the seconds that retry-after says",
        headers={"retry-after": str(wait_seconds)},
    )


def _submitted(pool: ThreadPoolExecutor, function: Callable[..., T], *args: Any) -> Future[T]:
    """Have a thread call the function, in a context that nothing else on that thread sees."""
    try:
        return pool.submit(contextvars.copy_context().run, function, *args)
    except RuntimeError as exc:  # the pool is closed
        raise Refusal(503, "the server is stopping", "stopping") from exc


class Workers:
    """Threads for quick calls: `threads` run at once, `waiting` wait for their turn, none else."""

    def __init__(
        self, threads: int, waiting: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, "ragkit-request")
        self._threads = threads
        self._most = threads + waiting
        self._clock = clock
        self._lock = threading.Lock()
        self._pending = 0
        self._recent = _Recent()

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Return what the function returns; raises Refusal where too many wait already.

        Where the caller is cancelled before its turn the function is not called at all.
        """
        with self._lock:
            if self._pending >= self._most:
                wait = self._recent.wait_seconds(self._pending - self._threads + 1, self._threads)
                raise _busy("too many requests wait already", wait)
            self._pending += 1
        try:
            future = _submitted(self._pool, self._timed, function, *args)
        except Refusal:
            self._done()
            raise
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Drop what waits, and let what runs come to its end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _timed(self, function: Callable[..., T], *args: Any) -> T:
        began = self._clock()
        try:
            return function(*args)
        finally:
            with self._lock:
                self._recent.add(self._clock() - began)

    def _done(self, _future: Future[Any] | None = None) -> None:
        with self._lock:
            self._pending -= 1


class Slots:
    """So many places, and no queue: who finds none free is asked to come back."""

    def __init__(self, places: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._clock = clock
        self._lock = threading.Lock()
        self._taken = 0
        self._recent = _Recent()

    @property
    def in_use(self) -> int:
        return self._taken

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place; raises Refusal where none is free. It may be let go by another thread."""
        with self._lock:
            if self._taken >= self._places:
                wait = self._recent.wait_seconds(1, self._places)
                raise _busy(f"{self._places} answers are under way already", wait)
            self._taken += 1
        began = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1
                self._recent.add(self._clock() - began)


class Answers:
    """Threads for answers: each has one of so many slots until it is done or its client left.

    `on_leave` has to end the call that runs, from another thread and at once, as
    `Cancellation.cancel` does: a thread can't be stopped from outside.
    """

    def __init__(self, at_once: int) -> None:
        self.slots = Slots(at_once)
        self._pool = ThreadPoolExecutor(at_once, "ragkit-answer-thread")
        self._under_way: dict[object, Callable[[], None]] = {}

    def streamed(
        self,
        make: Callable[[], Iterator[T]],
        *,
        on_leave: Callable[[], None],
        ping: P,
        ping_seconds: float = PING_SECONDS,
    ) -> Stream[T | P]:
        """Run a generator on a thread of its own, and return its items as they come.

        It begins to run with this call, which raises Refusal where no slot is free. While no item
        comes `ping` is given every `ping_seconds`. Has to be called where the event loop runs.
        """
        held = self._held(on_leave)
        crossing: _Crossing[T | P] = _Crossing()
        try:
            _submitted(self._pool, _fill, crossing, make, held)
        except Refusal:
            held.close()
            raise
        return Stream(crossing, on_leave, ping=ping, ping_seconds=ping_seconds)

    async def run(self, function: Callable[[], T], *, on_leave: Callable[[], None]) -> T:
        """Return what a function returns that makes a whole answer; as `streamed` otherwise."""
        held = self._held(on_leave)
        try:
            future = _submitted(self._pool, function)
        except Refusal:
            held.close()
            raise
        future.add_done_callback(lambda _future: held.close())
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            on_leave()
            raise

    def close(self) -> None:
        """End the answers that are under way, which their clients are told, and take no more."""
        self._pool.shutdown(wait=False)
        for cancel in list(self._under_way.values()):
            cancel()

    def _held(self, on_leave: Callable[[], None]) -> ExitStack:
        held = ExitStack()
        held.enter_context(self.slots.taken())
        token = object()
        self._under_way[token] = on_leave
        held.callback(self._under_way.pop, token, None)
        return held


class Stream(Generic[T]):
    """The items of a generator that runs on a thread, for `async for`.

    Whoever is cancelled while waiting for an item, closes the stream or drops it, has left: the
    call is told so at once, and its thread ends. Iterate at one place only.
    """

    def __init__(
        self,
        crossing: _Crossing[T],
        on_leave: Callable[[], None],
        *,
        ping: T,
        ping_seconds: float,
    ) -> None:
        self._crossing = crossing
        self._on_leave = on_leave
        self._ping = ping
        self._ping_seconds = ping_seconds
        self._is_over = False

    def __aiter__(self) -> Stream[T]:
        return self

    async def __anext__(self) -> T:
        if self._is_over:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(self._ping_seconds):
                item = await self._crossing.take()
        except TimeoutError:
            return self._ping
        except asyncio.CancelledError:
            self._leave()
            raise
        if not isinstance(item, _End):
            return item
        self._is_over = True
        if item.error is not None:
            raise item.error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Leave, where the end hasn't come yet. May be called more than once."""
        self._leave()

    def __del__(self) -> None:
        # A reply that never began, as the client had gone by then, closes nothing.
        self._leave()

    def _leave(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._crossing.leave()
        self._on_leave()


@dataclass(frozen=True, slots=True)
class _End:
    """Stands for the end of the items, and says what ended them."""

    error: BaseException | None


class _Crossing(Generic[T]):
    """The way of items from the thread that makes them to the event loop that takes them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[T | _End] = asyncio.Queue()
        # The bound is on the thread's side: a thread can wait for this, and not for the queue.
        self._room = threading.Semaphore(ITEMS_AHEAD)
        self.is_left = False

    def put(self, item: T) -> bool:
        """Hand over an item, when there is room; False where nobody takes it any more."""
        self._room.acquire()
        return not self.is_left and self._hand_over(item)

    def end(self, error: BaseException | None) -> None:
        self._hand_over(_End(error))

    async def take(self) -> T | _End:
        item = await self._items.get()
        self._room.release()
        return item

    def leave(self) -> None:
        self.is_left = True
        self._room.release()

    def _hand_over(self, item: T | _End) -> bool:
        try:
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)
        except RuntimeError:  # the loop is closed: the server has stopped meanwhile
            return False
        return True


def _fill(crossing: _Crossing[T], make: Callable[[], Iterator[T]], held: ExitStack) -> None:
    """Make the items on this thread, until they end or nobody takes them; then let go the slot."""
    error: BaseException | None = None
    with held:
        try:
            if not crossing.is_left:
                _cross(crossing, make())
        except BaseException as caught:  # noqa: BLE001 - it's raised again, where they are taken
            error = caught
    if crossing.is_left and error is not None and not isinstance(error, RagkitError):
        _log.error("an answer broke after its client had left", exc_info=error)
    # Last, so that a client that asks again finds its slot free.
    crossing.end(error)


def _cross(crossing: _Crossing[T], items: Iterator[T]) -> None:
    try:
        for item in items:
            if not crossing.put(item):
                return
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


async def attended(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; where the client leaves before, the work is cancelled.

    Raises ClientDisconnect then. For replies that aren't streamed, after the body was read.
    """
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for each in (task, leaving):
            each.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
