"""The one retry loop: which failures are tried again, how often, and after what wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

from ragkit.errors import ProviderError, ProviderTimeout, ProviderUnavailable, RateLimited
from ragkit.providers.failures import Verdict
from ragkit.providers.throttle import RETRY_AFTER_JITTER_SECONDS, Throttle, backoff_seconds

T = TypeVar("T")

# A server's bad moment outlasts three tries (they take under 5 s), and an ingest can wait; a person
# who waits for an answer can't for long.
ATTEMPTS = 6
STREAM_ATTEMPTS = 3
PATIENCE_SECONDS = 900.0  # of an ingest, for a single request that is told to come back later
_TRANSIENT = (ProviderUnavailable, ProviderTimeout, RateLimited)

_log = logging.getLogger(__name__)


class Judged(Exception):
    """Carries a verdict through the retry loop."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict.error))
        self.verdict = verdict


def error_of(failure: ProviderError | Judged) -> ProviderError:
    return failure.verdict.error if isinstance(failure, Judged) else failure


def another_try_can_help(failure: BaseException) -> bool:
    if isinstance(failure, Judged):
        return failure.verdict.retry
    return isinstance(failure, _TRANSIENT)


def asked_seconds(failure: BaseException | None) -> float | None:
    """Return the wait that the endpoint asked for; None where it asked for none."""
    return failure.verdict.wait_seconds if isinstance(failure, Judged) else None


def asks_to_slow_down(failure: BaseException | None) -> bool:
    """Whether a failure is about how much is sent, and not about this request."""
    error = failure.verdict.error if isinstance(failure, Judged) else failure
    return isinstance(error, RateLimited) or asked_seconds(failure) is not None


@dataclass(slots=True)
class Retries:
    """How often a request is tried, and how the time between two tries is spent.

    With a throttle, a try that is told to slow down has paused it already: the next one waits for
    its turn there. With patience too, such tries don't count: they go on until the pause would
    end so many seconds after the first of them.
    """

    attempts: int
    sleep: Callable[[float], None]
    random: Callable[[], float]
    clock: Callable[[], float]
    throttle: Throttle | None = None
    patience_seconds: float = 0.0
    _failures: int = 0
    _first_told_at: float | None = None
    _waits_in_queue: bool = False

    def run(self, once: Callable[[], T]) -> T:
        """Return what one try gives, in the end. Raises the error of the last one."""
        loop = Retrying(
            sleep=self._sleep,
            stop=self._is_enough,
            wait=self._wait_seconds,
            retry=retry_if_exception(another_try_can_help),
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            return loop(once)
        except Judged as judged:
            raise judged.verdict.error from judged.__cause__

    def _wait_seconds(self, state: RetryCallState) -> float:
        """Take note of a failure; called before it is asked whether it was enough."""
        failure = state.outcome.exception() if state.outcome else None
        self._waits_in_queue = self.throttle is not None and asks_to_slow_down(failure)
        if self._waits_in_queue and self.patience_seconds:
            if self._first_told_at is None:
                self._first_told_at = self.clock()
            return 0.0
        self._failures += 1
        asked = asked_seconds(failure)
        if asked is not None:
            return asked + RETRY_AFTER_JITTER_SECONDS * self.random()
        return backoff_seconds(self._failures, random=self.random)

    def _is_enough(self, _state: RetryCallState) -> bool:
        if self.throttle is None or not (self._waits_in_queue and self.patience_seconds):
            return self._failures >= self.attempts
        waited = self.clock() - (self._first_told_at or 0.0)
        return waited + self.throttle.pause_seconds() > self.patience_seconds

    def _sleep(self, seconds: float) -> None:
        if not self._waits_in_queue:
            self.sleep(seconds)


def _log_retry(state: RetryCallState) -> None:
    failure = state.outcome.exception() if state.outcome else None
    _log.info("try %d failed, another follows: %s", state.attempt_number, failure)
