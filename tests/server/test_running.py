"""Calls on threads: how many at once, what becomes of the others, and of clients that leave."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing
from contextvars import ContextVar

import httpx
import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from ragkit.access_keys import AccessKeys
from ragkit.errors import QueryError
from ragkit.server.failures import Refusal
from ragkit.server.rules import Rules
from ragkit.server.running import ITEMS_AHEAD, Answers, Slots, Stream, Workers, attended
from ragkit.server.security import Guard

from .loopback import Caller, served

PING = "ping"
LONG = 10.0  # seconds that no test takes, unless it fails


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Held:
    """A function that says that it runs, and runs until it is let go."""

    def __init__(self) -> None:
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.running = threading.Semaphore(0)
        self.let_go = threading.Event()
        self._lock = threading.Lock()

    def __call__(self) -> str:
        with self._lock:
            self.calls += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        self.running.release()
        assert self.let_go.wait(LONG)
        with self._lock:
            self.at_once -= 1
        return threading.current_thread().name

    async def begun(self) -> None:
        """Wait until one more call runs."""
        assert await asyncio.to_thread(self.running.acquire, timeout=LONG)


class Leaving:
    """What is called when a client leaves: ends the call that waits for it, and counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.left = threading.Event()

    def __call__(self) -> None:
        self.calls += 1
        self.left.set()


def answer_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("ragkit-answer-")]


def stopped(answers: Answers) -> bool:
    """Whether the threads end within two seconds, when no more answers are asked for."""
    answers.close()
    for thread in answer_threads():
        thread.join(2)
    return not answer_threads()


@pytest.fixture
def answers() -> Iterator[Answers]:
    made = Answers(2)
    yield made
    assert stopped(made)


@pytest.fixture
def leaving() -> Leaving:
    return Leaving()


def retry_after(refusal: Refusal) -> int:
    assert refusal.status == 429
    return int(refusal.headers["retry-after"])


# --- quick calls --------------------------------------------------------------------------------


def test_a_call_on_a_thread() -> None:
    """What it returns or raises comes back; the loop isn't held up by it."""

    def broken(word: str) -> str:
        raise QueryError(word)

    async def main() -> None:
        workers = Workers(1, 1)
        assert await workers.run(str.upper, "a") == "A"
        with pytest.raises(QueryError, match="no such mode"):
            await workers.run(broken, "no such mode")
        workers.close()

    asyncio.run(main())


def test_so_many_run_and_so_many_wait() -> None:
    """50 requests at once: those within the limits are all served, the others are told to wait."""

    async def main() -> None:
        workers, held = Workers(3, 5), Held()
        tasks = [asyncio.create_task(workers.run(held)) for _ in range(50)]
        for _ in range(3):
            await held.begun()
        refusals = [each for each in await settled(tasks) if isinstance(each, Refusal)]
        assert len(refusals) == 42
        assert {retry_after(each) for each in refusals} == {1}
        held.let_go.set()
        names = {await each for each in tasks if not each.done() or each.exception() is None}
        assert (held.calls, held.most_at_once) == (8, 3)
        assert all(name.startswith("ragkit-request") for name in names)
        assert await workers.run(str.upper, "a") == "A"  # there is room again
        workers.close()

    asyncio.run(main())


async def settled(tasks: list[asyncio.Task[str]]) -> list[BaseException | None]:
    """Return the errors of the tasks that are done, when the loop has gone round."""
    await asyncio.sleep(0)
    return [task.exception() for task in tasks if task.done()]


def test_a_call_whose_client_left_is_dropped() -> None:
    """What waits isn't begun any more and its place is free at once; what runs keeps its own."""

    async def main() -> None:
        workers, held = Workers(1, 1), Held()
        running = asyncio.create_task(workers.run(held))
        await held.begun()
        waiting = asyncio.create_task(workers.run(held))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        running.cancel()
        await asyncio.wait({running})
        last = asyncio.create_task(workers.run(held))  # takes the place of the one that waited
        await asyncio.sleep(0)
        with pytest.raises(Refusal):  # and the one that runs still counts
            await workers.run(held)
        held.let_go.set()
        await last
        assert held.calls == 2
        workers.close()

    asyncio.run(main())


