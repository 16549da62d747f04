"""The embedding cache: what it keeps, what it drops, and that it never stands in the way."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from itertools import combinations
from pathlib import Path

import apsw
import pytest

from ragkit import cache as cache_module
from ragkit.cache import VectorCache, cache_key
from ragkit.config import cache_bytes, cache_folder, resolve
from ragkit.settings import Settings

DAY = 86_400
PLENTY = 10**9


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def vector(number: int, *, dimensions: int = 768) -> bytes:
    """Return a packed vector that is always the same for a number, and unlike any other."""
    seed = blake2b(number.to_bytes(8, "big")).digest()
    return (seed * (dimensions // 16 + 1))[: 4 * dimensions]


def some(start: int, stop: int) -> dict[bytes, bytes]:
    return {key(number): vector(number) for number in range(start, stop)}


def key(number: int) -> bytes:
    return cache_key("model", 768, f"text {number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "ragkit" / "embeddings.db"


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)  # the command line's tests leave it at theirs


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(path: Path, clock: Clock) -> Iterator[VectorCache]:
    with closing(VectorCache(path, max_bytes=PLENTY, clock=clock)) as cache:
        yield cache


def again(path: Path, clock: Clock | None = None, *, max_bytes: int = PLENTY) -> VectorCache:
    """Return another cache on the same file, as another process would make it."""
    return VectorCache(path, max_bytes=max_bytes, clock=clock or Clock())


# --- keys ---------------------------------------------------------------------------------------


def test_a_key_stands_for_all_that_decides_on_a_vector() -> None:
    """Another model, number of dimensions or text is another key; parts can't run together."""
    inputs = [
        ("model", 768, "text"),
        ("model", 256, "text"),
        ("model2", 768, "text"),
        ("mode", 768, "ltext"),
        ("", 768, "modeltext"),
        ("model", 768, "Text"),
        ("model", 768, "text "),
        ("model", 768, "\ud800"),
    ]
    keys = [cache_key(*each) for each in inputs]
    assert all(one != other for one, other in combinations(keys, 2))
    assert keys == [cache_key(*each) for each in inputs]
    assert {len(each) for each in keys} == {32}


# --- keeping ------------------------------------------------------------------------------------


def test_what_was_put_is_found(cache: VectorCache, path: Path) -> None:
    """Also by another process, in another order, twice asked for; what is not there is left out."""
    cache.put(some(0, 300))
    assert again(path).get([key(7), key(299), key(7), key(300)]) == {
        key(7): vector(7),
        key(299): vector(299),
    }
    assert cache.get([]) == {}


def test_many_keys_are_one_call(cache: VectorCache) -> None:
    """A document of thousands of passages is no special case."""
    cache.put(some(0, 5_000))
    assert cache.get(some(0, 6_000)) == some(0, 5_000)


def test_a_vector_can_be_replaced(cache: VectorCache) -> None:
    """What was put last counts."""
    cache.put({key(1): vector(1)})
    cache.put({key(1): vector(2, dimensions=3)})
    assert cache.get([key(1)]) == {key(1): vector(2, dimensions=3)}
    assert cache.stats().entries == 1


def test_nothing_is_made_before_something_is_kept(cache: VectorCache, path: Path) -> None:
    """Asking, counting, forgetting and clearing leave no file and no folder."""
    assert cache.get([key(1)]) == {}
    assert (cache.forget([key(1)]), cache.clear()) == (0, 0)
    stats = cache.stats()
    assert (stats.entries, stats.size_bytes, stats.oldest_use) == (0, 0, None)
    cache.put({})
    cache.close()
    assert not path.parent.exists()
    assert cache.problem == ""


