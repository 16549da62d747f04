"""How well an ingest fills the endpoint, how fast it is without one, and what memory it takes.

    python -m tests.benchmarks.pipeline [--only latency|speed|small|memory] [--scale X] [--texts N]
                                        [--latency SECONDS] [--learn] [--fail-under]

Files of made-up prose, about 200 tokens a chunk, are ingested into a new index with a new cache,
as `Index.open` wires it, in a process of its own; the endpoint is another process on loopback with
vectors of 768 dimensions computed beforehand.

`latency`: each reply takes 50 ms (or what `--latency` says), 8 requests may be in flight, and a
request may hold so few texts that not the client but the endpoint is what limits. The ideal is that
of 8 requests under way all the time, each taking the latency and nothing else; for comparison, what
threads of Python's own http.client get out of the same server, whose own work takes some
milliseconds too. The client knows how many texts a request may hold; with `--learn` it has to find
out, by refusals.
`speed`: no latency, requests as large as the client likes.
`small`: the same with files of one section each, 2,000 of them: what a file costs by itself.
`memory`: the peak of the ingesting process for few chunks and for many; SQLite's page caches fill
meanwhile, and nothing else may grow.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FunctionType
from typing import cast
from urllib.parse import urlsplit

from ragkit import config
from ragkit.index import Index
from ragkit.providers.endpoint import EndpointEmbedder
from ragkit.types import IngestLimits
from tests.badfiles import peak_mb
from tests.tempico import EMBEDDING_MODEL, Counts, TempicoProcess

CHUNKS = 20_000
CHUNKS_A_FILE = 50
WORDS_A_CHUNK = 140  # about 200 tokens
IN_FLIGHT = 8
LATENCY_SECONDS = 0.05
TEXTS_A_REQUEST = 4  # 160 requests a second: with more texts in each, the client can't keep up
BARE_REQUESTS = 50
SMALL_FILES = 2_000
FEW, MANY = 5_000, 50_000

MOST_OF_IDEAL = 1.10
CHUNKS_A_SECOND = 1_500.0
FILES_A_SECOND = 400.0  # 320 to 400 when each was a transaction of its own, 520 to 580 in groups
PEAK_MB = 350.0
# What the page caches may hold: the index's writer and reader, and the embedding cache.
PAGE_CACHES_MB = (2 * 16 + 8) * 1.048576


@dataclass(frozen=True, slots=True)
class Run:
    """What one ingest came to; `in_flight` is the mean number of requests, by the ledger."""

    chunks: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    in_flight: float


def vocabulary(dice: random.Random) -> list[str]:
    """Return made-up words, short ones more often than long ones."""
    parts = "ba ce di fo gu la mer nin or pel qua ras sel tor un ver wick yar zan har".split()
    return ["".join(dice.choices(parts, k=dice.choice((1, 1, 2, 2, 2, 3, 3)))) for _ in range(4000)]


def write_files(folder: Path, chunks: int, *, chunks_a_file: int = CHUNKS_A_FILE) -> None:
    """Write Markdown files whose sections are a chunk each."""
    dice = random.Random(0)
    words = vocabulary(dice)
    for number in range(0, chunks, chunks_a_file):
        sections = (
            f"## Part {number + at}\n\n{_prose(dice, words)}\n"
            for at in range(min(chunks_a_file, chunks - number))
        )
        Path(folder, f"{number:06}.md").write_text("\n".join(sections), encoding="utf-8")


def _prose(dice: random.Random, words: list[str]) -> str:
    sentences = []
    left = WORDS_A_CHUNK
    while left > 0:
        length = min(left, dice.randint(8, 20))
        sentences.append(" ".join(dice.choices(words, k=length)).capitalize() + ".")
        left -= length
    return " ".join(sentences)


def measure(
    chunks: int, *, chunks_a_file: int = CHUNKS_A_FILE, **attributes: object
) -> tuple[Run, Counts]:
    """Ingest so many chunks in a process of its own, with a server that has these attributes."""
    with TempicoProcess(precomputed=True, **attributes) as server:
        return ingest_into(server, chunks, chunks_a_file=chunks_a_file), server.counts


def ingest_into(
    server: TempicoProcess, chunks: int, *, texts: int = 0, chunks_a_file: int = CHUNKS_A_FILE
) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder, "docs")
        docs.mkdir()
        write_files(docs, chunks, chunks_a_file=chunks_a_file)
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAGKIT_")},
            "TEMPICO_API_KEY": server.key,
            "TEMPICO_BASE_URL": server.base_url,
            "HOME": folder,
            "XDG_CACHE_HOME": str(Path(folder, "cache")),
        }
        command = [sys.executable, "-m", "tests.benchmarks.pipeline", "--here", folder]
        command += ["--texts", str(texts)]
        done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=True)
        return Run(**json.loads(done.stdout))


def ingest_here(folder: Path, *, texts: int) -> Run:
    """Ingest the documents of a folder in this process, so many texts a request; 0: by default."""
    if texts:
        defaults = cast(FunctionType, EndpointEmbedder.__init__).__kwdefaults__
        assert defaults is not None
        defaults["batch_texts"] = texts
    settings = config.resolve(
        {"confirm_tokens": 0, "chunk_tokens": 200}, environ=os.environ, cwd=folder
    )
    with Index.open(folder / "index.db", settings) as index:
        started, cpu = time.perf_counter(), time.process_time()
        report = index.ingest(folder / "docs", limits=IngestLimits(confirm=lambda _estimate: True))
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        waited = sum(each.milliseconds for each in index.usage()) / 1000
    assert not report.failed, report.failed[0]
    return Run(report.chunks, seconds, cpu, peak_mb(os.getpid()), waited / seconds)


def bare_seconds(server: TempicoProcess, texts: list[str]) -> float:
    """Return how long a request of these texts takes in a simple client, with 8 in flight."""
    address = urlsplit(server.base_url)
    body = json.dumps({"model": EMBEDDING_MODEL, "input": texts, "encoding_format": "base64"})
    headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}

    def ask(count: int) -> None:
        connection = http.client.HTTPConnection(str(address.hostname), address.port)
        with closing(connection):
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(count):
                connection.request("POST", f"{address.path}/embeddings", body, headers)
                assert len(json.loads(connection.getresponse().read())["data"]) == len(texts)

    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(ask, [BARE_REQUESTS] * IN_FLIGHT))
    return (time.perf_counter() - started) / BARE_REQUESTS


# --- the measurements --------------------------------------------------------------------------


def latency(scale: float, texts_a_request: int, seconds: float, *, learn: bool) -> bool:
    dice = random.Random(1)
    words = vocabulary(dice)
    with TempicoProcess(
        precomputed=True,
        latency_seconds=seconds,
        max_in_flight=IN_FLIGHT,
        max_request_texts=texts_a_request,
    ) as server:
        bare = bare_seconds(server, [_prose(dice, words) for _ in range(texts_a_request)])
        before = server.counts.requests
        run = ingest_into(server, round(CHUNKS * scale), texts=0 if learn else texts_a_request)
        requests = server.counts.requests - before
    needed = -(-run.chunks // texts_a_request)
    ideal = needed / IN_FLIGHT * seconds
    share = run.seconds / ideal
    print(
        f"latency: {run.chunks:,} chunks, {seconds * 1000:.0f} ms, {IN_FLIGHT} in flight,"
        f" at most {texts_a_request} texts a request: {run.seconds:.1f} s"
        f" ({run.chunks / run.seconds:,.0f} chunks/s; {requests:,} requests, {needed:,} needed)\n"
        f"  {share:.2f} x the endpoint's own {ideal:.1f} s (target {MOST_OF_IDEAL:.2f}), a bare"
        f" client {bare / seconds:.2f} x; {run.in_flight:.1f} in flight on average,"
        f" {run.cpu_seconds / run.seconds:.0%} of a core"
    )
    return share <= MOST_OF_IDEAL


def speed(scale: float) -> bool:
    run, counts = measure(round(CHUNKS * scale))
    rate = run.chunks / run.seconds
    print(
        f"speed: {run.chunks:,} chunks in {run.seconds:.1f} s, {counts.requests:,} requests\n"
        f"  {rate:,.0f} chunks/s (target {CHUNKS_A_SECOND:,.0f}),"
        f" {run.cpu_seconds / run.chunks * 1e6:,.0f} µs of processor a chunk,"
        f" {run.cpu_seconds / run.seconds:.0%} of a core"
    )
    return rate >= CHUNKS_A_SECOND


def small(scale: float) -> bool:
    files = round(SMALL_FILES * scale)
    run, _ = measure(files, chunks_a_file=1)
    rate = files / run.seconds
    print(
        f"small: {files:,} files of {run.chunks / files:.1f} chunks in {run.seconds:.1f} s\n"
        f"  {rate:,.0f} files/s (target {FILES_A_SECOND:,.0f}),"
        f" {run.cpu_seconds / files * 1e6:,.0f} µs of processor a file"
    )
    return rate >= FILES_A_SECOND


def memory(scale: float) -> bool:
    few, many = (measure(round(chunks * scale))[0] for chunks in (FEW, MANY))
    print(
        f"memory: {few.peak_mb:.0f} MB for {few.chunks:,} chunks, {many.peak_mb:.0f} MB for"
        f" {many.chunks:,} (target {PEAK_MB:.0f}, and at most {PAGE_CACHES_MB:.0f} more for the"
        " many)"
    )
    return many.peak_mb < PEAK_MB and many.peak_mb - few.peak_mb <= PAGE_CACHES_MB


def main() -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("latency", "speed", "small", "memory"))
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the chunks")
    parser.add_argument("--texts", type=int, default=TEXTS_A_REQUEST, help="in a request, at most")
    parser.add_argument("--latency", type=float, default=LATENCY_SECONDS, help="in seconds")
    parser.add_argument("--learn", action="store_true", help="let the client find out --texts")
    parser.add_argument("--fail-under", action="store_true", help="exit 1 where a target is missed")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(asdict(ingest_here(options.here, texts=options.texts))))
        return 0
    met = True
    if options.only in (None, "latency"):
        met &= latency(options.scale, options.texts, options.latency, learn=options.learn)
    if options.only in (None, "speed"):
        met &= speed(options.scale)
    if options.only in (None, "small"):
        met &= small(options.scale)
    if options.only in (None, "memory"):
        met &= memory(options.scale)
    return int(options.fail_under and not met)


if __name__ == "__main__":
    sys.exit(main())
