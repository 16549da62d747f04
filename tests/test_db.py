"""The database file: what is refused, who may write, what readers see, and damage found."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from ragkit import db
from ragkit.db import Database, _vector_extension, fetch
from ragkit.errors import (
    IndexBusy,
    IndexDamaged,
    IndexNotFound,
    IndexStateError,
    SchemaTooNew,
    StorageFull,
)

VALUE = "SELECT value FROM settings WHERE name = 'mark'"


def write(database: Database, value: str) -> None:
    with database.exclusive(), database.writing() as connection:
        put(connection, value)


def put(connection: apsw.Connection, value: str) -> None:
    connection.execute(
        "INSERT INTO settings (name, value) VALUES ('mark', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (value,),
    )


def read(database: Database) -> str:
    with database.reading() as connection:
        return str(fetch(connection, VALUE)[0][0])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".ragkit" / "index.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path)
    write(database, "first")
    yield database
    database.close()


@contextlib.contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the write lock until it is killed."""
    script = """
        import sys, time
        from pathlib import Path
        from ragkit.db import Database
        with Database(Path(sys.argv[1])).exclusive():
            print("held", flush=True)
            time.sleep(600)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def spoil(path: Path, position: int, mask: int = 0x40) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ mask]))


# --- a new index ---


def test_reading_makes_nothing(path: Path) -> None:
    """Where there is no index, reading says so and leaves no file or folder."""
    with pytest.raises(IndexNotFound, match=r"index\.db") as caught, Database(path).reading():
        pass
    assert "ragkit ingest" in caught.value.hint
    assert not path.parent.exists()


def test_an_index_is_private(database: Database, path: Path) -> None:
    """Only the owner may read it, and git doesn't see it."""
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert path.with_name("index.db.lock").stat().st_mode & 0o777 == 0o600
    with database.exclusive(), database.writing():
        assert path.with_name("index.db-wal").stat().st_mode & 0o777 == 0o600


def test_a_folder_of_the_users_own_is_left_as_it_is(tmp_path: Path) -> None:
    """Elsewhere than in .ragkit, no mode is changed and no .gitignore written."""
    write(Database(tmp_path / "mine" / "notes.db"), "first")
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o777 & ~_umask()
    assert not (tmp_path / "mine" / ".gitignore").exists()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_the_file_says_whose_it_is(database: Database, path: Path) -> None:
    """application_id names ragkit, and the schema's number is that of the newest migration."""
    with database.reading() as connection:
        assert connection.pragma("application_id") == int.from_bytes(b"ragk", "big")
        assert connection.pragma("user_version") == db.migrations()[-1][0]
        assert connection.pragma("journal_mode") == "wal"
    with contextlib.closing(sqlite3.connect(path)) as plain:  # readable by any SQLite
        assert plain.execute(VALUE).fetchone() == ("first",)


def test_an_index_is_one_file_at_rest(database: Database, path: Path) -> None:
    """After a writer has ended, the log is empty: the file alone can be copied."""
    database.close()
    wal = path.with_name("index.db-wal")
    assert not wal.exists() or wal.stat().st_size == 0
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    assert read(Database(copy)) == "first"


def test_a_relative_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the name would mean something in a uri."""
    monkeypatch.chdir(tmp_path)
    for name in ("notes.db", "50% of?all#.db", "file:x.db"):
        write(Database(Path(name)), name)
        assert read(Database(Path(name))) == name
        assert (tmp_path / name).exists()


def test_this_python_needs_no_extension_support_of_its_own(database: Database) -> None:
    """sqlite-vec works, whatever the standard library's sqlite3 was built with."""
    with database.reading() as connection:
        assert fetch(connection, "SELECT vec_version()")[0][0].startswith("v0.")
        with pytest.raises(apsw.SQLError, match="not authorized"):
            fetch(connection, "SELECT load_extension('x')")


