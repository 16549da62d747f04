"""Files and folders: names, what is read, what is ignored, and what is left out."""

from __future__ import annotations

import errno
import io
import os
import socket
import subprocess
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragkit.errors import DocumentError
from ragkit.sources import (
    SourceFile,
    Walk,
    display_name,
    file_uri,
    path_of,
    patterns,
    read,
    read_stream,
    stdin_uri,
    walk,
)


def _write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")


def _names(found: Walk, root: Path) -> list[str]:
    return [str(file.path.relative_to(root)) for file in found.files]


def _codes(found: Walk) -> list[tuple[str, str]]:
    return [(path_of(failure.uri).name, failure.code) for failure in found.skipped]


# --- names ---


def test_uri_and_path_are_inverse(tmp_path: Path) -> None:
    """Spaces, percent signs, umlauts and hashes survive."""
    path = tmp_path / "a b %20 ü #1?.md"
    assert path_of(file_uri(path)) == path
    assert file_uri(path).startswith("file:///")


def test_name_that_is_no_utf8_has_a_uri(tmp_path: Path) -> None:
    """Undecodable bytes are percent-encoded, and shown escaped."""
    path = tmp_path / os.fsdecode(b"caf\xe9.md")
    assert file_uri(path).endswith("/caf%E9.md")
    assert path_of(file_uri(path)) == path
    assert display_name(file_uri(path), tmp_path) == "caf\\xe9.md"


def test_uri_resolves_links_of_the_folder(tmp_path: Path) -> None:
    """One file has one uri, by whatever way its folder was named."""
    _write(tmp_path, "real/a.md")
    (tmp_path / "link").symlink_to("real")
    assert file_uri(tmp_path / "link" / "a.md") == file_uri(tmp_path / "real" / "a.md")


def test_display_name_is_short_and_safe(tmp_path: Path) -> None:
    """Relative below the working folder, absolute elsewhere, no escapes, urls as they are."""
    assert display_name(file_uri(tmp_path / "a" / "b.md"), tmp_path) == "a/b.md"
    assert display_name("file:///etc/x.md", tmp_path) == "/etc/x.md"
    assert display_name("https://example.org/a", tmp_path) == "https://example.org/a"
    shown = display_name(file_uri(tmp_path / "a\x1b[31m\u202e\n.md"), tmp_path)
    assert shown == "a\\x1b[31m\\u202e\\n.md"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("-", "stdin:-"),
        ("", "stdin:-"),
        ("report.md", "stdin:report.md"),
        ("notes/a b#1?.md", "stdin:notes/a%20b%231%3F.md"),
        ("ü.md", "stdin:%C3%BC.md"),
        (os.fsdecode(b"caf\xe9.md"), "stdin:caf%E9.md"),
    ],
)
def test_standard_input_has_a_uri(name: str, uri: str, tmp_path: Path) -> None:
    """The name the user gives it, written as a path, or a hyphen; shown as it is."""
    assert stdin_uri(name) == uri
    assert display_name(uri, tmp_path) == uri


# --- walking ---


def test_walk_is_sorted_and_leaves_out_the_defaults(tmp_path: Path) -> None:
    """Hidden files are read; version control, caches and editors' files are not."""
    _write(tmp_path, "b.md", "a/z.md", "a/b/c.md", ".hidden.md", ".config/x.toml")
    _write(tmp_path, ".git/config", "node_modules/x/y.md", "a/__pycache__/x.pyc", "a/.b.md.swp")
    found = walk(tmp_path)
    expected = [".config/x.toml", ".hidden.md", "a/b/c.md", "a/z.md", "b.md"]
    assert _names(found, tmp_path) == expected
    assert (found.root_uri, found.complete, found.skipped) == (tmp_path.as_uri(), True, ())
    assert found.files[0].size == 4
    assert found.files[0].mtime_ns == (tmp_path / ".config/x.toml").stat().st_mtime_ns


def test_named_file_is_never_ignored(tmp_path: Path) -> None:
    """A file that the user names is read whatever ignores it."""
    _write(tmp_path, "a.md")
    (tmp_path / ".gitignore").write_text("*")
    found = walk(tmp_path / "a.md")
    assert (_names(found, tmp_path), found.root_uri) == (["a.md"], file_uri(tmp_path / "a.md"))


