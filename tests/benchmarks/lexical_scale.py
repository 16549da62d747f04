"""How the word index answers at a million chunks, and what its budget costs in quality.

python -m tests.benchmarks.lexical_scale --keep FOLDER [--chunks 1000000]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ragkit.db import Database
from ragkit.store import rows, words
from ragkit.text import sentences
from ragkit.types import Chunk, Document, Span
from tests.benchmarks.scale_passages import Passage

_BATCH = 1_000  # rows of a transaction


# --- a large index -----------------------------------------------------------------------------


def grown(passages: Sequence[Passage], count: int) -> Iterator[Passage]:
    """Yield `count` passages: the real ones, then mixtures of two that stand near each other.

    A mixture has every other sentence of each, so that words keep their share of the passages.
    """
    yield from itertools.islice(passages, count)
    for number in range(len(passages), count):
        lap, place = divmod(number, len(passages))
        one, other = passages[place], passages[(place + lap) % len(passages)]
        odd = lap % 2
        parts = [
            text[span.start : span.end]
            for text, first in ((one.text, odd), (other.text, 1 - odd))
            for span in (sentences(text)[first::2] or sentences(text))
        ]
        yield Passage(f"{one.uri}.{lap}", one.title, " ".join(parts))


def build(path: Path, passages: Iterable[Passage]) -> float:
    """Write documents, chunks and words, and no vectors; return the CPU seconds of the words."""
    database = Database(path)
    by_document = itertools.groupby(passages, key=lambda passage: passage.uri)
    documents = ((uri, list(group)) for uri, group in by_document)
    seconds = 0.0
    with database.exclusive():
        for batch in _batches(documents):
            with database.writing() as connection:
                made = []
                for uri, group in batch:
                    document = _document(uri, group)
                    chunks = _chunks(document, group)
                    number = rows.write_document(
                        connection, document, size_bytes=0, mtime_ns=0, now=""
                    )
                    numbers = rows.write_chunks(connection, number, chunks)
                    made += [
                        words.row(numbers[chunk.id], chunk.text, chunk.title, (), uri)
                        for chunk in chunks
                    ]
                started = time.process_time()
                words.put(connection, made)
                seconds += time.process_time() - started
    database.close()
    return seconds


def _batches(
    documents: Iterable[tuple[str, list[Passage]]],
) -> Iterator[list[tuple[str, list[Passage]]]]:
    batch: list[tuple[str, list[Passage]]] = []
    for each in documents:
        batch.append(each)
        if sum(len(group) for _, group in batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _document(uri: str, group: Sequence[Passage]) -> Document:
    return Document(
        id=uri, uri=uri, title=group[0].title, text="", media_type="text/plain", content_hash=""
    )


def _chunks(document: Document, group: Sequence[Passage]) -> list[Chunk]:
    return [
        Chunk(
            id=f"{document.id}#{ordinal}",
            document_id=document.id,
            uri=document.uri,
            title=document.title,
            collection=document.collection,
            ordinal=ordinal,
            span=Span(0, len(passage.text)),
            lines=None,
            page=None,
            heading_path=(),
            text=passage.text,
            media_type=document.media_type,
        )
        for ordinal, passage in enumerate(group)
    ]


def _passages(keep: Path) -> list[Passage]:
    kept = keep / "passages-100000.jsonl"
    return [Passage(*json.loads(line)) for line in kept.read_text(encoding="utf-8").splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, required=True)
    options = parser.parse_args()
    path = options.keep / f"words-{options.chunks}.db"
    started = time.monotonic()
    seconds = build(path, grown(_passages(options.keep), options.chunks))
    print(f"{seconds:.0f} s CPU of words.put, {time.monotonic() - started:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