def test_when_to_come_back() -> None:
    """The wait is guessed from how long calls took lately, one at least and a minute at most."""
    clock = Clock()

    def takes(seconds: float) -> None:
        clock.now += seconds

    async def main() -> None:
        for seconds, waits in ((0.001, 1), (4.0, 6), (1000.0, 60)):
            workers, held = Workers(2, 2, clock=clock), Held()
            await workers.run(takes, seconds)
            tasks = [asyncio.create_task(workers.run(held)) for _ in range(4)]
            await asyncio.sleep(0)
            with pytest.raises(Refusal) as caught:
                await workers.run(held)
            assert retry_after(caught.value) == waits  # three calls, two at a time
            held.let_go.set()
            await asyncio.gather(*tasks)
            workers.close()

    asyncio.run(main())


def test_after_the_end() -> None:
    """A server that stops takes nothing more, and says so."""

    async def main() -> None:
        workers = Workers(1, 1)
        workers.close()
        for _ in range(3):
            with pytest.raises(Refusal, match="stopping"):
                await workers.run(str.upper, "a")

    asyncio.run(main())


# --- places -------------------------------------------------------------------------------------


def test_slots() -> None:
    """Who finds no place is told when to come back; a place is free after an error too."""
    clock = Clock()
    slots = Slots(2, clock=clock)
    with ExitStack() as held:
        held.enter_context(slots.taken())
        with pytest.raises(ValueError, match="boom"), slots.taken():
            clock.now += 12
            raise ValueError("boom")
        held.enter_context(slots.taken())
        with pytest.raises(Refusal, match="2 answers") as caught, slots.taken():
            pass
        assert retry_after(caught.value) == 6  # one of two ends every six seconds
        assert slots.in_use == 2
    assert slots.in_use == 0


# --- answers that come in pieces ----------------------------------------------------------------


def test_items_come_in_order(answers: Answers, leaving: Leaving) -> None:
    """All of them, many more than cross at once; reaching the end is not leaving."""

    async def main() -> None:
        stream = answers.streamed(lambda: iter(range(1000)), on_leave=leaving, ping=PING)
        assert [item async for item in stream] == list(range(1000))
        assert [item async for item in stream] == []
        await stream.aclose()

    asyncio.run(main())
    assert leaving.calls == 0


def test_a_place_is_free_when_the_end_has_come(leaving: Leaving) -> None:
    """A client that asks again when it has the whole answer is not sent away."""

    async def main() -> None:
        answers = Answers(1)
        for _ in range(200):
            stream = answers.streamed(lambda: iter([1]), on_leave=leaving, ping=PING)
            assert [item async for item in stream] == [1]
        assert len(answer_threads()) == 1
        answers.close()

    asyncio.run(main())


def test_threads_are_used_again(answers: Answers, leaving: Leaving) -> None:
    """A hundred answers take no more threads than may be under way at once."""
    names = set()

    def make() -> Iterator[str]:
        yield threading.current_thread().name

    async def main() -> None:
        for _ in range(50):
            streams = [answers.streamed(make, on_leave=leaving, ping=PING) for _ in range(2)]
            names.update([item for stream in streams async for item in stream])

    asyncio.run(main())
    assert 1 <= len(names) <= 2
    assert all(name.startswith("ragkit-answer-") for name in names)


