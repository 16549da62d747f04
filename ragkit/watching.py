"""Watches files and folders, and has them ingested when they have changed and come to rest.

The system's events only say when to look; what has changed is found by looking. So the rules of
what is read stand at one place, and an event that gets lost costs a delay and no document.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ragkit import sources
from ragkit.errors import (
    ConfigError,
    DocumentError,
    IndexBusy,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StorageFull,
)
from ragkit.types import IngestEvent, IngestReport, Notice

if TYPE_CHECKING:
    from collections.abc import Generator

    from watchfiles.main import FileChange

QUIET_SECONDS = 0.5  # without a change, and a batch is complete
LONGEST_SECONDS = 5.0  # for a batch, where changes don't stop
RETRY_SECONDS = 30.0  # after an ingest that failed as a whole, if nothing changes before
LOOK_AGAIN_SECONDS = 600.0  # network drives give no events, and queues of them overflow
_TICK_MS = 100
# A file written this shortly before it was looked at may change again within its time stamp's
# grain: it counts as changed the next time.
_RACY_NS = 2_000_000_000
# Folders that are never read and seldom at rest: their events aren't worth a look.
_RESTLESS = frozenset({".git", ".hg", ".svn", ".ragkit"})

# What may be over by itself; at the very first ingest the rest is for the user to mend.
_PASSING = (ProviderUnavailable, ProviderTimeout, RateLimited, IndexBusy)
_RETRIED = (ProviderError, IndexBusy, StorageFull, DocumentError)

# Size and time by uri.
Looks = Mapping[str, tuple[int, int]]
# Is given the paths that are there, and the single files that are there no more.
Ingest = Callable[[Sequence[Path], Sequence[Path], Callable[[IngestEvent], None]], IngestReport]


def check_available() -> None:
    """Raise ConfigError where the library that watches isn't installed."""
    try:
        import watchfiles  # noqa: F401, PLC0415 - an optional extra
    except ImportError as exc:
        raise ConfigError(
            "watching needs the package watchfiles, which is not installed",
            hint="install it: pip install watchfiles; or with ragkit: pip install '.[watch]' in a"
            " checkout, or name the wheel's file with [watch] behind it",
        ) from exc


def watch(
    paths: Sequence[Path],
    ingest: Ingest,
    *,
    own: Collection[Path],
    stop: Callable[[], bool] = lambda: False,
    on_event: Callable[[IngestEvent], None] = lambda _event: None,
) -> Iterator[IngestReport]:
    """Ingest these paths now and after each batch of changes; yield what each ingest did.

    Ends when `stop` says so, or an ingest was stopped. What an endpoint, another writer or a full
    disk prevents is told as a Notice and tried again. `own` are the index's own files.
    """
    rounds = _Rounds(paths, ingest, own=own, on_event=on_event)
    try:
        while not stop():
            report = rounds.next()
            if report is not None:
                yield report
                if report.stopped:
                    return
            rounds.wait(stop=stop)
    finally:
        rounds.close()


class _Rounds:
    """Looks, and ingests where something has changed, once a round."""

    def __init__(
        self,
        paths: Sequence[Path],
        ingest: Ingest,
        *,
        own: Collection[Path],
        on_event: Callable[[IngestEvent], None],
    ) -> None:
        self._files = [path for path in paths if not path.is_dir()]
        self._folders = [path for path in paths if path.is_dir()]
        self._ingest = ingest
        self._own = own
        self._tell = on_event
        self._unrepeated = _Unrepeated(on_event)
        self._watcher = self._new_watcher()
        self._seen: Looks | None = None  # by the last ingest that went well
        self._troubles: set[str] = set()  # that there are now, and have been told

    def _new_watcher(self) -> Watcher:
        return Watcher(self._folders, self._files, own=self._own)

    def next(self) -> IngestReport | None:
        """Return what an ingest did; None where nothing has changed, or it failed."""
        if self._watcher.is_stale():  # before the look, so that nothing falls between the two
            self._watcher.close()
            self._watcher = self._new_watcher()
        troubles: set[str] = set()
        report = None
        try:
            report = self._changed(troubles)
        except _RETRIED as exc:
            if self._seen is None and not isinstance(exc, _PASSING):
                raise
            troubles.add(f"{exc}; it is tried again with the next change, or in a while")
        for sentence in sorted(troubles - self._troubles):
            self._tell(Notice(sentence))
        self._troubles = troubles
        return report

    def _changed(self, troubles: set[str]) -> IngestReport | None:
        """Ingest if something has changed since the last time."""
        paths, gone = [*self._folders, *self._files], []
        if self._seen is not None:
            paths = [path for path in paths if os.path.lexists(path)]
            gone = [path for path in self._files if _is_gone(path)]
            troubles.update(
                f"the folder {path} is gone; its documents are kept"
                for path in self._folders
                if path not in paths
            )
        found = self._watcher.look(paths)
        if found == self._seen or not (paths or gone):
            return None
        report = self._ingest(paths, gone, self._unrepeated)
        self._unrepeated.next_round()
        failed = {failure.uri for failure in report.failed}  # looks new, so that it is tried again
        self._seen = {uri: look for uri, look in found.items() if uri not in failed}
        return report

    def wait(self, *, stop: Callable[[], bool]) -> None:
        """Return when it is time for the next round."""
        seconds = RETRY_SECONDS if self._troubles else LOOK_AGAIN_SECONDS
        self._watcher.wait(seconds, stop=stop)

    def close(self) -> None:
        self._watcher.close()