def test_the_default_vfs_stays(database: Database, tmp_path: Path) -> None:
    """Other users of apsw in the process get no checksums of ours."""
    script = """
        import sys, apsw
        from pathlib import Path
        before = apsw.vfs_names()[0]
        from ragkit.db import Database
        with Database(Path(sys.argv[1])).reading():
            pass
        assert "cksmvfs" in apsw.vfs_names()
        assert apsw.vfs_names()[0] == before
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(database.path)], check=True)


# --- what is refused ---


@pytest.mark.parametrize(
    "content",
    [b"# Notes\n\nThis is a text.\n" * 50, b"\x00" * 40_000, b"SQLite format 3\x00"],
    ids=["text", "zeros", "header"],
)
def test_what_is_no_index_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """Neither reading nor writing changes a file that is something else."""
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    for attempt in (Database(path).reading, Database(path).exclusive):
        with pytest.raises(IndexDamaged, match=r"notes\.db") as caught, attempt():
            pass
        assert caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("application_id", [0, 42])
def test_another_programs_database_is_left_alone(tmp_path: Path, application_id: int) -> None:
    """Not a byte of it changes, its journal mode included."""
    path = tmp_path / "mail.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA application_id = {application_id}")
        other.execute("CREATE TABLE mails (body TEXT)")
        other.commit()
    before = path.read_bytes()
    for attempt in (Database(path).reading, Database(path).exclusive):
        with pytest.raises(IndexDamaged, match="another program"), attempt():
            pass
    assert path.read_bytes() == before


def test_an_empty_file_is_no_index_yet(path: Path) -> None:
    """Reading says that there is none, and an ingest may fill it."""
    path.parent.mkdir()
    path.touch()
    with pytest.raises(IndexNotFound), Database(path).reading():
        pass
    write(Database(path), "first")
    assert read(Database(path)) == "first"


def test_a_making_that_was_cut_short_is_no_index_yet(path: Path) -> None:
    """A file that was killed before its first migration reads as none, and can be filled."""
    path.parent.mkdir()
    connection = db._open_writer(path)
    connection.close()
    assert path.stat().st_size > 0
    with pytest.raises(IndexNotFound), Database(path).reading():
        pass
    write(Database(path), "first")
    assert read(Database(path)) == "first"


def test_a_truncated_index_is_damaged(database: Database, path: Path) -> None:
    """Half a file is an error on reading, and nothing makes it whole again by emptying it."""
    with database.exclusive(), database.writing() as connection:
        put(connection, "x" * 200_000)
    database.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(IndexDamaged):
        read(Database(path))
    assert path.read_bytes() == whole[: len(whole) // 2]


def test_a_newer_schema_is_refused(database: Database, path: Path) -> None:
    """An older ragkit neither reads nor writes what a newer one made."""
    newest = db.migrations()[-1][0]
    with database.exclusive(), database.writing() as connection:
        connection.pragma("user_version", newest + 1)
    database.close()
    before = path.read_bytes()
    for attempt in (Database(path).reading, Database(path).exclusive):
        with pytest.raises(SchemaTooNew, match=f"schema {newest + 1}") as caught, attempt():
            pass
        assert caught.value.hint == "upgrade ragkit"
    assert path.read_bytes() == before


def test_a_folder_in_the_place_of_the_index(tmp_path: Path) -> None:
    """A folder at the index's path, or a file at its folder's, is named in the error."""
    (tmp_path / "index.db").mkdir()
    (tmp_path / "file").write_text("x")
    for wrong in (tmp_path / "index.db", tmp_path / "file" / "index.db"):
        with pytest.raises(StorageFull, match=str(tmp_path)), Database(wrong).exclusive():
            pass


# --- damage ---


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of some forty pages."""
    path = tmp_path_factory.mktemp("sound") / "index.db"
    database = Database(path)
    with database.exclusive(), database.writing() as connection:
        connection.executemany(
            "INSERT INTO settings (name, value) VALUES (?, ?)",
            [(f"name {n}", f"value {n} " * 100) for n in range(600)],
        )
    database.close()
    return path


def everything(path: Path) -> list[tuple[str, str]]:
    database = Database(path)
    try:
        with database.reading() as connection:
            return fetch(connection, "SELECT name, value FROM settings ORDER BY name")
    finally:
        database.close()


def test_a_flipped_byte_is_found(sound: Path, tmp_path: Path) -> None:
    """One changed bit in the middle of a text is an error, never a wrong row."""
    path = tmp_path / "index.db"
    shutil.copy(sound, path)
    spoil(path, path.read_bytes().index(b"value 300 value 300") + 500)
    with pytest.raises(IndexDamaged, match="checksum") as caught:
        everything(path)
    assert "ingest" in caught.value.hint


def test_no_flip_anywhere_gives_a_wrong_row(sound: Path, tmp_path: Path) -> None:
    """200 random flips: each read is either right or an IndexDamaged, and most are found."""
    right = everything(sound)
    size = sound.stat().st_size
    choose = random.Random(54)
    path = tmp_path / "index.db"
    found = 0
    for _ in range(200):
        shutil.copy(sound, path)
        spoil(path, choose.randrange(size), 1 << choose.randrange(8))
        try:
            assert everything(path) == right
        except IndexStateError:
            found += 1
    assert found > 100


