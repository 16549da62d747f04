"""What an endpoint's headers tell of what is left of its rate limits.

Every endpoint has its own spelling; most know "remaining" and "reset". What "limit" counts in (a
second, a minute, a day) none of them says, so it is not read. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Counted = Literal["requests", "tokens"]

# A limit that starts anew later than this (that of a day, say) is left to the endpoint's own 429.
MAX_RESET_SECONDS = 120.0

_KINDS: tuple[Counted, ...] = ("requests", "tokens")
# The names of (remaining, reset). Of the first OpenAI and Groq, then Cerebras, Anthropic.
_SPELLINGS = (
    ("x-ratelimit-remaining-{}", "x-ratelimit-reset-{}"),
    ("x-ratelimit-remaining-{}-minute", "x-ratelimit-reset-{}-minute"),
    ("anthropic-ratelimit-{}-remaining", "anthropic-ratelimit-{}-reset"),
)
# Those that don't say what they count: requests. The second is of the IETF's drafts 0 to 7.
_OF_REQUESTS = (
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
)
_NAMES: tuple[tuple[Counted, str, str], ...] = (
    *((kind, a.format(kind), b.format(kind)) for kind in _KINDS for a, b in _SPELLINGS),
    *(("requests", a, b) for a, b in _OF_REQUESTS),
)
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+")  # Go's: 6m0s, 20ms, 1h2m3.5s
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_FIRST_UNIX_TIME = 1e9  # a number from here on is a time of day, not a wait
_FIRST_UNIX_MILLISECONDS = 1e12


@dataclass(frozen=True, slots=True)
class Allowance:
    """What may be sent before the count starts anew in `seconds`; `name` is the header's."""

    name: str
    counted: Counted
    left: float
    seconds: float


def allowances(headers: Mapping[str, str], *, now: float) -> list[Allowance]:
    """Return what the headers of a reply allow; `now` is the time of day, as a Unix time.

    Left out is what is told in part, in no known form, or starts anew in too long a time.
    """
    found = []
    for counted, remaining, reset in _NAMES:
        left = _number(headers.get(remaining, ""))
        seconds = reset_seconds(headers.get(reset, ""), now=now)
        if left is not None and seconds is not None and seconds <= MAX_RESET_SECONDS:
            found.append(Allowance(remaining, counted, max(0.0, left), seconds))
    return found


def reset_seconds(value: str, *, now: float) -> float | None:
    """Return the wait that a reset header means: seconds, `6m0s`, a Unix time or an ISO date."""
    value = value.strip()
    if _DURATION.fullmatch(value):
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(value))
    number = _number(value)
    if number is None:
        number = _iso_time(value)
    if number is None:
        return None
    if number >= _FIRST_UNIX_MILLISECONDS:
        number /= 1000
    return max(0.0, number - now if number >= _FIRST_UNIX_TIME else number)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _iso_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