def test_ignore_files_work_at_every_level(tmp_path: Path) -> None:
    """The deeper file has the last word, .ragkitignore over .gitignore, ours over the defaults."""
    _write(tmp_path, "a.log", "keep.log", "sub/b.log", "sub/c.md", "sub/d.md", "venv/x.md")
    (tmp_path / ".gitignore").write_text("*.log\n!keep.log\n!venv/\n")
    (tmp_path / "sub" / ".gitignore").write_text("!b.log\nc.md\nd.md\n")
    (tmp_path / "sub" / ".ragkitignore").write_text("!c.md\n.*ignore\n")
    assert [n for n in _names(walk(tmp_path), tmp_path) if "ignore" not in n] == [
        "keep.log",
        "sub/b.log",
        "sub/c.md",
        "venv/x.md",
    ]


def test_folder_of_a_work_tree_gives_what_the_whole_tree_gives(tmp_path: Path) -> None:
    """Ignore files above the named folder hold up to the top of the git work tree."""
    _write(tmp_path, "docs/a.md", "docs/b.log")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert _names(walk(tmp_path / "docs"), tmp_path) == ["docs/a.md"]


def test_links_are_named_and_not_followed(tmp_path: Path) -> None:
    """Out of the root, into it, in circles and to nowhere."""
    root = tmp_path / "root"
    _write(tmp_path, "root/a.md", "outside/b.md")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "in").symlink_to("a.md")
    (root / "up").symlink_to(".")
    (root / "loop").symlink_to("loop")
    (root / "gone").symlink_to("nothing")
    found = walk(root)
    assert _names(found, root) == ["a.md"]
    assert _codes(found) == [
        ("gone", "symlink"),
        ("in", "symlink"),
        ("loop", "symlink"),
        ("out", "outside-root"),
        ("up", "symlink"),
    ]
    assert found.complete


def test_special_files_are_named(tmp_path: Path) -> None:
    """A fifo would block whoever opens it."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert _codes(walk(tmp_path)) == [("fifo", "special"), ("socket", "special")]
    with pytest.raises(DocumentError) as error:
        walk(tmp_path / "fifo")
    assert error.value.code == "special"


def test_unreadable_folder_makes_the_walk_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents below it must not be taken for removed."""
    _write(tmp_path, "a.md", "closed/b.md")
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = walk(tmp_path)
    assert (_codes(found), found.complete) == ([("closed", "unreadable")], False)


def test_missing_path_is_an_error(tmp_path: Path) -> None:
    """With the path as it was given, and a hint."""
    with pytest.raises(DocumentError, match="nowhere") as error:
        walk(tmp_path / "nowhere")
    assert (error.value.code, error.value.hint != "") == ("missing", True)


def test_deep_folders_are_walked(tmp_path: Path) -> None:
    """The walk is no recursion."""
    path = tmp_path
    for _ in range(300):
        path = path / "d"
    path.mkdir(parents=True)
    (path / "a.md").write_text("text")
    assert len(walk(tmp_path).files) == 1


# --- reading ---


def _source(path: Path) -> SourceFile:
    return SourceFile(file_uri(path), path, 0, 0)


def test_read_returns_the_bytes(tmp_path: Path) -> None:
    """As they are."""
    (tmp_path / "a").write_bytes(b"\x00a\r\n")
    assert read(_source(tmp_path / "a")) == b"\x00a\r\n"


def test_read_names_what_is_wrong(tmp_path: Path) -> None:
    """Gone, empty, too large, no file any more: each has its code."""
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(10 * 1024**3)
    expected = {
        "gone": "vanished",
        "empty": "empty",
        "fifo": "special",
        "sparse": "too-large",
        "": "special",
    }
    for name, code in expected.items():
        with pytest.raises(DocumentError) as error:
            read(_source(tmp_path / name))
        assert error.value.code == code


def test_read_stops_at_the_limit(tmp_path: Path) -> None:
    """The limit is given in bytes, and a file of just that size is read."""
    (tmp_path / "a").write_bytes(b"12345")
    assert read(_source(tmp_path / "a"), max_bytes=5) == b"12345"
    with pytest.raises(DocumentError, match="5 bytes"):
        read(_source(tmp_path / "a"), max_bytes=4)


def test_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    (tmp_path / "a").write_text("text")
    (tmp_path / "a").chmod(0)
    if os.access(tmp_path / "a", os.R_OK):
        pytest.skip("the superuser may read everything")
    with pytest.raises(DocumentError, match="Permission denied") as error:
        read(_source(tmp_path / "a"))
    assert error.value.code == "unreadable"


# --- standard input ---


