"""What a user may choose about parsing, and the limits that hold for each file."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """How files are read. The limits hold for one file in a parser process.

    `seconds` is processor time; a file gets one more for each megabyte it has. `memory_bytes` is
    address space, so it includes what Python itself needs (about 100 MB). `text_characters` is
    the most that may come out of a file. `keep_running` leaves the headers and footers of PDF
    pages in the text.
    """

    seconds: float = 20.0
    memory_bytes: int = 1024 * MEGABYTE
    text_characters: int = 100 * MEGABYTE
    keep_running: bool = False

    def allowed_seconds(self, size: int) -> float:
        """Return the processor time that a file of this many bytes may take."""
        return self.seconds + size // MEGABYTE
