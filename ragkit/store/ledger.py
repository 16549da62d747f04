"""The ledger: what requests an index's ingests have sent, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from ragkit.db import fetch
from ragkit.types import ModelUsage, RequestRecord

FIRST_SCHEMA = 2  # that has a ledger


def record(connection: apsw.Connection, records: Iterable[RequestRecord], *, now: str) -> None:
    """Add a row for each request."""
    connection.executemany(
        "INSERT INTO requests (sent_at, model, texts, estimated_tokens, tokens, milliseconds,"
        " outcome) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (now, r.model, r.texts, r.estimated_tokens, r.tokens, r.milliseconds, r.outcome)
            for r in records
        ],
    )


def by_model(connection: apsw.Connection) -> list[ModelUsage]:
    """Return what was asked of each model, by name. Failed requests count for nothing else."""
    if connection.pragma("user_version") < FIRST_SCHEMA:
        return []
    found = fetch(
        connection,
        "SELECT model, count(*), sum(outcome <> 'ok'), sum(iif(outcome = 'ok', texts, 0)),"
        " sum(iif(outcome = 'ok' AND tokens > 0, estimated_tokens, 0)),"
        " sum(iif(outcome = 'ok', tokens, 0)), sum(iif(outcome = 'ok', milliseconds, 0))"
        " FROM requests GROUP BY model ORDER BY model",
    )
    return [ModelUsage(*row) for row in found]
