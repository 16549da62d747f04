"""`ragkit keys`: making, listing and removing the keys of those who may use the server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ragkit.access_keys import FILE, AccessKeys

from .conftest import Ragkit


@pytest.fixture
def place(folder: Path) -> Path:
    """Return where the keys are for the user of the test."""
    return folder.parent / "home" / ".config" / "ragkit" / FILE


def test_add(ragkit: Ragkit, place: Path) -> None:
    """The key goes to stdout alone, to be put into a variable; the file holds its hash alone."""
    call = ragkit("keys", "add", "ci")
    secret = call.out.strip()
    assert (call.code, call.out) == (0, f"{secret}\n")
    assert secret.startswith("rk-")
    assert "ci, which may read and write; it is not shown again" in call.err
    assert secret not in call.err
    found = AccessKeys(os.environ).find(secret)
    assert found is not None
    assert found.name == "ci"
    assert secret not in place.read_text(encoding="utf-8")


def test_add_read_only(ragkit: Ragkit) -> None:
    """With --read-only the key is for reading; as JSON its facts stand beside the secret."""
    body = ragkit("keys", "add", "anna", "--read-only", "--json").json
    key = body["key"]
    assert body.keys() == {"key", "secret"}
    assert key.keys() == {"id", "name", "scopes", "created_at"}
    assert (key["name"], key["scopes"]) == ("anna", ["read"])


def test_ls(ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each key, by name, with the one of the environment; never a hash or secret."""
    assert ragkit("keys", "ls").err == "ragkit: no keys; ragkit keys add NAME makes one\n"
    assert ragkit("keys", "ls", "--json").json == {"keys": []}
    made = [ragkit("keys", "add", name, "--json").json["key"] for name in ("ci", "anna")]
    monkeypatch.setenv("RAGKIT_SERVER_KEY", "0123456789abcdef")
    rows = [line.split("\t") for line in ragkit("keys", "ls").out.splitlines()]
    assert rows == [
        ["anna", "read and write", made[1]["created_at"], made[1]["id"]],
        ["ci", "read and write", made[0]["created_at"], made[0]["id"]],
        ["environment", "read and write", "", "environment"],
    ]
    listed = ragkit("keys", "ls", "--json").json["keys"]
    assert listed[:2] == [made[1], made[0]]
    assert listed[2]["name"] == "environment"


def test_rm(ragkit: Ragkit) -> None:
    """Keys are removed by name or id, all of those that are named or none."""
    keys = {
        name: ragkit("keys", "add", name, "--json").json["key"] for name in ("a", "b", "c", "d")
    }
    call = ragkit("keys", "rm", "a", "nobody")
    assert (call.code, call.out) == (2, "")
    assert "there is no key 'nobody'" in call.err
    call = ragkit("keys", "rm", "a", keys["b"]["id"])
    assert call.out == f"removed a ({keys['a']['id']})\nremoved b ({keys['b']['id']})\n"
    assert ragkit("keys", "rm", "c", "--json").json == {"removed": [keys["c"]]}
    assert ragkit("keys", "ls", "--json").json == {"keys": [keys["d"]]}


@pytest.mark.parametrize(
    "args",
    [
        ("add",),
        ("add", "a", "b"),
        ("rm",),
        ("ls", "a"),
        ("ls", "--read-only"),
        ("add", ""),
        ("add", "environment"),
        ("forget", "a"),
    ],
)
def test_what_makes_no_sense(ragkit: Ragkit, place: Path, args: tuple[str, ...]) -> None:
    """A call that can't be meant is exit code 2, and makes no file."""
    call = ragkit("keys", *args)
    assert (call.code, call.out) == (2, "")
    assert call.err.startswith("ragkit: error: ")
    assert not place.exists()


def test_two_of_a_name(ragkit: Ragkit) -> None:
    """A name is one key's; the hint says how to replace it."""
    ragkit("keys", "add", "ci")
    call = ragkit("keys", "add", "ci")
    assert call.code == 2
    assert "ragkit keys rm ci" in call.err
