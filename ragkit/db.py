"""The database file: opening it, its transactions, its migrations and its lock.

One writer at a time, guarded by a lock file; readers are never blocked. Every page carries a
checksum (SQLite's checksum VFS), verified when it is read.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import apsw
import apsw.sqlite_extra

from ragkit.errors import IndexBusy, IndexDamaged, IndexNotFound, SchemaTooNew, StorageFull
from ragkit.readers import Readers

if sys.platform != "win32":
    import fcntl

# Files of these schemas are read as they are; the next ingest brings them up to date.
OLDEST_READABLE = 1
APPLICATION_ID = 0x7261676B  # "ragk", in the file's header
PAGE_BYTES = 16_384
_CHECKSUM_BYTES = 8  # what the checksum VFS asks for at the end of each page
_WRITER_CACHE_KIB = 16_384
# Of the log, before it is copied into the file: the pages of the indexes by hash, which every
# transaction touches all over, are copied once for several of them (200,000 chunks in 20 s, with
# SQLite's own 1,000 pages in 27 s). At most 64 MiB, and gone when the writer is done.
_CHECKPOINT_PAGES = 4_000
_BUSY_TIMEOUT_MS = 5_000
_CHECKPOINT_WAIT_MS = 200  # for readers; a log that stays is read like the file
_STEPS_BETWEEN_LOOKS = 20_000  # of SQLite's machine, whether to stop
LOCK_WAIT_SECONDS = 60.0
_LOCK_POLL_SECONDS = 0.05

_registration = threading.Lock()


class Database:
    """One index file. Connections for those that read, one for writing, made when needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._readers = Readers(self._open_reader)
        self._guard = threading.RLock()
        self._writer: apsw.Connection | None = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """A connection that sees one state of the file until the block ends.

        Raises IndexNotFound, IndexDamaged, SchemaTooNew.
        """
        with self._errors(), self._readers.lent() as connection:
            if connection.in_transaction:  # a reading inside a reading sees the same state
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _end(connection)

    @contextlib.contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction: all of the block's changes, or none. Call it inside `exclusive`."""
        with self._guard, self._errors():
            if self._writer is None:
                raise IndexBusy(f"{self.path} is not locked for writing")
            with _transaction(self._writer):
                yield self._writer

    @contextlib.contextmanager
    def writing_unless(self, stop: Callable[[], bool]) -> Iterator[apsw.Connection]:
        """One transaction that is rolled back, also within a statement, when `stop` says so."""
        with (
            contextlib.suppress(apsw.InterruptError),
            self.writing() as connection,
            _looking(connection, stop),
        ):
            yield connection

    def vacuum(self, stop: Callable[[], bool]) -> None:
        """Write the file anew without its free pages, unless `stop` says so.

        It takes as much space again in the temporary folder, and beside the file.
        """
        with self._guard, self._errors(), contextlib.suppress(apsw.InterruptError):
            assert self._writer is not None, "only who holds the lock writes"
            self._writer.pragma("temp_store", "file")  # the file's copy, which may be large
            try:
                with _looking(self._writer, stop):
                    self._writer.execute("VACUUM")
            finally:
                self._writer.pragma("temp_store", "memory")

    @contextlib.contextmanager
    def appending(self) -> Iterator[apsw.Connection]:
        """One transaction beside whoever is the writer, for rows that no other writer looks at.

        It waits some seconds for another's transaction, and never for the end of an ingest. The
        file must be there, with the newest schema. Raises IndexBusy, StorageFull.
        """
        with (
            self._errors(),
            self._file_errors(),
            contextlib.closing(_open_writer(self.path)) as own,
            _transaction(own),
        ):
            yield own

    @contextlib.contextmanager
    def exclusive(
        self,
        *,
        wait_seconds: float = LOCK_WAIT_SECONDS,
        on_wait: Callable[[str], None] = lambda _sentence: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[None]:
        """Be the only writer, creating or migrating the file first where needed.

        Where another one is writing, `on_wait` is told so at once, in a sentence that names it.
        Raises IndexBusy after `wait_seconds`, or as soon as `stop` says so.
        """
        queue = _Queue(self.path, wait_seconds, on_wait, stop)
        queue.wait_for(
            lambda seconds: self._guard.acquire(timeout=seconds),
            lambda: "another thread of this process",
        )
        try:
            if self._writer is not None:
                yield
                return
            with self._file_errors():
                _make_folder(self.path.parent)
                lock_file = _lock(self.path, queue)
            try:
                with self._errors(), self._file_errors():
                    self._writer = _open_writer(self.path)
                    _migrate(self._writer, self.path)
                yield
            finally:
                if self._writer is not None:
                    self._writer.set_busy_timeout(_CHECKPOINT_WAIT_MS)
                    with contextlib.suppress(apsw.Error):  # a reader may be in the way
                        self._writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                    self._writer.close()
                    self._writer = None
                os.close(lock_file)
        finally:
            self._guard.release()

    def copy_to(self, path: Path) -> None:
        """Write one state of the file to a path, readable by its owner only, over what is there.

        Damaged pages are found while they are read. It is on the disk when this returns.
        """
        with self._file_errors():
            remove_files(path)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with self.reading() as connection:
            copy = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=_checksum_vfs())
            try:
                with copy.backup("main", connection, "main") as backup:
                    backup.step()
            finally:
                copy.close()

    def files(self) -> frozenset[Path]:
        """Return the index's own files, whether they are there or not."""
        place = Path(os.path.realpath(self.path.parent)) / self.path.name
        endings = ("", "-wal", "-shm", "-journal", ".lock")
        return frozenset(place.with_name(place.name + ending) for ending in endings)

    def close(self) -> None:
        """Close every connection; those of other threads must be idle."""
        self._readers.close()

    def _open_reader(self) -> apsw.Connection:
        with self._file_errors():
            return _open_reader(self.path)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the engine's errors into ragkit's."""
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError) as exc:
            raise _damaged(self.path, str(exc)) from exc
        except apsw.IOError as exc:
            if getattr(exc, "extendedresult", 0) == apsw.SQLITE_IOERR_DATA:  # not in its stub
                raise _damaged(self.path, "a page's checksum doesn't fit") from exc
            raise StorageFull(
                f"{self.path} could not be read or written: {exc}",
                hint="check the disk, then run it again",
            ) from exc
        except apsw.BusyError as exc:
            raise _busy(self.path, "another process") from exc
        except apsw.FullError as exc:
            raise StorageFull(
                f"the disk that holds {self.path} is full",
                hint="free some space and run it again; finished work is kept",
            ) from exc
        except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as exc:
            raise StorageFull(
                f"{self.path} could not be opened: {exc}",
                hint="check the permissions of the file and its folder",
            ) from exc

    @contextlib.contextmanager
    def _file_errors(self) -> Iterator[None]:
        """Turn what may go wrong with folders and files around the database into ragkit's."""
        try:
            yield
        except OSError as exc:
            raise StorageFull(
                f"{exc.filename or self.path} can't be used: {exc.strerror}",
                hint="check the disk and the permissions, or choose another place with --db",
            ) from exc


