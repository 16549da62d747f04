"""What the routes of the server share: the index, its threads, and what it is asked with."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.requests import Request

from ragkit.access_keys import AccessKeys
from ragkit.errors import IndexNotFound, RagkitError
from ragkit.index import Index
from ragkit.server.presets import filters_of, parse_presets
from ragkit.server.running import Answers, Workers
from ragkit.server.uploads import Uploads
from ragkit.settings import Settings
from ragkit.types import Filters, Model

T = TypeVar("T")

# Threads for what is quickly done. More of them would only wait for one another: a search keeps a
# core busy.
QUICK_THREADS = 4


@dataclass(frozen=True, slots=True)
class Contents:
    """What an index holds, in short."""

    documents: int = 0
    chunks: int = 0
    collections: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()


class Kept(Generic[T]):
    """A value that is looked up anew, beside the requests, once it is older than so many seconds.

    A request gets the value of before meanwhile. Only while there is none it waits, and no longer
    than `patience_seconds` after the look-up began; then it gets the `first` one.
    """

    def __init__(
        self,
        look_up: Callable[[], T],
        *,
        first: T,
        seconds: float,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look_up = look_up
        self._value = first
        self._seconds = seconds
        self._patience_seconds = patience_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at = -math.inf
        self._is_there = threading.Event()
        self._looking = False

    def get(self) -> T:
        with self._lock:
            now = self._clock()
            if not self._looking and now - self._began_at > self._seconds:
                self._looking, self._began_at = True, now
                threading.Thread(target=self._refresh, name="ragkit-look-up", daemon=True).start()
        self._is_there.wait(max(0.0, self._began_at + self._patience_seconds - now))
        return self._value

    def forget(self) -> None:
        """Look the value up with the next request, and have that wait for it."""
        with self._lock:
            self._began_at = -math.inf
            self._is_there.clear()

    def _refresh(self) -> None:
        try:
            self._value = self._look_up()
        finally:
            self._looking = False
            self._is_there.set()


class Service:
    """One index, served: made when the server starts, closed when it stops."""

    def __init__(self, index: Index, settings: Settings, *, keys: AccessKeys) -> None:
        self.index = index
        self.settings = settings
        self.keys = keys
        self.uploads = Uploads(
            index,
            index.path.with_name(index.path.name + ".uploads"),
            max_bytes=settings.server_upload_mb * 1_000_000,
            collection=settings.collection,
        )
        self.presets: Mapping[str, Filters] = parse_presets(
            settings.presets, origin=settings.origin("presets")
        )
        self.quick = Workers(QUICK_THREADS, settings.server_waiting)
        self.answers = Answers(settings.server_answers)
        self._contents = Kept(
            self._look_up_contents, first=Contents(), seconds=2.0, patience_seconds=30.0
        )
        self._models: Kept[tuple[Model, ...]] = Kept(
            self._look_up_models, first=(), seconds=60.0, patience_seconds=2.0
        )

    def close(self) -> None:
        """End the answers that are under way and the uploads, and close the index."""
        self.answers.close()
        self.quick.close()
        self.uploads.close()
        self.index.close()

    @property
    def name(self) -> str:
        """What the index is called: the folder that it is of, or its file."""
        path = self.index.path
        return path.parent.parent.name if path.parent.name == ".ragkit" else path.stem

    def contents(self) -> Contents:
        """Return what the index holds, as it was a moment ago."""
        return self._contents.get()

    def changed(self) -> None:
        """Take note that documents have come or gone."""
        self._contents.forget()

    def _look_up_contents(self) -> Contents:
        try:
            stats = self.index.stats()
        except IndexNotFound:  # before the first upload or ingest
            return Contents()
        return Contents(
            stats.documents, stats.chunks, tuple(stats.collections), tuple(stats.media_types)
        )

    def upstream_models(self) -> tuple[Model, ...]:
        """Return the endpoint's models; none where it can't be asked, for now."""
        return self._models.get()

    def _look_up_models(self) -> tuple[Model, ...]:
        try:
            return tuple(self.index.models())
        except RagkitError:
            return ()

    def filters_of(self, model: str) -> Filters:
        """Return what one of ragkit's own models looks at. Raises Refusal."""
        return filters_of(model, self.presets, self.contents().collections)


def service(request: Request) -> Service:
    """Return what the app that got this request serves."""
    found = request.app.state.service
    assert isinstance(found, Service)
    return found
