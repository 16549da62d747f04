"""What the settings make of who may use the server, and where it may listen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ragkit.access_keys import FILE, AccessKeys
from ragkit.config import resolve
from ragkit.errors import ConfigError
from ragkit.server.pace import Pace
from ragkit.server.rules import MIB, Rules, check_binding, is_loopback
from ragkit.settings import Settings

OPEN_HOSTS = ["0.0.0.0", "::", "", "192.0.2.1", "[::]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


@pytest.fixture
def keys(environ: dict[str, str]) -> AccessKeys:
    return AccessKeys(environ)


# --- where to listen ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.0.0.2", "127.1"])
def test_this_machine_needs_no_key(keys: AccessKeys, host: str) -> None:
    """What only this machine can reach may be open."""
    assert is_loopback(host)
    check_binding(Settings(server_host=host), keys)


@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_elsewhere_a_key_is_needed(keys: AccessKeys, host: str) -> None:
    """A server that others can reach doesn't start without a key, and says how to make one."""
    assert not is_loopback(host)
    with pytest.raises(ConfigError) as caught:
        check_binding(Settings(server_host=host), keys)
    assert "ragkit keys add" in caught.value.hint
    keys.add("ci")
    check_binding(Settings(server_host=host), keys)
    assert Rules.of(Settings(server_host=host), port=8484).needs_key


def test_the_key_of_the_environment_will_do(environ: dict[str, str]) -> None:
    """RAGKIT_SERVER_KEY is a key like another."""
    keys = AccessKeys({**environ, "RAGKIT_SERVER_KEY": "0123456789abcdef"})
    check_binding(Settings(server_host="0.0.0.0"), keys)


def test_a_damaged_file_of_keys_is_no_key(keys: AccessKeys, tmp_path: Path) -> None:
    """A file that can't be read doesn't count as having keys, nor as having none."""
    keys.add("ci")
    (tmp_path / ".config" / "ragkit" / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="damaged"):
        check_binding(Settings(server_host="0.0.0.0"), keys)


def test_a_name_that_nobody_has(keys: AccessKeys) -> None:
    """A host that can't be resolved is an error of the settings."""
    with pytest.raises(ConfigError, match=r"no\.invalid"):
        check_binding(Settings(server_host="no.invalid"), keys)


@pytest.mark.parametrize(
    "line",
    [
        'server_host = "0.0.0.0"',
        'server_hosts = "evil.com"',
        'server_origins = "https://evil.com"',
    ],
)
def test_a_folder_opens_no_server(keys: AccessKeys, tmp_path: Path, line: str) -> None:
    """A folder's ragkit.toml lets nobody else in, even with keys; the user's word does."""
    (tmp_path / "ragkit.toml").write_text(line, encoding="utf-8")
    keys.add("ci")
    environ = {"HOME": str(tmp_path / "home")}
    with pytest.raises(ConfigError) as caught:
        check_binding(resolve({}, environ=environ, cwd=tmp_path), keys)
    assert caught.value.code == "untrusted-project"
    name, _, value = line.partition(" = ")
    environ[f"RAGKIT_{name.upper()}"] = value.strip('"')
    check_binding(resolve({}, environ=environ, cwd=tmp_path), keys)


# --- the rules ----------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_settings() -> None:
    """Rules made by hand, as in tests, are those of a server without settings."""
    made = Rules.of(Settings(), port=8484)
    assert replace(made, hosts=Rules().hosts) == Rules()
    assert made.hosts == {"localhost", "127.0.0.1", "[::1]", "127.0.0.1:8484"}