def test_it_is_private(cache: VectorCache, path: Path) -> None:
    """Only its owner can read the file, its log and the folder."""
    cache.put(some(0, 1))
    files = [path, *(path.with_name(path.name + ending) for ending in ("-wal", "-shm"))]
    assert [each.stat().st_mode & 0o777 for each in files] == [0o600] * 3
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_no_room_means_no_cache(path: Path) -> None:
    """With a largest size of 0 nothing is kept, and nothing found that was kept before."""
    none = again(path, max_bytes=0)
    none.put(some(0, 1))
    assert not path.exists()
    again(path).put(some(0, 1))
    assert none.get([key(0)]) == {}


def test_a_closed_cache_opens_again(cache: VectorCache, path: Path) -> None:
    """A request that comes back late is still kept."""
    cache.put(some(0, 1))
    cache.close()
    assert not path.with_name(path.name + "-wal").exists()
    cache.put(some(1, 2))
    assert cache.get(some(0, 2)) == some(0, 2)


def test_stats(cache: VectorCache, clock: Clock, path: Path) -> None:
    """How many, how large, and the days of use; the same as a plain object."""
    cache.put(some(0, 100))
    clock.now += 3 * DAY
    cache.put(some(100, 110))
    stats = cache.stats()
    assert (stats.path, stats.entries, stats.max_bytes) == (str(path), 110, PLENTY)
    assert 110 * 3072 < stats.size_bytes < 110 * 3072 * 2.5  # in the file, or in the log, or both
    assert stats.oldest_use == "2027-01-15T08:00:00+00:00"
    assert stats.newest_use == "2027-01-18T08:00:00+00:00"
    assert stats.to_dict()["entries"] == 110


# --- removing -----------------------------------------------------------------------------------


def test_forgetting_leaves_no_trace(cache: VectorCache, path: Path) -> None:
    """What is forgotten is in neither the file nor its log; the rest stays."""
    cache.put(some(0, 10))
    assert cache.forget([key(3), key(99)]) == 1
    assert cache.get(some(0, 10)) == {k: v for k, v in some(0, 10).items() if k != key(3)}
    for file in path.parent.iterdir():
        assert vector(3)[:32] not in file.read_bytes()
    assert any(vector(4)[:32] in file.read_bytes() for file in path.parent.iterdir())


def test_clearing(cache: VectorCache, path: Path) -> None:
    """It says how many there were; the file is small, and works."""
    cache.put(some(0, 500))
    other = again(path)
    assert other.get([key(1)]) == {key(1): vector(1)}
    assert cache.clear() == 500
    assert cache.stats().size_bytes < 20_000
    assert other.get([key(1)]) == {}
    other.put(some(0, 2))
    assert cache.get([key(1)]) == {key(1): vector(1)}


def test_the_size_has_a_limit(path: Path, clock: Clock) -> None:
    """The file never stays larger than the limit; what was used last is what is left."""
    limit = 1_000_000
    cache = again(path, clock, max_bytes=limit)
    for batch in range(10):
        clock.now += 1
        cache.put(some(100 * batch, 100 * (batch + 1)))
        assert path.stat().st_size <= limit
    kept = cache.get(some(0, 1_000))
    assert 0.85 * limit < path.stat().st_size
    assert 250 < len(kept) < 320
    assert kept == some(1_000 - len(kept), 1_000)


def test_vectors_in_between_make_room_too(path: Path, clock: Clock) -> None:
    """The file shrinks also where those that go stand between others that stay."""
    cache = again(path, clock)
    cache.put(some(0, 600))
    clock.now += 2 * DAY
    assert len(cache.get([key(number) for number in range(0, 600, 2)])) == 300
    cache.close()
    size = path.stat().st_size
    smaller = again(path, clock, max_bytes=int(size * 0.6))
    smaller.put(some(600, 601))
    assert path.stat().st_size <= size * 0.6
    kept = set(smaller.get(some(0, 601)))
    assert {key(number) for number in [*range(0, 600, 2), 600]} <= kept
    assert len(kept) < 601


