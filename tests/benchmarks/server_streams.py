"""How soon a stream's first token comes, for tests.benchmarks.server: by the server, and without.

Each question is asked in several ways in turns, and the endpoint writes the same to all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from ragkit import Index
from ragkit.types import Sentence
from tests.benchmarks.streaming import Reply, first_sentence
from tests.tempico import CHAT_MODEL

# A model's rhythm: 30 to 80 tokens a second, of some four letters; a piece has twelve.
PIECE_SECONDS = 0.03
_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Script:
    """What the endpoint writes: to each question its reply. It is handed to another process."""

    replies: Mapping[str, str]

    def __call__(self, body: Mapping[str, Any]) -> str:
        asked = str(body["messages"][-1]["content"])
        return next((text for question, text in self.replies.items() if question in asked), "")


def scripted(index: Index, questions: Sequence[str], count: int) -> dict[str, Reply]:
    """Return questions, each with a true first sentence from what a search finds for it."""
    found: dict[str, Reply] = {}
    for question in questions:
        if reply := first_sentence([hit.chunk for hit in index.search(question)]):
            found[question] = reply
        if len(found) == count:
            return found
    raise ValueError("the documents hold too few plain sentences")


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways to ask: the endpoint, the server in front of it, the library."""

    endpoint: str
    key: str
    server: str
    index: Index

    def upstream(self, question: str, reply: Reply) -> dict[str, float]:
        """Return the milliseconds to a model's first piece, and what passing it on adds."""
        ways: dict[str, Callable[[], float]] = {
            "endpoint": lambda: self._first_text(self.endpoint, CHAT_MODEL, question, 1),
            "server": lambda: self._first_text(self.server, CHAT_MODEL, question, 1),
        }
        return _in_turns(ways, len(question))

    def own(self, question: str, reply: Reply) -> dict[str, float]:
        """Return the milliseconds to the first sentence, of the endpoint to its last letter."""
        ways: dict[str, Callable[[], float]] = {
            "endpoint": lambda: self._first_text(self.endpoint, CHAT_MODEL, question, reply.end),
            "library": lambda: self._first_sentence(question),
            "server": lambda: self._first_text(self.server, "ragkit", question, 1),
        }
        return _in_turns(ways, len(question))

    def _first_sentence(self, question: str) -> float:
        began = time.perf_counter()
        events = self.index.ask_stream(question)
        shown = next(event for event in events if isinstance(event, Sentence))
        took = 1000 * (time.perf_counter() - began)
        for _ in events:
            pass
        assert shown.text, shown
        return took

    def _first_text(self, base_url: str, model: str, question: str, characters: int) -> float:
        """Return the milliseconds until so much text of a streamed reply has come."""
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": question}]}
        where = urlsplit(base_url)
        connection = HTTPConnection(where.netloc, timeout=_TIMEOUT_SECONDS)
        connection.connect()
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        began, took, seen = time.perf_counter(), 0.0, 0
        connection.request(
            "POST", f"{where.path}/chat/completions", json.dumps(body).encode(), headers
        )
        with connection.getresponse() as response:
            assert response.status == 200, response.read()
            for text in _texts(iter(response.readline, b"")):
                seen += len(text)
                if not took and seen >= characters:
                    took = 1000 * (time.perf_counter() - began)
        connection.close()
        assert took, f"{base_url} gave {seen} characters"
        return took


def _texts(lines: Iterator[bytes]) -> Iterator[str]:
    """Yield the texts of a stream of events, none of them empty."""
    for line in lines:
        if line.startswith(b"data: {"):
            event = json.loads(line.removeprefix(b"data: "))
            for choice in event["choices"]:
                if text := choice["delta"].get("content"):
                    yield text


def _in_turns(ways: Mapping[str, Callable[[], float]], turn: int) -> dict[str, float]:
    """Ask in each way, none always the first."""
    names = list(ways)
    start = turn % len(names)
    return {name: ways[name]() for name in names[start:] + names[:start]}
