"""The embedding stage of an ingest: batches across documents, several of them in flight.

A text is asked for once, whatever document it stands in: not if the index or the cache has its
vector, nor while it is under way. A batch that comes back is in the cache before anything else
happens to it; those that come back while others are being written there are written together, so
that a disk that takes its time keeps no request waiting. The threads are daemons: who stops a run
waits for no reply.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ragkit import vectors
from ragkit.errors import BadProviderResponse, RagkitError
from ragkit.indexing.batching import Capacity
from ragkit.ports import Embedder

# So many batches, and at least so many texts, are planned ahead of those in flight: they last while
# a document is cut or written, and memory is bounded.
AHEAD_BATCHES = 2
AHEAD_TEXTS = 1024
# So many batches may be on their way into the cache besides those in flight: a crash loses no more.
UNSAVED_BATCHES = 2
POLL_SECONDS = 0.1


class Stopped(Exception):
    """The run ends early, on purpose: "interrupted", "max-tokens" or "declined"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Vault(Protocol):
    """Where packed vectors are kept under the key of what made them: a cache across indexes.

    `problem` says why it keeps nothing any more, "" where it does.
    """

    @property
    def problem(self) -> str: ...

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]: ...

    def put(self, items: Mapping[bytes, bytes]) -> None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text to embed. `key` is its place in the index, `cache_key` that in the cache."""

    key: bytes
    cache_key: bytes
    text: str


D = TypeVar("D")


@dataclass(slots=True)
class _Waiting(Generic[D]):
    """A document whose vectors are not all there yet."""

    document: D
    vectors: dict[bytes, bytes]
    missing: set[bytes]
    error: RagkitError | None = None


@dataclass(frozen=True, slots=True)
class Embedded(Generic[D]):
    """A document with the packed vector of each of its texts, or the error that one met."""

    document: D
    vectors: Mapping[bytes, bytes]
    error: RagkitError | None


@dataclass(slots=True)
class _Batch:
    texts: list[Text] = field(default_factory=list)
    tokens: int = 0


@dataclass(slots=True)
class _Reply:
    batch: _Batch
    vectors: dict[bytes, bytes]
    error: Exception | None


class EmbeddingStage(Generic[D]):
    """Takes documents with their texts, and gives them back when each text has its vector.

    `add` and `finished` are for one thread. `add` waits where enough is under way.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        vault: Vault | None = None,
        stop: Callable[[], bool] = lambda: False,
        before_batch: Callable[[int], None] = lambda _tokens: None,
        max_tokens: int | None = None,
    ) -> None:
        """Make a stage. `before_batch` is told each batch's tokens, and may raise to end it all.

        Stopped is raised by whatever waits here once `stop` says so, and by `add` for a text that
        would take more than `max_tokens` in all.
        """
        self._embedder = embedder
        self._vault = vault
        self._stop = stop
        self._before_batch = before_batch
        self._tokens_left = max_tokens
        self._capacity = Capacity(embedder)
        self._in_flight = self._capacity.in_flight
        self._batches: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._unsaved: queue.SimpleQueue[_Reply | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(self._in_flight + UNSAVED_BATCHES)
        self._replies: queue.SimpleQueue[_Reply] = queue.SimpleQueue()
        self._under_way = 0
        self._texts_under_way = 0
        self._open = _Batch()
        self._interested: dict[bytes, list[_Waiting[D]]] = {}
        self._held: dict[bytes, bytes] = {}  # vectors of documents that are not complete
        self._finished: deque[Embedded[D]] = deque()
        self._threads: list[threading.Thread] = []
        self._dropped = False
        self.texts_embedded = 0
        self.tokens_embedded = 0

    def add(self, document: D, texts: Sequence[Text], known: Mapping[bytes, bytes]) -> None:
        """Take in a document; `known` are the vectors that the index has already.

        Raises ProviderError where the embedder failed for good.
        """
        wanted = {text.key: text for text in texts}
        found = {key: known[key] for key in wanted if key in known}
        found |= {key: self._held[key] for key in wanted if key in self._held}
        missing = {key: text for key, text in wanted.items() if key not in found}
        if missing and self._vault is not None:
            cached = self._vault.get([text.cache_key for text in missing.values()])
            for key, text in list(missing.items()):
                if packed := self._fitting(cached.get(text.cache_key, b"")):
                    found[key] = packed
                    del missing[key]
        waiting = _Waiting(document, found, set(missing))
        if not missing:
            self._give(waiting)
            return
        new = [text for key, text in missing.items() if key not in self._interested]
        for key in missing:
            self._interested.setdefault(key, []).append(waiting)
        for text in new:
            self._plan(text)

    def finished(self) -> Iterator[Embedded[D]]:
        """Yield the documents that are complete by now, without waiting."""
        with suppress(queue.Empty):
            while True:
                self._take(self._replies.get_nowait())
        while self._finished:
            yield self._finished.popleft()

    def drain(self) -> Iterator[Embedded[D]]:
        """Send what is planned, and yield all documents as they are completed.

        Raises ProviderError where the embedder failed for good.
        """
        self._send()
        yield from self.finished()
        while self._under_way:
            self._wait()
            yield from self.finished()

    def settle(self, *, seconds: float, send_planned: bool = False) -> Iterator[Embedded[D]]:
        """Wait so long for what is in flight, and yield what is complete. Nothing more is sent.

        For a run that ends early: a reply that comes is paid for. With `send_planned` the batches
        that `before_batch` has let pass are still sent.
        """
        self._dropped = not send_planned
        deadline = time.monotonic() + seconds
        while self._under_way and (left := deadline - time.monotonic()) > 0:
            with suppress(queue.Empty, RagkitError):
                self._take(self._replies.get(timeout=left))
        yield from self.finished()

    def close(self) -> None:
        """Send nothing more. Replies to what is in flight still reach the cache, if they come."""
        for _ in self._threads:
            self._batches.put(None)

    # --- planning ------------------------------------------------------------------------------

    def _plan(self, text: Text) -> None:
        cost = self._capacity.tokens(text.text)
        if self._tokens_left is not None:
            if cost > self._tokens_left:
                self._send()
                raise Stopped("max-tokens")
            self._tokens_left -= cost
        if self._capacity.is_full(len(self._open.texts) + 1, self._open.tokens + cost):
            self._send()
        self._open.texts.append(text)
        self._open.tokens += cost

    def _fitting(self, packed: bytes) -> bytes:
        """Return what this embedder would give for a text in the cache; b"" where that lacks some.

        Of an embedder that can give token vectors, those of another setting may be there.
        """
        keeps_tokens = getattr(self._embedder, "keeps_tokens", None)
        if keeps_tokens is None:
            return packed
        size = 4 * self._embedder.dimensions
        if keeps_tokens:
            return packed if len(packed) > size else b""
        return packed[:size]

    def _send(self) -> None:
        if not self._open.texts:
            return
        self._before_batch(self._open.tokens)
        while self._is_enough_planned():
            self._wait()
        batch, self._open = self._open, _Batch()
        self._ask(batch)

    def _is_enough_planned(self) -> bool:
        batches = self._under_way - self._in_flight
        texts = self._texts_under_way * batches // max(1, self._under_way)  # of those not in flight
        return batches >= AHEAD_BATCHES and texts >= AHEAD_TEXTS

    def _ask(self, batch: _Batch) -> None:
        if not self._threads:
            threading.Thread(target=self._keep, name="ragkit-keep", daemon=True).start()
        if len(self._threads) < min(self._in_flight, self._under_way + 1):
            thread = threading.Thread(target=self._work, name="ragkit-embed", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._under_way += 1
        self._texts_under_way += len(batch.texts)
        self._batches.put(batch)

    # --- in the threads ------------------------------------------------------------------------

    def _work(self) -> None:
        while batch := self._batches.get():
            self._room.acquire()
            if self._dropped:
                self._pass_on(_Reply(batch, {}, None))
                continue
            try:
                keys = (text.key for text in batch.texts)
                texts = [text.text for text in batch.texts]
                packed = dict(zip(keys, self._embed(texts), strict=True))
            except Exception as exc:  # noqa: BLE001  raised again where the reply is taken
                self._pass_on(_Reply(batch, {}, exc))
            else:
                self._unsaved.put(_Reply(batch, packed, None))
        self._unsaved.put(None)

    def _embed(self, texts: Sequence[str]) -> Sequence[bytes]:
        """Return each text's vector, packed; with its token vectors where the embedder has any."""
        if getattr(self._embedder, "keeps_tokens", False):
            packed: Sequence[bytes] = getattr(self._embedder, "embed_packed")(texts)  # noqa: B009
            return packed
        return [vectors.pack(row) for row in self._embedder.embed(texts, kind="document")]

    def _keep(self) -> None:
        """Write what came back to the vault, as many batches at once as there are, and pass it on.

        Ends with the last of the threads that embed.
        """
        ended = 0
        while not ended or ended < len(self._threads):
            came = [self._unsaved.get()]
            with suppress(queue.Empty):
                while True:
                    came.append(self._unsaved.get_nowait())
            replies = [reply for reply in came if reply]
            ended += len(came) - len(replies)
            error = self._saved(replies)
            for reply in replies:
                self._pass_on(_Reply(reply.batch, {}, error) if error else reply)

    def _pass_on(self, reply: _Reply) -> None:
        self._room.release()
        self._replies.put(reply)

    def _saved(self, replies: Sequence[_Reply]) -> Exception | None:
        """Write vectors to the vault; return what went wrong, for the thread that takes replies."""
        if self._vault is None or not replies:
            return None
        texts = (text for reply in replies for text in reply.batch.texts)
        packed = (vector for reply in replies for vector in reply.vectors.values())
        try:
            self._vault.put({t.cache_key: v for t, v in zip(texts, packed, strict=True)})
        except Exception as exc:  # noqa: BLE001  raised again where the reply is taken
            return exc
        return None

    # --- taking replies ------------------------------------------------------------------------

    def _wait(self) -> None:
        """Take one reply, waiting in short steps, so that a stop is seen between them."""
        while not self._stop():
            with suppress(queue.Empty):
                self._take(self._replies.get(timeout=POLL_SECONDS))
                return
        raise Stopped("interrupted")

    def _take(self, reply: _Reply) -> None:
        self._under_way -= 1
        self._texts_under_way -= len(reply.batch.texts)
        if isinstance(reply.error, BadProviderResponse):
            self._divide(reply.batch, reply.error)
        elif reply.error:
            raise reply.error
        self.texts_embedded += len(reply.vectors)
        self.tokens_embedded += reply.batch.tokens if reply.vectors else 0
        for key, vector in reply.vectors.items():
            self._held[key] = vector
            for waiting in self._interested.pop(key):
                waiting.vectors[key] = vector
                waiting.missing.discard(key)
                if not waiting.missing:
                    self._give(waiting)

    def _divide(self, batch: _Batch, error: BadProviderResponse) -> None:
        """Ask for each half of a batch that gave no vectors; one text without is its documents'."""
        if len(batch.texts) > 1:
            middle = len(batch.texts) // 2
            for texts in (batch.texts[:middle], batch.texts[middle:]):
                self._ask(_Batch(texts))
            return
        for waiting in self._interested.pop(batch.texts[0].key):
            waiting.error = error
            waiting.missing.discard(batch.texts[0].key)
            if not waiting.missing:
                self._give(waiting)

    def _give(self, waiting: _Waiting[D]) -> None:
        for key in waiting.vectors:  # the index has them from now on
            self._held.pop(key, None)
        self._finished.append(Embedded(waiting.document, waiting.vectors, waiting.error))
