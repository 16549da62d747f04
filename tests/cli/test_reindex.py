"""`ragkit reindex` changes the whole index, says what changed, and takes it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Ragkit, write_documents


@pytest.fixture
def indexed(ragkit: Ragkit, folder: Path) -> Ragkit:
    """Call ragkit where two documents are ingested with the embedded model."""
    write_documents(folder / "docs")
    assert ragkit("ingest", "docs", "--quiet").code == 0
    return ragkit


def chunk_tokens(ragkit: Ragkit) -> int:
    fingerprint = ragkit("stats", "--json").json["fingerprint"]
    assert isinstance(fingerprint["chunk_tokens"], int)
    return fingerprint["chunk_tokens"]


def test_the_summary(indexed: Ragkit) -> None:
    """What the queries found, the settings before and now, and how much it was."""
    call = indexed("reindex", "--chunk-tokens", "40", "--sample", "4")
    assert call.code == 0
    compared, before, now, counts = call.out.splitlines()
    assert compared.startswith("4 of 4 queries find their document in the new set, 4 in the old")
    assert before.endswith("384 dimensions, chunks of 160 tokens")
    assert now.endswith("384 dimensions, chunks of 40 tokens")
    assert counts.startswith("2 documents, ")
    assert chunk_tokens(indexed) == 40
    assert indexed("ingest", "docs").out.startswith("2 unchanged;")


def test_json(indexed: Ragkit) -> None:
    """The object is the report."""
    body = indexed("reindex", "--chunk-tokens", "40", "--sample", "2", "--json", "--quiet").json
    assert (body["swapped"], body["stopped"], body["documents"]) == (True, "", 2)
    assert body["before"]["chunk_tokens"] == 160
    assert body["comparison"]["queries"] == 2


def test_nothing_to_do(indexed: Ragkit) -> None:
    """With what the index has already it says so."""
    call = indexed("reindex")
    assert (call.code, call.err) == (0, "")
    assert call.out.startswith("nothing to do: the index has ")


def test_a_dry_run(indexed: Ragkit, folder: Path) -> None:
    """It counts, and changes nothing."""
    before = sorted((folder / ".ragkit").iterdir())
    call = indexed("reindex", "--chunk-tokens", "40", "--dry-run")
    assert call.code == 0
    rows = dict(line.split("\t", 1) for line in call.out.splitlines())
    assert rows["files"] == "2"
    assert rows["requests"] == "none: nothing leaves this machine"
    assert sorted((folder / ".ragkit").iterdir()) == before
    assert chunk_tokens(indexed) == 160


def test_rollback(indexed: Ragkit) -> None:
    """It brings the old settings back, once."""
    indexed("reindex", "--chunk-tokens", "40")
    call = indexed("reindex", "--rollback")
    assert call.code == 0
    assert chunk_tokens(indexed) == 160
    assert indexed("search", "bicycle").code == 0
    call = indexed("reindex", "--rollback")
    assert call.code == 4
    assert "there is nothing to go back to" in call.err


def test_rollback_stands_alone(indexed: Ragkit) -> None:
    """It can't be combined with settings or a dry run."""
    for option in (("--chunk-tokens", "40"), ("--dry-run",)):
        assert indexed("reindex", "--rollback", *option).code == 2


def test_the_command_that_a_mismatch_names(indexed: Ragkit) -> None:
    """The hint of an ingest with other settings can be followed as it stands."""
    call = indexed("ingest", "docs", "--chunk-tokens", "60", "--json", "--quiet")
    assert call.code == 4
    assert "ragkit reindex --chunk-tokens 60," in call.error["hint"]
    assert indexed("reindex", "--chunk-tokens", "60").code == 0
    assert indexed("ingest", "docs", "--chunk-tokens", "60").out.startswith("2 unchanged;")


def test_a_set_that_finds_too_little(indexed: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one serves on, which the exit code says; the next call swaps what is there."""
    with monkeypatch.context() as patch:
        patch.setattr("ragkit.indexing.comparing._found", lambda _asked, _hits: 0)
        call = indexed("reindex", "--chunk-tokens", "40", "--min-found", "0.5", "--quiet")
    assert call.code == 1
    assert "not swapped: 2 documents, " in call.out
    assert "the new set finds too little" in call.err
    assert chunk_tokens(indexed) == 160
    assert indexed("reindex", "--chunk-tokens", "40").code == 0
    assert chunk_tokens(indexed) == 40


def test_dimensions_that_the_embedded_model_does_not_have(indexed: Ragkit) -> None:
    """They are refused before anything is made."""
    call = indexed("reindex", "--embedding-dimensions", "256")
    assert call.code == 2
    assert "gives 384 dimensions, not 256" in call.err


def test_no_index(ragkit: Ragkit) -> None:
    """There has to be an index."""
    call = ragkit("reindex", "--chunk-tokens", "40")
    assert call.code == 4
    assert "there is no index" in call.err


def test_an_endpoint_without_a_key(indexed: Ragkit) -> None:
    """The variable that is missing is named."""
    call = indexed("reindex", "--embedder", "endpoint")
    assert call.code == 2
    assert "TEMPICO_API_KEY" in call.err
