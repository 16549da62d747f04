"""Zip containers of office files and books: read in memory, member by member, within limits.

Nothing is written to disk, names are never used as paths, and sizes are counted while reading:
a header may lie. parsing.md A6 has the threats.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from urllib.parse import unquote

from ragkit.errors import ParseError

MAX_MEMBERS = 10_000
MAX_MEMBER_BYTES = 200_000_000
MAX_TOTAL_BYTES = 400_000_000
MAX_RATIO = 200  # of inflated to stored bytes, in a member of more than RATIO_FREE_BYTES
RATIO_FREE_BYTES = 10_000_000
_READ_BYTES = 1_000_000


class Archive:
    """The members of a zip file by name. Of two of one name the last counts, as in Office."""

    def __init__(self, data: bytes, uri: str) -> None:
        """Read the table of contents; ParseError "corrupt" or "too-large" where that fails."""
        self._uri = uri
        self._left = MAX_TOTAL_BYTES
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as exc:
            raise self._corrupt(str(exc)) from exc
        if len(self._zip.filelist) > MAX_MEMBERS:
            raise self._too_large(f"it has more than {MAX_MEMBERS:,} members")
        self._members = {member.filename: member for member in self._zip.filelist}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self) -> list[str]:
        """Return the names of all members, in the order of the file."""
        return list(self._members)

    def read(self, name: str) -> bytes:
        """Return a member's bytes.

        Raises KeyError for a name that isn't there, and ParseError "corrupt", "encrypted" or
        "too-large".
        """
        member = self._members[name]
        if member.flag_bits & 0x1:
            raise ParseError(
                self._uri,
                "the file is encrypted and needs a password",
                hint="save a copy without the password",
                code="encrypted",
            )
        pieces = []
        size = 0
        try:
            with self._zip.open(member) as stream:
                while piece := stream.read(_READ_BYTES):
                    pieces.append(piece)
                    size += len(piece)
                    self._left -= len(piece)
                    self._check(name, size, member.compress_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as exc:
            raise self._corrupt(f"{name}: {exc}") from exc
        return b"".join(pieces)

    def find(self, name: str) -> bytes | None:
        """Return a member's bytes, None where there is no such member."""
        return self.read(name) if name in self._members else None

    def _check(self, name: str, size: int, stored: int) -> None:
        if size > MAX_MEMBER_BYTES or self._left < 0:
            raise self._too_large(f"{name} inflates to more than {size:,} bytes")
        if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(stored, 1):
            raise self._too_large(f"{name} inflates to more than {MAX_RATIO} times its size")

    def _corrupt(self, reason: str) -> ParseError:
        message = f"the file is damaged: {reason}"
        return ParseError(self._uri, message, hint="open and save it again", code="corrupt")

    def _too_large(self, reason: str) -> ParseError:
        return ParseError(self._uri, f"the file is too large: {reason}", code="too-large")


def resolve(base: str, target: str) -> str:
    """Return the member that a reference in the member `base` names, "" for one outside.

    References are URLs relative to the member they stand in, or begin at the root with a slash.
    """
    path = unquote(target.split("#", 1)[0])
    if not path or ":" in path.split("/", 1)[0]:
        return ""
    joined = posixpath.normpath(posixpath.join("/", posixpath.dirname(base), path))
    return joined.lstrip("/")