def test_too_many_answers(answers: Answers, leaving: Leaving) -> None:
    """Where no slot is free it's said before anything is made, and the others go on."""
    let_go = threading.Event()

    def make() -> Iterator[int]:
        assert let_go.wait(LONG)
        yield 1

    async def main() -> None:
        streams = [answers.streamed(make, on_leave=leaving, ping=PING) for _ in range(2)]
        with pytest.raises(Refusal) as caught:
            answers.streamed(make, on_leave=leaving, ping=PING)
        assert retry_after(caught.value) == 1
        with pytest.raises(Refusal):
            await answers.run(lambda: 1, on_leave=leaving)
        let_go.set()
        assert [[item async for item in stream] for stream in streams] == [[1], [1]]
        assert answers.slots.in_use == 0

    asyncio.run(main())


def test_an_error_is_raised_where_the_items_are_taken(answers: Answers, leaving: Leaving) -> None:
    """What came before it has come; the slot is free afterwards."""

    def make() -> Iterator[int]:
        yield 1
        raise QueryError("boom")

    async def main() -> None:
        stream = answers.streamed(make, on_leave=leaving, ping=PING)
        assert await anext(stream) == 1
        with pytest.raises(QueryError, match="boom"):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert answers.slots.in_use == 0

    asyncio.run(main())
    assert leaving.calls == 0


def test_a_ping_while_nothing_comes(answers: Answers, leaving: Leaving) -> None:
    """A client sees that the server lives, and loses no item by it."""
    let_go = threading.Event()

    def make() -> Iterator[int]:
        assert let_go.wait(LONG)
        yield from range(3)

    async def main() -> None:
        stream = answers.streamed(make, on_leave=leaving, ping=PING, ping_seconds=0.001)
        assert [await anext(stream) for _ in range(3)] == [PING] * 3
        let_go.set()
        assert [item async for item in stream if item != PING] == [0, 1, 2]

    asyncio.run(main())


def test_a_slow_client_stops_the_thread(answers: Answers, leaving: Leaving) -> None:
    """No more is made ahead of what was taken than a few items."""
    made = taken = farthest = 0
    full = threading.Event()

    def make() -> Iterator[int]:
        nonlocal made, farthest
        for number in range(2000):
            made += 1
            farthest = max(farthest, made - taken)
            if made > ITEMS_AHEAD:
                full.set()
            yield number

    async def main() -> None:
        nonlocal taken
        stream = answers.streamed(make, on_leave=leaving, ping=PING)
        assert await asyncio.to_thread(full.wait, LONG)
        async for _ in stream:
            taken += 1

    asyncio.run(main())
    assert (made, taken) == (2000, 2000)
    # One is in the thread's hand, and one was taken and not counted yet.
    assert ITEMS_AHEAD < farthest <= ITEMS_AHEAD + 2


def endless(closed: threading.Event) -> Iterator[str]:
    try:
        while True:
            yield threading.current_thread().name
    finally:
        assert threading.current_thread().name.startswith("ragkit-answer-")
        closed.set()


async def closes(stream: Stream[str]) -> None:
    async with aclosing(stream):
        await anext(stream)


async def drops(stream: Stream[str]) -> None:
    await anext(stream)
    del stream
    gc.collect()


async def takes_nothing(stream: Stream[str]) -> None:
    del stream


@pytest.mark.parametrize("leave", [closes, drops, takes_nothing])
def test_a_client_that_leaves_a_thread_that_is_ahead(
    answers: Answers, leaving: Leaving, leave: Callable[[Stream[str]], Awaitable[None]]
) -> None:
    """However it leaves: the thread that waits for room goes on, and closes its own generator."""
    closed = threading.Event()

    async def main() -> None:
        stream = [answers.streamed(lambda: endless(closed), on_leave=leaving, ping=PING)]
        await leave(stream.pop())
        assert leaving.calls == 1

    asyncio.run(main())
    assert stopped(answers)
    assert answers.slots.in_use == 0