def test_a_flip_in_the_header_is_found(sound: Path, tmp_path: Path) -> None:
    """No byte of the header can be changed so that pages are read unchecked or wrongly."""
    right = everything(sound)
    path = tmp_path / "index.db"
    for position in range(100):
        shutil.copy(sound, path)
        spoil(path, position, 0x08)
        with contextlib.suppress(IndexStateError):
            assert everything(path) == right, position


def test_damage_stops_a_writer_too(sound: Path, tmp_path: Path) -> None:
    """A damaged page that a change needs rolls the change back."""
    path = tmp_path / "index.db"
    shutil.copy(sound, path)
    spoil(path, path.read_bytes().index(b"value 300 value 300") + 500)
    database = Database(path)
    with database.exclusive():
        with pytest.raises(IndexDamaged), database.writing() as connection:
            connection.execute("UPDATE settings SET value = 'new'")
        with database.writing() as connection:
            put(connection, "after")
    assert read(database) == "after"


# --- writing ---


def test_a_failed_block_changes_nothing(database: Database) -> None:
    """All of a block's changes, or none; the writer goes on afterwards."""
    with database.exclusive():
        with pytest.raises(ZeroDivisionError), database.writing() as connection:
            put(connection, "second")
            1 / 0  # noqa: B018
        assert read(database) == "first"
        with database.writing() as connection:
            put(connection, "third")
    assert read(database) == "third"


def test_exclusive_is_reentrant(database: Database) -> None:
    """A holder may ask again, and still holds the lock when the inner block ends."""
    with database.exclusive():
        with database.exclusive(), database.writing() as connection:
            put(connection, "inner")
        with database.writing() as connection:
            put(connection, "outer")
    assert read(database) == "outer"
    with pytest.raises(IndexBusy), database.writing():
        pass


def test_errors_of_the_caller_pass_unchanged(database: Database) -> None:
    """What the caller's own files do inside the lock isn't blamed on the index."""
    with pytest.raises(PermissionError, match="theirs"), database.exclusive():
        raise PermissionError(13, "theirs", "document.pdf")


def test_two_threads_of_one_process(database: Database) -> None:
    """A second thread waits for the first, and gives up after its time."""
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with database.exclusive():
            entered.set()
            leave.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert entered.wait(30)
        with (
            pytest.raises(IndexBusy, match="thread"),
            database.exclusive(wait_seconds=0.05),
        ):
            pass
        assert read(database) == "first"
    finally:
        leave.set()
        thread.join()
    write(database, "second")
    assert read(database) == "second"


def test_a_second_process_is_told_who_writes(database: Database, path: Path) -> None:
    """IndexBusy names the holder; once that one is killed, the lock is free."""
    with holder(path) as process:
        with (
            pytest.raises(IndexBusy, match=rf"process {process.pid}$"),
            database.exclusive(wait_seconds=0.1),
        ):
            pass
        assert read(database) == "first"
        process.send_signal(signal.SIGKILL)
        process.wait()
        with database.exclusive(wait_seconds=0.1), database.writing() as connection:
            put(connection, "second")
    assert read(database) == "second"


def test_who_waits_is_told_at_once_for_whom(database: Database, path: Path) -> None:
    """One sentence, before the waiting begins; nobody is told of a lock that is free."""
    told: list[str] = []
    with database.exclusive(on_wait=told.append):
        assert told == []
    with holder(path) as process:
        began = time.monotonic()
        with (
            pytest.raises(IndexBusy),
            database.exclusive(wait_seconds=0.5, on_wait=told.append),
        ):
            pass
        assert time.monotonic() - began >= 0.5
    sentence = f"process {process.pid} is writing to the index; waiting, 0.5 s at most"
    assert told == [sentence]


def test_no_time_to_wait(database: Database, path: Path) -> None:
    """With 0 seconds it fails at once, and nobody is told of a wait."""
    told: list[str] = []
    with holder(path):
        began = time.monotonic()
        with pytest.raises(IndexBusy), database.exclusive(wait_seconds=0, on_wait=told.append):
            pass
        assert time.monotonic() - began < 1
    assert told == []