def remove_files(path: Path) -> None:
    """Remove a database with its log, if they are there."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _end(connection: apsw.Connection) -> None:
    if connection.in_transaction:  # an I/O error has ended it already
        connection.execute("COMMIT")


def _damaged(path: Path, detail: str) -> IndexDamaged:
    return IndexDamaged(
        f"{path} is damaged or no ragkit index ({detail})",
        hint="move it away and restore a copy, or ingest the documents again; nothing was changed",
    )


def _busy(path: Path, holder: str) -> IndexBusy:
    return IndexBusy(
        f"{path} is being written by {holder}", hint="run it again when that one has ended"
    )


def fetch(connection: apsw.Connection, query: str, *bindings: object) -> list[tuple[Any, ...]]:
    """Run a query and return all of its rows."""
    return connection.execute(query, bindings).fetchall()


# --- opening -----------------------------------------------------------------------------------


def _open_reader(path: Path) -> apsw.Connection:
    if not path.exists() or path.stat().st_size == 0:
        raise _not_found(path)
    try:
        return _opened_reader(str(path.absolute()), path)
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        # A folder that can't be written has no room for the -shm file that readers share. Where
        # no unfinished log stands beside the file it can be read as one that never changes.
        wal = path.with_name(path.name + "-wal")
        if os.access(path.parent, os.W_OK) or (wal.exists() and wal.stat().st_size):
            raise
        return _opened_reader(f"{path.absolute().as_uri()}?immutable=1", path)


@contextlib.contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    """All of the block's changes, or none: also where it is interrupted."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def _looking(connection: apsw.Connection, stop: Callable[[], bool]) -> Iterator[None]:
    """Look in between whether to stop, and raise apsw.InterruptError then.

    Not while the transaction is rolled back: that would be interrupted as well.
    """
    connection.set_progress_handler(stop, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.set_progress_handler(None)


def _opened_reader(name: str, path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(name, flags=flags, vfs=_checksum_vfs())
    try:
        _set_up(connection)
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _not_found(path: Path) -> IndexNotFound:
    return IndexNotFound(
        f"there is no index at {path}", hint="create it with: ragkit ingest <folder>"
    )


def _open_writer(path: Path) -> apsw.Connection:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=_checksum_vfs())
    try:
        if path.stat().st_size == 0:
            connection.pragma("page_size", PAGE_BYTES)
            connection.reserve_bytes("main", _CHECKSUM_BYTES)
        _set_up(connection)
        connection.pragma("cache_size", -_WRITER_CACHE_KIB)
        if not _is_new(connection):
            _check_owner(connection, path)  # before journal_mode changes another program's file
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "normal")
        connection.wal_autocheckpoint(_CHECKPOINT_PAGES)
        connection.pragma("secure_delete", True)
        connection.pragma("foreign_keys", True)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    connection.pragma("temp_store", "memory")
    connection.enable_load_extension(True)
    for extension in (_vector_extension(), _cell_extension()):
        if extension is not None:
            connection.load_extension(extension)
    connection.enable_load_extension(False)


