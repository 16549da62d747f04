"""Files of JSON lines, with errors that say where."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragkit.errors import ConfigError

_EXAMPLE = (
    'a case is a line such as {"question": "When ...?", "documents": ["guide.md"],'
    ' "sentences": ["..."]}'
)


def wrong(place: str, message: str, *, hint: str = _EXAMPLE) -> ConfigError:
    """Return the error for what stands at a place of a file of cases."""
    return ConfigError(f"{place}: {message}", hint=hint)


def json_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each line's object with its place, `file:line`. Empty lines are passed over.

    Raises ConfigError for what isn't a JSON object in UTF-8, OSError.
    """
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            place = f"{path}:{number}"
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                value = json.loads(line) if line else None
            except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as exc:
                raise wrong(place, f"this is no JSON: {exc}") from exc
            if not line:
                continue
            if not isinstance(value, dict):
                raise wrong(place, f"expected an object, found {type(value).__name__}")
            yield place, value
