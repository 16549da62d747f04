"""A search with its steps: what it did, how long that took and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ragkit.types.documents import Hit
from ragkit.types.models import Usage


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a search. `details` are plain values, such as {"lexical": 100, "semantic": 100}.

    Which there are depends on the step.
    """

    name: str
    milliseconds: float
    details: Mapping[str, object] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {"step": self.name, "milliseconds": round(self.milliseconds, 3), **self.details}


@dataclass(frozen=True, slots=True)
class SearchReport:
    """The hits of a search, best first, and how they came about.

    `usage` is what a chat model's help cost; `notices` say where it could not be had.
    """

    query: str
    hits: tuple[Hit, ...]
    steps: tuple[Step, ...]
    usage: Usage
    notices: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "query": self.query,
            "hits": [hit.to_dict() for hit in self.hits],
            "notices": list(self.notices),
            "steps": [step.to_dict() for step in self.steps],
            "usage": self.usage.to_dict(),
        }