def _is_new(connection: apsw.Connection) -> bool:
    """Whether the file holds nothing yet: its making has just begun, or was cut short."""
    return (
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
        and connection.pragma("user_version") == 0
        and connection.pragma("application_id") in (0, APPLICATION_ID)
    )


def _check_owner(connection: apsw.Connection, path: Path) -> None:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise _damaged(path, "it is a database of another program")


def _check(connection: apsw.Connection, path: Path) -> None:
    """Refuse files that aren't an index of a schema that we know."""
    if _is_new(connection):
        raise _not_found(path)
    _check_owner(connection, path)
    version = connection.pragma("user_version")
    newest = migrations()[-1][0]
    if version > newest:
        raise SchemaTooNew(
            f"{path} was written by a newer ragkit (schema {version}; this one knows {newest})",
            hint="upgrade ragkit",
        )
    if version < OLDEST_READABLE:
        raise SchemaTooNew(
            f"{path} was written by an older ragkit (schema {version}; this one reads"
            f" {OLDEST_READABLE} and later)",
            hint="run `ragkit ingest` once: it brings the file up to date",
        )


def _checksum_vfs() -> str:
    """Register the checksum VFS once a process, and leave the default VFS as it was."""
    name = "cksmvfs"
    with _registration:
        if name not in apsw.vfs_names():
            default = apsw.vfs_names()[0]
            carrier = apsw.Connection(":memory:")
            apsw.sqlite_extra.load(carrier, "cksumvfs")
            carrier.close()
            apsw.set_default_vfs(default)
    return name


