"""What is done to a large index besides writing to it: it is made quick, and its file small."""

from __future__ import annotations

from collections.abc import Callable

from ragkit.indexing.tally import Tally
from ragkit.store import SqliteStore
from ragkit.types import IngestEvent, OptimizeReport


def optimize(
    store: SqliteStore,
    *,
    stop: Callable[[], bool],
    on_event: Callable[[IngestEvent], None],
) -> OptimizeReport:
    """Do what there is to do, saying each step before it begins.

    Raises IndexNotFound, IndexBusy.
    """
    notice = Tally(on_event).notice
    before = store.stats()  # raises IndexNotFound, where `exclusive` would make an index
    steps = []
    with store.exclusive(on_wait=notice, stop=stop):
        for step in store.optimize(stop):
            notice(step)
            steps.append(step)
    return OptimizeReport(tuple(steps), before.size_bytes, store.stats().size_bytes, stop())
