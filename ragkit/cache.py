"""The embedding cache: vectors that were computed once, kept for every index of this user.

One SQLite file, shared by threads and processes. It is a convenience: whatever is wrong with it is
logged once and told in `problem`, and then it finds and keeps nothing. It raises no error.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import apsw

from ragkit.types import CacheStats

APPLICATION_ID = 0x72616763  # "ragc", in the file's header
VERSION = 1
# A vector of 256, 512, 768... dimensions fills pages of this size but for a few bytes, and has them
# to itself: the file shrinks with every vector that goes, whichever stood beside it. 768 dimensions
# take 1.05 times their size; with pages of 4 KiB 1.35, and with 16 KiB the file doesn't shrink.
PAGE_BYTES = 1024
KEY_BYTES = 32
CHECKSUM_BYTES = 8
DAY_SECONDS = 86_400
EVICTED_AT_ONCE = 512  # vectors: some milliseconds, in which others wait
FULL_AFTER_EVICTION = 0.9
USES_AT_ONCE = 2_048  # times of use that are written together
_BUSY_TIMEOUT_MS = 5_000
_PAGE_CACHE_KIB = 8_192
_LOG_PAGES = 16_384  # the write-ahead log is copied into the file at 16 MiB

_SCHEMA = """
    CREATE TABLE vectors (
        number   INTEGER PRIMARY KEY, -- new ones go to the end; a table by key is 4 x slower
        key      BLOB NOT NULL UNIQUE,
        used_at  INTEGER NOT NULL, -- seconds since 1970, not kept nearer than to a day
        checksum BLOB NOT NULL,
        vector   BLOB NOT NULL
    ) STRICT;
    CREATE INDEX vectors_by_use ON vectors (used_at);
