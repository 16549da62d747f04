"""Files and folders as sources: their uris and names, which files are read, and their bytes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote_to_bytes, urlsplit

from ragkit.errors import DocumentError, SkippedDocument
from ragkit.types import Failure

_PIECE_BYTES = 1024 * 1024
MAX_BYTES = 100 * 1024 * 1024
READ_BYTES = 1024 * 1024
STDIN_NAME = "-"
IGNORE_FILES = (".gitignore", ".ragkitignore")  # of one folder, the later has the last word
IGNORE_FILE_BYTES = 1024 * 1024

# What nobody means by "my documents", and what holds secrets: an index is copied about, and its
# texts may go to an endpoint. Ignore files can take these back: `!venv/`.
DEFAULT_IGNORES = """
.git
.gitignore
.ragkitignore
.hg/
.svn/
.ragkit/
node_modules/
__pycache__/
.venv/
venv/
.tox/
.mypy_cache/
.ruff_cache/
.pytest_cache/
.DS_Store
Thumbs.db
*.pyc
*.swp
*.swo
*~
.#*
\\#*#
.env
.env.*
.netrc
*.pem
*.key
id_rsa
id_ed25519
"""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read, and what tells whether it has changed since."""

    uri: str
    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Walk:
    """The files below a root, sorted by path, and those left out with the reason.

    Unless `complete`, a file that isn't listed may still be there.
    """

    root_uri: str
    files: tuple[SourceFile, ...]
    skipped: tuple[Failure, ...]
    complete: bool


# --- names -------------------------------------------------------------------------------------


def file_uri(path: Path) -> str:
    """Return the uri of a file: absolute, links of its folder resolved, any bytes in its name."""
    return _absolute(path).as_uri()


def path_of(uri: str) -> Path:
    """Return the path that a file uri names."""
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(uri).path)))


def stdin_uri(name: str) -> str:
    """Return the uri of what comes by standard input, under the name that the user gives it.

    The same name is the same document at the next ingest; its suffix helps to tell the type.
    """
    return f"stdin:{quote(os.fsencode(name or STDIN_NAME))}"


def display_name(uri: str, cwd: Path) -> str:
    """Return a name to show: relative to `cwd` where below it, safe to print on a terminal."""
    if not uri.startswith("file:"):
        return _printable(uri)
    path = path_of(uri)
    for base in (cwd, Path(os.path.realpath(cwd))):
        if path.is_relative_to(base) and path != base:
            return _printable(str(path.relative_to(base)))
    return _printable(str(path))


def _absolute(path: Path) -> Path:
    if path.name in ("", ".."):
        return Path(os.path.realpath(path))
    return Path(os.path.realpath(path.parent)) / path.name


def _printable(text: str) -> str:
    """Escape what isn't printable: controls, terminal escapes, bidi marks, undecodable bytes."""
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, see os.fsdecode
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


# --- reading -----------------------------------------------------------------------------------


