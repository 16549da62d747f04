"""What was read of one state of the index, kept as long as that state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar

Value = TypeVar("Value")


class Remembered:
    """A bounded memory of what was made from the index, by its generation. Threads share it."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._generation = -1
        self._values: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, generation: int, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return what was made for a key in this generation, or make it now."""
        with self._lock:
            if generation > self._generation:
                self._generation = generation
                self._values.clear()
            if generation == self._generation and key in self._values:
                self._values.move_to_end(key)
                return self._values[key]  # type: ignore[return-value]  # what `make` has returned
        value = make()
        with self._lock:
            if generation == self._generation:
                self._values[key] = value
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
        return value
