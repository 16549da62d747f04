"""Uploads as files: what was received and what has become of it, for all processes to see.

In the folder of a queue ID.bytes are bytes that wait to be ingested, and ID.json says what is known
of them. The bytes go when the upload is done with, so that those that are there are the queue. Ids
begin with the time, and so sort by it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

from ragkit import durable
from ragkit.errors import ConfigError, DocumentError, DocumentNotFound, StorageFull
from ragkit.text import visible

State = Literal["queued", "running", "done", "skipped", "failed"]
Result = Literal["added", "updated", "unchanged"]

DEFAULT_COLLECTION = "default"
NAME_CHARACTERS = 200
KEPT_FINISHED = 500
KEPT_FOR = timedelta(days=1)
# A file that nobody has written to for so long, and that belongs to no upload, is of a crash.
LEFT_OVER_AFTER = timedelta(hours=1)
_READ_BYTES = 1024 * 1024
_ID = re.compile(r"[0-9a-f]{24}")
_SUFFIX = re.compile(r"\.\w{1,16}$")
_NAMELESS = "upload"
# Names that Windows keeps for devices; a file that is saved under one is lost.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
_IN_URIS = str.maketrans({"%": "%25", "#": "%23", "?": "%3F"})


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent, and what has become of it.

    `result` and `document_id` are there once it is done, `error` where it was skipped or failed.
    `message` says in a sentence what it waits for, "" where it doesn't. After a crash in the last
    moment of an ingest the result is "unchanged": the document was in already.
    """

    id: str
    filename: str
    uri: str
    size: int
    sha256: str
    collection: str
    created_at: str
    updated_at: str
    state: State = "queued"
    result: Result | None = None
    document_id: str | None = None
    chunks: int = 0
    chunks_embedded: int = 0
    error_code: str = ""
    error_message: str = ""
    message: str = ""

    @property
    def is_final(self) -> bool:
        return self.state in ("done", "skipped", "failed")

    def to_dict(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        code, message = plain.pop("error_code"), plain.pop("error_message")
        plain["bytes"] = plain.pop("size")
        error = {"code": code, "message": message} if code else None
        return {"object": "upload", **plain, "error": error}


class UploadFiles:
    """The folder of a queue. Whoever has received an upload writes it once; then who ingests it."""

    def __init__(self, folder: Path, *, clock: Callable[[], datetime]) -> None:
        self.folder = folder
        self._clock = clock
        self._numbering = threading.Lock()
        self._last = 0

    def receive(
        self, filename: str, stream: BinaryIO, *, collection: str, max_bytes: int
    ) -> Upload:
        """Put the bytes of a stream into the queue; they are on the disk when this returns.

        Raises DocumentError with the code "too-large" as soon as there are more than allowed,
        ConfigError for a collection that can't be one, StorageFull.
        """
        name = clean_name(filename)
        uri = uri_of(name, collection)
        id_ = self._new_id()
        with self.errors():
            durable.make_folder(self.folder)
            size, digest = _copy(stream, self._bytes(id_), uri=uri, max_bytes=max_bytes)
            now = self._now()
            upload = Upload(id_, name, uri, size, digest, collection, now, now)
            try:
                self._write(upload)
            except BaseException:
                self._bytes(id_).unlink(missing_ok=True)
                raise
        return upload

    def data(self, upload: Upload) -> bytes:
        """Return the bytes of an upload that waits."""
        with self.errors():
            return self._bytes(upload.id).read_bytes()

    def write(self, upload: Upload) -> None:
        """Note what has become of an upload; the bytes go when that is final."""
        with self.errors():
            self._write(upload)
            if upload.is_final:
                self._bytes(upload.id).unlink(missing_ok=True)

    def read(self, id_: str) -> Upload:
        """Return an upload. Raises DocumentNotFound where none has this id, or not any more."""
        if _ID.fullmatch(id_) and (upload := self._read(id_)):
            return upload
        raise DocumentNotFound(
            id_, f"there is no upload {id_[:40]!r}", hint="they are forgotten after a day"
        )

    def waiting(self) -> Iterator[Upload]:
        """Yield the uploads that are not done with, oldest first."""
        with self.errors():
            for id_ in sorted(self._ids(".json") & self._ids(".bytes")):
                upload = self._read(id_)
                if upload and upload.is_final:  # a crash came before the bytes were deleted
                    self.write(upload)
                elif upload:
                    yield upload

    def newest(self) -> Iterator[Upload]:
        """Yield all uploads that are remembered, newest first."""
        with self.errors():
            for id_ in sorted(self._ids(".json"), reverse=True):
                if upload := self._read(id_):
                    yield upload

    def forget(self) -> None:
        """Forget what was done with long ago or is beyond many, and what crashes have left."""
        with self.errors():
            known, waiting = self._ids(".json"), self._ids(".bytes")
            finished = sorted(known - waiting, reverse=True)
            for number, id_ in enumerate(finished):
                if number >= KEPT_FINISHED or self._is_older(self._json(id_), KEPT_FOR):
                    self._json(id_).unlink(missing_ok=True)
            for path in self.folder.glob("*.bytes*"):
                if path.name[:24] not in known and self._is_older(path, LEFT_OVER_AFTER):
                    path.unlink(missing_ok=True)
            for path in self.folder.glob("*.json.*"):
                if self._is_older(path, LEFT_OVER_AFTER):
                    path.unlink(missing_ok=True)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what the disk refuses into StorageFull."""
        try:
            yield
        except OSError as exc:
            raise StorageFull(
                f"uploads can't be kept in {self.folder}: {exc.strerror}",
                hint="check the disk and the permissions, then try again",
            ) from exc

    def _write(self, upload: Upload) -> None:
        plain = {name: getattr(upload, name) for name in upload.__slots__}
        durable.write(self._json(upload.id), json.dumps(plain).encode())

    def _read(self, id_: str) -> Upload | None:
        try:
            return Upload(**json.loads(self._json(id_).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):  # forgotten just now, or of a newer form
            return None

    def _is_older(self, path: Path, age: timedelta) -> bool:
        try:
            written = path.stat().st_mtime
        except FileNotFoundError:
            return False
        return self._clock().timestamp() - written > age.total_seconds()

    def _ids(self, ending: str) -> set[str]:
        paths = self.folder.glob(f"*{ending}")
        return {path.stem for path in paths if _ID.fullmatch(path.stem)}

    def _json(self, id_: str) -> Path:
        return self.folder / f"{id_}.json"

    def _bytes(self, id_: str) -> Path:
        return self.folder / f"{id_}.bytes"

    def _new_id(self) -> str:
        with self._numbering:  # two of the same microsecond keep their order
            self._last = max(self._last + 1, int(self._clock().timestamp() * 1_000_000))
            return f"{self._last:014x}{secrets.token_hex(5)}"

    def _now(self) -> str:
        return self._clock().isoformat(timespec="milliseconds")


def clean_name(filename: str) -> str:
    """Return a name that is safe to show and to save under: no path, nothing unseen, not empty."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", filename)[-1])
    name = visible(" ".join(name.split()))
    name = "".join(c for c in name if c.isprintable()).strip(". ")
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    suffix = match[0] if (match := _SUFFIX.search(name)) else ""
    stem = name[: len(name) - len(suffix)]
    return f"{stem[: NAME_CHARACTERS - len(suffix)]}{suffix}" or _NAMELESS