def test_a_limit_below_one_batch(path: Path) -> None:
    """A batch that is larger than the limit is kept in part, or not at all."""
    cache = again(path, max_bytes=100_000)
    cache.put(some(0, 200))
    assert path.stat().st_size <= 100_000
    assert 0 < len(cache.get(some(0, 200))) < 30
    tiny = again(path, max_bytes=1)
    tiny.put(some(0, 2))
    assert (tiny.stats().entries, tiny.problem) == (0, "")


def test_use_is_noted_once_a_day(cache: VectorCache, clock: Clock, path: Path) -> None:
    """Reading writes nothing until a day has passed, and then when the cache is closed."""
    cache.put(some(0, 5))
    for hours, expected in ((23, 0.0), (26, 26.0)):
        clock.now = 1_800_000_000 + hours * 3600
        reader = again(path, clock)
        assert len(reader.get(some(0, 3))) == 3
        reader.close()
        newest = cache.stats().newest_use
        oldest = cache.stats().oldest_use
        assert oldest == "2027-01-15T08:00:00+00:00"
        assert newest == ("2027-01-16T10:00:00+00:00" if expected else oldest)


def test_a_time_in_the_future_is_mended(cache: VectorCache, clock: Clock, path: Path) -> None:
    """A clock that was wrong once doesn't keep a vector for ever."""
    clock.now += 1_000 * DAY
    cache.put(some(0, 1))
    clock.now -= 1_000 * DAY
    reader = again(path, clock)
    reader.get([key(0)])
    reader.close()
    assert cache.stats().newest_use == "2027-01-15T08:00:00+00:00"


# --- several at once ----------------------------------------------------------------------------