def _vector_extension() -> str:
    """Return where sqlite-vec is, which scores vectors one by one."""
    # Found without importing it: the package imports the standard library's sqlite3 (80 ms).
    spec = importlib.util.find_spec("sqlite_vec")
    assert spec is not None and spec.origin is not None, "sqlite-vec is a dependency"
    return str(Path(spec.origin).with_name("vec0"))


@cache
def _cell_extension() -> str | None:
    """Return where vec1 is, which searches many vectors; None where apsw came without it."""
    try:
        return str(apsw.sqlite_extra.path("vec1"))
    except (LookupError, apsw.sqlite_extra.NotAvailable):
        return None


def _make_folder(folder: Path) -> None:
    """Make `.ragkit`, private and unseen by git; any other folder is made as the user's are."""
    if folder.name != ".ragkit":
        folder.mkdir(parents=True, exist_ok=True)
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")


# --- the lock ----------------------------------------------------------------------------------


class _Queue:
    """Waits for others to let go of the index: says so at once, and gives up in the end."""

    def __init__(
        self,
        path: Path,
        seconds: float,
        on_wait: Callable[[str], None],
        stop: Callable[[], bool],
    ) -> None:
        self._path = path
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._on_wait = on_wait
        self._stop = stop
        self._is_told = False

    def wait_for(self, attempt: Callable[[float], bool], holder: Callable[[], str]) -> None:
        """Try until `attempt`, given the seconds that it may take, succeeds. Raises IndexBusy."""
        is_ours = attempt(0.0)
        while not is_ours:
            if self._stop() or time.monotonic() >= self._deadline:
                raise _busy(self._path, holder())
            if not self._is_told:
                self._is_told = True
                self._on_wait(
                    f"{holder()} is writing to the index; waiting, {self._seconds:g} s at most"
                )
            is_ours = attempt(_LOCK_POLL_SECONDS)


def _lock(path: Path, queue: _Queue) -> int:
    """Hold `<path>.lock` until the returned descriptor is closed. A dead process holds nothing."""
    name = path.with_name(path.name + ".lock")
    descriptor = os.open(name, os.O_CREAT | os.O_RDWR, 0o600)
    if sys.platform == "win32":  # SQLite's own lock still allows one writer only
        return descriptor

    def attempt(seconds: float) -> bool:
        time.sleep(seconds)  # flock itself waits for ever or not at all
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        queue.wait_for(attempt, lambda: _holder(descriptor))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _holder(descriptor: int) -> str:
    """Say who has written its number into the lock file."""
    number = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    if number == str(os.getpid()):
        return "another Index object of this process"
    return f"process {number or 'unknown'}"


# --- migrations --------------------------------------------------------------------------------


def migrations() -> list[tuple[int, Path]]:
    """Return the migrations in order: those in the package, or in the checkout beside it."""
    package = Path(__file__).parent
    folder = package / "migrations"
    if not folder.is_dir():
        folder = package.parent / "migrations"
    found = [(re.match(r"(\d{4})_\w+\.sql$", path.name), path) for path in folder.iterdir()]
    return sorted((int(match[1]), path) for match, path in found if match)


def _migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the file to the newest schema, each step in one transaction with its number."""
    if _is_new(connection):
        connection.pragma("application_id", APPLICATION_ID)
    current = connection.pragma("user_version")
    for version, script in migrations():
        if version > current:
            with connection:
                for _ in connection.execute(script.read_text(encoding="utf-8")):
                    pass  # a statement that returns a row would stop the script here
                connection.pragma("user_version", version)
    _check(connection, path)


def tokenizer() -> Callable[[str], list[str]]:
    """Return the function that the word index cuts and stems text with."""
    connection = apsw.Connection(":memory:")
    cut = connection.fts5_tokenizer("porter", ["unicode61", "remove_diacritics", "2"])

    def tokens(text: str) -> list[str]:
        found = cut(
            text.encode("utf-8", "replace"),
            apsw.FTS5_TOKENIZE_DOCUMENT,
            None,
            include_offsets=False,
            include_colocated=False,
        )
        return [str(token) for token in found]

    return tokens