"""

_log = logging.getLogger(__name__)


def cache_key(model: str, dimensions: int, text: str) -> bytes:
    """Return the key of a text as it is sent to a model, template and context included."""
    name = model.encode("utf-8", "surrogatepass")
    head = struct.pack("<QQ", dimensions, len(name))
    content = text.encode("utf-8", "surrogatepass")
    return blake2b(head + name + content, digest_size=KEY_BYTES).digest()


class VectorCache:
    """Packed vectors by the key of what made them. The first `put` makes the file.

    `problem` says why nothing is kept (and, where it can't be read either, found); "" where all
    is well. At most `max_bytes` are taken; what was not used for the longest time goes first.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self.problem = ""
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.RLock()  # one connection, one call at a time
        self._connection: apsw.Connection | None = None
        self._opened: tuple[int, int] | None = None  # the identity of the file that is open
        self._readable = True
        self._used: set[bytes] = set()  # keys whose time of use is to be written

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the vectors that are there, by key."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, bytes] = {}
        with self._lock, self._tolerant(reading=True):
            connection = self._existing() if wanted and self._max_bytes else None
            if connection is None:
                return {}
            found, damaged, stale = _look_up(connection, wanted, now=self._now())
            self._used.update(stale)
            if damaged:
                _log.warning("%d vectors of %s are damaged; removed", len(damaged), self.path)
            if not self.problem and (damaged or len(self._used) >= USES_AT_ONCE):
                with self._tolerant():
                    self._tidy(connection, damaged)
        return found

    def put(self, items: Mapping[bytes, bytes]) -> None:
        """Keep vectors; once this returns they outlive a crash and a power cut."""
        if not items or not self._max_bytes:
            return
        with self._lock:
            for _ in range(2):  # once more where the file is damaged: into a new one
                if self.problem:
                    return
                with self._tolerant():
                    connection = self._existing() or self._new()
                    with _transaction(connection):
                        _insert(connection, items, now=self._now())
                        self._write_uses(connection)
                    self._evict(connection)
                    return

    def forget(self, keys: Iterable[bytes]) -> int:
        """Remove vectors, and their traces in the file; return how many there were."""
        removed = 0
        with self._lock, self._tolerant():
            connection = self._existing()
            if connection is not None:
                with _transaction(connection):
                    removed = _delete(connection, keys)
                    _give_back_pages(connection)
                _empty_log(connection)
        return removed

    def stats(self) -> CacheStats:
        """Return how much is kept, and since when. A file that can't be read has no entries."""
        entries, oldest, newest = 0, None, None
        with self._lock:
            with self._tolerant(reading=True):
                connection = self._existing()
                if connection is not None:
                    entries, oldest, newest = _counts(connection)
            return CacheStats(
                path=str(self.path),
                entries=entries,
                size_bytes=sum(map(_size_on_disk, (self.path, _beside(self.path, "-wal")))),
                max_bytes=self._max_bytes,
                oldest_use=_time(oldest),
                newest_use=_time(newest),
            )

    def clear(self) -> int:
        """Remove everything and return how many vectors there were."""
        removed = 0
        with self._lock, self._tolerant():
            connection = self._existing()
            if connection is not None:
                # What leaves the file need not be overwritten in it first: so a full disk can be
                # cleared, and 2 GB take seconds.
                connection.pragma("secure_delete", False)
                connection.execute("DELETE FROM vectors")
                removed = connection.changes()
                connection.execute("VACUUM")
                connection.pragma("secure_delete", True)
                _empty_log(connection)
                self._used.clear()
        return removed

    def close(self) -> None:
        """Let go of the file. What is called afterwards opens it again."""
        with self._lock:
            if self._connection is not None and self._used and not self.problem:
                with self._tolerant():
                    self._tidy(self._connection, [])
            self._disconnect()

    # --- the file ------------------------------------------------------------------------------

    def _existing(self) -> apsw.Connection | None:
        """Return the connection to the file; None where there is none, or none to be used."""
        if not self._readable:
            return None
        if self._connection is None and self.path.exists():
            self._opened = _identity(self.path)
            self._connection = _connect(self.path)
        return self._connection

    def _new(self) -> apsw.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):  # another process was quicker
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = self._existing()
        assert connection is not None, "the file was made, and `put` has seen no problem"
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(apsw.Error):  # closing copies the log into the file
                self._connection.close(force=True)
        self._connection = None

    # --- what may go wrong ---------------------------------------------------------------------

    @contextlib.contextmanager
    def _tolerant(self, *, reading: bool = False) -> Iterator[None]:
        """Let no error out: a damaged file is moved away, with any other problem we stop."""
        try:
            yield
        except (apsw.CorruptError, apsw.NotADBError) as exc:
            try:
                self._move_away(exc)
            except OSError as error:
                self._stop(f"is damaged and can't be moved away ({error.strerror})", for_good=True)
        except (_Foreign, apsw.Error, OSError) as exc:
            self._stop(_reason(exc), for_good=reading or self._connection is None)

    def _stop(self, reason: str, *, for_good: bool) -> None:
        """Keep nothing from now on. What is there may still be found, unless it is `for_good`."""
        if for_good:
            self._readable = False
            self._disconnect()
        if not self.problem:
            self.problem = f"the embedding cache {self.path} {reason}"
            _log.warning("%s; what is embedded is not kept for later", self.problem)

    def _move_away(self, exc: Exception) -> None:
        """Put a damaged file aside, in place of an older one, unless another process has."""
        self._disconnect()
        if _identity(self.path) != self._opened:
            return
        aside = _beside(self.path, ".damaged")
        _beside(self.path, "-shm").unlink(missing_ok=True)
        for ending in ("-wal", ""):  # a new file must not meet the log of the old one
            old, kept = _beside(self.path, ending), _beside(aside, ending)
            kept.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                old.replace(kept)
        _log.warning("%s is damaged (%s): moved to %s, begun afresh", self.path, exc, aside)

    # --- keeping it small ----------------------------------------------------------------------

    def _evict(self, connection: apsw.Connection) -> None:
        """Where the file is too large remove the least recently used, in small transactions."""
        if _size(connection) <= self._max_bytes:
            return
        goal = int(self._max_bytes * FULL_AFTER_EVICTION)
        while _evict_some(connection, goal):
            pass
        with contextlib.suppress(apsw.BusyError):
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)  # now the file shrinks

    def _tidy(self, connection: apsw.Connection, damaged: Sequence[bytes]) -> None:
        with _transaction(connection):
            _delete(connection, damaged)
            self._write_uses(connection)

    def _write_uses(self, connection: apsw.Connection) -> None:
        if self._used:
            connection.execute(
                "UPDATE vectors SET used_at = ?"
                " WHERE key IN (SELECT unhex(value) FROM json_each(?))",
                (self._now(), _json(self._used)),
            )
            self._used.clear()

    def _now(self) -> int:
        return int(self._clock())


class _Foreign(Exception):
    """The file is not ours to write."""


def _reason(exc: Exception) -> str:
    """Return what is wrong, as the end of a sentence about the cache."""
    if isinstance(exc, _Foreign):
        return str(exc)
    if isinstance(exc, apsw.BusyError):
        return "is kept locked by another process"
    if isinstance(exc, apsw.FullError):
        return "can't grow: the disk is full"
    detail = exc.strerror if isinstance(exc, OSError) else str(exc)
    return f"can't be used ({detail})"


# --- opening ------------------------------------------------------------------------------------


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        is_new = _is_new(connection)  # before anything is changed: it may be somebody else's
        if is_new:
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("auto_vacuum", 2)  # INCREMENTAL
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.pragma("secure_delete", True)
        connection.pragma("cache_size", -_PAGE_CACHE_KIB)
        connection.pragma("temp_store", "memory")
        connection.pragma("wal_autocheckpoint", _LOG_PAGES)
        connection.pragma("journal_size_limit", _LOG_PAGES * PAGE_BYTES)
        if is_new:
            _create(connection)
    except BaseException:
        connection.close(force=True)
        raise
    return connection