def test_a_stop_ends_the_waiting(database: Database, path: Path) -> None:
    """Long before the time is up."""
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with holder(path):
        began = time.monotonic()
        with pytest.raises(IndexBusy), database.exclusive(wait_seconds=60, stop=stop.is_set):
            pass
        assert time.monotonic() - began < 5


def test_two_objects_of_one_process(database: Database, path: Path) -> None:
    """They wait for each other as two processes do, and the other is named for what it is."""
    told: list[str] = []
    other = Database(path)
    with (
        other.exclusive(),
        pytest.raises(IndexBusy, match="another Index object of this process"),
        database.exclusive(wait_seconds=0.1, on_wait=told.append),
    ):
        pass
    assert told[0].startswith("another Index object of this process is writing")
    with database.exclusive(wait_seconds=0):
        pass
    other.close()


def test_a_lock_that_was_not_got_is_not_kept(database: Database, path: Path) -> None:
    """Who gave up waiting holds nothing, neither the lock nor an open file."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("counts open files in /proc")
    with holder(path):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(IndexBusy), database.exclusive(wait_seconds=0):
            pass
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_second_process_waits_its_turn(database: Database, path: Path) -> None:
    """Within the time that it may wait, the next writer goes on as soon as the lock is free."""
    with holder(path) as process:
        timer = threading.Timer(0.3, process.kill)
        timer.start()
        started = time.monotonic()
        with database.exclusive(wait_seconds=30), database.writing() as connection:
            put(connection, "second")
        timer.join()
    assert time.monotonic() - started < 10
    assert read(database) == "second"


def test_a_kill_in_a_transaction_leaves_the_state_before(database: Database, path: Path) -> None:
    """An unfinished change of a dead process is never seen."""
    script = """
        import os, signal, sys
        from pathlib import Path
        from ragkit.db import Database
        database = Database(Path(sys.argv[1]))
        with database.exclusive(), database.writing() as connection:
            connection.execute("UPDATE settings SET value = 'torn'")
            connection.execute("DELETE FROM documents")
            connection.cache_flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    dead = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert read(database) == "first"
    write(database, "second")
    assert read(Database(path)) == "second"


# --- reading ---


def test_readers_see_only_what_is_committed(database: Database, path: Path) -> None:
    """An open write transaction blocks no reader, here or in another process' connection."""
    with database.exclusive():
        with database.writing() as connection:
            put(connection, "second")
            started = time.monotonic()
            assert read(database) == "first"
            assert read(Database(path)) == "first"
            assert time.monotonic() - started < 2
        assert read(database) == "second"
        assert read(Database(path)) == "second"


def test_a_new_reading_thread_waits_for_no_writer(database: Database) -> None:
    """A thread that reads for the first time while another one writes is not blocked."""
    seen: list[str] = []
    with database.exclusive(), database.writing() as connection:
        put(connection, "second")
        thread = threading.Thread(target=lambda: seen.append(read(database)), daemon=True)
        thread.start()
        thread.join(5)
        assert seen == ["first"]


def test_a_reading_sees_one_state(database: Database) -> None:
    """What is committed meanwhile is seen by the next reading; an inner one sees the same."""
    with database.reading() as connection:
        assert fetch(connection, VALUE) == [("first",)]
        started = time.monotonic()
        write(Database(database.path), "second")
        assert time.monotonic() - started < 2  # the writer doesn't wait for the reader either
        assert fetch(connection, VALUE) == [("first",)]
        with database.reading() as inner:
            assert fetch(inner, VALUE) == [("first",)]
        assert read(database) == "first"
    assert read(database) == "second"


def test_a_reader_can_not_write(database: Database) -> None:
    """Its connection is opened for reading only."""
    with pytest.raises(StorageFull), database.reading() as connection:
        put(connection, "second")
    assert read(database) == "first"


def test_many_readers_beside_a_writer(database: Database) -> None:
    """Two values that change together are never seen apart."""
    stop = threading.Event()
    torn: list[object] = []

    def look() -> None:
        try:
            while not stop.is_set():
                with database.reading() as connection:
                    rows = fetch(connection, "SELECT value FROM settings WHERE name LIKE 'pair%'")
                    if len({value for (value,) in rows}) != 1:
                        torn.append(rows)
        except Exception as exc:  # noqa: BLE001  handed to the test's own thread
            torn.append(exc)

    def change(value: int) -> None:
        with database.writing() as connection:
            for name in ("pair 1", "pair 2"):
                connection.execute(
                    "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)",
                    (name, str(value)),
                )

    with database.exclusive():
        change(0)
        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for value in range(200):
            change(value)
        stop.set()
        for thread in threads:
            thread.join()
    assert torn == []


