"""What one ingest needs to know besides its paths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ragkit import sources
from ragkit.errors import ConfigError
from ragkit.indexing.embedding import Vault
from ragkit.parsing import ParseOptions
from ragkit.types import Estimate, Fingerprint, IngestEvent, IngestLimits


@dataclass(frozen=True, slots=True)
class Ingest:
    """The terms of an ingest.

    `collection` is the label of the documents; None leaves known ones theirs and calls new ones
    `new_collection`. `destination` is where texts are sent to be embedded, "" where they stay on
    this machine. `parse_workers` is how many processes parse files; with 0 they are parsed in this
    one. `max_tokens` ends the run cleanly before more (estimated) tokens are sent; 0 is no limit.
    `confirm` is asked once before anything is sent if more than `confirm_tokens` would be.
    `price` is in money per million tokens. Once `stop` says so the run ends within a second.
    `tidy` is called at its end, while nobody else may write.
    """

    fingerprint: Fingerprint
    collection: str | None = None
    new_collection: str = "default"
    prune: bool = False
    destination: str = ""
    parse_workers: int = 0
    parse_options: ParseOptions = ParseOptions()  # noqa: RUF009  frozen
    max_file_bytes: int = sources.MAX_BYTES
    vault: Vault | None = None
    max_tokens: int = 0
    confirm_tokens: int = 0
    confirm: Callable[[Estimate], bool] | None = None
    price: float = 0.0
    stop: Callable[[], bool] = lambda: False
    on_event: Callable[[IngestEvent], None] = lambda _event: None
    tidy: Callable[[], None] = lambda: None


def tokens_allowed(limits: IngestLimits, price: float) -> int:
    """Return the most tokens to send, 0 for no limit. ConfigError for a cost without a price."""
    if not limits.max_cost:
        return limits.max_tokens
    if not price:
        raise ConfigError(
            "a largest cost is given, but no price of this model",
            hint='configure it, for a million tokens: prices = "model=0.02"',
        )
    affordable = int(limits.max_cost / price * 1e6)
    return min(limits.max_tokens or affordable, affordable)
