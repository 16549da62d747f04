"""The keys of the server: kept as hashes, read anew when they change, closed when in doubt."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragkit.access_keys import FILE, VARIABLE, AccessKeys
from ragkit.errors import ConfigError

PASSPHRASE = "sixteen-letters!"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ragkit" / FILE


def test_only_a_hash_is_kept_for_the_owner_alone(environ: dict[str, str], place: Path) -> None:
    made, secret = AccessKeys(environ).add("anna")
    assert secret.startswith("rk-")
    assert secret not in place.read_text()
    assert made.sha256 not in repr(made)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert AccessKeys(environ).find(secret) == made
    assert AccessKeys(environ).find(secret[:-1]) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_is_not_used(
    environ: dict[str, str], place: Path, mode: int
) -> None:
    _, secret = AccessKeys(environ).add("anna")
    place.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        AccessKeys(environ).find(secret)
    assert "chmod 600" in caught.value.hint
    place.chmod(0o600)
    assert AccessKeys(environ).find(secret)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        '{"keys": [{}]}',
        '{"keys": [1]}',
        '{"keys": [{"id": "1", "name": "a", "created_at": "", "sha256": "ab", "scopes": []}]}',
        '{"keys": {"a": 1}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_lets_nobody_in(environ: dict[str, str], place: Path, damage: str) -> None:
    """Neither those whose key it held, nor everybody, as without keys; and it is kept as it is."""
    keys = AccessKeys(environ)
    _, secret = keys.add("anna")
    assert keys.find(secret)
    place.write_text(damage)
    for each in (keys, AccessKeys(environ)):
        with pytest.raises(ConfigError, match="damaged"):
            each.find(secret)
        with pytest.raises(ConfigError, match="damaged"):
            _ = each.required
        with pytest.raises(ConfigError, match="damaged"):
            each.add("ben")
    assert place.read_text() == damage


def test_the_key_of_the_environment(environ: dict[str, str], place: Path) -> None:
    """It is one key more, which no command can remove, and is kept nowhere."""
    keys = AccessKeys({**environ, VARIABLE: PASSPHRASE})
    found = keys.find(PASSPHRASE)
    assert found
    assert (found.name, found.scopes) == ("environment", ("read", "write"))
    assert keys.required
    with pytest.raises(ConfigError, match=VARIABLE):
        keys.remove("environment")
    assert not place.exists()


@pytest.mark.parametrize("secret", ["x" * 15, "has a space in it, alas", "ä" * 20])
def test_a_key_of_the_environment_that_is_no_good(environ: dict[str, str], secret: str) -> None:
    """It could be tried out, or not be sent in a header; it isn't shown."""
    with pytest.raises(ConfigError, match=VARIABLE) as caught:
        AccessKeys({**environ, VARIABLE: secret})
    assert secret not in str(caught.value)


def test_a_server_sees_what_others_do_to_the_keys(environ: dict[str, str]) -> None:
    """With the next look; and one that was closed once does not open with its last key."""
    server, owner = AccessKeys(environ), AccessKeys(environ)
    required = [server.required]
    _, first = owner.add("anna")
    _, second = owner.add("ben")
    assert server.find(first)
    owner.remove("anna")
    assert not server.find(first)
    assert server.find(second)
    owner.remove("ben")
    assert not server.find(second)
    required += [server.required, AccessKeys(environ).required]
    assert required == [False, True, False]  # the last is one that starts now


def test_several_writers_at_once(environ: dict[str, str], place: Path) -> None:
    """No key is lost, and whoever reads meanwhile reads a whole file."""
    names = [f"key-{number}" for number in range(24)]
    reader = AccessKeys(environ)
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(AccessKeys(environ).add, name) for name in names]
        while not all(each.done() for each in made):
            reader.list()
        secrets = [each.result()[1] for each in made]
    assert sorted(names) == [key.name for key in reader.list()]
    assert all(reader.find(secret) for secret in secrets)
    assert len({each["id"] for each in json.loads(place.read_text())["keys"]}) == len(names)


def test_without_a_home_there_is_the_variable_alone() -> None:
    keys = AccessKeys({VARIABLE: PASSPHRASE})
    assert keys.find(PASSPHRASE)
    with pytest.raises(ConfigError, match="no home folder"):
        keys.add("anna")
