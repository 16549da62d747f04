"""The index that tests.benchmarks.server serves, and what it is asked: made once, and kept."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ragkit import Index, Settings
from ragkit.fingerprints import new_fingerprint
from ragkit.providers.local import MiniLM
from ragkit.types import Filters
from tests.benchmarks import scale_index, scale_passages
from tests.benchmarks.scale_index import Corpus

SEED = 1
_SHORTEST, _LONGEST = 6, 10  # words of a query: as long as people's questions are
_LEAST_WORDS = 12  # of a chunk that queries are taken from


def built(keep: Path, docs: Sequence[Path], size: int) -> Path:
    """Return an index of so many real passages with the embedded model's vectors.

    It is one that `ragkit serve` opens as it stands; built where the folder doesn't keep it.
    """
    passages = _passages(keep, docs, size)
    fingerprint = new_fingerprint(
        Settings(chunk_tokens=scale_passages.PASSAGE_TOKENS), MiniLM(keeps_tokens=False)
    )
    path = keep / f"server-{size}-{fingerprint.chunker}" / "index.db"
    if path.exists():
        return path
    vectors = scale_passages.embed(keep, "passages", [each.embedded for each in passages])
    alone = np.repeat(np.arange(len(passages), dtype=np.int32)[:, None], 2, axis=1)
    corpus = Corpus(len(passages), vectors, alone, passages)
    partial = path.with_name("partial.db")
    partial.parent.mkdir(exist_ok=True)
    for left in partial.parent.glob(f"{partial.name}*"):
        left.unlink()
    scale_index.tell(f"building {path}")
    scale_index.written(partial, corpus.documents(0, corpus.size, first=0), fingerprint)
    partial.rename(path)
    return path


def _passages(keep: Path, docs: Sequence[Path], size: int) -> list[scale_passages.Passage]:
    if (keep / f"passages-{size}.jsonl").exists():
        return scale_passages.kept_passages(keep, size)
    return scale_passages.load(keep, docs, size)[0]


def queries(index: Index, count: int) -> list[str]:
    """Return different queries: some words in a row of a chunk's text, drawn by a seed."""
    dice = random.Random(SEED)
    documents = sorted(index.documents(Filters()), key=lambda each: each.uri)
    dice.shuffle(documents)
    texts: list[list[str]] = []
    for document in documents:
        split = [chunk.text.split() for chunk in index.chunks(document.id)]
        texts += [words for words in split if len(words) >= _LEAST_WORDS]
        if len(texts) >= count:
            break
    dice.shuffle(texts)
    found: dict[str, None] = {}
    while len(found) < count:
        words = dice.choice(texts)
        start = dice.randrange(len(words) - _LEAST_WORDS + 1)
        found.setdefault(" ".join(words[start : start + dice.randint(_SHORTEST, _LONGEST)]))
    return list(found)
