"""`ragkit serve` as people run it: how it starts, stops, and shares its index with others."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cli.conftest import FERRY, HARBOUR
from tests.server.conftest import QUESTION, SENTENCE
from tests.server.processes import SECONDS, Process, command, serving, variables
from tests.tempico import TempicoServer

KEY = "a-passphrase-of-some-length"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a note in it, and an empty home."""
    (tmp_path / "home").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "harbour.md").write_text(HARBOUR)
    return tmp_path


@pytest.fixture
def environ(folder: Path) -> dict[str, str]:
    return variables(folder)


@pytest.fixture
def ingested(folder: Path, environ: dict[str, str]) -> Path:
    ingest(folder, environ)
    return folder


def ingest(folder: Path, environ: dict[str, str]) -> None:
    done = ragkit(folder, environ, "ingest", "docs", "--quiet")
    assert done.returncode == 0, done.stderr


def ragkit(
    folder: Path, environ: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*options),
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def found(server: Process, query: str) -> list[str]:
    """Return the names of the documents that a search finds, best first."""
    reply = httpx.post(f"{server.address}/v1/search", json={"query": query}, timeout=30)
    assert reply.status_code == 200, reply.text
    return [hit["uri"].rpartition("/")[2] for hit in reply.json()["hits"]]


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_it(
    ingested: Path, environ: dict[str, str], number: signal.Signals, code: int, workers: str
) -> None:
    """As it ends any program: with the code of the signal, and without a word of Python's."""
    with serving(ingested, "--workers", workers, environ=environ) as server:
        assert found(server, "lost umbrellas") == ["harbour.md"]
        ended, said = server.stop(number)
    assert ended == code, said
    assert "Traceback" not in said
    with pytest.raises(httpx.ConnectError):  # none of its processes listens any more
        httpx.get(f"{server.address}/healthz")


def test_an_answer_under_way_ends_whole(folder: Path, tempico: TempicoServer) -> None:
    """The server stops after it, not in it."""
    environ = variables(folder, TEMPICO_API_KEY=tempico.key, TEMPICO_BASE_URL=tempico.base_url)
    ingest(folder, environ)
    # Six seconds: longer than the stop takes without it, and within the time that it is given.
    tempico.reply = lambda body: f"{SENTENCE} [1]. {SENTENCE} [1]. {SENTENCE} [1]."
    tempico.piece_seconds = 0.2
    body = {
        "model": "ragkit",
        "messages": [{"role": "user", "content": QUESTION}],
        "stream": True,
        "ragkit": {"events": True},
    }
    with (
        serving(folder, environ=environ) as server,
        httpx.stream(
            "POST", f"{server.address}/v1/chat/completions", json=body, timeout=30
        ) as reply,
    ):
        told = ""
        for piece in reply.iter_text():
            if '"event":"sentence"' in piece and '"event":"sentence"' not in told:
                server.process.send_signal(signal.SIGTERM)
            told += piece
        assert told.endswith("data: [DONE]\n\n")
        assert '"finish_reason":"stop"' in told
        code, said = server.ended()
    assert (code, "Traceback" in said) == (143, False), said


# --- the start ----------------------------------------------------------------------------------


def test_a_port_that_is_taken(folder: Path, environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = ragkit(folder, environ, "serve", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_other_machines_need_a_key(folder: Path, environ: dict[str, str]) -> None:
    """Without one it doesn't start; with one it lets in nobody else."""
    done = ragkit(folder, environ, "serve", "--port", "0", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "ragkit keys add" in done.stderr
    with serving(
        folder, "--host", "0.0.0.0", environ={**environ, "RAGKIT_SERVER_KEY": KEY}
    ) as server:
        where = f"{server.address}/v1/index"
        assert httpx.get(where).status_code == 401
        assert httpx.get(where, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(where, headers={"authorization": f"Bearer {KEY}"}).status_code == 200
        assert httpx.get(f"{server.address}/healthz").status_code == 200


# --- several at one index -----------------------------------------------------------------------


def test_two_processes_ingest_an_upload_once(folder: Path, environ: dict[str, str]) -> None:
    """Whichever took it in, it is one document, and both know of it."""
    with serving(folder, "--workers", "2", environ=environ) as server:
        files = {"file": ("ferry.md", FERRY.encode())}
        sent = httpx.post(f"{server.address}/v1/documents", files=files, timeout=30)
        id_ = sent.json()["data"][0]["id"]
        events = httpx.get(f"{server.address}/v1/uploads/{id_}/events", timeout=30).text
        states = [json.loads(each.removeprefix("data: ")) for each in events.split("\n\n")[:-2]]
        assert (states[-1]["state"], states[-1]["result"]) == ("done", "added")
        for _ in range(10):  # a connection each, so that both processes are asked
            assert found(server, "dogs on a lead") == ["upload:ferry.md"]
            uploads = httpx.get(f"{server.address}/v1/uploads").json()["data"]
            assert [(each["id"], each["state"]) for each in uploads] == [(id_, "done")]
        assert len(httpx.get(f"{server.address}/v1/documents").json()["data"]) == 1


@pytest.fixture
def asking() -> Iterator[threading.Event]:
    stop = threading.Event()
    yield stop
    stop.set()


def test_ingest_while_it_serves(
    ingested: Path, environ: dict[str, str], asking: threading.Event
) -> None:
    """Searches go on without an error, and what came in is found with the next one."""
    statuses: list[int] = []

    def search(client: httpx.Client) -> None:
        while not asking.is_set():
            statuses.append(client.post("/v1/search", json={"query": "umbrellas"}).status_code)

    with (
        serving(ingested, environ=environ) as server,
        httpx.Client(base_url=server.address, timeout=30) as client,
    ):
        assert found(server, "dogs on a lead") == ["harbour.md"]
        thread = threading.Thread(target=search, args=[client])
        thread.start()
        (ingested / "docs" / "ferry.md").write_text(FERRY)
        ingest(ingested, environ)
        assert found(server, "dogs on a lead")[0] == "ferry.md"
        asking.set()
        thread.join(SECONDS)
    assert len(statuses) > 10
    assert set(statuses) == {200}
