"""How `ragkit serve` does with many clients at once, and what it adds to a search and an answer.

    python -m tests.benchmarks.server --keep FOLDER [--chunks 100000] [--docs /usr/share/doc]
    python -m tests.benchmarks.server --index FILE [--requests 10000] [--clients 50]
                                      [--pairs 300] [--streams 40] [--workers 1 2] [--fail-under]

Prints what was measured beside the targets:

- `/v1/search` with 50 clients at once, each with a query that nobody else asks: requests a second,
  how long they took, errors, the CPU time of the server's processes and of the load's; and the
  server's memory after a fifth of the requests and after all. With more workers than one a fifth
  of the requests is made.
- One client with a connection that it keeps: how much longer a search takes than `Index.search` in
  this process, query by query, each first in its turn.
- Streams, likewise in turns, of an endpoint on loopback that writes a piece each 30 ms: the first
  piece of a model that is passed through, beside the endpoint's own; the first sentence of an
  answer of ragkit's beside the moment at which the endpoint has written its last letter, and
  beside `Index.ask_stream`. Sentences end with the next one's first word: some of the time is the
  endpoint's, the rest retrieval.

The server, the load and the endpoint are processes of their own; they share the machine's cores.
The index is one of real passages with the embedded model's vectors, kept in the folder
(tests.benchmarks.scale_passages, an hour for the first run), or a copy of the one given. Rerank is
off, as the kept index has no token vectors. Queries are words in a row of the documents.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragkit import Index, Settings
from ragkit.evaluation.statistics import percentile
from ragkit.store import SqliteStore
from tests.benchmarks import server_index, server_process, server_streams
from tests.benchmarks.server_load import Client
from tests.benchmarks.server_process import Memory, Served
from tests.benchmarks.server_streams import Ways
from tests.tempico import TempicoProcess

OVERHEAD_MILLISECONDS = 5.0
FIRST_TOKEN_MILLISECONDS = 50.0
# Of resident memory between a fifth of the requests and all of them, before it isn't flat.
MOST_GROWTH = 0.05
_WARMING = 30  # queries before those that are timed
_WARMING_STREAMS = 3
_SETTINGS = {"RAGKIT_RERANK": "off", "RAGKIT_WEB": "never", "RAGKIT_GATE_THRESHOLD": "0"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what was measured, and whether it reached a target, if there is one."""

    what: str
    measured: str
    target: str = ""
    is_met: bool = True


# --- many clients at once ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """What came of some requests of many clients at once."""

    milliseconds: Sequence[float]
    errors: Counter[str]
    seconds: float
    cpu_seconds: float


