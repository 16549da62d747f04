"""What is remembered of endpoints between runs, in the user's cache folder: never a key or text."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_FILE = "endpoints.json"
_WEB_SEARCH = "web_search"
_WINDOWS = "context_windows"
# An endpoint may give a model another window; after this long it is asked again.
_WINDOW_SECONDS = 7 * 24 * 3600


class EndpointMemory:
    """What one endpoint, known by its host, was found to be able to do.

    What can't be read counts as nothing known, and what can't be written is found out again.
    """

    def __init__(
        self, folder: Path | None, base_url: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = folder / _FILE if folder else None
        self._host = urlsplit(base_url).netloc
        self._clock = clock

    def refuses_web_search(self) -> bool:
        return self._of_host(self._read()).get(_WEB_SEARCH) is False

    def remember_no_web_search(self) -> None:
        self._write(_WEB_SEARCH, False)

    def context_window(self, model: str) -> int | None:
        """Return a model's window in tokens, 0 where the endpoint doesn't tell; None: not known."""
        windows = self._of_host(self._read()).get(_WINDOWS)
        known = windows.get(model) if isinstance(windows, dict) else None
        match known:
            case [int(window), int() | float() as since]:
                is_fresh = 0 <= self._clock() - since < _WINDOW_SECONDS
                return window if is_fresh else None
        return None

    def remember_context_window(self, model: str, window: int) -> None:
        windows = self._of_host(self._read()).get(_WINDOWS)
        others = windows if isinstance(windows, dict) else {}
        self._write(_WINDOWS, {**others, model: [window, int(self._clock())]})

    def _of_host(self, hosts: dict[str, Any]) -> dict[str, Any]:
        known = hosts.get(self._host)
        return known if isinstance(known, dict) else {}

    def _write(self, name: str, value: object) -> None:
        if self._path is None:
            return
        hosts = self._read()
        hosts[self._host] = {**self._of_host(hosts), name: value}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self._path.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps(hosts, indent=1), encoding="utf-8")
            beside.replace(self._path)
        except OSError:
            return

    def _read(self) -> dict[str, Any]:
        if self._path is None:
            return {}
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return stored if isinstance(stored, dict) else {}
