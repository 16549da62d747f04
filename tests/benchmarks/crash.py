"""What an ingest that is killed again and again loses, and what it pays twice.

    python -m tests.benchmarks.crash [--runs 50] [--seed 1] [--verbose]

`ragkit ingest` of some two hundred files, embedded by a server on loopback, is killed (SIGKILL) at
a random moment and started again, until it is done; then the next index, until it was killed so
often. After each kill: the index and the cache are sound; every document that was reported as done
is there, and every document that is there is whole: text, chunks, vectors and words are those of
an ingest that nobody disturbed. No text is asked for twice but those whose reply was not in the
cache yet when it was killed: those of the last half second, and no more batches than may be under
way. Exits with 1 where anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from ragkit.cache import cache_key
from ragkit.db import Database, fetch
from ragkit.errors import IndexNotFound, RagkitError
from ragkit.indexing.embedding import UNSAVED_BATCHES
from ragkit.providers.endpoint import MAX_BATCH_TEXTS
from tests.tempico import DIMENSIONS, EMBEDDING_MODEL, TempicoServer

REPOSITORY = Path(__file__).parents[2]
FILES = 200
SECTIONS = (4, 24)  # of a file, at least and at most
LATENCY_SECONDS = 0.15
IN_FLIGHT = 3  # so that requests are under way for most of the time
CHUNK_TOKENS = 60
# A text's vector is in the cache so long after it was asked for, however busy the machine is.
KEPT_SECONDS = 0.5
MOST_LOST = (IN_FLIGHT + UNSAVED_BATCHES) * MAX_BATCH_TEXTS  # texts a kill
FILLING = (
    "ferry harbour timetable winter crossing fare bicycle deck island storm cargo pier".split()
)

_OWN_WORD = re.compile(r"only\d+x\d+word")
# A document as it should be: its text, and (start, end, text, vector) of each chunk.
Whole = tuple[str, tuple[tuple[int, int, str, bytes], ...]]


def write_files(folder: Path, dice: random.Random, *, files: int) -> None:
    """Write Markdown files; each section has a word of its own, and some stand in two files."""
    folder.mkdir(parents=True)
    sections: list[str] = []
    for number in range(files):
        mine = [_section(f"{number}x{at}", dice) for at in range(dice.randint(*SECTIONS))]
        if sections:
            mine.append(dice.choice(sections))
        sections += mine
        text = "# Timetables\n\n" + "\n\n".join(mine) + "\n"
        Path(folder, f"{number:04}.md").write_text(text, encoding="utf-8")


def _section(name: str, dice: random.Random) -> str:
    words = " ".join(dice.choices(FILLING, k=30))
    return f"## Section {name}\n\nThe word of this section is only{name}word. {words}."


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with documents, an index and a cache of their own."""

    folder: Path
    docs: Path

    @classmethod
    def made(cls, folder: Path, docs: Path) -> Place:
        folder.mkdir()
        return cls(folder, docs)

    @property
    def index(self) -> Path:
        return self.folder / "index.db"

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "ragkit" / "embeddings.db"

    def start(self, server: TempicoServer) -> subprocess.Popen[bytes]:
        """Start `ragkit ingest`; its events go to the file `events`."""
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "TEMPICO_API_KEY": server.key,
            "TEMPICO_BASE_URL": server.base_url,
            "RAGKIT_CONCURRENCY": str(IN_FLIGHT),
        }
        command = [sys.executable, "-m", "ragkit", "ingest", str(self.docs), "--json", "--yes"]
        command += ["--db", str(self.index), "--chunk-tokens", str(CHUNK_TOKENS)]
        with Path(self.folder, "events").open("wb") as events:
            return subprocess.Popen(
                command, cwd=self.folder, env=environ, stdout=subprocess.DEVNULL, stderr=events
            )

    def last_words(self) -> str:
        return Path(self.folder, "events").read_text(encoding="utf-8")[-500:]

    def acknowledged(self) -> set[str]:
        """Return the uris that the last run has reported as dealt with."""
        lines = Path(self.folder, "events").read_bytes().split(b"\n")[:-1]
        events = [json.loads(line) for line in lines if line.startswith(b"{")]
        return {event["uri"] for event in events if event.get("event") == "progress"}


