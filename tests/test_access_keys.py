"""The keys of those who may use the server: how they are kept, found, and taken away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ragkit.access_keys import FILE, LEAST_CHARACTERS, VARIABLE, AccessKeys, Scope
from ragkit.config import resolve
from ragkit.errors import ConfigError

SECRET = "0123456789abcdef"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".config" / "ragkit" / FILE


@pytest.fixture
def keys(environ: dict[str, str]) -> AccessKeys:
    return AccessKeys(environ)


def names(keys: AccessKeys) -> list[str]:
    return [key.name for key in keys.list()]


def test_a_key_is_found_by_its_secret(environ: dict[str, str]) -> None:
    """Whoever shows the secret is the one it was made for, with the scopes it was made with."""
    moment = datetime(2027, 1, 15, 8, tzinfo=UTC)
    keys = AccessKeys(environ, clock=lambda: moment)
    made = [keys.add("a"), keys.add("b", ["write", "read"]), keys.add("c", ["read"])]
    assert [keys.find(secret) for _, secret in made] == [key for key, _ in made]
    assert [key.scopes for key, _ in made] == [("read", "write"), ("read", "write"), ("read",)]
    assert made[0][0].created_at == "2027-01-15T08:00:00+00:00"
    assert len({secret for _, secret in made} | {key.id for key, _ in made}) == 6
    assert all(len(secret) == len("rk-") + 43 for _, secret in made)
    for token in ("", "rk-", made[0][1][:-1], made[0][1] + "x", made[0][0].sha256, "\udcff"):
        assert keys.find(token) is None


def test_what_is_kept(keys: AccessKeys, path: Path) -> None:
    """Only a hash of the secret, in a file that only the user can read."""
    key, secret = keys.add("ci")
    stored = path.read_text(encoding="utf-8")
    assert secret not in stored
    assert secret.removeprefix("rk-") not in stored
    assert json.loads(stored)["keys"] == [{**key.to_dict(), "sha256": key.sha256}]
    assert key.sha256 not in repr(key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {each.name for each in path.parent.iterdir()} == {FILE, f"{FILE}.lock"}


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\x1b[1m", "a" * 65, "environment", "\u202ea"])
def test_names(keys: AccessKeys, path: Path, name: str) -> None:
    """A name that could be taken for another one, or for none, is refused."""
    with pytest.raises(ConfigError):
        keys.add(name)
    assert not path.exists()


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "admin"]])
def test_scopes(keys: AccessKeys, scopes: list[Scope]) -> None:
    """A key is for reading, writing or both, and for nothing else."""
    with pytest.raises(ConfigError, match="scopes"):
        keys.add("ci", scopes)


def test_a_name_is_one_keys(keys: AccessKeys) -> None:
    """The same name a second time is refused, and the first key goes on to count."""
    _, secret = keys.add("ci")
    with pytest.raises(ConfigError, match="already"):
        keys.add("ci")
    assert keys.find(secret) is not None
    assert names(keys) == ["ci"]


def test_removing(keys: AccessKeys) -> None:
    """By name or id; the name goes first, so that nobody is taken for another by theirs."""
    first, secret = keys.add("a")
    second, other = keys.add(first.id)
    assert keys.remove(first.id) == [second]
    assert keys.remove(first.id) == [first]
    assert (keys.find(secret), keys.find(other)) == (None, None)
    with pytest.raises(ConfigError, match="no key 'a'"):
        keys.remove("a")


def test_a_key_that_is_named_twice(keys: AccessKeys) -> None:
    """By its name and by its id it is one key, which is removed once."""
    key, _ = keys.add("a")
    other, _ = keys.add("b")
    assert keys.remove("a", key.id, "a") == [key]
    assert keys.list() == [other]


# --- changes that others make -------------------------------------------------------------------


def test_another_process_changes_the_keys(keys: AccessKeys, environ: dict[str, str]) -> None:
    """Every change counts with the next call, in either direction, however quickly they follow."""
    server = AccessKeys(environ)
    for number in range(50):
        _, secret = keys.add("ci")
        assert server.find(secret) is not None, number
        keys.remove("ci")
        assert server.find(secret) is None, number


def test_a_file_that_did_not_change_is_not_read_again(
    keys: AccessKeys, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request costs one look at the file, not a reading of it."""
    _, secret = keys.add("ci")
    assert keys.find(secret) is not None

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr(Path, "open", refuse)
    assert keys.find(secret) is not None


