"""Who may send when: the number in flight, pauses, rates a minute, headers, the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragkit.errors import RequestCancelled
from ragkit.providers.limit_headers import Allowance, allowances, reset_seconds
from ragkit.providers.throttle import Pace, Throttle, Turn

NOON = 1_700_000_000.0  # a Unix time: 2023-11-14T22:13:20Z


class Clock:
    """A clock that goes on when somebody waits for it; one thread only."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, _condition: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "waits for another request, and there is none"
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle_of(clock: Clock) -> Callable[..., Throttle]:
    """Makes throttles on the fake clock; their dice always show 1."""
    return lambda **options: Throttle(
        clock=clock, wait=clock.wait, random=lambda: 1.0, **{"most": 8, **options}
    )


@contextmanager
def sending(throttle: Throttle, *, tokens: int = 0) -> Iterator[Turn]:
    turn = throttle.turn(tokens=tokens)
    throttle.enter(turn)
    try:
        yield turn
    finally:
        throttle.leave(turn)


def succeed(throttle: Throttle, times: int) -> None:
    for _ in range(times):
        with sending(throttle):
            pass
        throttle.succeeded()


# How many are in flight


def test_limit_starts_at_four_and_grows_by_one_a_round(
    throttle_of: Callable[..., Throttle],
) -> None:
    """After as many successes as the limit it goes up by one, to the most and no further."""
    throttle = throttle_of(most=6)
    assert throttle.limit == 4
    succeed(throttle, 3)
    assert throttle.limit == 4
    succeed(throttle, 1)
    assert throttle.limit == 5
    succeed(throttle, 5)
    assert throttle.limit == 6
    succeed(throttle, 100)
    assert throttle.limit == 6


def test_limit_starts_lower_where_less_is_allowed(throttle_of: Callable[..., Throttle]) -> None:
    """A setting below four holds from the start."""
    assert throttle_of(most=1).limit == 1


def test_refusals_of_one_round_halve_the_limit_once(throttle_of: Callable[..., Throttle]) -> None:
    """Requests that were in flight together and are all refused are one piece of news."""
    throttle = throttle_of(most=8)
    turns = [throttle.turn() for _ in range(4)]
    for turn in turns:
        throttle.enter(turn)
    for turn in turns:
        throttle.leave(turn)
        throttle.refused(turn, asked=1.0)
    assert throttle.limit == 2
    for expected in (1, 1):
        with sending(throttle) as turn:
            pass
        throttle.refused(turn, asked=1.0)
        assert throttle.limit == expected


def test_growth_is_careful_where_it_was_refused(throttle_of: Callable[..., Throttle]) -> None:
    """Below the number that was refused it grows as before; to that number ten times as slowly."""
    throttle = throttle_of(most=8)
    with sending(throttle) as turn:
        pass
    throttle.refused(turn, asked=1.0)
    succeed(throttle, 2)
    assert throttle.limit == 3
    succeed(throttle, 29)
    assert throttle.limit == 3
    succeed(throttle, 1)
    assert throttle.limit == 4


# Pauses


def test_pause_holds_for_all(throttle_of: Callable[..., Throttle], clock: Clock) -> None:
    """After a refusal nobody sends before the time that was asked for, plus up to 0.25 s."""
    throttle = throttle_of()
    with sending(throttle) as turn:
        pass
    throttle.refused(turn, asked=7.0)
    started = clock.now
    with sending(throttle):
        assert clock.now - started == pytest.approx(7.25)
    with sending(throttle):
        assert clock.now - started == pytest.approx(7.25)