def loaded(address: str, queries: Sequence[str], clients: int) -> Load:
    """Have another process ask the queries."""
    command = [sys.executable, "-m", "tests.benchmarks.server_load", address]
    done = subprocess.run(
        [*command, "--clients", str(clients)],
        input=json.dumps(queries),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return Load(**{**told, "errors": Counter(told["errors"])})


def crowd_rows(served: Served, queries: Sequence[str], clients: int) -> Iterator[Row]:
    """Measure a server with many clients at once, and its memory after a fifth and at the end."""
    loaded(served.address, queries[:_WARMING], clients)
    queries = queries[_WARMING:]
    fifth = len(queries) // 5
    used = served.cpu_seconds()
    first = loaded(served.address, queries[:fifth], clients)
    early = served.memory()
    rest = loaded(served.address, queries[fifth:], clients)
    late = served.memory()
    times = [*first.milliseconds, *rest.milliseconds]
    seconds, errors = first.seconds + rest.seconds, first.errors + rest.errors
    yield Row(f"{len(times):,} searches", f"{len(times) / seconds:.1f} requests/s")
    p50, p99 = percentile(times, 50), percentile(times, 99)
    yield Row("  each", f"p50 {p50:,.0f} ms, p99 {p99:,.0f}, longest {max(times):,.0f}")
    told = ", ".join(f"{name}: {count}" for name, count in errors.items())
    yield Row("  errors", told or "0", "0", not errors)
    server = 1000 * (served.cpu_seconds() - used) / len(times)
    load = 1000 * (first.cpu_seconds + rest.cpu_seconds) / len(times)
    yield Row("  CPU time of a search", f"server {server:.1f} ms, load {load:.2f} ms")
    yield memory_row(fifth, early, len(times), late)


def memory_row(few: int, early: Memory, many: int, late: Memory) -> Row:
    """Return the row of what a server held after few requests and after many."""
    growth = late.resident / early.resident - 1
    return Row(
        f"  resident after {few:,} and {many:,}",
        f"{early.resident:.0f} MB, {late.resident:.0f} ({growth:+.1%});"
        f" no file's {early.anonymous:.0f}, {late.anonymous:.0f}",
        f"grows by <= {MOST_GROWTH:.0%}",
        growth <= MOST_GROWTH,
    )


# --- one client --------------------------------------------------------------------------------


def overhead_row(served: Served, index: Index, queries: Sequence[str]) -> Row:
    """Measure how much longer a search takes by HTTP, query by query."""
    client = Client(served.address)
    added, alone = [], []
    for place, query in enumerate(queries):
        took = {}
        for way in ("library", "server") if place % 2 else ("server", "library"):
            began = time.perf_counter()
            if way == "library":
                index.search(query)
            else:
                error = client.search(query)
                assert not error, error
            took[way] = 1000 * (time.perf_counter() - began)
        if place >= _WARMING:
            added.append(took["server"] - took["library"])
            alone.append(took["library"])
    client.close()
    p50 = percentile(added, 50)
    return Row(
        "one client, over Index.search",
        f"p50 {p50:+.1f} ms, p95 {percentile(added, 95):+.1f};"
        f" Index.search itself {percentile(alone, 50):.1f}",
        f"p50 <= +{OVERHEAD_MILLISECONDS:g} ms",
        p50 <= OVERHEAD_MILLISECONDS,
    )


# --- streams -----------------------------------------------------------------------------------


def stream_rows(path: Path, home: Path, questions: Sequence[str], count: int) -> Iterator[Row]:
    """Measure the first token of streams."""
    settings = Settings(rerank="off", gate_threshold=0.0, web="never")
    with Index.open(path, settings, environ={}) as finder:
        replies = server_streams.scripted(finder, questions, count + _WARMING_STREAMS)
    script = server_streams.Script({asked: reply.text for asked, reply in replies.items()})
    with ExitStack() as stack:
        endpoint = stack.enter_context(
            TempicoProcess(reply=script, piece_seconds=server_streams.PIECE_SECONDS)
        )
        more = {"RAGKIT_BASE_URL": endpoint.base_url, "TEMPICO_API_KEY": endpoint.key}
        environ = server_process.environment(home, **_SETTINGS, **more)
        served = stack.enter_context(server_process.serving(path, environ))
        index = stack.enter_context(Index.open(path, _asking(endpoint.base_url), environ=environ))
        index.warm_up()
        server_process.await_idle(served)
        ways = Ways(endpoint.base_url, endpoint.key, f"{served.address}/v1", index)
        asked = list(replies.items())
        passed = [ways.upstream(*each) for each in asked][_WARMING_STREAMS:]
        own = [ways.own(*each) for each in asked][_WARMING_STREAMS:]
    yield _added("first piece, passed through", passed, "endpoint", is_target=True)
    yield _added("first sentence, over its last letter", own, "endpoint", is_target=True)
    yield _added("  over Index.ask_stream", own, "library", is_target=False)


def _asking(base_url: str) -> Settings:
    return Settings(rerank="off", gate_threshold=0.0, web="never", base_url=base_url)


def _added(what: str, times: Sequence[dict[str, float]], over: str, *, is_target: bool) -> Row:
    added = [each["server"] - each[over] for each in times]
    p50 = percentile(added, 50)
    own = percentile([each[over] for each in times], 50)
    return Row(
        what,
        f"p50 {p50:+.1f} ms, p95 {percentile(added, 95):+.1f}; without the server {own:.0f}",
        f"p50 <= +{FIRST_TOKEN_MILLISECONDS:g} ms" if is_target else "",
        not is_target or p50 <= FIRST_TOKEN_MILLISECONDS,
    )


# --- the command -------------------------------------------------------------------------------


def rows(path: Path, home: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Measure an index, and yield the table's rows as they come."""
    with Index.open(path, Settings(rerank="off"), environ={}) as index:
        pairs, streams = options.pairs + _WARMING, 10 * (options.streams + _WARMING_STREAMS)
        queries = server_index.queries(index, options.requests + _WARMING + pairs + streams)
        single, queries = queries[:pairs], queries[pairs:]
        questions, queries = queries[:streams], queries[streams:]
        environ = server_process.environment(home, **_SETTINGS)
        for workers in options.workers:
            with server_process.serving(path, environ, workers=workers) as served:
                server_process.await_idle(served)
                if workers == 1:
                    index.warm_up()
                    yield overhead_row(served, index, single)
                share = options.requests if workers == 1 else options.requests // 5
                yield Row(f"{options.clients} clients at once, --workers {workers}", "")
                yield from crowd_rows(served, queries[: _WARMING + share], options.clients)
    yield from stream_rows(path, home, questions, options.streams)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and compare with the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--keep", type=Path, help="where the index is kept")
    source.add_argument("--index", type=Path, metavar="FILE", help="an index that is there")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--docs", type=Path, action="append", default=[])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--pairs", type=int, default=300, help="searches of one client")
    parser.add_argument("--streams", type=int, default=40)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--fail-under", action="store_true", help="exit 1 below a target")
    options = parser.parse_args(arguments)
    docs = options.docs or [Path("/usr/share/doc")]
    ready = options.index or server_index.built(options.keep, docs, options.chunks)
    is_met = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.db"
        store = SqliteStore(ready)
        store.copy_to(path)
        chunks = store.stats().chunks
        store.close()
        print(f"{chunks:,} chunks, rerank off", flush=True)
        for row in rows(path, Path(folder), options):
            is_met = is_met and row.is_met
            mark = "" if row.is_met else "  MISSED"
            print(f"{row.what:<40}{row.target:<18}{row.measured}{mark}", flush=True)
    return int(options.fail_under and not is_met)


if __name__ == "__main__":
    sys.exit(main())
