"""The network of the embedded model: texts in, unit vectors out.

`local` imports this module when the model is first needed: numpy and onnxruntime take 0.12 s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import onnxruntime

from ragkit.ports import Match, TokenPassage
from ragkit.providers import token_vectors
from ragkit.providers.wordpiece import WordPiece
from ragkit.text import STOP_WORDS
from ragkit.types import Span

if TYPE_CHECKING:
    from ragkit.ports import Vectors

T = TypeVar("T")

DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was trained with; sentence-transformers cuts there too
VOCABULARY = Path(__file__).with_name("minilm-vocab.txt")
LOG_ERRORS = 3  # onnxruntime's severity; from 2 on it also warns, of GPUs that are not there

onnxruntime.set_default_logger_severity(LOG_ERRORS)
onnxruntime.disable_telemetry_events()  # if another package imported onnxruntime before us


class MiniLMNetwork:
    """A loaded model file. One text a run: padding costs more than a batch gains."""

    def __init__(self, model: Path, *, threads: int, optimised: bool) -> None:
        self.optimised = optimised
        self._threads = threads
        self._tokenizer = WordPiece(VOCABULARY)
        self._recent = lru_cache(maxsize=4)(self._run_text)  # a query is embedded, then matched
        self._untold = self._tokenizer.ids_of(_says_nothing)
        self._session = onnxruntime.InferenceSession(
            model, _options(optimised=optimised), providers=["CPUExecutionProvider"]
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the mean of each text's token vectors, as a unit vector."""
        if len(texts) == 1:
            return _unit(self._recent(texts[0])[0].mean(axis=0))[None]
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for row, vector in enumerate(self._each(self._embed_one, texts)):
            vectors[row] = vector
        return vectors

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return the MaxSim of the query with each text."""
        wanted = self.encode(query)[0][1:-1]  # without [CLS] and [SEP]
        if not len(wanted):
            return [0.0] * len(texts)
        encoded = self._each(self.encode, texts)
        return [
            float(token_vectors.product(wanted, vectors.T).max(axis=1).mean())
            for vectors, _ in encoded
        ]

    def embed_packed(self, texts: Sequence[str]) -> list[bytes]:
        """Return each text's unit vector as float32, followed by the record of its tokens."""
        return list(self._each(self._pack_one, texts))

    def token_records(self, texts: Sequence[str]) -> list[bytes]:
        """Return the record of each text's tokens."""
        return [packed[4 * DIMENSIONS :] for packed in self.embed_packed(texts)]

    def match_tokens(
        self, query: str, passages: Sequence[TokenPassage], *, weight: Callable[[str], float]
    ) -> list[Match | None]:
        """Return how well passages meet the words of a query, each by its weight.

        A word in several pieces counts once. Where no word has a weight all count the same.
        """
        vectors, spans = self._recent(query)
        vectors, spans = vectors[1:-1], spans[1:-1]  # without [CLS] and [SEP]
        if not len(vectors):
            return [None] * len(passages)
        words = [_word_at(query, span) for span in spans]
        pieces = Counter(words)
        told = {word: weight(query[word.start : word.end]) for word in pieces}
        weights = np.array([told[word] / pieces[word] for word in words], dtype=np.float32)
        total = float(weights.sum())
        weights = weights / total if total else np.full(len(words), 1 / len(words), np.float32)
        return token_vectors.match(token_vectors.project(_unit(vectors)), weights, passages)

    def encode(self, text: str) -> tuple[Vectors, list[Span]]:
        """Return a unit vector for each token, and the characters that each stands for."""
        ids, spans = self._tokenizer.encode_with_spans(text, MAX_TOKENS)
        return _unit(self._run(ids)), spans

    def _embed_one(self, text: str) -> Vectors:
        return _unit(self._run(self._tokenizer.encode(text, MAX_TOKENS)).mean(axis=0))

    def _pack_one(self, text: str) -> bytes:
        ids, spans = self._tokenizer.encode_with_spans(text, MAX_TOKENS)
        vectors = self._run(ids)
        told = [at for at, number in enumerate(ids) if number not in self._untold]
        record = token_vectors.pack(
            _unit(vectors[told]), [len(text) - spans[at].start for at in told]
        )
        return vector_bytes(_unit(vectors.mean(axis=0))) + record

    def _run_text(self, text: str) -> tuple[Vectors, list[Span]]:
        ids, spans = self._tokenizer.encode_with_spans(text, MAX_TOKENS)
        return self._run(ids), spans

    def _run(self, ids: list[int]) -> Vectors:
        tokens = np.array([ids], dtype=np.int64)
        feed = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.zeros_like(tokens),
        }
        vectors: Vectors = self._session.run(["last_hidden_state"], feed)[0][0]
        return vectors

    def _each(self, work: Callable[[str], T], texts: Sequence[str]) -> list[T]:
        """Do the work for each text, in order; onnxruntime lets other threads run meanwhile."""
        if len(texts) < 2 or self._threads < 2:
            return [work(text) for text in texts]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(work, texts))  # within the pool: Ctrl-C cancels the rest


def _options(*, optimised: bool) -> onnxruntime.SessionOptions:
    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = (
        levels.ORT_ENABLE_EXTENDED if optimised else levels.ORT_DISABLE_ALL
    )
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = LOG_ERRORS
    return options


def vector_bytes(vector: Vectors) -> bytes:
    """Return a vector as it is stored: float32, little-endian."""
    return vector.astype("<f4", copy=False).tobytes()


def _says_nothing(piece: str) -> bool:
    """Whether a piece of the vocabulary is a stop word, a mark or a special token."""
    is_mark = len(piece) == 1 and not piece.isalnum()
    return piece in STOP_WORDS or is_mark or (len(piece) > 1 and piece.startswith("["))


def _word_at(text: str, span: Span) -> Span:
    """Return the run of letters and digits that a token is part of."""
    start, end = span.start, span.end
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return Span(start, end)


def _unit(vectors: Vectors) -> Vectors:
    """Scale the vectors (the last axis) to length 1."""
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
