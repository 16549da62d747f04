"""Real passages with two real vectors each, for tests.benchmarks.scale: gathered, embedded, kept.

The passages are chunks of the public evaluation sets, then of the documentation in the folders
given (what Debian's documentation packages hold in /usr/share/doc), at most so many of a file that
none stands out, none twice. The two views of a passage are the passage and its most telling
sentence, both embedded by the embedded model; joined and scaled to length 1 they are a vector of
768 dimensions, whose cosine with a question's (the question, twice) is the mean of both views'.

    python -m tests.benchmarks.scale_passages --passages 100000 --docs /usr/share/doc --keep FOLDER

It takes an hour on two cores, says how far it is, and goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ragkit import chunking, errors
from ragkit.parsing import parse_guarded
from ragkit.providers.local import MiniLM
from ragkit.text import sentences
from ragkit.types import Document
from tests.benchmarks import quality_sets

PASSAGE_TOKENS = 110  # as many as the model embeds in a tolerable time; SQuAD's have 130
_MOST_OF_A_FILE = 40
_SHORTEST, _LEAST_LETTERS = 200, 0.6  # characters; the share that are letters or spaces
_BATCH, _PROCESSES = 500, 2
_KINDS = frozenset(".html .htm .txt .md .rst .pod .adoc".split())
_MOST_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of a document, with its most telling sentence."""

    uri: str
    title: str
    text: str
    sentence: str = ""

    @property
    def embedded(self) -> str:
        """What the first view is made of."""
        return f"{self.title}\n\n{self.text}"


# --- gathering ---------------------------------------------------------------------------------


def gather(docs: Sequence[Path], count: int) -> list[Passage]:
    """Return `count` different passages, those of the evaluation sets first."""
    chosen: dict[str, Passage] = {}
    for path, limit in _files(docs):
        for passage in _passages(path, limit):
            if _is_prose(passage.text):
                chosen.setdefault(" ".join(passage.text.lower().split()), passage)
        if len(chosen) >= count:
            break
    return _with_sentences(list(chosen.values())[:count])


