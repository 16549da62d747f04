"""The benchmark of the server, run small: its table, and when it says that a target is missed."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ragkit import Index, Settings
from tests.benchmarks import server, server_index, server_streams
from tests.benchmarks.server import memory_row
from tests.benchmarks.server_index import queries
from tests.benchmarks.server_load import load
from tests.benchmarks.server_process import Memory

_DOCUMENTS = 12
_SUBJECTS = "ferries harbours invoices lanterns glaciers orchards violins bridges".split()


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of some documents that have plain sentences."""
    path = tmp_path_factory.mktemp("ready") / "index.db"
    with Index.open(path, Settings(), environ={}) as index:
        for number in range(_DOCUMENTS):
            subject = _SUBJECTS[number % len(_SUBJECTS)]
            text = " ".join(
                f"The {subject} of town {number} were counted in spring {1900 + year} by the office"
                f" that looks after all {subject} of that town."
                for year in range(3)
            )
            index.ingest_bytes(text.encode(), uri=f"made:{number}.txt")
    return path


class _Answering(http.server.BaseHTTPRequestHandler):
    """Finds something, unless a query asks it to fail."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["content-length"])))["query"]
        body = json.dumps({"hits": [] if query == "nothing" else [{"text": query}]}).encode()
        self.send_response(503 if query == "fail" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()
        thread.join()


def test_the_table_is_printed_and_nothing_fails(
    ready: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All parts run against real processes; no search fails, and every row has its figures."""
    monkeypatch.setattr(server_streams, "PIECE_SECONDS", 0.002)
    small = "--requests 40 --clients 8 --pairs 4 --streams 1 --workers 1 2".split()
    assert server.main(["--index", str(ready), *small]) == 0
    table = capsys.readouterr().out.splitlines()
    assert [line for line in table if line.startswith("  errors")] == [
        f"{'  errors':<40}{'0':<18}0"
    ] * 2
    assert sum(line.startswith("40 searches") for line in table) == 1
    assert sum(line.startswith("8 searches") for line in table) == 1
    for what in ("one client", "first piece", "first sentence", "  over Index.ask_stream"):
        assert sum(line.startswith(what) and " p50 " in line for line in table) == 1, what


def test_errors_of_the_load_are_counted_by_kind() -> None:
    """A status that isn't 200 and a reply without hits are errors; the rest are times."""
    with answering() as address:
        found = load(address, ["a", "fail", "b", "nothing", "fail"], 2)
    assert found["errors"] == {"status 503": 2, "no hits": 1}
    assert len(found["milliseconds"]) == 5


def test_a_server_that_is_not_there_is_an_error_of_each_query() -> None:
    """What can't be reached counts as errors, and the load goes on to its end."""
    with answering() as address:
        pass
    assert load(address, ["a", "b", "c"], 2)["errors"] == {"ConnectionRefusedError": 3}


def test_queries_differ_and_are_the_same_by_the_same_seed(ready: Path) -> None:
    """No query comes twice; each is of words in a row of a document; runs ask the same."""
    with Index.open(ready, Settings(), environ={}) as index:
        found = queries(index, 50)
        texts = [index.get(each.id).text for each in index.documents()]
        assert queries(index, 50) == found
    assert len(set(found)) == 50
    assert all(any(query in text for text in texts) for query in found)
    assert all(6 <= len(query.split()) <= 10 for query in found)


@pytest.mark.parametrize(("late", "is_met"), [(104.0, True), (106.0, False)])
def test_memory_that_grows_by_more_than_a_twentieth_misses_its_target(
    late: float, is_met: bool
) -> None:
    """Flat is up to 5 % more resident memory after all requests than after a fifth."""
    assert memory_row(2_000, Memory(100, 80), 10_000, Memory(late, 80)).is_met is is_met


def _written(folder: Path, words: Sequence[str]) -> None:
    passages = [
        [f"a:{word}", word.title(), f"All there is to know of {word}.", ""] for word in words
    ]
    (folder / f"passages-{len(words)}.jsonl").write_text(
        "".join(json.dumps(each) + "\n" for each in passages)
    )


def test_an_index_is_made_of_kept_passages_once(tmp_path: Path) -> None:
    """It opens with the default settings, finds by meaning, and isn't made again."""
    _written(tmp_path, _SUBJECTS)
    path = server_index.built(tmp_path, [], len(_SUBJECTS))
    with Index.open(path, Settings(), environ={}) as index:
        (hit,) = index.search("boats that carry cars", mode="semantic", limit=1)
        assert "ferries" in hit.chunk.text
        assert index.stats().chunks == len(_SUBJECTS)
    made_at = path.stat().st_mtime_ns
    assert server_index.built(tmp_path, [], len(_SUBJECTS)) == path
    assert path.stat().st_mtime_ns == made_at