class Watcher:
    """Notes changes below some paths, from its making on until it is closed."""

    def __init__(
        self, folders: Iterable[Path], files: Iterable[Path], *, own: Collection[Path]
    ) -> None:
        """Begin. Raises ConfigError where the system can't watch so much."""
        places = sorted({Path(os.path.realpath(folder)) for folder in folders})
        named = [Path(os.path.realpath(file.parent), file.name) for file in files]
        # A file that an editor replaces is another one then: so its folder is watched.
        beside = sorted({file.parent for file in named})
        self._folders = tuple(str(folder).rstrip("/") + "/" for folder in places)
        self._files = {str(file) for file in named}
        self._own = {str(path) for path in own}
        self._identities = {folder: _identity(folder) for folder in (*places, *beside)}
        self._events: list[Generator[set[FileChange], None, None]] = []
        try:
            self._begin(places, recursive=True)
            self._begin(beside, recursive=False)
        except (OSError, RuntimeError) as exc:
            self.close()
            raise ConfigError(
                f"the system can't watch these folders: {exc}",
                hint="raise fs.inotify.max_user_watches, or set WATCHFILES_FORCE_POLLING=1",
            ) from exc

    def _begin(self, folders: Sequence[Path], *, recursive: bool) -> None:
        import watchfiles  # noqa: PLC0415 - see check_available

        there = [folder for folder in folders if folder.is_dir()]
        if not there:
            return
        events = watchfiles.watch(
            *there,
            watch_filter=None,
            recursive=recursive,
            step=_TICK_MS // 2,
            debounce=_TICK_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        self._events.append(events)
        next(events)  # from now on nothing is missed

    def is_stale(self) -> bool:
        """Whether a folder was put in the place of one that is watched."""
        return any(_identity(place) != identity for place, identity in self._identities.items())

    def look(self, paths: Iterable[Path]) -> dict[str, tuple[int, int]]:
        """Return what the files at these paths look like now. Raises DocumentError as walks do."""
        now = time.time_ns()
        return {
            file.uri: (file.size, file.mtime_ns if now - file.mtime_ns > _RACY_NS else 0)
            for path in paths
            for file in sources.walk(path).files
            if str(file.path) not in self._own
        }

    def wait(self, seconds: float, *, stop: Callable[[], bool]) -> None:
        """Return when changes have come to rest, after so many seconds, or when `stop` says so."""
        settle(self._poll, seconds=seconds, stop=stop)

    def _poll(self) -> bool:
        """Return whether something has changed that counts, after at most some tenths of one."""
        if not self._events:
            time.sleep(_TICK_MS / 1000)
        batches = [next(events, set()) for events in self._events]
        return any(self._counts(path) for batch in batches for _, path in batch)

    def _counts(self, path: str) -> bool:
        if path in self._own:
            return False
        if path in self._files:
            return True
        for folder in self._folders:
            if path.startswith(folder):
                return _RESTLESS.isdisjoint(path[len(folder) :].split("/"))
        return path + "/" in self._folders

    def close(self) -> None:
        """Watch no longer."""
        for events in self._events:
            events.close()
        self._events.clear()


def settle(
    poll: Callable[[], bool],
    *,
    seconds: float,
    stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Poll until changes have come to rest, for so many seconds, or until `stop` says so.

    They rest when QUIET_SECONDS bring no more, and are taken after LONGEST_SECONDS anyhow.
    """
    begun = clock()
    first = last = None
    while not stop():
        now = clock()
        if first is None or last is None:
            if now - begun >= seconds:
                return
        elif now - last >= QUIET_SECONDS or now - first >= LONGEST_SECONDS:
            return
        if poll():
            last = clock()
            first = last if first is None else first


class _Unrepeated:
    """Passes events on, but for a notice that the ingest before has given as well."""

    def __init__(self, on_event: Callable[[IngestEvent], None]) -> None:
        self._on_event = on_event
        self._before: set[str] = set()
        self._now: set[str] = set()

    def __call__(self, event: IngestEvent) -> None:
        if isinstance(event, Notice):
            self._now.add(event.text)
            if event.text in self._before:
                return
        self._on_event(event)

    def next_round(self) -> None:
        self._before, self._now = self._now, set()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_gone(path: Path) -> bool:
    """Whether a file is known to be gone: its folder is still there, and readable."""
    try:
        path.lstat()
    except FileNotFoundError:
        return path.absolute().parent.is_dir()
    except OSError:
        return False
    return False
