"""The log that `-v` and `-vv` show on stderr, with the key taken out of it."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from ragkit.cli.terminal import clean
from ragkit.credentials import find_key
from ragkit.errors import ConfigError

if TYPE_CHECKING:
    from ragkit.settings import Settings

# Without -v errors and notices are printed by the commands; libraries have nothing to add.
LEVELS = (logging.CRITICAL, logging.INFO, logging.DEBUG)
# They print headers and bodies at DEBUG, the key among them.
QUIET = ("httpx", "httpcore")

_HEADER = re.compile(r"(?i)(bearer\s+|x-api-key\W+(?:b['\"])?)[^\s'\",]+")


class Redacted(logging.Formatter):
    """Formats records, tracebacks included, without the key in any of its spellings."""

    def __init__(self, key: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")
        encoded = base64.b64encode(key.encode()).decode().rstrip("=")
        self._spellings = {key, quote(key, safe=""), encoded} if key else set()

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for spelling in sorted(self._spellings, key=len, reverse=True):
            line = line.replace(spelling, "****")
        return clean(_HEADER.sub(r"\1****", line))


def set_up(verbosity: int, settings: Settings, environ: Mapping[str, str]) -> None:
    """Send the log to stderr: nothing by default, what happens with -v, everything with -vv."""
    try:
        key = find_key(settings, environ).reveal()
    except ConfigError:
        key = ""  # said where the key is used; a log has no use for it
    handler = logging.StreamHandler()
    handler.setFormatter(Redacted(key))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[min(verbosity, 2)])
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
