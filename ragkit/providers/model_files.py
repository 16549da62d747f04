"""Model files that come in packages: used only if they are what was released."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ragkit.errors import ConfigError


def checked(path: Path, *, sha256: str, reinstall: str) -> Path:
    """Return the path of a model file, or raise ConfigError if it isn't what was released."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ConfigError(f"can't read the model file {path}: {exc}", hint=reinstall) from exc
    if digest != sha256:
        raise ConfigError(
            f"the model file {path} is damaged or of another version (sha256 {digest})",
            hint=reinstall,
        )
    return path
