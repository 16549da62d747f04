"""What each ingest of a watched folder changed, a line for each document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ragkit.cli import render
from ragkit.cli.terminal import one_line
from ragkit.types import IngestReport

Change = Mapping[str, Any]


def changes(report: IngestReport, before: IngestReport, chunks: Mapping[str, int]) -> list[Change]:
    """Return what an ingest did; failures only where they differ from those of the one before.

    `chunks` says how many a document has, by uri.
    """
    return [
        *_with_chunks("added", report.added, chunks),
        *_with_chunks("updated", report.updated, chunks),
        *({"event": "moved", **move.to_dict()} for move in report.moved),
        *({"event": "removed", "uri": uri} for uri in report.removed),
        *(
            {"event": "failed", **failure.to_dict()}
            for failure in report.failed
            if failure not in before.failed
        ),
    ]


def _with_chunks(
    event: str, uris: tuple[str, ...], chunks: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    for uri in uris:
        yield {"event": event, "uri": uri, "chunks": chunks.get(uri, 0)}


def as_text(change: Change) -> str:
    """Return a change as a line for people."""
    event = change["event"]
    if event == "moved":
        return f"moved {render.name(change['from'])} -> {render.name(change['to'])}"
    said = f"{event} {render.name(change['uri'])}"
    if "chunks" in change:
        return f"{said} ({change['chunks']} chunk{'' if change['chunks'] == 1 else 's'})"
    if event == "failed":
        return f"{said}: {one_line(change['message'])} ({change['code']})"
    return said


def as_json(change: Change) -> str:
    """Return a change as a line for programs; ASCII, so nothing in it moves a terminal."""
    return json.dumps(change)