def test_two_writers(environ: dict[str, str], keys: AccessKeys) -> None:
    """Processes that add keys at the same time lose none of them."""
    code = (
        "import os, sys; from ragkit.access_keys import AccessKeys; keys = AccessKeys(os.environ);"
        " [keys.add(f'{sys.argv[1]}-{n}') for n in range(20)]"
    )
    surroundings = {**os.environ, **environ, "XDG_CONFIG_HOME": ""}
    writers = [
        subprocess.Popen([sys.executable, "-c", code, name], env=surroundings) for name in "abc"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert sorted(names(keys)) == sorted(f"{name}-{n}" for name in "abc" for n in range(20))


def test_a_key_is_required_from_the_first_one_on(
    keys: AccessKeys, environ: dict[str, str], path: Path
) -> None:
    """Removing the last key, or the whole file, doesn't open a server that runs."""
    server = AccessKeys(environ)
    seen = [server.required]
    keys.add("ci")
    seen.append(server.required)
    keys.remove("ci")
    seen.append(server.required)
    path.unlink()
    seen.append(server.required)
    assert seen == [False, True, True, True]
    assert not AccessKeys(environ).required


def test_keys_there_at_the_start_are_required_after_the_end(
    keys: AccessKeys, environ: dict[str, str]
) -> None:
    """A process that was never asked anything yet knows that there were keys when it began."""
    keys.add("ci")
    server = AccessKeys(environ)
    keys.remove("ci")
    assert server.required


# --- files that can't be trusted ----------------------------------------------------------------

KEY = {"id": "a", "name": "a", "scopes": ["read"], "created_at": "", "sha256": "0" * 64}


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"keys": 1}',
        '{"keys": ["a"]}',
        json.dumps({"keys": [{**KEY, "scopes": ["read", "all"]}]}),
        json.dumps({"keys": [{**KEY, "scopes": "read"}]}),
        json.dumps({"keys": [{**KEY, "sha256": ""}]}),
        json.dumps({"keys": [{**KEY, "sha256": None}]}),
        json.dumps({"keys": [{**KEY, "name": 1}]}),
        json.dumps({"keys": [{**KEY, "sha256": "x" * 64}]}),
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_damaged_file_lets_nobody_in(keys: AccessKeys, path: Path, stored: str) -> None:
    """Each call says so, nothing is written over, and all is as before when it's mended."""
    _, secret = keys.add("ci")
    whole = path.read_bytes()
    path.write_bytes(stored.encode("latin-1"))
    calls: list[Any] = [
        lambda: keys.find(secret),
        lambda: keys.required,
        keys.list,
        lambda: keys.add("b"),
        lambda: keys.remove("ci"),
    ]
    for call in calls * 2:
        with pytest.raises(ConfigError, match="damaged"):
            call()
    assert path.read_bytes() == stored.encode("latin-1")
    path.write_bytes(whole)
    assert keys.find(secret) is not None


def test_a_file_that_others_can_read_is_not_used(keys: AccessKeys, path: Path) -> None:
    """As with the key of the endpoint: the mode is told, and how to mend it."""
    _, secret = keys.add("ci")
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="mode 640") as caught:
        keys.find(secret)
    assert caught.value.hint.startswith("chmod 600 ")
    path.chmod(0o600)
    assert keys.find(secret) is not None


def test_a_folder_in_the_place_of_the_file(keys: AccessKeys, path: Path) -> None:
    """What can't be read is an error, not a lack of keys."""
    path.mkdir(parents=True)
    path.chmod(0o700)
    with pytest.raises(ConfigError, match="can't be read"):
        _ = keys.required


# --- the environment ----------------------------------------------------------------------------


def test_the_key_of_the_environment(environ: dict[str, str], path: Path) -> None:
    """It counts beside those of the file, for reading and writing, and can't be removed there."""
    AccessKeys(environ).add("ci")
    keys = AccessKeys({**environ, VARIABLE: f"{SECRET}\n"})
    found = keys.find(SECRET)
    assert found is not None
    assert (found.name, found.scopes) == ("environment", ("read", "write"))
    assert keys.required
    assert names(keys) == ["ci", "environment"]
    with pytest.raises(ConfigError) as caught:
        keys.remove("environment")
    assert caught.value.hint == f"unset {VARIABLE}"
    assert SECRET not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "secret", ["x" * (LEAST_CHARACTERS - 1), "a passphrase with spaces", "é" * 20]
)
def test_a_key_of_the_environment_that_is_none(environ: dict[str, str], secret: str) -> None:
    """What is short enough to be tried out, or can't be sent in a header, is refused unshown."""
    with pytest.raises(ConfigError, match=VARIABLE) as caught:
        AccessKeys({**environ, VARIABLE: secret})
    assert secret not in str(caught.value) + caught.value.hint


def test_without_a_home() -> None:
    """There is the key of the environment at most, and no place for others."""
    keys = AccessKeys({VARIABLE: SECRET})
    assert keys.find(SECRET) is not None
    assert not AccessKeys({}).required
    with pytest.raises(ConfigError, match="no home folder"):
        AccessKeys({}).add("ci")


def test_settings_pass_by_the_variable(tmp_path: Path) -> None:
    """The variable is no setting, and isn't taken for a misspelt one."""
    assert resolve({}, environ={VARIABLE: SECRET}, cwd=tmp_path).server_host == "127.0.0.1"
