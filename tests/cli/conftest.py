"""A machine of its own for each test, and a small library that is ingested once."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ragkit.cli import run

HARBOUR = """\
# Harbour office

## Opening hours

The harbour office is open from 7:30 to 18:00 on weekdays. On Sundays it is closed.

## Lost property

Umbrellas and bags that are found on board are kept for ninety days. After that they are given
to the charity shop in Mill Street.
"""
FERRY = """\
# Ferry rules

## Bicycles

A bicycle travels free of charge outside the summer season. In July and August it costs 4 euros.

## Dogs

Dogs have to be on a lead on every deck, and may not enter the saloon.
"""


@dataclass(frozen=True)
class Call:
    """What a call of ragkit did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


Ragkit = Callable[..., Call]


def clear_environment(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Leave nothing of this machine's own settings, and make `home` the home."""
    for name in list(os.environ):
        if name.startswith(("RAGKIT_", "TEMPICO_", "XDG_")):
            patch.delenv(name)
    patch.setenv("HOME", str(home))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder to work in, with an empty home beside it."""
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    clear_environment(monkeypatch, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def ragkit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ragkit:
    """Return a function that calls ragkit in this process."""

    def call(*args: str, stdin: str = "") -> Call:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run(args)
        captured = capsys.readouterr()
        return Call(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def library_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ingest two documents once; the folder holds `docs` and the index."""
    root = tmp_path_factory.mktemp("library")
    write_documents(root / "docs")
    with pytest.MonkeyPatch.context() as patch:
        clear_environment(patch, root)
        patch.chdir(root)
        assert run(["ingest", "docs", "--quiet", "--chunk-tokens", "60"]) == 0
    return root


@pytest.fixture
def library(ragkit: Ragkit, library_index: Path, monkeypatch: pytest.MonkeyPatch) -> Ragkit:
    """Call ragkit in the folder of the ingested library, which is not to be changed."""
    monkeypatch.chdir(library_index)
    return ragkit


def write_documents(folder: Path) -> None:
    """Write the two documents that most tests are about."""
    folder.mkdir()
    (folder / "harbour.md").write_text(HARBOUR)
    (folder / "ferry.md").write_text(FERRY)
