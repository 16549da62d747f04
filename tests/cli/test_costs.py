"""What an ingest costs: said before it is sent, held to a limit, written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Ragkit
from tests.tempico import EMBEDDING_MODEL, TempicoServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[TempicoServer]:
    """An endpoint on loopback that the calls of a test use."""
    with TempicoServer() as server:
        monkeypatch.setenv("TEMPICO_BASE_URL", server.base_url)
        monkeypatch.setenv("TEMPICO_API_KEY", server.key)
        yield server


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty files of a chunk each, in the working folder."""
    folder = tmp_path / "work" / "docs"
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"{number:02}.md").write_text(
            f"# Note {number}\n\n{'rope and tar ' * 40}{number}\n"
        )
    monkeypatch.chdir(folder.parent)
    return folder


def test_a_dry_run_sends_and_changes_nothing(
    ragkit: Ragkit, server: TempicoServer, docs: Path
) -> None:
    """It says files, chunks, tokens, requests and money."""
    call = ragkit("ingest", "docs", "--dry-run", "--json")
    told = call.json
    assert (told["files"], told["added"], told["new_chunks"]) == (20, 20, 20)
    assert told["requests"] == 1
    assert told["tokens"] > 1000
    assert told["cost"] is None
    assert server.requests == []
    assert not (docs.parent / ".ragkit").exists()


def test_the_cost_by_the_configured_price(
    ragkit: Ragkit, server: TempicoServer, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money for a million tokens, by model."""
    monkeypatch.setenv("RAGKIT_PRICES", f"other=9, {EMBEDDING_MODEL}=2.5")
    told = ragkit("ingest", "docs", "--dry-run", "--json").json
    assert told["cost"] == pytest.approx(told["tokens"] * 2.5 / 1e6)


def test_what_is_known_costs_nothing(ragkit: Ragkit, server: TempicoServer, docs: Path) -> None:
    """Neither what the index holds nor what another index has embedded."""
    ragkit("ingest", "docs")
    assert ragkit("ingest", "docs", "--dry-run", "--json").json["new_chunks"] == 0
    sent = len(server.texts)
    again = ragkit("--db", "other.db", "ingest", "docs", "--dry-run", "--json").json
    assert (again["chunks"], again["new_chunks"], again["tokens"]) == (20, 0, 0)
    assert ragkit("--db", "other.db", "ingest", "docs").code == 0
    assert len(server.texts) == sent


def test_without_the_cache_another_index_pays_again(
    ragkit: Ragkit, server: TempicoServer, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch switches."""
    monkeypatch.setenv("RAGKIT_CACHE", "false")
    ragkit("ingest", "docs")
    ragkit("--db", "other.db", "ingest", "docs")
    assert len(server.texts) == 40


def test_a_limit_stops_before_it_is_passed(
    ragkit: Ragkit, server: TempicoServer, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is complete is kept, and a second run goes on from there."""
    monkeypatch.setattr("ragkit.providers.endpoint.MAX_BATCH_TEXTS", 4)
    whole = ragkit("ingest", "docs", "--dry-run", "--json").json["tokens"]
    call = ragkit("ingest", "docs", "--max-tokens", str(whole // 2), "--json")
    assert call.json["stopped"] == "max-tokens"
    assert 0 < len(call.json["added"]) <= 10
    assert "run it again" in call.err
    rest = ragkit("ingest", "docs", "--json")
    assert len(rest.json["added"]) == 20 - len(call.json["added"])
    assert len(server.texts) == len(set(server.texts)) == 20


def test_what_a_limit_cut_short_is_told(ragkit: Ragkit, server: TempicoServer, docs: Path) -> None:
    """Of a document that is not complete nothing is searchable, but it has cost something."""
    text = "\n\n".join(f"## Part {n}\n\n" + f"Berth {n} is dredged. " * 60 for n in range(20))
    (docs.parent / "long.md").write_text(text, encoding="utf-8")
    call = ragkit("ingest", "long.md", "--max-tokens", "2000")
    assert call.code == 0
    assert call.out.startswith("no documents; 0 chunks, ")
    embedded = int(call.out.split()[4])
    assert embedded == len(server.texts) > 0
    assert "more embedded of documents that are not complete" in call.out


def test_a_limit_in_money_needs_a_price(ragkit: Ragkit, server: TempicoServer, docs: Path) -> None:
    """And says how to set it."""
    call = ragkit("ingest", "docs", "--max-cost", "0.01")
    assert call.code == 2
    assert "prices" in call.err
    assert server.requests == []


def test_much_is_not_sent_unasked(
    ragkit: Ragkit, server: TempicoServer, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal it fails with the estimate; --yes lets it."""
    monkeypatch.setenv("RAGKIT_CONFIRM_TOKENS", "1000")
    call = ragkit("ingest", "docs")
    assert call.code == 2
    assert "confirm_tokens" in call.err
    assert "--yes" in call.err
    assert server.texts == []
    assert ragkit("ingest", "docs", "--yes").code == 0
    assert len(server.texts) == 20


def test_the_ledger(
    ragkit: Ragkit, server: TempicoServer, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests, texts and tokens as billed, by model, and what they cost."""
    monkeypatch.setenv("RAGKIT_PRICES", f"{EMBEDDING_MODEL}=1000")
    report = ragkit("ingest", "docs", "--json").json
    (usage,) = ragkit("stats", "--usage", "--json").json["usage"]
    assert usage["model"] == EMBEDDING_MODEL
    assert (usage["texts"], usage["failed"]) == (20, 0)
    assert usage["tokens"] == report["usage"]["embedding_tokens"] == server.counts.tokens
    assert usage["requests"] == report["usage"]["requests"]
    assert f"{usage['tokens'] / 1000:,.4f}" in ragkit("stats", "--usage").out


def test_estimates_learn_from_what_was_billed(
    ragkit: Ragkit, server: TempicoServer, docs: Path
) -> None:
    """The next dry run is corrected by what this model's tokens have been."""
    server.count_tokens = lambda text: 3 * len(text.split())
    ragkit("ingest", *(f"docs/{number:02}.md" for number in range(10)))
    billed = server.counts.tokens
    told = ragkit("ingest", "docs", "--dry-run", "--json").json
    assert told["tokens"] == pytest.approx(billed, rel=0.02)


def test_events_as_json(ragkit: Ragkit, server: TempicoServer, docs: Path) -> None:
    """With --json each event is a line on stderr, and stdout the report alone."""
    call = ragkit("ingest", "docs", "--json")
    events = [json.loads(line) for line in call.err.splitlines()]
    assert {event["event"] for event in events} == {"notice", "progress"}
    assert events[-1]["files"] == events[-1]["files_total"] == 20
    assert len(call.json["added"]) == 20


def test_a_dry_run_asks_nothing_of_an_unknown_model(
    ragkit: Ragkit, server: TempicoServer, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even how long its vectors are."""
    server.knows_any_model = True
    monkeypatch.setenv("RAGKIT_EMBEDDING_MODEL", "unheard-of:7b")
    assert ragkit("ingest", "docs", "--dry-run", "--json").json["new_chunks"] == 20
    assert server.requests == []
