"""The keys of people and programs that may use the server; of each only a hash is kept.

They stand in `server-keys.json` in the user's config folder. A running server, and each of its
processes, sees a change with the next request. `RAGKIT_SERVER_KEY` is one key more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from ragkit.config import user_folder
from ragkit.errors import ConfigError

if sys.platform != "win32":
    import fcntl

Scope = Literal["read", "write"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
VARIABLE = "RAGKIT_SERVER_KEY"
ENVIRONMENT = "environment"  # the name of the key that the variable holds
FILE = "server-keys.json"
PREFIX = "rk-"  # so that a key that was left somewhere can be told for what it is, and searched
SECRET_BYTES = 32  # can't be guessed, so that one quick hash is enough to keep it
# A variable may hold a passphrase; one that is shorter could be tried out.
LEAST_CHARACTERS = 16
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key as it is kept: whose it is and what it may do, and a hash to know it by."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    created_at: str
    sha256: str = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the hash, which is nobody's business."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": list(self.scopes),
            "created_at": self.created_at,
        }


# What tells that the file is another one than before: number, size, both times.
_Look = tuple[int, int, int, int]


class AccessKeys:
    """The keys as they are now. A file that can't be read or trusted lets nobody in.

    Every call that needs the file raises ConfigError where it is damaged or others can read it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        folder = user_folder(environ)
        self._path = folder / FILE if folder else None
        self._clock = clock
        self._own = _of_variable(environ.get(VARIABLE, "").strip())
        self._look: _Look | None = None
        self._kept: tuple[AccessKey, ...] = ()
        self._was_required = bool(self._own)
        with suppress(
            ConfigError
        ):  # said when a key is looked for, and until then nobody is let in
            self._current()

    @property
    def required(self) -> bool:
        """Whether requests need a key. Once they do they go on to, though all keys are removed.

        Else a server would open itself to everybody with the removal of its last key.
        """
        return bool(self._current()) or self._was_required

    def list(self) -> Sequence[AccessKey]:
        """Return the keys by name; the one of the environment is called "environment"."""
        return sorted(self._current(), key=lambda key: key.name)

    def find(self, token: str) -> AccessKey | None:
        """Return the key that a request came with. How long it takes tells nothing of the keys."""
        digest = _digest(token)
        found = None
        for key in self._current():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def add(self, name: str, scopes: Sequence[Scope] = SCOPES) -> tuple[AccessKey, str]:
        """Make a key; return it and its secret, which can't be read from anywhere afterwards."""
        _check_name(name)
        if not scopes or not set(scopes) <= set(SCOPES):
            raise ConfigError(f"a key can't have the scopes {scopes}", hint="read, write or both")
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        with self._changing() as keys:
            if any(key.name == name for key in keys):
                raise ConfigError(
                    f"there is a key named {name} already",
                    hint=f"another name, or first: ragkit keys rm {shlex.quote(name)}",
                )
            made = AccessKey(
                _new_id(keys),
                name,
                tuple(scope for scope in SCOPES if scope in scopes),
                self._clock().isoformat(timespec="seconds"),
                _digest(secret),
            )
            keys.append(made)
        return made, secret

    def remove(self, *references: str) -> Sequence[AccessKey]:
        """Take out the keys with these names or ids, all or none, and return them.

        Whoever has one is locked out from now on.
        """
        if self._own and ENVIRONMENT in references:
            raise ConfigError(f"this key is the one of {VARIABLE}", hint=f"unset {VARIABLE}")
        with self._changing() as keys:
            # A key may be named by its name and by its id: it is one key all the same.
            found = list(dict.fromkeys(_meant(reference, keys) for reference in references))
            for key in found:
                keys.remove(key)
        return found

    # --- the file -------------------------------------------------------------------------------

    def _current(self) -> tuple[AccessKey, ...]:
        """Return the keys; the file is read again where it isn't the one that was read before."""
        look = self._looked()
        if look is None:
            self._kept = ()
        elif look != self._look:
            assert self._path is not None
            self._kept = _read(self._path)
        self._look = look
        current = self._own + self._kept
        self._was_required = self._was_required or bool(current)
        return current

    def _looked(self) -> _Look | None:
        if self._path is None:
            return None
        try:
            seen = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as exc:
            raise _unreadable(self._path, exc) from exc
        return seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns

    @contextmanager
    def _changing(self) -> Iterator[MutableSequence[AccessKey]]:
        """Give the keys of the file to change, and write them where nothing was raised."""
        if self._path is None:
            raise ConfigError(
                "there is no home folder to keep keys in",
                hint=f"set HOME or XDG_CONFIG_HOME, or use {VARIABLE}",
            )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self._path):
                keys = list(_read(self._path)) if self._path.exists() else []
                yield keys
                _write(self._path, keys)
        except OSError as exc:
            raise ConfigError(
                f"{self._path} can't be written: {exc.strerror}", hint="check its folder"
            ) from exc


