"""What is left of the vector index when its writer is killed again and again.

    python -m tests.benchmarks.cells_killed [--runs 50] [--seed 1]

A process writes, replaces and removes documents with drawn vectors, rolls transactions back, and
builds the vector index or trains it again, until it is killed (SIGKILL) at a random moment; then
the next one goes on. After each kill: SQLite finds the file sound, the index holds exactly the
vectors of the rows (once it is filled), it finds no chunk that isn't there, and what it finds is
what a scan finds. Prints a line a kill, and exits with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ragkit.store import SqliteStore, cells
from tests.drawn import drawn, held, numbers, opened, put

REPOSITORY = Path(__file__).parents[2]
SECONDS = (0.5, 4.0)  # that a writer lives, at least and at most
QUERIES, LEAST_RECALL = 10, 0.9


class _Undone(Exception):
    pass


def write(path: Path, seed: int) -> None:
    """Write, replace, remove, roll back and build, until killed."""
    dice = random.Random(seed)
    with opened(path) as store:
        for number in range(1_000_000):
            name = f"d{dice.randrange(200)}"
            chance = dice.random()
            if chance < 0.1:
                with suppress(Exception):
                    store.remove(name)
            elif chance < 0.15:
                with suppress(_Undone), store._db.writing() as connection:
                    connection.execute("DELETE FROM vectors WHERE chunk % 7 = 0")
                    raise _Undone
            elif chance < 0.18:
                for _ in store.optimize() if dice.random() < 0.3 else store.keep_up():
                    pass
            else:
                vectors = drawn(dice.randrange(1, 80), seed=seed * 1_000 + number)
                put(store, name, vectors)


def faults(path: Path) -> Iterator[str]:
    """Yield what is wrong with the file."""
    store = SqliteStore(path)
    with store._db.reading() as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone() or ("",)
        if sound != "ok":
            yield sound
        known = cells.state(connection)
    there = numbers(store)
    if known is not None:
        indexed = held(store)
        wanted = {number for number in there if number <= known.through}
        if indexed != wanted:
            yield f"{len(indexed - wanted)} too many and {len(wanted - indexed)} too few"
    if known is not None and known.is_ready:
        found_of = exact_of = 0
        for query in drawn(QUERIES, seed=1):
            exact = {n for n, _ in store.semantic(query, limit=10, allowed=None, effort="exact")}
            found = {n for n, _ in store.semantic(query, limit=10, allowed=None)}
            if found - there:
                yield f"it finds chunks that are not there: {found - there}"
            found_of += len(found & exact)
            exact_of += len(exact)
        if found_of < LEAST_RECALL * exact_of:
            yield f"it finds {found_of} of {exact_of}"
    store.close()


def stand(path: Path) -> str:
    """Say how far the index is."""
    store = SqliteStore(path)
    stats = store.stats()
    store.close()
    known = stats.vector_index
    if known is None:
        return f"{stats.vectors} vectors"
    return f"{stats.vectors} vectors, {'' if known.ready else 'unfinished '}{known.cells} cells"


def main() -> None:
    """Kill a writer again and again, and look at what is left."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.write, options.seed)
        return
    dice = random.Random(options.seed)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.db"
        for run in range(options.runs):
            command = [sys.executable, "-m", "tests.benchmarks.cells_killed"]
            command += ["--write", str(path), "--seed", str(options.seed + run)]
            writer = subprocess.Popen(command, cwd=REPOSITORY, env=os.environ)
            time.sleep(dice.uniform(*SECONDS))
            if writer.poll() is not None:
                print(f"{run}: the writer ended by itself, with {writer.returncode}")
                wrong += 1
            with suppress(ProcessLookupError):
                writer.send_signal(signal.SIGKILL)
            writer.wait()
            if not path.exists() or path.stat().st_size == 0:
                continue
            found = list(faults(path))
            wrong += bool(found)
            print(f"{run}: {stand(path)}; {'; '.join(found) or 'sound'}", flush=True)
    print(f"{options.runs} kills, {wrong} with a fault")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
