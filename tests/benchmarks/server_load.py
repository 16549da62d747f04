"""A process that searches by HTTP, for tests.benchmarks.server: queries in, times out, as JSON.

    python -m tests.benchmarks.server_load http://127.0.0.1:8484 --clients 50 < queries.json

Each client is a thread with a connection of its own, which it keeps, and asks its next query when
it has the reply to the last one. It imports as little as it can, to leave the machine to the
server.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 60.0


class Client:
    """One client of the server, with a connection that is kept."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(urlsplit(address).netloc, timeout=_TIMEOUT_SECONDS)

    def search(self, query: str) -> str:
        """Return "" where the query got its hits, else what it got."""
        body = json.dumps({"query": query}).encode()
        try:
            self._connection.request(
                "POST", "/v1/search", body, {"content-type": "application/json"}
            )
            with self._connection.getresponse() as response:
                said = response.read()
            if response.status != 200:
                return f"status {response.status}"
            return "" if json.loads(said)["hits"] else "no hits"
        except (OSError, HTTPException, ValueError, KeyError) as exc:
            self._connection.close()
            return type(exc).__name__

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def load(address: str, queries: Sequence[str], clients: int) -> dict[str, Any]:
    """Have so many clients ask all queries, each once; return the times and what went wrong."""
    waiting, lock = iter(queries), threading.Lock()
    milliseconds: list[float] = []
    errors: Counter[str] = Counter()

    def next_queries() -> Iterator[str]:
        while True:
            with lock:
                query = next(waiting, None)
            if query is None:
                return
            yield query

    def ask() -> None:
        client = Client(address)
        for query in next_queries():
            began = time.perf_counter()
            error = client.search(query)
            took = 1000 * (time.perf_counter() - began)
            with lock:
                milliseconds.append(took)
                if error:
                    errors[error] += 1
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    began, used = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "milliseconds": milliseconds,
        "errors": errors,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - used,
    }


def main() -> None:
    """Ask the queries on stdin, and print the times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--clients", type=int, default=50)
    options = parser.parse_args()
    print(json.dumps(load(options.address, json.load(sys.stdin), options.clients)))


if __name__ == "__main__":
    main()
