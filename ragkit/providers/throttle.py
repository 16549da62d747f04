"""Decides when the next request may go: how many are in flight, and how many a minute.

The number in flight finds what the endpoint bears as TCP does (additive increase, multiplicative
decrease): one more after a round of successes, half as many after a refusal. A refusal is a pause
for all. Limits a minute are the user's settings, and what the endpoint's headers say is left.
"""

from __future__ import annotations

import random as random_numbers
import threading
import time
from bisect import insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

from ragkit import cancelling
from ragkit.errors import RequestCancelled
from ragkit.providers.limit_headers import Allowance, Counted, allowances

MOST_IN_FLIGHT = 8
FIRST_IN_FLIGHT = 4
# Past the number at which it was refused last, growth takes so many times more successes: an
# endpoint with a fixed number would refuse one in twenty otherwise.
CAREFUL_ROUNDS = 10
BACKOFF_BASE_SECONDS = 0.5  # full jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
BACKOFF_CAP_SECONDS = 30.0
RETRY_AFTER_JITTER_SECONDS = 0.25  # so that those who were told the same time don't return as one
TOLD_SECONDS = 3.0  # a wait from here on is told to `on_wait`
MINUTE = 60.0

_PAUSE = "the endpoint asks to wait"
_OWN_LIMIT: dict[Counted, str] = {
    "requests": "the setting requests_per_minute",
    "tokens": "the setting tokens_per_minute",
}
_THEIR_LIMIT: dict[Counted, str] = {
    "requests": "the endpoint's limit of requests is used up",
    "tokens": "the endpoint's limit of tokens is used up",
}


def backoff_seconds(failures: int, *, random: Callable[[], float]) -> float:
    """Return how long to wait after so many failures in a row, counted from 1."""
    longest: float = BACKOFF_BASE_SECONDS * 2 ** min(failures - 1, 10)
    return min(BACKOFF_CAP_SECONDS, longest) * random()


class Pace:
    """Keeps to so many units a minute, in any minute; 0 means any number. The caller tells time.

    Spread evenly: what a second holds, or a single request, may go at once, and that much less is
    sent in the other seconds, so that no 60 of them hold more than the limit.
    """

    def __init__(self, per_minute: float) -> None:
        self._per_minute = per_minute
        self._at_once = per_minute / MINUTE
        self._clear_at = float("-inf")  # when all that was sent has been made up for

    def wait_seconds(self, amount: float, *, now: float) -> float:
        """Return how long this amount has to wait; 0 where it may go."""
        if not self._per_minute:
            return 0.0
        self._at_once = max(self._at_once, amount)
        lead = (self._at_once - amount) / self._rate
        return max(0.0, self._clear_at - lead - now)

    def take(self, amount: float, *, now: float) -> None:
        """Count an amount that goes now."""
        if self._per_minute:
            self._clear_at = max(self._clear_at, now) + amount / self._rate

    def correct(self, difference: float) -> None:
        """Count that an amount taken before was larger by this, or smaller."""
        if self._per_minute:
            self._clear_at += difference / self._rate

    @property
    def _rate(self) -> float:
        """Units a second. One request of more than half the limit can't be made up for in full."""
        return max(self._per_minute - self._at_once, self._per_minute / 2) / MINUTE


@dataclass(slots=True, eq=False)
class Turn:
    """A request's place in the queue. It keeps it when it has to be sent again."""

    number: int
    tokens: int
    run: int
    era: int = 0
    sent: int = 0

    def amount(self, counted: Counted) -> int:
        return 1 if counted == "requests" else self.tokens


@dataclass(slots=True)
class _Budget:
    """What an endpoint said is left, less what was sent since, and when that is void.

    `sent` is the place of the request that it answered in the order of sending.
    """

    counted: Counted
    left: float
    until: float
    sent: int


def _wait_on(condition: threading.Condition, seconds: float | None) -> None:
    condition.wait(seconds)