class Pipe(io.RawIOBase):
    """Gives a few bytes at a time, and breaks where its bytes end if it is broken."""

    def __init__(self, size: int, *, broken: bool = False) -> None:
        self.left = size
        self.taken = 0
        self.broken = broken

    def read(self, size: int = -1) -> bytes:
        if self.broken and not self.left:
            raise OSError(errno.EIO, "Input/output error")
        piece = b"x" * min(7, size, self.left)
        self.left -= len(piece)
        self.taken += len(piece)
        return piece


def test_a_stream_is_read_to_its_end() -> None:
    """All of it, also where it comes in small pieces."""
    assert read_stream(io.BytesIO(b"some text"), max_bytes=9) == b"some text"
    assert read_stream(cast(BinaryIO, Pipe(100)), max_bytes=100) == b"x" * 100


def test_a_stream_is_not_read_beyond_the_limit() -> None:
    """An endless input ends in an error, and not in all of the memory."""
    endless = Pipe(10**9)
    with pytest.raises(DocumentError, match="1,000 bytes") as caught:
        read_stream(cast(BinaryIO, endless), max_bytes=1000, uri=stdin_uri("a.md"))
    assert (caught.value.code, caught.value.uri) == ("too-large", "stdin:a.md")
    assert endless.taken < 1100


def test_a_stream_without_bytes_is_empty() -> None:
    """Nothing was piped in: that is said, not indexed."""
    with pytest.raises(DocumentError) as caught:
        read_stream(io.BytesIO(), max_bytes=10)
    assert (caught.value.code, caught.value.uri) == ("empty", "stdin:-")


def test_a_stream_that_breaks_is_unreadable() -> None:
    """What came before is not taken for the whole."""
    with pytest.raises(DocumentError, match="Input/output error") as caught:
        read_stream(cast(BinaryIO, Pipe(100, broken=True)), max_bytes=1000)
    assert caught.value.code == "unreadable"


# --- ignore files, against git ---

_LINES = """
*.log
!keep.log
/top.md
build/
docs/*.md
docs/**/x.md
**/deep.md
deep/**
a/**/b
**/mid/**
foo**bar
[abc].txt
[!abc]z.md
[]x].md
[[:digit:]].md
te?t.md
\\#hash.md
\\!bang.md
# comment
trailing.md\x20\x20
kept\\ \x20
unclosed[.md
backslash\\
dir/sub/
/
!
**
x/**/
*
!*/
!docs/x.md
*a*b*
""".strip("\n").split("\n")

_FILES = """
a.log keep.log sub/keep.log top.md sub/top.md build/x.md sub/build/y.md build.md docs/x.md
docs/a/x.md docs/a/b/x.md deep.md a/deep.md deep/a/b.md a/b a/x/b/c.md a/x/y/b mid/a.md x/mid/y/z.md
fooxbar foo/bar a.txt d.txt az.md dz.md ].md x.md 5.md test.md te/t.md #hash.md !bang.md trailing.md
unclosed[.md dir/sub/a.md dir/sub.md sub/dir/sub/a.md x/y/z.md cab.md
""".split()


def _ignored_by_git(root: Path, names: list[str]) -> set[str]:
    run = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=root,
        input="\0".join(names).encode(),
        capture_output=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    return set(filter(None, run.stdout.decode().split("\0")))


def _agrees_with_git(root: Path, lines: list[str], deeper: list[str]) -> None:
    (root / ".gitignore").write_text("\n".join(lines) + "\n")
    (root / "docs" / ".gitignore").write_text("\n".join(deeper) + "\n")
    names = list(_FILES)  # the ignore files themselves are never read
    read_ = set(_names(walk(root), root))
    assert set(names) - read_ == _ignored_by_git(root, names), (lines, deeper)


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    _write(root, *_FILES)
    subprocess.run(["git", "init", "-q", "."], cwd=root, check=True)
    return root


@pytest.mark.parametrize("line", _LINES)
def test_each_kind_of_pattern_agrees_with_git(work_tree: Path, line: str) -> None:
    """One pattern at a time, at the top and below."""
    _agrees_with_git(work_tree, [line], [])
    _agrees_with_git(work_tree, [], [line])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    lines=st.lists(st.sampled_from(_LINES), max_size=5),
    deeper=st.lists(st.sampled_from(_LINES), max_size=3),
)
def test_patterns_together_agree_with_git(
    work_tree: Path, lines: list[str], deeper: list[str]
) -> None:
    """Later lines and deeper files have the last word, as git does it."""
    _agrees_with_git(work_tree, lines, deeper)


def test_crlf_and_mark_in_ignore_files() -> None:
    """Ignore files from Windows mean the same."""
    assert [p.regex.pattern for p in patterns("\ufeffa\r\nb\r\n", "/r")] == ["a", "b"]
