"""What an index notes of itself: small values by name, and the generation that counts changes."""

from __future__ import annotations

import json

import apsw

from ragkit.db import fetch


def get(connection: apsw.Connection, name: str) -> object:
    """Return what is noted under a name; None where nothing is."""
    found = fetch(connection, "SELECT value FROM settings WHERE name = ?", name)
    return json.loads(found[0][0]) if found else None


def put(connection: apsw.Connection, name: str, value: object) -> None:
    """Note a value that JSON can hold."""
    connection.execute(
        "INSERT INTO settings (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, json.dumps(value)),
    )


def generation(connection: apsw.Connection) -> int:
    """Return how often the index was changed; what is made from it holds as long as this does."""
    stored = get(connection, "generation")
    return stored if isinstance(stored, int) else 0