class Throttle:
    """Gives each request its turn to be sent, in the order in which they asked. Threads share it.

    `most` requests are in flight at the most. `on_wait(seconds, reason)` is told of each wait of
    some seconds, once; it is called in one of the threads that wait.
    """

    def __init__(
        self,
        *,
        most: int = MOST_IN_FLIGHT,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        on_wait: Callable[[float, str], None] = lambda _seconds, _reason: None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_numbers.random,
        wait: Callable[[threading.Condition, float | None], None] = _wait_on,
    ) -> None:
        self.most = most
        self.limit = min(FIRST_IN_FLIGHT, most)
        self.on_wait = on_wait
        self._clock = clock
        self._random = random
        self._wait = wait
        self._changed = threading.Condition()
        self._numbers = count()
        self._sent = count()
        self._queue: list[Turn] = []
        self._in_flight: list[Turn] = []
        self._ceiling = most
        self._successes = 0
        self._refusals = 0  # since the last success
        self._era = 0  # goes up with each cut of the limit
        self._paused_until = float("-inf")
        self._paces: dict[Counted, Pace] = {
            "requests": Pace(requests_per_minute),
            "tokens": Pace(tokens_per_minute),
        }
        self._budgets: dict[str, _Budget] = {}
        self._told_until = float("-inf")
        self._run = 0  # goes up with each cancel()
        self._closed = False

    # --- a request's way -----------------------------------------------------------------------

    def turn(self, *, tokens: int = 0) -> Turn:
        """Return a place at the end of the queue, for a request of about so many tokens."""
        with self._changed:
            return Turn(next(self._numbers), tokens, self._run)

    def enter(self, turn: Turn) -> None:
        """Wait until the request may be sent, and count it. Raises RequestCancelled."""
        with self._changed:
            insort(self._queue, turn, key=lambda each: each.number)
        try:
            with cancelling.waking(self._wake):
                while untold := self._await(turn):
                    self.on_wait(*untold)
        except BaseException:
            with self._changed:
                for place in (self._queue, self._in_flight):
                    if turn in place:
                        place.remove(turn)
                self._changed.notify_all()
            raise

    def leave(self, turn: Turn) -> None:
        """Take note that a request is no longer in flight."""
        with self._changed:
            self._in_flight.remove(turn)
            self._changed.notify_all()

    def rest(self, seconds: float, turn: Turn | None = None) -> None:
        """Sleep; raises RequestCancelled at once when that request, or everything, is cancelled."""
        with cancelling.waking(self._wake), self._changed:
            until = self._clock() + seconds
            self._check(turn)
            while (left := until - self._clock()) > 0:
                self._wait(self._changed, left)
                self._check(turn)

    # --- what came of it -----------------------------------------------------------------------

    def succeeded(self) -> None:
        """Count a success; after a round of them one more may be in flight."""
        with self._changed:
            self._refusals = 0
            self._successes += 1
            rounds = CAREFUL_ROUNDS if self.limit >= self._ceiling else 1
            if self._successes >= self.limit * rounds and self.limit < self.most:
                self.limit += 1
                self._successes = 0
                self._changed.notify_all()

    def refused(self, turn: Turn, *, asked: float | None) -> None:
        """Let nobody send for as long as was asked, and fewer afterwards.

        The limit is cut once for all requests that were in flight together.
        """
        with self._changed:
            if turn.era == self._era:
                self._era += 1
                self._refusals += 1
                self._ceiling = max(1, self.limit - 1)
                self.limit = max(1, self.limit // 2)
                self._successes = 0
            if asked is None:
                seconds = backoff_seconds(self._refusals, random=self._random)
            else:
                seconds = asked + RETRY_AFTER_JITTER_SECONDS * self._random()
            self._paused_until = max(self._paused_until, self._clock() + seconds)
            self._changed.notify_all()

    def pause_seconds(self) -> float:
        """Return how long nobody may send yet."""
        with self._changed:
            return max(0.0, self._paused_until - self._clock())

    def heed(self, turn: Turn, headers: Mapping[str, str], *, now: float) -> None:
        """Learn from the headers of a reply what is left; `now` is the time of day.

        `turn` is still in flight. The others are taken for not yet counted by the endpoint.
        """
        if told := allowances(headers, now=now):
            with self._changed:
                for allowance in told:
                    self._budgets[allowance.name] = self._budget(allowance, turn)
                self._changed.notify_all()

    def billed(self, turn: Turn, tokens: int) -> None:
        """Correct the estimate of a request's tokens by what it was billed."""
        with self._changed:
            self._paces["tokens"].correct(tokens - turn.tokens)
            self._changed.notify_all()

    # --- the end -------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Wake all that wait, with RequestCancelled; those that begin later are not affected."""
        with self._changed:
            self._run += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Cancel all requests, and those that would begin later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wake(self) -> None:
        """Have all that wait look whether they still should."""
        with self._changed:
            self._changed.notify_all()

    # --- with the lock held --------------------------------------------------------------------

    def _await(self, turn: Turn) -> tuple[float, str] | None:
        """Wait for the turn to come, and take it. Returns early with a wait that has to be told."""
        with self._changed:
            while True:
                self._check(turn)
                seconds, reason = self._obstacle(turn)
                if seconds == 0:
                    self._take(turn)
                    return None
                if seconds is not None and self._is_news(seconds):
                    return seconds, reason
                self._wait(self._changed, seconds)

    def _check(self, turn: Turn | None) -> None:
        cancelling.check()
        if self._closed or (turn is not None and turn.run != self._run):
            raise RequestCancelled

    def _obstacle(self, turn: Turn) -> tuple[float | None, str]:
        """Return how long a request can't be sent, and why; None until another one is done."""
        if self._queue[0] is not turn or len(self._in_flight) >= self.limit:
            return None, ""
        now = self._clock()
        waits = [(self._paused_until - now, _PAUSE)]
        for counted, pace in self._paces.items():
            waits.append((pace.wait_seconds(turn.amount(counted), now=now), _OWN_LIMIT[counted]))
        for budget in self._budgets.values():
            if budget.left < turn.amount(budget.counted):
                waits.append((budget.until - now, _THEIR_LIMIT[budget.counted]))
        seconds, reason = max(waits)
        return max(0.0, seconds), reason

    def _is_news(self, seconds: float) -> bool:
        """Whether a wait is long, and not the one that was told before."""
        until = self._clock() + seconds
        if seconds < TOLD_SECONDS or until < self._told_until + TOLD_SECONDS:
            return False
        self._told_until = until
        return True

    def _take(self, turn: Turn) -> None:
        now = self._clock()
        self._queue.remove(turn)
        self._in_flight.append(turn)
        turn.era = self._era
        turn.sent = next(self._sent)
        for counted, pace in self._paces.items():
            pace.take(turn.amount(counted), now=now)
        for name, budget in list(self._budgets.items()):
            budget.left -= turn.amount(budget.counted)
            if budget.until <= now:
                del self._budgets[name]
        self._changed.notify_all()  # the next one is first in the queue now

    def _budget(self, allowance: Allowance, turn: Turn) -> _Budget:
        others = sum(each.amount(allowance.counted) for each in self._in_flight if each is not turn)
        left = allowance.left - others
        until = self._clock() + allowance.seconds
        known = self._budgets.get(allowance.name)
        if known and known.sent > turn.sent:  # replies overtake one another: this one is old news
            return _Budget(known.counted, min(left, known.left), known.until, known.sent)
        return _Budget(allowance.counted, left, until, turn.sent)