def test_a_client_that_leaves_a_thread_that_waits(answers: Answers, leaving: Leaving) -> None:
    """The call is told at once, by which it ends; what it raises then is nobody's to see."""
    begun, closed = threading.Event(), threading.Event()

    def broken() -> Iterator[int]:
        raise QueryError("cancelled")

    def make() -> Iterator[int]:
        try:
            begun.set()
            assert leaving.left.wait(LONG)
            yield from broken()
        finally:
            closed.set()

    async def main() -> None:
        async def take() -> int | str:
            return await anext(answers.streamed(make, on_leave=leaving, ping=PING))

        task = asyncio.create_task(take())
        assert await asyncio.to_thread(begun.wait, LONG)
        task.cancel()
        await asyncio.wait({task})
        assert (task.cancelled(), leaving.calls) == (True, 1)
        assert await asyncio.to_thread(closed.wait, 2)

    asyncio.run(main())
    assert stopped(answers)
    assert answers.slots.in_use == 0


def test_a_client_that_leaves_before_the_thread_begins(leaving: Leaving) -> None:
    """Nothing is made then: a bug after the end of one answer can't take the next one's place."""
    answers, begun, let_go = Answers(1), threading.Event(), threading.Event()
    made = []

    def blocks() -> None:
        begun.set()
        assert let_go.wait(LONG)

    def make() -> Iterator[int]:
        made.append(1)
        yield 1

    async def main() -> None:
        answers._pool.submit(blocks)  # as a thread that is not yet back when its slot is
        assert await asyncio.to_thread(begun.wait, LONG)
        stream = answers.streamed(make, on_leave=leaving, ping=PING)
        await stream.aclose()
        let_go.set()

    asyncio.run(main())
    assert stopped(answers)
    assert (made, answers.slots.in_use) == ([], 0)


