"""Originals: the bytes that documents were read from, kept, given back, and gone with them."""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragkit.cli import run
from ragkit.errors import DocumentError, DocumentNotFound, StorageFull
from ragkit.index import Index
from ragkit.originals import Originals
from ragkit.settings import Settings
from ragkit.store import SqliteStore
from ragkit.testing import HashEmbedder
from tests.documents import BREAD, FERRY

FERRY_BYTES = FERRY.encode()
BREAD_BYTES = BREAD.encode()
URI = "upload:ferry.md"


def index_at(folder: Path) -> Index:
    return Index(
        SqliteStore(folder / "index.db"),
        embedder=HashEmbedder(64),
        settings=Settings(isolation="none", max_file_mb=1),
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_at(tmp_path) as made:
        yield made


def kept(index: Index) -> set[bytes]:
    """Return the bytes that are kept, read from the disk."""
    folder = Path(f"{index.path}.files")
    return {path.read_bytes() for path in folder.glob("??/*")}


def refused(index: Index, reference: str) -> str:
    with pytest.raises(DocumentError) as error:
        index.original(reference)
    return error.value.code


# --- kept bytes --------------------------------------------------------------------------------


def test_kept_bytes_come_back_as_they_were(index: Index) -> None:
    """To the byte, with a name to save them under and their type."""
    data = b"\xef\xbb\xbf# Ferries\r\n\r\nThey leave at seven.\r\n"
    assert index.ingest_bytes(data, uri=URI, keep=True).added == (URI,)
    original = index.original(URI)
    assert (original.data, original.name, original.media_type) == (
        data,
        "ferry.md",
        "text/markdown",
    )


def test_bytes_are_not_kept_unasked(index: Index) -> None:
    """What a program hands over it can hand over again."""
    index.ingest_bytes(FERRY_BYTES, uri=URI)
    assert refused(index, URI) == "no-original"
    assert not Path(f"{index.path}.files").exists()


def test_bytes_are_kept_later_when_asked_then(index: Index) -> None:
    """Also where nothing has changed and nothing is embedded again."""
    index.ingest_bytes(FERRY_BYTES, uri=URI)
    assert index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True).unchanged == (URI,)
    assert index.original(URI).data == FERRY_BYTES


def test_only_the_owner_can_read_them(index: Index) -> None:
    """A folder 0700 with files 0600, named by the hash of what is in them."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    folder = Path(f"{index.path}.files")
    digest = hashlib.sha256(FERRY_BYTES).hexdigest()
    file = folder / digest[:2] / digest
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, file.parent, file)]
    assert modes == [0o700, 0o700, 0o600]


def test_removed_means_gone(index: Index) -> None:
    """The bytes go with the last document that has them, and not before."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    index.ingest_bytes(FERRY_BYTES, uri="upload:copy.md", keep=True)
    index.remove(URI)
    assert kept(index) == {FERRY_BYTES}
    index.remove("upload:copy.md")
    assert kept(index) == set()


def test_a_file_of_the_same_bytes_does_not_hold_them(index: Index, tmp_path: Path) -> None:
    """A file on the disk is its own original."""
    (tmp_path / "ferry.md").write_bytes(FERRY_BYTES)
    index.ingest(tmp_path / "ferry.md")
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    index.remove(URI)
    assert kept(index) == set()
    assert index.original("ferry.md").data == FERRY_BYTES


def test_a_new_version_takes_the_place_of_the_old(index: Index) -> None:
    """Of the text and of the bytes."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    assert index.ingest_bytes(BREAD_BYTES, uri=URI, keep=True).updated == (URI,)
    assert kept(index) == {BREAD_BYTES}
    assert index.original(URI).data == BREAD_BYTES


def test_a_version_that_can_not_be_read_leaves_the_old_one(index: Index) -> None:
    """And none of its own bytes."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    report = index.ingest_bytes(b"%PDF-1.7 and no more", uri=URI, keep=True)
    assert report.failed[0].code == "corrupt"
    assert kept(index) == {FERRY_BYTES}
    assert index.original(URI).data == FERRY_BYTES