def _files(docs: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """Yield the files to read, each with how many passages it may give, in a fixed order."""
    with tempfile.TemporaryDirectory() as folder:
        for public in (quality_sets.scifact(), quality_sets.squad2(), quality_sets.chroma()):
            target = Path(folder) / public.name
            target.mkdir()
            for path in sorted(public.documents(target).rglob("*")):
                if path.is_file():
                    yield path, sys.maxsize
    found = [
        path
        for folder in docs
        for path in folder.rglob("*")
        if path.suffix.lower() in _KINDS and path.is_file() and path.stat().st_size <= _MOST_BYTES
    ]
    for path in sorted(found, key=lambda path: hashlib.sha256(path.name.encode()).digest()):
        yield path, _MOST_OF_A_FILE


def _passages(path: Path, limit: int) -> list[Passage]:
    try:
        parsed = parse_guarded(path.read_bytes(), uri=path.as_uri(), name=path.name)
    except errors.DocumentError:
        return []
    document = Document(
        id="",
        uri=path.as_uri(),
        title=parsed.title or path.stem,
        text=parsed.text,
        media_type=parsed.media_type,
        content_hash="",
        pages=parsed.pages,
        headings=parsed.headings,
        blocks=parsed.blocks,
    )
    chunks = chunking.chunk(document, max_tokens=PASSAGE_TOKENS)
    step = max(1, math.ceil(len(chunks) / limit))
    return [Passage(path.as_uri(), document.title, chunk.text) for chunk in chunks[::step]]


def _is_prose(text: str) -> bool:
    letters = sum(character.isalpha() or character == " " for character in text)
    return len(text) >= _SHORTEST and letters >= _LEAST_LETTERS * len(text)


def _with_sentences(passages: Sequence[Passage]) -> list[Passage]:
    """Give each passage its most telling sentence: the one of the rarest words for its length."""
    frequency = Counter(word for each in passages for word in set(_words(each.text)))

    def tells(sentence: str) -> float:
        words = _words(sentence)
        rarity = sum(math.log(len(passages) / frequency[word]) for word in set(words))
        return rarity / math.sqrt(len(words) + 5)

    return [
        Passage(
            each.uri,
            each.title,
            each.text,
            max((each.text[s.start : s.end] for s in sentences(each.text)), key=tells),
        )
        for each in passages
    ]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def questions(split: str) -> list[str]:
    """Return the questions of a split of the evaluation sets, in an order that mixes the sets."""
    asked = {
        case.question
        for public in (quality_sets.scifact(), quality_sets.squad2(), quality_sets.chroma())
        for case in public.of_split(split)
    }
    return sorted(asked, key=lambda text: hashlib.sha256(text.encode()).digest())


# --- embedding ---------------------------------------------------------------------------------


def embed(keep: Path, name: str, texts: Sequence[str]) -> np.ndarray:
    """Return a float32 array (len(texts), 384) of unit vectors, kept in pieces in a folder."""
    folder = keep / name
    folder.mkdir(parents=True, exist_ok=True)
    batches = [list(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
    paths = [folder / f"{_key(batch)}.npy" for batch in batches]
    missing = [
        (batch, path) for batch, path in zip(batches, paths, strict=True) if not path.exists()
    ]
    began = time.monotonic()
    with ProcessPoolExecutor(_PROCESSES) as pool:
        work = pool.map(_embed_batch, [batch for batch, _ in missing], [p for _, p in missing])
        for done, _ in enumerate(work, start=1):
            left = (time.monotonic() - began) / done * (len(missing) - done)
            print(
                f"  {name}: {done} of {len(missing)} batches, {left / 60:.0f} min left", flush=True
            )
    return np.concatenate([np.load(path) for path in paths])


def _key(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:24]


_model = MiniLM(threads=1, keeps_tokens=False)


def _embed_batch(texts: list[str], path: Path) -> None:
    vectors = _model.embed(texts, kind="document")
    partial = path.with_suffix(".partial.npy")
    np.save(partial, vectors)
    partial.rename(path)


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return two views as one vector of twice the dimensions and length 1."""
    both = np.concatenate([first, second], axis=1)
    scaled: np.ndarray = both / np.linalg.norm(both, axis=1, keepdims=True)
    return scaled


def load(keep: Path, docs: Sequence[Path], count: int) -> tuple[list[Passage], np.ndarray]:
    """Return passages with their joined vectors, gathered and embedded where they are not kept."""
    kept = keep / f"passages-{count}.jsonl"
    if not kept.exists():
        keep.mkdir(parents=True, exist_ok=True)
        found = gather(docs, count)
        lines = (json.dumps([p.uri, p.title, p.text, p.sentence]) + "\n" for p in found)
        kept.write_text("".join(lines), encoding="utf-8")
    passages = kept_passages(keep, count)
    texts = embed(keep, "passages", [passage.embedded for passage in passages])
    telling = embed(keep, "sentences", [p.sentence for p in passages])
    return passages, joined(texts, telling)


def kept_passages(keep: Path, count: int) -> list[Passage]:
    """Return the passages that a folder keeps."""
    with (keep / f"passages-{count}.jsonl").open(encoding="utf-8") as lines:
        return [Passage(*json.loads(line)) for line in lines]


def load_questions(keep: Path, split: str) -> tuple[list[str], np.ndarray]:
    """Return the questions of a split with their joined vectors."""
    asked = questions(split)
    vectors = embed(keep, "questions", asked)
    return asked, joined(vectors, vectors)


def main() -> None:
    """Gather and embed what is not kept yet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--docs", type=Path, action="append", default=[])
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    passages, vectors = load(
        options.keep, options.docs or [Path("/usr/share/doc")], options.passages
    )
    for split in ("dev", "test"):
        asked, _ = load_questions(options.keep, split)
        print(f"{len(asked):,} questions of {split}")
    characters = sum(len(passage.text) for passage in passages)
    length = characters / len(passages)
    print(f"{len(passages):,} passages of {length:.0f} characters, {vectors.shape}")


if __name__ == "__main__":
    main()
