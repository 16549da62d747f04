"""The server's log: one line of JSON a request, without contents, names or keys."""

from __future__ import annotations

import json
import logging
import time

import httpx
import pytest

from ragkit.server.logs import ACCESS
from tests.server.conftest import QUESTION
from tests.server.serving import Running


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger=ACCESS.name)
    return caplog


def logged(lines: pytest.LogCaptureFixture) -> str:
    """Return the next line of a request; it comes a moment after the reply."""
    for _ in range(200):
        for record in lines.records:
            if record.name == ACCESS.name:
                return record.getMessage()
        time.sleep(0.01)
    raise AssertionError("no request was logged")


def test_each_request_is_a_line(api: Running, lines: pytest.LogCaptureFixture) -> None:
    """Who, what, when, how long and how it ended; the route stands for the path."""
    reply = httpx.get(
        f"{api.base_url}/conversations/secret-name?q=secret", headers={"x-request-id": "r1"}
    )
    line = json.loads(logged(lines))
    assert line.pop("time").endswith("+00:00")
    assert line.pop("milliseconds") > 0
    assert line == {
        "request_id": "r1",
        "method": "GET",
        "path": "/v1/conversations/{id}",
        "status": 404,
        "bytes": len(reply.content),
        "key": "",
        "client": "127.0.0.1",
    }


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_of_a_question_or_an_answer_is_logged(
    api: Running, lines: pytest.LogCaptureFixture, stream: bool
) -> None:
    reply = httpx.post(
        f"{api.base_url}/chat/completions",
        json={
            "model": "ragkit",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": stream,
        },
        headers={"x-api-key": "rk-secret"},
    )
    assert "ninety days" in reply.text
    assert '"status": 200' in logged(lines)
    told = "\n".join(each.getMessage() for each in lines.records if "ragkit" in each.name)
    for secret in ("umbrellas", "Umbrellas", "ninety", "rk-secret", "harbour.md"):
        assert secret not in told


def test_a_path_that_is_no_route_is_not_logged(
    api: Running, lines: pytest.LogCaptureFixture
) -> None:
    """It may hold anything that somebody mistyped."""
    assert httpx.get(f"{api.address}/my-secret").status_code == 404
    assert json.loads(logged(lines))["path"] == ""
    assert "my-secret" not in lines.text
