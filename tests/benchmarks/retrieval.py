"""How search ranks, list by list, on the dev half of SQuAD 2.0's questions.

    python -m tests.benchmarks.retrieval [--questions 250]

Prints nDCG@10 and recall@5 over all 646 paragraphs with the embedded model, and the time of a
search. A first sketch on dev data; `ragkit eval` is to measure test splits.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ragkit.index import Index
from ragkit.settings import Settings
from ragkit.types import Hit
from tests.benchmarks import squad

Search = Callable[[str], list[Hit]]


def measure(search: Search, cases: list[squad.Question]) -> tuple[float, float, float]:
    """Return nDCG@10, recall@5 and the median milliseconds of a search."""
    gains, found, seconds = [], [], []
    for case in cases:
        started = time.perf_counter()
        hits = search(case.text)
        seconds.append(time.perf_counter() - started)
        names = [hit.chunk.uri.rsplit("/", 1)[-1].removesuffix(".md") for hit in hits]
        ranked = list(dict.fromkeys(names))  # a paragraph may be several chunks
        place = ranked.index(case.paragraph) + 1 if case.paragraph in ranked else 0
        gains.append(1 / math.log2(place + 1) if 0 < place <= 10 else 0.0)
        found.append(0 < place <= 5)
    return statistics.fmean(gains), statistics.fmean(found), 1000 * statistics.median(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=250)
    cases = squad.questions("dev", answerable=True, count=parser.parse_args().questions)
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder, "paragraphs")
        documents.mkdir()
        squad.write_paragraphs(documents)
        path = Path(folder, "index.db")
        with (
            Index.open(path, Settings(rerank="off"), environ={}) as plain,
            Index.open(path, Settings(rerank="on"), environ={}) as reranking,
        ):
            plain.ingest(documents)
            searches: dict[str, Search] = {
                "lexical": lambda q: plain.search(q, limit=20, mode="lexical"),
                "semantic": lambda q: plain.search(q, limit=20, mode="semantic"),
                "hybrid": lambda q: plain.search(q, limit=20),
                "hybrid, reranked by sentence": lambda q: reranking.search(q, limit=20),
            }
            print(f"{len(cases)} questions, {plain.stats().chunks} chunks")
            print(f"{'':<30}{'nDCG@10':>9}{'recall@5':>10}{'ms':>8}")
            for name, search in searches.items():
                ndcg, recall, ms = measure(search, cases)
                print(f"{name:<30}{ndcg:>9.3f}{recall:>10.3f}{ms:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
