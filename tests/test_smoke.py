"""The smoke test itself, against the server on loopback: it passes, and it can fail."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import smoke
from tests.tempico import Fault, TempicoServer

STEPS = ["models", "ingest", "ingest again", "search", "ask", "ask the web"]


def write_answer(body: dict[str, Any]) -> str:
    """Cite the passage with the price, as a good model does; know capitals from the web."""
    if body["web_search"]:
        return "The capital of Mongolia is Ulaanbaatar."
    passages = re.findall(
        r'<passage-\w+ number="(\d+)"[^>]*>\n(.*?)</passage-', body["messages"][-1]["content"], re.S
    )
    numbers = [number for number, text in passages if "Islander Card costs £12.00" in text]
    return f"An Islander Card costs £12.00. [{numbers[0]}]" if numbers else "NOT FOUND"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TempicoServer]:
    monkeypatch.chdir(tmp_path)
    with TempicoServer() as running:
        running.reply = write_answer
        running.web_sources = [("https://example.org/mn", "Mongolia")]
        yield running


@pytest.fixture
def small_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ingest take one document, which holds the answer."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    shutil.copy(smoke.CORPUS / smoke.GOLD_DOCUMENT, folder)
    monkeypatch.setattr(smoke, "CORPUS", folder)


def environ(server: TempicoServer, home: Path) -> dict[str, str]:
    return {
        "TEMPICO_API_KEY": server.key,
        "TEMPICO_BASE_URL": server.base_url,
        "HOME": str(home),
    }


def verdicts(printed: str) -> dict[str, str]:
    """Return what was printed of each step: ok or failed."""
    lines = re.findall(r"^(.{14})(ok|failed) ", printed, re.MULTILINE)
    return {name.strip(): verdict for name, verdict in lines}


def test_all_steps_pass(
    server: TempicoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an endpoint that does what its contract says, every step is ok and the exit code 0."""
    code = smoke.main(environ(server, tmp_path))
    printed = capsys.readouterr().out
    assert verdicts(printed) == dict.fromkeys(STEPS, "ok"), printed
    assert code == 0
    local, web = server.requests_to("/chat/completions")
    assert (local.body["web_search"], web.body["web_search"]) == (False, True)
    assert server.key not in printed


def test_without_a_key_it_says_that_it_was_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing to try is no failure, but nobody takes it for a success either."""
    monkeypatch.chdir(tmp_path)
    assert smoke.main({"HOME": str(tmp_path)}) == 0
    assert capsys.readouterr().out.startswith("SKIPPED")


@pytest.mark.usefixtures("small_corpus")
def test_a_wrong_answer_fails(
    server: TempicoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer without the fact fails its step, and the other steps are still tried."""
    server.reply = lambda body: "An Islander Card costs £99.00. [1]"
    assert smoke.main(environ(server, tmp_path)) == 1
    assert verdicts(capsys.readouterr().out) == {**dict.fromkeys(STEPS, "ok"), "ask": "failed"}


def test_a_wrong_key_fails_without_a_traceback(
    server: TempicoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step says what the endpoint said."""
    code = smoke.main({**environ(server, tmp_path), "TEMPICO_API_KEY": "tk-wrong-key-123456"})
    printed = capsys.readouterr().out
    assert code == 1
    assert verdicts(printed) == dict.fromkeys(STEPS, "failed")
    assert "tk-wrong-key" not in printed


@pytest.mark.usefixtures("small_corpus")
def test_a_missing_model_fails(
    server: TempicoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that the endpoint doesn't list is named."""
    server.fail("/models", Fault(edit=lambda reply: {**reply, "data": reply["data"][:1]}))
    assert smoke.main(environ(server, tmp_path)) == 1
    printed = capsys.readouterr().out
    assert verdicts(printed)["models"] == "failed"
    assert "not listed: embeddinggemma:300m" in printed