def uri_of(name: str, collection: str) -> str:
    """Return the uri of what is uploaded under a name: upload:NAME, or upload:COLLECTION/NAME.

    The same name in the same collection is the same document, and its next version.
    """
    if not collection.strip() or not collection.isprintable() or len(collection) > NAME_CHARACTERS:
        raise ConfigError(
            f"{collection[:40]!r} can't be the name of a collection",
            hint=f"choose 1 to {NAME_CHARACTERS} characters that can be printed",
        )
    place = "" if collection == DEFAULT_COLLECTION else f"{collection}/"
    return f"upload:{place.translate(_IN_URIS)}{name.translate(_IN_URIS)}"


def _copy(stream: BinaryIO, path: Path, *, uri: str, max_bytes: int) -> tuple[int, str]:
    """Write a stream to a file; return how long it is, and its SHA-256."""
    size, digest = 0, hashlib.sha256()
    with durable.writing(path) as out:
        while piece := stream.read(_READ_BYTES):
            size += len(piece)
            if size > max_bytes:
                message = f"the file has more than {max_bytes:,} bytes, which is the limit"
                hint = "split it, or raise server_upload_mb"
                raise DocumentError(uri, message, hint=hint, code="too-large")
            digest.update(piece)
            out.write(piece)
    return size, digest.hexdigest()