def _of_variable(secret: str) -> tuple[AccessKey, ...]:
    if not secret:
        return ()
    if len(secret) < LEAST_CHARACTERS or not all("!" <= each <= "~" for each in secret):
        raise ConfigError(
            f"{VARIABLE} can't be used as a key: it takes {LEAST_CHARACTERS} characters or more,"
            " without spaces",
            hint=f"export {VARIABLE}=$(openssl rand -hex 32), or use: ragkit keys add NAME",
        )
    return (AccessKey(ENVIRONMENT, ENVIRONMENT, SCOPES, "", _digest(secret)),)


def _meant(reference: str, keys: Sequence[AccessKey]) -> AccessKey:
    """Return the key of a name, or else of an id."""
    named = [key for key in keys if key.name == reference]
    found = named or [key for key in keys if key.id == reference]
    if not found:
        raise ConfigError(f"there is no key {reference!r}", hint="ragkit keys ls lists the keys")
    return found[0]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _new_id(keys: Sequence[AccessKey]) -> str:
    taken = {word for key in keys for word in (key.id, key.name)}
    while True:
        made = secrets.token_hex(4)
        if made not in taken:
            return made


def _check_name(name: str) -> None:
    """Raise where a name couldn't be told from another one, or from no name, in a list or log."""
    if not name.isprintable() or name != name.strip() or not 0 < len(name) <= LONGEST_NAME:
        raise ConfigError(
            f"{name!r} can't be the name of a key",
            hint=f"up to {LONGEST_NAME} printable characters, such as ci or anna-laptop",
        )
    if name == ENVIRONMENT:
        raise ConfigError(f"{name} is the name of the key in {VARIABLE}", hint="use another name")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time change the file; a dead one holds nothing."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> tuple[AccessKey, ...]:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if os.name == "posix" and mode & 0o077:
                raise ConfigError(
                    f"{path} can be read by others (mode {mode & 0o777:o}), so it is not used",
                    hint=f"chmod 600 {shlex.quote(str(path))}",
                )
            stored = json.load(file)
        return tuple(map(_key, stored["keys"]))
    except OSError as exc:
        raise _unreadable(path, exc) from exc
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ConfigError(
            f"the file of the server's keys, {path}, is damaged, so nobody is let in",
            hint="restore it, or remove it and make the keys anew: ragkit keys add NAME",
        ) from exc


def _key(stored: Mapping[str, Any]) -> AccessKey:
    """Return a key of the file; raises ValueError where it isn't whole."""
    texts = [stored[name] for name in ("id", "name", "created_at", "sha256")]
    scopes = tuple(scope for scope in SCOPES if scope in stored["scopes"])
    if not all(isinstance(text, str) for text in texts) or len(scopes) != len(stored["scopes"]):
        raise ValueError("a key of the wrong shape")
    id_, name, created_at, sha256 = texts
    if len(bytes.fromhex(sha256)) != hashlib.sha256().digest_size:
        raise ValueError("a hash of the wrong length")
    return AccessKey(id_, name, scopes, created_at, sha256.lower())


def _unreadable(path: Path, exc: OSError) -> ConfigError:
    return ConfigError(
        f"the file of the server's keys, {path}, can't be read: {exc.strerror}",
        hint="check its mode and that of its folder",
    )


def _write(path: Path, keys: Sequence[AccessKey]) -> None:
    """Put another file into the place of the old one, so that nobody reads half of it."""
    body = {"keys": [{**key.to_dict(), "sha256": key.sha256} for key in keys]}
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(body, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if os.name == "posix":  # or a key that was removed might be back after a loss of power
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