def _is_new(connection: apsw.Connection) -> bool:
    """Whether the file holds nothing yet. Raises _Foreign where it isn't a cache that we know."""
    with connection:  # all three of one moment: another process may be making the file
        owner = connection.pragma("application_id")
        version = connection.pragma("user_version")
        (tables,) = _one(connection, "SELECT count(*) FROM sqlite_schema")
    if owner == version == tables == 0:
        return True
    if owner != APPLICATION_ID:
        raise _Foreign("is a database of another program")
    if version > VERSION:
        raise _Foreign(f"was written by a newer ragkit (version {version}, not {VERSION})")
    return False


def _create(connection: apsw.Connection) -> None:
    with _transaction(connection):
        if _is_new(connection):  # another process may have been quicker
            for _ in connection.execute(_SCHEMA):
                pass
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", VERSION)


@contextlib.contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


# --- rows ---------------------------------------------------------------------------------------


def _look_up(
    connection: apsw.Connection, keys: Iterable[bytes], *, now: int
) -> tuple[dict[bytes, bytes], list[bytes], list[bytes]]:
    """Return what is found, the keys of damaged rows, and those last used more than a day ago."""
    found: dict[bytes, bytes] = {}
    damaged, stale = [], []
    rows = connection.execute(
        "SELECT key, used_at, checksum, vector FROM vectors"
        " WHERE key IN (SELECT unhex(value) FROM json_each(?))",
        (_json(keys),),
    )
    for key, used_at, checksum, vector in rows:
        if checksum != _checksum(key, vector):
            damaged.append(key)
            continue
        found[key] = vector
        if abs(now - used_at) > DAY_SECONDS:  # it may be in the future: clocks are set
            stale.append(key)
    return found, damaged, stale


def _insert(connection: apsw.Connection, items: Mapping[bytes, bytes], *, now: int) -> None:
    connection.executemany(
        "INSERT INTO vectors (key, used_at, checksum, vector) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET used_at = excluded.used_at,"
        " checksum = excluded.checksum, vector = excluded.vector",
        ((key, now, _checksum(key, vector), vector) for key, vector in items.items()),
    )


def _delete(connection: apsw.Connection, keys: Iterable[bytes]) -> int:
    connection.execute(
        "DELETE FROM vectors WHERE key IN (SELECT unhex(value) FROM json_each(?))", (_json(keys),)
    )
    return connection.changes()


def _evict_some(connection: apsw.Connection, goal: int) -> bool:
    """Remove some of the least recently used; False where the file is small enough, or empty."""
    with _transaction(connection):
        excess = _size(connection) - goal
        keys = []
        for key, length in connection.execute(
            "SELECT key, length(vector) FROM vectors ORDER BY used_at, number LIMIT ?",
            (EVICTED_AT_ONCE,),
        ):
            if excess <= 0:
                break
            keys.append(key)
            excess -= length
        _delete(connection, keys)
        _give_back_pages(connection)
    return bool(keys)


def _counts(connection: apsw.Connection) -> tuple[int, int | None, int | None]:
    (entries,) = _one(connection, "SELECT count(*) FROM vectors")
    (oldest,) = _one(connection, "SELECT min(used_at) FROM vectors")
    (newest,) = _one(connection, "SELECT max(used_at) FROM vectors")
    return entries, oldest, newest


def _one(connection: apsw.Connection, query: str) -> tuple[int, ...]:
    (row,) = connection.execute(query)
    return tuple(row)


def _size(connection: apsw.Connection) -> int:
    """Return the size of the file, with what the log will add to it and take from it."""
    pages = connection.pragma("page_count")
    page_bytes = connection.pragma("page_size")
    assert isinstance(pages, int) and isinstance(page_bytes, int)
    return pages * page_bytes


def _give_back_pages(connection: apsw.Connection) -> None:
    for _ in connection.execute("PRAGMA incremental_vacuum"):
        pass  # each step frees one page


def _empty_log(connection: apsw.Connection) -> None:
    """Copy the log into the file: neither holds on to what was removed any more."""
    with contextlib.suppress(apsw.BusyError):  # a reader is in the way; the next one does it
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _checksum(key: bytes, vector: bytes) -> bytes:
    return blake2b(key + vector, digest_size=CHECKSUM_BYTES).digest()


def _json(keys: Iterable[bytes]) -> str:
    """Return many keys as one text to bind; JSON holds no bytes, so in hexadecimal."""
    return json.dumps([key.hex() for key in keys])


# --- files --------------------------------------------------------------------------------------


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _identity(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        return status.st_dev, status.st_ino
    return None


def _size_on_disk(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