def test_a_bug_after_the_client_left_is_told(
    answers: Answers, leaving: Leaving, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody takes goes to the log, unless it's one that leaving makes."""

    def make() -> Iterator[int]:
        yield 1
        assert leaving.left.wait(LONG)
        raise ZeroDivisionError

    async def main() -> None:
        stream = answers.streamed(make, on_leave=leaving, ping=PING)
        await anext(stream)
        await stream.aclose()

    asyncio.run(main())
    assert stopped(answers)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_each_answer_has_its_own_context(leaving: Leaving) -> None:
    """What an answer leaves in its context is not seen by the next one on the same thread."""
    setting = ContextVar("setting", default="unset")
    answers = Answers(1)

    def make() -> Iterator[str]:
        yield setting.get()
        setting.set("left behind")
        yield setting.get()

    async def main() -> None:
        for given in ("one", "two"):
            setting.set(given)
            stream = answers.streamed(make, on_leave=leaving, ping=PING)
            assert [item async for item in stream] == [given, "left behind"]
        assert await answers.run(setting.get, on_leave=leaving) == "two"

    asyncio.run(main())
    assert stopped(answers)


def test_a_whole_answer(answers: Answers, leaving: Leaving) -> None:
    """It takes a slot as a streamed one does; whoever stops waiting for it has left."""

    def waits() -> None:
        assert leaving.left.wait(LONG)

    async def main() -> None:
        assert await answers.run(lambda: "answer", on_leave=leaving) == "answer"
        assert answers.slots.in_use == 0
        task = asyncio.create_task(answers.run(waits, on_leave=leaving))
        await asyncio.sleep(0)
        assert answers.slots.in_use == 1
        task.cancel()
        await asyncio.wait({task})
        assert leaving.calls == 1

    asyncio.run(main())
    assert stopped(answers)
    assert answers.slots.in_use == 0


def test_a_server_that_stops(leaving: Leaving) -> None:
    """Answers under way are cancelled, and their clients get to know; new ones are refused."""
    answers = Answers(1)

    def make() -> Iterator[int]:
        yield 1
        assert leaving.left.wait(LONG)
        raise QueryError("cancelled")

    async def main() -> None:
        stream = answers.streamed(make, on_leave=leaving, ping=PING)
        assert await anext(stream) == 1
        answers.close()
        with pytest.raises(QueryError, match="cancelled"):
            await anext(stream)
        for _ in range(2):
            with pytest.raises(Refusal, match="stopping"):
                answers.streamed(make, on_leave=leaving, ping=PING)

    asyncio.run(main())
    assert stopped(answers)


# --- clients that leave, over a connection ------------------------------------------------------


class StreamingApp:
    """Streams what `make` makes, as the server's routes do."""

    def __init__(
        self, answers: Answers, make: Callable[[], Iterator[str]], leaving: Leaving
    ) -> None:
        self._answers = answers
        self._make = make
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self._answers.streamed(self._make, on_leave=self._leaving, ping=PING)
        await StreamingResponse(stream)(scope, receive, send)


@pytest.fixture
def keys() -> AccessKeys:
    return AccessKeys({})


def test_a_connection_that_is_closed_in_the_middle(
    answers: Answers, leaving: Leaving, keys: AccessKeys
) -> None:
    """The call of a client that hung up is ended within two seconds, and its slot is free."""

    def make() -> Iterator[str]:
        yield "first"
        assert leaving.left.wait(LONG)

    with served(Guard(StreamingApp(answers, make, leaving), Rules(), keys)) as port:
        with Caller(port) as caller:
            caller.say("GET /v1/stream HTTP/1.1\nHost: localhost")
            caller.read_until(b"first")
        assert leaving.left.wait(2)
        assert leaving.calls == 1
        assert stopped(answers)
    assert answers.slots.in_use == 0


def test_a_connection_that_nobody_reads(
    answers: Answers, leaving: Leaving, keys: AccessKeys
) -> None:
    """A client that doesn't read stops the thread, and frees it when it hangs up."""
    ahead = threading.Event()
    made = 0

    def make() -> Iterator[str]:
        nonlocal made
        while True:
            made += 1
            if made > ITEMS_AHEAD:
                ahead.set()
            yield "x" * 100_000

    with served(Guard(StreamingApp(answers, make, leaving), Rules(), keys)) as port:
        with Caller(port) as caller:
            caller.say("GET /v1/stream HTTP/1.1\nHost: localhost")
            assert ahead.wait(LONG)
        assert leaving.left.wait(2)
        assert stopped(answers)
    assert answers.slots.in_use == 0


def test_a_client_that_does_not_wait_for_a_whole_answer(
    answers: Answers, leaving: Leaving, keys: AccessKeys, caplog: pytest.LogCaptureFixture
) -> None:
    """A reply that isn't streamed is given up just as well, and this is no error of ours."""
    begun = threading.Event()

    def waits() -> str:
        begun.set()
        assert leaving.left.wait(LONG)
        return "late"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the body, which has been read when the work begins
        text = await attended(receive, answers.run(waits, on_leave=leaving))
        await PlainTextResponse(text)(scope, receive, send)

    with served(Guard(app, Rules(), keys)) as port:
        with Caller(port) as caller:
            caller.say("GET /v1/whole HTTP/1.1\nHost: localhost")
            assert begun.wait(LONG)
        assert leaving.left.wait(2)
        assert httpx.get(f"http://127.0.0.1:{port}/v1/whole").text == "late"
    assert leaving.calls == 1
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_what_is_attended() -> None:
    """The result and the errors of the work come through; leaving cancels it."""

    async def stays() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def leaves() -> Message:
        return {"type": "http.disconnect"}

    async def gives(word: str) -> str:
        await asyncio.sleep(0)
        return word

    async def breaks() -> None:
        raise QueryError("boom")

    async def main() -> None:
        assert await attended(stays, gives("done")) == "done"
        with pytest.raises(QueryError, match="boom"):
            await attended(stays, breaks())
        with pytest.raises(ClientDisconnect):
            await attended(leaves, stays())

    asyncio.run(main())