@pytest.mark.parametrize(
    ("host", "name"),
    [("192.0.2.1", "192.0.2.1:80"), ("2001:db8::1", "[2001:db8::1]:80"), ("Nas", "nas:80")],
)
def test_it_is_called_by_its_address(host: str, name: str) -> None:
    """Whoever reaches it by the address and port that it listens on may use that as its name."""
    rules = replace(Rules(), hosts=Rules().hosts | {name})
    assert rules.allows_host(name, "http")
    assert rules.allows_host(name.removesuffix(":80"), "http")  # the port that http has anyway
    assert not rules.allows_host(name + "81", "http")
    assert not Rules().allows_host(name, "http")
    settings = Settings(server_host="127.0.0.2", server_port=80)
    assert "127.0.0.2:80" in Rules.of(settings, port=80).hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::"])
def test_every_address_is_no_name(host: str) -> None:
    """Listening everywhere makes no name known; those that people use have to be told."""
    settings = Settings(server_host=host, server_hosts="Nas, notes.example.org:443")
    rules = Rules.of(settings, port=8484)
    assert rules.hosts - Rules().hosts == {"nas", "notes.example.org:443"}
    assert rules.allows_host("notes.example.org", "https")


def test_limits() -> None:
    """Sizes are told in megabytes, and requests a minute are shared by the processes."""
    settings = Settings(
        server_body_mb=2, server_upload_mb=10, server_requests_per_minute=90, server_workers=4
    )
    rules = Rules.of(settings, port=1)
    assert (rules.body_bytes, rules.upload_bytes) == (2 * MIB, 11 * MIB)
    assert rules.requests_per_minute == 22.5


def test_origins() -> None:
    """Origins are known in the spelling of browsers: no capitals, no port that goes without."""
    settings = Settings(
        server_origins="https://Notes.example.org:443/, http://a:81,app://obsidian.md,"
    )
    assert Rules.of(settings, port=1).origins == {
        "https://notes.example.org",
        "http://a:81",
        "app://obsidian.md",
    }


@pytest.mark.parametrize(
    "settings",
    [
        Settings(server_hosts="*"),
        Settings(server_hosts="https://nas"),
        Settings(server_hosts="*.example.org"),
        Settings(server_origins="*"),
        Settings(server_origins="null"),
        Settings(server_origins="https://*.example.org"),
        Settings(server_origins="notes.example.org"),
        Settings(server_origins="https://notes.example.org/page"),
    ],
)
def test_names_that_are_none(settings: Settings) -> None:
    """A pattern, or a name that could never match, is refused rather than passed over."""
    with pytest.raises(ConfigError, match="server_"):
        Rules.of(settings, port=1)


# --- pace ---------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_fills_up_again() -> None:
    """After the wait that was told the next request is let through, and only that one."""
    clock = Clock()
    pace = Pace(60.0, clock=clock)
    assert [pace.wait_seconds("a") for _ in range(61)] == [0.0] * 60 + [1.0]
    clock.now += 0.5
    assert pace.wait_seconds("a") == 0.5
    clock.now += 0.5
    assert (pace.wait_seconds("a"), pace.wait_seconds("a")) == (0.0, 1.0)
    clock.now += 3600
    assert [pace.wait_seconds("a") for _ in range(61)] == [0.0] * 60 + [1.0]


def test_any_number_of_requests() -> None:
    """0 a minute stands for no limit, and remembers nobody."""
    pace = Pace(0.0)
    assert [pace.wait_seconds("a") for _ in range(1000)] == [0.0] * 1000
    assert len(pace) == 0


def test_less_than_one_a_minute() -> None:
    """Shared by many processes a limit still lets one request through in each."""
    pace = Pace(0.5, clock=Clock())
    assert (pace.wait_seconds("a"), pace.wait_seconds("a")) == (0.0, 120.0)


def test_the_number_of_callers_is_bounded() -> None:
    """Those who ask are remembered rather than those who asked once long ago."""
    clock = Clock()
    pace = Pace(1.0, callers=10, clock=clock)
    for number in range(1000):
        pace.wait_seconds(f"address {number}")
        pace.wait_seconds("busy")
    assert len(pace) == 10
    assert pace.wait_seconds("busy") > 0
    assert pace.wait_seconds("address 0") == 0
