"""`ragkit keys`: who may use the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit.access_keys import AccessKeys

from .conftest import Ragkit


@pytest.fixture
def place(folder: Path) -> Path:
    """Return where the keys are for the user of the test."""
    return folder.parent / "home" / ".config" / "ragkit" / "server-keys.json"


@pytest.fixture
def known(folder: Path) -> AccessKeys:
    """The keys as a server that runs knows them."""
    return AccessKeys({"HOME": str(folder.parent / "home")})


def test_a_new_key_is_printed_alone(ragkit: Ragkit, place: Path, known: AccessKeys) -> None:
    """The secret is all of stdout, for a script to take, and stands nowhere else."""
    call = ragkit("keys", "add", "anna")
    secret = call.out.strip()
    found = known.find(secret)
    assert found
    assert (found.name, found.scopes) == ("anna", ("read", "write"))
    assert call.out == f"{secret}\n"
    assert secret not in call.err
    assert secret not in place.read_text()
    assert "read and write" in call.err


def test_a_key_as_json(ragkit: Ragkit, known: AccessKeys) -> None:
    body = ragkit("keys", "add", "ci", "--read-only", "--json").json
    found = known.find(body["secret"])
    assert found
    assert body == {"key": found.to_dict(), "secret": body["secret"]}
    assert body["key"]["scopes"] == ["read"]


def test_listed_and_removed(ragkit: Ragkit, known: AccessKeys) -> None:
    """By name or id; what is listed holds neither secrets nor hashes."""
    assert ragkit("keys", "ls").out == ""
    secrets = {name: ragkit("keys", "add", name).out.strip() for name in ("ben", "anna", "cleo")}
    call = ragkit("keys", "ls")
    assert [line.split()[0] for line in call.out.splitlines()] == ["anna", "ben", "cleo"]
    listed = ragkit("keys", "ls", "--json").json["keys"]
    assert [set(each) for each in listed] == [{"id", "name", "scopes", "created_at"}] * 3
    assert ragkit("keys", "rm", "anna", listed[1]["id"]).code == 0
    assert not known.find(secrets["anna"])
    assert not known.find(secrets["ben"])
    assert known.find(secrets["cleo"])
    removed = ragkit("keys", "rm", "cleo", "--json").json["removed"]
    assert [each["name"] for each in removed] == ["cleo"]


@pytest.mark.parametrize(
    "args",
    [
        ("add",),
        ("add", "a", "b"),
        ("rm",),
        ("ls", "a"),
        ("ls", "--read-only"),
        ("add", "environment"),
        ("add", " a "),
        ("add", "a" * 65),
        ("rm", "nobody"),
    ],
)
def test_what_makes_no_sense(ragkit: Ragkit, place: Path, args: tuple[str, ...]) -> None:
    call = ragkit("keys", *args)
    assert (call.code, call.out) == (2, "")
    assert call.err
    assert not place.exists()


def test_a_name_that_is_taken(ragkit: Ragkit, known: AccessKeys) -> None:
    """The key of before stays, and what to do is said."""
    secret = ragkit("keys", "add", "anna").out.strip()
    call = ragkit("keys", "add", "anna")
    assert (call.code, call.out) == (2, "")
    assert "ragkit keys rm anna" in call.err
    assert known.find(secret)


def test_all_or_none_are_removed(ragkit: Ragkit, known: AccessKeys) -> None:
    secret = ragkit("keys", "add", "anna").out.strip()
    assert ragkit("keys", "rm", "anna", "nobody").code == 2
    assert known.find(secret)