def test_shorter_pause_does_not_end_a_longer_one(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """Of two pauses at a time the longer one counts."""
    throttle = throttle_of()
    turns = [throttle.turn(), throttle.turn()]
    for turn in turns:
        throttle.enter(turn)
    for turn, asked in zip(turns, (9.0, 1.0), strict=True):
        throttle.leave(turn)
        throttle.refused(turn, asked=asked)
    assert throttle.pause_seconds() == pytest.approx(9.25)


def test_pause_that_nobody_asked_for_doubles(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """Without Retry-After pauses are 0.5, 1, 2 ... 30 s at the longest; a success starts anew."""
    throttle = throttle_of()
    pauses = []
    for _ in range(8):
        with sending(throttle) as turn:
            pass
        throttle.refused(turn, asked=None)
        pauses.append(throttle.pause_seconds())
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    succeed(throttle, 1)
    with sending(throttle) as turn:
        pass
    throttle.refused(turn, asked=None)
    assert throttle.pause_seconds() == 0.5


def test_long_waits_are_told_once(throttle_of: Callable[..., Throttle]) -> None:
    """A wait of 3 seconds or more is told, with its reason; shorter ones and repeats are not."""
    told: list[tuple[float, str]] = []
    throttle = throttle_of(on_wait=lambda seconds, reason: told.append((seconds, reason)))
    for asked in (1.0, 60.0):
        with sending(throttle) as turn:
            pass
        throttle.refused(turn, asked=asked)
    succeed(throttle, 3)
    assert told == [(60.25, "the endpoint asks to wait")]


# Rates a minute


@given(
    per_minute=st.integers(10, 2_000),
    amounts=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    gaps=st.lists(st.floats(0, 30), min_size=60, max_size=60),
)
def test_no_minute_holds_more_than_the_limit(
    per_minute: int, amounts: list[int], gaps: list[float]
) -> None:
    """Whenever requests come, no 60 seconds hold more than the limit."""
    pace, now, sent = Pace(per_minute), 0.0, []
    pace.wait_seconds(5, now=now)  # knows the largest request from the start
    for amount, gap in zip(amounts, gaps, strict=False):
        now += gap
        now += pace.wait_seconds(amount, now=now)
        pace.take(amount, now=now)
        sent.append((now, amount))
    for start, _ in sent:
        held = sum(amount for at, amount in sent if start <= at < start + 60 - 1e-6)
        assert held <= per_minute


def test_requests_are_spread_over_the_minute(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """60 requests a minute are about one a second."""
    throttle = throttle_of(requests_per_minute=60)
    started = clock.now
    succeed(throttle, 30)
    assert clock.now - started == pytest.approx(29 * 60 / 59)


def test_tokens_are_spread_over_the_minute(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """A large request goes at once, and the next one waits until it is made up for."""
    throttle = throttle_of(tokens_per_minute=60_000)
    with sending(throttle, tokens=10_000):
        assert clock.waits == []
    with sending(throttle, tokens=10_000):
        assert clock.waits == [pytest.approx(10_000 / 50_000 * 60)]


def test_bill_corrects_the_estimate(throttle_of: Callable[..., Throttle], clock: Clock) -> None:
    """A request that was billed more than estimated holds up the next one for longer."""
    throttle = throttle_of(tokens_per_minute=60_000)
    with sending(throttle, tokens=10_000) as turn:
        pass
    throttle.billed(turn, 15_000)
    with sending(throttle, tokens=10_000):
        assert clock.waits == [pytest.approx(15_000 / 50_000 * 60)]


def test_request_above_the_limit_goes_alone(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """A request with more tokens than a minute may have is sent, and not for ever held up."""
    throttle = throttle_of(tokens_per_minute=1_000)
    with sending(throttle, tokens=5_000):
        pass
    with sending(throttle, tokens=5_000):
        assert sum(clock.waits) == pytest.approx(600)


# What headers say


def test_headers_that_say_nothing_is_left_are_obeyed(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """With nothing left the next request waits for the reset, and is told why if it is long."""
    told: list[str] = []
    throttle = throttle_of(on_wait=lambda _seconds, reason: told.append(reason))
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6s"}
    with sending(throttle) as turn:
        throttle.heed(turn, headers, now=NOON)
    started = clock.now
    succeed(throttle, 5)
    assert clock.now - started == pytest.approx(6)
    assert told == ["the endpoint's limit of requests is used up"]


def test_what_is_left_is_counted_down(throttle_of: Callable[..., Throttle], clock: Clock) -> None:
    """What was sent since the headers came is taken off; a request that doesn't fit waits."""
    throttle = throttle_of()
    headers = {"x-ratelimit-remaining-tokens": "250", "x-ratelimit-reset-tokens": "2s"}
    with sending(throttle, tokens=100) as turn:
        throttle.heed(turn, headers, now=NOON)
    for _ in range(2):
        with sending(throttle, tokens=100):
            assert clock.waits == []
    with sending(throttle, tokens=100):
        assert clock.waits == [pytest.approx(2.0)]


def test_requests_in_flight_count_as_not_seen(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """What is under way when headers come may not be in their count yet."""
    throttle = throttle_of()
    headers = {"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "2s"}
    with sending(throttle), sending(throttle), sending(throttle) as turn:
        throttle.heed(turn, headers, now=NOON)
    succeed(throttle, 1)
    assert clock.waits == [pytest.approx(2.0)]


def test_reply_that_was_overtaken_raises_no_hopes(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """Of two replies the one to the request that was sent later says what is left."""
    throttle = throttle_of()
    with sending(throttle) as first, sending(throttle) as second:
        for turn, left in ((second, "1"), (first, "5")):
            headers = {"x-ratelimit-remaining-requests": left, "x-ratelimit-reset-requests": "2s"}
            throttle.heed(turn, headers, now=NOON)
    succeed(throttle, 1)
    assert clock.waits == [pytest.approx(2.0)]


SPELLINGS: dict[str, tuple[dict[str, str], list[tuple[str, float, float]]]] = {
    "OpenAI": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "1m0s",
        },
        [("requests", 59, 1), ("tokens", 149_984, 60)],
    ),
    "by the minute": (
        {"x-ratelimit-remaining-tokens-minute": "5", "x-ratelimit-reset-tokens-minute": "11.4"},
        [("tokens", 5, 11.4)],
    ),
    "Anthropic": (
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z",
        },
        [("requests", 0, 30)],
    ),
    "IETF": ({"ratelimit-remaining": "7", "ratelimit-reset": "50"}, [("requests", 7, 50)]),
    "a Unix time": (
        {"x-ratelimit-remaining": "7", "x-ratelimit-reset": "1700000009"},
        [("requests", 7, 9)],
    ),
    "below zero": (
        {"x-ratelimit-remaining": "-7", "x-ratelimit-reset": "9"},
        [("requests", 0, 9)],
    ),
    "a day's limit": (
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "23h59m"},
        [],
    ),
    "no reset": ({"x-ratelimit-remaining-requests": "0"}, []),
    "junk": ({"x-ratelimit-remaining": "few", "x-ratelimit-reset": "soon"}, []),
    "nothing": ({}, []),
}


@pytest.mark.parametrize(("headers", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_of_the_headers(
    headers: dict[str, str], expected: list[tuple[str, float, float]]
) -> None:
    """What is left is read in the spellings that endpoints have; the rest is left alone."""
    found = [(each.counted, each.left, each.seconds) for each in allowances(headers, now=NOON)]
    assert found == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("12", 12.0),
        ("0s", 0.0),
        ("1700000005000", 5.0),
        ("1600000000", 0.0),
        ("nan", None),
        ("", None),
        ("5 apples", None),
    ],
)
def test_forms_of_a_reset(value: str, seconds: float | None) -> None:
    """Durations, seconds, Unix times in seconds and milliseconds; a time gone by is no wait."""
    assert reset_seconds(value, now=NOON) == pytest.approx(seconds)


def test_allowances_name_their_header() -> None:
    """Two spellings in one reply are two allowances: the stricter one holds."""
    headers = {
        "x-ratelimit-remaining": "3",
        "x-ratelimit-reset": "1",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "1s",
    }
    assert allowances(headers, now=NOON) == [
        Allowance("x-ratelimit-remaining-requests", "requests", 2, 1),
        Allowance("x-ratelimit-remaining", "requests", 3, 1),
    ]


# Many threads


def start(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_never_more_in_flight_than_the_limit() -> None:
    """However many threads want to send, no more do at a time; all of them get through."""
    throttle = Throttle(most=3)
    lock, now_in, most_in, done = threading.Lock(), [0], [0], [0]

    def work() -> None:
        for _ in range(20):
            with sending(throttle):
                with lock:
                    now_in[0] += 1
                    most_in[0] = max(most_in[0], now_in[0])
                time.sleep(0.0005)
                with lock:
                    now_in[0] -= 1
                    done[0] += 1

    threads = [start(work) for _ in range(12)]
    for thread in threads:
        thread.join(10)
    assert (most_in[0], done[0]) == (3, 240)


def test_turns_come_in_order() -> None:
    """Who asked first is first, and keeps its place when it has to send again."""
    throttle = Throttle(most=1)
    order: list[int] = []

    def work(turn: Turn) -> None:
        throttle.enter(turn)
        order.append(turn.number)
        throttle.leave(turn)

    first, blocker = throttle.turn(), throttle.turn()
    throttle.enter(blocker)
    threads = []
    for turn in [*(throttle.turn() for _ in range(5)), first]:
        threads.append(start(lambda turn=turn: work(turn)))
        wait_until(lambda: len(throttle._queue) == len(threads))
    throttle.leave(blocker)
    for thread in threads:
        thread.join(5)
    assert order == [0, 2, 3, 4, 5, 6]


def test_cancel_wakes_all_at_once() -> None:
    """Whoever waits, for a pause, a place or between two tries, ends at once; later ones don't."""
    throttle = Throttle(most=1)
    ended: list[float] = []
    with sending(throttle) as turn:
        pass
    throttle.refused(turn, asked=60)

    def work(wait: Callable[[Turn], None]) -> None:
        with pytest.raises(RequestCancelled):
            wait(throttle.turn())
        ended.append(time.monotonic())

    threads = [start(lambda: work(throttle.enter)) for _ in range(10)]
    threads += [start(lambda: work(lambda turn: throttle.rest(60, turn))) for _ in range(10)]
    wait_until(lambda: len(throttle._queue) == 10)
    time.sleep(0.02)
    cancelled = time.monotonic()
    throttle.cancel()
    for thread in threads:
        thread.join(5)
    assert len(ended) == 20
    assert max(ended) - cancelled < 0.5
    with pytest.raises(RequestCancelled):
        throttle.enter(turn)  # one of before, between two tries
    Throttle.rest(throttle, 0.001, throttle.turn())


def test_close_ends_later_ones_too() -> None:
    """After the end nothing is sent any more."""
    throttle = Throttle()
    throttle.close()
    with pytest.raises(RequestCancelled):
        throttle.enter(throttle.turn())
    with pytest.raises(RequestCancelled):
        throttle.rest(60)


def test_callback_that_fails_leaves_the_queue_in_order(
    throttle_of: Callable[..., Throttle], clock: Clock
) -> None:
    """An error of `on_wait` is the caller's, and holds up nobody else."""

    def fail(_seconds: float, _reason: str) -> None:
        raise ZeroDivisionError

    throttle = throttle_of(on_wait=fail)
    with sending(throttle) as turn:
        pass
    throttle.refused(turn, asked=60)
    with pytest.raises(ZeroDivisionError):
        throttle.enter(throttle.turn())
    succeed(throttle, 1)