# --- looking at what is there ------------------------------------------------------------------


def snapshot(index: Path) -> dict[str, Whole]:
    """Return what an index holds, by uri; ids are left out: they are random.

    Raises ValueError where it isn't sound, or a chunk isn't found by its words.
    """
    with closing(Database(index)) as database, database.reading() as connection:
        if (sound := fetch(connection, "PRAGMA integrity_check")) != [("ok",)]:
            raise ValueError(f"the index is damaged: {sound[:3]}")
        chunks: dict[int, list[tuple[int, int, str, bytes]]] = {}
        for number, document, *row in fetch(
            connection,
            "SELECT c.number, c.document, c.start, c.end, c.text, v.embedding FROM chunks c"
            " LEFT JOIN vectors v ON v.chunk = c.number ORDER BY c.document, c.ordinal",
        ):
            chunks.setdefault(document, []).append(tuple(row))
            for word in _OWN_WORD.findall(row[2]):
                found = fetch(connection, "SELECT rowid FROM words WHERE words MATCH ?", word)
                if (number,) not in found:
                    raise ValueError(f"chunk {number} is not found by its word {word}")
        documents = fetch(
            connection,
            "SELECT d.uri, d.number, t.text FROM documents d"
            " LEFT JOIN texts t ON t.document = d.number",
        )
        return {uri: (text, tuple(chunks.get(number, ()))) for uri, number, text in documents}


def lost_texts(asked: Sequence[str], cache: Path) -> set[str]:
    """Return the texts that were asked for and whose vectors the cache doesn't hold.

    Raises ValueError where the cache isn't sound.
    """
    if not cache.exists():
        return set(asked)
    with closing(apsw.Connection(str(cache))) as connection:
        if connection.pragma("integrity_check") != "ok":
            raise ValueError("the cache is damaged")
        tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
        if ("vectors",) not in tables:  # killed before it was made
            return set(asked)
        keys = {key for (key,) in connection.execute("SELECT key FROM vectors")}
    return {text for text in asked if cache_key(EMBEDDING_MODEL, DIMENSIONS, text) not in keys}


@dataclass(slots=True)
class Round:
    """One index, killed again and again until it is done, and what was seen."""

    kills: list[float] = field(default_factory=list)  # seconds after the start
    lost: list[int] = field(default_factory=list)  # texts, at each kill
    documents: list[int] = field(default_factory=list)  # whole ones, at each kill
    asked_twice: int = 0
    texts: int = 0
    wrong: list[str] = field(default_factory=list)


def run_round(
    place: Place, server: TempicoServer, whole: Mapping[str, Whole], moments: Iterator[float]
) -> Round:
    """Kill an ingest at these moments (seconds), one each, until one has ended before its own."""
    this = Round()
    begun = len(server.texts)
    acknowledged: set[str] = set()
    may_repeat: Counter[str] = Counter()
    is_done = False
    for moment in moments:
        process, before = place.start(server), len(server.texts)
        kept = _wait_and_kill(process, moment, lambda: len(server.texts))
        is_done = process.returncode == 0
        if not is_done:
            this.kills.append(moment)
        if not is_done and process.returncode != -signal.SIGKILL:
            this.wrong.append(f"ended with {process.returncode}: {place.last_words()}")
            break
        time.sleep(2 * LATENCY_SECONDS)  # the server answers what was in flight
        acknowledged |= place.acknowledged()
        asked = server.texts[begun:]
        try:
            lost = lost_texts(asked, place.cache)
            there = snapshot(place.index) if place.index.exists() else {}
        except IndexNotFound:  # killed while it was made
            there = {}
        except (RagkitError, ValueError, apsw.Error) as exc:
            this.wrong.append(f"after {moment:.2f} s: {exc}")
            break
        this.wrong += _differences(there, whole, acknowledged)
        if late := lost & set(server.texts[before:kept]):
            this.wrong.append(f"{len(late)} texts not kept {KEPT_SECONDS} s after they were sent")
        this.documents.append(len(there))
        if is_done:
            break
        this.lost.append(len(lost))
        may_repeat.update(lost)
    counts = Counter(server.texts[begun:])
    twice = counts - Counter(set(counts))
    this.texts, this.asked_twice = len(counts), twice.total()
    if too_often := twice - may_repeat:
        this.wrong.append(f"{too_often.total()} texts were asked for again, though they were kept")
    if this.lost and max(this.lost) > MOST_LOST:
        this.wrong.append(f"{max(this.lost)} texts lost at one kill, more than {MOST_LOST}")
    if is_done and set(there) != set(whole):
        this.wrong.append(f"at the end {len(there)} documents, not {len(whole)}")
    return this


