"""`ragkit config` shows values, origins, the index and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit.settings import KEYS

from .conftest import Ragkit

KEY = "tk-0123456789abcdef"


def test_every_setting_has_a_line(ragkit: Ragkit, folder: Path) -> None:
    """Name, value and origin; then the path of the index and the key."""
    (folder / "ragkit.toml").write_text("limit = 3")
    rows = [tuple(line.split("\t")) for line in ragkit("config").out.splitlines()]
    assert [row[0] for row in rows] == [*KEYS, "index path", "key"]
    assert ("limit", "3", str(folder / "ragkit.toml")) in rows
    assert ("allow_http", "false", "default") in rows
    assert ("index path", str(folder / ".ragkit" / "index.db"), "not made yet") in rows
    assert ("key", "none", "") in rows


def test_json(ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same as an object; values keep their types."""
    monkeypatch.setenv("RAGKIT_LIMIT", "5")
    body = ragkit("config", "--json", "--db", "x.db").json
    assert body["settings"]["limit"] == {"value": 5, "origin": "RAGKIT_LIMIT"}
    assert body["settings"]["db"] == {"value": "x.db", "origin": "--db"}
    assert body["index"].endswith("x.db")


@pytest.mark.parametrize("option", [[], ["--json"], ["-vv"]])
def test_the_key_is_masked(
    ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    """Its last four characters and its variable show, the key does not."""
    monkeypatch.setenv("TEMPICO_API_KEY", KEY)
    call = ragkit("config", *option)
    assert "****cdef" in call.out
    assert "TEMPICO_API_KEY" in call.out
    assert KEY not in call.out + call.err


def test_a_key_that_would_not_be_used(
    ragkit: Ragkit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """config still works, and says why the key is not sent where the folder wants it."""
    monkeypatch.setenv("TEMPICO_API_KEY", KEY)
    (folder / "ragkit.toml").write_text("base_url = 'https://evil.example/v1'")
    call = ragkit("config")
    assert call.code == 0
    assert "export TEMPICO_BASE_URL=https://evil.example/v1" in call.err
    assert "evil.example" in ragkit("config", "--json").json["api_key"]["note"]