def test_threads_share_it(cache: VectorCache) -> None:
    """Threads that put and get at the same time lose nothing."""
    wrong = []

    def work(first: int) -> None:
        for start in range(first, first + 200, 20):
            cache.put(some(start, start + 20))
            if cache.get(some(start, start + 20)) != some(start, start + 20):
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(200 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.get(some(0, 800)) == some(0, 800)
    assert cache.problem == ""


WRITER = """
    import sys
    from pathlib import Path
    from ragkit.cache import VectorCache
    from tests.test_cache import some
    first, count = int(sys.argv[2]), int(sys.argv[3])
    cache = VectorCache(Path(sys.argv[1]), max_bytes=10**9)
    sys.stdin.readline()
    for start in range(first, first + count, 10):
        cache.put(some(start, start + 10))
        print(start + 10, flush=True)
    sys.exit(cache.problem or 0)
"""


def writer(path: Path, first: int, count: int) -> subprocess.Popen[str]:
    """Start a process that puts vectors, ten at a time, once it reads a line."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(first), str(count)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_share_it(path: Path) -> None:
    """Processes that all begin with no file make one, and lose nothing."""
    writers = [writer(path, 100 * number, 100) for number in range(4)]
    for each in writers:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    ends = [each.communicate(timeout=60)[1] for each in writers]
    assert [(each.returncode, end) for each, end in zip(writers, ends, strict=True)] == [
        (0, "")
    ] * 4
    assert again(path).get(some(0, 400)) == some(0, 400)


def test_what_was_put_outlives_a_kill(path: Path) -> None:
    """Each put that returned is there after SIGKILL, and the cache goes on."""
    process = writer(path, 0, 100_000)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    out, _ = process.communicate()
    acknowledged = int(out.splitlines()[-1]) if out else 50
    cache = again(path)
    assert cache.get(some(0, acknowledged)) == some(0, acknowledged)
    cache.put(some(0, 1))
    assert cache.problem == ""


def test_it_is_durable_when_put_returns(cache: VectorCache, path: Path) -> None:
    """Each commit reaches the disk: a power cut takes nothing that was paid for."""
    cache.put(some(0, 1))
    connection = cache._connection
    assert connection is not None
    assert connection.pragma("synchronous") == 2  # FULL
    assert connection.pragma("journal_mode") == "wal"


# --- damage -------------------------------------------------------------------------------------


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x20
    path.write_bytes(data)


def test_a_flipped_bit_is_a_miss(
    cache: VectorCache, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A vector that isn't what was put is never given out: it is removed, and can be put anew."""
    cache.put(some(0, 20))
    cache.close()
    flip(path, path.read_bytes().index(vector(5)[100:132]))
    found = cache.get(some(0, 20))
    assert found == {k: v for k, v in some(0, 20).items() if k != key(5)}
    assert "1 vectors" in caplog.text
    assert cache.stats().entries == 19
    cache.put({key(5): vector(5)})
    assert cache.get([key(5)]) == {key(5): vector(5)}
    assert cache.problem == ""


@pytest.mark.parametrize("begins_with", ["get", "put", "stats"])
@pytest.mark.parametrize("damage", [b"these are my notes", b"x" * 50_000])
def test_a_file_that_is_no_database_is_moved_away(
    path: Path, caplog: pytest.LogCaptureFixture, damage: bytes, begins_with: str
) -> None:
    """It stays beside the new one, in place of an older one, and a warning says so."""
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    aside = path.with_name("embeddings.db.damaged")
    aside.write_bytes(b"older")
    cache = again(path)
    if begins_with == "get":
        assert cache.get([key(0)]) == {}
    elif begins_with == "stats":
        assert cache.stats().entries == 0
    cache.put(some(0, 3))
    assert cache.get(some(0, 3)) == some(0, 3)
    assert aside.read_bytes() == damage
    assert "embeddings.db.damaged" in caplog.text
    assert cache.problem == ""


def test_a_file_that_is_damaged_inside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pages of rubbish: nothing wrong is given out, and what is put afterwards is kept."""
    first = again(path)
    first.put(some(0, 200))
    first.close()
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 1024, 3):
        data[page * 1024 : page * 1024 + 600] = os.urandom(600)
    path.write_bytes(data)
    cache = again(path)
    assert cache.get(some(0, 200)).items() <= some(0, 200).items()
    cache.put(some(200, 230))
    cache.put(some(200, 230))
    assert cache.get(some(200, 230)) == some(200, 230)
    assert cache.problem == ""
    assert "damaged" in caplog.text


def test_another_process_has_moved_it_away_already(path: Path) -> None:
    """Two that see the same damage don't move the new file away."""
    one = again(path)
    one.put(some(0, 3))
    other = again(path)
    assert len(other.get(some(0, 3))) == 3
    one._move_away(ValueError("damage that one saw"))
    one.put(some(0, 5))
    other._move_away(ValueError("the same damage"))
    assert other.get(some(0, 5)) == some(0, 5)


# --- files of others ----------------------------------------------------------------------------


def refused(cache: VectorCache, caplog: pytest.LogCaptureFixture) -> str:
    """Use a cache in every way; return its problem, which was logged once."""
    cache.put(some(0, 1))
    cache.put(some(0, 1))
    assert cache.get(some(0, 1)) == {}
    assert (cache.forget(some(0, 1)), cache.clear()) == (0, 0)
    assert cache.stats().entries == 0
    cache.close()
    assert [each.levelno for each in caplog.records] == [logging.WARNING]
    assert cache.problem in caplog.text
    return cache.problem


def test_a_newer_version_is_left_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not read, not written, not moved."""
    first = again(path)
    first.put(some(0, 1))
    first.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    assert "newer ragkit (version 2, not 1)" in refused(again(path), caplog)
    assert path.read_bytes() == before


def test_another_programs_database_is_left_alone(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that isn't a cache is neither written nor moved."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    assert "another program" in refused(again(path), caplog)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


# --- what must not end an ingest ----------------------------------------------------------------


def test_a_place_that_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no folder can be made nothing is kept, and one warning says why."""
    (tmp_path / "file").write_text("")
    problem = refused(again(tmp_path / "file" / "ragkit" / "embeddings.db"), caplog)
    assert "Not a directory" in problem


def test_locked_for_long(
    cache: VectorCache,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who can't write in time stops writing, and goes on reading."""
    cache.put(some(0, 3))
    monkeypatch.setattr(cache_module, "_BUSY_TIMEOUT_MS", 50)
    other = again(path)
    with closing(apsw.Connection(str(path))) as holder:
        holder.execute("BEGIN IMMEDIATE")
        other.put(some(3, 6))
        began = time.monotonic()
        other.put(some(3, 6))
        assert time.monotonic() - began < 0.04
        assert other.forget([key(0)]) == 0
        holder.execute("ROLLBACK")
    assert "locked by another process" in other.problem
    other.put(some(3, 6))
    assert other.get(some(0, 6)) == some(0, 3)
    assert len(caplog.records) == 1


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from ragkit.cache import VectorCache
    from tests.test_cache import some
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    cache = VectorCache(Path(sys.argv[1]), max_bytes=10**9)
    cache.put(some(0, 10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    for start in range(10, 500, 10):
        cache.put(some(start, start + 10))
    assert cache.get(some(0, 10)) == some(0, 10), cache.problem
    print(cache.problem)
"""


def test_a_disk_that_takes_no_more(path: Path) -> None:
    """Nothing more is kept; what is there is still found, then and later."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout
    kept = again(path).get(some(0, 500))
    assert 10 <= len(kept) < 500
    assert kept.items() <= some(0, 500).items()


NOBODY = """
    import os, sys
    from pathlib import Path
    from ragkit.cache import VectorCache
    from tests.test_cache import some
    if os.geteuid() == 0:  # may write everywhere
        os.setgid(65534)
        os.setuid(65534)
    for folder in ("/proc", "/"):
        cache = VectorCache(Path(folder, "ragkit-test", "embeddings.db"), max_bytes=10**9)
        cache.put(some(0, 1))
        assert cache.get(some(0, 1)) == {}
        print(cache.problem)
"""


def test_a_folder_that_may_not_be_written() -> None:
    """Where the file can't be made nothing is raised, and the problem is told."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NOBODY)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Permission denied" in done.stdout.splitlines()[1]


# --- where it is, and how large it may be -------------------------------------------------------


def test_the_cache_folder() -> None:
    """XDG_CACHE_HOME if it is absolute, else .cache in the home; none without a home."""
    assert cache_folder({"HOME": "/h"}) == Path("/h/.cache/ragkit")
    assert cache_folder({"HOME": "/h", "XDG_CACHE_HOME": "/x"}) == Path("/x/ragkit")
    assert cache_folder({"HOME": "/h", "XDG_CACHE_HOME": "x"}) == Path("/h/.cache/ragkit")
    assert cache_folder({}) is None


def test_the_settings_of_the_cache(tmp_path: Path) -> None:
    """A folder's own ragkit.toml can turn the cache off, but neither shrink it nor turn it on."""
    assert cache_bytes(Settings()) == 2_048_000_000
    assert cache_bytes(Settings(cache_mb=5)) == 5_000_000
    assert cache_bytes(Settings(cache=False)) == 0
    environ = {"HOME": str(tmp_path)}
    (tmp_path / "ragkit.toml").write_text("cache_mb = 1")
    user_file = tmp_path / ".config" / "ragkit" / "config.toml"
    user_file.parent.mkdir(parents=True)
    user_file.write_text("cache_mb = 300")
    assert cache_bytes(resolve({}, environ=environ, cwd=tmp_path)) == 300_000_000
    assert cache_bytes(resolve({"cache_mb": 7}, environ=environ, cwd=tmp_path)) == 7_000_000
    (tmp_path / "ragkit.toml").write_text("cache = false")
    assert cache_bytes(resolve({}, environ=environ, cwd=tmp_path)) == 0
    (tmp_path / "ragkit.toml").write_text("cache = true")
    user_file.write_text("cache = false")
    assert cache_bytes(resolve({}, environ=environ, cwd=tmp_path)) == 0