def _wait_and_kill(
    process: subprocess.Popen[bytes], seconds: float, count: Callable[[], int]
) -> int:
    """Kill a process after so many seconds unless it ends; return the count shortly before."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, seconds - KEPT_SECONDS))
    counted = count()
    try:
        process.wait(min(seconds, KEPT_SECONDS))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return counted


def _differences(
    there: Mapping[str, Whole], whole: Mapping[str, Whole], acknowledged: set[str]
) -> Iterator[str]:
    if missing := acknowledged - set(there):
        yield f"{len(missing)} documents were reported as done and are not there: {min(missing)}"
    torn = [uri for uri, document in there.items() if document != whole.get(uri)]
    if torn:
        yield f"{len(torn)} documents are not whole: {min(torn)}"


# --- all of them -------------------------------------------------------------------------------


def undisturbed(place: Place, server: TempicoServer) -> tuple[dict[str, Whole], float]:
    """Return what an ingest that nobody disturbs makes, and the seconds it takes."""
    started = time.perf_counter()
    process = place.start(server)
    if process.wait() != 0:
        raise SystemExit(f"the undisturbed ingest failed: {place.last_words()}")
    return snapshot(place.index), time.perf_counter() - started


def main() -> int:
    """Kill, look, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=50, help="how many kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--verbose", action="store_true", help="print each kill")
    options = parser.parse_args()
    dice = random.Random(options.seed)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory() as folder, TempicoServer() as server:
        server.precomputed = True
        server.latency_seconds = LATENCY_SECONDS
        docs = Path(folder, "docs")
        write_files(docs, dice, files=options.files)
        whole, seconds = undisturbed(Place.made(Path(folder, "undisturbed"), docs), server)
        chunks = sum(len(chunks) for _, chunks in whole.values())
        print(f"undisturbed: {len(whole)} documents, {chunks} chunks, {seconds:.1f} s")
        while sum(len(each.kills) for each in rounds) < options.runs:
            place = Place.made(Path(folder, f"index-{len(rounds)}"), docs)
            rounds.append(run_round(place, server, whole, _moments(dice, seconds)))
            _print_round(len(rounds), rounds[-1], verbose=options.verbose)
    return _print_all(rounds)


def _moments(dice: random.Random, seconds: float) -> Iterator[float]:
    while True:
        yield dice.uniform(0.1, 0.8 * seconds)


def _print_round(number: int, this: Round, *, verbose: bool) -> None:
    print(
        f"index {number}: {len(this.kills)} kills, {this.asked_twice} of {this.texts} texts asked"
        f" for twice; {'; '.join(this.wrong) or 'all well'}"
    )
    if verbose:
        for seconds, lost, documents in zip(this.kills, this.lost, this.documents, strict=False):
            print(f"    after {seconds:.2f} s: {documents} documents there, {lost} texts lost")


def _print_all(rounds: Sequence[Round]) -> int:
    kills = sum(len(each.kills) for each in rounds)
    lost = [count for each in rounds for count in each.lost] or [0]
    wrong = sum(len(each.wrong) for each in rounds)
    print(f"{'kills':<44}{kills:>8}")
    print(f"{'indexes brought to their end':<44}{len(rounds):>8}")
    print(f"{'texts under way at a kill, median':<44}{statistics.median(lost):>8.0f}")
    print(f"{f'texts under way at a kill, most (of {MOST_LOST})':<44}{max(lost):>8}")
    print(
        f"{'texts asked for twice, an index':<44}"
        f"{sum(each.asked_twice for each in rounds) / max(1, len(rounds)):>8.0f}"
    )
    print(f"{'things wrong':<44}{wrong:>8}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
