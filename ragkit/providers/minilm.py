"""The network of the embedded model: texts in, unit vectors out.

`local` imports this module when the model is first needed: numpy and onnxruntime take 0.12 s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import onnxruntime

from ragkit.providers.wordpiece import WordPiece
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
        self._session = onnxruntime.InferenceSession(
            model, _options(optimised=optimised), providers=["CPUExecutionProvider"]
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return the mean of each text's token vectors, as a unit vector."""
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for row, vector in enumerate(self._each(self._embed_one, texts)):
            vectors[row] = vector
        return vectors

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return the MaxSim of the query with each text."""
        wanted = self.encode(query)[0][1:-1]  # without [CLS] and [SEP]
        if not len(wanted):
            return [0.0] * len(texts)
        # Multiplied after the runs, not among them: there OpenBLAS's own threads, which spin,
        # took the cores from onnxruntime (10 passages of 200 tokens: 0.55 s instead of 0.40 s).
        encoded = self._each(self.encode, texts)
        return [float((wanted @ vectors.T).max(axis=1).mean()) for vectors, _ in encoded]

    def encode(self, text: str) -> tuple[Vectors, list[Span]]:
        """Return a unit vector for each token, and the characters that each stands for."""
        ids, spans = self._tokenizer.encode_with_spans(text, MAX_TOKENS)
        return _unit(self._run(ids)), spans

    def _embed_one(self, text: str) -> Vectors:
        return _unit(self._run(self._tokenizer.encode(text, MAX_TOKENS)).mean(axis=0))

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


def _unit(vectors: Vectors) -> Vectors:
    """Scale the vectors (the last axis) to length 1."""
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
