"""Every bad file comes out as its manifest says, and so do those that a test must make."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragkit.index import Index
from ragkit.store import SqliteStore
from tests.badfiles import FOLDER, SPECIAL, Case, FreeEmbedder, Special, cases, run


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(SqliteStore(tmp_path / "index.db"), embedder=FreeEmbedder())


def test_bad_files_are_there() -> None:
    """Says loudly where the corpus of bad files is missing."""
    if not cases():
        pytest.skip(f"NO BAD FILES TESTED: {FOLDER} is missing; set RAGKIT_BADFILES")


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_bad_file_comes_out_as_expected(case: Case, index: Index) -> None:
    """It is read, skipped or refused with its code, in time and within memory."""
    with index:
        assert run(case, index).wrong == ()


@pytest.mark.parametrize("special", SPECIAL, ids=lambda special: special[0])
def test_a_special_file_comes_out_as_expected(
    special: Special, index: Index, tmp_path: Path
) -> None:
    """Links, devices, odd names, modes, and files that change under the reader."""
    _, expected, check = special
    folder = tmp_path / "docs"
    folder.mkdir()
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)  # so that another user may look
    with index:
        assert check(folder, index) == expected