def test_close_can_be_followed_by_reading(database: Database) -> None:
    """Closing frees the file; a later reading opens it again."""
    database.close()
    assert read(database) == "first"


# --- permissions ---


UNREADABLE = 77  # the exit status of a child that may not read what it needs


def as_nobody(script: str, *arguments: str) -> str:
    """Run a script in a child without root's power over permissions; return what it printed."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:  # a fork, not a new process: nobody may not read this Python's files
        status = 1
        try:
            os.close(reader)
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            if not os.access(f"{_vector_extension()}.so", os.R_OK):
                os._exit(UNREADABLE)
            output: list[str] = []
            exec(textwrap.dedent(script), {"argv": arguments, "say": output.append})
            os.write(writer, "\n".join(output).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, encoding="utf-8") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == UNREADABLE:
        pytest.skip("another user may not read this installation of sqlite-vec")
    assert status == 0
    return said


READ = """
from pathlib import Path
from ragkit.db import Database, fetch
from ragkit.errors import RagkitError
try:
    with Database(Path(argv[0])).reading() as connection:
        say(fetch(connection, "SELECT value FROM settings WHERE name = 'mark'")[0][0])
except RagkitError as exc:
    say(f"{type(exc).__name__}: {exc}")
"""
WRITE = READ.replace("reading() as connection", "exclusive()").replace(
    """say(fetch(connection, "SELECT value FROM settings WHERE name = 'mark'")[0][0])""",
    "say('ok')",
)


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A path that nobody can reach: pytest's own folders are root's alone."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "index.db"
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_read_only_folder_can_be_searched(open_path: Path) -> None:
    """Where no file can be made beside the index, it is read as one that never changes."""
    write(Database(open_path), "first")
    for file in open_path.parent.iterdir():
        file.chmod(0o444)
    for name in ("index.db-wal", "index.db-shm"):
        open_path.with_name(name).unlink(missing_ok=True)
    open_path.parent.chmod(0o555)
    assert as_nobody(READ, str(open_path)) == "first"
    said = as_nobody(WRITE, str(open_path))
    assert said.startswith("StorageFull")
    assert str(open_path.parent) in said
    assert read(Database(open_path)) == "first"


def test_a_read_only_folder_with_an_unfinished_log_says_so(open_path: Path) -> None:
    """An index whose last changes can't be seen isn't passed off as whole."""
    database = Database(open_path)
    write(database, "first")
    with database.exclusive(), database.writing() as connection:
        put(connection, "second")
        copy = open_path.with_name("copy.db")
        shutil.copy(open_path, copy)
        shutil.copy(open_path.with_name("index.db-wal"), copy.with_name("copy.db-wal"))
    wal = copy.with_name("copy.db-wal")
    wal.write_bytes(wal.read_bytes() or b"x" * 100)
    for file in open_path.parent.iterdir():
        file.chmod(0o444)
    open_path.parent.chmod(0o555)
    assert as_nobody(READ, str(copy)).startswith("StorageFull")


def test_an_unreadable_index_says_so(open_path: Path) -> None:
    """Neither "there is none" nor a traceback."""
    write(Database(open_path), "first")
    open_path.chmod(0o000)
    assert as_nobody(READ, str(open_path)).startswith("StorageFull")
    open_path.parent.chmod(0o000)
    assert as_nobody(READ, str(open_path)).startswith("StorageFull")


# --- the word index's tokenizer ---


def test_the_tokenizer_is_that_of_the_word_index(database: Database) -> None:
    """Words come folded and stemmed, exactly as FTS5 stores them."""
    tokens = db.tokenizer()
    assert tokens("The Ferries were crossing, Überfahrt!") == [
        "the",
        "ferri",
        "were",
        "cross",
        "uberfahrt",
    ]
    assert tokens("") == []
    assert tokens("lone \ud800 half \x00 nul")[:1] == ["lone"]
    with database.exclusive(), database.writing() as connection:
        text = "Ferries crossing the Überfahrt: 12.50 E-417 naïve_name"
        connection.execute(
            "INSERT INTO words (rowid, text, title, headings, name) VALUES (1, ?, '', '', '')",
            (text,),
        )
        stored = {term for (term,) in fetch(connection, "SELECT term FROM terms")}
    assert stored == set(tokens(text))
