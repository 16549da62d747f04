"""Ends a reply that is silent, or goes on, for too long."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from ragkit.providers.sockets import shut


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a reply may take, in seconds: in all, before its first piece, between pieces."""

    total: float
    first: float
    idle: float


class Watchdog:
    """Shuts a socket when a reply takes too long as a whole, or falls silent.

    An HTTP client times single reads only: a server that sends a byte a second is never late, and
    the wait for a stream's first piece can't differ from that for the next. A thread watches
    instead, and `fired` says whether it had to act; the blocked read then ends at once. `since` is
    when the request was sent, by `clock`.
    """

    def __init__(
        self,
        connection: socket.socket | None,
        patience: Patience,
        *,
        since: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._patience = patience
        self._last_call = since + patience.total
        self._deadline = min(self._last_call, since + patience.first)
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ragkit-watchdog", daemon=True)
        self.fired = False

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._finished.set()
        self._thread.join()

    def saw_life(self) -> None:
        """Take note that a piece came: the time for the next one starts."""
        self._deadline = min(self._last_call, self._clock() + self._patience.idle)

    def _watch(self) -> None:
        while (left := self._deadline - self._clock()) > 0:
            # No longer than the idle time: the first piece may move the deadline nearer meanwhile.
            if self._finished.wait(min(left, self._patience.idle)):
                return
        self.fired = True
        if self._connection is not None:
            shut(self._connection)
