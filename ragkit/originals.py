"""The bytes that documents were read from: kept beside the index, or in the files they name.

What comes in through an upload exists nowhere else, so it is kept, under the SHA-256 of its bytes:
the same bytes are kept once, and what is read back is known to be what was ingested.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from ragkit import durable, sources
from ragkit.errors import DocumentError, StorageFull
from ragkit.sources import SourceFile
from ragkit.types import DocumentInfo, Original

FOLDER_ENDING = ".files"
_HASH = re.compile(r"[0-9a-f]{64}")
# Codes of `sources.read` for a file in whose place something else is now.
_REPLACED = frozenset({"too-large", "empty", "special"})


class Originals:
    """The kept bytes of one index, in a private folder beside it.

    Who keeps or sweeps holds the index's lock: what is kept and not yet a document's stays then.
    """

    def __init__(self, index: Path) -> None:
        self.folder = index.with_name(index.name + FOLDER_ENDING)

    def keep(self, data: bytes) -> None:
        """Keep bytes; they are on the disk when this returns. Raises StorageFull."""
        content_hash = hashlib.sha256(data).hexdigest()
        if self.find(content_hash) is not None:
            return
        path = self._path(content_hash)
        with self._errors():
            durable.make_folder(self.folder)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            durable.write(path, data)

    def find(self, content_hash: str) -> bytes | None:
        """Return kept bytes by their SHA-256; None where they aren't kept, or not any more."""
        if not _HASH.fullmatch(content_hash):
            return None
        with self._errors():
            try:
                data = self._path(content_hash).read_bytes()
            except FileNotFoundError:
                return None
        return data if hashlib.sha256(data).hexdigest() == content_hash else None

    def sweep(self, wanted: Collection[str]) -> None:
        """Delete all kept bytes but those of these hashes, and what a crash has left half written.

        Raises StorageFull where something can't be deleted.
        """
        with self._errors():
            for path in self._files():
                if path.name not in wanted:
                    path.unlink(missing_ok=True)
                    with suppress(OSError):  # others are in it
                        path.parent.rmdir()

    def has(self, content_hash: str) -> bool:
        """Whether bytes of this hash are kept."""
        return self._path(content_hash).is_file()

    def size_bytes(self) -> int:
        """Return how much is kept."""
        with self._errors():
            return sum(path.stat().st_size for path in self._files())

    def _files(self) -> Iterator[Path]:
        return self.folder.glob("??/*")

    def _path(self, content_hash: str) -> Path:
        return self.folder / content_hash[:2] / content_hash

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise StorageFull(
                f"the files kept in {self.folder} can't be used: {exc.strerror}",
                hint="check the disk and the permissions, then try again",
            ) from exc


def read(originals: Originals, document: DocumentInfo, *, max_bytes: int) -> Original:
    """Return the bytes that a document was read from: those and no others.

    Raises DocumentError with the code "changed", "vanished" or "unreadable" for a file that isn't
    what it was, and "no-original" for a document of other bytes that weren't kept.
    """
    data = originals.find(document.content_hash)
    if data is None:
        data = _of_file(document, max_bytes)
    return Original(data, _name(document.uri), document.media_type)


def is_there(originals: Originals, document: DocumentInfo) -> bool:
    """Whether there are bytes for `read`; it alone finds out whether they are the same."""
    if document.uri.startswith("file:"):
        return sources.path_of(document.uri).is_file() or originals.has(document.content_hash)
    return originals.has(document.content_hash)


def _of_file(document: DocumentInfo, max_bytes: int) -> bytes:
    uri = document.uri
    if not uri.startswith("file:"):
        message = f"the bytes that {uri} was read from were not kept"
        hint = "only files on this disk and uploads can be had again"
        raise DocumentError(uri, message, hint=hint, code="no-original")
    try:
        file = SourceFile(uri, sources.path_of(uri), 0, 0)
        data = sources.read(file, max_bytes=max_bytes)
    except DocumentError as exc:
        if exc.code in _REPLACED:
            raise _changed(uri) from exc
        raise
    if hashlib.sha256(data).hexdigest() != document.content_hash:
        raise _changed(uri)
    return data


def _changed(uri: str) -> DocumentError:
    message = "the file isn't what the index has read: it was changed since"
    return DocumentError(uri, message, hint="ingest it again", code="changed")


def _name(uri: str) -> str:
    """Return the name of the file that a uri names: upload:a.md and file:///x/a.md are a.md."""
    path = uri.partition(":")[2] or uri
    return unquote(path.rpartition("/")[2])