def read(file: SourceFile, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the file's bytes.

    Raises DocumentError with the code "vanished", "unreadable", "special", "too-large" or "empty".
    """
    try:
        with _opened(file) as stream:
            size = os.fstat(stream.fileno()).st_size
            data = b"" if size > max_bytes else _read_at_most(stream, max_bytes + 1)
    except FileNotFoundError as exc:
        raise SkippedDocument(file.uri, "the file is gone", code="vanished") from exc
    except OSError as exc:
        message = f"the file can't be read: {exc.strerror}"
        hint = "check its permissions"
        raise DocumentError(file.uri, message, hint=hint, code="unreadable") from exc
    if max(len(data), size) > max_bytes:
        message = f"the file has {max(len(data), size):,} bytes; the limit is {max_bytes:,}"
        hint = "split it, or raise max_file_mb"
        raise SkippedDocument(file.uri, message, hint=hint, code="too-large")
    if not data:
        raise SkippedDocument(file.uri, "the file is empty", code="empty")
    return data


def read_stream(
    stream: BinaryIO, *, max_bytes: int = MAX_BYTES, uri: str = f"stdin:{STDIN_NAME}"
) -> bytes:
    """Return all that comes out of a stream, such as standard input; errors are about `uri`.

    Raises DocumentError with the code "unreadable", "too-large" or "empty".
    """
    data = bytearray()
    try:
        while len(data) <= max_bytes and (piece := stream.read(READ_BYTES)):
            data += piece
    except OSError as exc:
        message = f"the input can't be read: {exc.strerror}"
        raise DocumentError(uri, message, hint="check what is piped in", code="unreadable") from exc
    if len(data) > max_bytes:
        message = f"the input has more than {max_bytes:,} bytes, which is the limit"
        raise DocumentError(uri, message, hint="split it into parts", code="too-large")
    if not data:
        message = "the input is empty"
        raise DocumentError(uri, message, hint="check what is piped in", code="empty")
    return bytes(data)


def _read_at_most(stream: BinaryIO, most: int) -> bytes:
    """Read piece by piece: asking for a limit at once would take its memory."""
    pieces = []
    left = most
    while left and (piece := stream.read(min(left, _PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _opened(file: SourceFile) -> BinaryIO:
    """Open a regular file; a fifo that took its place would block a plain open."""
    descriptor = os.open(file.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SkippedDocument(file.uri, "this is not a regular file", code="special")
    return open(descriptor, "rb")  # noqa: PTH123  a descriptor; the caller closes it


# --- walking -----------------------------------------------------------------------------------


def walk(path: Path, *, stop: Callable[[], bool] = lambda: False) -> Walk:
    """List the files at or below a path; a file that is named is listed whatever ignores it.

    Links are not followed below the root: what they name inside it is read at its own place.
    Once `stop` says so the rest is left out. Raises DocumentError with the code "missing",
    "unreadable" or "special".
    """
    named = _absolute(path)
    try:
        status = named.stat()
    except (FileNotFoundError, NotADirectoryError) as exc:
        message = f"there is no file or folder {_printable(str(path))}"
        hint = "check the path"
        raise DocumentError(named.as_uri(), message, hint=hint, code="missing") from exc
    except OSError as exc:
        message = f"{_printable(str(path))} can't be read: {exc.strerror}"
        raise DocumentError(named.as_uri(), message, code="unreadable") from exc
    if stat.S_ISDIR(status.st_mode):
        return _Walker(Path(os.path.realpath(path)), stop).run()
    if not stat.S_ISREG(status.st_mode):
        message = f"{_printable(str(path))} is neither a file nor a folder"
        raise DocumentError(named.as_uri(), message, code="special")
    file = SourceFile(named.as_uri(), named, status.st_size, status.st_mtime_ns)
    return Walk(file.uri, (file,), (), complete=True)


class _Walker:
    """Lists a folder without recursion; `_pending` are the folders still to be read."""

    def __init__(self, root: Path, stop: Callable[[], bool]) -> None:
        self.root = root
        self._stop = stop
        self.files: list[SourceFile] = []
        self.skipped: list[Failure] = []
        self.complete = True
        self._pending: list[tuple[str, Ignores]] = []

    def run(self) -> Walk:
        self._pending.append((str(self.root), _outer_ignores(self.root)))
        while self._pending:
            if self._stop():
                self.complete = False
                break
            folder, ignores = self._pending.pop()
            self._folder(folder, ignores)
        files = sorted(self.files, key=lambda file: os.fsencode(file.path))
        skipped = sorted(self.skipped, key=lambda failure: failure.uri)
        return Walk(self.root.as_uri(), tuple(files), tuple(skipped), self.complete)

    def _folder(self, folder: str, ignores: Ignores) -> None:
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as exc:
            self._fail(folder, f"the folder can't be read: {exc.strerror}")
            return
        ignores = ignores.within(folder, {entry.name for entry in entries})
        for entry in entries:
            try:
                self._entry(entry, ignores)
            except OSError as exc:
                self._fail(entry.path, f"the file can't be read: {exc.strerror}")

    def _entry(self, entry: os.DirEntry[str], ignores: Ignores) -> None:
        is_folder = entry.is_dir(follow_symlinks=False)
        if ignores.ignore(entry.path, is_folder=is_folder):
            return
        if entry.is_symlink():
            self._link(entry.path)
        elif is_folder:
            self._pending.append((entry.path, ignores))
        elif entry.is_file(follow_symlinks=False):
            status = entry.stat(follow_symlinks=False)
            path = Path(entry.path)
            self.files.append(SourceFile(path.as_uri(), path, status.st_size, status.st_mtime_ns))
        else:
            self._skip(entry.path, "special", "this is neither a file nor a folder")

    def _link(self, path: str) -> None:
        try:
            target = Path(path).resolve(strict=True)
        except FileNotFoundError:
            self._skip(path, "symlink", "this link leads nowhere")
            return
        except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for a loop
            self._skip(path, "symlink", "this link leads to itself")
            return
        if not (target.is_dir() or target.is_file()):
            self._skip(path, "special", "this link leads to neither a file nor a folder")
        elif target.is_relative_to(self.root):
            self._skip(path, "symlink", "this is a link; what it names is read at its own place")
        else:
            self._skip(path, "outside-root", "this link leaves the folder that was named")

    def _skip(self, path: str, code: str, message: str) -> None:
        self.skipped.append(Failure(Path(path).as_uri(), code, message))

    def _fail(self, path: str, message: str) -> None:
        self._skip(path, "unreadable", message)
        self.complete = False


# --- ignoring ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pattern:
    """A line of an ignore file. `base` is the folder of that file, with a slash behind it."""

    base: str
    regex: re.Pattern[str]
    whole_path: bool  # match the path below `base`, not only the name
    folders_only: bool
    keeps: bool  # a line that begins with `!`

    def matches(self, path: str, *, is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        if not self.whole_path:
            return bool(self.regex.fullmatch(path.rpartition("/")[2]))
        return bool(self.regex.fullmatch(path[len(self.base) :]))


@dataclass(frozen=True, slots=True)
class Ignores:
    """The patterns in force in a folder, later ones above earlier ones, with git's semantics."""

    patterns: tuple[Pattern, ...]

    def ignore(self, path: str, *, is_folder: bool) -> bool:
        """Whether git would ignore this file, given that its folder isn't ignored."""
        for pattern in reversed(self.patterns):
            if pattern.matches(path, is_folder=is_folder):
                return not pattern.keeps
        return False

    def within(self, folder: str, names: set[str]) -> Ignores:
        """Return these patterns and those of the ignore files among the names of a folder."""
        added: list[Pattern] = []
        for name in IGNORE_FILES:
            if name in names:
                added += _read_patterns(Path(folder, name))
        return Ignores((*self.patterns, *added)) if added else self


def patterns(text: str, base: str) -> list[Pattern]:
    """Return the patterns of an ignore file that stands in the folder `base`."""
    base = base if base.endswith("/") else f"{base}/"
    lines = (line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n"))
    return [pattern for line in lines if (pattern := _pattern(line, base))]


def _outer_ignores(root: Path) -> Ignores:
    """Return the default patterns and, in a git work tree, those of the folders above the root.

    So that `docs/` gives the same files whether it or the folder above it is named.
    """
    ignores = Ignores(tuple(patterns(DEFAULT_IGNORES, str(root))))
    above = [root, *root.parents]
    top = next((n for n, folder in enumerate(above) if os.path.lexists(folder / ".git")), 0)
    for folder in reversed(above[1 : top + 1]):
        names = {name for name in IGNORE_FILES if (folder / name).is_file()}
        ignores = ignores.within(str(folder), names)
    return ignores


def _read_patterns(path: Path) -> list[Pattern]:
    try:
        if path.is_symlink() or not path.is_file():
            return []
        with path.open("rb") as stream:
            text = os.fsdecode(stream.read(IGNORE_FILE_BYTES))
    except OSError:
        return []  # git warns and goes on, and so does the walk: more is read, nothing is lost
    return patterns(text, str(path.parent))


def _pattern(line: str, base: str) -> Pattern | None:
    if line.startswith("#"):
        return None
    keeps = line.startswith("!")
    line = _without_trailing_spaces(line[keeps:])
    folders_only = line.endswith("/")
    line = line[: len(line) - folders_only]
    whole_path = "/" in line
    regex = _regex(line.removeprefix("/"), whole_path=whole_path)
    return Pattern(base, regex, whole_path, folders_only, keeps) if regex else None


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    escapes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if escapes % 2 and stripped != line else stripped


_TOKEN = re.compile(
    r"(?P<any_folders>(?:(?<=/)|^)\*\*/)|(?P<all_below>(?<=/)\*\*$)|(?P<stars>\*+)|(?P<one>\?)"
    r"|\[(?P<not>[!^]?)(?P<set>\]?(?:\\.|\[:[a-z]+:\]|[^\]\\])*)\]|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
_CLASSES = {
    "[:alnum:]": "A-Za-z0-9",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:space:]": r"\s",
    "[:upper:]": "A-Z",
    "[:xdigit:]": "0-9A-Fa-f",
}


def _regex(glob: str, *, whole_path: bool) -> re.Pattern[str] | None:
    """Translate a pattern; None for one that matches nothing: empty, `[` left open, `\\` last."""
    if not glob:
        return None
    try:
        return re.compile("".join(_translated(glob, whole_path=whole_path)), re.DOTALL)
    except (re.error, ValueError):
        return None


def _translated(glob: str, *, whole_path: bool) -> Iterator[str]:
    for match in _TOKEN.finditer(glob):
        kind: str | None = match.lastgroup
        token = match[0]
        if kind == "any_folders" and whole_path:
            yield "(?:[^/]+/)*"
        elif kind == "all_below" and whole_path:
            yield ".+"
        elif kind in ("any_folders", "all_below", "stars"):
            yield "[^/]*" + ("/" if token.endswith("/") else "")
        elif kind == "one":
            yield "[^/]"
        elif kind == "set":
            yield _set(match["set"], negated=bool(match["not"]))
        elif kind == "escaped":
            yield re.escape(match["escaped"])
        elif match["plain"] in "[\\":
            raise ValueError(token)
        else:
            yield re.escape(token)


def _set(members: str, *, negated: bool) -> str:
    out = ""
    for match in re.finditer(r"\[:[a-z]+:\]|\\(.)|.", members, re.DOTALL):
        if match[0] in _CLASSES:
            out += _CLASSES[match[0]]
        else:
            member = match[1] or match[0]
            out += member if member == "-" and not match[1] else re.escape(member)
    return f"(?!/)[{'^' if negated else ''}{out}]"