def test_rm_on_the_command_line_removes_them(index: Index) -> None:
    """As the library does."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    assert run(["rm", URI, "--db", str(index.path)]) == 0
    assert kept(index) == set()


def test_damaged_bytes_are_not_given_out(index: Index) -> None:
    """They are kept anew when the same come again."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    (file,) = Path(f"{index.path}.files").glob("??/*")
    file.write_bytes(b"something else")
    assert refused(index, URI) == "no-original"
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    assert index.original(URI).data == FERRY_BYTES


def test_the_folder_of_the_index_can_be_ingested(index: Index, tmp_path: Path) -> None:
    """What is kept there is no document once more."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    (tmp_path / "bread.md").write_bytes(BREAD_BYTES)
    report = index.ingest(tmp_path)
    assert report.added == ((tmp_path / "bread.md").as_uri(),)
    assert index.estimate(tmp_path).files == 1
    assert index.original(URI).data == FERRY_BYTES


def test_stats_count_them(index: Index) -> None:
    """Among the sizes, as files beside the index."""
    index.ingest_bytes(FERRY_BYTES, uri=URI)
    assert "kept files" not in index.stats(sizes=True).sizes
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    assert index.stats(sizes=True).sizes["kept files"] == len(FERRY_BYTES)


# --- files -------------------------------------------------------------------------------------


def test_the_original_of_a_file_is_the_file(index: Index, tmp_path: Path) -> None:
    """As long as it says what it said."""
    path = tmp_path / "a file.md"
    path.write_bytes(FERRY_BYTES)
    index.ingest(path)
    assert index.original("a file.md").data == FERRY_BYTES
    assert index.original("a file.md").name == "a file.md"


def replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return what puts something else in the place of a file."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: path.write_bytes(BREAD_BYTES), "changed"),
        (lambda path: path.write_bytes(b""), "changed"),
        (lambda path: path.write_bytes(b"x" * 1_000_001), "changed"),
        (Path.unlink, "vanished"),
        (replaced(Path.mkdir), "changed"),
        (replaced(os.mkfifo), "changed"),
        (replaced(lambda path: path.symlink_to("/etc/passwd")), "changed"),
        (replaced(lambda path: path.symlink_to("/dev/zero")), "changed"),
        (replaced(lambda path: path.symlink_to(path)), "unreadable"),
    ],
)
def test_nothing_is_given_out_that_was_not_ingested(
    index: Index, tmp_path: Path, change: Callable[[Path], object], code: str
) -> None:
    """Whatever was put in the place of the file since: other bytes, a link, a pipe."""
    path = tmp_path / "ferry.md"
    path.write_bytes(FERRY_BYTES)
    index.ingest(path)
    change(path)
    assert refused(index, "ferry.md") == code


def test_what_is_not_there_has_no_original(index: Index) -> None:
    """It is not found, as everywhere."""
    index.ingest_bytes(FERRY_BYTES, uri=URI)
    with pytest.raises(DocumentNotFound):
        index.original("upload:other.md")


# --- crashes and disks -------------------------------------------------------------------------

KILLED = """
    import os, signal, sys
    from pathlib import Path
    from ragkit import indexing, index as facade
    from ragkit.store import SqliteStore
    from tests.documents import FERRY
    from tests.test_originals import index_at
    def die(*_args, **_keywords):
        os.kill(os.getpid(), signal.SIGKILL)
    index = index_at(Path(sys.argv[1]))
    index.ingest_bytes(b"# Other\\n\\nAnother note that stays.", uri="upload:o.md", keep=True)
    SqliteStore.put_many = die
    index.ingest_bytes(FERRY.encode(), uri="upload:ferry.md", keep=True)
"""


def test_a_crash_leaves_an_unused_file_at_worst(tmp_path: Path) -> None:
    """It is deleted by the next ingest, and the document comes in again with its bytes."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)],
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with index_at(tmp_path) as index:
        assert [each.uri for each in index.documents()] == ["upload:o.md"]
        assert FERRY_BYTES in kept(index)
        index.ingest_bytes(BREAD_BYTES, uri="upload:bread.md", keep=True)
        assert FERRY_BYTES not in kept(index)
        assert len(kept(index)) == 2


def test_half_written_files_are_swept_up(tmp_path: Path) -> None:
    """They have the name of what they were to be, and something behind it."""
    originals = Originals(tmp_path / "index.db")
    originals.keep(FERRY_BYTES)
    digest = hashlib.sha256(FERRY_BYTES).hexdigest()
    half = originals.folder / digest[:2] / f"{digest}.0a1b2c3d"
    half.write_bytes(FERRY_BYTES[:9])
    originals.sweep({digest})
    assert not half.exists()
    assert originals.find(digest) == FERRY_BYTES
    originals.sweep(set())
    assert [path.name for path in originals.folder.iterdir()] == [".gitignore"]


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from ragkit.errors import StorageFull
    from ragkit.originals import Originals
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    originals = Originals(Path(sys.argv[1], "index.db"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        originals.keep(b"x" * 5000)
    except StorageFull as exc:
        print(exc, exc.hint)
    print([path.name for path in originals.folder.rglob("*") if path.is_file()])
"""


def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """It is said, and no half of a file is left."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=True,
    )
    assert "can't be used: File too large check the disk" in done.stdout
    assert done.stdout.splitlines()[-1] == "['.gitignore']"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may delete everywhere")
def test_what_can_not_be_deleted_is_said(index: Index) -> None:
    """Gone means gone: a file that stays is an error."""
    index.ingest_bytes(FERRY_BYTES, uri=URI, keep=True)
    (file,) = Path(f"{index.path}.files").glob("??/*")
    file.parent.chmod(0o500)
    with pytest.raises(StorageFull):
        index.remove(URI)
    file.parent.chmod(0o700)
