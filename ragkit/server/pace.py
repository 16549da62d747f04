"""How many requests a minute one caller may make: a bucket of tokens for each."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

# Of callers that are remembered: 1 MB at most. With more the one not seen for longest is forgotten.
MOST_CALLERS = 4096


class Pace:
    """Lets each caller make so many requests a minute; a caller who was quiet may make them all
    at once.
    """

    def __init__(
        self,
        requests_per_minute: float,
        *,
        callers: int = MOST_CALLERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_second = requests_per_minute / 60
        self._capacity = max(1.0, requests_per_minute)
        self._callers = callers
        self._clock = clock
        # Caller: what its bucket held, and when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_seconds(self, caller: str) -> float:
        """Count a request, and return 0.0; or how long the caller has to wait to make it."""
        if not self._per_second:
            return 0.0
        now = self._clock()
        held, since = self._buckets.pop(caller, (self._capacity, now))
        held = min(self._capacity, held + (now - since) * self._per_second)
        wait = max(0.0, (1 - held) / self._per_second)
        self._buckets[caller] = (held if wait else held - 1, now)
        if len(self._buckets) > self._callers:
            self._buckets.popitem(last=False)
        return wait
