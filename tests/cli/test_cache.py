"""`ragkit cache`: what is kept of what was embedded."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ragkit.cache import VectorCache, cache_key

from .conftest import Call, Ragkit


@pytest.fixture
def place(folder: Path) -> Path:
    """Return where the cache is for the user of the test."""
    return folder.parent / "home" / ".cache" / "ragkit" / "embeddings.db"


@pytest.fixture
def filled(place: Path) -> Path:
    """Keep three vectors, and return where."""
    with closing(VectorCache(place, max_bytes=10**9, clock=lambda: 1_800_000_000.0)) as cache:
        cache.put({cache_key("model", 768, text): bytes(3072) for text in ("a", "b", "c")})
    return place


def kept(ragkit: Ragkit) -> int:
    return int(ragkit("cache", "stats", "--json").json["entries"])


def at_terminal(answer: str, *args: str) -> Call:
    """Call ragkit in a process whose input is a terminal, at which someone types an answer."""
    keyboard, terminal = os.openpty()
    os.write(keyboard, answer.encode() + b"\n")
    done = subprocess.run(
        [sys.executable, "-m", "ragkit", *args],
        check=False,
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for end in (keyboard, terminal):
        os.close(end)
    return Call(done.returncode, done.stdout, done.stderr)


def test_stats(ragkit: Ragkit, filled: Path) -> None:
    """Where it is, how much it holds, and since when."""
    rows = dict(line.split("\t") for line in ragkit("cache", "stats").out.splitlines())
    assert rows == {
        "cache": str(filled),
        "embeddings": "3",
        "size": "0.0 MB",
        "largest size": "2048.0 MB",
        "oldest use": "2027-01-15",
        "newest use": "2027-01-15",
    }


def test_stats_as_json(ragkit: Ragkit, filled: Path) -> None:
    """The same as one object, with what is wrong, if anything is."""
    body = ragkit("cache", "stats", "--json").json
    assert body.pop("size_bytes") == filled.stat().st_size
    assert body == {
        "path": str(filled),
        "entries": 3,
        "max_bytes": 2_048_000_000,
        "oldest_use": "2027-01-15T08:00:00+00:00",
        "newest_use": "2027-01-15T08:00:00+00:00",
        "used": True,
        "problem": "",
    }


def test_stats_of_nothing(ragkit: Ragkit, place: Path) -> None:
    """No cache is no error, and looking makes none."""
    call = ragkit("cache", "stats")
    assert call.code == 0
    assert "embeddings\t0\n" in call.out
    assert "oldest use\tnone\n" in call.out
    assert not place.parent.exists()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [("RAGKIT_CACHE", "false", "cache is false"), ("RAGKIT_CACHE_MB", "0", "cache_mb is 0")],
)
@pytest.mark.usefixtures("filled")
def test_stats_of_a_cache_that_is_off(
    ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    """What is kept is still counted, and the setting that turned it off is named."""
    monkeypatch.setenv(variable, value)
    call = ragkit("cache", "stats")
    assert "embeddings\t3\n" in call.out
    assert f"largest size\tnot in use: {words}\n" in call.out
    assert ragkit("cache", "stats", "--json").json["used"] is False
    assert ragkit("cache", "clear").out.startswith("removed 3 embeddings")


@pytest.mark.usefixtures("filled")
def test_clear(ragkit: Ragkit) -> None:
    """It says how many and how large; where nobody sits before it, it doesn't ask."""
    call = ragkit("cache", "clear")
    assert (call.code, call.out, call.err) == (0, "removed 3 embeddings (0.0 MB)\n", "")
    assert kept(ragkit) == 0
    assert ragkit("cache", "clear").out == "removed 0 embeddings (0.0 MB)\n"


def test_clear_as_json(ragkit: Ragkit, filled: Path) -> None:
    """How many, and how many bytes the files are smaller."""
    size = filled.stat().st_size
    body = ragkit("cache", "clear", "--json", "--yes").json
    assert body == {
        "path": str(filled),
        "removed": 3,
        "freed_bytes": size - filled.stat().st_size,
    }
    assert body["freed_bytes"] > 9_000


@pytest.mark.usefixtures("filled")
def test_clear_asks_on_a_terminal(ragkit: Ragkit) -> None:
    """No removes nothing, yes does; --yes asks nothing, nor is there a question of nothing."""
    refused = at_terminal("n", "cache", "clear")
    assert (refused.code, refused.out) == (0, "")
    assert "Remove 3 embeddings (0.0 MB) from " in refused.err
    assert refused.err.endswith("ragkit: nothing was removed\n")
    assert kept(ragkit) == 3
    assert at_terminal("y", "cache", "clear").out == "removed 3 embeddings (0.0 MB)\n"
    assert at_terminal("n", "cache", "clear").out == "removed 0 embeddings (0.0 MB)\n"


@pytest.mark.usefixtures("filled")
def test_clear_without_a_question() -> None:
    """--yes is for scripts that run at a terminal."""
    call = at_terminal("n", "cache", "clear", "--yes")
    assert (call.code, call.err) == (0, "")
    assert call.out.startswith("removed 3 ")


def test_a_cache_that_can_not_be_used(ragkit: Ragkit, place: Path) -> None:
    """stats tells the problem; clear fails with it, and leaves the file as it is."""
    place.mkdir(parents=True)
    stats = ragkit("cache", "stats")
    assert stats.code == 0
    assert "can't be used" in stats.err
    assert "can't be used" in ragkit("cache", "stats", "--json").json["problem"]
    call = ragkit("cache", "clear", "--yes")
    assert (call.code, call.out) == (4, "")
    assert str(place) in call.err


def test_no_home(ragkit: Ragkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home there is no place for a cache, and that is said."""
    monkeypatch.delenv("HOME")
    call = ragkit("cache", "stats")
    assert call.code == 2
    assert "XDG_CACHE_HOME" in call.err


@pytest.mark.parametrize("args", [[], ["shrink"], ["stats", "clear"]])
def test_usage(ragkit: Ragkit, args: list[str]) -> None:
    """There are two actions, and one has to be named."""
    call = ragkit("cache", *args)
    assert call.code == 2
    assert "ragkit cache --help" in call.err
